"""Masked targets: each output learns from the rows where it is observed, as if alone."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score

from sklearn_gdlinreg import GDLinearRegression, GDLinearRegressionCV
from sklearn_gdlinreg._input import dataset

WAYS = {
    "exact": {"tol": 0},
    "one-group-penalty": {"alpha": 0.1},
    "penalties": {"alpha": [0.0, 0.1, 0.2, 0.3], "tol": 1e-12},
    "lasso": {"alpha": 0.05, "l1_ratio": 1.0, "tol": 1e-12},
    "positive": {"positive": True, "tol": 1e-12},
    "factors": {"alpha": [0.1, 0.2, 0.3, 0.4], "penalty_factor": [0.0, 1.0, 2.0, 0.5, 0.0]},
    "factors-lasso": {
        "alpha": 0.05, "l1_ratio": 1.0, "penalty_factor": [0.0, 1.0, 2.0, 0.5, 0.0],
        "positive": [True, False, False, True, False], "tol": 1e-12,
    },
    "no-intercept": {"fit_intercept": False},
    "textbook": {"learning_rate": 0.01, "max_iter": 30, "tol": 0},
    "momentum": {
        "learning_rate": 0.01, "momentum": 0.5, "nesterov": True, "max_iter": 30, "tol": 0
    },
    "textbook-lasso": {
        "learning_rate": 0.01, "alpha": 0.1, "l1_ratio": 0.5, "max_iter": 30, "tol": 0
    },
    "mini-batch": {"batch_size": 7, "max_iter": 3, "tol": 0},
    "mini-batch-lasso": {
        "batch_size": 7, "alpha": 0.05, "l1_ratio": 0.9, "max_iter": 3, "tol": 0
    },
    "mini-batch-factors": {
        "batch_size": 7, "alpha": 0.05, "l1_ratio": 0.9, "max_iter": 3, "tol": 0,
        "penalty_factor": [0.0, 1.0, 2.0, 0.5, 0.0],
    },
    "mini-batch-textbook": {
        "batch_size": 7, "learning_rate": 1e-3, "schedule": "invscaling", "max_iter": 3, "tol": 0
    },
}  # fmt: skip
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
containers = pytest.mark.parametrize(
    "container", [np.asarray, sparse.csr_array], ids=["dense", "csr"]
)


@pytest.fixture
def masked(make_data):
    """Return X and Y with four outputs: two missing alike, one apart, one observed."""
    X, Y = make_data(150, 5, 4, decades=0.5, offset=1.0)
    Y[::3, [0, 2]] = np.nan
    Y[100:, 1] = np.nan
    Y[7] = np.nan
    return X, Y


def alone(parameters, d):
    alpha = parameters.get("alpha")
    return {**parameters, "alpha": alpha[d]} if isinstance(alpha, list) else parameters


@every_way
@containers
@pytest.mark.parametrize("weighted", [False, True])
def test_each_output_is_as_if_alone(masked, way, container, weighted):
    X, Y = masked
    weight = np.arange(1.0, len(X) + 1) if weighted else None
    way = {"random_state": 0, "tol": 1e-10, **way}
    before = Y.copy()
    model = GDLinearRegression(missing_targets="ignore", **way).fit(container(X), Y, weight)
    np.testing.assert_array_equal(Y, before)
    for d in range(Y.shape[1]):
        rows = ~np.isnan(Y[:, d])
        single = GDLinearRegression(**alone(way, d)).fit(
            container(X[rows]), Y[rows, d], weight[rows] if weighted else None
        )
        np.testing.assert_allclose(model.coef_[d], single.coef_, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(model.intercept_[d], single.intercept_, rtol=1e-8)
        if model.engine_ == "mini-batch" and "learning_rate" not in way:
            np.testing.assert_allclose(model.learning_rate_[d], single.learning_rate_)


@containers
@pytest.mark.parametrize(
    "way",
    [
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"alpha": 0.01, "l1_ratio": 1.0}, marks=pytest.mark.slow),
        {"batch_size": 16},
        {"batch_size": 16, "alpha": 0.01, "l1_ratio": 1.0, "tol": 1e-3},
        {"batch_size": 16, "learning_rate": 1e-3, "tol": 1e-4},
    ],
    ids=str,
)
def test_each_output_ends_as_if_alone(make_data, container, way):
    # Together they are more work than what is descended further at no cost.
    X, Y = make_data(400, 60, 40, decades=0.5, offset=1.0)
    if "batch_size" in way:
        X, Y = X[:, :10] / 3.0, Y[:, :3]
    Y[np.random.default_rng(0).random(Y.shape) < 0.2] = np.nan
    Y[:, 2] /= 100.0
    model = GDLinearRegression(missing_targets="ignore", random_state=0, **way)
    model.fit(container(X), Y)
    for d in range(Y.shape[1]):
        rows = ~np.isnan(Y[:, d])
        single = GDLinearRegression(random_state=0, **way).fit(container(X[rows]), Y[rows, d])
        np.testing.assert_allclose(model.coef_[d], single.coef_, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(model.intercept_[d], single.intercept_, rtol=1e-8, atol=1e-8)


@every_way
def test_a_single_output(masked, way):
    X, y = masked[0], masked[1][:, 0]
    way = {"random_state": 0, **alone(way, 0)}
    rows = ~np.isnan(y)
    model = GDLinearRegression(missing_targets="ignore", **way).fit(X, y)
    single = GDLinearRegression(**way).fit(X[rows], y[rows])
    assert model.coef_.shape == (5,)
    np.testing.assert_allclose(model.coef_, single.coef_, rtol=1e-8)
    n = min(model.n_iter_, single.n_iter_)
    np.testing.assert_allclose(model.loss_curve_[:n], single.loss_curve_[:n], rtol=1e-6)


@containers
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(
    "way",
    [{}, {"alpha": [0.0, 0.1, 0.2, 0.3], "l1_ratio": 0.5}, {"learning_rate": 1e-3}],
    ids=["auto", "penalties", "textbook"],
)
def test_streams(masked, container, shuffle, way):
    X, Y = masked
    # One chunk says nothing of an output.
    Y[30:60, 3] = np.nan
    way = {"batch_size": 4, "shuffle": shuffle, "random_state": 0, **way}
    model = GDLinearRegression(missing_targets="ignore", **way)
    singles = [GDLinearRegression(**alone(way, d)) for d in range(4)]
    for start in range(0, 150, 30):
        rows = slice(start, start + 30)
        model.partial_fit(container(X[rows]), Y[rows])
        losses = 0.0
        for d, single in enumerate(singles):
            seen = start + np.flatnonzero(~np.isnan(Y[rows, d]))
            if len(seen):
                single.partial_fit(container(X[seen]), Y[seen, d])
                losses += single.loss_curve_[-1]
                np.testing.assert_allclose(model.coef_[d], single.coef_, rtol=1e-8, atol=1e-10)
            elif "coef_" in vars(single):
                np.testing.assert_array_equal(model.coef_[d], single.coef_)
        assert model.loss_curve_[-1] == pytest.approx(losses, rel=1e-8)
    assert model.engine_ == "stream"
    assert model.t_ == max(single.t_ for single in singles)


@pytest.mark.parametrize("batch_size", [None, 64])
def test_a_stream_that_begins_with_nothing(masked, batch_size):
    X, Y = masked
    model = GDLinearRegression(missing_targets="ignore", batch_size=batch_size)
    model.partial_fit(X, np.where([True, False, False, False], Y, np.nan))
    assert np.isfinite(model.coef_).all()
    np.testing.assert_array_equal(model.coef_[1:], 0.0)


@pytest.mark.parametrize("batch_size", [None, 16])
def test_early_stopping(masked, batch_size):
    X, Y = masked
    model = GDLinearRegression(
        missing_targets="ignore", early_stopping=True, batch_size=batch_size, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X[30:], Y[30:], X_val=X[:30], y_val=Y[:30])
    error = (model.predict(X[:30]) - Y[:30]) ** 2
    assert min(model.validation_loss_curve_) == pytest.approx(np.nanmean(error, axis=0).sum())
    model.fit(X, Y)
    assert len(model.validation_loss_curve_) == model.n_iter_


def test_nothing_missing_is_nothing_else(make_data):
    X, Y = make_data()
    expected = GDLinearRegression().fit(X, Y)
    model = GDLinearRegression(missing_targets="ignore").fit(X, Y)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    assert model.n_iter_ == expected.n_iter_


def test_the_certificate_and_the_curve(masked):
    X, Y = masked
    model = GDLinearRegression(missing_targets="ignore").fit(X, Y)
    assert model.optimality_ <= 1e-6
    assert model.stop_reason_ == "tol"
    assert model.engine_ == "moments"
    error = (model.predict(X) - Y) ** 2
    assert model.loss_curve_[-1] == pytest.approx(np.nanmean(error, axis=0).sum())


def test_float32_stays_float32(masked):
    X, Y = (A.astype(np.float32) for A in masked)
    model = GDLinearRegression(missing_targets="ignore").fit(X, Y)
    expected = GDLinearRegression(missing_targets="ignore").fit(*masked)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-3, atol=1e-4)


def test_a_textbook_step_that_diverges(masked):
    X, Y = masked
    model = GDLinearRegression(missing_targets="ignore", learning_rate=10.0)
    with pytest.raises(ValueError, match="the largest stable full-batch step") as error:
        model.fit(X, Y)
    limit = float(str(error.value).split("these data is ")[1].split(". Use")[0])
    singles = []
    for d in range(4):
        rows = ~np.isnan(Y[:, d])
        with pytest.raises(ValueError, match="the largest stable full-batch step") as error:
            GDLinearRegression(learning_rate=10.0).fit(X[rows], Y[rows, d])
        singles.append(float(str(error.value).split("these data is ")[1].split(". Use")[0]))
    assert limit == min(singles)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("batch_size", [None, 64])
def test_nan_is_an_error_by_default(masked, method, batch_size):
    X, Y = masked
    mask = np.isnan(Y)
    for y in (Y, np.ma.array(np.where(mask, -9.0, Y), mask=mask)):
        with pytest.raises(ValueError, match=r"Input y contains NaN.*missing_targets=.ignore"):
            getattr(GDLinearRegression(batch_size=batch_size), method)(X, y)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
@pytest.mark.parametrize("batch_size", [None, 64])
def test_masked_arrays(masked, method, dtype, batch_size):
    X, Y = masked
    options = {"random_state": 0, "batch_size": batch_size, "max_iter": 50, "tol": 1e-2}
    mask = np.isnan(Y)
    values = np.where(mask, -999, np.nan_to_num(10 * Y).round()).astype(dtype)
    expected = GDLinearRegression(missing_targets="ignore", **options)
    getattr(expected, method)(X, np.where(mask, np.nan, values))
    model = GDLinearRegression(missing_targets="ignore", **options)
    getattr(model, method)(X, np.ma.array(values, mask=mask))
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    plain = GDLinearRegression(**options)
    getattr(plain, method)(np.ma.array(X), np.ma.array(values))
    whole = getattr(GDLinearRegression(**options), method)(X, values)
    np.testing.assert_array_equal(plain.coef_, whole.coef_)


def test_masked_rows_to_validate_on(masked):
    X, Y = masked
    mask = np.isnan(Y)
    model = GDLinearRegression(missing_targets="ignore", early_stopping=True, tol=1e-3)
    curves = [
        model.fit(X, Y, X_val=X, y_val=y).validation_loss_curve_
        for y in (Y, np.ma.array(np.where(mask, -9.0, Y), mask=mask))
    ]
    assert curves[0] == curves[1]
    X_val = np.ma.array(X, mask=X > 2)
    with pytest.raises(ValueError, match="Input X_val has masked entries"):
        model.fit(X, Y, X_val=X_val, y_val=Y)
    model.set_params(missing_targets="error")
    observed = np.where(mask, 0.0, Y)
    with pytest.raises(ValueError, match=r"Input y_val contains NaN.*missing_targets=.ig"):
        model.fit(X, observed, X_val=X, y_val=Y)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("batch_size", [None, 64])
def test_infinity_is_always_an_error(masked, method, batch_size):
    X, Y = masked
    Y[3, 3] = np.inf
    model = GDLinearRegression(missing_targets="ignore", batch_size=batch_size)
    with pytest.raises(ValueError, match="Input y contains infinity"):
        getattr(model, method)(X, Y)


def test_an_output_needs_rows(masked):
    X, Y = masked
    model = GDLinearRegression(missing_targets="ignore")
    with pytest.raises(ValueError, match=r"Got none for output 1 of y"):
        model.fit(X, np.where([False, True, False, False], np.nan, Y))
    with pytest.raises(ValueError, match=r"Got none for output 0 of y"):
        model.fit(X, Y, np.arange(150) % 3 == 0)


@pytest.mark.parametrize("D", [1, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_score_counts_what_is_observed(masked, D, weighted):
    X, Y = masked
    Y = Y if D > 1 else Y[:, 0]
    weight = np.arange(150.0) % 4 if weighted else None
    model = GDLinearRegression(missing_targets="ignore", alpha=0.1).fit(X, Y)
    scores = []
    for y, prediction in zip(
        Y.reshape(150, D).T, model.predict(X).reshape(150, D).T, strict=True
    ):
        seen = ~np.isnan(y)
        own = weight[seen] if weighted else None
        scores.append(r2_score(y[seen], prediction[seen], sample_weight=own))
    expected = pytest.approx(np.mean(scores), rel=1e-12)
    hidden = np.ma.array(np.where(np.isnan(Y), -9.0, Y), mask=np.isnan(Y))
    for y in (Y, Y.tolist(), pd.DataFrame(Y, dtype="Float64"), hidden):
        assert model.score(X, y, weight) == expected
    model.set_params(missing_targets="error")
    with pytest.raises(ValueError, match=r"Input y contains NaN.*missing_targets=.ignore"):
        model.score(X, Y, weight)


def test_score_of_outputs_with_too_few_rows(masked):
    X, Y = masked
    model = GDLinearRegression(missing_targets="ignore").fit(X, Y)
    few = Y.copy()
    few[1:, 2] = np.nan
    few[:, 3] = np.nan
    kept = [
        r2_score(Y[seen, d], model.predict(X)[seen, d])
        for d in (0, 1)
        for seen in [~np.isnan(Y[:, d])]
    ]
    assert model.score(X, few) == pytest.approx(np.mean(kept), rel=1e-12)
    with pytest.warns(UndefinedMetricWarning, match="less than two samples"):
        assert np.isnan(model.score(X, np.full(Y.shape, np.nan)))
    with pytest.raises(ValueError, match="y must have 4 outputs"):
        model.score(X, Y[:, :3])


def test_a_grid_search_chooses_by_what_is_observed(make_data):
    X, Y = make_data(300, 5, 2, decades=0.5)
    Y[X[:, 0] > np.quantile(X[:, 0], 0.8), 0] = np.nan
    for y in (Y, Y[:, 0]):
        model = GDLinearRegression(missing_targets="ignore")
        search = GridSearchCV(model, {"alpha": [100.0, 0.0]}).fit(X, y)
        assert search.best_params_ == {"alpha": 0.0}
        assert np.isfinite(cross_val_score(model, X, y)).all()


def test_the_cv_class_names_what_takes_nan(masked):
    with pytest.raises(ValueError, match=r"Input y contains NaN.*missing_targets=.ignore"):
        GDLinearRegressionCV().fit(*masked)


def test_validation_groups_outputs_once(masked, monkeypatch):
    grouped = []
    alike = dataset.alike
    monkeypatch.setattr(dataset, "alike", lambda *marks: grouped.append(marks) or alike(*marks))
    n_grouped = []
    for max_iter in (2, 20):
        model = GDLinearRegression(
            missing_targets="ignore", early_stopping=True, learning_rate=1e-4, tol=0,
            max_iter=max_iter, n_iter_no_change=50, random_state=0,
        ).fit(*masked)  # fmt: skip
        n_grouped.append(len(grouped))
        assert model.n_iter_ == max_iter
        grouped.clear()
    assert n_grouped[0] == n_grouped[1]


@pytest.mark.parametrize("n_seen", [20, 100])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_a_rare_output_gets_in_mini_batches_what_it_gets_alone(rng, container, n_seen):
    """20 rows are less than a batch: alone they are descended in full."""
    X = rng.standard_normal((1000, 3))
    Y = np.c_[X.sum(axis=1), X.sum(axis=1)] + 0.01 * rng.standard_normal((1000, 2))
    Y[n_seen:, 1] = np.nan
    options = {"batch_size": 32, "max_iter": 5, "tol": 0, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = GDLinearRegression(missing_targets="ignore", **options).fit(container(X), Y)
        alone = GDLinearRegression(**options).fit(container(X[:n_seen]), Y[:n_seen, 1])
    np.testing.assert_allclose(model.coef_[1], alone.coef_, rtol=1e-9)


def test_a_row_without_weight_makes_no_batch(rng):
    X, weight = rng.standard_normal((5, 2)), np.array([1.0, 1, 0, 1, 1])
    y = X @ [1.0, 2.0] + rng.standard_normal(5)
    model = GDLinearRegression(batch_size=4).fit(X, y, weight)
    removed = GDLinearRegression(batch_size=4).fit(X[weight > 0], y[weight > 0])
    np.testing.assert_allclose(model.coef_, removed.coef_, rtol=1e-9)
    assert model.engine_ == removed.engine_ == "moments"
