"""The metric of a descent: the matrix that turns a half gradient into a direction.

In the metric of H, half the Hessian, the loss is a sphere: one exact step along ``H^-1 G`` leads
from anywhere to its minimum. It is still a descent, as ``G' H^-1 G > 0``, and the step is exact.

Conventions: N rows, M features, D outputs; H is (M, M), G (M, D).
"""

import numpy as np
from scipy.linalg import blas, lapack

from .._base.arrays import dot, namespace, placed_like, to_host, weighted_square
from .._base.rounding import EPS
from .._base.threads import (
    PAYING_PRODUCT,
    SHARED_PRODUCT,
    SHARED_SIDES,
    SHARED_SOLUTION,
    blas_of_one_thread,
)

# A pivot below this, relative to its diagonal entry, may be rounding, if features are nearly
# collinear or there are few rows.
LEAST_PIVOT = 1e-8
# The value that is then added to the diagonal, which is about 1. Rounding errors of about 1e-16
# along directions without curvature then become moves of at most 1e-10.
SHIFT = 1e-6
# A row counts as zero if its squared length is below this, relative to the mean one.
NOTHING = 1e-12


# If ridges differ by less than this factor, they are not used as a metric.
UNLIKE_RIDGES = 4.0


class Plain:
    """The metric of standardised coordinates themselves: a direction is the gradient.

    Parameters
    ----------
    alternative : InverseRidge or None
        Another metric, which may be tried if the descent is slow in this one.
    """

    longest, alternative = 0.0, None

    def __init__(self, alternative=None):
        self.alternative = alternative

    def step_from_zero(self):
        """Return the coefficients after an exact step from zero, (M, D); None if G is needed."""

    def direction(self, G):
        """Return G."""
        return G

    def reach(self, P, length, inverse):
        """Return about one over the curvature along a step, (D,); see `Factor.reach`."""
        return length

    def least_descent(self, P, losses, summed, coordinates):
        """Return None, since any slope is worth a step; see `Factor.least_descent`."""


class InverseRidge(Plain):
    """The inverse of the L2 penalty: a direction is G over the ridge.

    Conjugate steps in it are those of LSQR with damping (Paige & Saunders, 1982), where all
    features have the same penalty in their own units. Where there are few rows and many rare
    features, that can be several times faster than standardised coordinates.

    Parameters
    ----------
    Q : array of shape (M, 1) or (M, D), the inverse of the ridge in any unit
    """

    def __init__(self, Q):
        self._Q = Q

    @classmethod
    def of(cls, coordinates):
        """Return the metric, or None if a feature has no ridge, or if all ridges are alike."""
        xp, some = namespace(coordinates.scale), coordinates.scale[:, None] > 0
        R = coordinates.penalty.half_gradient(xp.astype(some, xp.float64))
        least, most = float(xp.min(xp.where(some, R, xp.inf))), float(xp.max(R))
        if not 0.0 < UNLIKE_RIDGES * least < most:
            return None
        return cls(xp.where(some, least / xp.where(some, R, 1.0), 0.0))

    def direction(self, G):
        """Return G over the ridge."""
        return self._Q * G

    def reach(self, P, length, inverse):
        """Return the same as `Factor.reach`."""
        return dot(P, P) * inverse


class Factor(Plain):
    """The inverse of H, by its Cholesky factor; `of` makes one.

    If H may be singular, the factor is that of ``H + shift I``, which is close to H except
    along its flattest directions, and a function of H: iterates that start from zero stay in
    the range of H, and end at the smallest of many answers. Those directions take a few more
    conjugate steps.

    The factor is made and kept on the host, wherever the data are.

    Attributes
    ----------
    longest : float
        About one over the least curvature of a unit move, which is the length of the longest
        exact step along a gradient. 0 if H may be singular.
    """

    def __init__(self, upper, longest):
        self._upper, self.longest = upper, longest

    @classmethod
    def of(cls, H, ridge, least_pivot=LEAST_PIVOT, shift=SHIFT):
        """Return the Factor of ``H + ridge I``; one copy of H is made at a time.

        Parameters
        ----------
        H : array of shape (M, M)
            Its diagonal plus the ridge is about 1, except for constant features: their rows of
            H and their gradients are zero.
        ridge : array of shape (M,)
        least_pivot : float, below which H may be singular
        shift : float, the value that is then added to the diagonal
        """
        H, ridge = to_host(H), to_host(ridge)
        upper, longest = shifted_factor(H, ridge, least_pivot, shift)
        return Plain() if upper is None else cls(upper, longest)

    def direction(self, G):
        """Return H^-1 G, (M, D)."""
        return placed_like(solve(self._upper, to_host(G)), G)

    def reach(self, P, length, inverse):
        """Return one over the curvature of a unit move along each column of P, (D,).

        Parameters
        ----------
        P : array of shape (M, D), a direction
        length, inverse : array of shape (D,), the exact step along it, and 1 / P'HP
        """
        return dot(P, P) * inverse

    def least_descent(self, P, losses, summed, coordinates):
        """Return the least P'G that is worth a step along P, (D,), or None if any is.

        If H may be singular, rounding leaves a gradient along directions without curvature, and
        a shifted metric turns it into a long move. The slope along such a move is at most what
        rounding can cause: rounding of the sums, or that of the data times the residual of Y.

        Parameters
        ----------
        P : array of shape (M, D), a direction
        losses, summed : array of shape (D,)
            The losses, and the mean squares of the terms of the gradient.
        coordinates : Coordinates
        """
        if self.longest > 0.0:
            return None
        M = coordinates.scale.shape[0]
        in_sums = (8 * EPS) ** 2 * M * coordinates.steepest_square * summed
        # Rounding of the data leaves a part of Y that no coefficients explain.
        left = losses + (4 * coordinates.roundoff) ** 2 * coordinates.null_loss
        in_data = weighted_square(coordinates.rounding, P) * left
        if coordinates.n_rows > M:
            in_data = in_data * (M / coordinates.n_rows)
        return namespace(P).sqrt(in_sums * dot(P, P) + in_data)


class FactorOfEach(Factor):
    """The inverses of ``H + ridge I`` if each output has its own L2 penalty.

    Parameters
    ----------
    factors : list of Factor, one per output
    """

    def __init__(self, factors):
        self._factors = factors
        self.longest = 0.0
        if all(factor.longest > 0.0 for factor in factors):
            self.longest = max(factor.longest for factor in factors)

    def direction(self, G):
        """Return H^-1 G, with the factor of each output, (M, D)."""
        G_host = to_host(G)
        columns = [f.direction(G_host[:, d : d + 1]) for d, f in enumerate(self._factors)]
        return placed_like(np.concatenate(columns, axis=1), G)


class DualFactor(Factor):
    """The inverse of H for fewer rows than features, by a factor of size (N, N).

    Let Z be the weighted and centred rows in the coordinates of the descent, and R the diagonal
    matrix of the L2 penalty. Then ``H = Z'Z + R``. With c the least entry of R, ``Q = c R^-1``
    and the products of rows ``K = Z Q Z'``, the inverse is
    ``(Q - Q Z' (K + c I)^-1 Z Q) / c`` (Woodbury, 1950). Entries of R below LEAST_PIVOT times M
    are raised to that value, so that the difference keeps its digits.

    If there is no penalty, or no entry of R is above that value, H has no useful inverse.
    Gradients are then ``G = Z'g``, and the shortest move to the minimum is ``Q Z' K^-1 g``,
    where ``g = K^-1 Z Q G``. Without a penalty Q is 1: the move is a function of H, and the
    answer is the smallest.

    Parameters
    ----------
    rows : Rows
    coordinates : Coordinates
    """

    def __init__(self, rows, coordinates):
        self._rows, self._c = rows, coordinates
        self._root = (rows.weight / coordinates.weight)[:, None] ** 0.5
        self._Q, self._ridge, self._exact = _relative(coordinates)
        root_of_Q = namespace(self._Q).sqrt(self._Q)
        scale = coordinates.inverse_scale[:, 0] * root_of_Q
        K = rows.products_of_rows(coordinates.centre, scale) / coordinates.weight
        super().__init__(*self._factor_of(to_host(K)))

    @classmethod
    def of_rows(cls, rows, coordinates):
        """Return the DualFactor of these rows, or Plain if there is no factor."""
        metric = cls(rows, coordinates)
        return Plain() if metric._upper is None else metric

    def _factor_of(self, K):
        """Return the factor of K + c I, in units of the mean diagonal of K, and `longest`."""
        K = np.require(K, requirements="CW")
        self._unit = float(np.einsum("nn->n", K).mean()) or 1.0
        K /= self._unit
        if self._c.centred:
            # Centred rows have no component along the vector of the root weights.
            K = blas.dsyr(1.0, to_host(self._root)[:, 0], a=K.T, overwrite_a=True).T
        ridge = np.full(len(K), self._ridge / self._unit)
        upper, longest = shifted_factor(K, ridge, LEAST_PIVOT, SHIFT, nothing=NOTHING)
        return upper, 1.0 / self._ridge if self._ridge else longest / self._unit

    def _times(self, V):
        """Return Z V, (N, D)."""
        w = self._c.inverse_scale * V
        return self._root * (self._rows.predictions(w) - self._c.centre @ w)

    def _transpose_times(self, A):
        """Return Z'A, (M, D)."""
        A = self._root * A
        sums = self._rows.combinations(A) - self._c.centre[:, None] * namespace(A).sum(A, axis=0)
        return self._c.inverse_scale * sums

    def step_from_zero(self):
        """Return the coefficients after an exact step from zero, (M, D).

        With Y the weighted and centred targets, G is Z'Y at zero, and the step ends at
        ``Q Z' (K + c I)^-1 Y``, which needs neither G nor a difference. None if K may be
        singular, or if the penalty is not exactly that of c and Q.
        """
        if self.longest == 0.0 or not self._exact:
            return None
        Y = self._root * (self._rows.targets() - self._c.y_centre)
        A = solve(self._upper, to_host(Y)) / self._unit
        return self._Q[:, None] * self._transpose_times(placed_like(A, Y))

    def direction(self, G):
        """Return H^-1 G, (M, D)."""
        Q = self._Q[:, None]
        known = to_host(self._times(Q * G))
        if self._ridge:
            A = solve(self._upper, known) / self._unit
            return Q * (G - self._transpose_times(placed_like(A, G))) / self._ridge
        A = solve(self._upper, solve(self._upper, known)) / self._unit**2
        return Q * self._transpose_times(placed_like(A, G))


def _relative(coordinates):
    """Return the diagonal of Q, (M,), c, and whether they are those of the penalty."""
    xp, scale = namespace(coordinates.scale), coordinates.scale
    R = coordinates.penalty.half_gradient(xp.ones_like(scale)[:, None])[:, 0]
    R = xp.where(scale > 0, R, xp.max(R))
    least, smallest, largest = LEAST_PIVOT * R.shape[0], float(xp.min(R)), float(xp.max(R))
    if largest > least:
        R = xp.maximum(R, xp.full_like(R, least))
        return xp.min(R) / R, float(xp.min(R)), smallest >= least
    some = R > 0
    unit = xp.min(xp.where(some, R, xp.inf))
    return xp.where(some, unit / xp.where(some, R, 1.0), 1.0), 0.0, largest == 0.0


def solve(upper, B):
    """Return A^-1 B, (n, D), given the Cholesky factor of A."""
    shared = SHARED_SOLUTION if B.shape[1] >= SHARED_SIDES else SHARED_PRODUCT
    with blas_of_one_thread(len(upper) * B.size, shared=shared, pays=PAYING_PRODUCT):
        return lapack.dpotrs(upper, B, lower=False)[0]


def shifted_factor(A, ridge, least_pivot, shift, nothing=SHIFT):
    """Return the Cholesky factor of ``A + ridge I``, and about one over its least eigenvalue.

    If the sum may be singular, the shift is added, and the second value is 0. The factor is None
    if there is none even then. Only the lower triangle of A, (n, n), is read. Diagonal entries
    up to ``nothing`` count as 1.
    """
    upper, longest = _factor(A, ridge, least_pivot, nothing)
    if upper is None:
        upper, _ = _factor(A, ridge + shift, 0.0, nothing)
        longest = 0.0
    return upper, longest


def _factor(A, ridge, least_pivot, nothing):
    """Return the same as `shifted_factor` without a shift, or None if a pivot is too small."""
    A = A.copy()
    diagonal = np.einsum("nn->n", A)
    diagonal += ridge
    diagonal[diagonal <= nothing] = 1.0
    least = least_pivot * diagonal
    # A is symmetric, so LAPACK, which reads columns, can be given its rows.
    upper, failed = lapack.dpotrf(A.T, lower=False, clean=False, overwrite_a=True)
    if failed or not (upper.diagonal() ** 2 > least).all():
        return None, 0.0
    # Only the norm of the inverse is needed, so any norm of A will do.
    rcond, _ = lapack.dpocon(upper, 1.0)
    return (upper, 1.0 / rcond) if rcond > 0.0 else (None, 0.0)
