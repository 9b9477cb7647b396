"""The table of the mathematics, against sums written out and finite differences."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_gdlinreg._problem import loss as oracle


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
