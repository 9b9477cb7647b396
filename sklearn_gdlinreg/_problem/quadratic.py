"""What full-batch descent asks of the data: a gradient, and the curvature of a direction.

Descent runs on the centred problem in the coordinates V = scale * W, (M, D), where the
intercept is already at its best. Two suppliers answer the same calls: ByMoments, from
products gathered once, and ByPasses, from the data each time.

Conventions: N rows, M features, D outputs; "half gradient" is -1/2 dL/dV, so that
``half_gradient = B - H V`` with H half the Hessian; losses are one per output, (D,), and have
the L2 term of the penalty in them, as H has.
"""

import math

import numpy as np

from .._base.arrays import dot, is_numpy, multiply, namespace
from .._base.rounding import EPS
from .metric import Factor, Plain

# From so many features on the iterations of a plain descent cost more than a factor of H. With
# fewer both cost next to nothing, and a plain descent has a way to look at.
WORTH_A_FACTOR = 128

START_OVERFLOWS = (
    "The loss overflows where descent starts: the values of coef_init or intercept_init, or of "
    "the last fit with warm_start=True, are too large for these X and y."
)


class ByMoments:
    """Gradient and curvature from the moments of the data: O(M ** 2 D) whatever N is.

    Parameters
    ----------
    products : array of shape (M, M + D), as those of `Moments`
    coordinates : Coordinates

    Attributes
    ----------
    flat : float
        The curvature of a unit move below this is known to less than half its digits.
    floor : array of shape (M,)
        The curvature of a move P is all rounding, of the data or of sums, up to P' floor P.
    """

    name = "moments"

    def __init__(self, products, coordinates):
        M = coordinates.centre.shape[0]
        # A matrix of rounding errors of size eps has a norm of about eps * sqrt(M).
        self.flat = math.sqrt(EPS * M * coordinates.steepest_square)
        self.floor = coordinates.rounding + 16 * EPS * math.sqrt(M) * coordinates.square
        inverse = coordinates.inverse_scale
        self.null_loss = coordinates.null_loss
        self.B = products[:, M:] * inverse
        self.H = products[:, :M] * inverse * inverse.T
        self.penalty = coordinates.penalty
        self.shape = self.B.shape
        self.work = M * M * self.shape[1]

    def metric(self):
        """Return the Factor of half the Hessian, or Plain where that is not worth it.

        It needs NumPy, and outputs whose penalties give them one Hessian.
        """
        M = self.H.shape[0]
        if M < WORTH_A_FACTOR or not is_numpy(self.H):
            return Plain()
        of_penalty = self.penalty.half_gradient(np.ones((M, 1)))
        if of_penalty.shape[1] > 1:
            return Plain()
        return Factor.of(self.H, of_penalty[:, 0])

    def _times(self, V):
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


class ByPasses:
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
        self.penalty, self._xp = coordinates.penalty, namespace(self.inverse_scale)
        # The output of products, with NumPy; see `multiply`.
        self._scratch = np.empty(self.shape)
        self.residual = rows.precise_residual if precise else rows.residual
        self.work = 2 * rows.n_entries * rows.n_outputs

    def precise(self):
        """Return the same with gradients in the widest float there is."""
        return ByPasses(self.rows, self.coordinates, precise=True)

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
        G = G * self.inverse_scale
        G /= c.weight
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
