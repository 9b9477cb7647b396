"""Variance-reduced mini-batches: they end at the optimum, and never go up on the way."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_gdlinreg import GDLinearRegression
from sklearn_gdlinreg._input.dataset import Data
from sklearn_gdlinreg._mini_batch.variance_reduction import Anchor
from sklearn_gdlinreg._problem.penalty import Penalty
from sklearn_gdlinreg._problem.reading import read_groups

containers = pytest.mark.parametrize(
    "container", [np.asarray, sparse.csr_array], ids=["dense", "csr"]
)
OPTIONS = [
    {},
    {"fit_intercept": False},
    {"alpha": 0.1},
    {"alpha": 0.2, "l1_ratio": 1.0},
    {"alpha": 0.2, "l1_ratio": 0.7, "positive": True},
    {"alpha": 0.2, "l1_ratio": 0.5, "penalty_factor": [0.0, 2.0, 0.5, 1.0, 0.0]},
]


def objective(model, X, Y, weight=None):
    """Return the weighted mean squared error, summed over outputs, with an L2 penalty."""
    W, b = np.atleast_2d(model.coef_).T, np.atleast_1d(model.intercept_)
    errors = ((X @ W + b - np.reshape(Y, (len(Y), -1))) ** 2).sum(axis=1)
    return np.average(errors, weights=weight) + model.alpha * (W**2).sum()


def excess(model, X, Y):
    """Return how far the objective is above its optimum, relatively."""
    exact = GDLinearRegression(alpha=model.alpha, tol=1e-12).fit(X, Y)
    return objective(model, X, Y) / objective(exact, X, Y) - 1


@containers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("options", OPTIONS)
def test_ends_at_the_optimum(make_data, options, weighted, dtype, container):
    X, Y = (A.astype(dtype) for A in make_data(400, 5, 2))
    w = np.random.default_rng(0).integers(0, 4, 400) if weighted else None
    exact = GDLinearRegression(tol=1e-10, **options).fit(X.astype(float), Y.astype(float), w)
    tol = 1e-4 if dtype == np.float32 else 1e-9
    model = GDLinearRegression(batch_size=16, tol=tol, random_state=0, **options)
    model.fit(container(X), Y, w)
    assert model.stop_reason_ == "tol"
    assert model.optimality_ <= tol
    assert model.n_iter_ < 100
    close = 1e-2 if dtype == np.float32 else 1e-6
    np.testing.assert_allclose(model.predict(X), exact.predict(X), atol=close * Y.std())
    if options.get("l1_ratio") and dtype == np.float64:
        np.testing.assert_array_equal(model.coef_ == 0, exact.coef_ == 0)


def hard_rows(kind, rng):
    """Return rows that steps have a hard time with."""
    Z = rng.standard_normal((6000, 8))
    if kind == "cauchy":
        return rng.standard_cauchy(Z.shape)
    if kind == "collinear":
        return Z[:, :1] + 1e-4 * rng.standard_normal(Z.shape)
    if kind == "rare":
        return Z * (rng.random(Z.shape) < 2e-3) * 1e3
    # One row is a million times as long as the others.
    return np.where(np.arange(6000)[:, None] == 7, 1e6, Z)


@containers
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("kind", ["cauchy", "collinear", "rare", "outlier"])
def test_objective_never_rises_after_the_first_epoch(kind, shuffle, container, rng):
    X = hard_rows(kind, rng)
    y = X @ np.ones(8) + rng.standard_normal(6000)
    model = GDLinearRegression(
        batch_size=8, max_iter=12, tol=0, shuffle=shuffle, random_state=0
    ).fit(container(X), y)
    losses = np.array(model.loss_curve_[1:])
    assert (np.diff(losses) <= 1e-12 * losses[:-1]).all()
    assert losses[-1] <= y.var()


@containers
def test_whitened_steps_end_at_the_optimum_of_correlated_features(rng, container):
    X = rng.standard_normal((12_000, 30))
    for j in range(1, 30):
        X[:, j] = 0.99 * X[:, j - 1] + 0.14 * X[:, j]
    y = X @ rng.standard_normal(30) + rng.standard_normal(12_000)
    model = GDLinearRegression(batch_size=32, max_iter=8, tol=0, random_state=0)
    assert excess(model.fit(container(X), y), X, y) < 1e-6


@containers
def test_one_hot_rows(rng, container):
    levels = rng.integers(0, 20, (4000, 3)) ** 2 // 20 + 20 * np.arange(3)
    X = np.zeros((4000, 60))
    X[np.arange(4000)[:, None], levels] = 1.0
    y = X @ rng.standard_normal(60) + rng.standard_normal(4000)
    model = GDLinearRegression(batch_size=32, alpha=1e-3, max_iter=8, tol=0, random_state=0)
    assert excess(model.fit(container(X), y), X, y) < 1e-4


@containers
@pytest.mark.parametrize("outputs", [1, 3])
def test_long_rows_are_visited_with_the_weight_of_the_anchor(rng, container, outputs):
    X = rng.standard_normal((3000, 6))
    # A tenth of the rows is so long that each is visited several times.
    X[:300] *= 10.0
    Y = X @ rng.standard_normal((6, outputs)) + rng.standard_normal((3000, outputs))
    model = GDLinearRegression(batch_size=16, max_iter=4, tol=0, random_state=0)
    assert excess(model.fit(container(X), Y), X, Y) < 1e-8


@containers
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_iterations", [2, 3, 5])
def test_losses_are_those_of_the_best_model_so_far(
    make_data, rng, container, weighted, n_iterations
):
    X, Y = make_data(700, 6, 2, decades=3, offset=10.0)
    w = rng.uniform(0.0, 2.0, 700) if weighted else None
    model = GDLinearRegression(
        batch_size=16, alpha=0.05, max_iter=n_iterations, tol=0, random_state=0
    ).fit(container(X), Y, w)
    assert model.n_iter_ == len(model.loss_curve_) == n_iterations
    assert model.loss_curve_[-1] == pytest.approx(objective(model, X, Y, w), rel=1e-10)


@containers
def test_rows_without_weight_might_as_well_be_missing(make_data, container):
    X, Y = make_data(500, 5, 1)
    weight = np.ones(500)
    weight[::3] = 0.0
    X[::3] = 1e6
    options = {"batch_size": 32, "tol": 1e-10, "random_state": 0}
    model = GDLinearRegression(**options).fit(container(X), Y, weight)
    kept = weight > 0
    exact = GDLinearRegression(tol=1e-12).fit(X[kept], Y[kept])
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=1e-7)


@containers
def test_warm_start_goes_on_from_the_anchor(make_data, container):
    X, Y = make_data(1000, 20, 1, decades=1)
    X = container(X)
    model = GDLinearRegression(
        batch_size=16, random_state=0, max_iter=3, tol=0, warm_start=True, alpha=0.1
    )
    first = model.fit(X, Y).loss_curve_[-1]
    again = model.fit(X, Y).loss_curve_
    assert again[-1] <= first * (1 + 1e-14)
    assert all(loss <= first * (1 + 1e-14) for loss in again[1:])


@containers
def test_missing_targets_end_at_the_optimum(make_data, rng, container):
    X, Y = make_data(400, 5, 3)
    Y[rng.random(Y.shape) < 0.2] = np.nan
    options = {"missing_targets": "ignore", "tol": 1e-8}
    model = GDLinearRegression(batch_size=16, random_state=0, **options)
    model.fit(container(X), Y)
    assert model.stop_reason_ == "tol"
    exact = GDLinearRegression(**options).fit(X, Y)
    np.testing.assert_allclose(model.predict(X), exact.predict(X), atol=1e-5 * np.nanstd(Y))


@pytest.mark.parametrize(
    ("options", "n_features"),
    [({"batch_size": 1}, 5), ({"batch_size": 16, "average": False}, 5), ({"batch_size": 2}, 80)],
)
def test_plain_epochs_stay_plain(rng, options, n_features):
    # With more features than four per nonzero entry of a batch, an exact gradient is too dear.
    X = rng.standard_normal((600, n_features)) * (rng.random((600, n_features)) < 6 / n_features)
    y = X @ rng.standard_normal(n_features) + rng.standard_normal(600)
    model = GDLinearRegression(max_iter=6, tol=0, random_state=0, **options).fit(X, y)
    short = GDLinearRegression(max_iter=3, tol=0, random_state=0, **options).fit(X, y)
    # The loss of plain epochs is that of each row before it was learnt from.
    assert model.loss_curve_[:2] == short.loss_curve_[:2]
    assert model.loss_curve_[-2] > objective(model, X, y) * (1 + 1e-4)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_an_anchor_goes_to_the_better_of_two_output_by_output(make_data, l1_ratio):
    X, Y = make_data(60, 4, 3)
    (group,) = read_groups(
        Data(X, Y, None, None), Penalty.of(0.1, l1_ratio, False, 3, n_features=4),
        fit_intercept=True, raw=False, n_steps=10,
    )  # fmt: skip
    W = GDLinearRegression(alpha=0.1, l1_ratio=l1_ratio, tol=1e-12).fit(X, Y).coef_.T
    far, near = (W + np.array(off) for off in ([0.0, 1.0, 2.0], [1.0, 0.0, 0.0]))
    anchor, other = Anchor(group, far), Anchor(group, near)
    better = anchor.take_better(other, np.array([True, True, False]))
    assert list(better) == [False, True, False]
    expected = Anchor(group, np.where(better, near, far))
    for name in ("V", "G", "losses", "objective", "optimality"):
        found = getattr(anchor, name)
        np.testing.assert_allclose(found, getattr(expected, name), rtol=1e-10, atol=1e-13)
