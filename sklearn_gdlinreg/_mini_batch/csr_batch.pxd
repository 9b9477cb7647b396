# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""What `csr_epochs` does with the CSR rows of one batch.

``rows`` and ``weight`` begin at the first visit of the batch.
"""

from cython cimport floating

from .._rows.row cimport add_outer, index_t
from .csr_model cimport Model, shrink_rare
from .csr_row cimport (
    dot_row,
    fetch,
    move_row,
    multiply_row,
    observe_row,
    pay_for_row,
    recentre_row,
    square_length,
)
from .update_rule cimport (
    PREFETCH_DISTANCE,
    Batch,
    Rule,
    any_of,
    cautious_step,
    pause,
    weighed,
)


cdef inline int adapt(
    Rule rule, Model* model,
    const floating* data, const index_t* indices, const index_t* indptr,        # IN
    const Py_ssize_t* rows, const double* weight, Batch batch, bint centred,    # IN
    double* running,                                                            # I/O  (M + 1, 3)
    double* rare,                                                               # I/O  or NULL
    double* products,                                                           # OUT  (N,)
    Py_ssize_t* work,
) except -1 nogil:
    """Let the batch join the running moments, and its features get the scales that follow."""
    cdef Py_ssize_t k, a, nnz
    for k in range(batch.n_rows):
        a, nnz = indptr[rows[k]], indptr[rows[k] + 1] - indptr[rows[k]]
        running[3 * model.M] += weight[k]
        observe_row(data + a, indices + a, nnz, weight[k], running)
        pause(work, nnz)
    for k in range(batch.n_rows):
        a, nnz = indptr[rows[k]], indptr[rows[k] + 1] - indptr[rows[k]]
        recentre_row(model, indices + a, nnz, rule.least_l2, centred, running, rare)
        pause(work, nnz * model.D)
    for k in range(batch.n_rows):
        a, nnz = indptr[rows[k]], indptr[rows[k] + 1] - indptr[rows[k]]
        products[rows[k]] = dot_row(data + a, indices + a, nnz, model.q)
    return 0


cdef inline int read_rows(
    Rule rule, Model* model,
    const floating* data, const index_t* indices, const index_t* indptr,        # IN
    const floating* Y, Py_ssize_t row_stride, Py_ssize_t stride,                # IN   in items
    const double* products,                                                     # IN   (N,)
    const Py_ssize_t* rows, const double* weight, Batch batch,                  # IN
    Py_ssize_t n_left, bint indebted, const double* rare,                       # IN
    double* residual,                                                           # OUT  (B, D)
    double* loss,                                                               # I/O  (D,)
    Py_ssize_t* work,
) except -1 nogil:
    """Write the weighted errors of a batch, and add their squares to the loss.

    ``n_left`` is how many visits are still to make, and ``indebted`` whether coefficients pay
    what they owe before they are read.
    """
    cdef Py_ssize_t k, a, d, row, nnz, D = model.D
    cdef double* r
    cdef const floating* y
    for k in range(batch.n_rows):
        row, r = rows[k], residual + k * D
        y = Y + row * row_stride
        a, nnz = indptr[row], indptr[row + 1] - indptr[row]
        if k + PREFETCH_DISTANCE < n_left:
            fetch(data, indices, indptr, rows[k + PREFETCH_DISTANCE], rows[k + 2], model.table,
                  D, rare)
        if indebted:
            pay_for_row(rule, model, indices + a, nnz)
        multiply_row(data + a, indices + a, nnz, model.table, D, r)
        for d in range(D):
            r[d] = model.scale[d] * r[d] - products[row] * model.s[d] + model.b[d]
            r[d] = weighed(r[d] - y[d * stride], weight[k], batch.divisor, &loss[d])
        pause(work, nnz * D)
    return 0


cdef inline int add_gradient(
    const floating* data, const index_t* indices, const index_t* indptr,    # IN
    const Py_ssize_t* rows, Batch batch,                                    # IN
    const double* residual, Py_ssize_t D,                                   # IN   (B, D)
    double* gradient,                                                       # I/O  (M, D)
    Py_ssize_t* work,
) except -1 nogil:
    """Add x' r of the rows of a batch to the gradient."""
    cdef Py_ssize_t k, a, nnz
    for k in range(batch.n_rows):
        a, nnz = indptr[rows[k]], indptr[rows[k] + 1] - indptr[rows[k]]
        add_outer(data + a, indices + a, nnz, residual + k * D, D, gradient)
        pause(work, nnz * D)
    return 0


cdef inline void shorten_steps_of_row(
    Model* model, const floating* data, const index_t* indices, const index_t* indptr,    # IN
    const double* products, Py_ssize_t row, double weight,                            # IN
    double longest, double intercept,                                                     # IN
    double* step,                                                 # OUT  (D,)
) noexcept nogil:
    """Work out the step of a batch of one row; see `cautious_step`.

    Its gradient is a multiple of z, so that its curvature is the squared length of z. The step
    is the same for all outputs.
    """
    cdef Py_ssize_t a = indptr[row], nnz = indptr[row + 1] - indptr[row], d
    cdef double length = square_length(data + a, indices + a, nnz, model.table, model.D)
    length += model.kappa[0] - 2 * products[row] + intercept
    for d in range(model.D):
        step[d] = cautious_step(longest, 1, weight * length)


cdef inline int shorten_steps(
    Model* model, const floating* data, const index_t* indices, const index_t* indptr,    # IN
    const double* products, const Py_ssize_t* rows, const double* weight,             # IN
    Batch batch, const double* residual, double longest, double intercept,                # IN
    double* gradient,                                             # TMP  (M, D) of zeros
    double* step,                                                 # OUT  (D,)
    Py_ssize_t* work,
) except -1 nogil:
    """Work out the step of each output; see `cautious_step`.

    With G = x' r and R the sum of r, the gradient in the coordinates z is
    ``inverse * (G - centre R)``, and R of the intercept.
    """
    cdef Py_ssize_t k, a, d, j, row, D = model.D
    cdef double R, Rq, square, curvature, image, kappa = model.kappa[0]
    add_gradient(data, indices, indptr, rows, batch, residual, D, gradient, work)
    for d in range(D):
        R = Rq = square = curvature = 0
        for k in range(batch.n_rows):
            R += residual[k * D + d]
            Rq += residual[k * D + d] * products[rows[k]]
        for k in range(batch.n_rows):
            row, image = rows[k], 0
            for a in range(indptr[row], indptr[row + 1]):
                j = indices[a]
                image += data[a] * model.table[j * (2 * D + 1) + 2 * D] * gradient[j * D + d]
            square += residual[k * D + d] * image
            image += (intercept + kappa - products[row]) * R - Rq
            curvature += weight[k] / batch.divisor * image * image
            pause(work, indptr[row + 1] - indptr[row])
        square += R * ((intercept + kappa) * R - 2 * Rq)
        step[d] = cautious_step(longest, square, curvature)
    for k in range(batch.n_rows):
        for a in range(indptr[rows[k]], indptr[rows[k] + 1]):
            for d in range(D):
                gradient[indices[a] * D + d] = 0
    return 0


cdef inline int move_rows(
    Model* model, const floating* data, const index_t* indices, const index_t* indptr,    # IN
    const double* products, const Py_ssize_t* rows, Batch batch,                      # IN
    const double* step, double intercept,                                                 # IN
    double* sum_r, double* sum_rq,                                                        # TMP
    double* residual,                                                                     # TMP
    Py_ssize_t* work,
) except -1 nogil:
    """Make the step of a batch, which moves the coefficients that it holds, s and b.

    ``residual`` holds the weighted errors, (m, D).
    """
    cdef Py_ssize_t k, a, d, row, nnz, D = model.D
    cdef double* r
    for d in range(D):
        sum_r[d] = sum_rq[d] = 0
    for k in range(batch.n_rows):
        row, r = rows[k], residual + k * D
        for d in range(D):
            r[d] *= step[d]
            sum_r[d] += r[d]
            sum_rq[d] += r[d] * (products[row] - model.kappa[0])
            r[d] /= model.scale[d]
        a, nnz = indptr[row], indptr[row + 1] - indptr[row]
        move_row(data + a, indices + a, nnz, r, D, model.mass, model.table)
        pause(work, nnz * D)
    for d in range(D):
        model.s[d] -= sum_r[d]
        model.b[d] -= intercept * sum_r[d] - sum_rq[d]
        model.mass[d] += model.scale[d]
    return 0


cdef inline int shrink_rare_features(
    Rule rule, Model* model,
    const floating* data, const index_t* indices, const index_t* indptr,     # IN
    const Py_ssize_t* rows, const double* weight, Batch batch,               # IN
    const double* step, const double* l1, const double* l2,                  # IN   (D,)
    double* rare,                                                            # I/O  (M, 3)
    Py_ssize_t* work,
) except -1 nogil:
    """Shrink the coefficients of the rare features that a batch holds; see `update_rule`.

    A feature shrinks once, for all rows of the batch that hold it, at the first of them.
    ``rare`` is that of `csr_epochs.descend_sparse`.
    """
    cdef Py_ssize_t k, a, j, m = batch.n_rows
    cdef double held
    cdef double* own
    cdef bint smooth = not (rule.positive or any_of(l1, model.D))
    for k in range(m if m > 1 else 0):
        held = weight[k] / batch.divisor
        for a in range(indptr[rows[k]], indptr[rows[k] + 1]):
            if data[a] != 0:
                rare[3 * <Py_ssize_t> indices[a] + 2] += held
        pause(work, indptr[rows[k] + 1] - indptr[rows[k]])
    for k in range(m):
        held = weight[k] / batch.divisor
        for a in range(indptr[rows[k]], indptr[rows[k] + 1]):
            if data[a] != 0:
                j = indices[a]
                own = rare + 3 * j
                if m > 1:
                    held, own[2] = own[2], 0
                if held > 0 and own[0] > 0:
                    shrink_rare(rule, model, j, own[1], step, l1, l2, smooth, held / own[0])
        pause(work, (indptr[rows[k] + 1] - indptr[rows[k]]) * model.D)
    return 0
