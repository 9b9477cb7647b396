"""A model on its way through rows in mini-batches, whatever they are kept in.

A walk holds the model and the running sum of its iterates, in the coordinates of its kernel;
`model` and `sum` give them in the units of X and Y. Where rows come once, the coordinates
themselves follow the running moments in ``seen`` (`Rule.adaptive`). Conventions are those of
`_rule`.
"""

import numpy as np
from scipy import sparse

from ._array_walk import ArrayWalk
from ._arrays import is_numpy, zeros
from ._dense_walk import DenseWalk
from ._sparse_walk import SparseWalk


def penalty_of_steps(penalty, *, raw):
    """Return the numbers (3, D) that `_rule` calls shrink, l1 and l2.

    With ``raw``, the textbook's, the L2 penalty is part of the gradient.
    """
    none = np.zeros_like(penalty.l2)
    shrink, l2 = (penalty.l2, none) if raw else (none, penalty.l2)
    return np.stack([shrink, penalty.l1, l2])


def walk_of(rule, penalty, rows, frame, W, b, seen=None):
    """Return a walk over these rows, of their kind, which starts at (W, b).

    Parameters
    ----------
    rule : Rule
    penalty : ndarray of shape (3, D), as `penalty_of_steps` gives it
    rows : DenseRows, SparseRows, ArrayRows or Chunk
    frame : Frame, of the mini-batch steps
    W, b : array of shape (M, D) and (D,), where to start
    seen : array of shape (M + 1, 3), optional
        The running moments of an adaptive rule.
    """
    if sparse.issparse(rows.X):
        kind = SparseWalk
    else:
        kind = DenseWalk if is_numpy(rows.X) else ArrayWalk
    seen = zeros((0, 3), W) if seen is None else seen
    return kind(rule, penalty, rows, frame, W, b, seen)
