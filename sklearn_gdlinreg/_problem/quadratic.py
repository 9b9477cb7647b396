"""What full-batch descent asks of the data: a gradient, and the curvature of a direction.

Descent runs on the centred problem in the coordinates V = scale * W, (M, D), where the
intercept is already at its best. Two suppliers answer the same calls: ByMoments, from
products gathered once, and ByPasses, from the data each time.

Conventions: N rows, M features, D outputs; "half gradient" is -1/2 dL/dV, so that
``half_gradient = B - H V`` with H half the Hessian; losses are one per output, (D,), and have
the L2 term of the penalty in them, as H has.
"""

import copy
import math
from functools import cached_property

import numpy as np

from .._base.arrays import dot, is_numpy, multiply, namespace
from .._base.rounding import EPS
from .._base.threads import blas_for
from .gram import Gram
from .metric import LEAST_PIVOT, SHIFT, Factor, FactorOfEach

# Rounding of products makes a metric move along directions without curvature. It is shifted so
# that such moves are at most so many times that rounding, but by no more than 100 SHIFT.
LONGEST_OF_ROUNDING = 3e7

START_OVERFLOWS = (
    "The loss overflows at the start: the values of coef_init or intercept_init, or of "
    "the last fit with warm_start=True, are too large for these X and y."
)


def with_coordinates(self, coordinates):
    """Return the same supplier, with another penalty in the same scale."""
    # What has been worked out of products goes with it.
    _ = self.gram
    other = copy.copy(self)
    other.coordinates, other.penalty = coordinates, coordinates.penalty
    return other


class ByMoments:
    """Gradient and curvature from the moments of the data: O(M ** 2 D) whatever N is.

    Parameters
    ----------
    products : array of shape (M, M + D), as those of `Moments`
    coordinates : Coordinates
    rounding : float or array of shape (M + D,), the relative rounding of the products
    sampled : bool
        Whether the products are those of a sample of the rows.

    Attributes
    ----------
    flat : float
        Of a unit move the curvature, where it is below this, is known to less than half the
        digits of float64, or not even to within a tenth of itself.
    floor : array of shape (M,)
        The curvature of a move P is all rounding, of the data or of sums, up to P' floor P.
    in_sums : float
        The norm of the error that rounding of sums makes in H, about.
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
        """The Gram of all features; None where products are not NumPy's."""
        return Gram.of_all(self.H) if is_numpy(self.H) else None

    @cached_property
    def floor(self):
        """What has been said of it above; a descent with a factor seldom asks."""
        return self.coordinates.rounding + self.in_sums * self.coordinates.square

    def metric(self):
        """Return the Factor of half the Hessian, or those of outputs whose penalties differ."""
        ridges = self.penalty.half_gradient(namespace(self.H).ones_like(self.H[:, :1]))
        arguments = self.least_pivot, self.shift
        if self.penalty.one_l2:
            return Factor.of(self.H, ridges[:, 0], *arguments)
        outputs = range(ridges.shape[1])
        return FactorOfEach([Factor.of(self.H, ridges[:, d], *arguments) for d in outputs])

    def _times(self, V):
        with blas_for(self.H.shape[0] * math.prod(V.shape)):
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
    """Moments that stand for the data, too, where these cannot be asked again.

    Parameters are those of ByMoments.
    """

    def __init__(self, products, coordinates, rounding):
        super().__init__(products, coordinates, rounding)
        self._in_sums = self.in_sums * coordinates.steepest_square
        if coordinates.rank == self.shape[0]:
            # No correction by the data follows: a factor is used as long as it tells anything.
            self.least_pivot = 10 * max(self._in_sums, float(coordinates.rounding.max()))

    def precise(self):
        """Return the same: there are no other gradients."""
        return self

    def doubt(self, V):
        """Return by how much rounding may change the norm of G, and the losses, (D,) each."""
        size = np.sqrt(self.null_loss) + np.sqrt(dot(V, V))
        return self._in_sums * size, self._in_sums * size**2


class ByPasses:
    """Gradient and curvature from one pass over the data each.

    Parameters
    ----------
    rows : Rows
    coordinates : Coordinates
    precise : bool
        Whether gradients are computed in the widest float there is.
    name : str, as it is part of that of the engine
    """

    by_passes, sampled = True, False

    def __init__(self, rows, coordinates, *, precise=False, name="passes"):
        self.rows, self.coordinates = rows, coordinates
        self.inverse_scale = coordinates.inverse_scale
        # The curvature is a squared length, and X p itself is known to eps.
        self.flat = EPS
        self.shape = (rows.n_features, rows.n_outputs)
        self.penalty, self._xp = coordinates.penalty, namespace(self.inverse_scale)
        # The output of products, with NumPy; see `multiply`.
        self._scratch = np.empty(self.shape)
        self.residual = rows.precise_residual if precise else rows.residual
        self.name = name
        self.work = 2 * rows.n_entries * rows.n_outputs

    def doubt(self, V):
        """Return None: what the data say of a model is known but for its own rounding."""

    def precise(self):
        """Return the same with gradients in the widest float there is."""
        return ByPasses(self.rows, self.coordinates, precise=True, name=self.name)

    with_coordinates = with_coordinates

    @cached_property
    def gram(self):
        """The Gram of features that are met; None where products of columns cannot be made."""
        if not self.rows.has_columns:
            return None
        scale = self.inverse_scale[:, 0] / math.sqrt(self.coordinates.weight)
        products = self.rows.column_products(self.coordinates.centre, scale)
        return Gram(products, self.shape[0])

    @cached_property
    def floor(self):
        """As that of ByMoments; most fits ask for gradients alone."""
        # A thousand times eps is still no direction to go: it would make the solution long for
        # nothing.
        in_sums = (1000 * EPS) ** 2 * self.rows.n_features * self.coordinates.square
        return self.coordinates.rounding + in_sums

    def _mean(self, w):
        """Return the mean prediction of w, (D,)."""
        return dot(self.coordinates.centre[:, None], w)

    def _reduce(self, sums, V):
        """Return the sums of a pass centred and scaled; V is there for the penalty."""
        c, xp = self.coordinates, self._xp
        G, first, second = sums
        first, second = first / c.weight, second / c.weight
        if c.centred:
            G -= multiply((c.centre * c.weight)[:, None], first, out=self._scratch)
            second = second - first**2
        # Not in place: the rows overwrite their sums at the next pass.
        G = G * (self.inverse_scale / c.weight)
        if self.penalty.has_l2:
            of_penalty = self.penalty.half_gradient(V, out=self._scratch)
            G -= of_penalty
            second = second + dot(of_penalty, V)
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
