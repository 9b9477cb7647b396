"""Weights that are halved as later rows come: in a fit, and in exact streams of any length."""

import numpy as np
import pytest
from exact_streams import assert_near, containers, quietly, stream

from sklearn_gdlinreg import GDLinearRegression


@pytest.fixture
def data(make_data):
    return make_data(300, 6, 3, decades=4.0, offset=30.0)


def halved_weight(n_rows, half_life, weight=None):
    weight = np.ones(n_rows) if weight is None else weight
    later = weight[::-1].cumsum()[::-1] - weight
    return weight * np.exp2(-np.minimum(later / half_life, 1000.0))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("half_life", [1e-3, 5.0, 40.0, 1e4])
@pytest.mark.parametrize("cuts", [1, 60, 300])
@containers
def test_half_life(data, rng, container, cuts, half_life, weighted):
    X, Y = data
    weight = rng.uniform(0.5, 1.5, 300) * (np.arange(300) % 3 > 0) if weighted else None
    options = {"half_life": half_life, "alpha": 1e-3}
    fitted = GDLinearRegression(**options).fit(container(X), Y, weight)
    by_hand = GDLinearRegression(alpha=1e-3).fit(X, Y, halved_weight(300, half_life, weight))
    model = GDLinearRegression(**options)
    # A chunk without any weight is an error, as ever.
    cuts = 2 if weighted and cuts == 1 else cuts
    quietly(stream, model, X, Y, weight, cuts=cuts, container=container)
    if half_life < 0.1:
        np.testing.assert_allclose(model.predict(X[-1:]), Y[-1:], rtol=1e-9)
        return
    assert_near(fitted, by_hand, X, 1e-9)
    assert_near(model, fitted, X)


@pytest.mark.parametrize("half_life", [1e-3, 50.0])
def test_a_very_long_stream(rng, half_life):
    X = rng.standard_normal((100_000, 3)) + 10.0
    y = X @ [1.0, 2.0, 3.0] + rng.standard_normal(100_000)
    options = {"half_life": half_life, "alpha": 1e-3}
    model = quietly(stream, GDLinearRegression(**options), X, y, cuts=1000)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.loss_curve_).all()
    assert model.predict(X[-1:]) == pytest.approx(
        GDLinearRegression(**options).fit(X, y).predict(X[-1:]), rel=1e-10
    )


@pytest.mark.parametrize("offset", [1e2, 1e4, 1e7])
@pytest.mark.parametrize("cuts", [1, 100, 500])
def test_where_data_were_is_forgotten(rng, offset, cuts):
    # Planted: a chunk is seen from where rows are that hardly count any more.
    X = rng.standard_normal((1000, 3))
    y = X @ [1.0, 2.0, 3.0] + 0.1 * rng.standard_normal(1000)
    X[:500] += offset
    weight = np.repeat([2.0, 1.0], 500)
    model = quietly(stream, GDLinearRegression(half_life=4.0), X, y, weight, cuts=cuts)
    expected = GDLinearRegression().fit(X[500:], y[500:], halved_weight(500, 4.0))
    assert_near(model, expected, X[500:])


@pytest.mark.parametrize("half_life", [1e-320, 1e-308, 1e308])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_extreme_half_lives(data, method, half_life):
    model = GDLinearRegression(half_life=half_life, alpha=1e-3)
    for rows in (slice(0, 150), slice(150, 300)):
        getattr(model, method)(*(A[rows] for A in data))
    expected = data[1][-1]
    if half_life > 1.0:
        rows = slice(150 if method == "fit" else 0, 300)
        fitted = GDLinearRegression(alpha=1e-3).fit(*(A[rows] for A in data))
        expected = fitted.predict(data[0][-1:])[0]
    np.testing.assert_allclose(model.predict(data[0][-1:])[0], expected, rtol=1e-7)


def test_half_life_is_for_exact_descent(data):
    model = GDLinearRegression(half_life=9.0, batch_size=16)
    for method in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=r"half_life=9 and batch_size=16"):
            method(*data)
    model.set_params(batch_size=None, learning_rate=1e-9)
    with pytest.raises(ValueError, match=r"half_life=9 and learning_rate=1e-09"):
        model.partial_fit(*data)
