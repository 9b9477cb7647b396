"""The moments of rows, a value: what fits, folds and chunks gather, add up and take apart.

Conventions: N rows, M features, D outputs, P = M + D columns of X and Y side by side. A row is
seen as ``z = (x - shift) * unit``, as `base` says.
"""

from dataclasses import dataclass, replace

import numpy as np

from .._base.arrays import namespace, take
from .._base.rounding import EPS, rounding_of

# The relative rounding of products whose sums are made in float32, block by block.
FLOAT32_SUMS = 2.0**-22
# A variance that is left below this share of that of all rows is rounding.
LEFT_BY_ROUNDING = 256 * EPS


def columns_of(n_features, outputs):
    """Return the columns, of X and Y side by side, of all features and some outputs."""
    return np.append(np.arange(n_features), n_features + outputs)


def without_rounding(variance, mean, shift, unit, roundoff):
    """Return variances about the mean of z, (P,); 0 where they may be rounding, as of constants.

    Rounding is that of sums, and of the data themselves.
    """
    in_data = rounding_of((shift * unit + mean) ** 2, roundoff)
    rounding = 64 * EPS * (variance + mean**2) + in_data
    return namespace(mean).where(variance <= rounding, 0.0, variance)


@dataclass(frozen=True)
class Moments:
    """The moments of some rows.

    Attributes
    ----------
    n_rows : int
    weight : float, the sum of the weights of the rows
    mean : array of shape (P,), the mean of z
    variance : array of shape (P,)
        The mean square of z about the centre: the mean, or zero without an intercept.
    products : array of shape (M, P), or None where they are not gathered
        The mean of z_x z' about the centre.
    shift, unit : array of shape (P,)
    n_features : int, M
    centred : bool, whether there is an intercept
    roundoff : float, the unit roundoff of the type that X came in
    rounding : float, the relative rounding of the products
    """

    n_rows: int
    weight: float
    mean: np.ndarray
    variance: np.ndarray
    products: np.ndarray | None
    shift: np.ndarray
    unit: np.ndarray
    n_features: int
    centred: bool
    roundoff: float
    rounding: float = EPS

    @classmethod
    def of(cls, rows, weight, mean, variance, products=None, rounding=EPS):
        """Return those of Rows, given what has been summed up."""
        return cls(
            rows.n_rows, weight, mean, variance, products, rows.shift, rows.unit,
            rows.n_features, rows.centred, rows.roundoff, rounding,
        )  # fmt: skip

    def seen_from(self, shift, unit):
        """Return the same in another shift and unit, (P,); without an intercept, no shift."""
        ratio, M = unit / self.unit, self.n_features
        products = self.products
        if products is not None:
            products = products * (ratio[:M, None] * ratio)
        mean = (self.shift - shift) * unit + self.mean * ratio
        return replace(
            self, mean=mean, variance=self.variance * ratio**2, products=products,
            shift=shift, unit=unit,
        )  # fmt: skip

    def merge(self, other):
        """Return those of these rows and of others together (Chan, Golub & LeVeque, 1983)."""
        weight = self.weight + other.weight
        of_other = other.weight / weight
        apart = other.mean - self.mean
        between = of_other * (self.weight / weight) if self.centred else 0.0

        def merged(ours, theirs, spread):
            return ours + of_other * (theirs - ours) + between * spread

        products = self.products
        if products is not None:
            outer = apart[: self.n_features, None] * apart
            products = merged(products, other.products, outer)
        return replace(
            self, n_rows=self.n_rows + other.n_rows, weight=weight,
            mean=self.mean + of_other * apart,
            variance=merged(self.variance, other.variance, apart**2), products=products,
        )  # fmt: skip

    def subtract(self, other):
        """Return those of these rows but for some of them, whose moments the other is."""
        weight, M = self.weight - other.weight, self.n_features

        def rest(ours, theirs):
            return (self.weight * ours - other.weight * theirs) / weight

        mean = rest(self.mean, other.mean)
        apart = mean - other.mean
        between = other.weight / self.weight if self.centred else 0.0
        variance = rest(self.variance, other.variance) - between * apart**2
        # Where a feature varies in the other rows alone, the difference is rounding.
        variance[variance <= LEFT_BY_ROUNDING * self.variance] = 0.0
        products = rest(self.products, other.products)
        products -= between * (apart[:M, None] * apart)
        return replace(
            self, n_rows=self.n_rows - other.n_rows, weight=weight, mean=mean,
            variance=variance, products=products,
        )  # fmt: skip

    def of_outputs(self, outputs):
        """Return the same of some of the outputs, given by an index array."""
        columns = columns_of(self.n_features, outputs)
        mean, variance, shift, unit = (
            take(A, columns, axis=0) for A in (self.mean, self.variance, self.shift, self.unit)
        )
        products = None if self.products is None else take(self.products, columns, axis=1)
        return replace(
            self, mean=mean, variance=variance, products=products, shift=shift, unit=unit
        )

    def repeated(self, n):
        """Return the same with all outputs n times, side by side."""
        return self.of_outputs(np.tile(np.arange(self.mean.shape[0] - self.n_features), n))
