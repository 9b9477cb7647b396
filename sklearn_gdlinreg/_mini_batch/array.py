"""SGD over the rows of an array of another library; see `sgd`.

The update of `dense_epochs`, line by line, in functions of the Array API: a batch is a dozen
of them. Arrays that a step changes are made anew, so that copies of it may share them.
"""

import math

from .._base.arrays import dot, inverse_of, namespace, placed_like, zeros
from .._problem.penalty import soft_threshold
from .._solvers.learning_rate import Momentum
from .coordinates import StepCoordinates, factors_of
from .dense import DenseSGD


class ArraySGD(DenseSGD):
    """SGD over the rows of an array that follows the Array API; as DenseSGD."""

    def enter(self, rows):
        """Go on over these rows."""
        self.X, self.Y = rows.X, rows.Y

    def leave(self):
        """Keep no rows."""
        self.X = self.Y = None

    def visit(self, rows, weight, steps):
        """Make the steps of these visits, one per batch."""
        B, rule, xp = self.rule.batch_size, self.rule, namespace(self.W)
        rows, weight = placed_like(rows, self.W), placed_like(weight, self.W)
        for t, step in enumerate(map(float, steps)):
            batch = slice(t * B, min((t + 1) * B, rows.shape[0]))
            x, y = (
                xp.astype(xp.take(A, rows[batch], axis=0), xp.float64) for A in (self.X, self.Y)
            )
            step = self._learn(x, y, weight[batch], step)
            if rule.proximal:
                self._shrink(step, x, weight[batch])
        self.n_summed += len(steps)

    def _learn(self, x, y, weight, step):
        """Make the step of a batch, x (m, M), y (m, D), weight (m,); return its length."""
        xp, rule = namespace(x), self.rule
        if rule.running:
            self._adapt(self._observe(x, weight))
        z = xp.concat([(x - self.centre) * self.inverse[:-1], zeros((x.shape[0], 1), x)], axis=1)
        z[:, -1] = self.inverse[-1]
        divisor = rule.divisor or x.shape[0]
        P = self.W.shape[0]
        corrected = self.correction.shape[0] > 0
        # Curvature needs no targets.
        r = z @ (self.W - self.correction[:P, :]) if corrected else z @ self.W - y
        self.loss = self.loss + dot(weight[:, None] * r, r)
        gradient = z.T @ (weight[:, None] * r / divisor)
        if corrected:
            gradient = gradient + self.correction[P : 2 * P, :]
        if self.metric.shape[0]:
            gradient = xp.concat([self.metric @ gradient[:-1, :], gradient[-1:, :]])
        if rule.cautious:
            step = self._cautious(step, gradient, z @ gradient, weight / divisor)
        # The intercept, the last row, is not penalised.
        factor, _ = factors_of(self.of_features, rule)
        shrink = factor * self.penalty[0, :] * self.W[:-1, :]
        shrink = xp.concat([shrink, 0.0 * self.W[-1:, :]])
        change = -step * (gradient + shrink)
        if rule.momentum > 0:
            momentum = Momentum(rule.momentum, rule.nesterov)
            self.velocity, change = momentum.change(self.velocity, change)
        self.W = self.W + change
        self.iterate_sum = self.iterate_sum + self.W
        return step

    @staticmethod
    def _cautious(step, gradient, images, weight):
        """Return the step of each output, or the batch's exact one if less than half of it."""
        square, curvature = dot(gradient, gradient), dot(weight[:, None] * images, images)
        xp, longer = namespace(square), step * curvature > 2 * square
        return xp.where(longer, square / xp.where(longer, curvature, 1.0), step)

    def _shrink(self, step, x, weight):
        """Shrink coefficients after a batch, in the sum of iterates too; see `update_rule`."""
        xp, W, scale = namespace(self.W), self.W[:-1, :], self.proximal_scale[:, None]
        if self.density.shape[0]:
            filled = weight @ xp.astype(x != 0, xp.float64) / self.rule.divisor
            own = xp.where(self.density > 0, filled * inverse_of(self.density), 1.0)
            step = step * own[:, None]
        factor, positive = factors_of(self.of_features, self.rule)
        kept = soft_threshold(W, factor * (step * self.penalty[1, :] * scale), positive)
        kept = kept / (1.0 + factor * (step * self.penalty[2, :] * scale**2))
        kept = xp.where(step > 0, kept, W) if self.density.shape[0] else kept
        moves = xp.concat([kept - W, 0.0 * self.W[-1:, :]])
        self.W, self.iterate_sum = self.W + moves, self.iterate_sum + moves

    def _observe(self, x, weight):
        """Add a batch to the running moments; return which features are not zero in it, (M,).

        As that of `dense_epochs`; values are taken about the mean so far, or the first ones.
        """
        xp, running, weight = namespace(x), self.running[:-1, :], weight[:, None]
        before, mean = running[:, 0], running[:, 1]
        origin = xp.where(before > 0, mean, x[0, :])
        own, d = xp.where(x != 0, weight, 0.0), x - origin
        filled, first = xp.sum(own, axis=0), xp.sum(own * d, axis=0)
        second, some = xp.sum(own * d * d, axis=0), filled > 0
        after = xp.where(some, before + filled, 1.0)
        columns = (
            before + filled,
            xp.where(some, origin + first / after, mean),
            xp.where(some, running[:, 2] + second - first**2 / after, running[:, 2]),
        )
        total = self.running[-1:, :] + xp.sum(weight)
        self.running = xp.concat([xp.stack(columns, axis=1), total])
        return some

    def _spread(self):
        """Return the variance of each feature, or its mean square without an intercept."""
        xp, total = namespace(self.running), self.running[-1, 0]
        density, mean = self.running[:-1, 0] / total, self.running[:-1, 1]
        square = self.running[:-1, 2] / total + (1.0 - density) * density * mean**2
        if not self.centred:
            square = square + (density * mean) ** 2
        # A deviation below this share of the mean is that of a constant, by rounding.
        square = xp.where(square > (1e-8 * density * mean) ** 2, square, 0.0)
        return density * mean, square, density

    def _adapt(self, some):
        """Centre and scale anew the features of the batch; the model and its sum stay."""
        xp, inverse, least_l2 = namespace(some), self.inverse[:-1], self.rule.least_l2
        factor, _ = factors_of(self.of_features, self.rule)
        root = math.sqrt(least_l2) * factor**0.5 + zeros((inverse.shape[0], 1), inverse)
        mean, square, density = self._spread()
        rare = self.density if self.density.shape[0] else None
        coordinates = StepCoordinates.of(
            mean, xp.sqrt(square), density, root[:, 0], self.centred, rare
        )
        centre = xp.where(some, coordinates.centre, self.centre)
        proximal = xp.where(some, coordinates.inverse, self.proximal_scale)
        unit = xp.where(some, xp.where(proximal > 0, proximal, 1.0), inverse)
        scale = inverse / unit
        off = ((centre - self.centre) * inverse)[None, :]
        self.W, self.iterate_sum = (
            xp.concat([A[:-1, :] * scale[:, None], A[-1:, :] + off @ A[:-1, :]])
            for A in (self.W, self.iterate_sum)
        )
        self.centre, self.proximal_scale = centre, proximal
        if rare is not None:
            self.density = xp.where(some & (rare > 0), density, rare)
        self.inverse = xp.concat([unit, self.inverse[-1:]])

    def mean_length(self):
        """Return the mean squared length of the rows seen so far."""
        xp, (mean, square, _) = namespace(self.running), self._spread()
        if self.centred and self.density.shape[0]:
            # Rare features are not centred.
            square = xp.where(self.density > 0, square + mean**2, square)
        lengths = xp.where(self.running[:-1, 0] > 0, square * self.inverse[:-1] ** 2, 0.0)
        return float(xp.sum(lengths))
