# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""What kernels do with one row, of an ndarray or of a CSR matrix.

A dense row is ``x`` and the ``stride`` between its values, in items. A row of a CSR matrix is
``x``, ``indices`` and ``nnz``: its values, their columns, and how many there are.
"""

from cython cimport floating

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
    cdef Py_ssize_t a, d
    cdef const double* v
    cdef double value
    # One output is spelt out: a loop within the loop takes twice as long.
    if D == 1:
        value = r[0]
        for a in range(nnz):
            value -= x[a] * V[indices[a]]
        r[0] = value
    else:
        for a in range(nnz):
            value = x[a]
            v = V + indices[a] * D
            for d in range(D):
                r[d] -= value * v[d]


cdef inline void add_outer(
    const floating* x, const index_t* indices, Py_ssize_t nnz,   # IN   one row
    const double* r, Py_ssize_t D,                               # IN   (D,)
    double* G,                                                   # I/O  (M, D)
) noexcept nogil:
    """G += x' r."""
    cdef Py_ssize_t a, d
    cdef double* g
    cdef double value
    if D == 1:
        value = r[0]
        for a in range(nnz):
            G[indices[a]] += x[a] * value
    else:
        for a in range(nnz):
            value = x[a]
            g = G + indices[a] * D
            for d in range(D):
                g[d] += value * r[d]
