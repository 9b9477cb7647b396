"""Descent of sparse data in the faster of two metrics."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_gdlinreg import GDLinearRegression
from sklearn_gdlinreg._problem import reading
from sklearn_gdlinreg._problem.metric import DualFactor, InverseRidge, Plain
from sklearn_gdlinreg._problem.penalty import Penalty
from sklearn_gdlinreg._solvers import metric_by_trial
from sklearn_gdlinreg._solvers.conjugate_directions import LastDirection, directions_for


@pytest.fixture(scope="module")
def texts():
    """Return documents of 60 words, as rows of length 1, and two outputs of them."""
    rng, (N, M) = np.random.default_rng(0), (400, 5_000)
    p = 1.0 / np.arange(1, M + 1)
    words = rng.permutation(M)[rng.choice(M, size=60 * N, p=p / p.sum())]
    X = sparse.csr_array((np.ones(60 * N), words, np.arange(0, 60 * N + 1, 60)), shape=(N, M))
    X.sum_duplicates()
    X = sparse.csr_array(X.multiply(1.0 / np.sqrt(X.multiply(X).sum(axis=1))[:, None]))
    W = rng.normal(0.0, 3.0, (M, 2)) * (rng.random((M, 2)) < 0.05)
    return X, X @ W + 0.1 * rng.standard_normal((N, 2))


@pytest.fixture
def trials(monkeypatch):
    """Return a list to which each trial adds whether the other metric has won."""
    found, compare = [], metric_by_trial._compare

    def seen(*arguments):
        taken, state = yield from compare(*arguments)
        found.append(taken)
        return taken, state

    monkeypatch.setattr(metric_by_trial, "_compare", seen)
    return found


ALPHA = 1e-5


def half_gradient(X, Y, model):
    """Return that of the objective at a model, (M, D), and its mean residuals, (D,)."""
    r = Y - X @ model.coef_.T - model.intercept_
    return X.T @ r / len(Y) - ALPHA * model.coef_.T, r.mean(axis=0)


@pytest.mark.parametrize("tol", [1e-4, 1e-8])
def test_the_answer_is_that_of_the_other_metric(texts, trials, monkeypatch, tol):
    X, Y = texts
    model = GDLinearRegression(alpha=ALPHA, tol=tol).fit(X, Y)
    assert trials == [True]
    monkeypatch.setattr(InverseRidge, "of", lambda _: None)
    other = GDLinearRegression(alpha=ALPHA, tol=tol).fit(X, Y)
    assert trials == [True]
    assert model.stop_reason_ == other.stop_reason_ == "tol"
    assert model.n_iter_ < other.n_iter_
    size = np.abs(other.coef_).max()
    np.testing.assert_allclose(model.coef_, other.coef_, atol=30.0 * tol * size)
    G, mean = half_gradient(X, Y, model)
    deviation = np.sqrt(X.power(2).mean(axis=0) - X.mean(axis=0) ** 2)
    scale = np.sqrt(deviation**2 + ALPHA)[:, None]
    r = Y - X @ model.coef_.T - model.intercept_
    objective = (r**2).mean(axis=0) + ALPHA * (model.coef_**2).sum(axis=1)
    optimality = np.sqrt(((G / scale) ** 2).sum(axis=0) / objective)
    assert (optimality <= 1.01 * tol).all()
    np.testing.assert_allclose(mean, 0.0, atol=1e-12)


@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize("max_iter", [1, 11, 12, 13, 16, 17, 20, 24, 30, 33, 50, 65])
def test_iterations_are_counted_and_no_loss_is_above_the_last(
    texts, max_iter, close, monkeypatch
):
    X, Y = texts
    if close:
        # Neither is ahead after two rounds: all three are made.
        first, second, last = metric_by_trial.ROUNDS
        rounds = (*first[:2], np.inf, 0.0), (*second[:2], np.inf, 0.0), last
        monkeypatch.setattr(metric_by_trial, "ROUNDS", rounds)
    with pytest.warns(match="max_iter"):
        model = GDLinearRegression(alpha=ALPHA, tol=1e-10, max_iter=max_iter).fit(X, Y)
    assert model.n_iter_ == len(model.loss_curve_) == max_iter
    assert (np.diff(model.loss_curve_) <= 1e-12 * model.loss_curve_[0]).all()
    G, _ = half_gradient(X, Y, model)
    assert np.isfinite(G).all()


def test_a_hopeless_metric_is_given_up(texts, trials, monkeypatch):
    """It has the first round of a trial, and the first descent goes on where it was."""
    X, Y = texts
    alone = GDLinearRegression(alpha=ALPHA, tol=1e-6, max_iter=2000)
    monkeypatch.setattr(InverseRidge, "of", lambda _: None)
    alone.fit(X, Y)
    monkeypatch.undo()
    n = metric_by_trial.ROUNDS[0][1]
    monkeypatch.setattr(metric_by_trial, "ROUNDS", ((0, n, 0.0, 0.0), *metric_by_trial.ROUNDS))
    model = GDLinearRegression(alpha=ALPHA, tol=1e-6, max_iter=2000).fit(X, Y)
    assert model.stop_reason_ == alone.stop_reason_ == "tol"
    losses = np.array(model.loss_curve_)
    waited = np.flatnonzero(np.diff(losses) == 0.0)
    np.testing.assert_array_equal(waited[:n], waited[0] + np.arange(n))
    losses = np.delete(losses, waited[:n])
    np.testing.assert_allclose(losses[:300], alone.loss_curve_[:300], rtol=1e-14)


def read(X, Y, alpha):
    return reading.read(
        X, Y, None, penalty=Penalty.of(alpha, 0.0, False, 2), fit_intercept=True, raw=False,
        n_steps=1000, whitened=True,
    )  # fmt: skip


def test_which_metrics(texts):
    """The penalty is a metric where it is one; too small, it calls for products of rows."""
    group = read(*texts, ALPHA)
    assert type(group.metric) is Plain
    assert type(group.metric.alternative) is InverseRidge
    assert group.coordinates.is_curved
    group = read(*texts, 1e-12)
    assert not group.coordinates.is_curved
    assert type(group.metric) is DualFactor
    group = read(*texts, 0.0)
    assert type(group.metric) is Plain
    assert group.metric.alternative is None


def test_sparse_dual_equals_dense(texts):
    X, Y = texts
    found = GDLinearRegression(alpha=1e-9, tol=1e-8).fit(X, Y)
    dense = GDLinearRegression(alpha=1e-9, tol=1e-8).fit(X.toarray(), Y)
    assert found.stop_reason_ == dense.stop_reason_ == "tol"
    np.testing.assert_allclose(found.coef_, dense.coef_, atol=1e-6 * np.abs(dense.coef_).max())


def test_the_metric_of_a_penalty(texts):
    """It is a multiple of the inverse of the ridge; what says nothing gets no step."""
    X, Y = texts
    coordinates = read(X, Y, ALPHA).coordinates
    scale = coordinates.scale[:, None]
    assert (scale == 0).any()
    ridge = coordinates.penalty.half_gradient(np.ones_like(scale))
    P = InverseRidge.of(coordinates).direction(np.ones_like(scale))
    seen = scale > 0
    np.testing.assert_allclose((P * ridge)[seen], ridge[seen].min(), rtol=1e-12)
    assert not P[~seen].any()


def test_kept_moves_are_for_flat_directions():
    like = np.empty((50, 2))
    assert directions_for(like).room == 50
    assert isinstance(directions_for(like, curved=True), LastDirection)
