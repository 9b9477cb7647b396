"""The certificate of an exact stream is true: the data never say more than it reports."""

import numpy as np
import pytest
from exact_streams import containers, stream
from scipy import sparse

from sklearn_gdlinreg import GDLinearRegression
from sklearn_gdlinreg import _exact_stream as exact_stream


def true_optimality(model, X, y, weight=None):
    """Return the optimality of one output, without a penalty, in the widest float."""
    X, y = X.astype(np.longdouble), y.astype(np.longdouble)
    s = np.ones(len(y)) if weight is None else weight
    s = s.astype(np.longdouble) / s.astype(np.longdouble).sum()
    r = y - X @ model.coef_.astype(np.longdouble) - np.longdouble(model.intercept_)
    # Rounding of the intercept is not the stream's: no number of its type is nearer.
    r -= s @ r
    Z = X - s @ X
    return float(np.linalg.norm(Z.T @ (s * r) / np.sqrt(s @ Z**2)) / np.sqrt(s @ r**2))


def rows(rng, n=300, m=5):
    X = rng.standard_normal((n, m))
    return X, X @ np.ones(m) + 1e-3 * rng.standard_normal(n)


@pytest.mark.parametrize("size", [1e-12, 1e-9, 1e-6])
@pytest.mark.parametrize("way", ["one call", "calls", "merge", "fit"])
def test_far_rows_that_hardly_count(rng, size, way):
    # Planted: rows are seen from where most of them are, not most of their weight.
    X, _ = rows(rng)
    X[::2] += 1e4
    y = X @ np.ones(5) + 1e-3 * rng.standard_normal(300)
    weight = np.where(np.arange(300) % 2, 1.0, size)
    model = GDLinearRegression()
    if way == "merge":
        parts = (slice(0, 140), slice(140, 300))
        model.merge(*(GDLinearRegression().fit(X[k], y[k], weight[k]) for k in parts))
    elif way == "fit":
        model.fit(X, y, weight)
    else:
        stream(model, X, y, weight, cuts=300 if way == "one call" else 140)
    # What is left is rounding of this reckoning.
    assert true_optimality(model, X, y, weight) <= model.optimality_ + 1e-11
    assert model.stop_reason_ == "tol"


@pytest.mark.parametrize("alpha", [0.0, 1e-3])
@pytest.mark.parametrize("off", [1e2, 1e4, 1e6])
def test_fit_of_sparse_rows_far_off_zero(rng, off, alpha):
    # Planted: sums about zero, of values whose deviations are their last digits.
    X, y = rows(rng)
    Y = np.stack([y, -y + rng.standard_normal(300)], axis=1) + off
    X = X + off
    model = GDLinearRegression(alpha=alpha).fit(sparse.csr_array(X), Y)
    dense = GDLinearRegression(alpha=alpha).fit(X, Y)
    np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-13)
    assert model.stop_reason_ == "tol"
    if not alpha:
        for d in range(2):
            one = GDLinearRegression().fit(sparse.csr_array(X), Y[:, d])
            # What rounding of the coefficients makes is multiplied by the offset.
            assert true_optimality(one, X, Y[:, d]) <= one.optimality_ + 1e-13 * off


@containers
@pytest.mark.parametrize(("of_X", "of_y"), [(0.0, 1e6), (1e4, 0.0), (1e4, 1e4)])
@pytest.mark.parametrize("way", [1, 150, "fit, then a call"])
def test_offsets(rng, container, of_X, of_y, way):
    # Planted: sums of sparse rows are made about zero, and then seen from the means.
    X, y = rows(rng)
    X[rng.random(X.shape) < 0.7] = 0.0
    X, y = X + of_X, y + of_y
    model = GDLinearRegression()
    if way == "fit, then a call":
        model.fit(container(X[:150]), y[:150]).partial_fit(container(X[150:]), y[150:])
    else:
        stream(model, X, y, cuts=way, container=container)
    assert true_optimality(model, X, y) <= model.optimality_ + 1e-11
    assert model.stop_reason_ == "tol"


def test_sparse_rows_of_other_features_are_as_they_were(rng):
    """Only features that all rows have an entry of are shifted."""
    X = rng.standard_normal((300, 4)) + np.array([1e5, 0.0, 30.0, 0.0])
    X[rng.random(300) < 0.5, 2] = 0.0
    X[:, 3] = 0.0
    y = X @ np.ones(4) + rng.standard_normal(300) + 1e5
    dense, by_csr = (
        stream(GDLinearRegression(), X, y, container=container)
        for container in (np.asarray, sparse.csr_array)
    )
    np.testing.assert_allclose(by_csr.coef_, dense.coef_, rtol=1e-10)
    np.testing.assert_allclose(by_csr.predict(X), dense.predict(X), rtol=1e-14)


def test_rounding_of_a_chunk_weighs_as_the_chunk(rng):
    """One bad chunk does not spoil the certificate of all rows that follow."""
    X, _ = rows(rng, 20_000)
    y = X @ np.ones(5) + rng.standard_normal(20_000)
    model = GDLinearRegression().fit(X[:20].astype(np.float32), y[:20].astype(np.float32))
    model.moments_["members"][0]["moments"]["rounding"] = 1e-6
    before = model.partial_fit(X[20:40], y[20:40]).optimality_
    assert model.partial_fit(X[40:], y[40:]).optimality_ < 0.01 * before


@pytest.mark.parametrize("half_life", [None, 3.0])
def test_the_loss_of_a_chunk_weighs_rows_alike(rng, half_life):
    X, y = rows(rng)
    model = GDLinearRegression(half_life=half_life).partial_fit(X[:50], y[:50])
    expected = ((model.predict(X[50:]) - y[50:]) ** 2).mean()
    model.partial_fit(X[50:], y[50:])
    np.testing.assert_allclose(model.loss_curve_, [y[:50].var(), expected])


def test_products_of_many_groups_are_counted(rng, monkeypatch):
    X, Y = rng.standard_normal((40, 6)), rng.standard_normal((40, 5))
    Y[rng.random(Y.shape) < 0.3] = np.nan
    monkeypatch.setattr(exact_stream, "MOST_ITEMS", 5 * 6 * 7 - 1)
    model = GDLinearRegression(missing_targets="ignore")
    with pytest.raises(ValueError, match=r"5 different sets of rows take .* Set batch_size"):
        model.partial_fit(X, Y)
    assert not hasattr(model, "coef_")
    monkeypatch.setattr(exact_stream, "MOST_ITEMS", 5 * 6 * 7)
    assert model.partial_fit(X, Y).coef_.shape == (5, 6)


@pytest.mark.parametrize("order", [1, -1])
def test_models_of_two_types_merge_to_the_wider(rng, order):
    X, y = rows(rng)
    models = [
        GDLinearRegression().fit(X[k].astype(dtype), y[k].astype(dtype))
        for k, dtype in ((slice(0, 150), np.float32), (slice(150, 300), np.float64))
    ]
    merged = GDLinearRegression().merge(*models[::order])
    assert merged.coef_.dtype == np.float64
