# cython: language_level=3
"""What the compiled epochs of dense and of CSR rows share; see `_mini_batch/update_rule.pyx`."""

from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport copysign, fabs, sqrt

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define FETCH_AHEAD(address) __builtin_prefetch(address)
    #else
    #define FETCH_AHEAD(address) ((void) (address))
    #endif
    """
    void FETCH_AHEAD(const void* address) noexcept nogil

# Rows are visited in random order: each is asked for while this many before it are read.
cdef enum:
    AHEAD = 8

ctypedef fused index_t:
    int
    long long


cdef class Rule:
    cdef readonly Py_ssize_t batch_size, divisor
    cdef readonly double momentum, penalty
    cdef readonly bint cautious, nesterov, adaptive, proximal, positive, lazy


# Multiply-adds between two looks at whether the user has interrupted: from 10 ms in dense rows
# to .7 s where sparse ones read memory at random.
cdef enum:
    WORK_UNHEARD = 1 << 23


cdef inline int hear() except -1 with gil:
    """Raise KeyboardInterrupt if there has been one; a thread other than the main one cannot."""
    PyErr_CheckSignals()
    return 0


cdef inline int pause(Py_ssize_t* work, Py_ssize_t more) except -1 nogil:
    """Add to the multiply-adds made since the last look, and look if there are enough."""
    work[0] += more
    if work[0] > WORK_UNHEARD:
        work[0] = 0
        hear()
    return 0


cdef inline double cautious_step(double step, double square, double curvature) noexcept nogil:
    """The step, or the exact one of the batch if that is less than half of it."""
    if step * curvature > 2 * square:
        return square / curvature
    return step


cdef inline double shrunk(
    double w, double threshold, double ridge, bint positive
) noexcept nogil:
    """The proximal map of ``threshold * |w| + ridge * w ** 2 / 2`` and of w >= 0."""
    # Signs are not predictable, so that this has no branch on them.
    cdef double size = (w if positive else fabs(w)) - threshold
    size = size if size > 0 else 0
    return copysign(size / (1 + ridge), w)


# A deviation below this share of the mean is that of a constant, by rounding.
cdef inline double spread(const double* seen, double total, bint centred) noexcept nogil:
    """The variance of a feature, or its mean square without an intercept; 0 of a constant.

    ``seen`` holds the weight, mean and sum of squares about it of values that are not zero.
    """
    cdef double density = seen[0] / total, mean = density * seen[1], square
    square = seen[2] / total + (1 - density) * density * seen[1] ** 2
    if not centred:
        square += mean * mean
    return square if square > (1e-8 * mean) ** 2 else 0


cdef inline double settle(
    const double* seen, double total, double penalty, bint centred, double* centre
) noexcept nogil:
    """Write the centre of a feature; return its inverse squared scale: `frame.Frame.of`."""
    cdef double square = spread(seen, total, centred), density = seen[0] / total
    centre[0] = density * seen[1] if centred else 0
    return 1 / (square / sqrt(density) + penalty) if square > 0 else 0
