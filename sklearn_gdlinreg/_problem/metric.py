"""The metric of a descent: what a half gradient is multiplied by to be a direction.

In the metric of H, half the Hessian, the loss is a sphere: one exact step along ``H^-1 G`` leads
from anywhere to its minimum. It is still a descent, as ``G' H^-1 G > 0``, and the step is exact.

Conventions: M features, D outputs; H is (M, M), G (M, D).
"""

import numpy as np
from scipy.linalg import lapack

from .._base.arrays import dot
from .._base.rounding import EPS

# A squared pivot below this may be rounding: features that are nearly collinear, or few rows.
LEAST_PIVOT = 1e-8
# What is then added to the diagonal, of about 1. Moves by rounding along directions without
# curvature, of some 1e-16, become no longer than 1e-10.
SHIFT = 1e-6


class Plain:
    """The metric of standardised coordinates themselves: a direction is the gradient."""

    longest = 0.0

    def direction(self, G):
        """Return G."""
        return G

    def reach(self, P, length, inverse):
        """Return about one over the curvature that a step has met, (D,); see `Factor.reach`."""
        return length

    def least_slope(self, coordinates):
        """Return None: a step is made along any slope; see `Factor.least_slope`."""


class Factor(Plain):
    """The inverse of H, by its Cholesky factor; `of` makes one.

    Where H may be singular it is the inverse of ``H + SHIFT I``, which is near H but for its
    flattest directions, and a function of it: iterates from zero stay where H is not zero, and
    end at the smallest of many answers. Those directions take a few more conjugate steps.

    Attributes
    ----------
    longest : float
        One over the least curvature of a unit move, or about that: as long as the longest exact
        step along a gradient would be. 0 where H may be singular.
    """

    def __init__(self, upper, longest):
        self._upper, self.longest = upper, longest

    @classmethod
    def of(cls, H, ridge):
        """Return that of ``H + ridge I``; one copy of H is made at a time.

        Parameters
        ----------
        H : ndarray of shape (M, M)
            Its diagonal with the ridge is about 1, but for features that say nothing: there all
            of H is zero, and so is the gradient.
        ridge : ndarray of shape (M,)
        """
        upper, longest = _factor(H, ridge)
        if upper is None:
            upper, _ = _factor(H, ridge + SHIFT, least_pivot=0.0)
            longest = 0.0
        return Plain() if upper is None else cls(upper, longest)

    def direction(self, G):
        """Return H^-1 G, (M, D)."""
        return lapack.dpotrs(self._upper, G, lower=False)[0]

    def reach(self, P, length, inverse):
        """Return one over the curvature of a unit move along each column of P, (D,).

        Parameters
        ----------
        P : array of shape (M, D), a direction
        length, inverse : array of shape (D,), the exact step along it, and 1 / P'HP
        """
        return dot(P, P) * inverse

    def least_slope(self, coordinates):
        """Return the least slope along a unit move that is worth a step, (D,); None for any.

        Where H may be singular, rounding leaves gradients along directions without curvature,
        of which a shifted metric makes long moves. Their slope is no more than that rounding.
        """
        if self.longest > 0.0:
            return None
        largest = coordinates.null_loss * coordinates.steepest_square * self._upper.shape[0]
        return 16 * EPS * np.sqrt(largest)


def _factor(H, ridge, least_pivot=LEAST_PIVOT):
    """Return the Cholesky factor of ``H + ridge I``, and about one over its least eigenvalue.

    The factor is None where a squared pivot is not above this.
    """
    H = H.copy()
    diagonal = np.einsum("mm->m", H)
    diagonal += ridge
    diagonal[diagonal <= SHIFT] = 1.0
    # H is symmetric: LAPACK, which reads columns, may have its rows.
    norm = lapack.dlange("1", H.T)
    upper, failed = lapack.dpotrf(H.T, lower=False, clean=False, overwrite_a=True)
    if failed or not np.einsum("mm->m", upper).min() ** 2 > least_pivot:
        return None, 0.0
    rcond, _ = lapack.dpocon(upper, norm)
    return upper, 1.0 / (rcond * norm)
