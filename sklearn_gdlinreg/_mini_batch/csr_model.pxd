# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""The model as `csr_epochs` keeps it, and what changes it feature by feature."""

from libc.math cimport fabs, sqrt

from .update_rule cimport Rule, any_of, factor_of, is_positive, shrunk, with_momentum


cdef struct Model:
    # See `csr_epochs`, which derives it. All arrays are the caller's.
    Py_ssize_t M
    Py_ssize_t D
    double* table     # (M, 2 D + 1), the record [V, U, p] of each feature
    double* q         # (M,)
    double* kappa     # (1,)
    double* s         # (D,)
    double* b         # (D,)
    double* sum_s     # (D,)
    double* sum_b     # (D,)
    double* scale     # (D,)
    double* mass      # (D,)
    double* paid      # (M, D), if the rule is lazy
    double* due       # (D,)
    const double* of_features    # (M, 2), or NULL if features are alike


cdef inline Model model_of(
    double[:, ::1] table, double[::1] q, double[::1] kappa, double[:, ::1] shared,
    double[:, ::1] factors, double[:, ::1] debts, const double[:, ::1] of_features,
) noexcept nogil:
    """Return the model in the arrays of `csr_epochs.descend_sparse`."""
    cdef Model model
    model.M, model.D = table.shape[0], shared.shape[1]
    model.table, model.q, model.kappa = &table[0, 0], &q[0], &kappa[0]
    model.s, model.b = &shared[0, 0], &shared[1, 0]
    model.sum_s, model.sum_b = &shared[2, 0], &shared[3, 0]
    model.scale, model.mass = &factors[0, 0], &factors[1, 0]
    model.paid, model.due = &debts[0, 0], &debts[debts.shape[0] - 1, 0]
    model.of_features = &of_features[0, 0] if of_features.shape[0] else NULL
    return model


cdef inline double rate_of_debt(Model* model, Py_ssize_t j) noexcept nogil:
    """What a feature owes of the L1 penalty for each unit that is due."""
    # It is 1 but for columns that had to be scaled to be kept: a root takes long.
    cdef double p = model.table[j * (2 * model.D + 1) + 2 * model.D]
    return (1 if p == 1 else sqrt(p)) * factor_of(model.of_features, j)


cdef inline void pay(Rule rule, Model* model, Py_ssize_t j) noexcept nogil:
    """Take off the coefficients of a feature what they owe of the L1 penalty."""
    cdef Py_ssize_t d, D = model.D
    cdef double* V = model.table + j * (2 * D + 1)
    cdef double* paid = model.paid + j * D
    cdef const double* due = model.due
    cdef double rate = rate_of_debt(model, j)
    cdef bint positive = is_positive(rule, model.of_features, j)
    for d in range(D):
        V[d] = shrunk(V[d], rate * (due[d] - paid[d]), 0, positive)
        paid[d] = due[d]


cdef inline double without_debt(
    Rule rule, Model* model, Py_ssize_t j, Py_ssize_t d
) noexcept nogil:
    """Return what V will be of a feature and an output once it has paid what it owes."""
    cdef double V = model.table[j * (2 * model.D + 1) + d]
    if not rule.lazy:
        return V
    return shrunk(V, rate_of_debt(model, j) * (model.due[d] - model.paid[j * model.D + d]), 0,
                  is_positive(rule, model.of_features, j))


cdef inline double less(double own, double of_all, double rounding) noexcept nogil:
    """Return own - of_all, or zero where that is rounding.

    What a proximal step has made zero is zero; ``rounding`` is negative where there are none.
    """
    cdef double w = own - of_all
    return 0 if fabs(w) <= rounding * fabs(of_all) else w


cdef inline void multiply_out(Rule rule, Model* model) noexcept nogil:
    """Bring scale to 1, mass and debts to 0, with the model and the sum as they were."""
    cdef Py_ssize_t j, d, D = model.D
    cdef double* V
    cdef double* U
    for j in range(model.M):
        V = model.table + j * (2 * D + 1)
        U = V + D
        if rule.lazy:
            pay(rule, model, j)
        for d in range(D):
            U[d] += model.mass[d] * V[d]
            V[d] *= model.scale[d]
            if rule.lazy:
                model.paid[j * D + d] = 0
    for d in range(D):
        model.scale[d], model.mass[d], model.due[d] = 1, 0, 0


cdef inline void shrink_features(
    Rule rule, Model* model, double step, const double* shrink, bint indebted
) noexcept nogil:
    """Take the step of `shrink_in_units` in each feature at once, and leave scale at 1."""
    cdef Py_ssize_t j, d, D = model.D
    cdef double taken
    cdef double* V
    if not any_of(shrink, D):
        return
    for j in range(model.M):
        V = model.table + j * (2 * D + 1)
        if indebted:
            pay(rule, model, j)
        for d in range(D):
            taken = step * shrink[d] * factor_of(model.of_features, j) * V[d]
            V[d] -= taken
            V[D + d] += model.mass[d] * taken


cdef inline void shrink_in_units(
    Rule rule, Model* model, double step, const double* shrink, bint indebted
) noexcept nogil:
    """Take a step of the L2 penalty in the units of X, which multiplies all coefficients.

    Where features are alike it is the scale that is multiplied; one that gets too small is
    multiplied out. Where they are not, coefficients that are ``indebted`` pay what they owe
    before.
    """
    cdef Py_ssize_t d
    cdef double smallest = 1e-9
    cdef bint spent = False
    if model.of_features is not NULL:
        shrink_features(rule, model, step, shrink, indebted)
        return
    for d in range(model.D):
        model.scale[d] *= 1 - step * shrink[d]
        spent |= -smallest < model.scale[d] < smallest
        # What is owed comes off |V|, which must be |W| but for a factor that is positive.
        spent |= rule.lazy and model.scale[d] < 0
    if spent:
        multiply_out(rule, model)


cdef inline void move_all(
    Rule rule, Model* model, double step, const double* shrink,    # IN
    const double* intercept_gradient,                              # IN   (D,)
    double* gradient,                                              # TMP  (M, D), zeros again
    double* velocity,                                              # I/O  (M + 1, D)
) noexcept nogil:
    """Make a step with momentum, which moves every coefficient and the intercept."""
    cdef Py_ssize_t j, d, D = model.D
    cdef double change, factor
    cdef double* V
    for j in range(model.M):
        V, factor = model.table + j * (2 * D + 1), factor_of(model.of_features, j)
        for d in range(D):
            change = -step * (V[2 * D] * gradient[d] + factor * shrink[d] * V[d])
            V[d] += with_momentum(rule.momentum, rule.nesterov, change, &velocity[d])
            V[D + d] += V[d]
            gradient[d] = 0
        gradient, velocity = gradient + D, velocity + D
    for d in range(D):
        change = -step * intercept_gradient[d]
        model.b[d] += with_momentum(rule.momentum, rule.nesterov, change, &velocity[d])


cdef inline void recentre(
    Model* model, Py_ssize_t j, double centre, double p
) noexcept nogil:
    """Centre and scale a feature anew; the model and its sum stay."""
    cdef Py_ssize_t d, D = model.D
    cdef double change = centre * p - model.q[j], moved
    cdef double* V = model.table + j * (2 * D + 1)
    cdef double* U = V + D
    if model.q[j] != 0:
        model.kappa[0] -= model.q[j] * model.q[j] / V[2 * D]
    model.kappa[0] += centre * centre * p
    for d in range(D):
        moved = change * model.s[d] / model.scale[d]
        V[d] += moved
        U[d] += change * model.sum_s[d] - model.mass[d] * moved
    model.q[j], V[2 * D] = centre * p, p


cdef inline void shrink_common(
    Rule rule, Model* model, Py_ssize_t j, double unit,        # IN
    const double* step, const double* l1, const double* l2,    # IN   (D,)
) noexcept nogil:
    """Shrink the coefficients of a feature; the prediction at its centre stays."""
    cdef Py_ssize_t d, D = model.D
    cdef double* V = model.table + j * (2 * D + 1)
    cdef double* U = V + D
    cdef double w, taken, moved, centre, q = model.q[j], p = V[2 * D]
    cdef double pace = factor_of(model.of_features, j) * unit * p
    cdef bint positive = is_positive(rule, model.of_features, j)
    if p == 0:
        return
    centre = q / p
    for d in range(D):
        w = model.scale[d] * V[d] - q * model.s[d]
        taken = w - shrunk(w, pace * step[d] * l1[d], pace * unit * step[d] * l2[d], positive)
        moved = taken / model.scale[d]
        V[d] -= moved
        # The sum has the iterate before it was shrunk.
        U[d] += model.mass[d] * moved - taken
        moved = taken * centre
        model.b[d] += moved
        model.sum_b[d] += moved


cdef inline void shrink_rare(
    Rule rule, Model* model, Py_ssize_t j, double unit,        # IN
    const double* step, const double* l1, const double* l2,    # IN   (D,)
    bint smooth,                                               # IN
    double times,                                              # IN
) noexcept nogil:
    """As `shrink_common`, where scale is 1 and q is 0, by the penalty times a number.

    ``smooth`` says that there is no more than an L2 penalty.
    """
    cdef Py_ssize_t d, D = model.D
    cdef double* V = model.table + j * (2 * D + 1)
    cdef double* U = V + D
    cdef double taken, share, metric = factor_of(model.of_features, j) * times * V[2 * D] * unit
    cdef bint positive = is_positive(rule, model.of_features, j)
    for d in range(D):
        if smooth:
            share = metric * step[d] * unit * l2[d]
            taken = V[d] * (share / (1 + share))
        else:
            share = metric * step[d]
            taken = V[d] - shrunk(V[d], share * l1[d], share * unit * l2[d], positive)
        V[d] -= taken
        U[d] += (model.mass[d] - 1) * taken
