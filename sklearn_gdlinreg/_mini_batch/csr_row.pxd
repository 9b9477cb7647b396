# cython: language_level=3
"""What a visit does with one CSR row and the table of `csr_epochs`."""

from cython cimport floating

from .update_rule cimport FETCH_AHEAD, index_t, pause, shrunk


cdef inline void pay(
    double* v, double* paid, const double* due, Py_ssize_t D, bint positive
) noexcept nogil:
    """Take off the coefficients of a feature what they owe."""
    cdef Py_ssize_t d
    for d in range(D):
        v[d] = shrunk(v[d], due[d] - paid[d], 0, positive)
        paid[d] = due[d]


cdef inline void fetch(
    const floating[::1] data, const index_t[::1] indices, const index_t[::1] indptr,
    Py_ssize_t row, Py_ssize_t next_row, const double* table, Py_ssize_t D,
) noexcept nogil:
    """Ask for a row, and for the coefficients of the one after next if they are many."""
    cdef Py_ssize_t a, n = 2 * D + 1, e
    # Eight values fill a line of the cache.
    for a in range(indptr[row], indptr[row + 1], 8):
        FETCH_AHEAD(&data[a])
        FETCH_AHEAD(&indices[a])
    if D > 1:
        for a in range(indptr[next_row], indptr[next_row + 1]):
            for e in range(0, n, 8):
                FETCH_AHEAD(table + indices[a] * n + e)


cdef inline void read_row(
    const floating* x, const index_t* indices, Py_ssize_t nnz,     # IN   one row
    const double* table, Py_ssize_t D,                             # IN
    double* r,                                                     # OUT  x V
) noexcept nogil:
    cdef Py_ssize_t a, d
    cdef const double* record
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
        value, record = x[a], table + indices[a] * (2 * D + 1)
        for d in range(D):
            r[d] += value * record[d]


cdef inline double length_of_row(
    const floating* x, const index_t* indices, Py_ssize_t nnz,     # IN   one row
    const double* table, Py_ssize_t D,                             # IN
) noexcept nogil:
    """Return the sum of p x ** 2."""
    cdef Py_ssize_t a
    cdef double length = 0
    for a in range(nnz):
        length += x[a] * x[a] * table[indices[a] * (2 * D + 1) + 2 * D]
    return length


cdef inline void move_row(
    const floating* x, const index_t* indices, Py_ssize_t nnz,     # IN   one row
    const double* r, Py_ssize_t D,                                 # IN   (D,)
    const double* mass,                                            # IN   (D,)
    double* table,                                                 # I/O
) noexcept nogil:
    """V -= p x' r, and U along with it."""
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


cdef inline void shrink_rare(
    double share, const double* step, bint positive, Py_ssize_t D, double held,    # IN
    const double* penalty, const double* mass,                                    # IN
    double* record,                                                               # I/O
) noexcept nogil:
    """Shrink the coefficients of a feature that is not centred, where scale is 1."""
    cdef Py_ssize_t d
    cdef double w, scale = share * record[2 * D] * held
    for d in range(D):
        w = shrunk(record[d], scale * step[d] * penalty[D + d],
                   scale * step[d] * held * penalty[2 * D + d], positive)
        record[D + d] += (mass[d] - 1) * (record[d] - w)
        record[d] = w


cdef inline int shrink_by_rows(
    const floating* data, const index_t* indices, const index_t* indptr,    # IN
    const Py_ssize_t* rows, const double* weight, Py_ssize_t m,             # IN   the batch
    Py_ssize_t D, double divisor, const double* step, bint positive,        # IN
    const double* held, const double* penalty, const double* mass,          # IN
    const double* density,                                                  # IN
    double* filled, double* table, Py_ssize_t* work,                        # I/O
) except -1 nogil:
    """Shrink the coefficients of the rare features that a batch holds; see `update_rule`.

    A feature shrinks once, for all rows of the batch that hold it, at the first of them.
    """
    cdef Py_ssize_t k, a, j
    cdef double share
    for k in range(m if m > 1 else 0):
        for a in range(indptr[rows[k]], indptr[rows[k] + 1]):
            if data[a] != 0:
                filled[indices[a]] += weight[k] / divisor
        pause(work, indptr[rows[k] + 1] - indptr[rows[k]])
    for k in range(m):
        share = weight[k] / divisor
        for a in range(indptr[rows[k]], indptr[rows[k] + 1]):
            if data[a] != 0:
                j = indices[a]
                if m > 1:
                    share, filled[j] = filled[j], 0
                if share > 0 and density[j] > 0:
                    shrink_rare(share / density[j], step, positive, D, held[j], penalty, mass,
                                table + j * (2 * D + 1))
        pause(work, (indptr[rows[k] + 1] - indptr[rows[k]]) * D)
    return 0
