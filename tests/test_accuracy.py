"""Digits on a problem whose answer and condition are known (Paige & Saunders, 1982, sec. 8).

The data are ``A = Y D Z``, of reflections Y and Z and known singular values, and are made in
the widest float there is. The bound is that of what rounding of the data does to the answer.
"""

import numpy as np
import pytest

from sklearn_gdlinreg import GDLinearRegression

UNIT_ROUNDOFF = 2.0**-53
WIDE = np.longdouble
TALL, TALLER, SQUARE, FEW_ROWS = (40, 10), (100, 10), (20, 20), (20, 50)

pytestmark = pytest.mark.skipif(
    np.finfo(WIDE).nmant <= 52, reason="there is no float wider than float64 here"
)


def reflected(v, A):
    """Return ``(I - 2 v v' / v'v) A``."""
    return A - 2 * np.outer(v, v @ A) / (v @ v)


def paige_saunders(rng, shape, condition, residual, fit_intercept):
    """Return A, b and the x of the least ``||A x - b||``, all in the wide float.

    Parameters
    ----------
    shape : (N, M); with an intercept there is one more row, and columns have mean zero
    condition : float, the largest singular value over the least, which is 1 / condition
    residual : float
        The norm of the residual at x. It is zero where the columns span everything.

    Of many x, it is the smallest in standardised coordinates.
    """
    (N, M), n = shape, min(shape)
    left, right = (rng.standard_normal(size).astype(WIDE) for size in shape)
    A, x, r = np.zeros(shape, WIDE), np.zeros((M, 1), WIDE), np.zeros((N, 1), WIDE)
    np.fill_diagonal(A, WIDE(condition) ** (-np.arange(n, dtype=WIDE) / (n - 1)))
    A = reflected(right, reflected(left, A).T).T
    x[:n, 0] = np.cos(np.arange(n))
    x = reflected(right, x)
    if n < N:
        r[n:] = residual / np.sqrt(WIDE(N - n))
        r = reflected(left, r)
    if fit_intercept:
        # A reflection takes the first axis to the mean.
        v = np.full(N + 1, 1 / np.sqrt(WIDE(N + 1)))
        v[0] += 1
        A, r = (reflected(v, np.append(np.zeros((1, B.shape[1])), B, axis=0)) for B in (A, r))
    if n < M:
        x /= (A**2).sum(axis=0)[:, None]
    return A, (A @ x + r)[:, 0], x[:, 0]


def error_over_bound(shape, condition, residual, fit_intercept, **options):
    """Return the largest error of a few fits, relative to its bound."""
    found = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        A, b, x = paige_saunders(rng, shape, condition, residual, fit_intercept)
        model = GDLinearRegression(fit_intercept=fit_intercept, **options)
        model.fit(A.astype(np.float64), b.astype(np.float64))
        # The norm of A is 1.
        norm = np.sqrt(x @ x)
        bound = condition + condition**2 * residual / norm
        error = model.coef_ - x
        found.append(np.sqrt(error @ error) / norm / (10 * UNIT_ROUNDOFF * bound))
    return max(found)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", [TALL, TALLER, SQUARE, FEW_ROWS])
@pytest.mark.parametrize("residual", [0, 1e-3, 1])
@pytest.mark.parametrize("condition", [1e1, 1e2, 1e3, 1e4])
def test_no_parameter_set(shape, condition, residual, fit_intercept):
    if residual and shape[0] <= shape[1]:
        pytest.skip("the columns span everything")
    assert error_over_bound(shape, condition, residual, fit_intercept) <= 1


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    ("shape", "residual", "largest"),
    [
        *((shape, 0, 9) for shape in (TALL, TALLER)),
        *((shape, 0, 8) for shape in (SQUARE, FEW_ROWS)),
        *((shape, 1e-3, 8) for shape in (TALL, TALLER)),
        *((shape, 1, 6) for shape in (TALL, TALLER)),
    ],
)
def test_every_digit(shape, residual, largest, fit_intercept):
    """Up to a condition of so many digits; beyond, directions may not be told from rounding."""
    for digits in range(1, largest + 1):
        options = {"tol": 0, "max_iter": 1000}
        ratio = error_over_bound(shape, 10.0**digits, residual, fit_intercept, **options)
        assert ratio <= 1, digits


def test_what_the_problem_is(rng):
    """Its singular values and its answer are those that it says."""
    A, b, x = paige_saunders(rng, TALL, 1e3, 0.1, True)
    values = np.linalg.svd(A.astype(np.float64), compute_uv=False)
    np.testing.assert_allclose(values, 1e3 ** (-np.arange(10) / 9), rtol=1e-12)
    np.testing.assert_allclose(A.mean(axis=0), 0, atol=1e-18)
    r = b - A @ x
    assert np.sqrt(r @ r) == pytest.approx(0.1, rel=1e-12)
    np.testing.assert_allclose(r @ A, 0, atol=1e-17)
