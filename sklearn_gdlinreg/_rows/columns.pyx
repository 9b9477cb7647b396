# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""Compiled products of the columns of a sparse matrix.

A row that has p entries in the columns asked for adds p products to each new column that it has
an entry in: nothing is spent on zeros. Kernels take their buffers from the caller.
"""

from .row cimport index_t


def products_of_sparse_columns(
    const double[::1] data,         # IN   (nnz,), column by column
    const index_t[::1] indices,     # IN   (nnz,), the row of each
    const index_t[::1] indptr,      # IN   (M + 1,)
    const double[:] weight,         # IN   (N,)
    const Py_ssize_t[::1] columns,  # IN   (n,), those of the products; new ones last
    const double[::1] mean,         # IN   (n,), what is taken off each of them
    const double[::1] scale,        # IN   (n,), what each is multiplied by then
    double total,                   # IN   the sum of weights
    Py_ssize_t[::1] end,            # TMP  (N,), zeros; where rows end among their entries
    Py_ssize_t[::1] place,          # TMP  (nnz of columns,), which column an entry is in
    double[::1] value,              # TMP  (nnz of columns,)
    double[:, :] out,               # OUT  (n_new, n), zeros, with contiguous rows
):
    """Write the products of new columns, ``(x - mean) * scale``, with all of them."""
    cdef Py_ssize_t n = columns.shape[0], n_new = out.shape[0], N = end.shape[0]
    cdef Py_ssize_t i, j, k, c, q, first = 0, count
    cdef double x
    cdef double* row
    with nogil:
        # The entries of these columns, row by row: how many, where they begin, what they are.
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
