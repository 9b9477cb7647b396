"""Penalties without a gradient, and positive coefficients: answers, zeros, certificates."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import nnls
from sklearn.base import clone
from sklearn.datasets import load_diabetes, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklearn_gdlinreg import GDLinearRegression
from sklearn_gdlinreg._problem import loss as oracle
from sklearn_gdlinreg._problem import reading

CONTAINERS = [np.asarray, np.asfortranarray, sparse.csr_array]
PENALTIES = [
    {"alpha": 0.1, "l1_ratio": 1.0},
    {"alpha": 0.3, "l1_ratio": 0.5},
    {"alpha": 0.01, "l1_ratio": 0.9},
    {"alpha": 0.1, "l1_ratio": 1.0, "positive": True},
    {"alpha": 0.2, "l1_ratio": 0.0, "positive": True},
    {"positive": True},
]


@pytest.fixture
def data(make_data):
    """Return correlated features of which some matter, two decades of scales."""
    X, Y = make_data(150, 12, 3, decades=2.0)
    return X, Y


def violation(model, X, Y, alpha=0.0, l1_ratio=0.0, positive=False, weight=None):
    """Return by how much the conditions of an optimum are missed, in units of each feature."""
    s = np.ones(len(X)) if weight is None else weight
    mean, y_mean = s @ X / s.sum(), s @ Y / s.sum()
    W = np.atleast_2d(model.coef_).T
    G = (X - mean).T @ (s[:, None] * (Y - y_mean - (X - mean) @ W)) / s.sum()
    G = G - np.multiply(alpha, 1 - l1_ratio) * W
    l1 = np.multiply(alpha, l1_ratio)
    at_zero = np.maximum((G if positive else np.abs(G)) - l1, 0.0)
    off = np.abs(G - l1 * np.sign(W))
    deviation = np.sqrt(s @ (X - mean) ** 2 / s.sum())[:, None]
    return (np.where(W == 0, at_zero, off) / deviation).max()


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("options", PENALTIES)
def test_is_optimal(data, rng, container, options):
    X, Y = data
    weight = rng.uniform(0, 2, len(X))
    model = GDLinearRegression(**options).fit(container(X), Y, weight)
    assert violation(model, X, Y, weight=weight, **options) < 1e-9
    assert model.optimality_ < 1e-9
    assert model.stop_reason_ == "tol"
    if options.get("positive"):
        assert (model.coef_ >= 0).all()
    if options.get("l1_ratio") or options.get("positive"):
        assert (model.coef_ == 0).any()


@pytest.mark.slow
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("options", [*PENALTIES[:2], *PENALTIES[3:4]])
def test_is_optimal_on_wide_data(make_data, container, options):
    X, Y = make_data(40, 120, 2, decades=1.0)
    model = GDLinearRegression(**options, max_iter=20_000).fit(container(X), Y)
    assert "moments" in model.engine_
    assert violation(model, X, Y, **options) < 1e-5
    assert 0 < np.count_nonzero(model.coef_) < 0.7 * model.coef_.size


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_agrees_with_scikit_learn(data, fit_intercept):
    X, Y = data
    precise = {"tol": 1e-14, "max_iter": 10**6}
    for ours, theirs in [
        ({"alpha": 0.1, "l1_ratio": 1.0}, Lasso(alpha=0.1, **precise)),
        ({"alpha": 0.3, "l1_ratio": 0.5}, ElasticNet(alpha=0.3, l1_ratio=0.5, **precise)),
        ({"alpha": 0.3, "l1_ratio": 0.0}, Ridge(alpha=0.3 * len(X))),
        ({"positive": True}, LinearRegression(positive=True)),
    ]:
        theirs.set_params(fit_intercept=fit_intercept)
        model = GDLinearRegression(fit_intercept=fit_intercept, **ours).fit(X, Y)
        for j, y in enumerate(Y.T):
            theirs.fit(X, y)
            np.testing.assert_allclose(model.coef_[j], theirs.coef_, rtol=1e-6, atol=1e-9)
            np.testing.assert_array_equal(model.coef_[j] == 0, theirs.coef_ == 0)
            if fit_intercept:
                np.testing.assert_allclose(model.intercept_[j], theirs.intercept_, rtol=1e-6)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("l1_ratio", [0.0, 0.6])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"learning_rate": 1e-4, "max_iter": 20, "tol": 0},
        {"learning_rate": 1e-4, "max_iter": 3, "tol": 0, "batch_size": 10, "shuffle": False},
    ],
)
def test_an_alpha_for_each_output(data, container, l1_ratio, options):
    X, Y = data
    alpha = [0.3, 0.0, 2.0]
    model = GDLinearRegression(alpha=alpha, l1_ratio=l1_ratio, **options).fit(container(X), Y)
    for j, own in enumerate(alpha):
        single = GDLinearRegression(alpha=own, l1_ratio=l1_ratio, **options)
        single.fit(container(X), Y[:, j])
        np.testing.assert_allclose(model.coef_[j], single.coef_, rtol=1e-7, atol=1e-10)


def test_an_alpha_for_each_output_is_one_for_each(data):
    X, Y = data
    with pytest.raises(ValueError, match=r"alpha .* one value per output.*\(3,\). Got \(2,\)"):
        GDLinearRegression(alpha=[0.1, 0.2]).fit(X, Y)
    one = GDLinearRegression(alpha=[0.1]).fit(X, Y[:, 0])
    np.testing.assert_array_equal(one.coef_, GDLinearRegression(alpha=0.1).fit(X, Y[:, 0]).coef_)


def test_objective_is_the_oracles(data):
    X, Y = data
    options = {"alpha": np.array([0.1, 0.2, 0.3]), "l1_ratio": 0.5}
    model = GDLinearRegression(**options).fit(X, Y)
    loss = oracle.loss(X, Y, model.coef_.T, model.intercept_, **options)
    np.testing.assert_allclose(model.loss_curve_[-1], loss)
    assert (np.diff(model.loss_curve_) < 1e-9 * loss).sum() >= 0.8 * (model.n_iter_ - 1)


def test_optimality_is_the_norm_of_a_proximal_step(data):
    X, Y = data
    model = GDLinearRegression(alpha=0.2, l1_ratio=0.5, tol=0.05, max_iter=1, batch_size=10)
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        model.fit(X, Y)
    scale = np.sqrt(X.var(axis=0) + 0.1)[:, None]
    R = Y - model.predict(X)
    W = model.coef_.T
    V, G = W * scale, ((X - X.mean(axis=0)).T @ R / len(X) - 0.1 * W) / scale
    step = np.sign(V + G) * np.maximum(np.abs(V + G) - 0.1 / scale, 0) - V
    losses = (R**2).mean(axis=0) + 0.2 * np.abs(W).sum(axis=0) + 0.1 * (W**2).sum(axis=0)
    expected = (np.linalg.norm(step, axis=0) / np.sqrt(losses)).max()
    np.testing.assert_allclose(model.optimality_, expected, rtol=1e-9)


@pytest.mark.parametrize("options", PENALTIES)
def test_every_digit(data, options):
    X, Y = data
    model = GDLinearRegression(**options, tol=0).fit(X, Y)
    assert violation(model, X, Y, **options) < 1e-13
    assert model.stop_reason_ == "tol"


def test_a_large_penalty_leaves_nothing(data):
    X, Y = data
    model = GDLinearRegression(alpha=1e9, l1_ratio=1.0).fit(X, Y)
    assert (model.coef_ == 0).all()
    assert model.optimality_ == 0
    np.testing.assert_allclose(model.intercept_, Y.mean(axis=0))


def test_duplicate_and_constant_features(data):
    X, Y = data
    A = np.hstack([X, X[:, :3], np.ones((len(X), 1))])
    for options in PENALTIES:
        model = GDLinearRegression(**options).fit(A, Y)
        assert (model.coef_[:, -1] == 0).all()
        np.testing.assert_allclose(
            model.predict(A), GDLinearRegression(**options).fit(A[:, :-1], Y).predict(A[:, :-1])
        )


@pytest.mark.parametrize("start", [-3.0, 3.0])
def test_the_start_does_not_matter(data, start):
    X, Y = data
    for options in (PENALTIES[1], PENALTIES[-1]):
        model = GDLinearRegression(**options)
        there = model.fit(X, Y, coef_init=np.full((3, 12), start)).coef_
        np.testing.assert_allclose(there, model.fit(X, Y).coef_, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("batch_size", [1, 16])
@pytest.mark.parametrize("options", [PENALTIES[0], PENALTIES[3], PENALTIES[5]])
def test_mini_batches_come_near(make_data, container, batch_size, options):
    X, Y = make_data(2000, 12, 2, decades=2.0)
    exact = GDLinearRegression(**options).fit(X, Y)
    model = GDLinearRegression(
        **options, batch_size=batch_size, max_iter=20, tol=0, random_state=0
    ).fit(container(X), Y)
    objectives = [
        oracle.loss(
            X,
            Y,
            m.coef_.T,
            m.intercept_,
            None,
            options.get("alpha", 0),
            options.get("l1_ratio", 0),
        )
        for m in (model, exact)
    ]
    assert objectives[0] / objectives[1] - 1 < 2e-3
    assert (model.coef_ == 0).any()
    # What is told to be zero is next to nothing there.
    assert np.abs((exact.coef_ * X.std(axis=0))[model.coef_ == 0]).max() < 0.05
    if options.get("positive"):
        assert (model.coef_ >= 0).all()


@pytest.mark.parametrize("options", [PENALTIES[0], PENALTIES[4], PENALTIES[5]])
@pytest.mark.parametrize("shuffle", [True, False])
def test_mini_batches_do_not_depend_on_the_container(rng, options, shuffle):
    X = sparse.random(300, 60, density=0.1, format="csr", random_state=0)
    Y = X @ rng.standard_normal((60, 2)) + 0.1 * rng.standard_normal((300, 2))
    models = [
        GDLinearRegression(
            **options, batch_size=4, max_iter=3, tol=0, random_state=0, shuffle=shuffle
        ).fit(A, Y)
        for A in (X, X.toarray())
    ]
    np.testing.assert_allclose(models[0].coef_, models[1].coef_, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(models[0].intercept_, models[1].intercept_, rtol=1e-8)


def one_hot(n_rows, n_levels, rng):
    """Return a factor, one column for each level, as CSR."""
    level = rng.integers(0, n_levels, n_rows)
    return sparse.csr_array((np.ones(n_rows), level, np.arange(n_rows + 1)), (n_rows, n_levels))


def zeros_and_ones(n_rows, n_features, rng):
    return sparse.csr_array((rng.random((n_rows, n_features)) < 0.5).astype(float))


def rare_and_dense(n_rows, n_features, rng):
    """Return five dense features, which are in every batch, beside a factor."""
    dense = sparse.csr_array(rng.standard_normal((n_rows, 5)))
    return sparse.hstack([dense, one_hot(n_rows, n_features - 5, rng)]).tocsr()


@pytest.mark.slow
@pytest.mark.parametrize("container", [sparse.csr_array.toarray, sparse.csr_array])
@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("design", [one_hot, zeros_and_ones, rare_and_dense])
@pytest.mark.parametrize(("alpha", "l1_ratio"), [(0.03, 0.0), (1.0, 0.0), (1e-3, 0.5)])
def test_mini_batches_of_rare_features_are_not_biased(
    rng, container, batch_size, design, alpha, l1_ratio
):
    X = design(8_000, 40, rng)
    weight = 1.0 + rng.integers(0, 2, X.shape[0])
    y = X @ rng.standard_normal((40, 2)) + 0.3 * rng.standard_normal((X.shape[0], 2)) + 2.0
    options = {"alpha": alpha, "l1_ratio": l1_ratio}
    exact = GDLinearRegression(**options, tol=1e-10, max_iter=10_000).fit(X, y, weight)
    options |= {"batch_size": batch_size, "random_state": 0}
    fitted = GDLinearRegression(**options).fit(container(X), y, weight)
    stream = GDLinearRegression(**options)
    for _ in range(4):
        stream.partial_fit(container(X), y, weight)
    for model in (fitted, stream):
        error = np.linalg.norm(model.coef_ - exact.coef_) / np.linalg.norm(exact.coef_)
        assert error < 0.08


def test_a_batch_of_rare_features_shrinks_only_what_it_holds(rng):
    """A feature that no batch holds keeps its coefficient, in a stream of any width."""
    X = one_hot(64, 1_000, rng)
    y = rng.standard_normal(64)
    model = GDLinearRegression(alpha=0.01, batch_size=1, random_state=0).partial_fit(X, y)
    held = np.unique(X.indices)
    assert np.array_equal(np.flatnonzero(model._stream.members[0].sgd.common), [])
    assert np.isin(np.flatnonzero(model.coef_), held).all()


def test_early_stopping_leaves_zeros_too(make_data):
    X, Y = make_data(600, 12, 2)
    model = GDLinearRegression(
        alpha=0.5, l1_ratio=1.0, batch_size=16, early_stopping=True, max_iter=50, random_state=0
    ).fit(X, Y)
    assert (model.coef_ == 0).any()


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("options", [PENALTIES[0], PENALTIES[3], PENALTIES[5]])
def test_streams_come_near(make_data, container, options):
    X, Y = make_data(40_000, 10, 2, decades=2.0)
    exact = GDLinearRegression(**options).fit(X, Y)
    model = GDLinearRegression(**options, batch_size=64, random_state=0)
    for start in range(0, len(X), 1000):
        model.partial_fit(container(X[start : start + 1000]), Y[start : start + 1000])
    scale = X.std(axis=0)
    assert np.abs((model.coef_ - exact.coef_) * scale).max() < 0.1
    if options.get("positive"):
        assert (model.coef_ >= 0).all()
        assert (model.coef_ == 0).any()


def test_textbook_on_wide_rare_features_is_lazy(rng):
    """What a batch does not touch pays later, and pays the same."""
    X = sparse.random(200, 500, density=0.01, format="csr", random_state=0)
    y = X @ rng.standard_normal(500) + 0.1 * rng.standard_normal(200)
    options = {
        "alpha": 1e-3, "l1_ratio": 0.5, "learning_rate": 0.2, "batch_size": 2, "max_iter": 4,
        "tol": 0, "schedule": "invscaling", "shuffle": False,
    }  # fmt: skip
    lazy = GDLinearRegression(**options).fit(X, y)
    eager = GDLinearRegression(**options).fit(X.toarray(), y)
    np.testing.assert_allclose(lazy.coef_, eager.coef_, rtol=1e-9, atol=1e-14)
    np.testing.assert_array_equal(lazy.coef_ == 0, eager.coef_ == 0)
    assert 0 < np.count_nonzero(lazy.coef_) < 500


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize(
    "options", [{}, {"average": False}, {"learning_rate": 0.001, "average": False}]
)
def test_a_zero_has_no_sign(rng, container, positive, options):
    X = rng.standard_normal((300, 10))
    Y = X[:, :3] @ rng.standard_normal((3, 2)) + 0.1 * rng.standard_normal((300, 2))
    model = GDLinearRegression(
        alpha=0.1, l1_ratio=1.0, positive=positive, batch_size=16, random_state=0, **options
    )
    coefs = [model.fit(container(X), Y).coef_]
    if model.average:
        coefs.append(model.partial_fit(container(X), Y).coef_)
    for coef in coefs:
        assert (coef == 0).any()
        assert not np.signbit(coef[coef == 0]).any()


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("seed", [9, 13, 26])
def test_a_zero_of_a_stream_is_one_in_sparse_rows_too(positive, seed):
    """There a coefficient is the difference of two numbers."""
    rng = np.random.default_rng(seed)
    filled = rng.random((300, 12)) < rng.choice([0.1, 0.3, 0.6, 0.9], 12)
    X = (rng.standard_normal((300, 12)) + 2) * filled
    Y = X[:, :2] @ rng.standard_normal((2, 2)) + 0.1 * rng.standard_normal((300, 2))
    dense, stored = (
        GDLinearRegression(
            alpha=0.1, l1_ratio=1.0, positive=positive, average=False, batch_size=8,
            random_state=0,
        ).partial_fit(container(X), Y).coef_
        for container in (np.asarray, sparse.csr_array)
    )  # fmt: skip
    np.testing.assert_array_equal(stored == 0, dense == 0)
    assert (stored == 0).any()
    assert (stored >= 0).all() or not positive


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 0.1, "l1_ratio": 1.0, "average": False},
        {"alpha": 0.1, "l1_ratio": 1.0},
        {"alpha": 0.1, "momentum": 0.5},
        {"alpha": 0.1, "l1_ratio": 0.5, "momentum": 0.5, "nesterov": True},
    ],
)
def test_textbook_beside_a_column_in_tiny_units(rng, options):
    """All columns of a CSR matrix are then scaled, in a copy, so that squares do not vanish."""
    X = rng.standard_normal((400, 4)) * [3.0, 1.0, 1.0, 1e-120]
    X[rng.random(X.shape) < 0.4] = 0.0
    y = X @ [1.0, -2.0, 0.05, 0.0] + 1.0
    model = GDLinearRegression(
        learning_rate=1e-3, batch_size=8, max_iter=3, tol=0, random_state=0, **options
    )
    expected = clone(model).fit(X, y)
    model.fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(model.coef_[:3], expected.coef_[:3], rtol=1e-9)
    assert model.intercept_ == pytest.approx(expected.intercept_)


@pytest.mark.slow
@pytest.mark.parametrize(("N", "M"), [(50, 500), (100, 200), (200, 200)])
@pytest.mark.parametrize("alpha", [1.0, 0.1, 0.01])
@pytest.mark.parametrize("engine", ["moments", "passes"])
def test_weak_penalties_of_wide_data(N, M, alpha, engine, monkeypatch):
    # Faces of more coefficients than rows are flat: a path of penalties goes round them.
    monkeypatch.setattr(reading, "cheapest_way", lambda *_: engine)
    X, y = make_regression(N, M, n_informative=5, noise=1.0, random_state=0)
    model = GDLinearRegression(alpha=alpha, l1_ratio=1.0).fit(X, y)
    exact = Lasso(alpha, tol=1e-14, max_iter=10**6).fit(X, y)
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(model.coef_ == 0, exact.coef_ == 0)
    assert model.stop_reason_ == "tol"


def test_a_single_coefficient(rng):
    x = rng.standard_normal((20, 1))
    for sign in (1, -1):
        for y in (sign * x[:, 0] + 0.1, sign * x[:, 0] + rng.standard_normal(20)):
            model = GDLinearRegression(positive=True).fit(x, y, coef_init=[5.0])
            exact = LinearRegression(positive=True).fit(x, y)
            np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-9)
            model = GDLinearRegression(alpha=0.3, l1_ratio=1.0).fit(x, y, coef_init=[-5.0])
            np.testing.assert_allclose(model.coef_, Lasso(0.3).fit(x, y).coef_, atol=1e-9)


def test_outputs_on_the_path_do_not_disturb_the_others():
    X, Y = make_regression(50, 500, n_targets=3, n_informative=5, noise=1.0, random_state=0)
    options = {"l1_ratio": 1.0, "alpha": [0.01, 50.0, 0.3]}
    model = GDLinearRegression(**options).fit(X, Y)
    for d, alpha in enumerate(options["alpha"]):
        single = GDLinearRegression(alpha=alpha, l1_ratio=1.0).fit(X, Y[:, d])
        np.testing.assert_allclose(model.coef_[d], single.coef_, rtol=1e-6, atol=1e-6)


def test_a_path_that_does_not_end_is_no_step_back():
    X, y = make_regression(50, 500, n_informative=5, noise=1.0, random_state=0)
    losses = []
    for max_iter in range(1, 6):
        model = GDLinearRegression(alpha=0.01, l1_ratio=1.0, max_iter=max_iter)
        with pytest.warns(ConvergenceWarning, match="Stopped at max_iter"):
            model.fit(X, y)
        losses.append(model.loss_curve_[-1])
    assert (np.diff(losses) <= 1e-9 * losses[0]).all()


def test_what_is_within_tol_is_not_short_of_it():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    X_train, _, y_train, _ = train_test_split(X, y, random_state=0)
    scaled = make_pipeline(PolynomialFeatures(2, include_bias=False), StandardScaler())
    Z = scaled.fit_transform(X_train[67:])
    y = y_train[67:]
    reached = GDLinearRegression(alpha=0.01, l1_ratio=1.0).fit(Z, y)
    # Iterations run out where it is just there.
    model = clone(reached).set_params(max_iter=reached.n_iter_).fit(Z, y)
    assert model.n_iter_ == model.max_iter
    assert model.optimality_ <= model.tol
    assert model.stop_reason_ == "tol"


def opposed(seed, n):
    """Return features of which two are opposed, or complements, and noisy y."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 6))
    X[:, 1] = -3 * X[:, 0] if seed % 2 else 1 - (X[:, 0] > 0)
    X[:, 0] = X[:, 0] if seed % 2 else X[:, 0] > 0
    return X, X @ rng.standard_normal(6) + rng.standard_normal(n)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("tol", [1e-6, 0])
def test_opposed_features_and_no_negative_coefficients(container, tol):
    for seed in range(30):
        X, y = opposed(seed, (8, 30, 200)[seed % 3])
        model = GDLinearRegression(positive=True, tol=tol).fit(container(X), y)
        missed = nnls(X - X.mean(axis=0), y - y.mean())[1]
        assert ((y - model.predict(X)) ** 2).sum() <= missed**2 + 1e-8 * len(y) * y.var()
        assert (model.coef_ >= 0).all()
        assert model.coef_.max() < 1e3


@pytest.mark.slow
@pytest.mark.parametrize("factor", [3.0, 1e-3, 7e5])
def test_many_minimisers_follow_the_data_not_their_form(factor):
    """Of opposed and equal columns: the same for any unit of weight and order of columns."""
    for seed in range(40):
        X, y = opposed(seed, (5, 30)[seed % 3 > 0])
        X[:, 5] = X[:, 4]
        weight, order = np.arange(len(y)) % 3 + 1.0, np.random.default_rng(seed).permutation(6)
        coef = GDLinearRegression(positive=True).fit(X, y, weight).coef_
        heavier = GDLinearRegression(positive=True).fit(X, y, factor * weight).coef_
        permuted = GDLinearRegression(positive=True).fit(X[:, order], y, weight).coef_
        np.testing.assert_allclose(heavier, coef, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(permuted, coef[order], rtol=1e-6, atol=1e-9)
        assert coef[4] == pytest.approx(coef[5], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("alpha", [[0.0, 0.5], [0.5, 0.0], [0.0, 0.0]])
@pytest.mark.parametrize("N", [60, 12])
def test_an_output_without_a_penalty_is_what_it_is_alone(N, alpha, missing):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, 15))
    Y = X @ rng.standard_normal((15, 2)) + rng.standard_normal((N, 2))
    if missing:
        Y[0, 0] = np.nan
    options = {"l1_ratio": 1.0, "tol": 1e-10}
    model = GDLinearRegression(alpha=alpha, missing_targets="ignore", **options).fit(X, Y)
    for d in range(2):
        seen = ~np.isnan(Y[:, d])
        alone = GDLinearRegression(alpha=alpha[d], **options).fit(X[seen], Y[seen, d])
        np.testing.assert_allclose(model.coef_[d], alone.coef_, rtol=1e-6, atol=1e-7)


def test_the_loss_of_outputs_side_by_side_is_the_sum(make_data):
    """One output ends long before the other, and the curve goes on with its last loss."""
    X, Y = make_data(100, 30, 2, decades=0.5)
    model = GDLinearRegression(alpha=[0.0, 1e-3], l1_ratio=1.0).fit(X, Y)
    losses = ((Y - model.predict(X)) ** 2).mean(axis=0)
    penalty = 2e-3 * np.abs(model.coef_[1]).sum()
    assert model.loss_curve_[-1] == pytest.approx(losses.sum() + penalty, rel=1e-9)
    assert len(model.loss_curve_) == model.n_iter_
    assert (np.diff(model.loss_curve_) <= 1e-9 * model.loss_curve_[0]).all()
