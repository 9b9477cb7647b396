"""The moments of rows, a value that fits, folds and chunks compute, merge and subtract.

Conventions: N rows, M features, D outputs, P = M + D columns of X and Y side by side. A row is
seen as ``z = (x - shift) * unit``, as `base` says.
"""

import math
from typing import NamedTuple

import numpy as np

from .._base.arrays import is_numpy, namespace, row_blocks, same_values, take, to_host
from .._base.rounding import EPS, rounded_to_20_bits, rounding_of

# The relative rounding of products that are summed in float32, block by block.
FLOAT32_SUMS = 2.0**-22
# After so many halvings, a weight counts as zero.
MOST_HALVINGS = 1000
# If the squared mean of a column is so many times its variance, sums lose digits.
FAR_OFF_ZERO = 16
# Variances above this, or below its inverse, need another unit.
FAR_OFF_UNIT = 2.0**64
# A difference of variances below this share of the variance of all rows is rounding.
LEFT_BY_ROUNDING = 256 * EPS


def columns_of(n_features, outputs):
    """Return the columns, of X and Y side by side, of all features and some outputs."""
    return np.append(np.arange(n_features), n_features + outputs)


def without_rounding(variance, mean, shift, unit, roundoff):
    """Return variances about the mean of z, (P,), with 0 where they may be only rounding.

    The rounding errors are those of sums, and those of the data themselves.
    """
    in_data = rounding_of((shift * unit + mean) ** 2, roundoff)
    rounding = 64 * EPS * (variance + mean**2) + in_data
    return namespace(mean).where(variance <= rounding, 0.0, variance)


class Moments(NamedTuple):
    """The moments of some rows.

    Attributes
    ----------
    n_rows : int, the number of rows with a weight
    weight : float, the sum of the weights of the rows, over ``2 ** exponent``
    mean : array of shape (P,), the mean of z
    variance : array of shape (P,)
        The mean square of z about the centre: the mean, or zero without an intercept.
    products : array of shape (M, P), or None if they are not known
        The mean of z_x z' about the centre.
    shift, unit : array of shape (P,)
    n_features : int, M
    centred : bool, whether there is an intercept
    roundoff : float, the unit roundoff of the dtype of X
    rounding : float or array of shape (P,)
        The rounding of the products of each column, relative to its variance.
    exponent : int
        Weights are relative to this power of two, so that sums of huge weights do not overflow.
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
    exponent: int = 0

    @classmethod
    def of(cls, rows, weight, mean, variance, products=None, rounding=EPS):
        """Return the Moments of Rows from their sums."""
        return cls(
            rows.n_weighted, weight, mean, variance, products, rows.shift, rows.unit,
            rows.n_features, rows.centred, rows.roundoff, rounding,
        )  # fmt: skip

    def seen_from(self, shift, unit):
        """Return the same in another shift and unit, (P,); without an intercept, no shift."""
        ratio, M = unit / self.unit, self.n_features
        products = self.products
        if products is not None and not (ratio == 1.0).all():
            products = products * (ratio[:M, None] * ratio)
        mean = (self.shift - shift) * unit + self.mean * ratio
        return self._replace(
            mean=mean, variance=self.variance * ratio**2, products=products,
            shift=shift, unit=unit,
        )  # fmt: skip

    def near_its_mean(self):
        """Return the same moments, with a shift near the mean and a unit near the deviation."""
        variance, some = self.variance, self.variance > 0.0
        off_unit = some & ((variance < 1.0 / FAR_OFF_UNIT) | (variance > FAR_OFF_UNIT))
        off_zero = some & (self.mean**2 > variance) & self.centred
        if not (off_zero | off_unit).any():
            return self
        shift, unit = self.shift + self.mean / self.unit, self.unit.copy()
        shift = np.where(off_zero, rounded_to_20_bits(shift), self.shift)
        exponent = np.frexp(np.sqrt(variance[off_unit]) / unit[off_unit])[1]
        unit[off_unit] = np.ldexp(1.0, -np.clip(exponent, -500, 500))
        return self.seen_from(shift, unit)

    def in_one_frame(self, other):
        """Return both with the shift of the larger weight and the larger unit."""
        frame = self if self.outweighs(other.weight, other.exponent) else other
        shift, unit = frame.shift, frame.unit
        if self.unit is not other.unit:
            unit = np.minimum(self.unit, other.unit)

        def seen(moments):
            same = same_values(moments.shift, shift) and same_values(moments.unit, unit)
            return moments if same else moments.seen_from(shift, unit)

        return seen(self), seen(other)

    def outweighs(self, weight, exponent):
        """Whether these rows have at least this weight, over ``2 ** exponent``."""
        largest = max(self.exponent, exponent)
        own = math.ldexp(self.weight, self.exponent - largest)
        return own >= math.ldexp(weight, exponent - largest)

    def merge(self, other):
        """Return the moments of these rows and of others together (Chan, Golub & LeVeque, 1983).

        Both have the same shift and unit.
        """
        exponent = max(self.exponent, other.exponent)
        own, its = (math.ldexp(m.weight, m.exponent - exponent) for m in (self, other))
        weight = own + its
        of_own, of_other = own / weight, its / weight
        apart = other.mean - self.mean
        # The result is relative to the larger weight, as the other may be far away.
        mean = self.mean + of_other * apart if own >= its else other.mean - of_own * apart
        between = of_other * of_own if self.centred else 0.0

        def merged(ours, theirs, factor, apart):
            # Their difference would lose digits of the smaller one.
            both = of_own * ours
            both += of_other * theirs
            both += (between * factor) * apart
            return both

        variance = merged(self.variance, other.variance, apart, apart)
        products, ours, theirs = None, self.products, other.products
        if ours is not None:
            factor, products = apart[: self.n_features, None], np.empty(ours.shape)
            for rows in row_blocks(products):
                products[rows] = merged(ours[rows], theirs[rows], factor[rows], apart)
        return self._replace(
            n_rows=self.n_rows + other.n_rows, weight=weight, exponent=exponent,
            roundoff=max(self.roundoff, other.roundoff), mean=mean,
            rounding=self._rounding_with(other, of_own, of_other, variance),
            variance=variance, products=products,
        )  # fmt: skip

    def _rounding_with(self, other, of_own, of_other, variance):
        """Return the rounding of the moments of both, given their shares of the weight."""
        error = of_own * self.rounding * self.variance
        error = error + of_other * other.rounding * other.variance
        rounding = error / np.where(variance > 0, variance, np.inf)
        # Rounding errors of many sums add up like a random walk.
        return np.hypot(np.maximum(rounding, EPS), EPS)

    def with_rounding_of_sums(self):
        """Return the same with the rounding of sums relative to this shift."""
        some = np.where(self.variance > 0, self.variance, np.inf)
        return self._replace(rounding=self.rounding * (1.0 + self.mean**2 / some))

    @property
    def far_off_zero(self):
        """Whether sums lose digits because the mean of a column is far from the shift."""
        far = (self.mean**2 > FAR_OFF_ZERO * self.variance) & (self.variance > 0)
        return self.centred and bool(far.any())

    def faded(self, n_halvings):
        """Return the same with weights halved so many times, which may be a fraction."""
        n_halvings = min(n_halvings, MOST_HALVINGS)
        whole = int(n_halvings)
        weight = self.weight * 2.0 ** (whole - n_halvings)
        return self._replace(weight=weight, exponent=self.exponent - whole)

    def subtract(self, other):
        """Return the moments of these rows without those that the other moments are of."""
        weight, M = self.weight - other.weight, self.n_features

        def rest(ours, theirs):
            return (self.weight * ours - other.weight * theirs) / weight

        mean = rest(self.mean, other.mean)
        apart = mean - other.mean
        between = other.weight / self.weight if self.centred else 0.0
        variance = rest(self.variance, other.variance) - between * apart**2
        # If a feature varies in the other rows only, the difference is rounding.
        variance[variance <= LEFT_BY_ROUNDING * self.variance] = 0.0
        products = rest(self.products, other.products)
        products -= between * (apart[:M, None] * apart)
        return self._replace(
            n_rows=self.n_rows - other.n_rows, weight=weight, mean=mean,
            variance=variance, products=products,
        )  # fmt: skip

    def on_host(self):
        """Return the same in the memory of the host."""
        if is_numpy(self.mean):
            return self
        names = ("mean", "variance", "products", "shift", "unit")
        return self._replace(**{name: to_host(getattr(self, name)) for name in names})

    def of_outputs(self, outputs):
        """Return the moments of some of the outputs, given by an index array."""
        columns = columns_of(self.n_features, outputs)
        mean, variance, shift, unit = (
            take(A, columns, axis=0) for A in (self.mean, self.variance, self.shift, self.unit)
        )
        products = None if self.products is None else take(self.products, columns, axis=1)
        rounding = self.rounding if np.ndim(self.rounding) == 0 else self.rounding[columns]
        return self._replace(
            mean=mean, variance=variance, products=products, shift=shift, unit=unit,
            rounding=rounding,
        )  # fmt: skip

    def repeated(self, n):
        """Return the same with all outputs n times, side by side."""
        return self.of_outputs(np.tile(np.arange(self.mean.shape[0] - self.n_features), n))
