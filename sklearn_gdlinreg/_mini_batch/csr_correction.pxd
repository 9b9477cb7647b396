# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""Variance-reduced steps over CSR rows, as `dense_epochs` makes them; see `variance_reduction`.

The gradient at the anchor moves every feature at each batch, so that nothing is put off here: s
and mass are 0, scale is 1, V is W, and U is the sum of the iterates. ``correction`` holds four
blocks of (M + 1, D): the anchor, W and b; the gradient there as it moves W, ``p`` times the one
by W; and two of passing use. The derivation is that of `csr_epochs`.
"""

from cython cimport floating
from libc.math cimport sqrt

from .._rows.row cimport add_outer, index_t
from .csr_model cimport Model
from .csr_row cimport fetch
from .dense_correction cimport whiten
from .update_rule cimport PREFETCH_DISTANCE, Batch, Rule, cautious_step, pause, weighed


cdef inline int read_way(
    Model* model,
    const floating* data, const index_t* indices, const index_t* indptr,    # IN
    const Py_ssize_t* rows, const double* weight, Batch batch,              # IN
    Py_ssize_t n_left,                                                      # IN
    double* correction,                                                     # I/O
    double* residual,                                                       # OUT  (B, D)
    double* loss,                                                           # I/O  (D,)
    Py_ssize_t* work,
) except -1 nogil:
    """Write how far the predictions of a batch are from those of the anchor, weighted."""
    cdef Py_ssize_t k, j, d, a, nnz, M = model.M, D = model.D, n = (model.M + 1) * model.D
    cdef double* way = correction + 2 * n
    cdef double* r
    for j in range(M):
        for d in range(D):
            way[j * D + d] = model.table[j * (2 * D + 1) + d] - correction[j * D + d]
    for d in range(D):
        way[M * D + d] = model.b[d] - correction[M * D + d]
    for k in range(batch.n_rows):
        a, nnz, r = indptr[rows[k]], indptr[rows[k] + 1] - indptr[rows[k]], residual + k * D
        if k + PREFETCH_DISTANCE < n_left:
            fetch(data, indices, indptr, rows[k + PREFETCH_DISTANCE], rows[k + 2], model.table,
                  D, NULL)
        for d in range(D):
            r[d] = way[M * D + d]
        add_row_product(data + a, indices + a, nnz, way, D, r)
        for d in range(D):
            r[d] = weighed(r[d], weight[k], batch.divisor, &loss[d])
        pause(work, nnz * D)
    pause(work, M * D)
    return 0


cdef inline void add_row_product(
    const floating* x, const index_t* indices, Py_ssize_t nnz,   # IN   one row
    const double* way, Py_ssize_t D,                             # IN   (M, D)
    double* r,                                                   # I/O  (D,)
) noexcept nogil:
    """r += x way."""
    cdef Py_ssize_t a, d
    for a in range(nnz):
        for d in range(D):
            r[d] += x[a] * way[indices[a] * D + d]


cdef inline double* direction_of(
    Model* model,
    const floating* data, const index_t* indices, const index_t* indptr,    # IN
    const Py_ssize_t* rows, Batch batch, const double* residual,            # IN
    double intercept, const double* metric,                                 # IN   or NULL
    double* correction,                                                     # I/O
    Py_ssize_t* work,
) except? NULL nogil:
    """Return the gradient of a batch as it moves W and, in the last row, c; (M + 1, D)."""
    cdef Py_ssize_t k, j, d, a, M = model.M, D = model.D, n = (model.M + 1) * model.D
    cdef double* G = correction + 2 * n
    cdef double* R = G + M * D
    cdef double p, root
    for j in range(n):
        G[j] = 0
    for k in range(batch.n_rows):
        a = indptr[rows[k]]
        add_outer(data + a, indices + a, indptr[rows[k] + 1] - a, residual + k * D, D, G)
        for d in range(D):
            R[d] += residual[k * D + d]
        pause(work, (indptr[rows[k] + 1] - a) * D)
    for j in range(M):
        p = model.table[j * (2 * D + 1) + 2 * D]
        # The metric is one of centred and scaled features.
        root = 1 if metric is NULL or p == 0 else 1 / sqrt(p)
        for d in range(D):
            a = j * D + d
            G[a] = root * (p * G[a] - model.q[j] * R[d] + correction[n + a])
    if metric is not NULL:
        whiten(<int> M, <int> D, metric, G, correction + 3 * n)
        for j in range(M):
            root = sqrt(model.table[j * (2 * D + 1) + 2 * D])
            for d in range(D):
                G[j * D + d] *= root
    for d in range(D):
        R[d] *= intercept
    pause(work, M * D if metric is NULL else M * M * D)
    return G


cdef inline int shorten_corrected_steps(
    Model* model,
    const floating* data, const index_t* indices, const index_t* indptr,    # IN
    const Py_ssize_t* rows, const double* weight, Batch batch,              # IN
    const double* direction, double longest,                                # IN
    double* step,                                                           # OUT  (D,)
    double* residual,                                                       # TMP  (B, D)
    Py_ssize_t* work,
) except -1 nogil:
    """Work out the step of each output from the direction of a batch; see `cautious_step`."""
    cdef Py_ssize_t k, j, d, a, M = model.M, D = model.D
    cdef const double* c = direction + M * D
    cdef double p, square, curvature
    for d in range(D):
        step[d] = c[d] - at_centre(model, direction, d)
    for k in range(batch.n_rows):
        a = indptr[rows[k]]
        for d in range(D):
            residual[k * D + d] = step[d]
        add_row_product(data + a, indices + a, indptr[rows[k] + 1] - a, direction, D,
                        residual + k * D)
        pause(work, (indptr[rows[k] + 1] - a) * D)
    for d in range(D):
        square, curvature = c[d] * c[d], 0
        for j in range(M):
            p = model.table[j * (2 * D + 1) + 2 * D]
            if p > 0:
                square += direction[j * D + d] ** 2 / p
        for k in range(batch.n_rows):
            curvature += weight[k] / batch.divisor * residual[k * D + d] ** 2
        step[d] = cautious_step(longest, square, curvature)
    return 0


cdef inline double at_centre(
    const Model* model, const double* direction, Py_ssize_t d
) noexcept nogil:
    """Return centre' times the direction of an output."""
    cdef Py_ssize_t j, D = model.D
    cdef double p, total = 0
    for j in range(model.M):
        p = model.table[j * (2 * D + 1) + 2 * D]
        if p > 0:
            total += model.q[j] / p * direction[j * D + d]
    return total


cdef inline void move_along(
    Model* model, const double* direction, const double* step
) noexcept nogil:
    """Make the step of a batch in all coefficients, and add them to the sum of the iterates."""
    cdef Py_ssize_t j, d, D = model.D
    cdef double* V
    for d in range(D):
        model.b[d] -= step[d] * (direction[model.M * D + d] - at_centre(model, direction, d))
    for j in range(model.M):
        V = model.table + j * (2 * D + 1)
        for d in range(D):
            V[d] -= step[d] * direction[j * D + d]
            V[D + d] += V[d]


cdef inline int make_corrected_step(
    Rule rule, Model* model,
    const floating* data, const index_t* indices, const index_t* indptr,    # IN
    const Py_ssize_t* rows, const double* weight, Batch batch,              # IN
    Py_ssize_t n_left, double longest, double intercept,                    # IN
    const double* metric,                                                   # IN   or NULL
    double* correction,                                                     # I/O
    double* residual,                                                       # TMP  (B, D)
    double* step,                                                           # OUT  (D,)
    double* loss,                                                           # I/O  (D,)
    Py_ssize_t* work,
) except -1 nogil:
    """Make the variance-reduced step of a batch."""
    cdef double* direction
    cdef Py_ssize_t d
    read_way(model, data, indices, indptr, rows, weight, batch, n_left, correction, residual,
             loss, work)
    direction = direction_of(model, data, indices, indptr, rows, batch, residual, intercept,
                             metric, correction, work)
    for d in range(model.D):
        step[d] = longest
    if rule.cautious:
        shorten_corrected_steps(model, data, indices, indptr, rows, weight, batch, direction,
                                longest, step, residual, work)
    move_along(model, direction, step)
    return 0
