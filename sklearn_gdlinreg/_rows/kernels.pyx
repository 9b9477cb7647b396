# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""Compiled passes over rows: everything that touches each entry of X.

Conventions
-----------
N rows, M features, D outputs. A row is read as ``z = (x - shift) * unit`` (moments), where
``unit`` holds powers of two so that scaling is exact, as ``z = x - shift`` (residuals), or
as it is (sparse). V is (M, D) and C-contiguous, as every output buffer is. Kernels work on
rows ``start`` to ``stop``, take their buffers from the caller and *add* to their outputs;
they allocate nothing and raise nothing. BLAS is column-major: what is (a, b) here is (b, a)
there.
"""

from cython cimport floating
from scipy.linalg.cython_blas cimport dgemm, dsyrk, sgemm, ssyrk

from .row cimport (
    add_outer, add_standardised, index_t, real_t, standardise, subtract, subtract_product,
)


cdef inline void syrk(
    int n, int k, const real_t* block, real_t kept, real_t* gram
) noexcept nogil:
    """Upper triangle of gram (n, n) = kept * gram + block.T @ block, where block is (k, n)."""
    cdef real_t one = 1
    cdef char lower = b"L", keep = b"N"
    if real_t is float:
        ssyrk(&lower, &keep, &n, &k, &one, <float*> block, &n, &kept, gram, &n)
    else:
        dsyrk(&lower, &keep, &n, &k, &one, <double*> block, &n, &kept, gram, &n)


cdef inline void add_squares(
    const real_t* block, Py_ssize_t k, Py_ssize_t n, double* total
) noexcept nogil:
    """Add the squares of each column of a block (k, n)."""
    cdef Py_ssize_t i, j
    for i in range(k):
        for j in range(n):
            total[j] += <double> block[i * n + j] * block[i * n + j]


cdef inline void add_products(
    int m, int n, int k, const real_t* block, real_t* gram, double* total
) noexcept nogil:
    """total (m, n) += block[:, :m].T @ block, where block is (k, n)."""
    cdef Py_ssize_t j
    cdef real_t one = 1, none = 0
    cdef char keep = b"N", transpose = b"T"
    if real_t is double:
        dgemm(&keep, &transpose, &n, &m, &k, &one, <double*> block, &n, <double*> block, &n,
              &one, total, &n)
    else:
        sgemm(&keep, &transpose, &n, &m, &k, &one, <float*> block, &n, <float*> block, &n,
              &none, gram, &n)
        for j in range(<Py_ssize_t> m * n):
            total[j] += gram[j]


def pack_upper(const double[:, :] A, double[::1] triangle):
    """Write the upper triangle of A (n, n), row by row, to triangle (n (n + 1) / 2,)."""
    cdef Py_ssize_t i, j, k = 0
    for i in range(A.shape[0]):
        for j in range(i, A.shape[0]):
            triangle[k] = A[i, j]
            k += 1


def unpack_upper(const double[::1] triangle, double[:, :] A):
    """Write the symmetric A (n, n) whose upper triangle `pack_upper` has packed."""
    cdef Py_ssize_t i, j, k = 0
    for i in range(A.shape[0]):
        for j in range(i, A.shape[0]):
            A[i, j] = A[j, i] = triangle[k]
            k += 1


def mirror(double[:, ::1] A):
    """Copy the upper triangle of a square array to the lower one, in tiles of 32 x 32."""
    cdef Py_ssize_t n = A.shape[0], first, other, i, j
    with nogil:
        for first in range(0, n, 32):
            for other in range(first, n, 32):
                for j in range(other, min(other + 32, n)):
                    for i in range(first, min(first + 32, j)):
                        A[j, i] = A[i, j]


def add_moments_dense(
    const floating[:, :] X,        # IN   (N, M)
    const floating[:, :] Y,        # IN   (N, D)
    const double[:] root_weight,   # IN   (N,)
    const double[::1] shift,       # IN   (M + D,)
    const double[::1] unit,        # IN   (M + D,)
    real_t[:, ::1] block,          # TMP  (n_block, M + D + 1)
    real_t[:, ::1] gram,           # TMP  of the shape of total, of float32 alone
    double[:, ::1] total,          # OUT  (M + D + 1, M + D + 1), upper triangle, last row;
                                   #      or (M + 2, M + D + 1)
    bint all_pairs,                # IN   which of the two
    Py_ssize_t start, Py_ssize_t stop,
):
    """Add the weighted second moments of the rows ``[z_x, z_y, 1]``.

    Each block of rows stays in cache while it is shifted and multiplied by its own
    transpose. Where outputs are many nobody asks for the products of two of them: there
    are those with z_x alone, then the squares of all columns, then their sums.

    Products are made in the type of the block, whatever that of X. In float32 they
    are rough: those of columns that nearly agree have no right digit. The columns are summed
    up in float64 even then, in the last row: intercepts and certificates need that.
    """
    cdef Py_ssize_t M = X.shape[1], D = Y.shape[1], P = block.shape[1]
    cdef Py_ssize_t stride_x = X.strides[1] // <Py_ssize_t> sizeof(floating)
    cdef Py_ssize_t stride_y = Y.strides[1] // <Py_ssize_t> sizeof(floating)
    cdef Py_ssize_t i, k, j, c, n_rows, last = total.shape[0] - 1
    cdef real_t root
    cdef double weight
    with nogil:
        i = start
        while i < stop:
            n_rows = min(block.shape[0], stop - i)
            for k in range(n_rows):
                standardise(&X[i + k, 0], stride_x, &shift[0], &unit[0], &block[k, 0], M)
                standardise(
                    &Y[i + k, 0], stride_y, &shift[M], &unit[M], &block[k, M], D
                )
                block[k, P - 1] = 1
                root = <real_t> root_weight[i + k]
                if real_t is float or not all_pairs:
                    weight = root_weight[i + k] ** 2
                    add_standardised(
                        &X[i + k, 0], stride_x, &shift[0], &unit[0], weight, &total[last, 0], M
                    )
                    add_standardised(
                        &Y[i + k, 0], stride_y, &shift[M], &unit[M], weight, &total[last, M], D
                    )
                    total[last, P - 1] += weight
                if root != 1:
                    for j in range(P):
                        block[k, j] *= root
            if not all_pairs:
                add_squares(&block[0, 0], n_rows, P, &total[last - 1, 0])
                add_products(<int> M, <int> P, <int> n_rows, &block[0, 0], &gram[0, 0],
                             &total[0, 0])
            elif real_t is double:
                syrk(<int> P, <int> n_rows, &block[0, 0], <double> 1, &total[0, 0])
            else:
                syrk(<int> P, <int> n_rows, &block[0, 0], <float> 0, &gram[0, 0])
                for j in range(P - 1):
                    for c in range(j, P):
                        total[j, c] += gram[j, c]
            i += n_rows


def add_moments_sparse(
    const floating[::1] data,      # IN   (nnz,)
    const index_t[::1] indices,    # IN   (nnz,)
    const index_t[::1] indptr,     # IN   (N + 1,)
    const floating[:, :] Y,        # IN   (N, D)
    const double[:] weight,        # IN   (N,)
    const double[::1] offset,      # IN   (D,), taken from Y
    double[:, ::1] gram,           # OUT  (M, M), one of the pair [j, l], [l, j]
    double[:, ::1] cross,          # OUT  (M, D)
    Py_ssize_t start, Py_ssize_t stop,
):
    """Add the weighted products x x' and x (y - offset)' of CSR rows, not centred."""
    cdef Py_ssize_t D = Y.shape[1], i, a, b, j, d
    cdef double value
    with nogil:
        for i in range(start, stop):
            for a in range(indptr[i], indptr[i + 1]):
                j = indices[a]
                value = weight[i] * data[a]
                for b in range(a, indptr[i + 1]):
                    gram[j, indices[b]] += value * data[b]
                for d in range(D):
                    cross[j, d] += value * (Y[i, d] - offset[d])


def add_residual_dense(
    const floating[:, :] X,        # IN   (N, M)
    const floating[:, :] Y,        # IN   (N, D)
    const double[:] weight,        # IN   (N,)
    const double[::1] shift,       # IN   (M + D,)
    const double[:, ::1] V,        # IN   (M, D)
    const double[::1] offset,      # IN   (D,)
    double[:, ::1] block,          # TMP  (n_block, M)
    double[:, ::1] residual,       # TMP  (n_block, D)
    double[:, ::1] gradient,       # OUT  (M, D)  z' (weight * r)
    double[:, ::1] sums,           # OUT  (2, D)  sum of weight * r, of weight * r ** 2
    Py_ssize_t start, Py_ssize_t stop,
):
    """Add what descent asks of ``r = z_y - offset - z_x V``; X is read once."""
    cdef Py_ssize_t i, k, d
    cdef Py_ssize_t stride_x = X.strides[1] // <Py_ssize_t> sizeof(floating)
    cdef Py_ssize_t stride_y = Y.strides[1] // <Py_ssize_t> sizeof(floating)
    cdef int M = <int> X.shape[1], D = <int> Y.shape[1], n_rows
    cdef double one = 1, minus = -1, r, w
    cdef char no = b"N", yes = b"T"
    with nogil:
        i = start
        while i < stop:
            n_rows = <int> min(block.shape[0], stop - i)
            for k in range(n_rows):
                subtract(&X[i + k, 0], stride_x, &shift[0], &block[k, 0], M)
                subtract(&Y[i + k, 0], stride_y, &shift[M], &residual[k, 0], D)
                for d in range(D):
                    residual[k, d] -= offset[d]
            dgemm(&no, &no, &D, &n_rows, &M, &minus, <double*> &V[0, 0], &D,
                  &block[0, 0], &M, &one, &residual[0, 0], &D)
            for k in range(n_rows):
                w = weight[i + k]
                for d in range(D):
                    r = residual[k, d]
                    residual[k, d] = w * r
                    sums[0, d] += w * r
                    sums[1, d] += w * r * r
            dgemm(&no, &yes, &D, &M, &n_rows, &one, &residual[0, 0], &D,
                  &block[0, 0], &M, &one, &gradient[0, 0], &D)
            i += n_rows


def add_residual_sparse(
    const floating[::1] data,      # IN   (nnz,)
    const index_t[::1] indices,    # IN   (nnz,)
    const index_t[::1] indptr,     # IN   (N + 1,)
    const floating[:, :] Y,        # IN   (N, D)
    const double[:] weight,        # IN   (N,)
    const double[:, ::1] V,        # IN   (M, D)
    const double[::1] offset,      # IN   (D,)
    double[:, ::1] residual,       # OUT  (N, D)  weight * r
    double[:, ::1] sums,           # OUT  (2, D)  sum of weight * r, of weight * r ** 2
    Py_ssize_t start, Py_ssize_t stop,
):
    """Write the weighted ``r = y - offset - x V`` of CSR rows, and add up what descent asks.

    The gradient comes later: V and the gradient, read and written at random, would push
    each other out of the cache.
    """
    cdef Py_ssize_t D = Y.shape[1], i, d, a, nnz
    cdef double r
    with nogil:
        for i in range(start, stop):
            for d in range(D):
                residual[i, d] = Y[i, d] - offset[d]
            a, nnz = indptr[i], indptr[i + 1] - indptr[i]
            if nnz > 0:
                subtract_product(&data[a], &indices[a], nnz, &V[0, 0], D, &residual[i, 0])
            for d in range(D):
                r = residual[i, d]
                residual[i, d] = weight[i] * r
                sums[0, d] += residual[i, d]
                sums[1, d] += residual[i, d] * r


def add_gradient_sparse(
    const floating[::1] data,      # IN   (nnz,)
    const index_t[::1] indices,    # IN   (nnz,)
    const index_t[::1] indptr,     # IN   (N + 1,)
    const double[:, ::1] residual,    # IN   (N, D)
    double[:, ::1] gradient,       # OUT  (M, D)
    Py_ssize_t start, Py_ssize_t stop,
):
    """Add the products x' r of CSR rows."""
    cdef Py_ssize_t i, a, nnz
    with nogil:
        for i in range(start, stop):
            a, nnz = indptr[i], indptr[i + 1] - indptr[i]
            if nnz > 0:
                add_outer(
                    &data[a], &indices[a], nnz, &residual[i, 0], residual.shape[1],
                    &gradient[0, 0],
                )


def gather_gradient_sparse(
    const floating[::1] data,      # IN   (nnz,), column by column
    const index_t[::1] indices,    # IN   (nnz,), the row of each
    const index_t[::1] indptr,     # IN   (M + 1,)
    const double[:, ::1] residual,    # IN   (N, D)
    double[:, ::1] gradient,       # OUT  (M, D), written to
    Py_ssize_t start, Py_ssize_t stop,
):
    """Write the products x' r of these columns, which are written to one after the other."""
    cdef Py_ssize_t j, d, a, nnz, D = residual.shape[1]
    with nogil:
        for j in range(start, stop):
            for d in range(D):
                gradient[j, d] = 0
            a, nnz = indptr[j], indptr[j + 1] - indptr[j]
            if nnz > 0:
                subtract_product(
                    &data[a], &indices[a], nnz, &residual[0, 0], D, &gradient[j, 0]
                )
            for d in range(D):
                gradient[j, d] = -gradient[j, d]


def square_lengths_dense(
    const floating[:, :] X,        # IN   (N, M)
    const double[::1] centre,      # IN   (M,)
    const double[::1] inverse,     # IN   (M,)
    double[::1] out,               # OUT  (N,)
    Py_ssize_t start, Py_ssize_t stop,
):
    """Write the squared lengths of the rows ``(x - centre) * inverse``."""
    cdef Py_ssize_t stride = X.strides[1] // <Py_ssize_t> sizeof(floating)
    cdef Py_ssize_t i, j, M = X.shape[1], even = M - M % 4
    cdef double a, b, c, d
    cdef const floating* x
    with nogil:
        for i in range(start, stop):
            x = &X[i, 0]
            out[i] = 0
            for j in range(0, even, 4):
                a = (x[j * stride] - centre[j]) * inverse[j]
                b = (x[(j + 1) * stride] - centre[j + 1]) * inverse[j + 1]
                c = (x[(j + 2) * stride] - centre[j + 2]) * inverse[j + 2]
                d = (x[(j + 3) * stride] - centre[j + 3]) * inverse[j + 3]
                out[i] += (a * a + b * b) + (c * c + d * d)
            for j in range(even, M):
                a = (x[j * stride] - centre[j]) * inverse[j]
                out[i] += a * a


def square_lengths_sparse(
    const floating[::1] data,      # IN   (nnz,)
    const index_t[::1] indices,    # IN   (nnz,)
    const index_t[::1] indptr,     # IN   (N + 1,)
    const double[::1] centre,      # IN   (M,)
    const double[::1] inverse,     # IN   (M,)
    const double[::1] zeros,       # IN   (M,)  what a zero adds; 0 where none is in any row
    double empty,                  # IN   the sum of these
    double[::1] out,               # OUT  (N,)
    Py_ssize_t start, Py_ssize_t stop,
):
    """Write the squared lengths of the rows ``(x - centre) * inverse``."""
    cdef Py_ssize_t i, a, j
    cdef double z
    with nogil:
        for i in range(start, stop):
            out[i] = empty
            for a in range(indptr[i], indptr[i + 1]):
                j = indices[a]
                z = (data[a] - centre[j]) * inverse[j]
                out[i] += z * z - zeros[j]
            out[i] = max(out[i], 0)
