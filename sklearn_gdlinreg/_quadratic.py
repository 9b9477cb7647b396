"""What full-batch descent asks of the data: a gradient, and the curvature of a direction.

Descent runs on the centred problem in the coordinates V = scale * W, (M, D), where the
intercept is already at its best. Two suppliers answer the same calls: Moments, from
products gathered once, and Passes, from the data each time.

Conventions: N rows, M features, D outputs; "half gradient" is -1/2 dL/dV, so that
``half_gradient = B - H V`` with H half the Hessian; losses are one an output, (D,).
"""

from dataclasses import dataclass

import numpy as np

from ._rows import EPS, inverse_of

# An L2 penalty above this, per unit of variance, gives all directions curvature.
FLAT_RIDGE = 2e-4
START_OVERFLOWS = (
    "The loss overflows where descent starts: the values of coef_init or intercept_init, or of "
    "the last fit with warm_start=True, are too large for these X and y."
)


class Scores:
    """What is made of losses: for any coordinates that have ``proximal`` and ``y_noise``."""

    def objective(self, V, losses):
        """Return the losses at V with the penalty that has no gradient, (D,)."""
        return losses if self.proximal is None else losses + self.proximal.value(V)

    def noise(self, V):
        """Return the losses that rounding leaves of an exact fit at V, (D,)."""
        return self.y_noise + (4 * EPS) ** 2 * len(V) * (V * V).sum(axis=0)


@dataclass(frozen=True)
class Coordinates(Scores):
    """Where the data lie, and the scale in which descent sees them.

    Attributes
    ----------
    total : float, the sum of weights
    centre : ndarray of shape (M,), the mean of z_x; zeros without an intercept
    deviation : ndarray of shape (M,), the root mean square of z_x about the centre
    scale : ndarray of shape (M,), V = scale * W; 0 where a feature says nothing
    ridge : ndarray of shape (M, 1) or (M, D), the L2 penalty is sum_j ridge_jd V_jd ** 2
    proximal : Proximal or None, the penalty that has no gradient
    y_centre, null_loss : ndarray of shape (D,), the mean of z_y and its variance about it
    y_noise : ndarray of shape (D,), what rounding leaves of a loss that is zero
    shift, unit : ndarray of shape (M + D,), as in Rows
    centred : bool, whether there is an intercept
    rank : int
        In no more than so many directions is there curvature to speak of: fewer than
        features if there are few rows and next to no L2 penalty.
    """

    total: float
    centre: np.ndarray
    deviation: np.ndarray
    scale: np.ndarray
    ridge: np.ndarray
    proximal: object
    y_centre: np.ndarray
    null_loss: np.ndarray
    y_noise: np.ndarray
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
        M, centred = rows.n_features, rows.centred
        scale = np.ones(M)
        if not raw:
            square = variance[:M] + penalty.l2.min() * rows.unit[:M] ** 2
            scale = np.sqrt(np.where(variance[:M] > 0, square, 0.0))
        unit = rows.unit[:M] * inverse_of(scale)
        ridge = penalty.ridge(unit)
        return cls(
            total=total,
            centre=mean[:M] * centred,
            deviation=np.sqrt(variance[:M]),
            scale=scale,
            ridge=ridge,
            proximal=penalty.proximal(unit, rows.unit[M:]),
            y_centre=mean[M:] * centred,
            null_loss=variance[M:],
            y_noise=(8 * EPS) ** 2 * (variance + mean**2)[M:],
            shift=rows.shift,
            unit=rows.unit,
            centred=centred,
            rank=min(M, rows.n_rows - centred) if ridge.min() < FLAT_RIDGE else M,
        )

    @property
    def inverse_scale(self):
        """1 / scale, (M, 1); 0 where a feature says nothing."""
        return inverse_of(self.scale)[:, None]

    @property
    def loss_unit(self):
        """What a loss of z_y is multiplied by to be one of y, (D,)."""
        return 1.0 / self.unit[len(self.centre) :] ** 2

    @property
    def loss_of_centring(self):
        """By how much centring after a product magnifies its rounding, squared; 1 or more."""
        about = inverse_of(self.deviation) * self.centre
        return 1.0 + (about**2).max()

    @property
    def mean(self):
        """The means of X and Y in their own units, (M,) and (D,); for raw coordinates."""
        M = len(self.centre)
        return self.shift[:M] + self.centre, self.shift[M:] + self.y_centre

    def to_model(self, V):
        """Return W, (M, D), and b, (D,), in the units of X and Y."""
        M = len(self.centre)
        W_z = V * self.inverse_scale
        W = self.unit[:M, None] * W_z / self.unit[M:]
        b = (self.y_centre - self.centre @ W_z) / self.unit[M:]
        # The shift may be large against what is left of it here.
        shift = self.shift.astype(np.longdouble)
        return W, (b + (shift[M:] - shift[:M] @ W)).astype(np.float64)

    def from_model(self, W):
        """Return the V of coefficients W, (M, D), in the units of X and Y."""
        M = len(self.centre)
        return W * self.unit[M:] / self.unit[:M, None] * self.scale[:, None]


class Moments:
    """Gradient and curvature from the moments of the data: O(M ** 2 D) whatever N is.

    Parameters
    ----------
    second : ndarray of shape (M + D, M + D), the mean of z z'
    coordinates : Coordinates
    eps : float
        The relative rounding error of the products in ``second``, once centred.

    Attributes
    ----------
    flat, noise : float
        Curvatures of a unit move below these are known to less than half their digits, and
        to none.
    """

    name = "moments"

    def __init__(self, second, coordinates, eps):
        M = len(coordinates.centre)
        # A matrix of rounding errors of size eps has a norm of about eps * sqrt(M).
        self.flat, self.noise = np.sqrt(eps * M), 4 * eps * np.sqrt(M)
        centre = np.append(coordinates.centre, coordinates.y_centre)
        inverse = coordinates.inverse_scale
        covariance = second[:M] - centre[:M, None] * centre
        self.null_loss = coordinates.null_loss
        self.B = covariance[:, M:] * inverse
        self.H = covariance[:, :M] * inverse * inverse.T
        # One ridge for all outputs is part of H.
        self.ridge = None
        if coordinates.ridge.shape[1] == 1:
            self.H.flat[:: M + 1] += coordinates.ridge[:, 0]
        else:
            self.ridge = coordinates.ridge
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
        return G, np.maximum(self.null_loss - (V * (self.B + G)).sum(axis=0), 0.0)

    def curvature(self, P):
        """Return H P, (M, D), and the curvatures p' H p of its columns, (D,)."""
        HP = self._times(P)
        return HP, np.einsum("md,md->d", P, HP)


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
        self.noise = (1000 * EPS) ** 2 * rows.n_features * coordinates.loss_of_centring
        self.shape = (rows.n_features, rows.n_outputs)
        self._w, self._scratch = np.empty(self.shape), np.empty(self.shape)
        self.residual = rows.precise_residual if precise else rows.residual
        self.work = 2 * rows.n_entries * rows.n_outputs

    def precise(self):
        """Return the same with gradients in the widest float there is."""
        return Passes(self.rows, self.coordinates, precise=True)

    def _mean(self, w):
        """Return the mean prediction of w, (D,); BLAS would wake threads that then spin."""
        return np.einsum("m,md->d", self.coordinates.centre, w)

    def _reduce(self, sums, V):
        """Centre and scale the sums of a pass, in place; V is there for the penalty."""
        c = self.coordinates
        G, first, second = sums
        first, second = first / c.total, second / c.total
        if c.centred:
            G -= np.multiply((c.centre * c.total)[:, None], first, out=self._scratch)
            second = second - first**2
        G *= self.inverse_scale / c.total
        if c.ridge.any():
            penalty = np.multiply(c.ridge, V, out=self._scratch)
            G -= penalty
            second = second + np.einsum("md,md->d", penalty, V)
        return G.astype(np.float64, copy=False), np.maximum(second.astype(np.float64), 0.0)

    def gradient(self, V):
        """Return the half gradient at V, (M, D), and the losses, (D,).

        What this and `curvature` return is overwritten by the next call of either.
        """
        c = self.coordinates
        w = np.multiply(V, self.inverse_scale, out=self._w)
        return self._reduce(self.residual(w, c.y_centre - self._mean(w)), V)

    def curvature(self, P):
        """Return H P, (M, D), and the curvatures p' H p of its columns, (D,)."""
        w = np.multiply(P, self.inverse_scale, out=self._w)
        # With no targets the residual is -X p, and the half gradient -H p.
        sums = self.rows.residual(w, -self._mean(w), homogeneous=True)
        minus_HP, curvatures = self._reduce(sums, P)
        return np.negative(minus_HP, out=minus_HP), curvatures
