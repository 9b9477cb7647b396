# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""How the centres and scales of `dense_epochs` follow the running moments of the rows."""

from cython cimport floating
from libc.math cimport sqrt

from .update_rule cimport (
    FeatureCoordinates,
    coordinates_of,
    factor_of,
    merge_moments,
    pause,
)


cdef inline void add_row(
    const floating* x, Py_ssize_t stride, Py_ssize_t M, double w,    # IN   one row
    const double* origin, double* filled, double* first, double* second,    # I/O  (M,)
) noexcept nogil:
    """Add the weight of values that are not zero, and that times x - origin and its square."""
    cdef Py_ssize_t j
    cdef double deviation, w_j
    for j in range(M):
        w_j = w if x[j * stride] != 0 else 0
        deviation = x[j * stride] - origin[j]
        filled[j] += w_j
        first[j] += w_j * deviation
        second[j] += w_j * deviation * deviation


cdef inline int observe(
    const floating[:, :] X, const Py_ssize_t[::1] rows, const double[::1] weight,
    double[:, ::1] sums, double[:, ::1] running, Py_ssize_t* work,
) except -1 nogil:
    """Add a batch to the running moments.

    Deviations are taken from an origin, as `merge_moments` says, so that an offset costs no
    digits. ``sums`` becomes that origin, and below it what `add_row` adds.
    """
    cdef Py_ssize_t k, j, M = X.shape[1]
    cdef Py_ssize_t stride = X.strides[1] // <Py_ssize_t> sizeof(floating)
    cdef const floating* x
    for j in range(M):
        sums[0, j] = running[j, 1] if running[j, 0] > 0 else X[rows[0], j]
        sums[1, j] = sums[2, j] = sums[3, j] = 0
    for k in range(rows.shape[0]):
        x = &X[rows[k], 0]
        running[M, 0] += weight[k]
        # The compiler turns the loop over neighbours into one over pairs of them.
        if stride == 1:
            add_row(x, 1, M, weight[k], &sums[0, 0], &sums[1, 0], &sums[2, 0], &sums[3, 0])
        else:
            add_row(x, stride, M, weight[k], &sums[0, 0], &sums[1, 0], &sums[2, 0], &sums[3, 0])
        pause(work, M)
    for j in range(M):
        if sums[1, j] > 0:
            merge_moments(&running[j, 0], sums[0, j], sums[1, j], sums[2, j], sums[3, j])
    return 0


cdef inline void adapt(
    double least_l2, const double* of_features,
    const double[:, ::1] sums, const double[:, ::1] running,
    double[::1] centre, double[::1] inverse, double[::1] proximal_scale, double[::1] density,
    double[:, ::1] W, double[:, ::1] total,
) noexcept nogil:
    """Centre and scale anew the features of the batch; the model and its sum stay.

    The scale of a feature that has said nothing so far is 1: it is then at its centre.
    """
    cdef Py_ssize_t j, d, M = centre.shape[0]
    cdef double root, move_of_centre, ratio
    cdef FeatureCoordinates coordinates
    for j in range(M):
        if sums[1, j] == 0:
            continue
        coordinates = coordinates_of(
            &running[j, 0], running[M, 0], least_l2 * factor_of(of_features, j), inverse[M] != 0,
            &density[j] if density.shape[0] else NULL,
        )
        root = sqrt(coordinates.inverse_square)
        ratio = inverse[j] / root if root > 0 else inverse[j]
        move_of_centre = coordinates.centre - centre[j]
        for d in range(W.shape[1]):
            W[M, d] += move_of_centre * W[j, d] * inverse[j]
            total[M, d] += move_of_centre * total[j, d] * inverse[j]
            W[j, d] *= ratio
            total[j, d] *= ratio
        centre[j], inverse[j] = coordinates.centre, root if root > 0 else 1
        proximal_scale[j] = root
