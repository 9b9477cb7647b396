"""Working sets: what is minimised, by steps that do not rise, and certified on all features."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso

from sklearn_gdlinreg import GDLinearRegression, GDLinearRegressionCV
from sklearn_gdlinreg._problem.gram import Gram
from sklearn_gdlinreg._problem.penalty import soft_threshold
from sklearn_gdlinreg._rows import kept_columns
from sklearn_gdlinreg._rows.containers import rows_of
from sklearn_gdlinreg._solvers import face, working_set
from sklearn_gdlinreg._solvers.face import Face, Subproblem

SHAPES = {"tall": (200, 12), "square": (60, 60), "wide": (40, 300)}


def subproblem(rng, N=30, K=20, *, rank=None, positive=0.0, l1=0.1, l2=0.0):
    """Return a Subproblem, b, and its objective."""
    Z = rng.standard_normal((N, K))
    if rank is not None:
        Z = Z[:, :rank] @ rng.standard_normal((rank, K))
    Z /= np.linalg.norm(Z, axis=0)
    y = rng.standard_normal(N)
    H, b = Z.T @ Z, Z.T @ y
    l1, l2 = np.full(K, l1 * np.abs(b).max()), np.full(K, l2)
    flags = rng.random(K) < positive
    problem = Subproblem(H, l1, l2, flags, np.zeros(K), 0.0)

    def objective(v):
        assert (v[flags] >= 0).all()
        return v @ H @ v + l2 @ v**2 - 2 * b @ v + 2 * l1 @ np.abs(v)

    return problem, b, objective


CASES = {
    "lasso": {},
    "weak": {"l1": 1e-4},
    "wide": {"N": 8},
    "wide and weak": {"N": 8, "l1": 1e-3},
    "rank-deficient": {"rank": 4},
    "elastic net": {"N": 8, "l2": 0.1},
    "positive": {"positive": 1.0, "l1": 0.0},
    "some positive": {"positive": 0.5},
}


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_minimum_of_a_set(rng, case, fast):
    for _ in range(20):
        problem, b, objective = subproblem(rng, **case)
        v = np.where(problem.positive, 1.0, rng.standard_normal(len(b))) * (rng.random() < 0.5)
        g, before = b - problem.H @ v - problem.l2 * v, objective(v)
        problem.minimise(v, g, 1e-24, fast=fast)
        assert objective(v) <= before + 1e-12
        # The half gradient has been kept up to date.
        np.testing.assert_allclose(g, b - problem.H @ v - problem.l2 * v, atol=1e-9)
        assert np.linalg.norm(problem.proximal_gradient(v, g)) < 1e-8


def test_no_step_on_a_face_raises_the_objective(rng, monkeypatch):
    problem, b, objective = subproblem(rng, 8, 40, l1=1e-3)
    step, values = face.newton_step, []

    def watched(H, l2, positive, slope, L, at, v, *rest):
        values.append(objective(v))
        n = step(H, l2, positive, slope, L, at, v, *rest)
        values.append(objective(v))
        return n

    monkeypatch.setattr(face, "newton_step", watched)
    v = rng.standard_normal(40)
    problem.minimise(v, b - problem.H @ v, 1e-24)
    assert len(values) > 4
    assert (np.diff(values) <= 1e-12).all()


def test_the_proximal_gradient_is_that_of_the_penalty(rng):
    problem, b, _ = subproblem(rng, positive=0.5)
    v = np.where(problem.positive, 1.0, rng.standard_normal(20)) * (rng.random(20) < 0.5)
    g = b - problem.H @ v
    expected = soft_threshold(v + g, problem.l1, problem.positive) - v
    np.testing.assert_allclose(problem.proximal_gradient(v, g), expected, atol=1e-15)
    # What rounding of the data may make is no gradient.
    noise = np.median(expected**2)
    rounded = replace(problem, rounding=np.full(20, noise / 4.0), loss=4.0)
    expected[expected**2 <= noise] = 0.0
    np.testing.assert_allclose(rounded.proximal_gradient(v, g), expected, atol=1e-15)


def test_a_newton_step_ends_at_the_minimum_of_the_face_that_it_leaves(rng):
    for _ in range(50):
        problem, b, objective = subproblem(rng, positive=0.3)
        start = np.where(problem.positive, 1.0, rng.standard_normal(20))
        start *= rng.random(20) < 0.5
        v, g = start.copy(), b - problem.H @ start
        Face().on(problem).descend(v, g, 1e-28)
        assert objective(v) <= objective(start)
        np.testing.assert_allclose(g, b - problem.H @ v, atol=1e-12)
        # No coefficient has left zero or changed its sign, and no other can lower the objective.
        left = np.flatnonzero(v)
        np.testing.assert_array_equal(np.sign(v[left]), np.sign(start[left]))
        np.testing.assert_allclose(g[left], problem.l1[left] * np.sign(v[left]), atol=1e-12)


def test_a_path_of_lassos_keeps_the_factor_of_its_face(make_data, monkeypatch):
    X, y = make_data(200, 30, 1)
    whole, extend = [], face.extend_factor

    def watched(H, l2, at, n_known, *rest):
        whole.append(n_known == 0)
        return extend(H, l2, at, n_known, *rest)

    monkeypatch.setattr(face, "extend_factor", watched)
    monkeypatch.setattr(face, "FAST_EPOCHS", 1)
    monkeypatch.setattr(face, "FAST_STEPS", 1)
    GDLinearRegressionCV(l1_ratio=1.0, cv=2).fit(X, y[:, 0])
    assert len(whole) > 20
    assert sum(whole) < len(whole) / 4


@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_kept", [9, 4, 0])
def test_gram_grows(rng, container, weighted, n_kept, monkeypatch):
    for name, value in {"ITEMS": 30 * n_kept, "PART": 300, "ROOM": 1}.items():
        monkeypatch.setattr(kept_columns, name, value)
    X = rng.standard_normal((30, 9)) * (rng.random((30, 9)) < 0.7) + 3.0
    weight = rng.integers(0, 3, 30).astype(float) if weighted else np.ones(30)
    rows = rows_of(container(X), np.zeros((30, 1)), weight, centred=True)
    moments = rows.column_moments()
    about = moments.mean[:9], np.full(9, 1.0 / np.sqrt(moments.weight))
    gram = Gram(rows.column_products(*about), 9)
    mean = weight @ X / weight.sum()
    Z = (X - mean) * rows.unit[:9]
    H = Z.T @ (weight[:, None] * Z) / weight.sum()
    for features in ([3, 1], [1, 7, 8], [0, 3], range(9)):
        features = np.array(features)
        gram.require(features)
        np.testing.assert_allclose(
            gram.block(features), H[np.ix_(features, features)], atol=1e-12
        )
    assert np.shares_memory(gram.block(gram.features), gram.block(gram.features[:4]))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("share", [0.3, 1e-2])
def test_lasso(rng, shape, container, share):
    X = (
        rng.standard_normal(shape)
        * (rng.random(shape) < 0.5)
        * 10.0 ** rng.uniform(-2, 2, shape[1])
    )
    y = X[:, :3] @ np.ones(3) / np.abs(X[:, :3]).max(axis=0).sum() + rng.standard_normal(
        shape[0]
    )
    alpha = share * np.abs(X.T @ (y - y.mean())).max() / len(y)
    model = GDLinearRegression(alpha=alpha, l1_ratio=1.0, tol=1e-9).fit(container(X), y)
    other = Lasso(alpha, tol=1e-14, max_iter=10**6).fit(X, y)

    def objective(model):
        return np.mean((y - model.predict(X)) ** 2) + 2 * alpha * np.abs(model.coef_).sum()

    assert model.stop_reason_ == "tol"
    assert objective(model) <= objective(other) * (1 + 1e-12)
    np.testing.assert_array_equal(model.coef_ == 0, other.coef_ == 0)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_non_negative(rng, shape):
    X, y = np.abs(rng.standard_normal(shape)), rng.standard_normal(shape[0])
    model = GDLinearRegression(positive=True, fit_intercept=False, tol=1e-9).fit(X, y)
    _, norm = optimize.nnls(X, y)
    assert np.linalg.norm(y - X @ model.coef_) <= norm * (1 + 1e-9)
    assert (model.coef_ >= 0).all()


def test_a_violated_feature_that_is_left_out_is_no_optimum(make_data, monkeypatch):
    # So many features that products of columns are made only of those that are met.
    X, y = make_data(60, 600, 1)
    y, left_out = y[:, 0], 17
    X[:, left_out] = y + 0.1 * X[:, left_out]
    take = working_set._Output.take

    def without(output, p, *args):
        p = p.copy()
        p[left_out] = 0.0
        return take(output, p, *args)

    monkeypatch.setattr(working_set._Output, "take", without)
    model = GDLinearRegression(alpha=0.1 * y.std(), l1_ratio=1.0)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    assert model.coef_[left_out] == 0.0
    assert model.stop_reason_ != "tol"
    assert model.optimality_ > 100 * model.tol


def test_each_look_at_all_features_is_an_iteration(make_data):
    X, y = make_data(60, 300, 1)
    options = {"alpha": 1e-3 * y.std(), "l1_ratio": 1.0}
    whole = GDLinearRegression(**options).fit(X, y[:, 0])
    assert whole.n_iter_ == len(whole.loss_curve_) > 3
    assert (np.diff(whole.loss_curve_) <= 1e-12 * whole.loss_curve_[0]).all()
    with pytest.warns(ConvergenceWarning, match="Stopped at max_iter"):
        short = GDLinearRegression(max_iter=2, **options).fit(X, y[:, 0])
    np.testing.assert_allclose(short.loss_curve_, whole.loss_curve_[:2], rtol=1e-12)


def test_many_coefficients_to_start_from(make_data):
    # Where a penalty leaves fewer, a start from zero is faster than from there.
    X, y = make_data(40, 300, 1)
    options = {"alpha": 1e-2 * y.std(), "l1_ratio": 1.0, "tol": 1e-9}
    cold = GDLinearRegression(**options).fit(X, y[:, 0])
    start = np.random.default_rng(0).standard_normal((1, 300))
    warm = GDLinearRegression(**options).fit(X, y[:, 0], coef_init=start)
    np.testing.assert_allclose(warm.coef_, cold.coef_, atol=1e-8 * np.abs(cold.coef_).max())
    assert warm.n_iter_ <= cold.n_iter_ + 2


@pytest.mark.parametrize("free", [True, False])
def test_a_set_that_is_too_large_ends_by_proximal_steps(rng, monkeypatch, free):
    # Features without a penalty are in the set from the start.
    monkeypatch.setattr(working_set, "LARGEST", 64)
    X = sparse.random(400, 600, density=0.05, random_state=0, format="csr")
    y = X[:, :20] @ np.ones(20) + 0.1 * rng.standard_normal(400)
    options = {"alpha": 1e-3, "positive": np.arange(600) < 1} if free else {"alpha": 1e-4}
    asked = []

    def required(gram, features):
        asked.append(len(features))
        return require(gram, features)

    require = Gram.require
    monkeypatch.setattr(Gram, "require", required)
    model = GDLinearRegression(l1_ratio=0.0 if free else 0.1, **options).fit(X, y)
    assert model.stop_reason_ == "tol"
    assert max(asked, default=0) <= 64
    assert np.count_nonzero(model.coef_) > 128


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_a_factor_that_goes_from_face_to_face_is_that_of_the_last(rng, l2):
    X = rng.standard_normal((60, 40))
    H, l2 = X.T @ X / 60, np.full(40, l2)
    faces = Face()
    # Features come, go, and come back, and the set grows.
    for K, at in (
        (20, [1, 3, 8]),
        (20, [1, 3, 8, 5]),
        (30, [1, 8, 25, 2]),
        (40, [1, 3, 39]),
    ):
        v = np.zeros(K)
        v[at] = rng.standard_normal(len(at))
        ends = np.ones(K), l2[:K], np.zeros(K, dtype=bool), np.full(K, 1e-32), 1.0
        faces.on(Subproblem(H[:K, :K], *ends))._factorise(v)
        assert sorted(faces._at) == sorted(at)
        L = np.tril(faces._L[: len(at), : len(at)])
        exact = (H + np.diag(l2))[np.ix_(faces._at, faces._at)]
        np.testing.assert_allclose(L @ L.T, exact, atol=1e-14)


def test_a_path_falls_as_far_as_the_set_has_room(rng):
    g = rng.standard_normal(50)
    terms = np.full(50, 1e-3), np.zeros(50), np.zeros(50, dtype=bool)
    start = np.zeros(50), g, terms, np.zeros(50), np.ones(50, dtype=bool)
    ordered = np.sort(np.abs(g))[::-1]
    for room, level in ((1, ordered[1]), (10, ordered[10])):
        output = working_set._Output(*start, room)
        np.testing.assert_array_equal(
            output.lower(np.zeros(50), g), min(level, 0.5 * ordered[0])
        )
    # There is room for all: the penalty is the one that is asked for.
    output = working_set._Output(*start, 50)
    assert output.lower(np.zeros(50), g) is output.l1


def test_features_that_say_nothing_are_in_no_set(rng):
    terms = np.zeros(6), np.zeros(6), np.zeros(6, dtype=bool)
    varies = np.array([True, False] * 3)
    output = working_set._Output(np.zeros(6), np.zeros(6), terms, np.zeros(6), varies)
    np.testing.assert_array_equal(output.set, [0, 2, 4])
