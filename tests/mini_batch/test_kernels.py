"""Each compiled kernel against NumPy, in a few lines that are easy to believe."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sklearn_gdlinreg._mini_batch.csr_epochs import descend_sparse
from sklearn_gdlinreg._mini_batch.dense_epochs import descend_dense
from sklearn_gdlinreg._mini_batch.update_rule import Rule, mean_length
from sklearn_gdlinreg._rows import columns, kernels

N, M = 40, 6
TYPES = [(np.float64, np.int32), (np.float32, np.int64)]
SHAPES = pytest.mark.parametrize(
    ("D", "dtype", "index"),
    [(D, *types) for D in (1, 3) for types in TYPES],
    ids=lambda x: getattr(x, "__name__", f"D{x}"),
)


def close(value, expected, rtol=1e-10):
    assert_allclose(value, expected, rtol=rtol, atol=rtol / 10)


def data(D, dtype, *, zeros=0.4):
    """Return random X with zeros, Y and a generator; nothing lies side by side in memory."""
    rng = np.random.default_rng(0)
    X = rng.normal(0.5, 1.0, (N, 2 * M)) * (rng.random((N, 2 * M)) >= zeros)
    Y = rng.normal(size=(N, 2 * D))
    return X.astype(dtype)[:, ::2], Y.astype(dtype)[:, ::2], rng


def csr_of(X, index):
    """Return data, indices and indptr of X."""
    S = sparse.csr_array(X)
    return S.data, S.indices.astype(index), S.indptr.astype(index)


# Descent ------------------------------------------------------------------------------------


@dataclass
class Case:
    """A descent: the parameters of its Rule, and all else that a kernel is given."""

    rule: dict
    centred: bool = True
    shrink: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    rare: bool = False
    step: float = 0.02
    block: int = 16
    unit: np.ndarray = field(default_factory=lambda: np.ones(M))
    of_features: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))


UNIT = np.array([1.0, 2.0, 0.5, 4.0, 1.0, 0.25])
PENALTY = {"l1": 1.0, "l2": 0.2}
# The factor of each feature, and whether its coefficients may not be negative.
OWN = np.array([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0], [0.0, 0.0], [0.5, 0.0], [3.0, 1.0]])
CASES = {
    "constant step": Case({"batch_size": 7, "divisor": 7}),
    "blocks": Case({"batch_size": 7}, block=3),
    "one row": Case({"batch_size": 1}),
    "no intercept": Case({"batch_size": 7}, centred=False),
    "cautious": Case({"batch_size": 7, "divisor": 7, "cautious": True}, step=0.4),
    "cautious, blocks": Case({"batch_size": 7, "cautious": True}, step=0.4, block=3),
    "cautious, one row": Case({"batch_size": 1, "cautious": True}, step=0.4),
    "cautious, no intercept": Case({"batch_size": 7, "cautious": True}, step=2, centred=False),
    "ridge": Case({"batch_size": 7}, shrink=0.5, centred=False),
    "ridge, scale is tiny": Case({"batch_size": 1}, shrink=49.99, centred=False),
    "ridge, scale is negative": Case({"batch_size": 1}, shrink=60, centred=False),
    "momentum": Case({"batch_size": 7, "momentum": 0.8}, shrink=0.5, centred=False, unit=UNIT),
    "Nesterov": Case({"batch_size": 7, "momentum": 0.8, "nesterov": True}, centred=False),
    "momentum, lasso": Case(
        {"batch_size": 7, "momentum": 0.8, "proximal": True}, l1=2.0, centred=False, unit=UNIT
    ),
    "proximal": Case({"batch_size": 7, "proximal": True}, **PENALTY, unit=UNIT),
    "positive": Case({"batch_size": 7, "proximal": True, "positive": True}, **PENALTY),
    "positive alone": Case({"batch_size": 1, "proximal": True, "positive": True}),
    "proximal, cautious": Case(
        {"batch_size": 7, "proximal": True, "cautious": True}, **PENALTY, step=0.4
    ),
    "rare": Case({"batch_size": 7, "divisor": 7, "proximal": True}, **PENALTY, rare=True),
    "rare, one row": Case(
        {"batch_size": 1, "divisor": 1, "proximal": True, "positive": True}, l1=0.1, rare=True
    ),
    "lazy": Case({"batch_size": 7, "proximal": True, "lazy": True}, False, 0.5, 1.0, unit=UNIT),
    "lazy, positive": Case(
        {"batch_size": 1, "proximal": True, "lazy": True, "positive": True}, False, 0, 0.1
    ),
    "lazy, scale is tiny": Case(
        {"batch_size": 1, "proximal": True, "lazy": True}, False, 49.99, 0.3
    ),
    "lazy, scale is negative": Case(
        {"batch_size": 1, "proximal": True, "lazy": True}, False, 60, 0.3
    ),
    "factors": Case(
        {"batch_size": 7, "proximal": True}, **PENALTY, unit=UNIT, of_features=OWN
    ),
    "factors, rare": Case(
        {"batch_size": 7, "divisor": 7, "proximal": True}, **PENALTY, rare=True, of_features=OWN
    ),
    "factors, ridge": Case({"batch_size": 7}, shrink=0.5, centred=False, of_features=OWN),
    "factors, momentum": Case(
        {"batch_size": 7, "momentum": 0.8, "proximal": True}, False, 0.5, 2.0, unit=UNIT,
        of_features=OWN,
    ),
    "factors, lazy": Case(
        {"batch_size": 1, "proximal": True, "lazy": True}, False, 0, 1.0, unit=UNIT,
        of_features=OWN,
    ),
    "factors, lazy, ridge": Case(
        {"batch_size": 7, "proximal": True, "lazy": True}, False, 0.5, 1.0, unit=UNIT,
        of_features=OWN,
    ),
    "factors, running": Case(
        {"batch_size": 4, "divisor": 4, "running": True, "cautious": True, "proximal": True,
         "least_l2": 0.1},
        **PENALTY, rare=True, step=0.4, of_features=OWN,
    ),
    "running": Case({"batch_size": 7, "divisor": 7, "running": True, "least_l2": 0.1}),
    "running, no intercept": Case({"batch_size": 1, "running": True}, centred=False),
    "running, cautious, rare": Case(
        {"batch_size": 4, "divisor": 4, "running": True, "cautious": True, "proximal": True},
        **PENALTY, rare=True, step=0.4,
    ),
}  # fmt: skip


class Problem:
    """The data of a Case, where the descent begins, and the rows that came before."""

    def __init__(self, case, D, dtype):
        self.case, self.rule, self.D = case, Rule(**case.rule), D
        self.X, self.Y, rng = data(D, dtype)
        self.rows, self.weight = rng.integers(N, size=60), rng.uniform(0.5, 2.0, 60)
        self.steps = case.step * rng.uniform(0.9, 1.1, -(-60 // self.rule.batch_size))
        if case.shrink > 1:
            self.steps[:] = case.step
        self.intercept = float(case.centred)
        self.W, self.b = rng.normal(size=(M, D)), rng.normal(size=D) * self.intercept
        raw = case.shrink or self.rule.momentum or self.rule.lazy
        self.inverse = 1 / UNIT if not self.rule.running and not raw else 1 / case.unit
        self.centre = np.zeros(M)
        if case.centred and not (raw or self.rule.running):
            self.centre = rng.normal(0, 0.3, M)
        self.penalty = np.outer([case.shrink, case.l1, case.l2], rng.uniform(0.5, 1.0, D))
        if case.shrink > 1:
            self.penalty[0] = case.shrink
        # The first two features count as rare.
        self.density = np.zeros(M if case.rare else 0)
        self.density[:2] = 0.3
        if case.rare:
            self.centre[:2] = 0
        self.factor, self.positive = np.ones(M), self.rule.positive
        if len(case.of_features):
            self.factor, self.positive = case.of_features[:, 0], case.of_features[:, 1:] > 0
        self.before = np.arange(20 if self.rule.running else 0)

    def running(self):
        """Return the running moments of the rows before."""
        if not self.rule.running:
            return np.zeros((0, 3))
        moments = [moments_of(x[x != 0], np.ones(np.count_nonzero(x))) for x in self.X[:20].T]
        return np.array([*moments, (20.0, 0.0, 0.0)])


def moments_of(x, weight):
    """Return the weight, the mean, and the sum of squares about it."""
    mean = np.average(x, weights=weight)
    return weight.sum(), mean, weight @ (x - mean) ** 2


def soft(W, threshold, positive):
    """Return the proximal map of an L1 penalty, and of W >= 0."""
    V = W - np.clip(W, -threshold, threshold)
    return np.where(positive, np.maximum(V, 0), V)


def plain_coordinates(problem, t):
    """Return the centre, inverse and density of the features by all rows up to a batch."""
    visited = slice(0, (t + 1) * problem.rule.batch_size)
    X = np.asarray(problem.X[np.append(problem.before, problem.rows[visited])], np.float64)
    weight = np.append(np.ones(len(problem.before)), problem.weight[visited])
    mean = np.average(X, axis=0, weights=weight)
    square = np.average((X - mean * problem.intercept) ** 2, axis=0, weights=weight)
    density = np.average(X != 0, axis=0, weights=weight)
    inverse = (square / np.sqrt(density) + problem.rule.least_l2 * problem.factor) ** -0.5
    return mean * problem.intercept, inverse, density


def plain_descent(problem):
    """Return W, b, the sums of W and b over all batches, and the loss.

    Of the rows z = (x - centre) * inverse with an intercept, W / inverse are the coefficients.
    """
    rule, W, b = problem.rule, problem.W, problem.b
    centre, inverse, density = problem.centre, problem.inverse, problem.density.copy()
    shrink, l1, l2 = problem.penalty[:, None, :] * problem.factor[:, None]
    velocity, sum_W, sum_b, loss = np.zeros((M + 1, problem.D)), 0, 0, 0
    for t, step in enumerate(problem.steps):
        batch = slice(t * rule.batch_size, (t + 1) * rule.batch_size)
        x, y = (np.asarray(A[problem.rows[batch]], np.float64) for A in (problem.X, problem.Y))
        w, divisor = problem.weight[batch, None], rule.divisor or len(x)
        if rule.running:
            new = plain_coordinates(problem, t)
            held = (x != 0).any(axis=0)
            centre, inverse = np.where(held, new[:2], [centre, inverse])
            if len(density):
                centre[density > 0] = 0
                density = np.where(held & (density > 0), new[2], density)
        # The last column is the intercept's.
        z = np.column_stack([(x - centre) * inverse, np.full(len(x), problem.intercept)])
        V = np.vstack([W / inverse[:, None], b + centre @ W])
        error = x @ W + b - y
        loss = loss + (w * error**2).sum(axis=0)
        gradient = z.T @ (w * error) / divisor
        if rule.cautious:
            square = (gradient**2).sum(axis=0)
            curvature = (w / divisor * (z @ gradient) ** 2).sum(axis=0)
            longer = step * curvature > 2 * square
            step = np.where(longer, square / np.where(longer, curvature, 1), step)
        gradient[:M] += shrink * V[:M]
        velocity = rule.momentum * velocity - step * gradient
        V = V + (rule.momentum * velocity - step * gradient if rule.nesterov else velocity)
        if rule.proximal:
            times = np.ones(M)
            if len(density):
                filled = (w * (x != 0)).sum(axis=0) / divisor
                times = np.where(density > 0, filled / np.where(density > 0, density, 1), 1)
            gain, pace = (problem.case.unit * inverse)[:, None], step * times[:, None]
            shrunk = soft(V[:M], pace * l1 * gain, problem.positive)
            shrunk = shrunk / (1 + pace * l2 * gain**2)
            V[:M] = np.where(times[:, None] > 0, shrunk, V[:M])
        W = V[:M] * inverse[:, None]
        b = V[M] - centre @ W
        sum_W, sum_b = sum_W + W, sum_b + b
    return W, b, sum_W, sum_b, loss


def dense_descent(problem):
    """Return what `plain_descent` does, by the kernel."""
    rule, D, S = problem.rule, problem.D, problem.case.block
    S = min(S, rule.batch_size)
    centre = problem.centre.copy()
    inverse = np.append(problem.inverse, problem.intercept)
    gain = problem.case.unit * problem.inverse
    W = np.vstack([problem.W / inverse[:M, None], problem.b + centre @ problem.W])
    total, loss = np.zeros((M + 1, D)), np.zeros(D)
    descend_dense(
        rule, problem.X, problem.Y, problem.rows, problem.weight, problem.steps,
        problem.running(), centre, inverse, gain, problem.density.copy(), problem.penalty,
        problem.case.of_features,
        np.empty((S, M + 1)), np.empty((S, D)), np.empty((M + 4, D)), np.empty((4, M)),
        np.empty(len(problem.density)), W, np.zeros((M + 1, D)), total, loss,
        np.zeros((0, D)), np.zeros((0, 0)),
    )  # fmt: skip
    models = [V[:M] * inverse[:M, None] for V in (W, total)]
    intercepts = [V[M] - centre @ W for V, W in zip((W, total), models, strict=True)]
    return models[0], intercepts[0], models[1], intercepts[1], loss


def sparse_descent(problem, index):
    """Return what `plain_descent` does, by the kernel; no sums if it is lazy."""
    rule, D = problem.rule, problem.D
    csr = csr_of(problem.X, index)
    q = problem.centre * problem.inverse**2
    table = np.column_stack([problem.W, np.zeros((M, D)), problem.inverse**2])
    shared = np.stack([np.zeros(D), problem.b, np.zeros(D), np.zeros(D)])
    factors, loss = np.stack([np.ones(D), np.zeros(D)]), np.zeros(D)
    debts = np.zeros((M + 1 if rule.lazy else 1, D))
    scratch = np.empty((rule.batch_size, D)), np.zeros((M, D)), np.empty((3, D))
    products = sparse.csr_array(csr, (N, M)) @ q
    density, running = problem.density.copy(), problem.running()
    velocity = np.zeros((M + 1 if rule.momentum else 1, D))
    rare = np.zeros((len(density), 3))
    rare[:, 0], rare[:, 1] = density, problem.case.unit[: len(density)]
    kappa = np.array([problem.centre @ q])
    common = np.flatnonzero(density == 0) if len(density) else np.arange(M)
    # In two calls: the second goes on from what the first has left.
    B, half = rule.batch_size, len(problem.steps) // 2
    for visits, part, n_before in (
        (slice(0, half * B), slice(0, half), 0),
        (slice(half * B, None), slice(half, None), half),
    ):
        descend_sparse(
            rule, *csr, problem.Y, problem.rows[visits], problem.weight[visits],
            problem.steps[part], problem.intercept, running, q, products, kappa,
            problem.case.unit, problem.penalty, problem.case.of_features, common, rare, debts,
            *scratch, table, shared, factors, velocity, loss, n_before,
            np.zeros((0, D)), np.zeros((0, 0)),
        )  # fmt: skip
    V, U, p = table[:, :D], table[:, D:-1], table[:, -1:]
    if rule.lazy:
        owed = np.sqrt(p) * (debts[-1] - debts[:-1])
        V = soft(V, problem.factor[:, None] * owed, problem.positive)
        return factors[0] * V, shared[1], None, None, loss
    W = factors[0] * V - q[:, None] * shared[0]
    sum_W = factors[1] * V + U - q[:, None] * shared[2]
    # What the next call counts on.
    assert not scratch[1].any()
    assert not rare[:, 2:].any()
    close(kappa[0], (q**2 / p[:, 0]).sum())
    return W, shared[1], sum_W, shared[3], loss


@SHAPES
@pytest.mark.parametrize("name", CASES)
def test_descent(name, D, dtype, index):
    case = CASES[name]
    problem = Problem(case, D, dtype)
    expected = plain_descent(problem)
    # CSR keeps the scale of its coefficients apart until it is 1e-9: that costs digits.
    rtol = 1e-6 if case.shrink > 1 else 1e-10
    for value, plain in zip(dense_descent(problem), expected, strict=True):
        close(value, plain)
    for value, plain in zip(sparse_descent(problem, index), expected, strict=True):
        if value is not None:
            close(value, plain, rtol)


@pytest.mark.parametrize("name", CASES)
def test_cases_are_what_they_say(name):
    """Proximal steps end at zeros, which have no sign, and cautious ones are shorter."""
    case = CASES[name]
    problem = Problem(case, 3, np.float64)
    W = dense_descent(problem)[0]
    if case.l1 and case.shrink < 1:
        assert (W == 0).any()
    # An L1 penalty of centred CSR rows leaves zeros but for rounding; those are exact.
    for W_of in (W, sparse_descent(problem, np.int32)[0]):
        assert not np.signbit(W_of[W_of == 0]).any()
    if problem.rule.cautious:
        problem.rule = Rule(**{**case.rule, "cautious": False})
        assert not np.allclose(dense_descent(problem)[0], W)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("rare", [True, False])
def test_mean_length(centred, rare):
    problem = Problem(CASES["running"], 1, np.float64)
    X, inverse = problem.X[:20], problem.inverse
    density = np.array([0.3, 0.3, 0, 0, 0, 0]) if rare else np.zeros(0)
    centre = X.mean(axis=0) * centred
    centre[: 2 * rare] = 0
    length = mean_length(problem.running()[:-1], inverse, 20.0, centred, density)
    close(length, (((X - centre) * inverse) ** 2).sum(axis=1).mean())


def test_mean_length_of_features_that_say_nothing():
    running = np.array([[0.0, 0.0, 0.0], [20.0, 5.0, 1e-20]])
    assert mean_length(running, np.ones(2), 20.0, True, np.zeros(0)) == 0


# Passes over rows ---------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 31, 32, 33, 70])
def test_triangles(n):
    A = np.random.default_rng(n).normal(size=(n, n + 3))
    upper = np.triu(A[:, :n])
    symmetric = upper + np.triu(upper, 1).T
    triangle, back = np.empty(n * (n + 1) // 2), np.full((n, n + 2), np.nan)
    kernels.pack_upper(A[:, :n], triangle)
    kernels.unpack_upper(triangle, back[:, 1 : n + 1])
    np.testing.assert_array_equal(back[:, 1 : n + 1], symmetric)
    square = A[:, :n].copy()
    kernels.mirror(square)
    np.testing.assert_array_equal(square, symmetric)


def weighted(D, dtype):
    """Return X, Y, weights, and two slices of rows that a kernel visits one after the other."""
    X, Y, rng = data(D, dtype)
    return X, Y, rng.uniform(0.5, 2.0, N), [(0, 15), (15, N)], rng


@SHAPES
def test_add_moments_dense(D, dtype, index):
    X, Y, weight, parts, rng = weighted(D, dtype)
    P = M + D + 1
    shift, unit = rng.normal(size=M + D), 2.0 ** rng.integers(-2, 3, M + D)
    total = np.ones((P, P))
    for part in parts:
        block, gram = np.empty((4, P)), np.empty((P, P))
        kernels.add_moments_dense(
            X, Y, np.sqrt(weight), shift, unit, block, gram, total, True, *part
        )
    z = np.column_stack([(np.column_stack([X, Y]) - shift) * unit, np.ones(N)])
    close(np.triu(total), np.triu(1 + z.T @ (weight[:, None] * z)))


@pytest.mark.parametrize("products", [np.float64, np.float32])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_add_moments_dense_of_many_outputs(dtype, products):
    """Products with the features, then the squares of all columns, then their sums."""
    X, Y, weight, parts, rng = weighted(12, dtype)
    P = M + 12 + 1
    shift, unit = rng.normal(size=P - 1), 2.0 ** rng.integers(-2, 3, P - 1)
    total, root = np.ones((M + 2, P)), np.sqrt(weight)
    for part in parts:
        block, gram = (np.empty(shape, products) for shape in ((4, P), (M + 2, P)))
        kernels.add_moments_dense(X, Y, root, shift, unit, block, gram, total, False, *part)
    z = np.column_stack([(np.column_stack([X, Y]) - shift) * unit, np.ones(N)])
    exact = {"rtol": 1e-12, "atol": 1e-12}
    rough = exact if products == np.float64 else {"rtol": 1e-5, "atol": 1e-4}
    assert_allclose(total[:M], 1 + z[:, :M].T @ (weight[:, None] * z), **rough)
    assert_allclose(total[-2], 1 + weight @ z**2, **rough)
    assert_allclose(total[-1], 1 + weight @ z, **exact)


@SHAPES
def test_add_moments_dense_in_float32(D, dtype, index):
    """Products are those of float32, and the sums of the columns, in the last row, are not."""
    X, Y, weight, parts, rng = weighted(D, dtype)
    P = M + D + 1
    shift, unit = rng.normal(size=M + D), 2.0 ** rng.integers(-2, 3, M + D)
    total = np.ones((P, P))
    for part in parts:
        block, gram = (np.empty(shape, np.float32) for shape in ((4, P), (P, P)))
        kernels.add_moments_dense(
            X, Y, np.sqrt(weight), shift, unit, block, gram, total, True, *part
        )
    z = np.column_stack([(np.column_stack([X, Y]) - shift) * unit, np.ones(N)])
    products = np.triu(1 + z.T @ (weight[:, None] * z))
    assert_allclose(np.triu(total)[:-1], products[:-1], rtol=1e-5, atol=1e-4)
    # An entry is rounded three times: itself, the root of its weight, and their product.
    sums = (total[-1] - 1 - weight @ z)[:-1]
    assert (np.abs(sums) <= 3.1 * 2.0**-24 * (weight @ np.abs(z))[:-1]).all()
    # What passes sum up is divided by the sum of the weights.
    close(total[-1, -1] - 1, weight.sum(), rtol=1e-13)


@SHAPES
def test_add_moments_sparse(D, dtype, index):
    X, Y, weight, parts, rng = weighted(D, dtype)
    offset, gram, cross = rng.normal(size=D), np.ones((M, M)), np.ones((M, D))
    for part in parts:
        kernels.add_moments_sparse(*csr_of(X, index), Y, weight, offset, gram, cross, *part)
    # Of [j, l] and [l, j], one has the product.
    X = X.astype(np.float64)
    products = X.T @ (weight[:, None] * X)
    close(gram + gram.T - np.diag(np.diag(gram)) - 1, products + 1 - np.eye(M))
    close(cross, 1 + X.T @ (weight[:, None] * (Y - offset)))


@SHAPES
def test_add_residual_dense(D, dtype, index):
    X, Y, weight, parts, rng = weighted(D, dtype)
    shift, V, offset = rng.normal(size=M + D), rng.normal(size=(M, D)), rng.normal(size=D)
    gradient, sums = np.ones((M, D)), np.ones((2, D))
    for part in parts:
        scratch = np.empty((4, M)), np.empty((4, D))
        kernels.add_residual_dense(
            X, Y, weight, shift, V, offset, *scratch, gradient, sums, *part
        )
    z, w = X - shift[:M], weight[:, None]
    r = Y - shift[M:] - offset - z @ V
    close(gradient, 1 + z.T @ (w * r))
    close(sums, 1 + np.stack([(w * r).sum(axis=0), (w * r**2).sum(axis=0)]))


@SHAPES
def test_add_residual_sparse(D, dtype, index):
    X, Y, weight, parts, rng = weighted(D, dtype)
    V, offset = rng.normal(size=(M, D)), rng.normal(size=D)
    residual, gradient, sums = np.empty((N, D)), np.ones((M, D)), np.ones((2, D))
    for part in parts:
        kernels.add_residual_sparse(
            *csr_of(X, index), Y, weight, V, offset, residual, sums, *part
        )
        kernels.add_gradient_sparse(*csr_of(X, index), residual, gradient, *part)
    r, w = Y - offset - X.astype(np.float64) @ V, weight[:, None]
    close(residual, w * r)
    close(gradient, 1 + X.astype(np.float64).T @ (w * r))
    close(sums, 1 + np.stack([(w * r).sum(axis=0), (w * r**2).sum(axis=0)]))
    gathered = np.full((M, D), np.nan)
    for part in [(0, 2), (2, M)]:
        kernels.gather_gradient_sparse(*csr_of(X.T, index), residual, gathered, *part)
    close(gathered, gradient - 1)


@pytest.mark.parametrize("D", range(1, 27))
def test_sparse_products_of_any_number_of_outputs(D):
    """They are made a few outputs at a time."""
    X, Y, rng = data(D, np.float64)
    V, residual, sums = rng.normal(size=(M, D)), np.empty((N, D)), np.zeros((2, D))
    gradient, whole = np.zeros((M, D)), (0, N)
    places = csr_of(X, np.int32)
    kernels.add_residual_sparse(*places, Y, np.ones(N), V, np.zeros(D), residual, sums, *whole)
    kernels.add_gradient_sparse(*places, residual, gradient, *whole)
    close(residual, Y - X @ V)
    close(gradient, X.T @ (Y - X @ V))


@SHAPES
def test_add_columns_dense(D, dtype, index):
    X, Y, weight, parts, rng = weighted(D, dtype)
    shift, unit = rng.normal(size=M + D), 2.0 ** rng.integers(-2, 3, M + D)
    sums, filled = np.ones((2, M + D)), np.ones(M + 1)
    for part in parts:
        columns.add_columns_dense(
            X, Y, weight, shift, unit, np.empty(M + D), sums, filled, *part
        )
    z = (np.column_stack([X, Y]) - shift) * unit
    close(sums, 1 + np.stack([weight @ z, weight @ z**2]))
    close(filled, 1 + np.append(weight @ (X != 0), weight.sum()))


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize(("dtype", "index"), TYPES)
def test_add_filled_sparse(dtype, index, stored):
    X, _, weight, _, _ = weighted(1, dtype)
    expected, filled = 1 + weight @ (X != 0), np.ones(M)
    values, *places = csr_of(X, index)
    # An entry that is zero.
    values[0], row, column = 0, np.flatnonzero(places[1])[0] - 1, places[0][0]
    expected[column] -= weight[row] * (not stored)
    columns.add_filled_sparse(values, *places, weight, stored, filled)
    close(filled, expected)


@SHAPES
def test_square_lengths(D, dtype, index):
    X, _, _, parts, rng = weighted(D, dtype)
    centre, inverse = rng.normal(size=M), rng.uniform(0.5, 2.0, M)
    X[:, 5] = 2
    dense, of_csr = np.empty(N), np.empty(N)
    # The last feature is in all rows, so that it never counts as a zero.
    zeros = (centre * inverse) ** 2
    zeros[5] = 0
    for part in parts:
        kernels.square_lengths_dense(X, centre, inverse, dense, *part)
        coordinates = centre, inverse, zeros, zeros.sum()
        kernels.square_lengths_sparse(*csr_of(X, index), *coordinates, of_csr, *part)
    expected = (((X - centre) * inverse) ** 2).sum(axis=1)
    close(dense, expected)
    close(of_csr, expected)
