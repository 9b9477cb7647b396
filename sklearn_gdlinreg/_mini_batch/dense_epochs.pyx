# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""Compiled mini-batch descent over dense rows.

Rows are seen as ``z = [(x - centre) * inverse, 1]``, so that the intercept is the last of the
M + 1 rows of W. Conventions are those of `update_rule`.
"""

from cython cimport floating
from libc.math cimport sqrt
from scipy.linalg.cython_blas cimport daxpy, ddot, dgemm

from .update_rule cimport AHEAD, FETCH_AHEAD, Rule, cautious_step, pause, settle, shrunk


cdef inline void move(
    Py_ssize_t n, Py_ssize_t D,
    const double* step, const double* shrink,  # IN   (D,)
    const double* gradient,                    # IN   (n, D)
    double* W, double* total,                  # I/O  (n, D)
) noexcept nogil:
    """One update of rows of W; ``total`` sums the iterates."""
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
    """As `move`, with a velocity."""
    cdef Py_ssize_t j, d, i
    cdef double ahead = rule.momentum if rule.nesterov else 1.0
    cdef double own = 1.0 if rule.nesterov else 0.0, change
    for j in range(n):
        for d in range(D):
            i = j * D + d
            change = -step[d] * (gradient[i] + shrink[d] * W[i])
            velocity[i] = rule.momentum * velocity[i] + change
            W[i] += ahead * velocity[i] + own * change
            total[i] += W[i]


cdef inline int shrink(
    Rule rule, const floating[:, :] X, const Py_ssize_t[::1] rows, const double[::1] weight,
    const double* step, const double[::1] gain, const double[:, ::1] penalty,
    const double[::1] density, double[::1] filled,
    double[:, ::1] W, double[:, ::1] total, Py_ssize_t* work,
) except -1 nogil:
    """Shrink the coefficients after a batch, in the sum of iterates too; see `update_rule`."""
    cdef Py_ssize_t j, d, M = gain.shape[0], D = W.shape[1]
    cdef double w, g, share
    if density.shape[0]:
        count(X, rows, weight, filled, work)
    for j in range(M):
        g, share = gain[j], 1
        if density.shape[0] and density[j] > 0:
            if filled[j] == 0:
                continue
            share = filled[j] / rule.divisor / density[j]
        for d in range(D):
            w = shrunk(W[j, d], share * step[d] * penalty[1, d] * g,
                       share * step[d] * penalty[2, d] * g * g, rule.positive)
            total[j, d] += w - W[j, d]
            W[j, d] = w
    return 0


cdef inline int count(
    const floating[:, :] X, const Py_ssize_t[::1] rows, const double[::1] weight,
    double[::1] filled,                                              # OUT  (M,)
    Py_ssize_t* work,
) except -1 nogil:
    """Sum up the weight of a batch in which each feature is not zero."""
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


cdef inline void add_row(
    const floating* x, Py_ssize_t stride, Py_ssize_t M, double w,    # IN   one row
    const double* origin, double* filled, double* first, double* second,    # I/O  (M,)
) noexcept nogil:
    """Add weight, deviation from the origin and its square, of values that are not zero."""
    cdef Py_ssize_t j
    cdef double d, own
    for j in range(M):
        own = w if x[j * stride] != 0 else 0
        d = x[j * stride] - origin[j]
        filled[j] += own
        first[j] += own * d
        second[j] += own * d * d


cdef inline int observe(
    const floating[:, :] X, const Py_ssize_t[::1] rows, const double[::1] weight,
    double[:, ::1] sums, double[:, ::1] seen, Py_ssize_t* work,
) except -1 nogil:
    """Add a batch to the running moments (Chan, Golub & LeVeque, 1983).

    Values are taken about the mean so far, or the first ones, so that an offset costs no
    digits. ``sums`` becomes that, and what `add_row` adds.
    """
    cdef Py_ssize_t k, j, M = X.shape[1]
    cdef Py_ssize_t stride = X.strides[1] // <Py_ssize_t> sizeof(floating)
    cdef const floating* x
    for j in range(M):
        sums[0, j] = seen[j, 1] if seen[j, 0] > 0 else X[rows[0], j]
        sums[1, j] = sums[2, j] = sums[3, j] = 0
    for k in range(rows.shape[0]):
        x = &X[rows[k], 0]
        seen[M, 0] += weight[k]
        # The compiler turns the loop over neighbours into one over pairs of them.
        if stride == 1:
            add_row(x, 1, M, weight[k], &sums[0, 0], &sums[1, 0], &sums[2, 0], &sums[3, 0])
        else:
            add_row(x, stride, M, weight[k], &sums[0, 0], &sums[1, 0], &sums[2, 0], &sums[3, 0])
        pause(work, M)
    for j in range(M):
        if sums[1, j] > 0:
            seen[j, 0] += sums[1, j]
            seen[j, 1] = sums[0, j] + sums[2, j] / seen[j, 0]
            seen[j, 2] += sums[3, j] - sums[2, j] ** 2 / seen[j, 0]
    return 0


cdef inline void adapt(
    double penalty, const double[:, ::1] sums, const double[:, ::1] seen,
    double[::1] centre, double[::1] inverse, double[::1] gain, double[::1] density,
    double[:, ::1] W, double[:, ::1] total,
) noexcept nogil:
    """Centre and scale anew the features of the batch; the model and its sum stay.

    The scale of a feature that has said nothing so far is 1: it is then at its centre.
    """
    cdef Py_ssize_t j, d, M = centre.shape[0]
    cdef double c, p, scale
    for j in range(M):
        if sums[1, j] == 0:
            continue
        p = settle(&seen[j, 0], seen[M, 0], penalty, inverse[M] != 0, &c)
        if density.shape[0] and density[j] > 0:
            c, density[j] = 0, seen[j, 0] / seen[M, 0]
        scale = inverse[j] / sqrt(p) if p > 0 else inverse[j]
        for d in range(W.shape[1]):
            W[M, d] += (c - centre[j]) * W[j, d] * inverse[j]
            total[M, d] += (c - centre[j]) * total[j, d] * inverse[j]
            W[j, d] *= scale
            total[j, d] *= scale
        centre[j], inverse[j], gain[j] = c, sqrt(p) if p > 0 else 1, sqrt(p)


cdef inline void see_row(
    const floating* x, Py_ssize_t stride, Py_ssize_t M,     # IN   one row
    const double* centre, const double* inverse,            # IN   (M,), (M + 1,)
    double* z,                                              # OUT  (M + 1,)
) noexcept nogil:
    cdef Py_ssize_t j
    if stride == 1:
        for j in range(M):
            z[j] = (x[j] - centre[j]) * inverse[j]
    else:
        for j in range(M):
            z[j] = (x[j * stride] - centre[j]) * inverse[j]
    z[M] = inverse[M]


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


cdef inline int cautious_steps(
    const floating[:, :] X, const Py_ssize_t[::1] rows, const double[::1] weight,
    Py_ssize_t i, Py_ssize_t m, double divisor, double longest,
    const double[::1] centre, const double[::1] inverse, double[:, ::1] block,
    double[:, ::1] images,         # TMP  (S, D)
    double[:, ::1] gradient,       # I/O  (M + 4, D), see `descend_dense`
    Py_ssize_t* work,
) except -1 nogil:
    """Work out the step of each output from the gradient of a batch; see `cautious_step`."""
    cdef Py_ssize_t M = X.shape[1], D = images.shape[1], S = block.shape[0], k, q, n, d, j
    cdef Py_ssize_t stride = X.strides[1] // <Py_ssize_t> sizeof(floating)
    cdef double* step = &gradient[M + 1, 0]
    cdef double* curvature = &gradient[M + 2, 0]
    cdef double square
    for d in range(D):
        curvature[d] = 0
    k = 0
    while k < m:
        n = min(S, m - k)
        # A batch of one block is there already.
        if m > S:
            for q in range(n):
                see_row(&X[rows[i + k + q], 0], stride, M, &centre[0], &inverse[0], &block[q, 0])
        predict(&block[0, 0], <int> n, <int> (M + 1), <int> D, &gradient[0, 0], &images[0, 0])
        for q in range(n):
            for d in range(D):
                curvature[d] += weight[i + k + q] / divisor * images[q, d] ** 2
        pause(work, n * (M + 1) * D)
        k += n
    for d in range(D):
        square = 0
        for j in range(M + 1):
            square += gradient[j, d] * gradient[j, d]
        step[d] = cautious_step(longest, square, curvature[d])
    return 0


def descend_dense(
    Rule rule,
    const floating[:, :] X,        # IN   (N, M)
    const floating[:, :] Y,        # IN   (N, D)
    const Py_ssize_t[::1] rows,    # IN   (n_visits,)
    const double[::1] weight,      # IN   (n_visits,)
    const double[::1] steps,       # IN   (n_batches,)
    double[:, ::1] seen,           # I/O  (M + 1, 3), running moments, last [sum of weights];
                                   #      or (0, 3) if not adaptive
    double[::1] centre,            # I/O  (M,)
    double[::1] inverse,           # I/O  (M + 1,), last 1, or 0 for no intercept
    double[::1] gain,              # I/O  (M,), inverse, or 0 for no proximal step
    double[::1] density,           # I/O  (M,), the share of weight in which a rare feature is
                                   #      not zero, 0 of a common one; or (0,) if all are
    const double[:, ::1] penalty,  # IN   (3, D), [shrink, l1, l2]
    double[:, ::1] block,          # TMP  (S, M + 1), rows of a batch, S at a time
    double[:, ::1] residual,       # TMP  (S, D)
    double[:, ::1] gradient,       # TMP  (M + 4, D), last [steps, curvatures, zeros]
    double[:, ::1] sums,           # TMP  (4, M), if adaptive
    double[::1] filled,            # TMP  (M,), if features are rare
    double[:, ::1] W,              # I/O  (M + 1, D)
    double[:, ::1] velocity,       # I/O  (M + 1, D), or (1, D) without momentum
    double[:, ::1] total,          # I/O  (M + 1, D), the sum of the iterates
    double[::1] loss,              # I/O  (D,), the sum of weight * error ** 2
):
    """Visit rows in mini-batches."""
    cdef Py_ssize_t M = X.shape[1], D = Y.shape[1], n_visits = rows.shape[0]
    cdef Py_ssize_t B = rule.batch_size, S = block.shape[0]
    cdef Py_ssize_t stride = X.strides[1] // <Py_ssize_t> sizeof(floating)
    cdef Py_ssize_t t, i, k, q, d, j, m, n, work = 0
    cdef double r, w, divisor
    cdef const char* ahead
    cdef double* step = &gradient[M + 1, 0]
    cdef double* no_shrink = &gradient[M + 3, 0]
    with nogil:
        for t in range(steps.shape[0]):
            i = t * B
            m = min(B, n_visits - i)
            divisor = rule.divisor if rule.divisor > 0 else m
            if rule.adaptive:
                observe(X, rows[i:i + m], weight[i:i + m], sums, seen, &work)
                adapt(rule.penalty, sums, seen, centre, inverse, gain, density, W, total)
            for k in range(M + 1):
                for d in range(D):
                    gradient[k, d] = 0
            k = i
            while k < i + m:
                n = min(S, i + m - k)
                for q in range(n):
                    if k + q + AHEAD < n_visits and stride == 1:
                        ahead = <const char*> &X[rows[k + q + AHEAD], 0]
                        for j in range(0, M * <Py_ssize_t> sizeof(floating), 64):
                            FETCH_AHEAD(ahead + j)
                    see_row(&X[rows[k + q], 0], stride, M, &centre[0], &inverse[0], &block[q, 0])
                predict(&block[0, 0], <int> n, <int> (M + 1), <int> D, &W[0, 0], &residual[0, 0])
                for q in range(n):
                    w = weight[k + q]
                    for d in range(D):
                        r = residual[q, d] - Y[rows[k + q], d]
                        loss[d] += w * r * r
                        residual[q, d] = w * r / divisor
                add_products(&block[0, 0], <int> n, <int> (M + 1), <int> D, &residual[0, 0],
                             &gradient[0, 0])
                pause(&work, n * (M + 1) * D)
                k += n
            for d in range(D):
                step[d], no_shrink[d] = steps[t], 0
            if rule.cautious:
                cautious_steps(X, rows, weight, i, m, divisor, steps[t], centre, inverse, block,
                               residual, gradient, &work)
            # The intercept, the last row, is not penalised.
            if rule.momentum > 0:
                move_with_momentum(rule, M, D, step, &penalty[0, 0], &gradient[0, 0], &W[0, 0],
                                   &velocity[0, 0], &total[0, 0])
                move_with_momentum(rule, 1, D, step, no_shrink, &gradient[M, 0], &W[M, 0],
                                   &velocity[M, 0], &total[M, 0])
            else:
                move(M, D, step, &penalty[0, 0], &gradient[0, 0], &W[0, 0], &total[0, 0])
                move(1, D, step, no_shrink, &gradient[M, 0], &W[M, 0], &total[M, 0])
            if rule.proximal:
                shrink(rule, X, rows[i:i + m], weight[i:i + m], step, gain, penalty, density,
                       filled, W, total, &work)
