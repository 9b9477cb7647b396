"""Rows of an ndarray.

They are shifted by a provisional mean, so that a large offset costs no digits, and scaled by
powers of two, so that squares neither overflow nor vanish; both are exact or nearly so.
Conventions are those of `base`.
"""

import numpy as np
from scipy.linalg import blas

from .._base.arrays import is_numpy, namespace, row_blocks
from .._base.rounding import rounded_to_20_bits
from .._base.threads import LARGE_PRODUCT, count_threads
from .base import Rows, with_whole_strides
from .columns import add_columns_dense
from .kept_columns import KeptColumns
from .kernels import (
    add_moments_dense,
    add_residual_dense,
    mirror,
    square_lengths_dense,
)
from .moments import FAR_OFF_ZERO, FLOAT32_SUMS, Moments, without_rounding

# Half a megabyte of float64, so that a block stays in the second-level cache of a core.
BLOCK_ITEMS = 2**16
# How many items the provisional mean is computed from.
SAMPLE_ITEMS = 2**14
# A multiply-add of a matrix product is this many times cheaper than one of a pass.
PRODUCT_ADVANTAGE = 8
# Columns of a block whose rows are multiplied by each other.
COLUMNS = 256


class DenseRows(Rows):
    """Rows of an ndarray, in any memory layout.

    Parameters
    ----------
    X, Y, sample_weight : as in Rows
    centred : bool
        Whether a provisional mean is subtracted, which an intercept allows.
    scaled : bool
        Whether columns are scaled to about unit size by powers of two.
    origin : (shift, unit) or None
        The shift and unit to use, (P,) each, instead of those of the rows.
    """

    widest_moments = 20_000
    at_hand = has_columns = True

    def __init__(self, X, Y, sample_weight, *, centred, scaled=True, origin=None):
        super().__init__(with_whole_strides(X), with_whole_strides(Y), sample_weight)
        self.centred, self._column_sums = centred, None
        self._has_own_origin = origin is None
        n_columns = self.n_features + self.n_outputs
        if origin is not None:
            self.shift, self.unit = origin
            return
        self.shift, self.unit = np.zeros(n_columns), np.ones(n_columns)
        if not (centred or scaled):
            return
        sample, weight = self._sample()
        if centred:
            self.shift = rounded_to_20_bits(np.average(sample, axis=0, weights=weight))
        if scaled:
            # Finding the largest value is fastest in contiguous rows.
            largest = np.abs(np.ascontiguousarray(sample.T) - self.shift[:, None]).max(axis=1)
            # Within these bounds, the squares of units neither overflow nor vanish.
            self.unit = np.ldexp(1.0, -np.clip(np.frexp(largest)[1], -500, 500))

    @property
    def n_entries(self):
        """How many entries a pass reads."""
        return self.X.size

    @property
    def moments_work(self):
        """The cost of computing moments, in multiply-adds of a pass."""
        return self.n_entries * self.n_features / PRODUCT_ADVANTAGE

    def _sample(self):
        """Return evenly spaced rows of [X, Y] with a weight, in float64, and their weights."""
        n_wanted = min(256, max(8, SAMPLE_ITEMS // self.n_features))
        rows = slice(None, None, max(1, self.n_rows // n_wanted))
        weight = None
        if self.weighted:
            rows = np.flatnonzero(self.weight)[rows]
            weight = self.weight[rows]
        sample = np.concatenate([self.X[rows], self.Y[rows]], axis=1, dtype=np.float64)
        # A nan would hide in the shift, but the checks of the sums still find it.
        finite = np.isfinite(sample)
        return (sample if finite.all() else np.where(finite, sample, 0.0)), weight

    def _n_block(self, at_least=1):
        n_block = max(BLOCK_ITEMS // (self.n_features + self.n_outputs), at_least)
        return max(1, min(n_block, self.n_rows))

    def _blocks(self, dtype):
        """Yield (z_x, z_y, weight) block by block."""
        M, n_block = self.n_features, self._n_block()
        for start in range(0, self.n_rows, n_block):
            rows = slice(start, start + n_block)
            z_x = (self.X[rows].astype(dtype) - self.shift[:M]) * self.unit[:M]
            z_y = (self.Y[rows].astype(dtype) - self.shift[M:]) * self.unit[M:]
            yield z_x, z_y, self.weight[rows]

    def moments(self, *, rough=False):
        """Return the Moments, with products.

        Parameters
        ----------
        rough : bool
            Whether products of float32 may be computed in float32, in half the time.
        """
        rough = rough and is_numpy(self.X) and self.X.dtype == np.float32
        gram = self._gram(np.float32 if rough else np.float64)
        xp, M, total = namespace(gram), self.n_features, float(gram[-1, -1])
        gram /= total
        mean, products = gram[-1, :-1], gram[:M, :-1]
        square = xp.linalg.diagonal(gram)[:-1] if self._all_pairs else gram[-2, :-1]
        # No product of two columns is larger than the squares of both.
        if not xp.all(xp.isfinite(square)):
            if rough:
                return self.moments()
            self._raise_non_finite()
        variance = self._variance(mean, square)
        if self.centred:
            for rows in row_blocks(products):
                products[rows, :] -= mean[:M][rows, None] * mean
        if not rough:
            return Moments.of(self, total, mean, variance, products)
        if (mean**2 > FAR_OFF_ZERO * variance).any():
            columns = self.column_moments()
            mean, variance = columns.mean, columns.variance
        return Moments.of(self, total, mean, variance, products, FLOAT32_SUMS)

    def moments_near_mean(self):
        """Return the Moments, with products, from a shift close to the means."""
        moments = self.moments().on_host()
        if not self._has_own_origin:
            # They will be merged with moments of the same origin.
            return moments.with_rounding_of_sums()
        if moments.far_off_zero:
            # The shift was computed from other rows than those with the largest weight.
            near = moments.near_its_mean()
            weight = self.weight if self.weighted else None
            rows = type(self)(
                self.X, self.Y, weight, centred=True, origin=(near.shift, near.unit)
            )
            moments = rows.moments().on_host()
        return moments.with_rounding_of_sums().near_its_mean()

    def _variance(self, mean, square):
        """Return the mean square about the centre, (P,); 0 for columns that are constant."""
        if not self.centred:
            return square
        return without_rounding(square - mean**2, mean, self.shift, self.unit, self.roundoff)

    def _gram(self, dtype):
        """Return the sums of `add_moments_dense`, computed block by block in a dtype."""
        (height, size), all_pairs = self._gram_shape, self._all_pairs
        n_block = self._n_block(at_least=height)
        root_weight = self.weight
        if self.weighted:
            root_weight = np.sqrt(self.weight)

        def add(outputs, start, stop):
            # BLAS adds to sums of float64 in place.
            n_scratch = height if dtype == np.float32 else 1
            scratch = np.empty((n_block, size), dtype), np.empty((n_scratch, size), dtype)
            seen = self.X, self.Y, root_weight, self.shift, self.unit
            add_moments_dense(*seen, *scratch, *outputs, all_pairs, start, stop)

        product = n_block * height * size
        n_threads = count_threads(self.n_rows * height * size // PRODUCT_ADVANTAGE)
        if product >= LARGE_PRODUCT:
            # BLAS uses its own threads for each block.
            n_threads, product = 1, 0
        parts = [[np.empty((height, size))] for _ in range(n_threads)]
        (gram,) = self._sum(add, parts, product, n_block=n_block)
        if all_pairs:
            if dtype == np.float32:
                gram[:-1, -1] = gram[-1, :-1]
            mirror(gram)
        return gram

    def column_moments(self):
        """Return the Moments without products."""
        sums, filled = self._columns()
        total = float(filled[-1])
        first, second = sums[0, :] / total, sums[1, :] / total
        return Moments.of(self, total, first, self._variance(first, second))

    def density(self):
        """Return the share of weight in which each feature is not zero, (M,)."""
        _, filled = self._columns()
        return filled[:-1] / filled[-1]

    def _columns(self):
        """Return the sums of `add_columns_dense`."""
        if self._column_sums is None:
            size = self.n_features + self.n_outputs

            def add(outputs, start, stop):
                columns = self.weight, self.shift, self.unit, np.empty(size)
                add_columns_dense(self.X, self.Y, *columns, *outputs, start, stop)

            parts = [
                [np.empty((2, size)), np.empty(self.n_features + 1)]
                for _ in range(count_threads(self.X.size))
            ]
            self._column_sums = self._sum(add, parts)
            if not np.isfinite(self._column_sums[0]).all():
                self._raise_non_finite()
        return self._column_sums

    def every(self, step):
        """Return Rows with every ``step``-th of these rows."""
        weight = self.weight[::step] if self.weighted else None
        return type(self)(
            self.X[::step, :], self.Y[::step, :], weight,
            centred=self.centred, origin=(self.shift, self.unit),
        )  # fmt: skip

    def products_of_rows(self, centre, scale):
        """Return the products of rows ``root_weight * (z_x - centre) * scale``, (N, N).

        Only the lower triangle is filled.

        Parameters
        ----------
        centre, scale : array of shape (M,)
        """
        M, upper = self.n_features, np.zeros((self.n_rows, self.n_rows), order="F")
        mean, scale = self.shift[:M] + centre / self.unit[:M], scale * self.unit[:M]
        for start in range(0, M, COLUMNS):
            j = slice(start, start + COLUMNS)
            z = self.X[:, j] - mean[j]
            z *= scale[j]
            if self.weighted:
                z *= np.sqrt(self.weight)[:, None]
            upper = blas.dsyrk(1.0, z.T, beta=1.0, c=upper, trans=True, overwrite_c=True)
        # The columns of LAPACK are rows here.
        return upper.T

    def column_products(self, centre, scale):
        """Return what writes products of columns, as `Gram` asks for them.

        Columns are ``root_weight * (z_x - centre) * scale``.

        Parameters
        ----------
        centre, scale : array of shape (M,)
        """
        return KeptColumns(self, centre, scale).products

    def targets(self):
        """Return z_y, (N, D), float64."""
        xp, M = namespace(self.Y), self.n_features
        return (xp.astype(self.Y, xp.float64) - self.shift[M:]) * self.unit[M:]

    def predictions(self, V):
        """Return z_x V, (N, D)."""
        V = self.unit[: self.n_features, None] * V
        return namespace(V).concat([x @ V for _, x in self._shifted()])

    def combinations(self, A):
        """Return the sums over rows of z_x a, (M, D), for A of shape (N, D)."""
        sums = sum(x.T @ A[rows, :] for rows, x in self._shifted())
        return self.unit[: self.n_features, None] * sums

    def _shifted(self):
        """Yield slices of rows and their x - shift, float64, block by block."""
        n_block = self._n_block()
        for start in range(0, self.n_rows, n_block):
            rows = slice(start, start + n_block)
            yield rows, self.X[rows] - self.shift[: self.n_features]

    def square_lengths(self, centre, inverse):
        """Return the squared lengths of the rows (x - centre) * inverse, (N,)."""
        lengths = np.empty(self.n_rows)

        def write(_, start, stop):
            square_lengths_dense(self.X, centre, inverse, lengths, start, stop)

        self._sum(write, [[]] * count_threads(self.X.size))
        return lengths

    def residual(self, V, offset, *, homogeneous=False):
        """Return sums over rows of w z_x r, (M, D), of w r and of w r ** 2, (D,) each.

        The first is overwritten by the next call.
        The residual r is ``z_y - offset - z_x V``, with z_y = 0 if homogeneous.
        """
        M, n_block = self.n_features, self._n_block()
        Y, shift = self.Y, self.shift
        if homogeneous:
            Y, shift = self._no_targets(), np.append(shift[:M], np.zeros(self.n_outputs))
        # The kernel reads x - shift, so V is multiplied by the units, and so is the result.
        unit, y_unit = self.unit[:M, None], self.unit[M:]
        V_x, offset = unit * V / y_unit, offset / y_unit

        def add(outputs, start, stop):
            block, r = np.empty((n_block, M)), np.empty((n_block, self.n_outputs))
            add_residual_dense(
                self.X, Y, self.weight, shift, V_x, offset, block, r, *outputs, start, stop
            )

        product = n_block * M * self.n_outputs
        parts = self._sums_of_threads(self.X.size)
        gradient, sums = self._sum(add, parts, product, n_block=n_block)
        gradient *= unit * y_unit
        return gradient, sums[0] * y_unit, sums[1] * y_unit**2

    def precise_residual(self, V, offset, *, homogeneous=False):
        """Return what ``residual`` does, computed in the widest float there is.

        Rounding errors of a float64 gradient hide the last digits of ill-conditioned
        problems; iterative refinement needs more precise residuals (Higham, 2002, ch. 12).
        """
        gradient = np.zeros(V.shape, np.longdouble)
        sums = np.zeros((2, self.n_outputs), np.longdouble)
        for z_x, z_y, weight in self._blocks(np.longdouble):
            r = (0.0 if homogeneous else z_y) - offset - z_x @ V.astype(np.longdouble)
            weighted = weight[:, None] * r
            gradient += z_x.T @ weighted
            sums += weighted.sum(axis=0), (weighted * r).sum(axis=0)
        return gradient, *sums
