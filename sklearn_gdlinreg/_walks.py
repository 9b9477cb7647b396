"""A model on its way through rows in mini-batches: dense and CSR alike.

A walk holds the model and the running sum of its iterates, in the coordinates of its kernel;
`model` and `mean` give them in the units of X and Y. Conventions are those of `_epochs`.
"""

import numpy as np

from ._epochs import descend_dense, descend_sparse
from ._rows import inverse_of


def walk_of(rule, rows, frame, W, b):
    """Return a DenseWalk or SparseWalk over these rows, which starts at (W, b)."""
    kind = DenseWalk if isinstance(rows.X, np.ndarray) else SparseWalk
    return kind(rule, rows, frame, W, b)


class DenseWalk:
    """A walk over the rows of an ndarray.

    Parameters
    ----------
    rule : Rule
    rows : DenseRows
    frame : Frame, of the mini-batch steps
    W, b : ndarray of shape (M, D) and (D,), where to start
    """

    def __init__(self, rule, rows, frame, W, b):
        self.rule, self.X, self.Y, self.frame = rule, rows.X, rows.Y, frame
        M, D = W.shape
        self.inverse = np.append(frame.inverse, float(frame.centred))
        self.ridge = np.append(frame.ridge, 0.0)
        self.W = np.vstack([W * inverse_of(frame.inverse)[:, None], b + frame.centre @ W])
        self.velocity = np.zeros((M + 1 if rule.momentum else 1, D))
        self.total, self.loss, self.n_summed = np.zeros((M + 1, D)), np.zeros(D), 0
        self.work = rows.X.shape[1] * D
        self._scratch = (
            np.empty((rule.batch_size, M + 1)),
            np.empty((2 * rule.batch_size, D)),
            np.empty((M + 3, D)),
        )

    def visit(self, rows, weight, steps, n_before):
        """Make the steps of these visits, one a batch."""
        descend_dense(
            self.rule, self.X, self.Y, rows, weight, steps, self.frame.centre, self.inverse,
            self.ridge, *self._scratch, self.W, self.velocity, self.total, self.loss, n_before,
        )  # fmt: skip
        self.n_summed += len(steps)

    def takes(self, rows):
        """Whether these rows are of the kind that this walk visits."""
        return isinstance(rows.X, np.ndarray)

    def enter(self, rows):
        """Go on over other rows."""
        self.X, self.Y = rows.X, rows.Y

    def leave(self):
        """Keep no rows."""
        self.X = self.Y = None

    def losses(self):
        """Return the sum of weight * error ** 2 that was added up in ``loss``, (D,)."""
        return self.loss

    def centre_on(self, y_mean):
        """Predict this at the centre, if there is an intercept."""
        if self.frame.centred:
            self.W[-1] = y_mean

    def _in_units(self, V):
        W = V[:-1] * self.inverse[:-1, None]
        return W, V[-1] - self.frame.centre @ W if self.frame.centred else np.zeros(V.shape[1])

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
    """A walk over the rows of a CSR matrix; parameters are those of DenseWalk.

    Centring by algebra loses as many digits as the square of mean over deviation has. That
    is at most N where a feature is zero in some row. One that never is can be shifted as it
    is stored, in a copy; dense features far off zero are rare in a sparse X.
    """

    def __init__(self, rule, rows, frame, W, b):
        self.rule, self.Y, self.frame = rule, rows.Y, frame
        M, D = W.shape
        self.n_outputs = D
        self.csr, self.shift = self._shifted(rows, frame)
        centre, p = frame.centre - self.shift, frame.inverse**2
        self.table = np.zeros((M, 2 * D + 2))
        held, self.y_unit = rows.held_unit[:M], rows.held_unit[M:]
        self.gain = held[:, None] / self.y_unit
        self.table[:, :D], self.table[:, -1] = W / self.gain, p
        self.table[:, -2] = centre * p
        self.kappa = float(centre @ self.table[:, -2])
        self.shared = np.zeros((4, D))
        self.shared[1] = b * self.y_unit + self.shift @ self.table[:, :D]
        self.factors = np.array([1.0, 0.0])
        whole = rule.cautious or rule.momentum
        self.gradient = np.zeros((M if whole else 1, D))
        self.velocity = np.zeros((M + 1 if rule.momentum else 1, D))
        self.loss, self.n_summed = np.zeros(D), 0
        self.work = max(1, rows.X.nnz // rows.n_rows) * D
        self._scratch = np.empty((rule.batch_size, D)), np.empty(rule.batch_size)
        self._sums = np.empty((3, D))

    def visit(self, rows, weight, steps, n_before):
        """Make the steps of these visits, one a batch."""
        descend_sparse(
            self.rule, *self.csr, self.Y, rows, weight, steps, self.frame.ridge,
            float(self.frame.centred), self.kappa, *self._scratch, self.gradient, self.table,
            self.shared, self._sums, self.factors, self.velocity, self.loss, n_before,
        )  # fmt: skip
        self.n_summed += len(steps)

    def takes(self, rows):
        """Whether these rows are of the kind that this walk visits."""
        return not isinstance(rows.X, np.ndarray)

    def enter(self, rows):
        """Go on over other rows."""
        self.csr, self.Y = rows.csr(), rows.Y

    def leave(self):
        """Keep no rows."""
        self.csr = self.Y = None

    def losses(self):
        """Return the sum of weight * error ** 2 that was added up in ``loss``, (D,)."""
        return self.loss / self.y_unit**2

    def centre_on(self, y_mean):
        """Predict this at the centre, if there is an intercept."""
        if self.frame.centred:
            centre = self.frame.centre - self.shift
            self.shared[1] = y_mean - centre @ self.table[:, : self.n_outputs]

    def _parts(self):
        D = self.n_outputs
        return self.table[:, :D], self.table[:, D : 2 * D], self.table[:, 2 * D, None]

    @staticmethod
    def _shifted(rows, frame):
        """Return data, indices and indptr, and what was taken off the features, (M,)."""
        data, indices, indptr = rows.csr()
        shift = np.zeros(len(frame.centre))
        far = np.abs(frame.centre) * frame.inverse > FAR
        # Rows of a stream are not all there to be counted.
        if far.any() and hasattr(rows, "density"):
            full = rows.density(counted=True) == 1.0
            shift[far & full] = frame.centre[far & full]
        if shift.any():
            data = data - shift[indices]
        return (data, indices, indptr), shift

    def _in_units(self, W, b):
        return W * self.gain, (b - self.shift @ W) / self.y_unit

    def model(self):
        """Return W, (M, D), and b, (D,)."""
        V, _, q = self._parts()
        return self._in_units(self.factors[0] * V - q * self.shared[0], self.shared[1])

    def sum(self):
        """Return the sums of all W and b since the last `forget`, and their number."""
        V, U, q = self._parts()
        W = self.factors[1] * V + U - q * self.shared[2]
        return *self._in_units(W, self.shared[3]), self.n_summed

    def forget(self):
        """Begin the sums anew."""
        self._parts()[1][:], self.shared[2:], self.factors[1] = 0.0, 0.0, 0.0
        self.n_summed = 0
