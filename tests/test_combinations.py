"""Combinations of parameters that mean nothing: docs/parameters.md, line by line."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklearn_gdlinreg import GDLinearRegression

BATCHES = {"batch_size": 16, "max_iter": 3, "tol": 0, "random_state": 0}
TEXTBOOK = {"learning_rate": 1e-3, "max_iter": 20, "tol": 0}


@pytest.fixture
def data(make_data):
    return make_data(100, 5, 2, decades=0.5, offset=1.0)


def fitted(data, parameters, **fit_options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GDLinearRegression(**parameters).fit(*data, **fit_options)


def streamed(data, parameters):
    X, Y = data
    model = GDLinearRegression(**{"random_state": 0, **parameters})
    for rows in (slice(0, 50), slice(50, 100)):
        model.partial_fit(X[rows], Y[rows])
    return model


def assert_same(model, other):
    np.testing.assert_array_equal(model.coef_, other.coef_)
    np.testing.assert_array_equal(model.intercept_, other.intercept_)


@pytest.mark.parametrize("batch_size", [None, 16])
def test_adaptive_is_constant_in_streams(data, batch_size):
    options = {
        "learning_rate": 1e-2,
        "batch_size": batch_size,
        "n_iter_no_change": 1,
        "tol": 0.9,
    }
    model, constant = (
        streamed(data, {**options, "schedule": schedule})
        for schedule in ("adaptive", "constant")
    )
    assert_same(model, constant)
    np.testing.assert_array_equal(model.learning_rate_, 1e-2)


@pytest.mark.parametrize(
    ("base", "ignored"),
    [
        ({}, {"schedule": "adaptive", "momentum": 0.9, "nesterov": True}),
        (BATCHES, {"schedule": "invscaling", "momentum": 0.9, "nesterov": True}),
        (TEXTBOOK, {"nesterov": True}),
        ({**TEXTBOOK, **BATCHES}, {"nesterov": True}),
        ({}, {"batch_size": 100}),
        (TEXTBOOK, {"batch_size": 1000}),
        ({"early_stopping": True, "random_state": 0}, {"batch_size": 90}),
        ({}, {"average": False, "shuffle": False, "random_state": 3}),
        (TEXTBOOK, {"average": True, "shuffle": False, "random_state": 3}),
        ({}, {"n_iter_no_change": 1}),
        (TEXTBOOK, {"n_iter_no_change": 1}),
        ({}, {"validation_fraction": 0.5}),
        (BATCHES, {"validation_fraction": 0.5}),
        ({}, {"l1_ratio": 0.7}),
        (BATCHES, {"l1_ratio": 0.7}),
        ({"alpha": 0.1}, {"alpha": [0.1, 0.1]}),
        ({}, {"missing_targets": "ignore"}),
        (BATCHES, {"missing_targets": "ignore"}),
        ({}, {"warm_start": True}),
        (BATCHES, {"warm_start": True}),
    ],
    ids=str,
)
def test_ignored_by_fit(data, base, ignored):
    model, other = fitted(data, base), fitted(data, {**base, **ignored})
    assert_same(model, other)
    assert model.engine_ == other.engine_
    assert model.loss_curve_ == other.loss_curve_


@pytest.mark.parametrize("batch_size", [None, 16])
@pytest.mark.parametrize(
    "ignored",
    [
        {"warm_start": True},
        {"early_stopping": True, "validation_fraction": 0.5, "n_iter_no_change": 1},
        {"momentum": 0.5, "nesterov": True, "schedule": "adaptive"},
        {"l1_ratio": 0.5},
        {"verbose": 1},
    ],
    ids=str,
)
def test_ignored_by_partial_fit(data, batch_size, ignored):
    base = {"batch_size": batch_size}
    assert_same(streamed(data, base), streamed(data, {**base, **ignored}))


def test_ignored_by_streams_of_one_kind(data):
    batches = {"batch_size": 16}
    ended = {"max_iter": 1, "tol": 1.0}
    assert_same(streamed(data, batches), streamed(data, {**batches, **ended}))
    order = {"average": False, "shuffle": False, "random_state": 3}
    assert_same(streamed(data, {}), streamed(data, order))


@pytest.mark.parametrize(
    "more", [{}, {"momentum": 0.5}, {"alpha": 0.1, "l1_ratio": 0.5}], ids=str
)
def test_a_chunk_is_the_batch_of_the_textbook(data, more):
    options = {"learning_rate": 1e-2, **more}
    model = streamed(data, options)
    assert_same(model, streamed(data, {**options, "batch_size": 50}))
    assert model.t_ == model.n_iter_ == 2


def test_mini_batch_streams_average_and_shuffle(data):
    model = streamed(data, {"batch_size": 8})
    for change in ({"average": False}, {"shuffle": False}, {"random_state": 1}):
        assert (streamed(data, {"batch_size": 8, **change}).coef_ != model.coef_).any()


def test_parameters_changed_between_calls(data):
    X, Y = data
    model = GDLinearRegression(random_state=0, batch_size=16).partial_fit(X[:50], Y[:50])
    model.set_params(batch_size=3, learning_rate=1e-9, l1_ratio=1.0).partial_fit(X[50:], Y[50:])
    assert_same(model, streamed(data, {"batch_size": 16}))
    with pytest.raises(ValueError, match="The 'alpha' parameter"):
        model.set_params(alpha=-1).partial_fit(X, Y)


def test_given_validation_rows_are_not_held_out(data):
    X, Y = data
    options = {"X_val": X[:20], "y_val": Y[:20]}
    base = {"early_stopping": True, "random_state": 0}
    model = fitted(data, base, **options)
    assert_same(model, fitted(data, {**base, "validation_fraction": 0.5}, **options))


@pytest.mark.parametrize("parameters", [{}, TEXTBOOK, BATCHES], ids=str)
def test_where_descent_starts(data, parameters):
    start = {"coef_init": np.ones((2, 5)), "intercept_init": [3.0, -3.0]}
    model = fitted(data, {**parameters, "fit_intercept": False}, **start)
    del start["intercept_init"]
    assert_same(model, fitted(data, {**parameters, "fit_intercept": False}, **start))
    if "learning_rate" not in parameters:
        other = fitted(data, parameters, **start, intercept_init=[3.0, -3.0])
        assert_same(other, fitted(data, parameters, **start))
    warm = fitted(data, {**parameters, "warm_start": True})
    # A warm start gives way to a start that is given.
    warm.fit(*data, **start, intercept_init=[0.0, 0.0])
    assert_same(warm, fitted(data, parameters, **start))
    with pytest.raises(ValueError, match="With warm_start=True, X and y must keep"):
        warm.fit(data[0][:, :3], data[1])
    with pytest.raises(ValueError, match="intercept_init must be of shape"):
        fitted(data, parameters, intercept_init=[1.0, 2.0, 3.0])


@pytest.mark.parametrize("parameters", [{}, TEXTBOOK, BATCHES], ids=str)
def test_a_negative_start_of_positive_coefficients(data, parameters):
    model = fitted(data, {**parameters, "positive": True}, coef_init=-np.ones((2, 5)))
    assert (model.coef_ >= 0).all()
    if not parameters:
        expected = fitted(data, {"positive": True})
        np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-6)


@pytest.mark.parametrize("batch_size", [None, 16])
def test_alpha_must_fit_the_outputs(data, batch_size):
    model = GDLinearRegression(alpha=[0.1, 0.2, 0.3], batch_size=batch_size)
    for method in (model.fit, model.partial_fit):
        with pytest.raises(
            ValueError, match="alpha must be a float or have one value per output"
        ):
            method(*data)


@pytest.mark.parametrize("parameters", [{}, TEXTBOOK, BATCHES], ids=str)
@pytest.mark.parametrize("D", [1, 2])
def test_sparsified_models_go_on(data, parameters, D):
    X, Y = data[0], data[1] if D == 2 else data[1][:, 0]
    parameters = {**parameters, "warm_start": True, "random_state": 0}
    expected = fitted((X, Y), parameters)
    prediction, coef = expected.predict(X), expected.coef_
    model = fitted((X, Y), parameters).sparsify()
    assert model.coef_.format == "csr"
    assert model.coef_.shape == (D, 5)
    np.testing.assert_allclose(model.predict(X), prediction, rtol=1e-12)
    np.testing.assert_array_equal(model.densify().densify().coef_, coef)
    model.sparsify()
    for method in ("fit", "partial_fit"):
        for each in (model, expected):
            getattr(each, method)(X, Y)
        assert_same(model, expected)


def test_a_chunk_smaller_than_a_batch(data):
    model = streamed(data, {"batch_size": 1000})
    assert model.t_ == model.n_iter_ == 2


def test_callbacks_are_not_told_of_streams(data):
    callback = pytest.importorskip("sklearn.callback")
    monitor = callback.ScoringMonitor(scoring="r2")
    for batch_size in (None, 16):
        GDLinearRegression(batch_size=batch_size).set_callbacks(monitor).partial_fit(*data)
    with pytest.raises(ValueError, match="No logs to retrieve"):
        monitor.get_logs()
