# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""Compiled operations on arrays (M, D), each of which reads its arrays once.

Conventions: M features, D outputs. Arrays are read in strips of n items, one after the other.
A strip is one row where there are several outputs, n = D. A single output has strips of PARTS
features and a sum for each place in a strip, so that sums need not wait for each other.

The functions that walk the strips are inline, and are called with a literal ``several``: 1 if
a strip is a row, and 0 if there is one output. Item k of a strip then belongs to output
``k * several``, and to a feature ``k * (1 - several)`` after the first one of the strip.
"""

from libc.string cimport memset

cdef enum:
    PARTS = 8


cdef inline double add_up(const double* parts) noexcept nogil:
    """Return the sum of the sums of all places in a strip."""
    cdef Py_ssize_t k
    cdef double total = 0.0
    for k in range(PARTS):
        total += parts[k]
    return total


cdef inline void advance_strips(
    double* V, double* G, const double* P, const double* HP, const double* length,
    double* squares, Py_ssize_t n_items, Py_ssize_t n, int several,
) noexcept nogil:
    cdef Py_ssize_t i = 0, k
    cdef double g
    memset(squares, 0, n * sizeof(double))
    while i < n_items:
        for k in range(min(n, n_items - i)):
            V[i + k] += length[k * several] * P[i + k]
            g = G[i + k] - length[k * several] * HP[i + k]
            G[i + k] = g
            squares[k] += g * g
        i += n


def advance(
    double[:, ::1] V, double[:, ::1] G,                # I/O  (M, D)
    const double[:, ::1] P, const double[:, ::1] HP,   # IN   (M, D)
    const double[::1] length,                          # IN   (D,)
    double[::1] squares,                               # OUT  (D,), the sums of G ** 2
):
    """V += length * P; G -= length * HP."""
    cdef Py_ssize_t M = V.shape[0], D = V.shape[1]
    cdef double[PARTS] parts
    with nogil:
        if D == 1:
            advance_strips(
                &V[0, 0], &G[0, 0], &P[0, 0], &HP[0, 0], &length[0], parts, M, PARTS, 0
            )
            squares[0] = add_up(parts)
        else:
            advance_strips(
                &V[0, 0], &G[0, 0], &P[0, 0], &HP[0, 0], &length[0], &squares[0], M * D, D, 1
            )


cdef inline void slope_strips(
    const double* P, const double* G, const double* floor, double* slope, double* flat,
    Py_ssize_t n_items, Py_ssize_t n, int several,
) noexcept nogil:
    cdef Py_ssize_t i = 0, k
    memset(slope, 0, n * sizeof(double))
    memset(flat, 0, n * sizeof(double))
    while i < n_items:
        for k in range(min(n, n_items - i)):
            slope[k] += P[i + k] * G[i + k]
            flat[k] += floor[k * (1 - several)] * P[i + k] * P[i + k]
        i += n
        floor += 1 if several else n


def slopes(
    const double[:, ::1] P, const double[:, ::1] G,    # IN   (M, D)
    const double[::1] floor,                           # IN   (M,)
    double[::1] slope, double[::1] flat,               # OUT  (D,), sums of P G, floor P ** 2
):
    """Write two products."""
    cdef Py_ssize_t M = P.shape[0], D = P.shape[1]
    cdef double[PARTS] parts, flat_parts
    with nogil:
        if D == 1:
            slope_strips(&P[0, 0], &G[0, 0], &floor[0], parts, flat_parts, M, PARTS, 0)
            slope[0], flat[0] = add_up(parts), add_up(flat_parts)
        else:
            slope_strips(&P[0, 0], &G[0, 0], &floor[0], &slope[0], &flat[0], M * D, D, 1)


cdef inline void scale_strips(
    const double* V, const double* scale, const double* centre, double* W, double* mean,
    Py_ssize_t n_items, Py_ssize_t n, int several,
) noexcept nogil:
    cdef Py_ssize_t i = 0, k
    cdef double w
    memset(mean, 0, n * sizeof(double))
    while i < n_items:
        for k in range(min(n, n_items - i)):
            w = V[i + k] * scale[k * (1 - several)]
            W[i + k] = w
            mean[k] += centre[k * (1 - several)] * w
        i += n
        scale += 1 if several else n
        centre += 1 if several else n


def scale_rows(
    const double[:, ::1] V,                                # IN   (M, D)
    const double[::1] scale, const double[::1] centre,     # IN   (M,)
    double[:, ::1] W,                                      # OUT  (M, D)
    double[::1] mean,                                      # OUT  (D,), the sums of centre * W
):
    """W = scale * V."""
    cdef Py_ssize_t M = V.shape[0], D = V.shape[1]
    cdef double[PARTS] parts
    with nogil:
        if D == 1:
            scale_strips(&V[0, 0], &scale[0], &centre[0], &W[0, 0], parts, M, PARTS, 0)
            mean[0] = add_up(parts)
        else:
            scale_strips(&V[0, 0], &scale[0], &centre[0], &W[0, 0], &mean[0], M * D, D, 1)


cdef inline void standardise_strips(
    const double* sums, const double* first, const double* centre, const double* scale,
    const double* l2, Py_ssize_t l2_row, Py_ssize_t l2_item, const double* V, double sign,
    double* G, double* penalty, Py_ssize_t n_items, Py_ssize_t n, int several,
) noexcept nogil:
    cdef Py_ssize_t i = 0, k
    cdef double lv
    memset(penalty, 0, n * sizeof(double))
    while i < n_items:
        for k in range(min(n, n_items - i)):
            lv = l2[k * (l2_item if several else l2_row)] * V[i + k]
            G[i + k] = sign * (
                (sums[i + k] - centre[k * (1 - several)] * first[k * several])
                * scale[k * (1 - several)] - lv
            )
            penalty[k] += lv * V[i + k]
        i += n
        centre += 1 if several else n
        scale += 1 if several else n
        l2 += l2_row if several else n * l2_row


def standardise_sums(
    const double[:, ::1] sums,                             # IN   (M, D)
    const double[::1] first,                               # IN   (D,)
    const double[::1] centre, const double[::1] scale,     # IN   (M,)
    const double[:, :] l2,                                 # IN   (M, D), or 1 for either
    const double[:, ::1] V,                                # IN   (M, D)
    double sign,                                           # IN
    double[:, ::1] G,                                      # OUT  (M, D)
    double[::1] penalty,                                   # OUT  (D,), sums of l2 * V ** 2
):
    """G = sign * ((sums - centre * first) * scale - l2 * V)."""
    cdef Py_ssize_t M = V.shape[0], D = V.shape[1], row = 0, item = 0
    cdef double[PARTS] parts
    if l2.shape[0] > 1:
        row = l2.strides[0] // sizeof(double)
    if l2.shape[1] > 1:
        item = l2.strides[1] // sizeof(double)
    with nogil:
        if D == 1:
            standardise_strips(
                &sums[0, 0], &first[0], &centre[0], &scale[0], &l2[0, 0], row, item,
                &V[0, 0], sign, &G[0, 0], parts, M, PARTS, 0
            )
            penalty[0] = add_up(parts)
        else:
            standardise_strips(
                &sums[0, 0], &first[0], &centre[0], &scale[0], &l2[0, 0], row, item,
                &V[0, 0], sign, &G[0, 0], &penalty[0], M * D, D, 1
            )
