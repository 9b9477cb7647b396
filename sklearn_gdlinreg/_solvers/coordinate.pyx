# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""Compiled steps where the penalty has no gradient: along coordinates, and to the ends of faces.

They minimise ``v'(H + diag(l2))v - 2 b'v + 2 sum_k l1_k |v_k|``, with ``v_k >= 0`` where that
is asked for, over the K features of a working set of one output, and keep the half gradient of
the first two terms, ``g = b - Hv - l2 v``, up to date. H is symmetric, and its rows are
contiguous. Kernels take their buffers from the caller.
"""

from libc.float cimport DBL_EPSILON
from libc.math cimport INFINITY, fabs
from scipy.linalg.cython_blas cimport daxpy, ddot, dsyrk, dtrsm
from scipy.linalg.cython_lapack cimport dpotrf, dpotrs


cdef inline double shrunk(double v, double l1, bint positive) noexcept nogil:
    """Return the proximal map of v."""
    if v > l1:
        return v - l1
    return v + l1 if v < -l1 and not positive else 0.0


def descend_coordinates(
    const double[:, :] H,               # IN     (K, K)
    const double[::1] l1,               # IN     (K,)
    const double[::1] l2,               # IN     (K,)
    const unsigned char[::1] positive,  # IN     (K,), bool
    const Py_ssize_t[::1] active,       # IN     the coordinates that may move
    double[::1] v,                      # INOUT  (K,)
    double[::1] g,                      # INOUT  (K,)
    int n_epochs,
    double small,
):
    """Descend along each active coordinate in turn, until an epoch changes next to nothing.

    That is a sum of squared changes, in units of curvature, of at most ``small``. Return whether
    it came to that.
    """
    cdef int _epoch, K = v.shape[0], one = 1
    cdef Py_ssize_t i, j
    cdef double h, new, step, moved = INFINITY
    with nogil:
        for _epoch in range(n_epochs):
            moved = 0.0
            for i in range(active.shape[0]):
                j = active[i]
                h = H[j, j] + l2[j]
                if h <= 0.0 or (v[j] == 0.0 and fabs(g[j]) <= l1[j]):
                    continue
                new = shrunk(v[j] + g[j] / h, l1[j] / h, positive[j])
                step = v[j] - new
                if step == 0.0:
                    continue
                moved += h * step * step
                v[j] = new
                daxpy(&K, &step, <double*> &H[j, 0], &one, &g[0], &one)
                g[j] += step * l2[j]
            if moved <= small:
                break
    return moved <= small


def extend_factor(
    const double[:, :] H,          # IN     (K, K)
    const double[::1] l2,          # IN     (K,)
    const Py_ssize_t[::1] face,    # IN     (n,)
    int n_known,                   # IN     how many of them the factor has already
    double shift,                  # IN     what is added to the diagonal
    double[::1, :] L,              # INOUT  (at least n, as many), lower triangle
):
    """Extend the Cholesky factor of ``H + diag(l2)``, of some features, by those that follow.

    Return whether that worked.
    """
    cdef Py_ssize_t i, j
    cdef int n_new = face.shape[0] - n_known, stride = L.shape[0], failed = 0
    cdef double one = 1.0, minus_one = -1.0
    if n_new == 0:
        return True
    with nogil:
        for i in range(n_known, face.shape[0]):
            for j in range(i + 1):
                L[i, j] = H[face[i], face[j]]
            L[i, i] += l2[face[i]] + shift
        if n_known > 0:
            dtrsm(
                "R", "L", "T", "N", &n_new, &n_known, &one,
                &L[0, 0], &stride, &L[n_known, 0], &stride,
            )
            dsyrk(
                "L", "N", &n_new, &n_known, &minus_one, &L[n_known, 0], &stride,
                &one, &L[n_known, n_known], &stride,
            )
        dpotrf("L", &n_new, &L[n_known, n_known], &stride, &failed)
    return failed == 0


def solve_factor(
    const double[::1, :] L,        # IN     (at least n, as many), lower triangle
    double[::1] x,                 # INOUT  (n,)
):
    """Solve ``L L' x = x`` with the first rows and columns of a factor."""
    cdef int n = x.shape[0], stride = L.shape[0], one = 1, failed
    with nogil:
        dpotrs("L", &n, &one, <double*> &L[0, 0], &stride, &x[0], &n, &failed)


def bent_step(
    const double[:, :] H,             # IN     (K, K)
    const double[::1] l2,             # IN     (K,)
    const double[::1] slope,          # IN     (K,), l1 * sign(v)
    const Py_ssize_t[::1] ends,       # IN     the coefficients that come to zero, in order
    const double[::1] room,           # IN     how far along d each of them does
    double[::1] v,                    # INOUT  (K,)
    double[::1] g,                    # INOUT  (K,)
    double[::1] d,                    # INOUT  (K,), the direction; zeros where it has ended
    double[::1] image,                # TMP    (K,), zeros; H d + l2 d
):
    """Go along d for as long as the objective falls; what comes to zero stays there.

    Return how many coefficients did.
    """
    cdef int K = v.shape[0], one = 1
    cdef Py_ssize_t i, j, n = 0
    cdef double at = 0.0, fall, curvature, end, step
    with nogil:
        for i in range(K):
            if d[i] != 0.0:
                daxpy(&K, &d[i], <double*> &H[i, 0], &one, &image[0], &one)
                image[i] += l2[i] * d[i]
        while True:
            fall = ddot(&K, &d[0], &one, &g[0], &one)
            fall -= ddot(&K, &d[0], &one, <double*> &slope[0], &one)
            # Along flat directions rounding makes a curvature of either sign.
            curvature = max(
                ddot(&K, &d[0], &one, &image[0], &one),
                K * DBL_EPSILON * ddot(&K, &d[0], &one, &d[0], &one),
            )
            if not fall > 0.0:
                break
            end = room[n] if n < ends.shape[0] else INFINITY
            step = end - at
            if fall < step * curvature:
                step = fall / curvature
                end = INFINITY
            daxpy(&K, &step, &d[0], &one, &v[0], &one)
            step = -step
            daxpy(&K, &step, &image[0], &one, &g[0], &one)
            if end == INFINITY:
                break
            j = ends[n]
            # What rounding leaves of the coefficient goes, too.
            step = v[j]
            daxpy(&K, &step, <double*> &H[j, 0], &one, &g[0], &one)
            g[j] += step * l2[j]
            v[j] = 0.0
            step = -d[j]
            daxpy(&K, &step, <double*> &H[j, 0], &one, &image[0], &one)
            image[j] += step * l2[j]
            d[j] = 0.0
            at = end
            n += 1
    return n
