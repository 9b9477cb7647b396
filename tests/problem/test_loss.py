"""The table of the mathematics, against sums written out and finite differences."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_gdlinreg._input.dataset import Data
from sklearn_gdlinreg._problem import loss as oracle
from sklearn_gdlinreg._problem.penalty import Penalty
from sklearn_gdlinreg._problem.reading import read_groups


@pytest.mark.parametrize(("N", "D"), [(1, 1), (7, 1), (7, 3)])
def test_rows_of_the_table(rng, N, D):
    X, Y, W, b = (rng.standard_normal(shape) for shape in [(N, 4), (N, D), (4, D), D])
    loss, dW, db = 0.0, np.zeros((4, D)), np.zeros(D)
    for i in range(N):
        for j in range(D):
            error = sum(W[m, j] * X[i, m] for m in range(4)) + b[j] - Y[i, j]
            loss += error**2 / N
            dW[:, j] += 2 / N * error * X[i]
            db[j] += 2 / N * error
    assert oracle.loss(X, Y, W, b) == pytest.approx(loss)
    got_W, got_b = oracle.gradients(X, Y, W, b)
    np.testing.assert_allclose(got_W, dW)
    np.testing.assert_allclose(got_b, db)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_gradients_equal_finite_differences(rng, container, weighted, alpha):
    X, Y, W, b = (rng.standard_normal(shape) for shape in [(9, 4), (9, 2), (4, 2), 2])
    options = {"alpha": alpha, "sample_weight": rng.uniform(0, 3, 9) if weighted else None}
    X = container(X)
    dW, db = oracle.gradients(X, Y, W, b, **options)

    def slope(W_step, b_step):
        ahead = oracle.loss(X, Y, W + W_step, b + b_step, **options)
        behind = oracle.loss(X, Y, W - W_step, b - b_step, **options)
        return (ahead - behind) / 2e-5

    for index in np.ndindex(W.shape):
        step = np.zeros_like(W)
        step[index] = 1e-5
        assert slope(step, 0.0) == pytest.approx(dW[index], rel=1e-7, abs=1e-7)
    for j in range(2):
        assert slope(0.0, 1e-5 * np.eye(2)[j]) == pytest.approx(db[j], rel=1e-7, abs=1e-7)


def test_integer_weights_are_repeated_rows(rng):
    X, Y, W, b = (rng.standard_normal(shape) for shape in [(6, 3), (6, 2), (3, 2), 2])
    s = np.array([0, 1, 2, 3, 1, 0])
    weighted = oracle.loss(X, Y, W, b, s.astype(float))
    repeated = oracle.loss(X.repeat(s, axis=0), Y.repeat(s, axis=0), W, b)
    assert weighted == pytest.approx(repeated, rel=1e-14)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_what_the_textbook_descends_is_the_oracle(rng, container, fit_intercept, alpha):
    X, Y, W, b = (rng.standard_normal(shape) for shape in [(90, 4), (90, 2), (4, 2), 2])
    X, b = X * [1.0, 1e3, 1e-3, 1.0] + 5.0, b * fit_intercept
    weight = rng.uniform(0, 3, 90)
    data = Data(container(X), Y, weight, None)
    (group,) = read_groups(
        data, Penalty.of(alpha, 0.25, False, 2),
        fit_intercept=fit_intercept, raw=True, n_steps=10**6,
    )  # fmt: skip
    options = {"sample_weight": weight, "alpha": alpha, "l1_ratio": 0.25}
    expected = oracle.gradients(X, Y, W, b, **options)
    assert group.moments is not None
    for supplier in (group.moments, group.passes):
        by_W, by_b, loss, _ = oracle.Loss(group, supplier).gradients(W, b)
        assert loss == pytest.approx(oracle.loss(X, Y, W, b, **options), rel=1e-9)
        np.testing.assert_allclose(by_W, expected[0], rtol=1e-8)
        np.testing.assert_allclose(by_b, expected[1] * fit_intercept, rtol=1e-8, atol=1e-8)
