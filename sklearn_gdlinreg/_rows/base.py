"""The data as the descent reads them: rows, block by block, without a copy.

A row is seen as ``z = (x - shift) * unit``; see `dense` and `csr`.

Conventions: N rows, M features, D outputs, P = M + D columns ``[z_x, z_y]``; means are
weighted; V is (M, D).
"""

import copy
import math
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cached_property

import numpy as np

from .._base.arrays import ENTRIES_OF_A_SPAN, namespace, stored, take
from .._base.threads import MOST_THREADS, blas_of_one_thread, count_threads
from .._input.containers import assert_finite_features, assert_finite_targets
from .moments import columns_of

# The cost of adding an item of a gradient that two threads have computed, in multiply-adds.
ADDED_UP = 4


def with_whole_strides(A):
    """Return A, or a copy if kernels cannot read its items in place.

    The strides of a field of records need not be multiples of the item size, and memory from
    another process may not be aligned.
    """
    return A if A.flags.aligned and not A.strides[1] % A.itemsize else A.copy()


def sums_of_outputs(n_outputs):
    """Return an array (2, D) for the sums of a thread.

    Threads add to them at every row, so those of different threads share no cache line.
    """
    return np.empty(2 * n_outputs + 32)[16:-16].reshape(2, n_outputs)


def constant_array(value, shape, dtype=np.float64):
    """Return an array whose items all share one value in memory; it must not be written to."""
    return np.ndarray(shape, dtype, np.array(value, dtype), strides=(0,) * len(shape))


class Rows:
    """What dense and sparse rows share.

    Parameters
    ----------
    X : array or CSR matrix of shape (N, M), float32 or float64
    Y : ndarray of shape (N, D), of the type of X
    sample_weight : ndarray of shape (N,), float64, or None

    Attributes
    ----------
    widest_moments : int
        Moments of wider data would take too much memory.
    n_entries, moments_work
        The costs of a pass and of moments.
    roundoff : float
        The unit roundoff of the type of X.
    has_columns : bool
        Whether products of selected columns can be computed.
    at_hand : bool
        Whether all values, zeros too, are in memory, so that a sample can be taken.
    """

    at_hand = has_columns = False

    def __init__(self, X, Y, sample_weight):
        self.X, self.Y = X, Y
        (self.n_rows, self.n_features), self.n_outputs = X.shape, Y.shape[1]
        self.roundoff = float(np.finfo(X.dtype).eps) / 2.0
        self.weighted = sample_weight is not None
        if self.weighted:
            # A power of two does not change means, and sums of tiny or huge weights stay finite.
            self.weight = np.ldexp(sample_weight, -np.frexp(sample_weight.max())[1])
        else:
            self.weight = constant_array(1.0, (self.n_rows,))
        self._outputs = self._pool = None

    def of_outputs(self, outputs):
        """Return the same rows with some of the outputs, given by an index array.

        X is shared and is not read.
        """
        columns = columns_of(self.n_features, outputs)
        other = copy.copy(self)
        other.Y, other.n_outputs = take(self.Y, outputs, axis=1), len(outputs)
        other.shift, other.unit = self.shift[columns], self.unit[columns]
        other._outputs = other._pool = other._column_sums = other._residual = None
        return other

    @property
    def row_products_work(self):
        """The cost of products of rows, in multiply-adds of a pass."""
        return self.moments_work * self.n_rows / self.n_features

    @property
    def _all_pairs(self):
        """Whether products of outputs are computed, too, which is faster for few outputs."""
        return self.n_outputs <= self.n_features

    @property
    def _gram_shape(self):
        """The shape of the products of [z_x, z_y, 1], or of all that is made of them.

        Without those of two outputs there are the products with z_x, the squares of all columns
        and their sums.
        """
        size = self.n_features + self.n_outputs + 1
        return (size if self._all_pairs else self.n_features + 2), size

    def _no_targets(self):
        """Return a Y of zeros."""
        return constant_array(0.0, self.Y.shape, self.Y.dtype)

    def _sum(self, add, parts, product=0, bounds=None, n_block=1):
        """Sum ``add(outputs, start, stop)`` over spans of rows, with one thread per part.

        An interrupt is heard between the spans of a part.

        Parameters
        ----------
        add : callable
            A kernel that adds to its outputs; it releases the GIL.
        parts : list of list of ndarray
            The outputs of each thread, overwritten. The result is in the first.
        product : int
            Multiply-adds of the largest product that BLAS computes.
        bounds : sequence of int, of length n_parts + 1, optional
            Where the parts begin and end; by default they are equally long.
        n_block : int
            How many rows a kernel reads at a time; spans are multiples of that.
        """
        n_parts, ended = len(parts), False
        if bounds is None:
            bounds = [k * self.n_rows // n_parts for k in range(n_parts + 1)]
        n_spans = 1 + self.n_entries // (n_parts * ENTRIES_OF_A_SPAN)

        def run(outputs, start, stop):
            for output in outputs:
                output.fill(0.0)
            n_blocks = math.ceil((stop - start) / (n_spans * n_block))
            length = max(1, n_blocks) * n_block
            for here in range(start, stop, length):
                if ended:
                    break
                add(outputs, here, min(here + length, stop))

        with blas_of_one_thread(product):
            if n_parts == 1:
                run(parts[0], *bounds)
                return parts[0]
            if self._pool is None:
                # Starting threads takes longer than a pass, so they live as long as these rows.
                self._pool = ThreadPoolExecutor(MOST_THREADS)
            # All parts go to threads: one beside a thread that works itself may share its core.
            work = zip(parts, bounds[:-1], bounds[1:], strict=True)
            threads = [self._pool.submit(run, *part) for part in work]
            try:
                for thread in threads:
                    thread.result()
            finally:
                # After an error no thread goes on to write to its part.
                ended = True
                wait(threads)
        for part in parts[1:]:
            for total, term in zip(parts[0], part, strict=True):
                total += term
        return parts[0]

    def _sums_of_threads(self, n_entries):
        """Return the outputs of a pass for each thread, allocated once.

        New memory of this size takes longer than the computation in it.
        """
        if self._outputs is None:
            M, D = self.n_features, self.n_outputs
            # In the end, one thread adds up the sums of all threads.
            n_threads = count_threads(n_entries * (1 + D) - ADDED_UP * M * D)
            self._outputs = [[np.empty((M, D)), sums_of_outputs(D)] for _ in range(n_threads)]
        return self._outputs

    @property
    def n_weighted(self):
        """The number of rows with a positive weight."""
        if not self.weighted:
            return self.n_rows
        return int(namespace(self.weight).count_nonzero(self.weight))

    @property
    def stored_unit(self):
        """The factors by which the stored columns of X and Y have been multiplied, (P,)."""
        return np.ones(self.n_features + self.n_outputs)

    @cached_property
    def entries_of_a_row(self):
        """The mean number of nonzero entries of a row, at least 1."""
        return max(1.0, float(self.density().sum()))

    def known_density(self):
        """Return `density` if that needs no pass over all values, else ones, (M,)."""
        return np.ones(self.n_features)

    def _raise_non_finite(self):
        """Raise an error that names the input that is not finite, or overflows."""
        assert_finite_features(stored(self.X))
        assert_finite_targets(self.Y)
        raise ValueError(
            "Input X or y spans too many orders of magnitude: the squares of its values "
            "overflow. Scale the features or the outputs to a smaller range."
        )
