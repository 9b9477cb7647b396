"""Stochastic gradient descent (SGD) over rows in any container.

There is one class for each kind of rows. It has the model and the running sum of its iterates,
in the coordinates of its kernel; `model` and `sum` return them in the units of X and Y. In
streams, these coordinates follow the running moments in ``running`` (`Rule.running`).
Conventions are those of `update_rule`.
"""

from .._base.arrays import to_host, zeros
from .._rows.array import ArrayRows
from .._rows.csr import CSRRows
from .._rows.dense import DenseRows
from .array import ArraySGD
from .csr import CSRSGD
from .dense import DenseSGD

# The SGD class for each class of rows.
SGD_OF = {DenseRows: DenseSGD, CSRRows: CSRSGD, ArrayRows: ArraySGD}


def sgd_of(rule, penalty, rows, coordinates, W, b, running=None, *, raw):
    """Return the SGD for these rows, which starts at (W, b).

    Parameters
    ----------
    rule : Rule
    penalty : Penalty
    rows : DenseRows, CSRRows or ArrayRows
    coordinates : StepCoordinates
    W, b : array of shape (M, D) and (D,), where to start
    running : array of shape (M + 1, 3), optional
        The running moments of the rows so far, if the rule follows them.
    raw : bool, as in `Penalty.for_batches`
    """
    running = zeros((0, 3), W) if running is None else running
    y_unit = to_host(rows.stored_unit[W.shape[0] :])
    numbers = penalty.for_batches(raw=raw, y_unit=y_unit), penalty.of_features()
    return SGD_OF[type(rows)](rule, *numbers, rows, coordinates, W, b, running)
