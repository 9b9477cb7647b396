"""SGD over CSR rows; see `sgd`."""

import numpy as np
from scipy import sparse

from .._base.arrays import inverse_of
from .._base.rounding import EPS
from .._problem.penalty import soft_threshold
from .coordinates import StepCoordinates, factors_of, kept_density
from .csr_epochs import descend_sparse
from .epochs import span_of
from .update_rule import mean_length

# A feature that is never zero, this many standard deviations off zero, is shifted.
FAR = 1e3


class CSRSGD:
    """SGD over the rows of a CSR matrix; parameters are those of `sgd.sgd_of`.

    Centring by algebra loses as many digits as the square of mean over deviation has. That
    is at most N where a feature is zero in some row. One that never is can be shifted as it
    is stored, in a copy; dense features far off zero are rare in a sparse X.

    Its steps take no time for features that a batch does not hold, but for variance-reduced ones
    (`csr_correction`), which move all features.
    """

    def __init__(self, rule, penalty, of_features, rows, coordinates, W, b, running):
        self.rule, self.running, self.centred = rule, running, coordinates.centred
        M, D = W.shape
        self.n_outputs, self.shift = D, self._shift(rows, coordinates)
        self.centre, p = coordinates.centre - self.shift, coordinates.inverse**2
        self.q = self.centre * p
        self.kappa = np.array([self.centre @ self.q])
        self.stored_unit, self.y_unit = rows.stored_unit[:M], rows.stored_unit[M:]
        self.to_units = self.stored_unit[:, None] / self.y_unit
        self.penalty, self.of_features = penalty, of_features
        self.tell_rare(coordinates.density)
        self.debts = np.zeros((M + 1 if rule.lazy else 1, D))
        self.table = np.zeros((M, 2 * D + 1))
        self.table[:, :D], self.table[:, -1] = W / self.to_units, p
        self.shared = np.zeros((4, D))
        self.shared[1] = b * self.y_unit + self.shift @ self.table[:, :D]
        self.factors = np.stack([np.ones(D), np.zeros(D)])
        self.velocity = np.zeros((M + 1 if rule.momentum else 1, D))
        self.loss, self.n_summed, self.n_steps = np.zeros(D), 0, 0
        self.correction, self.metric = np.zeros((0, D)), np.zeros((0, 0))
        self.span = span_of(rule, rows.X.nnz / rows.X.shape[0], D)
        self.enter(rows)

    def visit(self, rows, weight, steps):
        """Make the steps of these visits, one per batch."""
        descend_sparse(
            self.rule, *self.csr, self.Y, rows, weight, steps, float(self.centred), self.running,
            self.q, self.products, self.kappa, self.stored_unit, self.penalty, self.of_features,
            self.common, self.rare, self.debts, *self._scratch, self.table, self.shared,
            self.factors, self.velocity, self.loss, self.n_steps,
            self.correction, self.metric,
        )  # fmt: skip
        self.n_summed += len(steps)
        self.n_steps += len(steps)

    def coordinates(self, columns):
        """Return the coordinates of these features, as they are now."""
        p = self.table[columns, -1]
        density = self.rare[columns, 0] if len(self.rare) else None
        return StepCoordinates(
            self.q[columns] * inverse_of(p), np.sqrt(p), self.centred, density
        )

    def mean_length(self):
        """Return the mean squared length of the rows seen so far."""
        inverse, density = np.sqrt(self.table[:, -1]), self.rare[:, 0].copy()
        total = self.running[-1, 0]
        return mean_length(self.running[:-1], inverse, total, self.centred, density)

    def enter(self, rows):
        """Go on over these rows."""
        data, indices, indptr = rows.csr()
        self.Y = rows.Y
        if self.shift.any():
            # In float64, and so the targets, which kernels take of one type.
            data, self.Y = data - self.shift[indices], self.Y.astype(np.float64, copy=False)
        self.csr = data, indices, indptr
        if self.q.any() and not self.rule.running:
            nnz = indptr[-1]
            self.products = (
                sparse.csr_array((data[:nnz], indices[:nnz], indptr), rows.X.shape) @ self.q
            )
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

    def forget_losses(self):
        """Begin the sums of losses anew."""
        self.loss[:] = 0.0

    def losses(self):
        """Return the sum of weight * error ** 2 that was added up in ``loss``, (D,)."""
        return self.loss / self.y_unit**2

    def centre_on(self, mean, y_mean):
        """Predict the mean of Y at the mean of X, (M,), if there is an intercept."""
        if self.centred:
            self.shared[1] = y_mean - (mean - self.shift) @ self.table[:, : self.n_outputs]

    def correct(self, W, b, gradient, metric=None):
        """Go on from (W, b), by variance-reduced steps; as that of DenseSGD."""
        M, D = W.shape
        V, p, anchor = W / self.to_units, self.table[:, -1:], np.zeros((4, M + 1, D))
        self.table[:, :D], self.table[:, D : 2 * D] = V, 0.0
        self.shared[:], self.shared[1] = 0.0, b * self.y_unit + self.shift @ V
        self.factors[:] = np.array([[1.0], [0.0]])
        anchor[0, :-1], anchor[0, -1] = V, self.shared[1]
        anchor[1, :-1] = p * (gradient * self.stored_unit[:, None] * self.y_unit)
        self.correction = anchor.reshape(-1, D)
        self.metric = np.zeros((0, 0)) if metric is None else metric

    def tell_rare(self, density):
        """Penalise features by rows from now on; density is that of StepCoordinates."""
        M = len(self.q)
        # What the kernel reads of a feature at one time lies side by side.
        kept = kept_density(density, self.q)
        self.rare = np.zeros((len(kept), 3))
        self.rare[:, 0], self.rare[:, 1] = kept, self.stored_unit[: len(kept)]
        self.common = np.arange(M) if density is None else np.flatnonzero(density == 0.0)

    def _columns(self):
        D = self.n_outputs
        return self.table[:, :D], self.table[:, D : 2 * D], self.q[:, None]

    @staticmethod
    def _shift(rows, coordinates):
        """Return what is taken off the stored values of each feature, (M,)."""
        shift = np.zeros(len(coordinates.centre))
        far = np.abs(coordinates.centre) * coordinates.inverse > FAR
        if far.any():
            full = rows.density(counted=True) == 1.0
            shift[far & full] = coordinates.centre[far & full]
        return shift

    def _in_units(self, W, b):
        return W * self.to_units, (b - self.shift @ W) / self.y_unit

    def model(self):
        """Return W, (M, D), and b, (D,)."""
        V, _, q = self._columns()
        if self.rule.lazy:
            owed = np.sqrt(self.table[:, -1:]) * (self.debts[-1] - self.debts[:-1])
            factor, positive = factors_of(self.of_features, self.rule)
            V = soft_threshold(V, factor * owed, positive)
        W = self._less(self.factors[0] * V, q * self.shared[0])
        return self._in_units(W, self.shared[1])

    def _less(self, own, of_all):
        """Return own - of_all; what a proximal step has made zero is zero, and not rounding."""
        W = own - of_all
        if self.rule.proximal:
            W[np.abs(W) <= 32 * EPS * np.abs(of_all)] = 0.0
        return W

    def sum(self):
        """Return the sums of all W and b since the last `forget`, and their number."""
        V, U, q = self._columns()
        W = self._less(self.factors[1] * V + U, q * self.shared[2])
        return *self._in_units(W, self.shared[3]), self.n_summed

    def forget(self):
        """Begin the sums anew."""
        self._columns()[1][:] = self.shared[2:] = self.factors[1] = 0.0
        self.n_summed = 0
