"""The metric of the curvature: a factor of H, and where there is none."""

import numpy as np
import pytest

from sklearn_gdlinreg._problem.metric import LEAST_PIVOT, Factor, Plain


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
    factor = Factor.of(H.copy())
    np.testing.assert_allclose(H @ factor.direction(G), G, rtol=1e-8, atol=1e-8)
    # LAPACK's estimate of the norm of the inverse, in the 1-norm.
    longest = 1.0 / np.linalg.eigvalsh(H)[0]
    assert longest / 3.0 <= factor.longest <= 3.0 * np.sqrt(M) * longest


def test_features_that_say_nothing_get_no_step(rng):
    H = matrix(rng, 5, 1e-2)
    H[2, :] = H[:, 2] = 0.0
    G = rng.standard_normal((5, 2))
    G[2] = 0.0
    P = Factor.of(H.copy()).direction(G)
    assert not P[2].any()
    np.testing.assert_allclose(H @ P, G, atol=1e-12)


@pytest.mark.parametrize("apart", [0.0, 0.1 * LEAST_PIVOT, -1e-3, np.nan])
def test_no_factor_of_what_may_be_singular(apart):
    H = np.array([[1.0, 1.0 - apart, 0.0], [1.0 - apart, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert Factor.of(H) is None


def test_plain(rng):
    G = rng.standard_normal((4, 2))
    assert Plain().direction(G) is G
    assert Plain().longest == 0.0
