# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""Compiled mini-batch descent over CSR rows.

The steps are those of `dense_epochs`. A step moves every coefficient, also those of features
that are zero in all rows of the batch: centring turns their zeros into other numbers, and a
penalty shrinks whatever is not zero. Yet a step takes only O(nnz D) here, where nnz is the
number of entries in the batch. This is how. Conventions are those of `update_rule`; products
with ``*`` are taken feature by feature, and a transpose has a prime. For each output there is
one of r, s, b, S, scale and mass.

1. The step in the units of X. SGD descends on A and c, the coefficients and the intercept of
   centred and scaled rows z. W and b are the same model in the units of X::

       z = (x - centre) * inverse
       prediction = z A + c = x W + b         W = inverse * A,  b = c - centre' W

   Let r be the weighted errors of the batch, over its divisor, and R their sum. The step is::

       A -= step * z' r                       z' r = inverse * (x' r - centre R)
       c -= step * R

   Multiplied by inverse, the first line is the step of W. With ``p = inverse ** 2`` and
   ``q = centre * p``::

       W -= step * p * (x' r - centre R)  =  step * (p * x' r - q R)

2. What centring adds. ``p * x' r`` is zero for features that the batch does not hold. ``q R``
   is not, but it is always a multiple of the same q. So the multiples are summed up in a number
   of its own, s, and V takes the rest::

       W = V - q s'                           V -= step * p * x' r         s -= step * R

3. The intercept. As ``b = c - centre' W``, the step of W moves b too. That needs the products
   x q of the rows, and ``kappa = centre' q``, the sum of ``p * centre ** 2``::

       b -= step * R - step * (centre' (p * x' r) - centre' q R)
          = step * R - step * (sum over rows of r (x q - kappa))

   Without an intercept the first term is missing, and centre is 0. A prediction is
   ``x V - (x q) s + b``, and kappa also serves the squared length of z: the sum of
   ``p * x ** 2``, less ``2 x q``, and kappa.

4. The L2 penalty in the units of X, which the textbook's update has. In each batch it multiplies
   all of W by the same number, ``1 - step * shrink``. The product of these numbers is ``scale``,
   and V is what it multiplies. The textbook does not centre, so that q is 0 wherever scale is
   not 1::

       W = scale * V - q s'                   V -= step / scale * p * x' r

   When scale gets so small that digits are at risk, V is multiplied by it, and it becomes 1.
   Where features have factors of their own (``of_features``) there is no such number: all of V
   is multiplied after each batch, in O(M D), and scale stays 1.

5. The sum of all iterates W, from which their mean is worked out. The sum of ``q s'`` is
   ``q S'``, where S is the sum of s. Most features keep their V in a batch, so that to each the
   batch adds the same multiple of V: the sum of scale so far is ``mass``. What is missing for
   those whose V has changed is U::

       sum of W = mass * V + U - q S'

   Where V changes by v, U changes by ``-mass * v``, so that the sum of the iterates before
   stays. Then mass grows by scale, which adds the new iterate of every feature.

6. The proximal step after a batch. Rows may be kept multiplied by ``unit``; the penalty is that
   of ``unit * W``. It takes ``step * l1 * unit * inverse`` off |A|, which is
   ``step * l1 * unit * p`` off |W|. Automatic steps take it at once, in the common features and
   in the rare ones that the batch holds (`update_rule`). The iterate has been summed up by
   then. If W loses w, then V loses ``w / scale``, the sum has to lose w as well, and so U gains
   ``(mass / scale - 1) * w``. The intercept c stays, so that b gains ``centre * w``.

7. The L1 penalty of the textbook's update is owed (Langford, Li & Zhang, 2009). The textbook
   takes X as it was given, which is ``inverse = 1 / unit``, so that each batch takes
   ``step * l1 * inverse / scale`` off every |V| until that is zero. V is not read until a batch
   holds its feature, and can pay for all batches in between at once: two payments that follow
   each other take as much as one of their sum. ``due`` is the sum of ``step * l1 / scale`` so
   far, and ``paid`` is what it was when the feature last paid. The feature pays the
   difference, times its inverse and the factor of its penalty, before it is read. The sum of
   iterates would need those in between, and is not kept.

8. A feature whose centre or scale changes, as those of streams do (`Rule.running`), gets
   another p and q. Its V and U follow, so that W and the sum of W stay.

Momentum is an exception. It moves all coefficients in each batch anyway, so that mass is 0 and
U is the sum. Only the textbook's update has it: there q is 0, scale is 1, and the gradient is
``p * x' r``. So are variance-reduced steps (`csr_correction`).

The record of a feature in the table is [V, U, p]: what is needed together lies together.
"""

from cython cimport floating
from libc.float cimport DBL_EPSILON

from .._rows.row cimport index_t
from .csr_batch cimport (
    adapt,
    add_gradient,
    move_rows,
    read_rows,
    shorten_steps,
    shorten_steps_of_row,
    shrink_rare_features,
)
from .csr_correction cimport make_corrected_step
from .csr_model cimport (
    Model,
    less,
    model_of,
    move_all,
    shrink_common,
    shrink_in_units,
    without_debt,
)
from .update_rule cimport Batch, Rule, batch_of


cdef inline int make_step(
    Rule rule, Model* model,
    const floating* data, const index_t* indices, const index_t* indptr,    # IN
    const floating* Y, Py_ssize_t y_row_stride, Py_ssize_t y_stride,        # IN   in items
    const double* products,                                                 # IN   (N,)
    const Py_ssize_t* rows, const double* weight, Batch batch,              # IN
    Py_ssize_t n_left, Py_ssize_t n_before, double longest,                 # IN
    double intercept, const double* penalty, const double* rare,            # IN
    double* residual, double* gradient,                                     # TMP
    double* velocity,                                                       # I/O
    double* sums,                                                           # OUT  (3, D)
    double* loss,                                                           # I/O  (D,)
    Py_ssize_t* work,
) except -1 nogil:
    """Make the step of a batch, but for the proximal one."""
    cdef Py_ssize_t D = model.D, k, d
    # Before the first step nothing is due, not even that no coefficient is negative.
    cdef bint indebted = rule.lazy and n_before > 0
    cdef double* sum_r = sums + D
    read_rows(rule, model, data, indices, indptr, Y, y_row_stride, y_stride, products, rows,
              weight, batch, n_left, indebted, rare, residual, loss, work)
    for d in range(D):
        sums[d] = longest
    if rule.cautious and batch.n_rows == 1:
        shorten_steps_of_row(model, data, indices, indptr, products, rows[0],
                             weight[0] / batch.divisor, longest, intercept, sums)
    elif rule.cautious:
        shorten_steps(model, data, indices, indptr, products, rows, weight, batch, residual,
                      longest, intercept, gradient, sums, work)
    if rule.momentum > 0:
        add_gradient(data, indices, indptr, rows, batch, residual, D, gradient, work)
        for d in range(D):
            sum_r[d] = 0
            for k in range(batch.n_rows):
                sum_r[d] += residual[k * D + d] * intercept
        move_all(rule, model, longest, penalty, sum_r, gradient, velocity)
    else:
        shrink_in_units(rule, model, longest, penalty, indebted)
        move_rows(model, data, indices, indptr, products, rows, batch, sums, intercept, sum_r,
                  sum_r + D, residual, work)
    return 0


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
    double[:, ::1] running,        # I/O  (M + 1, 3), running moments, last [sum of weights];
                                   #      or (0, 3) if not running
    double[::1] q,                 # I/O  (M,)
    double[::1] products,          # I/O  (N,), x q; worked out here if running
    double[::1] kappa,             # I/O  (1,), the sum of p * centre ** 2
    const double[::1] unit,        # IN   (M,), what x was multiplied by where it is kept
    const double[:, ::1] penalty,  # IN   (3, D), [shrink, l1, l2]
    const double[:, ::1] of_features,    # IN   (M, 2), [factor, positive]; (0, 2) if alike
    const Py_ssize_t[::1] common,  # IN   (n_common,), the features that every batch shrinks
    double[:, ::1] rare,           # I/O  (M, 3), [the share of weight in which a rare feature
                                   #      is not zero, 0 of a common one; its unit; zeros];
                                   #      or (0, 3) if all are common
    double[:, ::1] debts,          # I/O  (M + 1, D), what is paid, last what is due; or
                                   #      (1, D), what is due, if not lazy
    double[:, ::1] residual,       # TMP  (B, D)
    double[:, ::1] gradient,       # TMP  (M, D) of zeros, if cautious or with momentum
    double[:, ::1] sums,           # TMP  (3, D), [step, sum of r, sum of r (x q - kappa)]
    double[:, ::1] table,          # I/O  (M, 2 D + 1), [V, U, p]
    double[:, ::1] shared,         # I/O  (4, D), [s, b, S, sum of b]
    double[:, ::1] factors,        # I/O  (2, D), [scale, mass]
    double[:, ::1] velocity,       # I/O  (M + 1, D), or (1, D) without momentum
    double[::1] loss,              # I/O  (D,), the sum of weight * error ** 2
    Py_ssize_t n_before,           # IN   how many batches went before
    double[:, ::1] correction,     # I/O  (4 (M + 1), D), see `csr_correction`, if steps are
                                   #      variance-reduced; or (0, D)
    const double[:, ::1] metric,   # IN   (M, M), what gradients are multiplied by; or (0, 0)
):
    """Visit rows in mini-batches, and move the model after each."""
    cdef Py_ssize_t D = Y.shape[1], n_visits = rows.shape[0], t, i, k, d, j, work = 0
    cdef Model model = model_of(table, q, kappa, shared, factors, debts, of_features)
    cdef Batch batch
    cdef double* step = &sums[0, 0]
    cdef double* r = &residual[0, 0]
    cdef const double* whitening = &metric[0, 0] if metric.shape[0] else NULL
    cdef double* of_rare = &rare[0, 0] if rare.shape[0] else NULL
    cdef Py_ssize_t y_row_stride = Y.strides[0] // <Py_ssize_t> sizeof(floating)
    cdef Py_ssize_t y_stride = Y.strides[1] // <Py_ssize_t> sizeof(floating)
    with nogil:
        for t in range(steps.shape[0]):
            batch = batch_of(rule, t, n_visits)
            i = batch.first
            if rule.running:
                adapt(rule, &model, &data[0], &indices[0], &indptr[0], &rows[i], &weight[i],
                      batch, intercept != 0, &running[0, 0], of_rare, &products[0], &work)
            if correction.shape[0]:
                make_corrected_step(rule, &model, &data[0], &indices[0], &indptr[0], &rows[i],
                                    &weight[i], batch, n_visits - i, steps[t], intercept,
                                    whitening, &correction[0, 0], r, step, &loss[0], &work)
            else:
                make_step(rule, &model, &data[0], &indices[0], &indptr[0], &Y[0, 0],
                          y_row_stride, y_stride, &products[0], &rows[i], &weight[i], batch,
                          n_visits - i, n_before + t, steps[t], intercept, &penalty[0, 0],
                          of_rare, r, &gradient[0, 0], &velocity[0, 0], step, &loss[0], &work)
            for d in range(D):
                model.sum_s[d] += model.s[d]
                model.sum_b[d] += model.b[d]
            if rule.lazy:
                for d in range(D):
                    model.due[d] += steps[t] * penalty[1, d] / model.scale[d]
            elif rule.proximal:
                for k in range(common.shape[0]):
                    j = common[k]
                    shrink_common(rule, &model, j, unit[j], step, &penalty[1, 0],
                                  &penalty[2, 0])
                if of_rare is not NULL:
                    shrink_rare_features(rule, &model, &data[0], &indices[0], &indptr[0],
                                         &rows[i], &weight[i], batch, step, &penalty[1, 0],
                                         &penalty[2, 0], of_rare, &work)


def write_coefficients(
    Rule rule, double[:, ::1] table, double[::1] q, double[::1] kappa, double[:, ::1] shared,
    double[:, ::1] factors, double[:, ::1] debts, const double[:, ::1] of_features,
    bint summed,                   # IN   whether the sums of iterates are asked for
    const double[::1] unit,        # IN   (M,), as that of `descend_sparse`; (0,) if all are 1
    const double[::1] times,       # IN   (D,), what each output is multiplied by
    const double[:, ::1] more,     # IN   (M, D), of which the share is added; or (0, D)
    double share,                  # IN
    double[:, ::1] out,            # OUT  (M, D)
):
    """Write the last coefficients, or the sums of all iterates, in one pass over the model.

    The other parameters are those of `descend_sparse`.
    """
    cdef Model model = model_of(table, q, kappa, shared, factors, debts, of_features)
    cdef Py_ssize_t j, d, D = model.D
    cdef double rounding = 32 * DBL_EPSILON if rule.proximal else -1, w, factor
    cdef const double* own = model.mass if summed else model.scale
    cdef const double* s = model.sum_s if summed else model.s
    cdef const double* V
    with nogil:
        for j in range(model.M):
            V, factor = model.table + j * (2 * D + 1), unit[j] if unit.shape[0] else 1
            for d in range(D):
                if summed:
                    w = own[d] * V[d] + V[D + d]
                else:
                    w = own[d] * without_debt(rule, &model, j, d)
                w = less(w, model.q[j] * s[d], rounding) * times[d] * factor
                out[j, d] = w + share * more[j, d] if more.shape[0] else w
