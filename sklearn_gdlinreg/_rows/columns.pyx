# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""Compiled passes over columns: their moments, their densities and their products.

Conventions are those of `kernels`.
"""

from cython cimport floating

from .row cimport index_t, standardise


def products_of_sparse_columns(
    const double[::1] data,         # IN   (nnz,), column by column
    const index_t[::1] indices,     # IN   (nnz,), the row of each entry
    const index_t[::1] indptr,      # IN   (M + 1,)
    const double[:] weight,         # IN   (N,)
    const Py_ssize_t[::1] columns,  # IN   (n,), the columns; new ones last
    const double[::1] mean,         # IN   (n,), subtracted from each column
    const double[::1] scale,        # IN   (n,), then multiplies each column
    double total,                   # IN   the sum of weights
    Py_ssize_t[::1] end,            # TMP  (N,), zeros; where rows end among their entries
    Py_ssize_t[::1] place,          # TMP  (nnz of columns,), which column an entry is in
    double[::1] value,              # TMP  (nnz of columns,)
    double[:, :] out,               # OUT  (n_new, n), zeros, with contiguous rows
):
    """Write the products of new columns, ``(x - mean) * scale``, with all of them.

    A row with p entries in these columns adds p products to each new column in which it has an
    entry, so that zeros take no time.
    """
    cdef Py_ssize_t n = columns.shape[0], n_new = out.shape[0], N = end.shape[0]
    cdef Py_ssize_t i, j, k, c, q, first = 0, count
    cdef double x
    cdef double* row
    with nogil:
        # The entries of these columns, row by row: their number, their start, their values.
        for j in range(n):
            for k in range(indptr[columns[j]], indptr[columns[j] + 1]):
                end[indices[k]] += 1
        for i in range(N):
            count = end[i]
            end[i] = first
            first += count
        for j in range(n):
            for k in range(indptr[columns[j]], indptr[columns[j] + 1]):
                q = end[indices[k]]
                place[q] = j
                value[q] = data[k]
                end[indices[k]] = q + 1
        for c in range(n_new):
            j = n - n_new + c
            row = &out[c, 0]
            for k in range(indptr[columns[j]], indptr[columns[j] + 1]):
                i = indices[k]
                x = weight[i] * data[k]
                for q in range(end[i - 1] if i > 0 else 0, end[i]):
                    row[place[q]] += x * value[q]
            for k in range(n):
                row[k] = (row[k] - total * mean[j] * mean[k]) * scale[j] * scale[k]


def add_columns_dense(
    const floating[:, :] X,        # IN   (N, M)
    const floating[:, :] Y,        # IN   (N, D)
    const double[:] weight,        # IN   (N,)
    const double[::1] shift,       # IN   (M + D,)
    const double[::1] unit,        # IN   (M + D,)
    double[::1] z,                 # TMP  (M + D,)
    double[:, ::1] sums,           # OUT  (2, M + D)  of weight * z, of weight * z ** 2
    double[::1] filled,            # OUT  (M + 1,)  weight of what is not 0; of all
    Py_ssize_t start, Py_ssize_t stop,
):
    """Add the moments of each column of ``[z_x, z_y]``, and how often x is not zero."""
    cdef Py_ssize_t M = X.shape[1], D = Y.shape[1], i, first, n
    cdef Py_ssize_t stride_x = X.strides[1] // <Py_ssize_t> sizeof(floating)
    cdef Py_ssize_t stride_y = Y.strides[1] // <Py_ssize_t> sizeof(floating)
    with nogil:
        # Columns are read a few at a time, so that the sums stay in the first-level cache.
        for first in range(0, M, 512):
            n = min(512, M - first)
            for i in range(start, stop):
                standardise(
                    &X[i, first], stride_x, &shift[first], &unit[first], &z[first], n
                )
                add_powers(&z[first], weight[i], &sums[0, first], &sums[1, first], n)
                add_filled(&X[i, first], stride_x, weight[i], &filled[first], n)
        for i in range(start, stop):
            standardise(&Y[i, 0], stride_y, &shift[M], &unit[M], &z[M], D)
            add_powers(&z[M], weight[i], &sums[0, M], &sums[1, M], D)
            filled[M] += weight[i]


cdef inline void add_powers(
    const double* z, double weight, double* first, double* second, Py_ssize_t n
) noexcept nogil:
    """Add weight * z and weight * z ** 2."""
    cdef Py_ssize_t j
    for j in range(n):
        first[j] += weight * z[j]
        second[j] += weight * z[j] * z[j]


cdef inline void add_filled(
    const floating* x, Py_ssize_t stride, double weight, double* filled, Py_ssize_t n
) noexcept nogil:
    """Add the weight of entries that are not 0."""
    cdef Py_ssize_t j
    if stride == 1:
        for j in range(n):
            filled[j] += weight if x[j] != 0 else 0.0
    else:
        for j in range(n):
            filled[j] += weight if x[j * stride] != 0 else 0.0


def has_repeated_entries(
    const index_t[::1] indices,     # IN   (nnz,)
    const index_t[::1] indptr,      # IN   (N + 1,)
    Py_ssize_t[::1] last,           # TMP  (M,), -1; the last row with an entry in a column
):
    """Return whether a CSR row has several entries in one column."""
    cdef Py_ssize_t i, a
    cdef bint found = False
    with nogil:
        for i in range(indptr.shape[0] - 1):
            for a in range(indptr[i], indptr[i + 1]):
                found |= last[indices[a]] == i
                last[indices[a]] = i
            if found:
                break
    return found


def add_filled_sparse(
    const floating[::1] data,      # IN   (nnz,)
    const index_t[::1] indices,    # IN   (nnz,)
    const index_t[::1] indptr,     # IN   (N + 1,)
    const double[:] weight,        # IN   (N,)
    bint stored,                   # IN   whether zeros that are stored count
    double[::1] filled,            # OUT  (M,)  weight of the rows with an entry
):
    """Add how often each column has an entry."""
    cdef Py_ssize_t i, a
    with nogil:
        for i in range(indptr.shape[0] - 1):
            for a in range(indptr[i], indptr[i + 1]):
                if stored or data[a] != 0:
                    filled[indices[a]] += weight[i]
