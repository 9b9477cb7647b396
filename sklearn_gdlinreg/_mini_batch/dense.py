"""SGD over the rows of an ndarray; see `sgd`."""

import numpy as np

from .._base.arrays import copied, inverse_of, is_numpy, placed_like, take, zeros
from .._base.threads import SHARED_VECTOR, blas_of_one_thread
from .._rows.base import constant_array
from .coordinates import StepCoordinates, kept_density
from .dense_epochs import descend_dense
from .epochs import mean_of_sums, span_of
from .update_rule import mean_length

# Entries of a batch that are seen at once.
ENTRIES_AT_ONCE = 2**17


class DenseSGD:
    """SGD over the rows of an ndarray; parameters are those of `sgd.sgd_of`."""

    def __init__(self, rule, penalty, of_features, rows, coordinates, W, b, running):
        self.rule, self.penalty, self.running = rule, placed_like(penalty, W), running
        self.of_features = placed_like(of_features, W)
        M, D = W.shape
        self.centred, self.centre = coordinates.centred, copied(coordinates.centre)
        self.proximal_scale = zeros((M,), W) if rule.running else copied(coordinates.inverse)
        self.inverse = zeros((M + 1,), W) + float(coordinates.centred)
        self.inverse[:M] = coordinates.inverse
        self.tell_rare(coordinates.density)
        self.W = zeros((M + 1, D), W)
        self.W[:M, :] = W * inverse_of(coordinates.inverse)[:, None]
        self.W[M, :] = b + coordinates.centre @ W
        self.velocity = zeros((M + 1 if rule.momentum else 1, D), W)
        self.iterate_sum, self.loss, self.n_summed = zeros((M + 1, D), W), zeros((D,), W), 0
        self.correction, self.metric = zeros((0, D), W), zeros((0, 0), W)
        self.span = span_of(rule, M, D)
        self.enter(rows)

    def visit(self, rows, weight, steps):
        """Make the steps of these visits, one per batch."""
        block, *_ = self._scratch
        Y = self.Y
        if self.correction.shape[0]:
            # Curvature needs no targets.
            Y = constant_array(0.0, Y.shape, Y.dtype)
        filled = np.empty(self.density.shape[0])
        for_products = blas_of_one_thread(len(block) * self.W.size)
        for_sums = blas_of_one_thread(len(self.W), shared=SHARED_VECTOR)
        with for_products, for_sums:
            descend_dense(
                self.rule, self.X, Y, rows, weight, steps, self.running, self.centre,
                self.inverse, self.proximal_scale, self.density, self.penalty,
                self.of_features, *self._scratch, filled, self.W, self.velocity,
                self.iterate_sum, self.loss, self.correction, self.metric,
            )  # fmt: skip
        self.n_summed += len(steps)

    def coordinates(self, columns):
        """Return the coordinates of these features, as they are now."""
        centre = take(self.centre, columns, axis=0)
        inverse = take(self.inverse[:-1], columns, axis=0)
        density = take(self.density, columns, axis=0) if self.density.shape[0] else None
        return StepCoordinates(centre, inverse, self.centred, density)

    def mean_length(self):
        """Return the mean squared length of the rows seen so far."""
        total = self.running[-1, 0]
        return mean_length(self.running[:-1], self.inverse, total, self.centred, self.density)

    def enter(self, rows):
        """Go on over these rows."""
        self.X, self.Y = rows.X, rows.Y
        P, D = self.W.shape
        # Rows that are seen at once: at least a few, at most what the cache holds.
        S = min(self.rule.batch_size, max(ENTRIES_AT_ONCE // P, 32))
        self._scratch = (
            np.empty((S, P)),
            np.empty((S, D)),
            np.empty((P + 3, D)),
            np.empty((4, P - 1 if self.rule.running else 0)),
        )

    def leave(self):
        """Keep no rows, and nothing of passing use."""
        self.X = self.Y = self._scratch = None

    def forget_losses(self):
        """Begin the sums of losses anew."""
        self.loss = zeros(self.loss.shape, self.loss)

    def losses(self):
        """Return the sum of weight * error ** 2 that was added up in ``loss``, (D,)."""
        return self.loss

    def centre_on(self, mean, y_mean):
        """Predict the mean of Y at the mean of X, (M,), if there is an intercept."""
        if self.centred:
            off = (mean - self.centre) * self.inverse[:-1]
            self.W[-1, :] = y_mean - off @ self.W[:-1, :]

    def correct(self, W, b, gradient, metric=None):
        """Go on from (W, b), by variance-reduced steps with this anchor.

        Parameters
        ----------
        W, b : array of shape (M, D) and (D,)
        gradient : array of shape (M, D)
            Half that of the mean squared error by W; that by b is zero.
        metric : array of shape (M, M), optional
            What gradients by the features are multiplied by, in the coordinates of the steps.
        """
        inverse = self.inverse[:-1, None]
        self.W[:-1, :] = W * inverse_of(inverse)
        self.W[-1, :] = b + self.centre @ W
        self.velocity = 0.0 * self.velocity
        P = self.W.shape[0]
        self.correction = zeros((3 * P, W.shape[1]), W)
        self.correction[:P, :] = self.W
        self.correction[P : 2 * P - 1, :] = gradient * inverse
        self.metric = zeros((0, 0), W) if metric is None else placed_like(metric, W)

    def tell_rare(self, density):
        """Penalise features by rows from now on; density is that of StepCoordinates."""
        self.density = kept_density(density, self.inverse)

    def _in_units(self, V):
        W = V[:-1, :] * self.inverse[:-1, None]
        return W, V[-1, :] - self.centre @ W if self.centred else zeros(V.shape[1:], V)

    def model(self):
        """Return W, (M, D), and b, (D,)."""
        return self._in_units(self.W)

    def sum(self):
        """Return the sums of all W and b since the last `forget`, and their number."""
        n = self.n_summed
        W, b = self._in_units(self.iterate_sum / max(n, 1))
        return W * n, b * n, n

    def mean_with(self, share, more, n):
        """Return the sums and a share of more, of W and b; all divided by n."""
        return mean_of_sums(self.sum(), share, more, n)

    def changed_in_place(self, columns):
        """Return what that of CSRSGD does; rows hold all features here."""
        if not is_numpy(self.W):
            return []
        return [
            (A, slice(None))
            for A in (
                self.W, self.running, self.centre, self.inverse, self.proximal_scale,
                self.density, self.velocity, self.iterate_sum, self.loss,
            )
        ]  # fmt: skip

    def forget(self):
        """Begin the sums anew."""
        self.iterate_sum, self.n_summed = zeros(self.iterate_sum.shape, self.iterate_sum), 0
