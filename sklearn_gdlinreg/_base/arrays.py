"""Arrays of NumPy and of other libraries, with the names of the Array API standard.

Full-batch descent is written once, with functions that all of them have. This module has the few
that have no common name, or for which NumPy has a faster one.
"""

import math

import numpy as np
from scipy import sparse

from .compat import move_to

NUMPYS = np.ndarray, np.generic
# A quarter of a megabyte of float64: a few such blocks stay in the second-level cache.
ITEMS_OF_A_BLOCK = 2**15
# How many entries are copied between two checks for an interrupt.
ENTRIES_OF_A_SPAN = 2**22
# Arrays of so many rows of so few items are reduced column by column.
MANY_ROWS, FEW_COLUMNS = 1_000, 16


def is_numpy(A):
    """Whether an array is an ndarray of NumPy."""
    return isinstance(A, NUMPYS)


def namespace(A):
    """Return the module with the functions for an array.

    It is NumPy also for arrays to whose library the functions of NumPy dispatch, such as Dask,
    and a module of `array_api_compat` for arrays that lack the names of the standard.
    """
    if is_numpy(A) or (
        hasattr(A, "__array_function__") and not hasattr(A, "__array_namespace__")
    ):
        return np
    # scikit-learn, which has checked arrays of other libraries, needs it too.
    from array_api_compat import array_namespace

    return array_namespace(A)


def to_host(A):
    """Return an array as an ndarray of NumPy."""
    return A if is_numpy(A) else move_to(A, xp=np, device="cpu")


def host_dtype(A):
    """Return the dtype of NumPy that corresponds to the dtype of an array."""
    return A.dtype if is_numpy(A) else to_host(A[:0, ...]).dtype


def shared_with_host(A):
    """Return an array in the memory of the host as an ndarray of the same memory.

    Other arrays are returned unchanged. Compiled loops need ndarrays.
    """
    here = is_numpy(A) or sparse.issparse(A) or A is None
    return A if here or not on_host(A) else to_host(A)


def on_host(A):
    """Whether an array of another library than NumPy is in the memory of the host."""
    return "cpu" in str(device(A)).lower()


def device(A):
    """Return the device that an array is on."""
    from array_api_compat import device

    return device(A)


def same_place(A, B):
    """Whether two arrays have the same library and the same device."""
    if is_numpy(A) or is_numpy(B):
        return is_numpy(A) and is_numpy(B)
    return namespace(A) is namespace(B) and device(A) == device(B)


def placed_like(values, like):
    """Return an ndarray or a number as an array with the library and device of another."""
    if is_numpy(like) or type(values) is type(like):
        return values
    values = np.asarray(values)
    if not values.flags.writeable or any(stride < 0 for stride in values.strides):
        values = values.copy()  # PyTorch needs writable arrays, or warns.
    return namespace(like).asarray(values, device=device(like))


def zeros(shape, like):
    """Return float64 zeros with the library and device of an array."""
    if is_numpy(like):
        return np.zeros(shape)
    xp = namespace(like)
    return xp.zeros(shape, dtype=xp.float64, device=device(like))


def row_blocks(A):
    """Yield slices of the rows of A that are small enough to stay in the cache.

    Allocating memory for all of a large matrix costs more than the computation. For libraries
    other than NumPy, there is one slice.
    """
    n = max(1, ITEMS_OF_A_BLOCK // A.shape[1]) if is_numpy(A) else A.shape[0]
    for start in range(0, A.shape[0], n):
        yield slice(start, start + n)


def same_values(A, B):
    """Whether two ndarrays are identical or equal, as in `np.array_equal`."""
    return A is B or (A.shape == B.shape and bool((A == B).all()))


def copied(A):
    """Return a copy of an array."""
    return A.copy() if is_numpy(A) else namespace(A).asarray(A, copy=True)


def detached(A):
    """Return an array without the record of its derivatives, if it has one.

    Recording the derivatives of a fit would need too much memory.
    """
    return A.detach() if hasattr(A, "detach") else A


def stored(X):
    """Return the stored values of X: all, or those of a sparse matrix."""
    return X.data if sparse.issparse(X) else X


def dot(A, B):
    """Return the inner products of the columns of A and B, (D,); one row may stand for all."""
    if is_numpy(A):
        # BLAS would start threads, which then wait in a loop.
        return np.einsum("md,md->d", A, B)
    return namespace(A).sum(A * B, axis=0)


def weighted_square(weight, A):
    """Return the sums of weight * A ** 2 over the columns of A, (D,)."""
    if is_numpy(A):
        return np.einsum("m,md,md->d", weight, A, A)
    return namespace(A).sum(weight[:, None] * A * A, axis=0)


def largest_of(A):
    """Return the largest absolute value of each column, (D,), or nan if it has one."""
    n, D = A.shape
    if is_numpy(A) and n >= MANY_ROWS and D <= FEW_COLUMNS:
        # NumPy takes ten times as long over rows that are so short.
        return np.array([max(a.max(), -a.min()) for a in A.T], dtype=A.dtype)
    xp = namespace(A)
    return xp.maximum(xp.max(A, axis=0), -xp.min(A, axis=0))


def inverse_of(values, where=None):
    """Return 1 / values, with 0 where a value is 0 or ``where`` is false."""
    xp = namespace(values)
    some = values > 0 if where is None else where
    return xp.where(some, 1.0 / xp.where(some, values, 1.0), 0.0)


def _rows_of_csr(A, indices):
    """Return a copy of some rows of a CSR matrix; it can be interrupted between spans."""
    if isinstance(indices, slice) or A.nnz <= ENTRIES_OF_A_SPAN:
        return A[indices]
    ends = np.append(0, np.cumsum(np.diff(A.indptr)[indices], dtype=A.indptr.dtype))
    data, columns = np.empty(ends[-1], A.dtype), np.empty(ends[-1], A.indices.dtype)
    n = max(1, ENTRIES_OF_A_SPAN * A.shape[0] // A.nnz)
    for i in range(0, len(indices), n):
        part, here = A[indices[i : i + n]], slice(ends[i], ends[min(i + n, len(indices))])
        data[here], columns[here] = part.data, part.indices
    return type(A)((data, columns, ends), shape=(len(indices), A.shape[1]))


def _rows_of(A, indices):
    """Return a copy of some rows, in spans between which it can be interrupted."""
    rows = np.empty((len(indices), *A.shape[1:]), A.dtype)
    n = max(1, ENTRIES_OF_A_SPAN // max(1, math.prod(A.shape[1:])))
    for start in range(0, len(indices), n):
        rows[start : start + n] = A[indices[start : start + n]]
    return rows


def take(A, indices, axis):
    """Return a copy of some rows or columns, given by an ndarray, or a slice of them.

    The array may be a CSR matrix. The copies of ndarrays are contiguous.
    """
    if sparse.issparse(A):
        return A[:, indices] if axis else _rows_of_csr(A, indices)
    xp = namespace(A)
    if not isinstance(indices, slice):
        if is_numpy(A) and axis == 0:
            return _rows_of(A, indices)
        return xp.take(A, placed_like(indices, A), axis=axis)
    part = A[indices, ...] if axis == 0 else A[..., indices]
    return np.ascontiguousarray(part) if is_numpy(A) else part


def nth_smallest(A, n):
    """Return the entry of each column with n smaller or equal entries, (D,)."""
    if is_numpy(A):
        return np.partition(A, n, axis=0)[n]
    return namespace(A).sort(A, axis=0)[n, :]


def to_floats(*values):
    """Return arrays of one value each as floats, in one transfer from a device."""
    if is_numpy(values[0]):
        return map(float, values)
    xp = namespace(values[0])
    return to_host(xp.stack([xp.astype(value, xp.float64) for value in values])).tolist()
