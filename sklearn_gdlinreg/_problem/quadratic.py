"""What full-batch descent needs of the data: a gradient, and the curvature of a direction.

Descent runs on the centred problem in the coordinates V = scale * W, (M, D), in which the
best intercept is known. There are two suppliers with the same methods: ByMoments computes from
products that were summed once, and ByPasses from the data each time.

Conventions: N rows, M features, D outputs; "half gradient" is -1/2 dL/dV, so that
``half_gradient = B - H V`` with H half the Hessian; losses are one per output, (D,), and include
the L2 term of the penalty, as H does.
"""

import copy
import math
from functools import cached_property, partial

import numpy as np

from .._base.arrays import dot, is_numpy, namespace
from .._base.fused import scaled, standardised
from .._base.rounding import EPS
from .._base.threads import PAYING_PRODUCT, blas_of_one_thread
from .gram import Gram
from .metric import LEAST_PIVOT, SHIFT, Factor, FactorOfEach

# Rounding of products makes a metric move along directions without curvature. The metric is
# shifted so that such moves are at most this many times the rounding, by at most 100 SHIFT.
LONGEST_OF_ROUNDING = 3e7

START_OVERFLOWS = (
    "The loss overflows at the start: the values of coef_init or intercept_init, or of "
    "the last fit with warm_start=True, are too large for these X and y."
)


def with_coordinates(self, coordinates):
    """Return the same supplier, with another penalty in the same scale."""
    # What has been computed from products is kept.
    _ = self.gram
    other = copy.copy(self)
    other.coordinates, other.penalty = coordinates, coordinates.penalty
    return other


class ByMoments:
    """Gradient and curvature from the moments of the data, in O(M ** 2 D) for any N.

    Parameters
    ----------
    products : array of shape (M, M + D), as in `Moments`
    coordinates : Coordinates
    rounding : float or array of shape (M + D,), the relative rounding of the products
    sampled : bool
        Whether the products are those of a sample of the rows.

    Attributes
    ----------
    flat : float
        A curvature of a unit move below this is known to less than half of the digits of
        float64, or not even to within a tenth of its value.
    floor : array of shape (M,)
        A curvature of a move P up to P' floor P may be rounding, of the data or of sums.
    in_sums : float
        About the norm of the error of H by rounding of sums.
    least_pivot : float, relative; a factor with a smaller one is shifted
    """

    by_passes = False

    def __init__(self, products, coordinates, rounding=EPS, *, sampled=False):
        M = coordinates.centre.shape[0]
        rounding = float(np.max(rounding))
        # A matrix of rounding errors of size eps has a norm of about eps * sqrt(M).
        self.in_sums, steepest = 16 * rounding * math.sqrt(M), coordinates.steepest_square
        in_sums = self.in_sums
        self.flat = max(math.sqrt(EPS * M * steepest), 10 * in_sums * steepest)
        self.shift = min(max(SHIFT, LONGEST_OF_ROUNDING * in_sums * steepest), 100 * SHIFT)
        self.least_pivot = LEAST_PIVOT * math.sqrt(rounding / EPS)
        self.rounding, self.sampled = rounding, sampled
        self.name = "sample" if sampled else "moments"
        inverse = coordinates.inverse_scale
        self.coordinates, self.null_loss = coordinates, coordinates.null_loss
        self.B = products[:, M:] * inverse
        self.H = products[:, :M] * inverse
        self.H *= inverse.T
        self.penalty = coordinates.penalty
        self.shape = self.B.shape
        self.work = M * M * self.shape[1]

    with_coordinates = with_coordinates

    @cached_property
    def gram(self):
        """The Gram of all features; None if products are not arrays of NumPy."""
        return Gram.of_all(self.H) if is_numpy(self.H) else None

    @cached_property
    def floor(self):
        """See the attributes; a descent with a factor seldom needs it."""
        return self.coordinates.rounding + self.in_sums * self.coordinates.square

    def metric(self):
        """Return the Factor of half the Hessian, or one per output if penalties differ."""
        ridges = self.penalty.half_gradient(namespace(self.H).ones_like(self.H[:, :1]))
        arguments = self.least_pivot, self.shift
        if self.penalty.one_l2:
            return Factor.of(self.H, ridges[:, 0], *arguments)
        outputs = range(ridges.shape[1])
        return FactorOfEach([Factor.of(self.H, ridges[:, d], *arguments) for d in outputs])

    def _times(self, V):
        product = self.H.shape[0] * math.prod(V.shape)
        with blas_of_one_thread(product, pays=PAYING_PRODUCT):
            HV = self.H @ V
        if self.penalty.has_l2:
            HV += self.penalty.half_gradient(V)
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


class MomentsAlone(ByMoments):
    """Moments that replace the data, if these cannot be read again.

    Parameters are those of ByMoments.
    """

    def __init__(self, products, coordinates, rounding):
        super().__init__(products, coordinates, rounding)
        self._in_sums = self.in_sums * coordinates.steepest_square
        if coordinates.rank == self.shape[0]:
            # No correction by the data follows, so a factor is used even if it is inaccurate.
            self.least_pivot = 10 * max(self._in_sums, float(coordinates.rounding.max()))

    def precise(self):
        """Return this supplier, as there are no more precise gradients."""
        return self

    def doubt(self, V):
        """Return how much rounding may change the norm of G and the losses, (D,) each."""
        size = np.sqrt(self.null_loss) + np.sqrt(dot(V, V))
        return self._in_sums * size, self._in_sums * size**2


class ByPasses:
    """Gradient and curvature, each from one pass over the data.

    Parameters
    ----------
    rows : Rows
    coordinates : Coordinates
    precise : bool
        Whether gradients are computed in the widest float there is.
    name : str, its part of `engine_`
    """

    by_passes, sampled = True, False

    def __init__(self, rows, coordinates, *, precise=False, name="passes"):
        self.rows, self.coordinates = rows, coordinates
        # By feature, (M,); the last two are those of sums over rows.
        scale, weight = coordinates.inverse_scale[:, 0], coordinates.weight
        self._inverse_scale, self._centre = scale, coordinates.centre
        self._scale_of_sums, self._centre_of_sums = scale / weight, self._centre * weight
        # The curvature is a squared length, and X p itself is known to eps.
        self.flat = EPS
        self.shape = (rows.n_features, rows.n_outputs)
        self.penalty, self._xp = coordinates.penalty, namespace(scale)
        # What passes are given, with NumPy; see `scaled`.
        self._scratch = np.empty(self.shape)
        self.residual = rows.precise_residual if precise else rows.residual
        self.name = name
        self.work = 2 * rows.n_entries * rows.n_outputs

    def doubt(self, V):
        """Return None: numbers computed from the data have no error except rounding."""

    def precise(self):
        """Return the supplier with gradients in the widest float there is."""
        return ByPasses(self.rows, self.coordinates, precise=True, name=self.name)

    with_coordinates = with_coordinates

    @cached_property
    def gram(self):
        """The Gram of the used features; None if products of columns cannot be computed."""
        if not self.rows.has_columns:
            return None
        scale = self._inverse_scale / math.sqrt(self.coordinates.weight)
        products = self.rows.column_products(self.coordinates.centre, scale)
        return Gram(products, self.shape[0])

    @cached_property
    def floor(self):
        """As in ByMoments; most fits need gradients only."""
        # Directions up to a thousand times eps are not used either: they would only make the
        # solution longer.
        in_sums = (1000 * EPS) ** 2 * self.rows.n_features * self.coordinates.square
        return self.coordinates.rounding + in_sums

    def _pass(self, residual, V, y_centre, sign):
        """Return the sums of a pass centred and scaled, with the penalty, and times the sign.

        Also the weighted mean squares of the residuals with the penalty, (D,). They are the
        losses, or the curvatures where y is zero.
        """
        c, xp = self.coordinates, self._xp
        w, mean = scaled(V, self._inverse_scale, self._centre, out=self._scratch)
        sums, first, second = residual(w, y_centre - mean)
        first, second = first / c.weight, second / c.weight
        if c.centred:
            second = second - first**2
        by_feature = self._centre_of_sums, self._scale_of_sums, self.penalty.l2_like(V)
        G, of_penalty = standardised(sums, first, *by_feature, V, sign)
        second = xp.maximum(xp.astype(second + of_penalty, xp.float64, copy=False), 0.0)
        return xp.astype(G, xp.float64, copy=False), second

    def gradient(self, V):
        """Return the half gradient at V, (M, D), and the losses, (D,)."""
        return self._pass(self.residual, V, self.coordinates.y_centre, 1.0)

    def curvature(self, P):
        """Return H P, (M, D), and the curvatures p' H p of its columns, (D,)."""
        # With no targets the residual is -X p, and the half gradient -H p.
        return self._pass(partial(self.rows.residual, homogeneous=True), P, 0.0, -1.0)
