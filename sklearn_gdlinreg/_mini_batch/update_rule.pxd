# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""What the compiled epochs of dense and of CSR rows share; see `_mini_batch/update_rule.pyx`."""

from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport copysign, fabs, sqrt

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    /* GCC leaves out calls of functions that do nothing else: it takes them to have no effect.
       An empty statement in assembler is one. */
    #define PREFETCH(address) \\
        do { __builtin_prefetch(address, 0, 2); __asm__ volatile (""); } while (0)
    #else
    #define PREFETCH(address) ((void) (address))
    #endif
    """
    void PREFETCH(const void* address) noexcept nogil

cdef enum:
    # Rows are visited in random order. Each is asked for this many visits before it is read, so
    # that it is in the second cache by then; the first is kept for what is in use.
    PREFETCH_DISTANCE = 8
    # Multiply-adds between two looks at whether the user has interrupted: from 10 ms in dense
    # rows to .7 s where sparse ones read memory at random.
    WORK_UNHEARD = 1 << 23


cdef class Rule:
    cdef readonly Py_ssize_t batch_size, divisor
    cdef readonly double momentum, least_l2
    cdef readonly bint cautious, nesterov, running, proximal, positive, lazy


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


cdef struct Batch:
    Py_ssize_t first     # the number of its first visit
    Py_ssize_t n_rows    # batch_size, or fewer in the last batch
    double divisor       # what its sums are divided by


cdef inline Batch batch_of(Rule rule, Py_ssize_t t, Py_ssize_t n_visits) noexcept nogil:
    """Return the batch number t of the visits."""
    cdef Batch batch
    batch.first = t * rule.batch_size
    batch.n_rows = min(rule.batch_size, n_visits - batch.first)
    batch.divisor = rule.divisor if rule.divisor > 0 else batch.n_rows
    return batch


cdef inline double weighed(
    double error, double weight, double divisor, double* loss
) noexcept nogil:
    """Add the weighted square of an error to the loss; return its part in the gradient."""
    loss[0] += weight * error * error
    return weight * error / divisor


cdef inline double with_momentum(
    double momentum, bint nesterov, double change, double* velocity
) noexcept nogil:
    """Add a change to the velocity; return how far a coefficient moves.

    That is the velocity, or with Nesterov's momentum what the velocity would be if it took in
    the same change once more.
    """
    velocity[0] = momentum * velocity[0] + change
    return momentum * velocity[0] + change if nesterov else velocity[0]


cdef inline double cautious_step(double step, double square, double curvature) noexcept nogil:
    """The step, or the exact one of the batch if that is less than half of it."""
    if step * curvature > 2 * square:
        return square / curvature
    return step


cdef inline double factor_of(const double* of_features, Py_ssize_t j) noexcept nogil:
    """The factor of the penalty of a feature; ``of_features`` is NULL if all are alike."""
    return of_features[2 * j] if of_features is not NULL else 1


cdef inline bint is_positive(
    Rule rule, const double* of_features, Py_ssize_t j
) noexcept nogil:
    """Whether the coefficients of a feature may not be negative."""
    return of_features[2 * j + 1] != 0 if of_features is not NULL else rule.positive


cdef inline bint any_of(const double* values, Py_ssize_t n) noexcept nogil:
    """Whether any of n values is not zero."""
    cdef Py_ssize_t i
    for i in range(n):
        if values[i] != 0:
            return True
    return False


cdef inline double shrunk(
    double w, double threshold, double ridge, bint positive
) noexcept nogil:
    """The proximal map of ``threshold * |w| + ridge * w ** 2 / 2`` and of w >= 0."""
    # Signs are not predictable, so that this has no branch on them.
    cdef double size = (w if positive else fabs(w)) - threshold
    size = size if size > 0 else 0
    # What is zero has no sign: -0.0 + 0.0 is 0.0.
    return copysign(size / (1 + ridge), w) + 0.0


cdef inline void merge_moments(
    double* running, double origin, double weight, double first, double second
) noexcept nogil:
    """Merge values into the running moments of a feature (Chan, Golub & LeVeque, 1983).

    ``first`` and ``second`` are the weighted sums of their deviations from the origin and of the
    squares of these. The origin is the mean so far or, where there is none, one of the values.
    """
    running[0] += weight
    running[1] = origin + first / running[0]
    running[2] += second - first ** 2 / running[0]


cdef inline double spread(
    const double* running, double total, bint centred
) noexcept nogil:
    """The variance of a feature, or its mean square without an intercept; 0 of a constant.

    The running moments of a feature are the weight of its values that are not zero, their mean,
    and the sum of their weighted squares about it; ``total`` is the weight of all rows.
    """
    cdef double density = running[0] / total, mean = density * running[1], square
    square = running[2] / total + (1 - density) * density * running[1] ** 2
    if not centred:
        square += mean * mean
    # A deviation below this part of the mean is that of a constant, by rounding.
    return square if square > (1e-8 * mean) ** 2 else 0


cdef struct FeatureCoordinates:
    double centre
    double inverse_square    # 1 / scale ** 2, or 0 for a feature that says nothing


cdef inline FeatureCoordinates coordinates_of(
    const double* running, double total, double least_l2, bint centred, double* density
) noexcept nogil:
    """Return the centre and scale of a feature by its running moments.

    They are those of `coordinates.StepCoordinates.of`.
    ``density`` is NULL if no feature is rare. That of a rare feature, which is not 0, is brought
    up to date, and the feature is not centred.
    """
    cdef FeatureCoordinates coordinates
    cdef double square = spread(running, total, centred), filled = running[0] / total
    coordinates.centre = filled * running[1] if centred else 0
    coordinates.inverse_square = 1 / (square / sqrt(filled) + least_l2) if square > 0 else 0
    if density is not NULL and density[0] > 0:
        coordinates.centre, density[0] = 0, filled
    return coordinates
