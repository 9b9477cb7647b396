# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""Compiled mini-batch descent: a span of batches of dense or CSR rows.

Conventions
-----------
N rows, M features, D outputs, B rows a batch. ``rows`` lists the rows to visit, batch by
batch, and ``weight`` what each visit counts. A batch moves the model by::

    r = weight * (prediction - y)
    W <- W - step * (z' r / divisor + shrink * W)

The steps are one a batch and already hold the factor 2 of the gradient. Kernels take all
buffers from the caller, allocate nothing and raise nothing.

Dense rows are seen as ``z = [(x - centre) * inverse, 1]``, so that the intercept is the last
of the M + 1 rows of W. CSR rows are seen as they are, and the same steps are made by algebra,
in O(nnz D): with the table's p = inverse ** 2 and q = centre * p,

    W = scale * V - q s',   prediction = x W + b.

Centring adds to s and b only, an L2 penalty in the units of X is the one number ``scale``,
and the sum of all iterates is ``mass * V + U - q S'`` with U changed where V is.
"""

from cython cimport floating
from scipy.linalg.cython_blas cimport daxpy, ddot, dgemm

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
cdef Py_ssize_t AHEAD = 4

ctypedef fused index_t:
    int
    long long


cdef class Rule:
    """How a batch moves the model, whatever holds its rows.

    Parameters
    ----------
    batch_size : int, B
    divisor : int
        What sums over a batch are divided by; 0 for the number of its rows.
    shrink : float
        The L2 penalty in the units of X; each batch takes off ``step * shrink * W``.
    period : int
        Every so many batches, a proximal step of the caller's ``ridge`` is taken; 0: never.
    cautious : bool
        Whether a step that would overshoot the batch's own minimum by more than it gains
        is replaced by the one that ends there, output by output.
    momentum : float
    nesterov : bool
    """

    cdef readonly Py_ssize_t batch_size, divisor, period
    cdef readonly double shrink, momentum
    cdef readonly bint cautious, nesterov

    def __init__(
        self, *, batch_size, divisor=0, shrink=0.0, period=0, cautious=False,
        momentum=0.0, nesterov=False,
    ):
        self.batch_size, self.divisor, self.period = batch_size, divisor, period
        self.shrink, self.momentum = shrink, momentum
        self.cautious, self.nesterov = cautious, nesterov


cdef inline double cautious_step(double step, double square, double curvature) noexcept nogil:
    """The step, or the exact one of the batch if that is less than half of it."""
    if step * curvature > 2 * square:
        return square / curvature
    return step


cdef inline void move(
    Rule rule, Py_ssize_t n, Py_ssize_t n_penalised, Py_ssize_t D,
    const double* step,                        # IN   (D,)
    const double* gradient,                    # IN   (n, D)
    double* W, double* velocity, double* total,    # I/O  (n, D)
) noexcept nogil:
    """One update of all rows of W; ``total`` sums the iterates."""
    cdef Py_ssize_t j, d, i
    cdef double shrink, ahead = rule.momentum if rule.nesterov else 1.0
    cdef double own = 1.0 if rule.nesterov else 0.0, change
    for j in range(n):
        shrink = rule.shrink if j < n_penalised else 0.0
        for d in range(D):
            i = j * D + d
            change = -step[d] * (gradient[i] + shrink * W[i])
            if rule.momentum > 0:
                velocity[i] = rule.momentum * velocity[i] + change
                change = ahead * velocity[i] + own * change
            W[i] += change
            total[i] += W[i]


def descend_dense(
    Rule rule,
    const floating[:, :] X,        # IN   (N, M)
    const floating[:, :] Y,        # IN   (N, D)
    const Py_ssize_t[::1] rows,    # IN   (n_visits,)
    const double[::1] weight,      # IN   (n_visits,)
    const double[::1] steps,       # IN   (n_batches,)
    const double[::1] centre,      # IN   (M,)
    const double[::1] inverse,     # IN   (M + 1,), last 1, or 0 for no intercept
    const double[::1] ridge,       # IN   (M + 1,), of the proximal step
    double[:, ::1] block,          # TMP  (B, M + 1)
    double[:, ::1] residual,       # TMP  (2 B, D)
    double[:, ::1] gradient,       # TMP  (M + 3, D)
    double[:, ::1] W,              # I/O  (M + 1, D)
    double[:, ::1] velocity,       # I/O  (M + 1, D), or (0, D) without momentum
    double[:, ::1] total,          # I/O  (M + 1, D), the sum of the iterates
    double[::1] loss,              # I/O  (D,), the sum of weight * error ** 2
    Py_ssize_t n_before,           # IN   how many batches went before, for the period
):
    """Visit rows in mini-batches."""
    cdef Py_ssize_t M = X.shape[1], D = Y.shape[1], n_visits = rows.shape[0]
    cdef Py_ssize_t stride = X.strides[1] // <Py_ssize_t> sizeof(floating)
    cdef Py_ssize_t B = rule.batch_size, t, i, k, j, d, row
    cdef int P = <int> (M + 1), m, one_step = 1, outputs = <int> D
    cdef double one = 1, zero = 0, r, w, divisor
    cdef char no = b"N", yes = b"T"
    cdef const floating* x
    cdef const char* ahead
    cdef double* z
    cdef double* step = &gradient[M + 1, 0]
    cdef double* spare = &gradient[M + 2, 0]
    cdef double* velocities = &velocity[0, 0] if rule.momentum > 0 else NULL
    with nogil:
        for t in range(steps.shape[0]):
            i = t * B
            m = <int> min(B, n_visits - i)
            divisor = rule.divisor if rule.divisor > 0 else m
            for k in range(m):
                x, z = &X[rows[i + k], 0], &block[k, 0]
                if i + k + AHEAD < n_visits and stride == 1:
                    ahead = <const char*> &X[rows[i + k + AHEAD], 0]
                    for j in range(0, M * <Py_ssize_t> sizeof(floating), 64):
                        FETCH_AHEAD(ahead + j)
                if stride == 1:
                    for j in range(M):
                        z[j] = (x[j] - centre[j]) * inverse[j]
                else:
                    for j in range(M):
                        z[j] = (x[j * stride] - centre[j]) * inverse[j]
                z[M] = inverse[M]
            predict(block, m, P, outputs, &W[0, 0], &residual[0, 0])
            for k in range(m):
                row, w = rows[i + k], weight[i + k]
                for d in range(D):
                    r = residual[k, d] - Y[row, d]
                    loss[d] += w * r * r
                    residual[k, d] = w * r / divisor
            if D == 1:
                for j in range(P):
                    gradient[j, 0] = 0
                for k in range(m):
                    daxpy(&P, &residual[k, 0], &block[k, 0], &one_step, &gradient[0, 0],
                          &one_step)
            else:
                dgemm(&no, &yes, &outputs, &P, &m, &one, &residual[0, 0], &outputs,
                      &block[0, 0], &P, &zero, &gradient[0, 0], &outputs)
            for d in range(D):
                step[d] = steps[t]
            if rule.cautious:
                predict(block, m, P, outputs, &gradient[0, 0], &residual[B, 0])
                for d in range(D):
                    spare[d] = r = 0
                    for j in range(P):
                        r += gradient[j, d] * gradient[j, d]
                    for k in range(m):
                        spare[d] += weight[i + k] / divisor * residual[B + k, d] ** 2
                    step[d] = cautious_step(steps[t], r, spare[d])
            move(rule, P, M, D, step, &gradient[0, 0], &W[0, 0], velocities, &total[0, 0])
            if rule.period > 0 and (n_before + t + 1) % rule.period == 0:
                for j in range(M):
                    w = 1 / (1 + steps[t] * rule.period * ridge[j])
                    for d in range(D):
                        W[j, d] *= w


cdef inline void predict(
    const double[:, ::1] block, int m, int P, int D,
    const double* W,               # IN   (P, D)
    double* out,                   # OUT  (m, D)
) noexcept nogil:
    """The first m rows of the block times W."""
    cdef double one = 1, zero = 0
    cdef char no = b"N"
    cdef int k, one_step = 1
    if D == 1:
        for k in range(m):
            out[k] = ddot(&P, <double*> &block[k, 0], &one_step, <double*> W, &one_step)
    else:
        dgemm(&no, &no, &D, &m, &P, &one, <double*> W, &D, <double*> &block[0, 0], &P, &zero,
              out, &D)


# Below this the one number of a penalty in the units of X is multiplied out.
cdef double SMALLEST_SCALE = 1e-9


cdef inline void multiply_out(
    double[:, ::1] table, Py_ssize_t D, double[::1] factors
) noexcept nogil:
    """Bring scale to 1 and mass to 0, with the model and the sum as they were."""
    cdef Py_ssize_t j, d
    for j in range(table.shape[0]):
        for d in range(D):
            table[j, D + d] += factors[1] * table[j, d]
            table[j, d] *= factors[0]
    factors[0], factors[1] = 1, 0


cdef inline void proximal_step(
    double[:, ::1] table, Py_ssize_t D, const double[::1] ridge, double step,
    const double* s, double* b, double mass,
) noexcept nogil:
    """Shrink every coefficient; the prediction at the centre stays."""
    cdef Py_ssize_t j, d
    cdef double taken, p, q
    for j in range(table.shape[0]):
        q, p = table[j, 2 * D], table[j, 2 * D + 1]
        for d in range(D):
            taken = (table[j, d] - q * s[d]) * (1 - 1 / (1 + step * ridge[j]))
            table[j, d] -= taken
            table[j, D + d] += mass * taken
            if p > 0:
                b[d] += taken * q / p


cdef inline void move_all(
    Rule rule, double[:, ::1] table, Py_ssize_t D, double step,
    const double[:, ::1] gradient, double[:, ::1] velocity, double* b, const double* db,
) noexcept nogil:
    """A step with momentum, which moves every coefficient and the intercept."""
    cdef Py_ssize_t j, d, M = table.shape[0]
    cdef double ahead = rule.momentum if rule.nesterov else 1.0
    cdef double own = 1.0 if rule.nesterov else 0.0, change
    for d in range(D):
        for j in range(M):
            change = -step * (gradient[j, d] + rule.shrink * table[j, d])
            velocity[j, d] = rule.momentum * velocity[j, d] + change
            table[j, d] += ahead * velocity[j, d] + own * change
            table[j, D + d] += table[j, d]
        velocity[M, d] = rule.momentum * velocity[M, d] - step * db[d]
        b[d] += ahead * velocity[M, d] - own * step * db[d]


cdef inline void read_row(
    const floating* x, const index_t* indices, Py_ssize_t nnz,     # IN   one row
    const double* table, Py_ssize_t D,                             # IN
    double* r, double* product,                                    # OUT  r += x V; x q
) noexcept nogil:
    cdef Py_ssize_t a, d
    cdef const double* record
    cdef double value, total = 0, xq = 0
    for a in range(nnz):
        value, record = x[a], table + indices[a] * (2 * D + 2)
        if D == 1:
            total += value * record[0]
        else:
            for d in range(D):
                r[d] += value * record[d]
        xq += value * record[2 * D]
    if D == 1:
        r[0] += total
    product[0] = xq


cdef inline double length_of_row(
    const floating* x, const index_t* indices, Py_ssize_t nnz,     # IN   one row
    const double* table, Py_ssize_t D,                             # IN
) noexcept nogil:
    """Return the sum of p x ** 2."""
    cdef Py_ssize_t a
    cdef double length = 0
    for a in range(nnz):
        length += x[a] * x[a] * table[indices[a] * (2 * D + 2) + 2 * D + 1]
    return length


cdef inline void move_row(
    const floating* x, const index_t* indices, Py_ssize_t nnz,     # IN   one row
    const double* r, Py_ssize_t D,                                 # IN   (D,)
    double inverse_scale, double mass,
    double* table,                                                 # I/O
) noexcept nogil:
    """V -= p x' r / scale, and U along with it."""
    cdef Py_ssize_t a, d
    cdef double* record
    cdef double value, change
    for a in range(nnz):
        record = table + indices[a] * (2 * D + 2)
        value = x[a] * record[2 * D + 1] * inverse_scale
        for d in range(D):
            change = value * r[d]
            record[d] -= change
            record[D + d] += mass * change


def descend_sparse(
    Rule rule,
    const floating[::1] data,      # IN   (nnz,)
    const index_t[::1] indices,    # IN   (nnz,)
    const index_t[::1] indptr,     # IN   (N + 1,)
    const floating[:, :] Y,        # IN   (N, D)
    const Py_ssize_t[::1] rows,    # IN   (n_visits,)
    const double[::1] weight,      # IN   (n_visits,)
    const double[::1] steps,       # IN   (n_batches,)
    const double[::1] ridge,       # IN   (M,), of the proximal step
    double intercept,              # IN   1, or 0 for none
    double kappa,                  # IN   the sum of p * centre ** 2
    double[:, ::1] residual,       # TMP  (B, D)
    double[::1] products,          # TMP  (B,), x q
    double[:, ::1] gradient,       # TMP  (M, D) of zeros, if cautious or with momentum
    double[:, ::1] table,          # I/O  (M, 2 D + 2), [V, U, q, p]
    double[:, ::1] shared,         # I/O  (4, D), [s, b, sum of s, sum of b]
    double[:, ::1] sums,           # TMP  (4, D)
    double[::1] factors,           # I/O  (2,), [scale, mass]
    double[:, ::1] velocity,       # I/O  (M + 1, D), or (0, D) without momentum
    double[::1] loss,              # I/O  (D,), the sum of weight * error ** 2
    Py_ssize_t n_before,           # IN   how many batches went before, for the period
):
    """Visit rows in mini-batches."""
    cdef Py_ssize_t D = Y.shape[1], n_visits = rows.shape[0]
    cdef Py_ssize_t B = rule.batch_size, t, i, k, a, d, row, m
    cdef Py_ssize_t nnz
    cdef double divisor, r, w, norm
    cdef double* s = &shared[0, 0]
    cdef double* b = &shared[1, 0]
    cdef double* step = &sums[0, 0]
    cdef double* sum_r = &sums[1, 0]
    cdef double* sum_rq = &sums[2, 0]
    with nogil:
        for t in range(steps.shape[0]):
            i = t * B
            m = min(B, n_visits - i)
            divisor = rule.divisor if rule.divisor > 0 else m
            for d in range(D):
                step[d], sum_r[d], sum_rq[d] = steps[t], 0, 0
            for k in range(m):
                row, w = rows[i + k], weight[i + k]
                a, nnz = indptr[row], indptr[row + 1] - indptr[row]
                products[k] = 0
                for d in range(D):
                    residual[k, d] = 0
                if nnz > 0:
                    read_row(&data[a], &indices[a], nnz, &table[0, 0], D, &residual[k, 0],
                             &products[k])
                for d in range(D):
                    r = factors[0] * residual[k, d] - products[k] * s[d] + b[d] - Y[row, d]
                    loss[d] += w * r * r
                    residual[k, d] = w * r / divisor
                if rule.cautious and m == 1:
                    norm = 0
                    if nnz > 0:
                        norm = length_of_row(&data[a], &indices[a], nnz, &table[0, 0], D)
                    norm = w / divisor * (norm - 2 * products[k] + kappa + intercept)
                    for d in range(D):
                        step[d] = cautious_step(steps[t], 1, norm)
            if rule.cautious and m > 1:
                cautious_steps(data, indices, indptr, rows, weight, residual, products, table,
                               gradient, i, m, divisor, steps[t], intercept, kappa, sums)
            if rule.momentum > 0:
                scatter(data, indices, indptr, rows, residual, gradient, i, m, 1.0)
                for k in range(m):
                    for d in range(D):
                        sum_r[d] += residual[k, d] * intercept
                move_all(rule, table, D, steps[t], gradient, velocity, b, sum_r)
                gradient[:, :] = 0
            else:
                factors[0] *= 1 - steps[t] * rule.shrink
                if -SMALLEST_SCALE < factors[0] < SMALLEST_SCALE:
                    multiply_out(table, D, factors)
                for k in range(m):
                    row = rows[i + k]
                    for d in range(D):
                        residual[k, d] *= step[d]
                        sum_r[d] += residual[k, d]
                        sum_rq[d] += residual[k, d] * (products[k] - kappa)
                    a, nnz = indptr[row], indptr[row + 1] - indptr[row]
                    if nnz > 0:
                        move_row(&data[a], &indices[a], nnz, &residual[k, 0], D,
                                 1 / factors[0], factors[1], &table[0, 0])
                for d in range(D):
                    s[d] -= sum_r[d]
                    b[d] -= intercept * sum_r[d] - sum_rq[d]
                factors[1] += factors[0]
            for d in range(D):
                shared[2, d] += s[d]
                shared[3, d] += b[d]
            if rule.period > 0 and (n_before + t + 1) % rule.period == 0:
                proximal_step(table, D, ridge, steps[t] * rule.period, s, b, factors[1])


cdef inline void scatter(
    const floating[::1] data, const index_t[::1] indices, const index_t[::1] indptr,
    const Py_ssize_t[::1] rows, const double[:, ::1] residual, double[:, ::1] gradient,
    Py_ssize_t i, Py_ssize_t m, double factor,
) noexcept nogil:
    """Add factor * x' residual of the rows of a batch to the gradient."""
    cdef Py_ssize_t k, a, d, row
    for k in range(m):
        row = rows[i + k]
        for a in range(indptr[row], indptr[row + 1]):
            for d in range(gradient.shape[1]):
                gradient[indices[a], d] += factor * data[a] * residual[k, d]


cdef inline void cautious_steps(
    const floating[::1] data, const index_t[::1] indices, const index_t[::1] indptr,
    const Py_ssize_t[::1] rows, const double[::1] weight, const double[:, ::1] residual,
    const double[::1] products, const double[:, ::1] table, double[:, ::1] gradient,
    Py_ssize_t i, Py_ssize_t m, double divisor, double longest, double intercept,
    double kappa, double[:, ::1] sums,
) noexcept nogil:
    """Work out sums[0], the step of each output; see `cautious_step`.

    With G = x' r, the centred gradient is G - centre R, where R is the sum of r.
    """
    cdef Py_ssize_t k, a, d, j, row, D = gradient.shape[1]
    cdef double R, Rq, square, curvature, u
    scatter(data, indices, indptr, rows, residual, gradient, i, m, 1.0)
    for d in range(D):
        R = Rq = square = curvature = 0
        for k in range(m):
            R += residual[k, d]
            Rq += residual[k, d] * products[k]
        for k in range(m):
            row, u = rows[i + k], 0
            for a in range(indptr[row], indptr[row + 1]):
                j = indices[a]
                u += data[a] * table[j, 2 * D + 1] * gradient[j, d]
            square += residual[k, d] * u
            u += (intercept + kappa - products[k]) * R - Rq
            curvature += weight[i + k] / divisor * u * u
        square += R * ((intercept + kappa) * R - 2 * Rq)
        sums[0, d] = cautious_step(longest, square, curvature)
    for k in range(m):
        row = rows[i + k]
        for a in range(indptr[row], indptr[row + 1]):
            for d in range(D):
                gradient[indices[a], d] = 0
