"""Rows of a CSR matrix or array, seen as they are, but for values that would cost digits.

Targets far off zero are shifted, and so are features that are far off zero in all rows.

Conventions are those of `base`.
"""

from functools import cached_property, partial

import numpy as np
from scipy import sparse
from scipy.linalg import blas
from sklearn.utils.sparsefuncs import mean_variance_axis

from .._base.arrays import take
from .._base.rounding import EPS, rounded_to_20_bits, rounding_of
from .._base.threads import count_threads
from .base import Rows, constant_array, sums_of_outputs, with_whole_strides
from .columns import add_filled_sparse, has_repeated_entries, products_of_sparse_columns
from .kernels import (
    add_gradient_sparse,
    add_moments_sparse,
    add_residual_sparse,
    gather_gradient_sparse,
    mirror,
    square_lengths_sparse,
)
from .moments import FAR_OFF_ZERO, Moments

# After so many passes, times outputs, the columns are worth a copy in which they lie together.
WORTH_A_TRANSPOSE = 24
# A multiply-add at an index takes as long as so many of a dense pass.
AT_AN_INDEX = 2
# Mean squares outside of TINY to 1 / TINY are about to lose digits to the range of floats.
TINY = 1e-200


def csr_arrays(X):
    """Return data, indices and indptr of a CSR matrix as kernels take them.

    They are aligned, of one type of index, and never empty: a matrix without entries gets one
    that no row has.
    """
    index_type = np.result_type(X.indices, X.indptr)
    data, indices = X.data, X.indices
    if not len(data):
        data, indices = np.zeros(1, X.dtype), np.zeros(1, index_type)
    parts = data, indices.astype(index_type, copy=False), X.indptr.astype(index_type, copy=False)
    return tuple(np.require(part, requirements="A") for part in parts)


def _has_repeated_entries(X):
    """Whether a row of a CSR matrix has several entries in one column."""
    _, *places = csr_arrays(X)
    return has_repeated_entries(*places, np.full(X.shape[1], -1, np.intp))


class CSRRows(Rows):
    """Rows of a CSR matrix or array, with int32 or int64 indices.

    Repeated entries are added up first, in a copy; the order of entries does not matter.
    """

    widest_moments = 4_096
    has_columns = True

    def __init__(self, X, Y, sample_weight, *, centred):
        # Kernels trust the indices.
        X.check_format(full_check=True)
        if not X.has_canonical_format and _has_repeated_entries(X):
            X = X.copy()
            X.sum_duplicates()
        if not (np.isfinite(X.data).all() and np.isfinite(Y).all()):
            super().__init__(X, Y, None)
            self._raise_non_finite()
        super().__init__(X, with_whole_strides(Y), sample_weight)
        self.centred = centred
        self.shift = np.zeros(self.n_features + self.n_outputs)
        self.unit = np.ones(self.n_features + self.n_outputs)
        self._residual = self._near_zero = None
        self._csr = csr_arrays(X)

    def of_outputs(self, outputs):
        """Return what that of Rows does."""
        other = super().of_outputs(outputs)
        if self._near_zero is not None:
            data, Y = self._near_zero
            other._near_zero = data, take(Y, outputs, axis=1)
        return other

    @property
    def stored_unit(self):
        """What the columns of X and Y have been multiplied by where they are kept, (P,)."""
        return self.unit

    @property
    def n_entries(self):
        """How many entries a pass reads."""
        return self.X.nnz

    @property
    def moments_work(self):
        """What gathering moments takes, in multiply-adds of a pass."""
        return self.n_entries**2 / max(self.n_rows, 1)

    def csr(self):
        """Return data, indices and indptr."""
        return self._csr

    def column_moments(self):
        """Return the Moments without products; variances are centred before they are squared.

        From then on the rows are seen from a shift where they are far off zero.
        """
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            mean, variance = self._mean_and_variance()
            square = variance + mean**2
            lost = (mean != 0) & ~((square > TINY) & (square < 1 / TINY))
            if lost.any():
                self._rescale(mean)
                mean, variance = self._mean_and_variance()
        if not np.isfinite(variance).all():
            self._raise_non_finite()
        if self.centred:
            in_data = rounding_of(mean**2, self.roundoff)
            variance[variance <= (16 * EPS * mean) ** 2 + in_data] = 0.0
        else:
            variance += mean**2
        shift = self._far_off_zero(mean, variance)
        if shift.any():
            mean = self._shift(mean, shift)
        return Moments.of(self, float(self.weight.sum()), mean, variance)

    def _mean_and_variance(self):
        X, Y = (A.astype(np.float64, copy=False) for A in (self.X, self.Y))
        weight = np.ascontiguousarray(self.weight)
        mean, variance = mean_variance_axis(X, axis=0, weights=weight)
        y_mean = weight @ Y / weight.sum()
        y_variance = weight @ (Y - y_mean) ** 2 / weight.sum()
        return np.append(mean, y_mean), np.append(variance, y_variance)

    def _rescale(self, mean):
        """Bring the columns to unit size by powers of two, in a copy: a last resort."""
        exponent = np.clip(np.frexp(mean)[1], -500, 500)
        self.unit = np.ldexp(1.0, -exponent)
        M = self.n_features
        self.X = self.X.astype(np.float64)
        self.X.data *= self.unit[self.X.indices]
        self._csr = csr_arrays(self.X)
        self.Y = self.Y * self.unit[M:]

    def moments(self):
        """Return the Moments, with products."""
        moments = self.moments_near_mean().seen_from(self.shift, self.unit)
        return moments._replace(rounding=EPS)

    def moments_near_mean(self):
        """Return the Moments, with products, from a shift that the means are not far off.

        Features that are far off zero can be shifted as they are where all rows have an entry.
        """
        moments = self.column_moments()
        M, D = self.n_features, self.n_outputs
        (data, *places), Y = self._seen()
        x_mean, y_mean = moments.mean[:M], moments.mean[M:]

        def add(outputs, start, stop):
            add_moments_sparse(data, *places, Y, self.weight, y_mean, *outputs, start, stop)

        parts = [[np.empty((M, M)), np.empty((M, D))]]
        gram, cross = (A / moments.weight for A in self._sum(add, parts))
        gram += gram.T - np.diag(np.diag(gram))
        if self.centred:
            gram -= np.outer(x_mean, x_mean)
        else:
            cross += np.outer(x_mean, y_mean)
        moments = moments._replace(products=np.concatenate([gram, cross], axis=1))
        return moments.with_rounding_of_sums().near_its_mean()

    def _seen(self):
        """Return (data, indices, indptr) and Y as rows are seen: shifted, if need be."""
        if self._near_zero is None:
            return self.csr(), self.Y
        data, Y = self._near_zero
        return (data, *self.csr()[1:]), Y

    def _far_off_zero(self, mean, variance):
        """Return the means of columns that are far off zero in all rows, (P,), and 0 of others.

        They are rounded so that values are shifted exactly.
        """
        M = self.n_features
        far = (mean**2 > FAR_OFF_ZERO * variance) & (mean != 0) & self.centred
        if far[:M].any():
            far[:M] &= self.density(counted=True) == 1.0
        return np.where(far, rounded_to_20_bits(mean), 0.0)

    def _shift(self, mean, shift):
        """See the rows from a shift, in units of z, from now on; return the means, (P,)."""
        M, weight, data = self.n_features, np.ascontiguousarray(self.weight), self.csr()[0]
        # In float64, as are the targets: kernels take both of one type.
        data, Y = data.astype(np.float64, copy=False), self.Y - shift[M:]
        near = np.append(mean[:M], weight @ Y / weight.sum())
        if shift[:M].any():
            data = data - shift[self.csr()[1]]
            parts = data[: self.X.nnz], self.X.indices, self.X.indptr
            X = sparse.csr_array(parts, self.X.shape)
            near[:M], _ = mean_variance_axis(X, axis=0, weights=weight)
        self._near_zero, self.shift = (data, Y), shift / self.unit
        # Those that have not moved are as they were.
        return np.where(shift == 0, mean, near)

    def residual(self, V, offset, *, homogeneous=False):
        """Return sums over rows of w x r, (M, D), of w r and of w r ** 2, (D,) each.

        The first is overwritten by the next call.
        The residual r is ``y - offset - x V``, with y = 0 if homogeneous.
        """
        X, Y = self._seen()
        if homogeneous:
            Y = constant_array(0.0, Y.shape, Y.dtype)
        if self._residual is None:
            self._residual, self._n_passes = np.empty(Y.shape), 0
        self._n_passes += 1
        by_column = self.n_outputs > 1 and self._n_passes * self.n_outputs > WORTH_A_TRANSPOSE

        def add(outputs, start, stop):
            *gradient, sums = outputs
            add_residual_sparse(*X, Y, self.weight, V, offset, self._residual, sums, start, stop)
            if gradient:
                add_gradient_sparse(*X, self._residual, *gradient, start, stop)

        parts = self._sums_of_threads(AT_AN_INDEX * self.X.nnz)
        if not by_column:
            gradient, sums = self._sum(add, parts)
            return gradient, *sums
        D, gradient = self.n_outputs, parts[0][0]
        n_threads = count_threads(AT_AN_INDEX * self.X.nnz * (1 + D))
        (sums,) = self._sum(add, [[sums_of_outputs(D)] for _ in range(n_threads)])
        self._gather(gradient, n_threads)
        return gradient, *sums

    def _gather(self, gradient, n_threads):
        """Write the sums over rows of x r, (M, D), for the residuals of the last pass."""
        columns = csr_arrays(self._by_column)
        ends = columns[2]
        bounds = np.searchsorted(ends, np.linspace(0, ends[-1], n_threads + 1))
        bounds[0], bounds[-1] = 0, self.n_features

        def write(_, start, stop):
            gather_gradient_sparse(*columns, self._residual, gradient, start, stop)

        self._sum(write, [[]] * n_threads, bounds=bounds)

    precise_residual = residual

    def column_products(self, centre, scale):
        """Return what that of DenseRows does."""
        return partial(self._write_products, centre, scale)

    def _write_products(self, centre, scale, columns, others, out):
        both, X = np.concatenate([others, columns]), self._by_column
        n_entries = int((X.indptr[both + 1] - X.indptr[both]).sum())
        total = self.weight.sum() if self.centred else 0.0
        out[:] = 0.0
        ends, places, values = (
            np.zeros(self.n_rows, np.intp), np.empty(n_entries, np.intp), np.empty(n_entries),
        )  # fmt: skip
        about = self.weight, both, centre[both], scale[both], total
        products_of_sparse_columns(
            X.data, X.indices, X.indptr, *about, ends, places, values, out
        )

    @property
    def row_products_work(self):
        """What products of rows take, in multiply-adds of a pass."""
        counts = np.bincount(self.X.indices, minlength=1).astype(np.float64)
        return 0.5 * float(counts @ counts)

    def products_of_rows(self, centre, scale):
        """Return what that of DenseRows does, also its upper triangle.

        Zeros stay what they are: the products are centred, not the rows.
        """
        N, X = self.n_rows, self._by_column
        root = np.ones(N)
        if self.weighted:
            root = np.sqrt(self.weight)
            X = X.copy()
            X.data *= root[X.indices]
        K, no_targets = np.zeros((N, N)), np.zeros((self.n_features, 0))
        about = no_targets, scale**2, np.zeros(0)
        add_moments_sparse(*csr_arrays(X), *about, K, np.zeros((N, 0)), 0, self.n_features)
        centre = centre * scale
        # Each product is less the one with the centre, on both sides; what is taken off twice
        # is put back.
        along = X.T @ (scale * centre) - 0.5 * (centre @ centre) * root
        blas.dsyr2(-1.0, along, root, lower=True, a=K.T, overwrite_a=True)
        mirror(K)
        return K

    def targets(self):
        """Return z_y, (N, D), float64."""
        return self._seen()[1].astype(np.float64, copy=False)

    def predictions(self, V):
        """Return z_x V, (N, D)."""
        return self._z_x @ V

    def combinations(self, A):
        """Return the sums over rows of z_x a, (M, D), for A of shape (N, D)."""
        return self._z_x.T @ A

    @property
    def _z_x(self):
        """The rows as they are seen, a CSR matrix."""
        (data, indices, indptr), _ = self._seen()
        nnz = self.X.nnz
        return sparse.csr_array((data[:nnz], indices[:nnz], indptr), self.X.shape)

    @cached_property
    def _by_column(self):
        """The columns of z_x as the rows of a CSR matrix, float64."""
        return self._z_x.astype(np.float64, copy=False).T.tocsr()

    def density(self, *, counted=False):
        """Return the share of weight in which each feature is not zero, (M,).

        Or the share of the rows that carry weight in which an entry of it is stored, where it
        is exactly 1 if one is in all of them.
        """
        filled = np.zeros(self.n_features)
        weight = (self.weight > 0).astype(np.float64) if counted else self.weight
        add_filled_sparse(*self.csr(), weight, counted, filled)
        return filled / weight.sum()

    known_density = density

    def square_lengths(self, centre, inverse):
        """Return the squared lengths of the rows (x - centre) * inverse, (N,)."""
        lengths, zeros = np.empty(self.n_rows), (centre * inverse) ** 2
        # Far off zero what is added and taken off again would leave nothing but rounding.
        zeros[self.density(counted=True) == 1.0] = 0.0
        scales = centre, inverse, zeros, float(zeros.sum())

        def write(_, start, stop):
            square_lengths_sparse(*self.csr(), *scales, lengths, start, stop)

        self._sum(write, [[]] * count_threads(AT_AN_INDEX * self.X.nnz))
        return lengths
