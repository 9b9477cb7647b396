# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""What the epochs of `dense_epochs` do with the rows of one batch.

Rows are read S at a time, as many as stay in cache, into a block, whose products are those of
BLAS. With one output, where that gains nothing, each row is used as it is read.
"""

from cython cimport floating
from scipy.linalg.cython_blas cimport daxpy, ddot, dgemm

from .._rows.row cimport add_standardised, product_of_standardised, standardise
from .update_rule cimport (
    PREFETCH,
    PREFETCH_DISTANCE,
    Batch,
    Rule,
    cautious_step,
    pause,
    weighed,
)


cdef inline void fetch(
    const floating[:, :] A, const Py_ssize_t* rows, Py_ssize_t q, Py_ssize_t n_left    # IN
) noexcept nogil:
    """Ask for the row of A that is visited soon after that number q of those that are left."""
    cdef Py_ssize_t j
    cdef const char* coming
    if q + PREFETCH_DISTANCE < n_left and A.strides[1] == <Py_ssize_t> sizeof(floating):
        coming = <const char*> &A[rows[q + PREFETCH_DISTANCE], 0]
        # A line of the cache has 64 bytes.
        for j in range(0, A.shape[1] * <Py_ssize_t> sizeof(floating), 64):
            PREFETCH(coming + j)


cdef inline void read_rows(
    const floating[:, :] X, const Py_ssize_t* rows, Py_ssize_t n, Py_ssize_t n_left,    # IN
    const double[::1] centre, const double[::1] inverse,                                # IN
    double[:, ::1] block,                                                               # OUT
) noexcept nogil:
    """Write z of the next n rows, of n_left that are still to visit; ask for those to come."""
    cdef Py_ssize_t M = X.shape[1], q
    cdef Py_ssize_t stride = X.strides[1] // <Py_ssize_t> sizeof(floating)
    for q in range(n):
        fetch(X, rows, q, n_left)
        standardise(&X[rows[q], 0], stride, &centre[0], &inverse[0], &block[q, 0], M)
        block[q, M] = inverse[M]


cdef inline void predict(
    const double* block, int n, int P, int D,    # IN   (n, P)
    const double* W,               # IN   (P, D)
    double* out,                   # OUT  (n, D)
) noexcept nogil:
    """The rows of a block times W."""
    cdef double one = 1, zero = 0
    cdef char no = b"N"
    cdef int k, one_step = 1
    if D == 1:
        for k in range(n):
            out[k] = ddot(&P, <double*> block + k * <Py_ssize_t> P, &one_step, <double*> W,
                          &one_step)
    else:
        dgemm(&no, &no, &D, &n, &P, &one, <double*> W, &D, <double*> block, &P, &zero, out, &D)


cdef inline void add_products(
    const double* block, int n, int P, int D,    # IN   (n, P)
    const double* residual,        # IN   (n, D)
    double* gradient,              # I/O  (P, D)
) noexcept nogil:
    """Add the transpose of a block times the residuals."""
    cdef double one = 1
    cdef char no = b"N", yes = b"T"
    cdef int k, one_step = 1
    if D == 1:
        for k in range(n):
            daxpy(&P, <double*> residual + k, <double*> block + k * <Py_ssize_t> P, &one_step,
                  gradient, &one_step)
    else:
        dgemm(&no, &yes, &D, &P, &n, &one, <double*> residual, &D, <double*> block, &P, &one,
              gradient, &D)


cdef inline int add_gradient(
    const floating[:, :] X, const floating[:, :] Y, const Py_ssize_t[::1] rows,
    const double[::1] weight, Batch batch,                                          # IN
    const double[::1] centre, const double[::1] inverse, const double* W, Py_ssize_t P,    # IN
    double[:, ::1] block, double[:, ::1] residual,                                  # TMP
    double[:, ::1] gradient, double[::1] loss,                                      # I/O
    Py_ssize_t* work,
) except -1 nogil:
    """Add z' r of a batch to the gradient, and its squared errors to the loss.

    A batch of one block is left in ``block``.
    """
    cdef Py_ssize_t D = residual.shape[1], S = block.shape[0], stop, k, q, n, d
    k, stop = batch.first, batch.first + batch.n_rows
    while k < stop:
        n = min(S, stop - k)
        read_rows(X, &rows[k], n, rows.shape[0] - k, centre, inverse, block)
        predict(&block[0, 0], <int> n, <int> P, <int> D, W, &residual[0, 0])
        for q in range(n):
            for d in range(D):
                residual[q, d] = weighed(residual[q, d] - Y[rows[k + q], d], weight[k + q],
                                         batch.divisor, &loss[d])
        add_products(&block[0, 0], <int> n, <int> P, <int> D, &residual[0, 0], &gradient[0, 0])
        pause(work, n * P * D)
        k += n
    return 0


cdef inline int add_gradient_of_one_output(
    const floating[:, :] X, const floating[:, :] Y, const Py_ssize_t[::1] rows,
    const double[::1] weight, Batch batch,                                          # IN
    const double[::1] centre, const double[::1] inverse, const double* W,           # IN
    double* gradient, double* loss,                                                 # I/O
    Py_ssize_t* work,
) except -1 nogil:
    """As `add_gradient`, without a block."""
    cdef Py_ssize_t M = X.shape[1], k
    cdef Py_ssize_t stride = X.strides[1] // <Py_ssize_t> sizeof(floating)
    cdef const floating* x
    cdef double r
    for k in range(batch.first, batch.first + batch.n_rows):
        fetch(X, &rows[0], k, rows.shape[0])
        fetch(Y, &rows[0], k, rows.shape[0])
        x = &X[rows[k], 0]
        r = product_of_standardised(x, stride, &centre[0], &inverse[0], W, M)
        r += inverse[M] * W[M] - Y[rows[k], 0]
        r = weighed(r, weight[k], batch.divisor, loss)
        add_standardised(x, stride, &centre[0], &inverse[0], r, gradient, M)
        gradient[M] += r * inverse[M]
        pause(work, M)
    return 0


cdef inline int shorten_steps(
    const floating[:, :] X, const Py_ssize_t[::1] rows, const double[::1] weight, Batch batch,
    double longest, const double[::1] centre, const double[::1] inverse, double[:, ::1] block,
    double[:, ::1] images,         # TMP  (S, D)
    double[:, ::1] gradient,       # I/O  (M + 4, D), see `descend_dense`
    Py_ssize_t* work,
) except -1 nogil:
    """Work out the step of each output from the gradient of a batch; see `cautious_step`."""
    cdef Py_ssize_t M = X.shape[1], D = images.shape[1], S = block.shape[0], stop, k, q, n, d, j
    cdef double* step = &gradient[M + 1, 0]
    cdef double* curvature = &gradient[M + 2, 0]
    cdef double square
    for d in range(D):
        curvature[d] = 0
    k, stop = batch.first, batch.first + batch.n_rows
    while k < stop:
        n = min(S, stop - k)
        # A batch of one block is there already.
        if batch.n_rows > S:
            read_rows(X, &rows[k], n, 0, centre, inverse, block)
        predict(&block[0, 0], <int> n, <int> (M + 1), <int> D, &gradient[0, 0], &images[0, 0])
        for q in range(n):
            for d in range(D):
                curvature[d] += weight[k + q] / batch.divisor * images[q, d] ** 2
        pause(work, n * (M + 1) * D)
        k += n
    for d in range(D):
        square = 0
        for j in range(M + 1):
            square += gradient[j, d] * gradient[j, d]
        step[d] = cautious_step(longest, square, curvature[d])
    return 0
