"""Stochastic gradient descent (SGD) over rows, whatever they are kept in.

It holds the model and the running sum of its iterates, in the coordinates of its kernel;
`model` and `sum` give them in the units of X and Y. Where rows come once, the coordinates
themselves follow the running moments in ``seen`` (`Rule.adaptive`). Conventions are those of
`update_rule`.
"""

import numpy as np

from .._base.arrays import zeros
from .._rows.array import ArrayRows
from .._rows.csr import CSRRows
from .._rows.dense import DenseRows
from .array import ArraySGD
from .csr import CSRSGD
from .dense import DenseSGD

# Which class of rows each visits.
SGD_OF = {DenseRows: DenseSGD, CSRRows: CSRSGD, ArrayRows: ArraySGD}


def penalty_of_steps(penalty, *, raw):
    """Return the numbers (3, D) that `update_rule` calls shrink, l1 and l2.

    With ``raw``, the textbook's, the L2 penalty is part of the gradient.
    """
    none = np.zeros_like(penalty.l2)
    shrink, l2 = (penalty.l2, none) if raw else (none, penalty.l2)
    return np.stack([shrink, penalty.l1, l2])


def sgd_of(rule, penalty, rows, frame, W, b, seen=None):
    """Return the SGD over these rows, of their kind, which starts at (W, b).

    Parameters
    ----------
    rule : Rule
    penalty : ndarray of shape (3, D), as `penalty_of_steps` gives it
    rows : DenseRows, CSRRows or ArrayRows
    frame : Frame, of the mini-batch steps
    W, b : array of shape (M, D) and (D,), where to start
    seen : array of shape (M + 1, 3), optional
        The running moments of an adaptive rule.
    """
    seen = zeros((0, 3), W) if seen is None else seen
    return SGD_OF[type(rows)](rule, penalty, rows, frame, W, b, seen)
