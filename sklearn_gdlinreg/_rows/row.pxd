# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""What kernels do with one row, of an ndarray or of a CSR matrix.

A dense row is ``x`` and the ``stride`` between its values, in items. A row of a CSR matrix is
``x``, ``indices`` and ``nnz``: its values, their columns, and how many there are.
"""

from cython cimport floating

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define PREFETCH_ROW(address) __builtin_prefetch(address)
    #else
    #define PREFETCH_ROW(address) ((void) 0)
    #endif
    /* So many entries before it is needed, what belongs to an entry is fetched. */
    #define ENTRIES_AHEAD 12
    """
    void prefetch "PREFETCH_ROW"(const void* address) noexcept nogil
    enum: AHEAD "ENTRIES_AHEAD"

ctypedef fused index_t:
    int
    long long

# The type that products are made in.
ctypedef fused real_t:
    float
    double


cdef inline void standardise(
    const floating* x, Py_ssize_t stride,      # IN   one row
    const double* shift, const double* unit,   # IN   (n,)
    real_t* z, Py_ssize_t n,                   # OUT  (n,)
) noexcept nogil:
    """Write (x - shift) * unit."""
    cdef Py_ssize_t j
    if stride == 1:
        for j in range(n):
            z[j] = <real_t> ((<double> x[j] - shift[j]) * unit[j])
    else:
        for j in range(n):
            z[j] = <real_t> ((<double> x[j * stride] - shift[j]) * unit[j])


cdef inline void add_standardised(
    const floating* x, Py_ssize_t stride,      # IN   one row
    const double* shift, const double* unit,   # IN   (n,)
    double weight,                             # IN
    double* z, Py_ssize_t n,                   # I/O  (n,)
) noexcept nogil:
    """z += weight * (x - shift) * unit."""
    cdef Py_ssize_t j
    if stride == 1:
        for j in range(n):
            z[j] += weight * ((<double> x[j] - shift[j]) * unit[j])
    else:
        for j in range(n):
            z[j] += weight * ((<double> x[j * stride] - shift[j]) * unit[j])


cdef inline double product_of_standardised(
    const floating* x, Py_ssize_t stride,      # IN   one row
    const double* shift, const double* unit,   # IN   (n,)
    const double* w, Py_ssize_t n,             # IN   (n,)
) noexcept nogil:
    """Return (x - shift) * unit times w."""
    cdef Py_ssize_t j = 0, k
    # A single sum would wait for each addition.
    cdef double[8] sums
    cdef double total = 0
    for k in range(8):
        sums[k] = 0
    if stride == 1:
        while j + 8 <= n:
            for k in range(8):
                sums[k] += (<double> x[j + k] - shift[j + k]) * unit[j + k] * w[j + k]
            j += 8
    while j < n:
        total += (<double> x[j * stride] - shift[j]) * unit[j] * w[j]
        j += 1
    for k in range(8):
        total += sums[k]
    return total


cdef inline void subtract(
    const floating* x, Py_ssize_t stride,      # IN   one row
    const double* shift,                       # IN   (n,)
    double* z, Py_ssize_t n,                   # OUT  (n,)
) noexcept nogil:
    """Write x - shift."""
    cdef Py_ssize_t j
    if stride == 1:
        for j in range(n):
            z[j] = <double> x[j] - shift[j]
    else:
        for j in range(n):
            z[j] = <double> x[j * stride] - shift[j]


cdef inline void subtract_product(
    const floating* x, const index_t* indices, Py_ssize_t nnz,   # IN   one row
    const double* V, Py_ssize_t D,                               # IN   (M, D)
    double* r,                                                   # I/O  (D,)
) noexcept nogil:
    """r -= x V."""
    cdef Py_ssize_t d = 0
    if D == 1:
        r[0] -= product_of_entries(x, indices, nnz, V)
        return
    while d < D:
        if D - d >= 12:
            subtract_some(x, indices, nnz, V, D, r, d, 12)
            d += 12
        elif D - d >= 10:
            subtract_some(x, indices, nnz, V, D, r, d, 10)
            d += 10
        elif D - d >= 8:
            subtract_some(x, indices, nnz, V, D, r, d, 8)
            d += 8
        elif D - d >= 4:
            subtract_some(x, indices, nnz, V, D, r, d, 4)
            d += 4
        elif D - d >= 2:
            subtract_some(x, indices, nnz, V, D, r, d, 2)
            d += 2
        else:
            subtract_some(x, indices, nnz, V, D, r, d, 1)
            d += 1


cdef inline double product_of_entries(
    const floating* x, const index_t* indices, Py_ssize_t nnz,   # IN   one row
    const double* w,                                             # IN   (M,)
) noexcept nogil:
    """Return x times w."""
    cdef Py_ssize_t a = 0, k
    # A single sum would wait for each addition.
    cdef double[4] sums
    cdef double total = 0
    for k in range(4):
        sums[k] = 0
    while a + 4 <= nnz:
        for k in range(4):
            sums[k] += x[a + k] * w[indices[a + k]]
        a += 4
    while a < nnz:
        total += x[a] * w[indices[a]]
        a += 1
    for k in range(4):
        total += sums[k]
    return total


cdef inline void subtract_some(
    const floating* x, const index_t* indices, Py_ssize_t nnz,   # IN   one row
    const double* V, Py_ssize_t D,                               # IN   (M, D)
    double* r,                                                   # I/O  (D,)
    Py_ssize_t first, Py_ssize_t n,                              # IN   n is at most 12
) noexcept nogil:
    """r -= x V for n outputs from the first; n is a literal, so that sums stay in registers."""
    cdef Py_ssize_t a, d
    cdef double[12] sums
    cdef double value
    cdef const double* v
    for d in range(n):
        sums[d] = r[first + d]
    for a in range(nnz):
        if first == 0 and a + AHEAD < nnz:
            prefetch(V + indices[a + AHEAD] * D)
            prefetch(V + indices[a + AHEAD] * D + D - 1)
        value, v = x[a], V + indices[a] * D + first
        for d in range(n):
            sums[d] -= value * v[d]
    for d in range(n):
        r[first + d] = sums[d]


cdef inline void add_outer(
    const floating* x, const index_t* indices, Py_ssize_t nnz,   # IN   one row
    const double* r, Py_ssize_t D,                               # IN   (D,)
    double* G,                                                   # I/O  (M, D)
) noexcept nogil:
    """G += x' r; the indices of a row differ."""
    cdef Py_ssize_t d = 0
    if D == 1:
        add_entries(x, indices, nnz, r[0], G)
        return
    while d < D:
        if D - d >= 12:
            add_some(x, indices, nnz, r, D, G, d, 12)
            d += 12
        elif D - d >= 10:
            add_some(x, indices, nnz, r, D, G, d, 10)
            d += 10
        elif D - d >= 8:
            add_some(x, indices, nnz, r, D, G, d, 8)
            d += 8
        elif D - d >= 4:
            add_some(x, indices, nnz, r, D, G, d, 4)
            d += 4
        elif D - d >= 2:
            add_some(x, indices, nnz, r, D, G, d, 2)
            d += 2
        else:
            add_some(x, indices, nnz, r, D, G, d, 1)
            d += 1


cdef inline void add_entries(
    const floating* x, const index_t* indices, Py_ssize_t nnz,   # IN   one row
    double r,                                                    # IN
    double* g,                                                   # I/O  (M,)
) noexcept nogil:
    """g += r x; the indices of a row differ."""
    cdef Py_ssize_t a = 0, k
    cdef double[4] sums
    # Entries that are read before others are written need not wait for them.
    while a + 4 <= nnz:
        for k in range(4):
            sums[k] = g[indices[a + k]] + r * x[a + k]
        for k in range(4):
            g[indices[a + k]] = sums[k]
        a += 4
    while a < nnz:
        g[indices[a]] += r * x[a]
        a += 1


cdef inline void add_some(
    const floating* x, const index_t* indices, Py_ssize_t nnz,   # IN   one row
    const double* r, Py_ssize_t D,                               # IN   (D,)
    double* G,                                                   # I/O  (M, D)
    Py_ssize_t first, Py_ssize_t n,                              # IN   n is at most 12
) noexcept nogil:
    """G += x' r for n outputs from the first; n is a literal, as in `subtract_some`."""
    cdef Py_ssize_t a, d
    cdef double[12] values
    cdef double value
    cdef double* g
    for d in range(n):
        values[d] = r[first + d]
    for a in range(nnz):
        if first == 0 and a + AHEAD < nnz:
            prefetch(G + indices[a + AHEAD] * D)
            prefetch(G + indices[a + AHEAD] * D + D - 1)
        value, g = x[a], G + indices[a] * D + first
        for d in range(n):
            g[d] += value * values[d]
