"""Stochastic gradient descent (SGD) over rows, whatever they are kept in.

It holds the model and the running sum of its iterates, in the coordinates of its kernel;
`model` and `sum` give them in the units of X and Y. Where rows come once, the coordinates
themselves follow the running moments in ``running`` (`Rule.running`). Conventions are those of
`update_rule`.
"""

from .._base.arrays import zeros
from .._rows.array import ArrayRows
from .._rows.csr import CSRRows
from .._rows.dense import DenseRows
from .array import ArraySGD
from .csr import CSRSGD
from .dense import DenseSGD

# Which class of rows each visits.
SGD_OF = {DenseRows: DenseSGD, CSRRows: CSRSGD, ArrayRows: ArraySGD}


def sgd_of(rule, penalty, rows, coordinates, W, b, running=None):
    """Return the SGD over these rows, of their kind, which starts at (W, b).

    Parameters
    ----------
    rule : Rule
    penalty : ndarray of shape (3, D), as `Penalty.for_batches` gives it
    rows : DenseRows, CSRRows or ArrayRows
    coordinates : StepCoordinates, of the mini-batch steps
    W, b : array of shape (M, D) and (D,), where to start
    running : array of shape (M + 1, 3), optional
        The running moments of an running rule.
    """
    running = zeros((0, 3), W) if running is None else running
    return SGD_OF[type(rows)](rule, penalty, rows, coordinates, W, b, running)
