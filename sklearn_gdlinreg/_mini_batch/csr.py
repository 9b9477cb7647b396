"""SGD over CSR rows; see `sgd`."""

import numpy as np
from scipy import sparse

from .._base.arrays import inverse_of
from .coordinates import StepCoordinates, kept_density
from .csr_epochs import descend_sparse, write_coefficients
from .epochs import mean_of_sums, span_of
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
        # Most are seen as they are, and a look at all of them at each step would take long.
        self.is_shifted, self.is_scaled = self.shift.any(), (self.stored_unit != 1.0).any()
        self.penalty, self.of_features = penalty, of_features
        self.tell_rare(coordinates.density)
        self.debts = np.zeros((M + 1 if rule.lazy else 1, D))
        self.table = np.zeros((M, 2 * D + 1))
        self.table[:, :D], self.table[:, -1] = self._in_own_units(W), p
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
        if self.is_shifted:
            # In float64, and so the targets, which kernels take of one type.
            data, self.Y = data - self.shift[indices], self.Y.astype(np.float64, copy=False)
        self.csr = data, indices, indptr
        if not self.rule.running and self.q.any():
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
        V, p, anchor = self._in_own_units(W), self.table[:, -1:], np.zeros((4, M + 1, D))
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

    @staticmethod
    def _shift(rows, coordinates):
        """Return what is taken off the stored values of each feature, (M,)."""
        shift = np.zeros(len(coordinates.centre))
        far = np.abs(coordinates.centre) * coordinates.inverse > FAR
        if far.any():
            full = rows.density(counted=True) == 1.0
            shift[far & full] = coordinates.centre[far & full]
        return shift

    def _in_own_units(self, W):
        return W / self.stored_unit[:, None] * self.y_unit if self.is_scaled else W * self.y_unit

    def _arrays(self):
        """Return the model as kernels take it."""
        return (
            self.table, self.q, self.kappa, self.shared, self.factors, self.debts,
            self.of_features,
        )  # fmt: skip

    def _coefficients(self, *, summed, more=None, share=0.0, divisor=1.0):
        """Return what `write_coefficients` writes, and the share, divided by a number."""
        M, D = len(self.q), self.n_outputs
        W, unit = np.empty((M, D)), self.stored_unit if self.is_scaled else np.zeros(0)
        times = 1.0 / (self.y_unit * divisor)
        more = np.zeros((0, D)) if more is None else np.ascontiguousarray(more)
        write_coefficients(
            self.rule, *self._arrays(), summed, unit, times, more, share / divisor, W
        )
        return W

    def _off_the_shift(self, b, W):
        """Return the intercepts in the units of Y, (D,), given those of shifted rows."""
        if self.is_shifted:
            b = b - self.shift @ self._in_own_units(W)
        return b / self.y_unit

    def model(self):
        """Return W, (M, D), and b, (D,)."""
        W = self._coefficients(summed=False)
        return W, self._off_the_shift(self.shared[1], W)

    def sum(self):
        """Return the sums of all W and b since the last `forget`, and their number."""
        W = self._coefficients(summed=True)
        return W, self._off_the_shift(self.shared[3], W), self.n_summed

    def mean_with(self, share, more, n):
        """Return the sums and a share of more, of W and b; all divided by n."""
        if self.is_shifted:
            return mean_of_sums(self.sum(), share, more, n)
        W = self._coefficients(summed=True, more=more[0], share=share, divisor=n)
        return W, (self._off_the_shift(self.shared[3], W) + share * more[1]) / n

    def forget(self):
        """Begin the sums anew, in a table of their own: a stream may have to go back."""
        self.table = self.table.copy()
        self.table[:, self.n_outputs : -1] = self.shared[2:] = self.factors[1] = 0.0
        self.n_summed = 0

    def changed_in_place(self, columns):
        """Return what steps over rows that hold these features change in place.

        Parameters
        ----------
        columns : ndarray of int, or slice(None) for all

        Returns
        -------
        parts : list of (array, index)
        """
        if self.rule.momentum or self.penalty[0].any():
            # The textbook's steps move all, or may multiply all out.
            columns = slice(None)
        elif not isinstance(columns, slice) and self.rule.proximal:
            columns = np.union1d(columns, self.common)
        of_all = columns if isinstance(columns, slice) else np.append(columns, -1)
        parts = [(A, columns) for A in (self.q, self.table)]
        parts += [(A, of_all) for A in (self.running, self.debts, self.velocity) if len(A) > 1]
        parts += [(self.rare, columns)] if len(self.rare) else []
        small = self.kappa, self.shared, self.factors, self.loss
        return parts + [(A, slice(None)) for A in (*small, self.debts[-1:], self.velocity[-1:])]
