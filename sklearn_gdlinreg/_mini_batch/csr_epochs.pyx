# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""Compiled mini-batch descent over CSR rows.

The steps are those of `dense_epochs`, made by algebra in O(nnz D). With p = inverse ** 2
and q = centre * p, a column of the table [V, U, p] and an array,

    W = scale * V - q s',   prediction = x W + b.

Centring adds to s and b only, an L2 penalty in the units of X is one number ``scale`` for
each output, and the sum of all iterates is ``mass * V + U - q S'`` with U changed where V is. An
L1 penalty in the units of X takes the same off every |V|, but for its sign at zero: a sum,
``due``, of what each coefficient pays when next needed (Langford, Li & Zhang, 2009). What a
row needs of q is its product x q. Conventions are those of `update_rule`.
"""

from cython cimport floating

from .update_rule cimport AHEAD, Rule, cautious_step, index_t, pause, settle, shrunk
from .csr_row cimport fetch, length_of_row, move_row, pay, read_row, shrink_by_rows

# Below this the one number of a penalty in the units of X is multiplied out.
cdef double SMALLEST_SCALE = 1e-9


cdef inline void multiply_out(
    Rule rule, double[:, ::1] table, Py_ssize_t D, double[:, ::1] factors,
    double[:, ::1] debts,
) noexcept nogil:
    """Bring scale to 1, mass and debts to 0, with the model and the sum as they were."""
    cdef Py_ssize_t j, d, M = table.shape[0]
    for j in range(M):
        if rule.lazy:
            pay(&table[j, 0], &debts[j, 0], &debts[M, 0], D, rule.positive)
        for d in range(D):
            table[j, D + d] += factors[1, d] * table[j, d]
            table[j, d] *= factors[0, d]
    for d in range(D):
        factors[0, d], factors[1, d] = 1, 0
    debts[:, :] = 0


cdef inline void shrink(
    double share, const double* step, bint positive,    # IN
    Py_ssize_t D, double q, double held, const double[:, ::1] penalty,    # IN
    const double[:, ::1] factors,                                     # IN
    double* record, double[:, ::1] shared,                            # I/O
) noexcept nogil:
    """Shrink the coefficients of a feature; the prediction at the centre stays."""
    cdef Py_ssize_t d
    cdef double w, taken, l1, l2, p = record[2 * D]
    if p == 0:
        return
    for d in range(D):
        w = factors[0, d] * record[d] - q * shared[0, d]
        l1, l2 = penalty[1, d] * held * p, penalty[2, d] * held ** 2 * p
        taken = w - shrunk(w, share * step[d] * l1, share * step[d] * l2, positive)
        record[d] -= taken / factors[0, d]
        record[D + d] += (factors[1, d] / factors[0, d] - 1) * taken
        shared[1, d] += taken * q / p
        shared[3, d] += taken * q / p


cdef inline void move_all(
    Rule rule, double[:, ::1] table, Py_ssize_t D, double step, const double* shrink,
    const double[:, ::1] gradient, double[:, ::1] velocity, double* b, const double* db,
) noexcept nogil:
    """A step with momentum, which moves every coefficient and the intercept."""
    cdef Py_ssize_t j, d, M = table.shape[0]
    cdef double ahead = rule.momentum if rule.nesterov else 1.0
    cdef double own = 1.0 if rule.nesterov else 0.0, change
    for d in range(D):
        for j in range(M):
            change = -step * (gradient[j, d] + shrink[d] * table[j, d])
            velocity[j, d] = rule.momentum * velocity[j, d] + change
            table[j, d] += ahead * velocity[j, d] + own * change
            table[j, D + d] += table[j, d]
        velocity[M, d] = rule.momentum * velocity[M, d] - step * db[d]
        b[d] += ahead * velocity[M, d] - own * step * db[d]


cdef inline void observe(
    const floating* x, const index_t* indices, Py_ssize_t nnz, double w,    # IN   one row
    double[:, ::1] seen,                                                    # I/O
) noexcept nogil:
    """Add a row to the running moments (Welford, 1962)."""
    cdef Py_ssize_t a
    cdef double d
    cdef double* moments
    seen[seen.shape[0] - 1, 0] += w
    for a in range(nnz):
        if x[a] != 0 and w > 0:
            moments = &seen[indices[a], 0]
            d = x[a] - moments[1]
            moments[0] += w
            moments[1] += w * d / moments[0]
            moments[2] += w * d * (x[a] - moments[1])


cdef inline void adapt(
    const floating* x, const index_t* indices, Py_ssize_t nnz, Py_ssize_t D,  # IN   one row
    double penalty, double intercept, const double[:, ::1] seen,              # IN
    const double[:, ::1] shared, const double[:, ::1] factors,                # IN
    double[::1] q, double[::1] density, double[:, ::1] table, double* kappa,  # I/O
) noexcept nogil:
    """Centre and scale anew the features of a row; the model and its sum stay."""
    cdef Py_ssize_t a, j, d
    cdef double c, p, change, moved, total = seen[seen.shape[0] - 1, 0]
    for a in range(nnz):
        j = indices[a]
        if seen[j, 0] == 0:
            continue
        p = settle(&seen[j, 0], total, penalty, intercept != 0, &c)
        if density.shape[0] and density[j] > 0:
            c, density[j] = 0, seen[j, 0] / total
        change = c * p - q[j]
        if q[j] != 0:
            kappa[0] -= q[j] * q[j] / table[j, 2 * D]
        kappa[0] += c * c * p
        for d in range(D):
            moved = change * shared[0, d] / factors[0, d]
            table[j, d] += moved
            table[j, D + d] += change * shared[2, d] - factors[1, d] * moved
        q[j], table[j, 2 * D] = c * p, p


def descend_sparse(
    Rule rule,
    const floating[::1] data,      # IN   (nnz,)
    const index_t[::1] indices,    # IN   (nnz,)
    const index_t[::1] indptr,     # IN   (N + 1,)
    const floating[:, :] Y,        # IN   (N, D)
    const Py_ssize_t[::1] rows,    # IN   (n_visits,)
    const double[::1] weight,      # IN   (n_visits,)
    const double[::1] steps,       # IN   (n_batches,)
    double intercept,              # IN   1, or 0 for none
    double[:, ::1] seen,           # I/O  (M + 1, 3), running moments, last [sum of weights];
                                   #      or (0, 3) if not adaptive
    double[::1] q,                 # I/O  (M,)
    double[::1] products,          # I/O  (N,), x q; worked out here if adaptive
    double[::1] kappa,             # I/O  (1,), the sum of p * centre ** 2
    const double[::1] held,        # IN   (M,), what x was multiplied by where it is kept
    const double[:, ::1] penalty,  # IN   (3, D), [shrink, l1, l2]
    const Py_ssize_t[::1] common,  # IN   (n_common,), the features that every batch shrinks
    double[::1] density,           # I/O  (M,), the share of weight in which a rare feature is
                                   #      not zero, 0 of a common one; or (0,) if all are
    double[:, ::1] debts,          # I/O  (M + 1, D), what is paid, last what is due; or
                                   #      (1, D) if not lazy
    double[:, ::1] residual,       # TMP  (B, D)
    double[:, ::1] gradient,       # TMP  (M, D) of zeros, if cautious or with momentum
    double[:, ::1] sums,           # TMP  (3, D)
    double[::1] filled,            # TMP  (M,) of zeros, if features are rare
    double[:, ::1] table,          # I/O  (M, 2 D + 1), [V, U, p]
    double[:, ::1] shared,         # I/O  (4, D), [s, b, sum of s, sum of b]
    double[:, ::1] factors,        # I/O  (2, D), [scale, mass]
    double[:, ::1] velocity,       # I/O  (M + 1, D), or (1, D) without momentum
    double[::1] loss,              # I/O  (D,), the sum of weight * error ** 2
    Py_ssize_t n_before,           # IN   how many batches went before
):
    """Visit rows in mini-batches."""
    cdef Py_ssize_t D = Y.shape[1], n_visits = rows.shape[0]
    cdef Py_ssize_t B = rule.batch_size, t, i, k, a, d, row, m
    cdef Py_ssize_t nnz, work = 0
    cdef bint small
    cdef double divisor, r, w, norm, xq
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
            if rule.adaptive:
                for k in range(m):
                    a, nnz = indptr[rows[i + k]], indptr[rows[i + k] + 1] - indptr[rows[i + k]]
                    observe(&data[0] + a, &indices[0] + a, nnz, weight[i + k], seen)
                    pause(&work, nnz)
                for k in range(m):
                    a, nnz = indptr[rows[i + k]], indptr[rows[i + k] + 1] - indptr[rows[i + k]]
                    adapt(&data[0] + a, &indices[0] + a, nnz, D, rule.penalty, intercept, seen,
                          shared, factors, q, density, table, &kappa[0])
                    pause(&work, nnz * D)
                for k in range(m):
                    xq = 0
                    for a in range(indptr[rows[i + k]], indptr[rows[i + k] + 1]):
                        xq += data[a] * q[indices[a]]
                    products[rows[i + k]] = xq
            for d in range(D):
                step[d], sum_r[d], sum_rq[d] = steps[t], 0, 0
            for k in range(m):
                row, w = rows[i + k], weight[i + k]
                a, nnz = indptr[row], indptr[row + 1] - indptr[row]
                if i + k + AHEAD < n_visits:
                    fetch(data, indices, indptr, rows[i + k + AHEAD], rows[i + k + 2],
                          &table[0, 0], D)
                # Before the first step nothing is due, not even that no coefficient is negative.
                if rule.lazy and n_before + t > 0:
                    for a in range(indptr[row], indptr[row + 1]):
                        pay(&table[indices[a], 0], &debts[indices[a], 0],
                            &debts[debts.shape[0] - 1, 0], D, rule.positive)
                    a = indptr[row]
                read_row(&data[0] + a, &indices[0] + a, nnz, &table[0, 0], D, &residual[k, 0])
                for d in range(D):
                    r = factors[0, d] * residual[k, d] - products[row] * s[d] + b[d] - Y[row, d]
                    loss[d] += w * r * r
                    residual[k, d] = w * r / divisor
                pause(&work, nnz * D)
                if rule.cautious and m == 1:
                    norm = length_of_row(&data[0] + a, &indices[0] + a, nnz, &table[0, 0], D)
                    norm = w / divisor * (norm - 2 * products[row] + kappa[0] + intercept)
                    for d in range(D):
                        step[d] = cautious_step(steps[t], 1, norm)
            if rule.cautious and m > 1:
                cautious_steps(data, indices, indptr, rows, weight, residual, products, table,
                               gradient, i, m, divisor, steps[t], intercept, kappa[0], sums,
                               &work)
            if rule.momentum > 0:
                scatter(data, indices, indptr, rows, residual, gradient, i, m, &work)
                for k in range(m):
                    for d in range(D):
                        sum_r[d] += residual[k, d] * intercept
                move_all(rule, table, D, steps[t], &penalty[0, 0], gradient, velocity, b,
                         sum_r)
                gradient[:, :] = 0
            else:
                small = False
                for d in range(D):
                    factors[0, d] *= 1 - steps[t] * penalty[0, d]
                    small |= -SMALLEST_SCALE < factors[0, d] < SMALLEST_SCALE
                    small |= rule.lazy and factors[0, d] < 0
                if small:
                    multiply_out(rule, table, D, factors, debts)
                for k in range(m):
                    row = rows[i + k]
                    for d in range(D):
                        residual[k, d] *= step[d]
                        sum_r[d] += residual[k, d]
                        sum_rq[d] += residual[k, d] * (products[row] - kappa[0])
                        residual[k, d] /= factors[0, d]
                    a, nnz = indptr[row], indptr[row + 1] - indptr[row]
                    move_row(&data[0] + a, &indices[0] + a, nnz, &residual[k, 0], D,
                             &factors[1, 0], &table[0, 0])
                    pause(&work, nnz * D)
                for d in range(D):
                    s[d] -= sum_r[d]
                    b[d] -= intercept * sum_r[d] - sum_rq[d]
                    factors[1, d] += factors[0, d]
            for d in range(D):
                shared[2, d] += s[d]
                shared[3, d] += b[d]
            if rule.lazy:
                for d in range(D):
                    debts[debts.shape[0] - 1, d] += steps[t] * penalty[1, d] / factors[0, d]
            elif rule.proximal:
                for k in range(common.shape[0]):
                    a = common[k]
                    shrink(1, step, rule.positive, D, q[a], held[a], penalty, factors,
                           &table[a, 0], shared)
                if density.shape[0]:
                    shrink_by_rows(&data[0], &indices[0], &indptr[0], &rows[i], &weight[i], m, D,
                                   divisor, step, rule.positive, &held[0], &penalty[0, 0],
                                   &factors[1, 0], &density[0], &filled[0], &table[0, 0], &work)


cdef inline int scatter(
    const floating[::1] data, const index_t[::1] indices, const index_t[::1] indptr,
    const Py_ssize_t[::1] rows, const double[:, ::1] residual, double[:, ::1] gradient,
    Py_ssize_t i, Py_ssize_t m, Py_ssize_t* work,
) except -1 nogil:
    """Add x' residual of the rows of a batch to the gradient."""
    cdef Py_ssize_t k, a, d, row
    for k in range(m):
        row = rows[i + k]
        for a in range(indptr[row], indptr[row + 1]):
            for d in range(gradient.shape[1]):
                gradient[indices[a], d] += data[a] * residual[k, d]
        pause(work, (indptr[row + 1] - indptr[row]) * gradient.shape[1])
    return 0


cdef inline int cautious_steps(
    const floating[::1] data, const index_t[::1] indices, const index_t[::1] indptr,
    const Py_ssize_t[::1] rows, const double[::1] weight, const double[:, ::1] residual,
    const double[::1] products, const double[:, ::1] table, double[:, ::1] gradient,
    Py_ssize_t i, Py_ssize_t m, double divisor, double longest, double intercept,
    double kappa, double[:, ::1] sums, Py_ssize_t* work,
) except -1 nogil:
    """Work out sums[0], the step of each output; see `cautious_step`.

    With G = x' r, the centred gradient is G - centre R, where R is the sum of r.
    """
    cdef Py_ssize_t k, a, d, j, row, D = gradient.shape[1]
    cdef double R, Rq, square, curvature, u
    scatter(data, indices, indptr, rows, residual, gradient, i, m, work)
    for d in range(D):
        R = Rq = square = curvature = 0
        for k in range(m):
            R += residual[k, d]
            Rq += residual[k, d] * products[rows[i + k]]
        for k in range(m):
            row, u = rows[i + k], 0
            for a in range(indptr[row], indptr[row + 1]):
                j = indices[a]
                u += data[a] * table[j, 2 * D] * gradient[j, d]
            square += residual[k, d] * u
            u += (intercept + kappa - products[row]) * R - Rq
            curvature += weight[i + k] / divisor * u * u
            pause(work, indptr[row + 1] - indptr[row])
        square += R * ((intercept + kappa) * R - 2 * Rq)
        sums[0, d] = cautious_step(longest, square, curvature)
    for k in range(m):
        row = rows[i + k]
        for a in range(indptr[row], indptr[row + 1]):
            for d in range(D):
                gradient[indices[a], d] = 0
    return 0
