"""The metric of a descent: what a half gradient is multiplied by to be a direction.

In the metric of H, half the Hessian, the loss is a sphere: one exact step along ``H^-1 G`` leads
from anywhere to its minimum. It is still a descent, as ``G' H^-1 G > 0``, and the step is exact.

Conventions: M features, D outputs; H is (M, M), G (M, D).
"""

import numpy as np
from scipy.linalg import lapack

# A squared pivot below this may be rounding: features that are nearly collinear, or few rows.
LEAST_PIVOT = 1e-8


class Plain:
    """The metric of standardised coordinates themselves: a direction is the gradient."""

    longest = 0.0

    def direction(self, G):
        """Return G."""
        return G


class Factor:
    """The inverse of H, by its Cholesky factor; `of` makes one.

    Attributes
    ----------
    longest : float
        One over the least curvature of a unit move, or about that: as long as the longest exact
        step along a gradient would be.
    """

    def __init__(self, upper, norm):
        self._upper = upper
        rcond, _ = lapack.dpocon(upper, norm)
        self.longest = 1.0 / (rcond * norm)

    @classmethod
    def of(cls, H):
        """Return that of H, an ndarray that is overwritten; None if it may be singular.

        The diagonal of H is about 1, but for features that say nothing: there all of H is zero,
        and so is the gradient.
        """
        diagonal = np.einsum("mm->m", H)
        diagonal[diagonal == 0.0] = 1.0
        # H is symmetric: LAPACK, which reads columns, may have its rows.
        norm = lapack.dlange("1", H.T)
        upper, failed = lapack.dpotrf(H.T, lower=False, clean=False, overwrite_a=True)
        if failed or not np.einsum("mm->m", upper).min() ** 2 > LEAST_PIVOT:
            return None
        return cls(upper, norm)

    def direction(self, G):
        """Return H^-1 G, (M, D)."""
        return lapack.dpotrs(self._upper, G, lower=False)[0]
