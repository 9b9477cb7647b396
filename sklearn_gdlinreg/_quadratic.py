"""What full-batch descent asks of the data: a gradient, and the curvature of a direction.

Descent runs on the centred problem in the coordinates V = scale * W, (M, D), where the
intercept is already at its best. Two suppliers answer the same calls: Moments, from
products gathered once, and Passes, from the data each time.

Conventions: N rows, M features, D outputs; "half gradient" is -1/2 dL/dV, so that
``half_gradient = B - H V`` with H half the Hessian; losses are one an output, (D,).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ._arrays import dot, inverse_of, multiply, namespace
from ._rows import EPS, rounding_of

# An L2 penalty above this, per unit of variance, gives all directions curvature.
FLAT_RIDGE = 2e-4
START_OVERFLOWS = (
    "The loss overflows where descent starts: the values of coef_init or intercept_init, or of "
    "the last fit with warm_start=True, are too large for these X and y."
)


@dataclass(frozen=True)
class Coordinates:
    """Where the data lie, and the scale in which descent sees them.

    Attributes
    ----------
    total : float, the sum of weights
    centre : array of shape (M,), the mean of z_x; zeros without an intercept
    deviation : array of shape (M,), the root mean square of z_x about the centre
    scale : array of shape (M,), V = scale * W; 0 where a feature says nothing
    standard : array of shape (M, 1) or None
        What half gradients are multiplied by to be those of standardised features; None
        where V is of these already.
    ridge : array of shape (M, 1) or (M, D), the L2 penalty is sum_j ridge_jd V_jd ** 2
    proximal : Proximal or None, the penalty that has no gradient
    y_centre, null_loss : array of shape (D,), the mean of z_y and its mean square about it
    y_noise : array of shape (D,), what rounding leaves of a loss that is zero
    roundoff : float, the unit roundoff of the type of X
    shift, unit : array of shape (M + D,), as in Rows
    centred : bool, whether there is an intercept
    rank : int
        In no more than so many directions is there curvature to speak of: fewer than
        features if there are few rows and next to no L2 penalty.
    """

    total: float
    centre: np.ndarray
    deviation: np.ndarray
    scale: np.ndarray
    standard: object
    ridge: np.ndarray
    proximal: object
    y_centre: np.ndarray
    null_loss: np.ndarray
    y_noise: np.ndarray
    roundoff: float
    shift: np.ndarray
    unit: np.ndarray
    centred: bool
    rank: int

    @classmethod
    def of(cls, rows, total, mean, variance, *, penalty, raw):
        """Work them out from the moments of the columns, (M + D,) each, as rows give them.

        The scale is the root of the variance plus the least L2 penalty: with one a rare
        feature does not spoil the conditioning. With ``raw`` it is 1.
        """
        M, centred, xp = rows.n_features, float(rows.centred), namespace(mean)
        spread = variance if rows.centred else xp.maximum(variance - mean**2, 0.0)
        raw_square = variance[:M] + penalty.least_l2 * rows.unit[:M] ** 2
        scale, standard = xp.sqrt(xp.where(variance[:M] > 0, raw_square, 0.0)), None
        if raw:
            scale, standard = xp.ones_like(scale), inverse_of(xp.sqrt(raw_square))[:, None]
        unit = rows.unit[:M] * inverse_of(scale)
        ridge = penalty.ridge(unit)
        return cls(
            total=total,
            centre=mean[:M] * centred,
            deviation=xp.sqrt(variance[:M]),
            scale=scale,
            standard=standard,
            ridge=ridge,
            proximal=penalty.proximal(unit, rows.unit[M:]),
            y_centre=mean[M:] * centred,
            null_loss=variance[M:],
            y_noise=(8 * EPS) ** 2 * (spread + mean**2)[M:],
            roundoff=rows.roundoff,
            shift=rows.shift,
            unit=rows.unit,
            centred=rows.centred,
            rank=min(M, rows.n_rows - rows.centred) if xp.min(ridge) < FLAT_RIDGE else M,
        )

    def objective(self, V, losses):
        """Return the losses at V with the penalty that has no gradient, (D,)."""
        return losses if self.proximal is None else losses + self.proximal.value(V)

    @cached_property
    def noise(self):
        """The losses that rounding leaves of an exact fit, (D,), whatever the model."""
        return self.y_noise + (4 * EPS) ** 2 * self.scale.shape[0] * self.null_loss

    @cached_property
    def inverse_scale(self):
        """1 / scale, (M, 1); 0 where a feature says nothing."""
        return inverse_of(self.scale)[:, None]

    @property
    def some_ridge(self):
        """The ridge, or None where there is none."""
        return self.ridge if namespace(self.ridge).any(self.ridge) else None

    @cached_property
    def y_unit(self):
        """What Y was multiplied by to be z_y, (D,)."""
        return self.unit[self.centre.shape[0] :]

    @cached_property
    def loss_unit(self):
        """What a loss of z_y is multiplied by to be one of y, (D,)."""
        return (1.0 / self.y_unit) ** 2

    @property
    def square(self):
        """The mean square of z_x / scale, as rows are read, (M,)."""
        return self._square(self.centre)

    @property
    def rounding(self):
        """The mean square that rounding of x may have, over that of the scale, (M,)."""
        off_zero = self.shift * self.unit
        return rounding_of(
            self._square(off_zero[: self.centre.shape[0]] + self.centre), self.roundoff
        )

    def _square(self, mean):
        # Roots first: squares of what is far off one may be no floats.
        root = namespace(mean).sqrt(self.deviation**2 + mean**2)
        return (root * inverse_of(self.scale)) ** 2

    @cached_property
    def steepest_square(self):
        """By how much centring after a product magnifies its rounding, squared; 1 or more."""
        return max(1.0, float(namespace(self.square).max(self.square)))

    @property
    def mean(self):
        """The means of X and Y in their own units, (M,) and (D,); zeros without an intercept."""
        M = self.centre.shape[0]
        centre = namespace(self.centre).concat([self.centre, self.y_centre])
        mean = self.shift + centre / self.unit
        return mean[:M], mean[M:]

    def to_model(self, V):
        """Return W, (M, D), and the best b, (D,), in the units of X and Y."""
        M = self.centre.shape[0]
        W = self.unit[:M, None] * (V * self.inverse_scale) / self.y_unit
        return W, self.best_intercept(W)

    def best_intercept(self, W):
        """Return the b of the least loss for coefficients W, (M, D), in the units of X and Y."""
        M = self.centre.shape[0]
        W_z = W * self.y_unit / self.unit[:M, None]
        b = (self.y_centre - self.centre @ W_z) / self.y_unit
        # The shift may be large against what is left of it here; NumPy has a wider float.
        xp = namespace(W)
        shift = self.shift.astype(np.longdouble) if xp is np else self.shift
        return xp.astype(b + (shift[M:] - shift[:M] @ W), xp.float64)

    def from_model(self, W):
        """Return the V of coefficients W, (M, D), in the units of X and Y."""
        M = self.centre.shape[0]
        return W * self.unit[M:] / self.unit[:M, None] * self.scale[:, None]


class Moments:
    """Gradient and curvature from the moments of the data: O(M ** 2 D) whatever N is.

    Parameters
    ----------
    second : array of shape (M + D, M + D), the mean of z z'
    coordinates : Coordinates

    Attributes
    ----------
    flat : float
        The curvature of a unit move below this is known to less than half its digits.
    floor : array of shape (M,)
        The curvature of a move P is all rounding, of the data or of sums, up to P' floor P.
    """

    name = "moments"

    def __init__(self, second, coordinates):
        M = coordinates.centre.shape[0]
        xp = namespace(second)
        # A matrix of rounding errors of size eps has a norm of about eps * sqrt(M).
        self.flat = math.sqrt(EPS * M * coordinates.steepest_square)
        self.floor = coordinates.rounding + 16 * EPS * math.sqrt(M) * coordinates.square
        centre = xp.concat([coordinates.centre, coordinates.y_centre])
        inverse = coordinates.inverse_scale
        covariance = second[:M, :] - centre[:M, None] * centre
        self.null_loss = coordinates.null_loss
        self.B = covariance[:, M:] * inverse
        self.H = covariance[:, :M] * inverse * inverse.T
        self.ridge = coordinates.some_ridge
        self.shape = self.B.shape
        self.work = M * M * self.shape[1]

    def _times(self, V):
        HV = self.H @ V
        if self.ridge is not None:
            HV += self.ridge * V
        return HV

    def gradient(self, V):
        """Return the half gradient at V, (M, D), and the losses, (D,)."""
        G = self.B - self._times(V)
        losses = self.null_loss - dot(V, self.B + G)
        return G, namespace(V).maximum(losses, 0.0)

    def curvature(self, P):
        """Return H P, (M, D), and the curvatures p' H p of its columns, (D,)."""
        HP = self._times(P)
        return HP, dot(P, HP)


class Passes:
    """Gradient and curvature from one pass over the data each.

    Parameters
    ----------
    rows : Rows
    coordinates : Coordinates
    precise : bool
        Whether gradients are computed in the widest float there is.
    """

    name = "passes"

    def __init__(self, rows, coordinates, *, precise=False):
        self.rows, self.coordinates = rows, coordinates
        self.inverse_scale = coordinates.inverse_scale
        # The curvature is a squared length, and X p itself is known to eps. A thousand times
        # that is still no direction to go: it would make the solution long for nothing.
        self.flat = EPS
        in_sums = (1000 * EPS) ** 2 * rows.n_features * coordinates.square
        self.floor = coordinates.rounding + in_sums
        self.shape = (rows.n_features, rows.n_outputs)
        self.ridge, self._xp = coordinates.some_ridge, namespace(self.inverse_scale)
        # The output of products, with NumPy; see `multiply`.
        self._scratch = np.empty(self.shape)
        self.residual = rows.precise_residual if precise else rows.residual
        self.work = 2 * rows.n_entries * rows.n_outputs

    def precise(self):
        """Return the same with gradients in the widest float there is."""
        return Passes(self.rows, self.coordinates, precise=True)

    def _mean(self, w):
        """Return the mean prediction of w, (D,)."""
        return dot(self.coordinates.centre[:, None], w)

    def _reduce(self, sums, V):
        """Return the sums of a pass centred and scaled; V is there for the penalty."""
        c, xp = self.coordinates, self._xp
        G, first, second = sums
        first, second = first / c.total, second / c.total
        if c.centred:
            G -= multiply((c.centre * c.total)[:, None], first, out=self._scratch)
            second = second - first**2
        # Not in place: the rows overwrite their sums at the next pass.
        G = G * self.inverse_scale
        G /= c.total
        if self.ridge is not None:
            penalty = multiply(self.ridge, V, out=self._scratch)
            G -= penalty
            second = second + dot(penalty, V)
        second = xp.maximum(xp.astype(second, xp.float64, copy=False), 0.0)
        return xp.astype(G, xp.float64, copy=False), second

    def gradient(self, V):
        """Return the half gradient at V, (M, D), and the losses, (D,)."""
        c = self.coordinates
        w = multiply(V, self.inverse_scale, out=self._scratch)
        return self._reduce(self.residual(w, c.y_centre - self._mean(w)), V)

    def curvature(self, P):
        """Return H P, (M, D), and the curvatures p' H p of its columns, (D,)."""
        w = multiply(P, self.inverse_scale, out=self._scratch)
        # With no targets the residual is -X p, and the half gradient -H p.
        sums = self.rows.residual(w, -self._mean(w), homogeneous=True)
        HP, curvatures = self._reduce(sums, P)
        HP *= -1.0
        return HP, curvatures
