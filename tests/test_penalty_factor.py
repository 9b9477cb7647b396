"""Parameters with one value per feature: `penalty_factor`, and `positive` as an array."""

import pickle
import re

import numpy as np
import pytest
from exact_streams import stream
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import lsq_linear
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV

from sklearn_gdlinreg import GDLinearRegression, GDLinearRegressionCV
from sklearn_gdlinreg._problem import loss as oracle

M = 8
FACTOR = np.array([0.0, 2.0, 0.5, 1.0, 0.0, 3.0, 0.2, 1.0])
SOME = np.array([0.5, 2.0, 0.5, 1.0, 4.0, 3.0, 0.2, 1.0])
SIGNS = np.array([True, False, True, True, False, False, True, False])
CONTAINERS = pytest.mark.parametrize(
    "container", [np.asarray, np.asfortranarray, sparse.csr_array]
)


@pytest.fixture
def data(make_data, rng):
    X, Y = make_data(200, M, 3, decades=0.5, offset=1.0)
    return X, Y, rng.uniform(0.5, 2.0, len(X))


def ridge(X, Y, alpha, factor, weight):
    """Return the coefficients of the closed form, (D, M)."""
    weight = weight / weight.sum()
    X, Y = X - weight @ X, Y - weight @ Y
    H, B = X.T @ (weight[:, None] * X), X.T @ (weight[:, None] * Y)
    alpha = np.broadcast_to(alpha, Y.shape[1])
    return np.stack(
        [np.linalg.solve(H + np.diag(a * factor), b) for a, b in zip(alpha, B.T, strict=True)]
    )


def fitted(way, X, Y, weight, container=np.asarray, **options):
    model = GDLinearRegression(tol=1e-10, **options)
    if way == "stream":
        return stream(model, X, Y, weight, cuts=[0, 1, 60, 61, 200], container=container)
    return model.fit(container(X), Y, weight)


@CONTAINERS
@pytest.mark.parametrize("way", ["fit", "stream"])
@pytest.mark.parametrize("factor", [FACTOR, SOME], ids=["zeros", "some"])
@pytest.mark.parametrize("alpha", [0.3, [0.3, 0.0, 5.0]], ids=str)
def test_ridge_is_the_closed_form(data, container, way, factor, alpha):
    X, Y, weight = data
    model = fitted(way, X, Y, weight, container, alpha=alpha, penalty_factor=factor)
    expected = ridge(X, Y, alpha, factor, weight)
    assert_allclose(model.coef_, expected, rtol=1e-7, atol=1e-8)
    assert model.stop_reason_ == "tol"
    loss = oracle.loss(
        X, Y, model.coef_.T, model.intercept_, weight, np.array(alpha), penalty_factor=factor
    )
    if model.loss_curve_ and way != "stream":
        assert_allclose(model.loss_curve_[-1], loss)


@CONTAINERS
@pytest.mark.parametrize("factor", ["zeros", "some"])
@pytest.mark.parametrize("alpha", [0.3, [0.3, 0.1, 5.0]], ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_ridge_of_wide_data(make_data, rng, container, factor, alpha, dtype):
    X, Y = (A.astype(dtype) for A in make_data(40, 90, 3, decades=0.5))
    own, weight = rng.uniform(0.2, 3.0, 90), rng.uniform(0.5, 2.0, 40)
    own[:5] *= factor == "some"
    model = GDLinearRegression(alpha=alpha, penalty_factor=own).fit(container(X), Y, weight)
    expected = ridge(X.astype(float), Y.astype(float), alpha, own, weight)
    assert model.coef_.dtype == dtype
    rtol = 1e-7 if dtype == np.float64 else 1e-4
    assert_allclose(model.coef_, expected, rtol=rtol, atol=rtol * np.abs(expected).max())
    assert model.stop_reason_ == "tol"


@CONTAINERS
@pytest.mark.parametrize("way", ["fit", "stream"])
@pytest.mark.parametrize(("l1_ratio", "root"), [(1.0, 1), (0.0, 2)])
def test_factors_are_those_of_rescaled_columns(data, container, way, l1_ratio, root):
    """A lasso on X / f has coefficients f times as large; a ridge one on X / sqrt(f)."""
    X, Y, weight = data
    options, unit = {"alpha": 0.2, "l1_ratio": l1_ratio}, SOME ** (1 / root)
    model = fitted(way, X, Y, weight, container, penalty_factor=SOME, **options)
    other = GDLinearRegression(tol=1e-10, **options).fit(X / unit, Y, weight)
    assert_allclose(model.coef_, other.coef_ / unit, rtol=1e-6, atol=1e-8)
    assert_array_equal(model.coef_ == 0, other.coef_ == 0)


@CONTAINERS
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_mini_batches_come_near(data, container, l1_ratio):
    X, Y, weight = data
    options = {"alpha": 0.3, "l1_ratio": l1_ratio, "penalty_factor": FACTOR, "positive": SIGNS}
    exact = GDLinearRegression(**options).fit(X, Y, weight)
    batches = {"batch_size": 16, "max_iter": 200, "tol": 0, "random_state": 0}
    model = GDLinearRegression(**options, **batches).fit(container(X), Y, weight)
    unit = X.std(axis=0)
    off = np.linalg.norm((model.coef_ - exact.coef_) * unit)
    assert off < 0.03 * np.linalg.norm(exact.coef_ * unit)
    assert (model.coef_[:, SIGNS] >= 0).all()


@CONTAINERS
def test_streams_of_mini_batches_come_near(make_data, container):
    X, Y = make_data(6000, M, 2, decades=0.5, offset=1.0)
    options = {"alpha": 0.3, "l1_ratio": 0.5, "penalty_factor": FACTOR, "positive": SIGNS}
    exact = GDLinearRegression(**options).fit(X, Y)
    model = GDLinearRegression(**options, batch_size=16, random_state=0)
    stream(model, X, Y, cuts=700, container=container)
    unit = X.std(axis=0)
    off = np.linalg.norm((model.coef_ - exact.coef_) * unit)
    assert off < 0.05 * np.linalg.norm(exact.coef_ * unit)
    assert (model.coef_[:, SIGNS] >= 0).all()


EVERY = [
    {},
    {"learning_rate": 1e-4, "random_state": 0, "max_iter": 20, "tol": 0},
    {"batch_size": 16, "random_state": 0, "max_iter": 3, "tol": 0},
    {"batch_size": 16, "random_state": 0, "max_iter": 3, "tol": 0, "learning_rate": 1e-4},
    {"batch_size": 16, "random_state": 0, "max_iter": 3, "tol": 0, "learning_rate": 1e-4}
    | {"momentum": 0.5},
]


@CONTAINERS
@pytest.mark.parametrize("options", EVERY, ids=str)
@pytest.mark.parametrize("penalty", [{}, {"l1_ratio": 0.5}, {"positive": True}], ids=str)
def test_what_is_alike_changes_no_bit(data, container, options, penalty):
    X, Y, weight = data
    base = GDLinearRegression(alpha=0.1, **options, **penalty)
    model = clone(base).set_params(
        penalty_factor=np.ones(M), positive=np.full(M, penalty.get("positive", False))
    )
    for method in ("fit", "partial_fit"):
        one, other = (getattr(clone(m), method)(container(X), Y, weight) for m in (base, model))
        assert_array_equal(one.coef_, other.coef_)
        assert_array_equal(one.intercept_, other.intercept_)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_a_factor_of_0_leaves_a_feature_unpenalised(data, l1_ratio):
    X, Y, _ = data
    model = GDLinearRegression(alpha=1e6, l1_ratio=l1_ratio, penalty_factor=FACTOR).fit(X, Y)
    free = FACTOR == 0
    plain = LinearRegression().fit(X[:, free], Y)
    assert_allclose(model.coef_[:, free], plain.coef_, rtol=1e-4)
    assert_allclose(model.coef_[:, ~free], 0.0, atol=1e-4)
    alone = GDLinearRegression(alpha=1.0, l1_ratio=l1_ratio, penalty_factor=np.zeros(M))
    assert_allclose(alone.fit(X, Y).coef_, LinearRegression().fit(X, Y).coef_, rtol=1e-8)


@CONTAINERS
@pytest.mark.parametrize("way", ["fit", "stream"])
@pytest.mark.parametrize("shape", [(200, M), (300, 60)], ids=str)
def test_signs_of_features(make_data, rng, container, way, shape):
    X, Y = make_data(*shape, 2, decades=0.5, offset=1.0)
    signs = rng.random(shape[1]) < 0.5
    model = GDLinearRegression(positive=signs, max_iter=20_000)
    if way == "stream":
        stream(model, X, Y, cuts=50, container=container)
    else:
        model.fit(container(X), Y)
    bounds = np.where(signs, 0.0, -np.inf), np.inf
    centred = X - X.mean(axis=0)
    for coef, y in zip(model.coef_, Y.T, strict=True):
        best = lsq_linear(centred, y - y.mean(), bounds, method="bvls", tol=1e-14).x
        assert_allclose(coef * X.std(axis=0), best * X.std(axis=0), rtol=1e-5, atol=1e-6)
        assert (coef[signs] >= 0).all()
    assert (model.coef_[:, ~signs] < 0).any()


def test_a_wide_lasso_with_unpenalised_features(make_data):
    """Its path begins where those are not yet fitted."""
    X, Y = make_data(40, 120, 2, decades=1.0)
    factor = np.where(np.arange(120) % 12 == 0, 0.0, 1.0)
    model = GDLinearRegression(
        alpha=0.01, l1_ratio=1.0, penalty_factor=factor, max_iter=20_000
    ).fit(X, Y)
    assert model.stop_reason_ == "tol"
    centred, alpha = X - X.mean(axis=0), 0.01 * factor[:, None]
    W = model.coef_.T
    G = centred.T @ (Y - Y.mean(axis=0) - centred @ W) / len(X)
    off = np.where(W == 0, np.maximum(np.abs(G) - alpha, 0), np.abs(G - alpha * np.sign(W)))
    assert (off / X.std(axis=0)[:, None]).max() < 1e-5


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("positive", [False, SIGNS], ids=["any", "signs"])
def test_a_path_of_cross_validation(data, fit_intercept, l1_ratio, positive):
    X, Y, _ = data
    own = {"penalty_factor": FACTOR, "positive": positive, "fit_intercept": fit_intercept}
    alphas = np.array([0.0, 1e-3, 1e-2, 0.1, 1.0])
    model = GDLinearRegressionCV(l1_ratio=l1_ratio, alphas=alphas, tol=1e-9, cv=4, **own)
    model.fit(X, Y)
    search = GridSearchCV(
        GDLinearRegression(l1_ratio=l1_ratio, tol=1e-9, **own), {"alpha": alphas[::-1]}, cv=4,
        scoring="neg_mean_squared_error",
    ).fit(X, Y)  # fmt: skip
    errors = -search.cv_results_["mean_test_score"]
    assert_allclose(model.mse_path_.mean(axis=1), errors, rtol=1e-7)
    assert_allclose(model.coef_, search.best_estimator_.coef_, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("shape", [(100, 8), (30, 80)], ids=str)
@pytest.mark.parametrize("signs", [False, True])
def test_a_path_begins_where_what_is_penalised_is_zero(make_data, container, shape, signs):
    X, Y = make_data(*shape, 2, decades=0.5)
    factor = np.where(np.arange(shape[1]) < 3, 0.0, np.linspace(0.5, 2.0, shape[1]))
    own = {"penalty_factor": factor, "positive": (np.arange(shape[1]) % 2 == 0) & signs}
    model = GDLinearRegressionCV(l1_ratio=0.8, alphas=4, cv=3, **own).fit(container(X), Y)
    for share, some in [(1.0001, False), (0.999, True)]:
        alpha = share * model.alphas_[0]
        first = GDLinearRegression(alpha=alpha, l1_ratio=0.8, tol=1e-10, **own).fit(X, Y)
        assert first.coef_[:, factor > 0].any() == some
        assert first.coef_[:, :3].any()


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("penalty_factor", np.ones(3), r"penalty_factor .*per feature.*Got .3"),
        ("positive", [True] * 9, r"positive .*one value per feature.*\(8,\). Got \(9,\)"),
        ("penalty_factor", [-1.0] * M, "'penalty_factor' parameter of .* must be an array of"),
        ("penalty_factor", [np.nan] * M, "'penalty_factor' parameter of .*Got .*nan"),
        ("positive", [1] * M, "'positive' parameter of .* must be an instance of 'bool' or an"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "make",
    [
        lambda X, Y, **o: GDLinearRegression(**o).fit(X, Y),
        lambda X, Y, **o: GDLinearRegression(**o, learning_rate=0.1).fit(X, Y),
        lambda X, Y, **o: GDLinearRegression(**o).partial_fit(X, Y),
        lambda X, Y, **o: GDLinearRegression(**o, batch_size=8).partial_fit(X, Y),
        lambda X, Y, **o: GDLinearRegression(batch_size=8).partial_fit(X, Y).set_params(**o)
        .partial_fit(X, Y),
        lambda X, Y, **o: GDLinearRegression().partial_fit(X, Y).set_params(**o)
        .partial_fit(X, Y),
        lambda X, Y, **o: GDLinearRegressionCV(**o).fit(X, Y),
        lambda X, Y, **o: GDLinearRegressionCV(alphas=[0.0], **o).fit(X, Y),
        lambda X, Y, **o: GDLinearRegressionCV(l1_ratio=0.0, **o).fit(X, Y),
    ],
)  # fmt: skip
def test_bad_values(data, name, value, match, make):
    with pytest.raises(ValueError, match=match):
        make(*data[:2], **{name: value})


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("batch_size", [None, 8])
def test_a_penalty_that_overflows(data, method, batch_size):
    options = {"alpha": 1e200, "penalty_factor": 1e200 * SOME, "batch_size": batch_size}
    with pytest.raises(ValueError, match="alpha times penalty_factor must be finite"):
        getattr(GDLinearRegression(**options), method)(*data)


def test_models_of_other_factors_do_not_merge(data):
    X, Y, _ = data
    options = {"alpha": 0.1, "penalty_factor": FACTOR, "positive": SIGNS}
    model, other = (GDLinearRegression(**options).fit(X[i::2], Y[i::2]) for i in range(2))
    whole = GDLinearRegression(**options).fit(X, Y)
    assert_allclose(pickle.loads(pickle.dumps(model)).merge(other).coef_, whole.coef_, rtol=1e-6)
    for name, value in [("penalty_factor", SOME), ("penalty_factor", None), ("positive", False)]:
        match = re.escape(f"{name} must be that of the model that merge is called on")
        with pytest.raises(ValueError, match=match):
            model.merge(clone(other).set_params(**{name: value}).fit(X, Y))


def test_they_change_between_calls_of_an_exact_stream(data):
    X, Y, _ = data
    model = GDLinearRegression(alpha=0.2, penalty_factor=FACTOR).partial_fit(X[:90], Y[:90])
    model.set_params(penalty_factor=SOME, positive=SIGNS).partial_fit(X[90:], Y[90:])
    whole = GDLinearRegression(alpha=0.2, penalty_factor=SOME, positive=SIGNS).fit(X, Y)
    assert_allclose(model.coef_, whole.coef_, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", [list, tuple, np.asarray])
def test_parameters_are_parameters(data, kind):
    X, Y, _ = data
    own = {"penalty_factor": kind(FACTOR.tolist()), "positive": kind(SIGNS.tolist())}
    model = GDLinearRegression(alpha=0.1, **own)
    assert model.get_params()["penalty_factor"] is own["penalty_factor"]
    expected = GDLinearRegression(alpha=0.1, penalty_factor=FACTOR, positive=SIGNS).fit(X, Y)
    for again in (model, clone(model), pickle.loads(pickle.dumps(model))):
        assert_array_equal(again.fit(X, Y).coef_, expected.coef_)
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict(X), expected.predict(X))
    assert "penalty_factor" in repr(model)


def test_a_grid_of_factors(data):
    X, Y, _ = data
    grid = {"penalty_factor": [None, FACTOR, SOME], "positive": [False, SIGNS]}
    search = GridSearchCV(GDLinearRegression(alpha=0.1), grid, cv=3, error_score="raise")
    search.fit(X, Y)
    assert len(search.cv_results_["params"]) == 6
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_validation_and_callers_who_look_at_each_iterate(data):
    X, Y, weight = data
    options = {"alpha": 0.1, "l1_ratio": 0.5, "penalty_factor": FACTOR, "positive": SIGNS}
    model = GDLinearRegression(**options, early_stopping=True, random_state=0, tol=0)
    with pytest.warns(ConvergenceWarning):
        model.set_params(max_iter=3).fit(X, Y, weight)
    assert (model.coef_[:, SIGNS] >= 0).all()
