# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""How the gradient of a batch is corrected, and whitened; see `variance_reduction`."""

from scipy.linalg.cython_blas cimport dgemm


cdef inline const double* leave_anchor(
    Py_ssize_t n,                   # IN   (M + 1) * D
    const double* W,                # IN   (M + 1, D)
    double* correction,             # I/O  (3, M + 1, D), see `descend_dense`
    double* gradient,               # OUT  (M + 1, D)
) noexcept nogil:
    """Begin the gradient of a batch with that of the anchor; return the way from there to W."""
    cdef Py_ssize_t i
    for i in range(n):
        correction[2 * n + i] = W[i] - correction[i]
        gradient[i] = correction[n + i]
    return correction + 2 * n


cdef inline void whiten(
    int M, int D,
    const double* metric,           # IN   (M, M), symmetric
    double* gradient,               # I/O  (M, D)
    double* scratch,                # TMP  (M, D)
) noexcept nogil:
    """Multiply the gradient by the metric, but for that of the intercept."""
    cdef double one = 1, zero = 0
    cdef char* no = b"n"
    cdef Py_ssize_t i
    for i in range(M * D):
        scratch[i] = gradient[i]
    # BLAS sees the transposes: rows of ours are columns of its.
    dgemm(no, no, &D, &M, &M, &one, scratch, &D, <double*> metric, &M, &zero, gradient, &D)
