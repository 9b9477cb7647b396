"""Rows of an array of another library than NumPy, read on its device.

What kernels do for NumPy's arrays, functions of the Array API do here, block by block.
Conventions are those of `base`.
"""

import copy
import math

import numpy as np

from .._base.arrays import dot, namespace, placed_like, take, to_host, zeros
from .dense import COLUMNS, DenseRows
from .moments import columns_of

# Items of a block: large enough that starting a function on a device costs little.
BLOCK_ITEMS = 2**24
# How many rows the shift and unit are computed from.
SAMPLE_ROWS = 256


class ArrayRows(DenseRows):
    """Rows of an array that follows the Array API; parameters are those of DenseRows."""

    has_columns = False

    def __init__(self, X, Y, sample_weight, *, centred, scaled=True, origin=None):
        self.X, self.Y, self.centred = X, Y, centred
        (self.n_rows, self.n_features), self.n_outputs = X.shape, Y.shape[1]
        self._xp, self._column_sums = namespace(X), None
        self._has_own_origin = origin is None
        self.roundoff = float(self._xp.finfo(X.dtype).eps) / 2.0
        self.weighted = sample_weight is not None
        if self.weighted:
            # A power of two does not change means, and sums of tiny or huge weights stay finite.
            exponent = math.frexp(float(self._xp.max(sample_weight)))[1]
            self.weight = sample_weight * math.ldexp(1.0, max(-exponent, -1000))
        else:
            self.weight = self._xp.broadcast_to(zeros((1,), X) + 1.0, (self.n_rows,))
        origin = origin or self._own_origin(centred, scaled)
        self.shift, self.unit = (placed_like(A, X) for A in origin)

    def _own_origin(self, centred, scaled):
        """Return the shift and unit of evenly spaced rows with a weight."""
        every = max(1, self.n_rows // SAMPLE_ROWS)
        rows, weight = slice(None, None, every), None
        if self.weighted:
            rows = to_host(self._xp.nonzero(self.weight > 0)[0])[rows]
            weight = to_host(take(self.weight, rows, axis=0))
        X, Y = (to_host(take(A, rows, axis=0)) for A in (self.X, self.Y))
        sample = DenseRows(X, Y, weight, centred=centred, scaled=scaled)
        return sample.shift, sample.unit

    def of_outputs(self, outputs):
        """Return the same rows with some of the outputs, given by an index array."""
        columns = columns_of(self.n_features, outputs)
        other = copy.copy(self)
        other.Y, other.n_outputs = take(self.Y, outputs, axis=1), len(outputs)
        other.shift, other.unit = (take(A, columns, axis=0) for A in (self.shift, self.unit))
        other._column_sums = None
        return other

    @property
    def n_entries(self):
        """How many entries a pass reads."""
        return self.n_rows * self.n_features

    @property
    def stored_unit(self):
        """Ones, (P,): rows are stored unchanged."""
        return self._xp.ones_like(self.unit)

    @property
    def entries_of_a_row(self):
        """The number of entries of a row, all of which are read."""
        return self.n_features

    def _spans(self, at_least=1):
        """Yield the slices of the blocks of rows."""
        n_block = max(BLOCK_ITEMS // (self.n_features + self.n_outputs), at_least)
        for start in range(0, self.n_rows, n_block):
            yield slice(start, min(start + n_block, self.n_rows))

    def _blocks(self, dtype, at_least=1):
        """Yield (z_x, z_y, weight) block by block."""
        M, astype = self.n_features, self._xp.astype
        shift, unit = astype(self.shift, dtype), astype(self.unit, dtype)
        for rows in self._spans(at_least):
            z_x = (astype(self.X[rows, :], dtype) - shift[:M]) * unit[:M]
            z_y = (astype(self.Y[rows, :], dtype) - shift[M:]) * unit[M:]
            yield z_x, z_y, astype(self.weight[rows], dtype)

    def _shifted(self):
        """Yield slices of rows and their x - shift, float64, block by block."""
        for rows in self._spans():
            x = self._xp.astype(self.X[rows, :], self._xp.float64)
            yield rows, x - self.shift[: self.n_features]

    # The sums show whether values are finite: NumPy beneath a library need not warn.
    @np.errstate(over="ignore", invalid="ignore")
    def _gram(self, dtype):
        """Return the sums of products of [z_x, z_y, 1], as `_gram_shape` says, in float64."""
        xp, (height, size) = self._xp, self._gram_shape
        gram = zeros((height, size), self.X)
        for z_x, z_y, weight in self._blocks(xp.float64, at_least=height):
            root = xp.sqrt(weight)[:, None]
            if self.weighted:
                z_x, z_y = z_x * root, z_y * root
            block = xp.concat([z_x, z_y, root], axis=1)
            if self._all_pairs:
                gram += block.T @ block
                continue
            gram[:-2, :] += z_x.T @ block
            gram[-2, :] += xp.sum(block * block, axis=0)
            gram[-1:, :] += root.T @ block
        return gram

    @np.errstate(over="ignore", invalid="ignore")
    def _columns(self):
        """Return sums of w z and w z ** 2, (2, P), and of w where x is not 0 and w, (M + 1,)."""
        if self._column_sums is None:
            xp, M = self._xp, self.n_features
            sums, filled = zeros((2, M + self.n_outputs), self.X), zeros((M + 1,), self.X)
            for rows, (*z, weight) in zip(self._spans(), self._blocks(xp.float64), strict=True):
                z, weight = xp.concat(z, axis=1), weight[:, None]
                sums += xp.stack([xp.sum(weight * z, axis=0), xp.sum(weight * z * z, axis=0)])
                filled[:M] += xp.sum(xp.where(self.X[rows, :] != 0, weight, 0.0), axis=0)
                filled[M] += xp.sum(weight)
            self._column_sums = sums, filled
            if not xp.all(xp.isfinite(sums)):
                self._raise_non_finite()
        return self._column_sums

    def products_of_rows(self, centre, scale):
        """Return the same as DenseRows, with both triangles filled."""
        xp, M = self._xp, self.n_features
        root, products = xp.sqrt(self.weight)[:, None], zeros((self.n_rows, self.n_rows), self.X)
        for start in range(0, M, COLUMNS):
            j = slice(start, min(start + COLUMNS, M))
            z = (xp.astype(self.X[:, j], xp.float64) - self.shift[:M][j]) * self.unit[:M][j]
            z = root * ((z - centre[j]) * scale[j])
            products += z @ z.T
        return products

    def square_lengths(self, centre, inverse):
        """Return the squared lengths of the rows (x - centre) * inverse, (N,)."""
        xp = self._xp
        parts = (xp.astype(self.X[rows, :], xp.float64) for rows in self._spans())
        return xp.concat([xp.sum(((x - centre) * inverse) ** 2, axis=1) for x in parts])

    def residual(self, V, offset, *, homogeneous=False):
        """Return sums over rows of w z_x r, (M, D), of w r and of w r ** 2, (D,) each.

        The residual r is ``z_y - offset - z_x V``, with z_y = 0 if homogeneous.
        """
        xp, M = self._xp, self.n_features
        gradient, unit = xp.zeros_like(V), self.unit[:M, None]
        first, second = xp.zeros_like(offset), xp.zeros_like(offset)
        # V is multiplied by the unit, since a product with X would take as long as a pass.
        V = unit * V
        for rows, x in self._shifted():
            r = -offset - x @ V
            if not homogeneous:
                r += (xp.astype(self.Y[rows, :], xp.float64) - self.shift[M:]) * self.unit[M:]
            weighted = self.weight[rows, None] * r if self.weighted else r
            gradient += x.T @ weighted
            first += xp.sum(weighted, axis=0)
            second += dot(weighted, r)
        return unit * gradient, first, second

    # These libraries have no wider float.
    precise_residual = residual
