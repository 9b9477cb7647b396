"""The data as descent sees them: rows, read block by block, never copied.

A row is seen as ``z = (x - shift) * unit``. Dense rows are shifted by a provisional mean,
so that a large offset costs no digits, and scaled by powers of two, so that squares neither
overflow nor vanish; both are exact or nearly so. Sparse rows are seen as they are.

Conventions: N rows, M features, D outputs, P = M + D columns ``[z_x, z_y]``; means are
weighted; V is (M, D).
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sklearn.utils import assert_all_finite
from sklearn.utils.sparsefuncs import mean_variance_axis

from ._kernels import (
    add_moments_dense,
    add_moments_sparse,
    add_residual_dense,
    add_residual_sparse,
)

# Half a megabyte of float64: a block stays in the second-level cache of one core.
BLOCK_ITEMS = 2**16
# Below this many multiply-adds, starting a thread costs more than it saves.
WORK_OF_A_THREAD = 2**21
# From this width on, BLAS shares the work of one block among its own threads.
WIDTH_FOR_BLAS_THREADS = 128


def _n_threads(work):
    """Return how many threads the work, in multiply-adds, is worth."""
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    if allowed.isdigit():
        n_cores = int(allowed)
    elif hasattr(os, "sched_getaffinity"):
        n_cores = len(os.sched_getaffinity(0))
    else:
        n_cores = os.cpu_count() or 1
    return max(1, min(n_cores, 16, work // WORK_OF_A_THREAD))


def _short(values):
    """Round to 20 bits, so that differences to nearby floats are exact."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.rint(np.ldexp(mantissa, 20)), exponent - 20)


def _constant(value, shape, dtype=np.float64):
    """Return an array of one value, which takes the memory of one; read only by habit."""
    return np.ndarray(shape, dtype, np.array(value, dtype), strides=(0,) * len(shape))


class Rows:
    """What dense and sparse rows share.

    Parameters
    ----------
    X : array or CSR matrix of shape (N, M), float32 or float64
    Y : ndarray of shape (N, D), of the type of X
    sample_weight : ndarray of shape (N,), float64, or None
    """

    def __init__(self, X, Y, sample_weight):
        self.X, self.Y = X, Y
        (self.n_rows, self.n_features), self.n_outputs = X.shape, Y.shape[1]
        if sample_weight is None:
            sample_weight = _constant(1.0, (self.n_rows,))
        self.weight = sample_weight
        self._outputs = self._pool = None
        self._no_targets = _constant(0.0, Y.shape, X.dtype)

    def _sum(self, add, parts):
        """Sum ``add(outputs, start, stop)`` over spans of rows, one thread a part.

        Parameters
        ----------
        add : callable
            A kernel that adds to its outputs; it releases the GIL.
        parts : list of list of ndarray
            The outputs of each thread, overwritten. The result is in the first.
        """

        def run(outputs, start, stop):
            for output in outputs:
                output.fill(0.0)
            add(outputs, start, stop)

        if len(parts) == 1:
            run(parts[0], 0, self.n_rows)
            return parts[0]
        if self._pool is None:
            # Starting threads takes longer than a pass: they live as long as these rows.
            self._pool = ThreadPoolExecutor(len(parts))
        bounds = np.linspace(0, self.n_rows, len(parts) + 1).astype(int)
        list(self._pool.map(run, parts, bounds[:-1], bounds[1:]))
        for part in parts[1:]:
            for total, term in zip(parts[0], part, strict=True):
                total += term
        return parts[0]

    def _parts(self, n_entries):
        """Return the outputs of a pass, for each thread; made once and used again.

        Fresh memory of this size costs more than what is computed in it.
        """
        if self._outputs is None:
            M, D = self.n_features, self.n_outputs
            n_threads = _n_threads(n_entries * (1 + D))
            # Threads add to their sums at every row: keep these off each other's cache line.
            self._outputs = [
                [np.empty((M, D)), np.empty(2 * D + 32)[16:-16].reshape(2, D)]
                for _ in range(n_threads)
            ]
        return self._outputs

    def _raise_non_finite(self):
        """Say which input holds a nan or an infinity, or overflows."""
        assert_all_finite(getattr(self.X, "data", self.X), input_name="X")
        assert_all_finite(self.Y, input_name="y")
        raise ValueError(
            "Input X or y spans too many orders of magnitude: the squares of its values "
            "overflow. Scale the features or the outputs to a smaller range."
        )


class DenseRows(Rows):
    """Rows of an ndarray, in any memory layout.

    Parameters
    ----------
    X, Y, sample_weight : as in Rows
    centred : bool
        Whether a provisional mean is taken off, as an intercept allows.
    scaled : bool
        Whether columns are brought to unit size by powers of two.
    """

    def __init__(self, X, Y, sample_weight, *, centred, scaled):
        if X.strides[1] % X.itemsize:  # a field of a structured array
            X = X.copy()
        super().__init__(X, Y, sample_weight)
        n_columns = self.n_features + self.n_outputs
        self.shift, self.unit = np.zeros(n_columns), np.ones(n_columns)
        sample = self._sample()
        if centred:
            self.shift = _short(sample.mean(axis=0))
        if scaled:
            largest = np.abs(sample - self.shift).max(axis=0)
            # Within these bounds the squares of units are floats too.
            self.unit = np.ldexp(1.0, -np.clip(np.frexp(largest)[1], -500, 500))

    def _sample(self):
        """Return some rows of [X, Y], evenly spread, that carry weight; float64."""
        n_wanted = min(256, max(8, 2 * BLOCK_ITEMS // self.n_features))
        rows = slice(None, None, max(1, self.n_rows // n_wanted))
        if self.weight.strides[0]:
            rows = np.flatnonzero(self.weight)[rows]
        sample = np.concatenate([self.X[rows], self.Y[rows]], axis=1, dtype=np.float64)
        # A nan here would hide in the shift; the checks of the sums still find it.
        return np.where(np.isfinite(sample), sample, 0.0)

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

    def moments(self):
        """Return the sum of weights and the means of z, (P,), and of z z', (P, P)."""
        gram = self._gram(self.X.dtype)
        if self.X.dtype != np.float64 and not np.isfinite(gram).all():
            gram = self._gram(np.float64)
        if not np.isfinite(gram).all():
            self._raise_non_finite()
        total = gram[-1, -1]
        return total, gram[:-1, -1] / total, gram[:-1, :-1] / total

    def _gram(self, dtype):
        """Return the sums of products of [z_x, z_y, 1], multiplied in ``dtype``."""
        size = self.n_features + self.n_outputs + 1
        n_block = self._n_block(at_least=size)
        root_weight = self.weight
        if self.weight.strides[0]:
            root_weight = np.sqrt(self.weight)
        shift, unit = self.shift.astype(dtype), self.unit.astype(dtype)

        def add(outputs, start, stop):
            block, gram = np.empty((n_block, size), dtype), np.empty((size, size), dtype)
            add_moments_dense(
                self.X, self.Y, root_weight, shift, unit, block, gram, *outputs, start, stop
            )

        n_threads = 1
        if size <= WIDTH_FOR_BLAS_THREADS:
            n_threads = _n_threads(self.n_rows * size**2)
        parts = [[np.empty((size, size))] for _ in range(n_threads)]
        (upper,) = self._sum(add, parts)
        gram = upper + upper.T
        gram.flat[:: size + 1] = upper.flat[:: size + 1]
        return gram

    def column_moments(self):
        """Return the sum of weights and the means of z and of z ** 2, (P,) each."""
        total, first, second = 0.0, 0.0, 0.0
        for z_x, z_y, weight in self._blocks(np.float64):
            z = np.hstack([z_x, z_y])
            total += weight.sum()
            first += weight @ z
            second += weight @ (z * z)
        if not np.isfinite(second).all():
            self._raise_non_finite()
        return total, first / total, second / total

    def residual(self, V, offset, *, homogeneous=False):
        """Return sums over rows of w z_x r, (M, D), of w r and of w r ** 2, (D,) each.

        The first is overwritten by the next call.
        The residual r is ``z_y - offset - z_x V``, with z_y = 0 if homogeneous.
        """
        M, n_block = self.n_features, self._n_block()
        Y, shift = self.Y, self.shift
        if homogeneous:
            Y, shift = self._no_targets, np.append(shift[:M], np.zeros(self.n_outputs))
        # The kernel reads x - shift; units are taken off V here and put back at the end.
        unit, y_unit = self.unit[:M, None], self.unit[M:]
        V_x, offset = unit * V / y_unit, offset / y_unit

        def add(outputs, start, stop):
            block, r = np.empty((n_block, M)), np.empty((n_block, self.n_outputs))
            add_residual_dense(
                self.X, Y, self.weight, shift, V_x, offset, block, r, *outputs, start, stop
            )

        gradient, sums = self._sum(add, self._parts(self.X.size))
        gradient *= unit * y_unit
        return gradient, sums[0] * y_unit, sums[1] * y_unit**2

    def precise_residual(self, V, offset):
        """Return what ``residual`` does, computed in the widest float there is.

        Rounding errors of a float64 gradient hide the last digits of ill-conditioned
        problems; iterative refinement wants the residual in more (Higham, 2002, ch. 12).
        """
        gradient = np.zeros(V.shape, np.longdouble)
        sums = np.zeros((2, self.n_outputs), np.longdouble)
        for z_x, z_y, weight in self._blocks(np.longdouble):
            r = z_y - offset - z_x @ V.astype(np.longdouble)
            weighted = weight[:, None] * r
            gradient += z_x.T @ weighted
            sums += weighted.sum(axis=0), (weighted * r).sum(axis=0)
        return gradient, *sums


class SparseRows(Rows):
    """Rows of a CSR matrix or array, with int32 or int64 indices.

    One with repeated or unsorted entries is put in order first, in a copy.
    """

    def __init__(self, X, Y, sample_weight):
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        super().__init__(X, Y, sample_weight)
        n_columns = self.n_features + self.n_outputs
        self.shift, self.unit = np.zeros(n_columns), np.ones(n_columns)
        self._residual = None
        index_type = np.result_type(X.indices, X.indptr)
        self._csr = (
            X.data,
            X.indices.astype(index_type, copy=False),
            X.indptr.astype(index_type, copy=False),
        )
        if not (np.isfinite(X.data).all() and np.isfinite(Y).all()):
            self._raise_non_finite()

    def column_moments(self):
        """Return the sum of weights and the means of z and of z ** 2, (P,) each."""
        mean, variance, _ = mean_variance_axis(
            self.X, axis=0, weights=self.weight.astype(self.X.dtype), return_sum_weights=True
        )
        mean, variance = mean.astype(np.float64), variance.astype(np.float64)
        total = self.weight.sum()
        y_mean = self.weight @ self.Y / total
        y_square = np.einsum("n,nd,nd->d", self.weight, self.Y, self.Y) / total
        square = np.append(variance + mean**2, y_square)
        if not np.isfinite(square).all():
            self._raise_non_finite()
        return total, np.append(mean, y_mean), square

    def moments(self):
        """Return the sum of weights and the means of z, (P,), and of z z', (P, P)."""
        total, mean, square = self.column_moments()
        M, D = self.n_features, self.n_outputs
        y_mean = mean[M:]

        def add(outputs, start, stop):
            add_moments_sparse(*self._csr, self.Y, self.weight, y_mean, *outputs, start, stop)

        parts = [[np.empty((M, M)), np.empty((M, D))]]
        gram, cross = self._sum(add, parts)
        second = np.diag(square)
        second[:M, :M] = (gram + gram.T - np.diag(np.diag(gram))) / total
        second[:M, M:] = cross / total + np.outer(mean[:M], y_mean)
        second[M:, :M] = second[:M, M:].T
        return total, mean, second

    def residual(self, V, offset, *, homogeneous=False):
        """Return sums over rows of w x r, (M, D), of w r and of w r ** 2, (D,) each.

        The first is overwritten by the next call.
        The residual r is ``y - offset - x V``, with y = 0 if homogeneous.
        """
        Y = self._no_targets if homogeneous else self.Y
        if self._residual is None:
            self._residual = np.empty(Y.shape)

        def add(outputs, start, stop):
            add_residual_sparse(
                *self._csr, Y, self.weight, V, offset, self._residual, *outputs, start, stop
            )

        gradient, sums = self._sum(add, self._parts(self.X.nnz))
        return gradient, *sums

    precise_residual = residual
