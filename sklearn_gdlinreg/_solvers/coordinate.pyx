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


cdef inline void to_zero(
    const double[:, :] H, const double[::1] l2, Py_ssize_t j, double[::1] v, double[::1] g
) noexcept nogil:
    """Make a coefficient zero, and keep the half gradient up to date."""
    cdef int K = v.shape[0], one = 1
    cdef double step = v[j]
    daxpy(&K, &step, <double*> &H[j, 0], &one, &g[0], &one)
    g[j] += step * l2[j]
    v[j] = 0.0


def proximal_gradient(
    const double[::1] l1,               # IN     (K,)
    const unsigned char[::1] positive,  # IN     (K,), bool
    const double[::1] noise,            # IN     (K,), squares that count as nothing
    const double[::1] v,                # IN     (K,)
    const double[::1] g,                # IN     (K,), the half gradient
    double[::1] out,                    # OUT    (K,)
):
    """Write the move of a proximal step of length 1, but for what is noise."""
    cdef Py_ssize_t j
    cdef double move
    with nogil:
        for j in range(v.shape[0]):
            move = shrunk(v[j] + g[j], l1[j], positive[j]) - v[j]
            out[j] = 0.0 if move * move <= noise[j] else move


def face_gradient(
    const double[::1] l1,              # IN     (K,)
    const unsigned char[::1] always,   # IN     (K,), bool, those on each face
    const double[::1] noise,           # IN     (K,), squares that count as nothing
    const double[::1] v,               # IN     (K,)
    const double[::1] g,               # IN     (K,), the half gradient
    double[::1] slope,                 # OUT    (K,), l1 * sign(v)
    double[::1] out,                   # OUT    (K,), the gradient on the face; 0 off it
):
    """Write the half gradient on the face of v, but for what is noise; return its square."""
    cdef Py_ssize_t j
    cdef double square = 0.0
    with nogil:
        for j in range(v.shape[0]):
            slope[j] = l1[j] if v[j] > 0.0 else -l1[j] if v[j] < 0.0 else 0.0
            out[j] = g[j] - slope[j] if v[j] != 0.0 or always[j] else 0.0
            if out[j] * out[j] <= noise[j]:
                out[j] = 0.0
            square += out[j] * out[j]
    return square


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
                if v[j] == 0.0 and fabs(g[j]) <= l1[j]:
                    continue
                h = H[j, j] + l2[j]
                if h <= 0.0:
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

    Return the least pivot of all, or 0 where there is no such factor.
    """
    cdef Py_ssize_t i, j
    cdef int n_new = face.shape[0] - n_known, stride = L.shape[0], failed = 0
    cdef double one = 1.0, minus_one = -1.0, least = INFINITY
    with nogil:
        if n_new > 0:
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
        for i in range(face.shape[0]):
            least = min(least, L[i, i])
    return 0.0 if failed else least


def newton_step(
    const double[:, :] H,               # IN     (K, K)
    const double[::1] l2,               # IN     (K,)
    const unsigned char[::1] positive,  # IN     (K,), bool
    const double[::1] slope,            # IN     (K,), l1 * sign(v)
    const double[::1, :] L,             # IN     a factor of the features of the face
    const Py_ssize_t[::1] face,         # IN     (n,)
    double[::1] v,                      # INOUT  (K,)
    double[::1] g,                      # INOUT  (K,)
    double[::1] d,                      # INOUT  (K,), the gradient on the face; 0 off it
    double[::1] image,                  # TMP    (K,), H d + l2 d
    double[::1] room,                   # TMP    (K,), how far along d coefficients reach zero
    Py_ssize_t[::1] ends,               # TMP    (K,), which do
):
    """Step from v in the metric of a factor; return how many coefficients came to zero."""
    cdef int n = face.shape[0], stride = L.shape[0], K = v.shape[0], one = 1, failed
    cdef Py_ssize_t i, j, n_ends = 0, n_ended
    with nogil:
        for i in range(n):
            room[i] = d[face[i]]
        dpotrs("L", &n, &one, <double*> &L[0, 0], &stride, &room[0], &n, &failed)
        for i in range(n):
            d[face[i]] = room[i]
        for j in range(K):
            image[j] = 0.0
        for i in range(n):
            j = face[i]
            daxpy(&K, &d[j], <double*> &H[j, 0], &one, &image[0], &one)
            image[j] += l2[j] * d[j]
        for i in range(n):
            j = face[i]
            if (slope[j] != 0.0 or positive[j]) and (
                (v[j] > 0.0 and d[j] < 0.0) or (v[j] < 0.0 and d[j] > 0.0)
            ):
                ends[n_ends] = j
                room[n_ends] = -v[j] / d[j]
                n_ends += 1
        n_ended = bent_step(H, l2, slope, ends, n_ends, v, g, d, image, room)
        # Rounding may carry those that are next past zero.
        for i in range(n):
            j = face[i]
            if (v[j] > 0.0 and slope[j] < 0.0) or (
                v[j] < 0.0 and (slope[j] > 0.0 or positive[j])
            ):
                to_zero(H, l2, j, v, g)
    return n_ended


cdef Py_ssize_t bent_step(
    const double[:, :] H, const double[::1] l2, const double[::1] slope,
    const Py_ssize_t[::1] ends, Py_ssize_t n_ends, double[::1] v, double[::1] g,
    double[::1] d, double[::1] image, double[::1] room,
) noexcept nogil:
    """Go along d for as long as the objective falls; what comes to zero stays there.

    Names are those of `newton_step`. Return how many coefficients came to zero.
    """
    cdef int K = v.shape[0], one = 1
    cdef Py_ssize_t i, j, first, n = 0
    cdef double at = 0.0, fall, curvature, end, step
    while True:
        fall = ddot(&K, &d[0], &one, &g[0], &one)
        fall -= ddot(&K, &d[0], &one, <double*> &slope[0], &one)
        # Along flat directions rounding makes a curvature of either sign.
        curvature = max(
            ddot(&K, &d[0], &one, &image[0], &one),
            K * DBL_EPSILON * ddot(&K, &d[0], &one, &d[0], &one),
        )
        if not fall > 0.0:
            return n
        first, end = -1, INFINITY
        for i in range(n_ends):
            if room[i] < end:
                first, end = i, room[i]
        step = end - at
        if first < 0 or fall < step * curvature:
            step, first = fall / curvature, -1
        daxpy(&K, &step, &d[0], &one, &v[0], &one)
        step = -step
        daxpy(&K, &step, &image[0], &one, &g[0], &one)
        if first < 0:
            return n
        j, room[first], at = ends[first], INFINITY, end
        # What rounding leaves of the coefficient goes, too.
        to_zero(H, l2, j, v, g)
        step = -d[j]
        daxpy(&K, &step, <double*> &H[j, 0], &one, &image[0], &one)
        image[j] += step * l2[j]
        d[j] = 0.0
        n += 1
