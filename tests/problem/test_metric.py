"""The metric of the curvature: a factor of H, and where there is none."""

from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_gdlinreg._problem.metric import LEAST_PIVOT, SHIFT, Factor, Plain


def matrix(rng, M, least):
    """Return a matrix with a diagonal of about 1 and a least eigenvalue of about this."""
    Q = np.linalg.qr(rng.standard_normal((M, M)))[0]
    H = Q * np.geomspace(1.0, least, M) @ Q.T
    unit = np.sqrt(np.diag(H))
    H = H / np.outer(unit, unit)
    return (H + H.T) / 2.0


@pytest.mark.parametrize("M", [1, 2, 40])
@pytest.mark.parametrize("least", [1.0, 1e-3, 1e-6])
def test_direction_and_the_longest_step(rng, M, least):
    H, G = matrix(rng, M, least), rng.standard_normal((M, 3))
    factor = Factor.of(H, np.zeros(len(H)))
    np.testing.assert_allclose(H @ factor.direction(G), G, rtol=1e-8, atol=1e-8)
    # LAPACK's estimate of the norm of the inverse, in the 1-norm.
    longest = 1.0 / np.linalg.eigvalsh(H)[0]
    assert longest / 3.0 <= factor.longest <= 3.0 * np.sqrt(M) * longest


def test_a_ridge_is_part_of_it(rng):
    H, G, ridge = matrix(rng, 9, 1e-3), rng.standard_normal((9, 2)), rng.uniform(0, 1, 9)
    before = H.copy()
    P = Factor.of(H, ridge).direction(G)
    np.testing.assert_allclose((H + np.diag(ridge)) @ P, G, atol=1e-12)
    np.testing.assert_array_equal(H, before)


def test_features_that_say_nothing_get_no_step(rng):
    H = matrix(rng, 5, 1e-2)
    H[2, :] = H[:, 2] = 0.0
    G = rng.standard_normal((5, 2))
    G[2] = 0.0
    P = Factor.of(H, np.zeros(len(H))).direction(G)
    assert not P[2].any()
    np.testing.assert_allclose(H @ P, G, atol=1e-12)


@pytest.mark.parametrize("least", [0.0, 1e-13, 0.1 * LEAST_PIVOT])
def test_what_may_be_singular_is_shifted(rng, least):
    """The inverse is a function of H: what has no curvature in H has next to none of a move."""
    H = matrix(rng, 30, 1e-2)
    # The last feature nearly repeats the first one.
    H[-1] = (1.0 - least) * H[0]
    H[:, -1] = H[-1]
    H[-1, -1] = 1.0
    factor, G = Factor.of(H, np.zeros(len(H))), H @ rng.standard_normal((30, 2))
    P = factor.direction(G)
    np.testing.assert_allclose(H @ P + SHIFT * P, G, atol=1e-12)
    if least == 0.0:
        np.testing.assert_allclose(P[0], P[-1], atol=1e-9)
    assert factor.longest == 0.0


def test_no_factor_of_what_is_not_positive():
    H = np.array([[1.0, 1.001, 0.0], [1.001, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert isinstance(Factor.of(H, np.zeros(3)), Plain)


def test_reach_is_one_over_the_curvature(rng):
    H, P = matrix(rng, 6, 1e-2), rng.standard_normal((6, 2))
    square, curvature = (P * P).sum(axis=0), (P * (H @ P)).sum(axis=0)
    found = Factor.of(H, np.zeros(len(H))).reach(P, None, 1.0 / curvature)
    np.testing.assert_allclose(found, square / curvature)


def test_plain(rng):
    G = rng.standard_normal((4, 2))
    assert Plain().direction(G) is G
    assert Plain().longest == 0.0
    length = np.array([1.0, 2.0])
    assert Plain().reach(G, length, length) is length


def test_the_slope_that_rounding_may_make(rng):
    coordinates = SimpleNamespace(null_loss=np.array([1.0, 4.0]), steepest_square=100.0)
    H = matrix(rng, 8, 1e-2)
    assert Plain().least_slope(coordinates) is None
    assert Factor.of(H, np.zeros(8)).least_slope(coordinates) is None
    H[-1] = H[0]
    H[:, -1] = H[:, 0]
    found = Factor.of(H, np.zeros(8)).least_slope(coordinates)
    np.testing.assert_allclose(found, 16 * 2.0**-52 * np.sqrt(800.0 * coordinates.null_loss))
