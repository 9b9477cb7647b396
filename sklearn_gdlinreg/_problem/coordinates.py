"""The centre of the data, and the scale of the features in full-batch descent.

Conventions: M features, D outputs; V = scale * W and W are (M, D), losses (D,). A row is read as
``z = (x - shift) * unit``; see `_rows.base`.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .._base.arrays import inverse_of, namespace, to_host
from .._base.rounding import EPS, rounding_of

# An L2 penalty above this, per unit of variance, gives all directions curvature.
FLAT_RIDGE = 2e-4


@dataclass(frozen=True)
class Coordinates:
    """The centre of the data, and the scale of the features in the descent.

    Attributes
    ----------
    weight : float, the sum of the weights of the rows
    centre : array of shape (M,), the mean of z_x; zeros without an intercept
    deviation : array of shape (M,), the root mean square of z_x about the centre
    scale : array of shape (M,), V = scale * W; 0 for constant features
    standard : array of shape (M, 1) or None
        The factors that turn half gradients into those of standardised features; None if V
        is standardised already.
    penalty : Penalty, as a function of V
    y_centre, null_loss : array of shape (D,), the mean of z_y and its mean square about it
    y_noise : array of shape (D,), what rounding makes of a loss of zero
    roundoff : float, the unit roundoff of the type of X
    shift, unit : array of shape (M + D,), as in Rows
    centred : bool, whether there is an intercept
    n_rows : int
    rank : int
        An upper bound on the number of directions with curvature; it is less than the number
        of features if there are few rows and most features have almost no L2 penalty.
    """

    weight: float
    centre: np.ndarray
    deviation: np.ndarray
    scale: np.ndarray
    standard: object
    penalty: object
    y_centre: np.ndarray
    null_loss: np.ndarray
    y_noise: np.ndarray
    roundoff: float
    shift: np.ndarray
    unit: np.ndarray
    centred: bool
    n_rows: int
    rank: int

    @classmethod
    def of(cls, moments, *, penalty, raw):
        """Return the coordinates for Moments.

        The scale is the root of the variance plus the least L2 penalty of the feature, so that
        with a penalty, rare features do not harm the conditioning. With ``raw`` it is 1.
        """
        mean, variance, xp = moments.mean, moments.variance, namespace(moments.mean)
        M, centred, unit_of_z = moments.n_features, float(moments.centred), moments.unit
        spread = variance if moments.centred else xp.maximum(variance - mean**2, 0.0)
        square, raw_square, least_l2 = variance[:M], variance[:M], penalty.least_l2
        if least_l2:
            raw_square = square + least_l2 * penalty.factor(mean) * unit_of_z[:M] ** 2
        scale, standard = xp.sqrt(xp.where(square > 0, raw_square, 0.0)), None
        if raw:
            scale, standard = xp.ones_like(scale), inverse_of(xp.sqrt(raw_square))[:, None]
        found = cls(
            weight=moments.weight,
            centre=mean[:M] * centred,
            deviation=xp.sqrt(square),
            scale=scale,
            standard=standard,
            penalty=None,
            y_centre=mean[M:] * centred,
            null_loss=variance[M:],
            y_noise=(8 * EPS) ** 2 * (spread + mean**2)[M:],
            roundoff=moments.roundoff,
            shift=moments.shift,
            unit=unit_of_z,
            centred=moments.centred,
            n_rows=moments.n_rows,
            rank=M,
        )
        return found.with_penalty(penalty)

    def with_penalty(self, penalty):
        """Return the same coordinates with another penalty, in the units of W."""
        M = self.scale.shape[0]
        if penalty.some:
            unit = self.unit[:M] * inverse_of(self.scale)
            penalty = penalty.seen_from(unit, self.unit[M:])
        curved = self.n_rows - self.centred + penalty.n_penalised(FLAT_RIDGE, M)
        return replace(self, penalty=penalty, rank=min(M, curved))

    @cached_property
    def is_curved(self):
        """Whether the L2 penalty gives all directions more curvature than rounding does."""
        M = self.scale.shape[0]
        seen = int(namespace(self.scale).count_nonzero(self.scale))
        return self.penalty.n_penalised(FLAT_RIDGE, M) >= seen

    def objective(self, V, losses):
        """Return the losses at V plus the part of the penalty without a gradient, (D,)."""
        smooth = self.penalty.smooth
        return losses if smooth else losses + self.penalty.value_without_gradient(V)

    @cached_property
    def noise(self):
        """The losses that an exact fit may have by rounding, (D,)."""
        return self.y_noise + (4 * EPS) ** 2 * self.scale.shape[0] * self.null_loss

    @cached_property
    def negligible(self):
        """The squares of half gradients that are only rounding errors, (D,)."""
        return (16 * EPS) ** 2 * self.scale.shape[0] * self.null_loss

    @cached_property
    def inverse_scale(self):
        """1 / scale, (M, 1); 0 for constant features."""
        return inverse_of(self.scale)[:, None]

    @cached_property
    def y_unit(self):
        """The factors that turn Y into z_y, (D,)."""
        return self.unit[self.centre.shape[0] :]

    @cached_property
    def loss_unit(self):
        """The factors that turn a loss of z_y into a loss of y, (D,)."""
        return (1.0 / self.y_unit) ** 2

    @cached_property
    def inverse_standard(self):
        """1 / standard, (M, 1), if there is one; 0 for constant features."""
        return inverse_of(self.standard)

    @cached_property
    def standard_penalty(self):
        """The penalty as a function of the coefficients of standardised features."""
        return self.penalty.seen_from(self.standard[:, 0])

    @property
    def square(self):
        """The mean square of z_x / scale, as rows are read, (M,)."""
        return self._square(self.centre)

    @property
    def rounding(self):
        """The curvature that rounding of x may give a feature, (M,).

        It is the mean square of that rounding, over that of the scale, times ``(1 + sqrt(M /
        N)) ** 2``: so much larger than those of the features may be the curvature of a direction
        among many, where all of X is independent noise (Marchenko & Pastur, 1967).
        """
        M, off_zero = self.centre.shape[0], self.shift * self.unit
        of_features = rounding_of(self._square(off_zero[:M] + self.centre), self.roundoff)
        return of_features * (1.0 + math.sqrt(M / max(1, self.n_rows))) ** 2

    def _square(self, mean):
        # Roots are divided first, because squares may overflow or vanish.
        root = namespace(mean).sqrt(self.deviation**2 + mean**2)
        return (root * self.inverse_scale[:, 0]) ** 2

    @cached_property
    def steepest_square(self):
        """The square of the factor by which centring after a product increases its rounding."""
        square = self.square
        return max(1.0, float(namespace(square).max(square)))

    @property
    def mean(self):
        """The means of X and Y in their own units, (M,) and (D,); zeros without an intercept."""
        M = self.centre.shape[0]
        centre = namespace(self.centre).concat([self.centre, self.y_centre])
        mean = self.shift + centre / self.unit
        return mean[:M], mean[M:]

    @property
    def features_are_scaled(self):
        """Whether deviations are similar and means small, so that scaling gains little."""
        deviation = to_host(self.deviation / self.unit[: self.deviation.shape[0]])
        seen, mean = deviation[deviation > 0], to_host(self.mean[0])
        most = seen.max(initial=0.0)
        return bool(most <= 2.0 * seen.min(initial=most) and abs(mean).max() <= most)

    def to_model(self, V):
        """Return W, (M, D), and the best b, (D,), in the units of X and Y."""
        M = self.centre.shape[0]
        W = self.unit[:M, None] * (V * self.inverse_scale) / self.y_unit
        return W, self.best_intercept(W)

    def best_intercept(self, W):
        """Return the b of the least loss for coefficients W, (M, D), in the units of X and Y."""
        M = self.centre.shape[0]
        b = self.y_centre / self.y_unit - (self.centre / self.unit[:M]) @ W
        # The shift may be far larger than the result, so NumPy uses a wider float.
        xp = namespace(W)
        shift = self.shift.astype(np.longdouble) if xp is np else self.shift
        return xp.astype(b + (shift[M:] - shift[:M] @ W), xp.float64)

    def from_model(self, W):
        """Return the V of coefficients W, (M, D), in the units of X and Y."""
        M = self.centre.shape[0]
        return W * self.unit[M:] / self.unit[:M, None] * self.scale[:, None]
