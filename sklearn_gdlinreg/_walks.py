"""A model on its way through rows in mini-batches: dense and CSR alike.

A walk holds the model and the running sum of its iterates, in the coordinates of its kernel;
`model` and `sum` give them in the units of X and Y. Where rows come once, the coordinates
themselves follow the running moments in ``seen`` (`Rule.adaptive`). Conventions are those of
`_rule`.
"""

import math

import numpy as np
from scipy import sparse

from ._dense_epochs import descend_dense
from ._penalty import Proximal
from ._rows import inverse_of
from ._rule import mean_length
from ._sparse_epochs import descend_sparse
from ._visits import Frame

# Multiply-adds between two looks at the keyboard, 5 to 50 ms, and what a visit takes apart
# from its entries, in the same unit.
WORK_OF_A_SPAN, WORK_OF_A_VISIT = 2**22, 64


def _span(rule, entries_of_a_row, n_outputs):
    """Return how many batches to visit between two looks at the keyboard."""
    work = (entries_of_a_row * n_outputs + WORK_OF_A_VISIT) * rule.batch_size
    return math.ceil(WORK_OF_A_SPAN / work)


def penalty_of_steps(penalty, *, raw):
    """Return the numbers (3, D) that `_rule` calls shrink, l1 and l2.

    With ``raw``, the textbook's, the L2 penalty is part of the gradient.
    """
    none = np.zeros_like(penalty.l2)
    shrink, l2 = (penalty.l2, none) if raw else (none, penalty.l2)
    return np.stack([shrink, penalty.l1, l2])


def walk_of(rule, penalty, rows, frame, W, b, seen=None):
    """Return a DenseWalk or SparseWalk over these rows, which starts at (W, b).

    Parameters
    ----------
    rule : Rule
    penalty : ndarray of shape (3, D), as `penalty_of_steps` gives it
    rows : DenseRows, SparseRows or Chunk
    frame : Frame, of the mini-batch steps
    W, b : ndarray of shape (M, D) and (D,), where to start
    seen : ndarray of shape (M + 1, 3), optional
        The running moments of an adaptive rule.
    """
    kind = DenseWalk if isinstance(rows.X, np.ndarray) else SparseWalk
    seen = np.empty((0, 3)) if seen is None else seen
    return kind(rule, penalty, rows, frame, W, b, seen)


class DenseWalk:
    """A walk over the rows of an ndarray; parameters are those of `walk_of`."""

    def __init__(self, rule, penalty, rows, frame, W, b, seen):
        self.rule, self.penalty, self.seen = rule, penalty, seen
        M, D = W.shape
        self.centred, self.centre = frame.centred, frame.centre.copy()
        self.gain = np.zeros(M) if rule.adaptive else frame.inverse.copy()
        self.inverse = np.append(frame.inverse, float(frame.centred))
        scaled = W * inverse_of(frame.inverse)[:, None]
        self.W = np.ascontiguousarray(np.vstack([scaled, b + frame.centre @ W]))
        self.velocity = np.zeros((M + 1 if rule.momentum else 1, D))
        self.total, self.loss, self.n_summed = np.zeros((M + 1, D)), np.zeros(D), 0
        self.span = _span(rule, M, D)
        self.enter(rows)

    def visit(self, rows, weight, steps, n_before):
        """Make the steps of these visits, one a batch."""
        descend_dense(
            self.rule, self.X, self.Y, rows, weight, steps, self.seen, self.centre,
            self.inverse, self.gain, self.penalty, *self._scratch, self.W, self.velocity,
            self.total, self.loss, n_before,
        )  # fmt: skip
        self.n_summed += len(steps)

    def frame(self, columns):
        """Return the frame of these features, as it is now."""
        return Frame(self.centre[columns], self.inverse[:-1][columns], self.centred)

    def mean_length(self):
        """Return the mean squared length of the rows seen so far."""
        return mean_length(self.seen[:-1], self.inverse, self.seen[-1, 0], self.centred)

    def takes(self, rows):
        """Whether these rows are of the kind that this walk visits."""
        return isinstance(rows.X, np.ndarray)

    def enter(self, rows):
        """Go on over these rows."""
        self.X, self.Y = rows.X, rows.Y
        B, P, D = self.rule.batch_size, *self.W.shape
        self._scratch = (
            np.empty((B, P)),
            np.empty((2 * B, D)),
            np.empty((P + 3, D)),
            np.empty((4, P - 1 if self.rule.adaptive else 0)),
        )

    def leave(self):
        """Keep no rows, and nothing of passing use."""
        self.X = self.Y = self._scratch = None

    def losses(self):
        """Return the sum of weight * error ** 2 that was added up in ``loss``, (D,)."""
        return self.loss

    def centre_on(self, y_mean):
        """Predict this at the centre, if there is an intercept."""
        if self.centred:
            self.W[-1] = y_mean

    def _in_units(self, V):
        W = V[:-1] * self.inverse[:-1, None]
        return W, V[-1] - self.centre @ W if self.centred else np.zeros(V.shape[1])

    def model(self):
        """Return W, (M, D), and b, (D,)."""
        return self._in_units(self.W)

    def sum(self):
        """Return the sums of all W and b since the last `forget`, and their number."""
        n = self.n_summed
        W, b = self._in_units(self.total / max(n, 1))
        return W * n, b * n, n

    def forget(self):
        """Begin the sums anew."""
        self.total[:], self.n_summed = 0.0, 0


# A feature that is never zero, this many standard deviations off zero, is shifted.
FAR = 1e3


class SparseWalk:
    """A walk over the rows of a CSR matrix; parameters are those of `walk_of`.

    Centring by algebra loses as many digits as the square of mean over deviation has. That
    is at most N where a feature is zero in some row. One that never is can be shifted as it
    is stored, in a copy; dense features far off zero are rare in a sparse X.
    """

    def __init__(self, rule, penalty, rows, frame, W, b, seen):
        self.rule, self.seen, self.centred = rule, seen, frame.centred
        M, D = W.shape
        self.n_outputs, self.shift = D, self._shift(rows, frame)
        self.centre, p = frame.centre - self.shift, frame.inverse**2
        self.q = self.centre * p
        self.kappa = np.array([self.centre @ self.q])
        self.held, self.y_unit = rows.held_unit[:M], rows.held_unit[M:]
        self.gain = self.held[:, None] / self.y_unit
        # The penalty of coefficients as they are kept.
        self.penalty = penalty * np.stack([np.ones(D), self.y_unit, np.ones(D)])
        self.debts = np.zeros((M + 1 if rule.lazy else 1, D))
        self.table = np.zeros((M, 2 * D + 1))
        self.table[:, :D], self.table[:, -1] = W / self.gain, p
        self.shared = np.zeros((4, D))
        self.shared[1] = b * self.y_unit + self.shift @ self.table[:, :D]
        self.factors = np.stack([np.ones(D), np.zeros(D)])
        self.velocity = np.zeros((M + 1 if rule.momentum else 1, D))
        self.loss, self.n_summed = np.zeros(D), 0
        self.span = _span(rule, rows.X.nnz / rows.X.shape[0], D)
        self.enter(rows)

    def visit(self, rows, weight, steps, n_before):
        """Make the steps of these visits, one a batch."""
        descend_sparse(
            self.rule, *self.csr, self.Y, rows, weight, steps, float(self.centred), self.seen,
            self.q, self.products, self.kappa, self.held, self.penalty, self.debts,
            *self._scratch, self.table,
            self.shared, self.factors, self.velocity, self.loss, n_before,
        )  # fmt: skip
        self.n_summed += len(steps)

    def frame(self, columns):
        """Return the frame of these features, as it is now."""
        p = self.table[columns, -1]
        return Frame(self.q[columns] * inverse_of(p), np.sqrt(p), self.centred)

    def mean_length(self):
        """Return the mean squared length of the rows seen so far."""
        inverse = np.sqrt(self.table[:, -1])
        return mean_length(self.seen[:-1], inverse, self.seen[-1, 0], self.centred)

    def takes(self, rows):
        """Whether these rows are of the kind that this walk visits."""
        return not isinstance(rows.X, np.ndarray)

    def enter(self, rows):
        """Go on over these rows."""
        data, indices, indptr = rows.csr()
        if self.shift.any():
            data = data - self.shift[indices]
        self.csr, self.Y = (data, indices, indptr), rows.Y
        if self.q.any() and not self.rule.adaptive:
            self.products = sparse.csr_array(self.csr, rows.X.shape) @ self.q
        else:
            self.products = np.zeros(rows.X.shape[0])
        D, whole = self.n_outputs, self.rule.cautious or self.rule.momentum
        self._scratch = (
            np.empty((self.rule.batch_size, D)),
            np.zeros((len(self.q) if whole else 1, D)),
            np.empty((3, D)),
        )

    def leave(self):
        """Keep no rows, and nothing of passing use."""
        self.csr = self.Y = self.products = self._scratch = None

    def losses(self):
        """Return the sum of weight * error ** 2 that was added up in ``loss``, (D,)."""
        return self.loss / self.y_unit**2

    def centre_on(self, y_mean):
        """Predict this at the centre, if there is an intercept."""
        if self.centred:
            self.shared[1] = y_mean - self.centre @ self.table[:, : self.n_outputs]

    def _parts(self):
        D = self.n_outputs
        return self.table[:, :D], self.table[:, D : 2 * D], self.q[:, None]

    @staticmethod
    def _shift(rows, frame):
        """Return what is taken off the stored values of each feature, (M,)."""
        shift = np.zeros(len(frame.centre))
        far = np.abs(frame.centre) * frame.inverse > FAR
        if far.any():
            full = rows.density(counted=True) == 1.0
            shift[far & full] = frame.centre[far & full]
        return shift

    def _in_units(self, W, b):
        return W * self.gain, (b - self.shift @ W) / self.y_unit

    def model(self):
        """Return W, (M, D), and b, (D,)."""
        V, _, q = self._parts()
        if self.rule.lazy:
            owed = self.debts[-1] - self.debts[:-1]
            V = Proximal(owed, self.rule.positive).map(V, 1.0)
        return self._in_units(self.factors[0] * V - q * self.shared[0], self.shared[1])

    def sum(self):
        """Return the sums of all W and b since the last `forget`, and their number."""
        V, U, q = self._parts()
        W = self.factors[1] * V + U - q * self.shared[2]
        return *self._in_units(W, self.shared[3]), self.n_summed

    def forget(self):
        """Begin the sums anew."""
        self._parts()[1][:] = self.shared[2:] = self.factors[1] = 0.0
        self.n_summed = 0
