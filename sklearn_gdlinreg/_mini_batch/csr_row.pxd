# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""What `csr_epochs` does with one CSR row.

A row is ``x``, ``indices`` and ``nnz``: its values, their columns, and how many there are.
"""

from cython cimport floating

from .._rows.row cimport index_t
from .csr_model cimport Model, pay, recentre
from .update_rule cimport (
    PREFETCH,
    FeatureCoordinates,
    Rule,
    coordinates_of,
    factor_of,
    merge_moments,
)


cdef inline void fetch(
    const floating* data, const index_t* indices, const index_t* indptr,
    Py_ssize_t row, Py_ssize_t sooner_row, const double* table, Py_ssize_t D,
    const double* rare,
) noexcept nogil:
    """Ask for the entries of a row, and for what is known of those of a row that comes sooner.

    ``rare`` is that of `csr_epochs.descend_sparse`, or NULL.
    """
    cdef Py_ssize_t a, n = 2 * D + 1, e
    # A line of the cache holds eight values of 64 bits.
    for a in range(indptr[row], indptr[row + 1], 8):
        PREFETCH(&data[a])
        PREFETCH(&indices[a])
    # Records of one output are so short that asking takes as long as it saves.
    if D > 1:
        for a in range(indptr[sooner_row], indptr[sooner_row + 1]):
            for e in range(0, n, 8):
                PREFETCH(table + indices[a] * n + e)
    if rare is not NULL:
        for a in range(indptr[sooner_row], indptr[sooner_row + 1]):
            PREFETCH(rare + 3 * <Py_ssize_t> indices[a])


cdef inline void pay_for_row(
    Rule rule, Model* model, const index_t* indices, Py_ssize_t nnz
) noexcept nogil:
    """Take off the coefficients of a row what they owe of the L1 penalty."""
    cdef Py_ssize_t a
    for a in range(nnz):
        pay(rule, model, indices[a])


cdef inline void multiply_row(
    const floating* x, const index_t* indices, Py_ssize_t nnz,     # IN   one row
    const double* table, Py_ssize_t D,                             # IN
    double* r,                                                     # OUT  (D,)
) noexcept nogil:
    """Write x V."""
    cdef Py_ssize_t a, d
    cdef const double* V
    cdef double value, total = 0
    # One output is spelt out, here and below: a loop within the loop takes twice as long.
    if D == 1:
        for a in range(nnz):
            total += x[a] * table[3 * <Py_ssize_t> indices[a]]
        r[0] = total
        return
    for d in range(D):
        r[d] = 0
    for a in range(nnz):
        value, V = x[a], table + indices[a] * (2 * D + 1)
        for d in range(D):
            r[d] += value * V[d]


cdef inline double square_length(
    const floating* x, const index_t* indices, Py_ssize_t nnz,     # IN   one row
    const double* table, Py_ssize_t D,                             # IN
) noexcept nogil:
    """Return the sum of p x ** 2."""
    cdef Py_ssize_t a
    cdef double length = 0
    for a in range(nnz):
        length += <double> x[a] * x[a] * table[indices[a] * (2 * D + 1) + 2 * D]
    return length


cdef inline void move_row(
    const floating* x, const index_t* indices, Py_ssize_t nnz,     # IN   one row
    const double* r, Py_ssize_t D,                                 # IN   (D,)
    const double* mass,                                            # IN   (D,)
    double* table,                                                 # I/O
) noexcept nogil:
    """V -= p x' r; U such that mass * V + U stays."""
    cdef Py_ssize_t a, d
    cdef double* record
    cdef double value, change
    if D == 1:
        for a in range(nnz):
            record = table + 3 * <Py_ssize_t> indices[a]
            change = x[a] * record[2] * r[0]
            record[0] -= change
            record[1] += mass[0] * change
        return
    for a in range(nnz):
        record = table + indices[a] * (2 * D + 1)
        value = x[a] * record[2 * D]
        for d in range(D):
            change = value * r[d]
            record[d] -= change
            record[D + d] += mass[d] * change


cdef inline void observe_row(
    const floating* x, const index_t* indices, Py_ssize_t nnz,     # IN   one row
    double w,                                                      # IN
    double* running,                                               # I/O  (M, 3)
) noexcept nogil:
    """Add a row to the running moments of its features."""
    cdef Py_ssize_t a
    cdef double origin, first
    cdef double* moments
    for a in range(nnz):
        if x[a] != 0 and w > 0:
            moments = running + 3 * <Py_ssize_t> indices[a]
            origin = moments[1] if moments[0] > 0 else x[a]
            first = w * (x[a] - origin)
            merge_moments(moments, origin, w, first, first * (x[a] - origin))


cdef inline void recentre_row(
    Model* model, const index_t* indices, Py_ssize_t nnz,          # IN
    double least_l2, bint centred,                                 # IN
    const double* running,                                         # IN   (M + 1, 3)
    double* rare,                                                  # I/O  (M, 3), or NULL
) noexcept nogil:
    """Centre and scale anew the features of a row; the model and its sum stay."""
    cdef Py_ssize_t a, j
    cdef double total = running[3 * model.M]
    cdef FeatureCoordinates coordinates
    for a in range(nnz):
        j = indices[a]
        if running[3 * j] > 0:
            coordinates = coordinates_of(
                running + 3 * j, total, least_l2 * factor_of(model.of_features, j), centred,
                NULL if rare is NULL else rare + 3 * j,
            )
            recentre(model, j, coordinates.centre, coordinates.inverse_square)


cdef inline double dot_row(
    const floating* x, const index_t* indices, Py_ssize_t nnz,     # IN   one row
    const double* q,                                               # IN   (M,)
) noexcept nogil:
    """Return x q."""
    cdef Py_ssize_t a
    cdef double total = 0
    for a in range(nnz):
        total += x[a] * q[indices[a]]
    return total
