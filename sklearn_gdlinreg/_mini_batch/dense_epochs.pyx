# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""Compiled mini-batch descent over dense rows.

A row x is read as ``z = [(x - centre) * inverse, 1]``, so that the intercept is the last of the
M + 1 rows of W, and a prediction is ``z W``. Rows of a batch are read S at a time, as many as
stay in cache, into a block. Conventions are those of `update_rule`.
"""

from cython cimport floating

from .dense_batch cimport add_gradient, add_gradient_of_one_output, shorten_steps
from .dense_correction cimport leave_anchor, whiten
from .dense_running cimport adapt, observe
from .update_rule cimport (
    Batch,
    Rule,
    any_of,
    batch_of,
    factor_of,
    is_positive,
    pause,
    shrunk,
    with_momentum,
)


cdef inline void move(
    Py_ssize_t n, Py_ssize_t D,
    const double* step, const double* shrink,  # IN   (D,)
    const double* gradient,                    # IN   (n, D)
    double* W, double* total,                  # I/O  (n, D)
) noexcept nogil:
    """Make the step of a batch in n rows of W, and add them to the sum of the iterates."""
    cdef Py_ssize_t i, j, d
    # One output is spelt out: a loop within the loop takes twice as long.
    if D == 1:
        for i in range(n):
            W[i] -= step[0] * (gradient[i] + shrink[0] * W[i])
            total[i] += W[i]
        return
    for j in range(n):
        for d in range(D):
            i = j * D + d
            W[i] -= step[d] * (gradient[i] + shrink[d] * W[i])
            total[i] += W[i]


cdef inline void move_with_momentum(
    Rule rule, Py_ssize_t n, Py_ssize_t D,
    const double* step, const double* shrink,  # IN   (D,)
    const double* gradient,                    # IN   (n, D)
    double* W, double* velocity, double* total,    # I/O  (n, D)
) noexcept nogil:
    """As `move`, with momentum."""
    cdef Py_ssize_t j, d, i
    cdef double change
    for j in range(n):
        for d in range(D):
            i = j * D + d
            change = -step[d] * (gradient[i] + shrink[d] * W[i])
            W[i] += with_momentum(rule.momentum, rule.nesterov, change, &velocity[i])
            total[i] += W[i]


cdef inline void add_l2(
    const double[:, ::1] W, const double* shrink, const double* of_features,    # IN
    double[:, ::1] gradient,                                                    # I/O
) noexcept nogil:
    """Add the L2 penalty in the units of X to the gradient, where features are not alike."""
    cdef Py_ssize_t j, d
    if not any_of(shrink, W.shape[1]):
        return
    for j in range(W.shape[0] - 1):
        for d in range(W.shape[1]):
            gradient[j, d] += factor_of(of_features, j) * shrink[d] * W[j, d]


cdef inline int shrink(
    Rule rule, const floating[:, :] X, const Py_ssize_t[::1] rows, const double[::1] weight,
    const double* step, const double[::1] proximal_scale, const double[:, ::1] penalty,
    const double* of_features, const double[::1] density, double[::1] filled,
    double[:, ::1] W, double[:, ::1] total, Py_ssize_t* work,
) except -1 nogil:
    """Shrink the coefficients after a batch, in the sum of iterates too; see `update_rule`.

    The penalty of a common feature counts once. That of a rare one counts by how often the batch
    holds the feature, in units of how often rows do in the mean.
    """
    cdef Py_ssize_t j, d, M = proximal_scale.shape[0], D = W.shape[1]
    cdef double w, scale, times, pace
    cdef bint positive
    if density.shape[0]:
        sum_filled(X, rows, weight, filled, work)
    for j in range(M):
        scale, times, positive = proximal_scale[j], 1, is_positive(rule, of_features, j)
        if density.shape[0] and density[j] > 0:
            if filled[j] == 0:
                continue
            times = filled[j] / rule.divisor / density[j]
        times *= factor_of(of_features, j)
        for d in range(D):
            pace = times * scale * step[d]
            w = shrunk(W[j, d], pace * penalty[1, d], pace * scale * penalty[2, d], positive)
            total[j, d] += w - W[j, d]
            W[j, d] = w
    return 0


cdef inline int sum_filled(
    const floating[:, :] X, const Py_ssize_t[::1] rows, const double[::1] weight,
    double[::1] filled,                                              # OUT  (M,)
    Py_ssize_t* work,
) except -1 nogil:
    """Write the weight of the rows of a batch in which each feature is not zero."""
    cdef Py_ssize_t k, j, M = X.shape[1]
    cdef Py_ssize_t stride = X.strides[1] // <Py_ssize_t> sizeof(floating)
    cdef const floating* x
    filled[:] = 0
    for k in range(rows.shape[0]):
        x = &X[rows[k], 0]
        if stride == 1:
            for j in range(M):
                filled[j] += weight[k] if x[j] != 0 else 0
        else:
            for j in range(M):
                filled[j] += weight[k] if x[j * stride] != 0 else 0
        pause(work, M)
    return 0


def descend_dense(
    Rule rule,
    const floating[:, :] X,        # IN   (N, M)
    const floating[:, :] Y,        # IN   (N, D)
    const Py_ssize_t[::1] rows,    # IN   (n_visits,)
    const double[::1] weight,      # IN   (n_visits,)
    const double[::1] steps,       # IN   (n_batches,)
    double[:, ::1] running,        # I/O  (M + 1, 3), running moments, last [sum of weights];
                                   #      or (0, 3) if not running
    double[::1] centre,            # I/O  (M,)
    double[::1] inverse,           # I/O  (M + 1,), last 1, or 0 for no intercept
    double[::1] proximal_scale,    # I/O  (M,), inverse, or 0 for no proximal step
    double[::1] density,           # I/O  (M,), the share of weight in which a rare feature is
                                   #      not zero, 0 of a common one; (0,) if all are common
    const double[:, ::1] penalty,  # IN   (3, D), [shrink, l1, l2]
    const double[:, ::1] of_features,    # IN   (M, 2), [factor, positive]; (0, 2) if alike
    double[:, ::1] block,          # TMP  (S, M + 1), rows of a batch, S at a time
    double[:, ::1] residual,       # TMP  (S, D)
    double[:, ::1] gradient,       # TMP  (M + 4, D), last [steps, curvatures, zeros]
    double[:, ::1] sums,           # TMP  (4, M), if running
    double[::1] filled,            # TMP  (M,), if features are rare
    double[:, ::1] W,              # I/O  (M + 1, D)
    double[:, ::1] velocity,       # I/O  (M + 1, D), or (1, D) without momentum
    double[:, ::1] total,          # I/O  (M + 1, D), the sum of the iterates
    double[::1] loss,              # I/O  (D,), the sum of weight * error ** 2
    double[:, ::1] correction,     # I/O  (3 (M + 1), D), [the anchor, the gradient there, TMP]
                                   #      if steps are variance-reduced, and Y zero; or (0, D)
    const double[:, ::1] metric,   # IN   (M, M), what gradients are multiplied by; or (0, 0)
):
    """Visit rows in mini-batches, and move W after each."""
    cdef Py_ssize_t M = X.shape[1], D = Y.shape[1], t, j, d, first, stop, work = 0
    cdef Batch batch
    cdef double* step = &gradient[M + 1, 0]
    cdef double* no_shrink = &gradient[M + 3, 0]
    cdef const double* own = &of_features[0, 0] if of_features.shape[0] else NULL
    # Where features are not alike, the gradient has the L2 penalty already.
    cdef const double* l2 = &penalty[0, 0]
    cdef const double* way
    if own is not NULL:
        l2 = no_shrink
    with nogil:
        for t in range(steps.shape[0]):
            batch = batch_of(rule, t, rows.shape[0])
            first, stop = batch.first, batch.first + batch.n_rows
            if rule.running:
                observe(X, rows[first:stop], weight[first:stop], sums, running, &work)
                adapt(rule.least_l2, own, sums, running, centre, inverse, proximal_scale,
                      density, W, total)
            for j in range(M + 1):
                for d in range(D):
                    gradient[j, d] = 0
            way = &W[0, 0]
            if correction.shape[0]:
                way = leave_anchor((M + 1) * D, way, &correction[0, 0], &gradient[0, 0])
            if D == 1 and not rule.cautious:
                add_gradient_of_one_output(X, Y, rows, weight, batch, centre, inverse, way,
                                           &gradient[0, 0], &loss[0], &work)
            else:
                add_gradient(X, Y, rows, weight, batch, centre, inverse, way, M + 1, block,
                             residual, gradient, loss, &work)
            if metric.shape[0]:
                whiten(<int> M, <int> D, &metric[0, 0], &gradient[0, 0],
                       &correction[2 * M + 2, 0])
            for d in range(D):
                step[d], no_shrink[d] = steps[t], 0
            if rule.cautious:
                shorten_steps(X, rows, weight, batch, steps[t], centre, inverse, block,
                              residual, gradient, &work)
            if own is not NULL:
                add_l2(W, &penalty[0, 0], own, gradient)
            # The intercept, the last row, is not penalised.
            if rule.momentum > 0:
                move_with_momentum(rule, M, D, step, l2, &gradient[0, 0], &W[0, 0],
                                   &velocity[0, 0], &total[0, 0])
                move_with_momentum(rule, 1, D, step, no_shrink, &gradient[M, 0], &W[M, 0],
                                   &velocity[M, 0], &total[M, 0])
            else:
                move(M, D, step, l2, &gradient[0, 0], &W[0, 0], &total[0, 0])
                move(1, D, step, no_shrink, &gradient[M, 0], &W[M, 0], &total[M, 0])
            if rule.proximal:
                shrink(rule, X, rows[first:stop], weight[first:stop], step, proximal_scale,
                       penalty, own, density, filled, W, total, &work)
