"""The metric of the curvature: a factor of H, and where there is none."""

from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_gdlinreg import GDLinearRegression
from sklearn_gdlinreg._problem.coordinates import Coordinates
from sklearn_gdlinreg._problem.metric import (
    LEAST_PIVOT,
    SHIFT,
    DualFactor,
    Factor,
    FactorOfEach,
    Plain,
    shifted_factor,
)
from sklearn_gdlinreg._problem.penalty import Penalty
from sklearn_gdlinreg._rows.containers import rows_of


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


@pytest.mark.parametrize("n_rows", [5, 80])
def test_the_slope_that_rounding_may_make(rng, n_rows):
    rounding, losses, summed = (
        rng.uniform(0.0, 1e-6, 8),
        np.array([0.5, 0.1]),
        np.array([3.0, 7.0]),
    )
    coordinates = SimpleNamespace(
        null_loss=np.array([1.0, 4.0]), steepest_square=100.0, rounding=rounding,
        scale=np.ones(8), n_rows=n_rows, roundoff=0.01,
    )  # fmt: skip
    H, P = matrix(rng, 8, 1e-2), rng.standard_normal((8, 2))
    assert Plain().least_descent(P, losses, summed, coordinates) is None
    assert Factor.of(H, np.zeros(8)).least_descent(P, losses, summed, coordinates) is None
    H[-1] = H[0]
    H[:, -1] = H[:, 0]
    found = Factor.of(H, np.zeros(8)).least_descent(P, losses, summed, coordinates)
    in_sums = (16 * 2.0**-52) ** 2 * 8 * 100.0 * summed * (P**2).sum(axis=0)
    left = losses + 0.04**2 * coordinates.null_loss
    in_data = rounding @ P**2 * left * min(1.0, 8 / n_rows)
    np.testing.assert_allclose(found, np.sqrt(in_sums + in_data))


# Fewer rows than features --------------------------------------------------------------------


class Wide:
    """A DualFactor, and what it stands for: Z, (N, M), and the diagonal R of the penalty."""

    def __init__(self, X, weight, alpha, centred):
        rng = np.random.default_rng(1)
        rows = rows_of(X, rng.standard_normal((len(X), 2)), weight, centred=centred)
        moments = rows.column_moments()
        penalty = Penalty.of(alpha, 0.0, False, 2)
        coordinates = Coordinates.of(moments, penalty=penalty, raw=False)
        self.factor = DualFactor(rows, coordinates)
        s = np.ones(len(X)) if weight is None else weight
        s = s / s.sum()
        about = X - s @ X * centred
        variance = s @ about**2
        constant = variance <= 1e-20
        scale = np.where(constant, np.inf, np.sqrt(variance + alpha))
        self.Z, self.R = np.sqrt(s)[:, None] * about / scale, alpha / scale**2
        self.H = self.Z.T @ self.Z + np.diag(self.R)
        # Gradients are of this form; where all of a feature is zero, so are they.
        G = self.Z.T @ rng.standard_normal((len(X), 2))
        self.G = G + (self.R > 0)[:, None] * rng.standard_normal(G.shape)

    def pseudo_inverse(self):
        """Return the shortest move, as Q^-1 measures it."""
        root = np.where(self.R > 0, np.sqrt(self.R), 1.0)
        Z = self.Z / root
        return (
            np.linalg.pinv(Z.T @ Z, rcond=1e-9, hermitian=True)
            @ (self.G / root[:, None])
            / (root[:, None])
        )


each_weight = pytest.mark.parametrize("weighted", [False, True])
each_centring = pytest.mark.parametrize("centred", [False, True])


def wide(rng, weighted, *, N=12, M=30):
    """Return X off zero, of unlike scales, with a constant feature; and weights or None."""
    X = (rng.standard_normal((N, M)) + 3.0) * np.geomspace(0.3, 30.0, M)
    X[:, 4] = 0.0
    return X, rng.uniform(0.5, 2.0, N) if weighted else None


@each_weight
@each_centring
@pytest.mark.parametrize("alpha", [1e-2, 1.0, 1e3])
def test_dual_of_a_ridge(rng, weighted, centred, alpha):
    X, weight = wide(rng, weighted)
    problem = Wide(X, weight, alpha, centred)
    P = problem.factor.direction(problem.G)
    expected = np.zeros_like(P)
    some = problem.R > 0
    assert not some[4]
    assert some.sum() == 29
    expected[some] = np.linalg.solve(problem.H[np.ix_(some, some)], problem.G[some])
    np.testing.assert_allclose(P, expected, rtol=1e-7, atol=1e-8 * np.abs(expected).max())
    # There are directions in which the ridge is all there is.
    least = np.linalg.eigvalsh(problem.H[np.ix_(some, some)])[0]
    assert problem.factor.longest == pytest.approx(1.0 / problem.R[some].min())
    assert problem.factor.longest >= 0.99 / least


@each_weight
@each_centring
@pytest.mark.parametrize("alpha", [0.0, 1e-12])
def test_dual_without_a_ridge_is_the_shortest_move(rng, weighted, centred, alpha):
    """A penalty that is next to none says which move is the shortest, and no more."""
    X, weight = wide(rng, weighted)
    problem = Wide(X, weight, alpha, centred)
    problem.G = problem.Z.T @ rng.standard_normal((12, 2))
    P, expected = problem.factor.direction(problem.G), problem.pseudo_inverse()
    np.testing.assert_allclose(P, expected, atol=1e-9 * np.abs(expected).max())
    np.testing.assert_allclose(problem.H @ P, problem.G, atol=1e-9)
    if alpha == 0.0:
        eigenvalues = np.linalg.eigvalsh(problem.Z @ problem.Z.T)[int(centred) :]
        longest = 1.0 / eigenvalues[0]
        assert longest / 3.0 <= problem.factor.longest <= 3.0 * np.sqrt(12) * longest


@each_weight
@each_centring
def test_dual_of_repeated_rows_is_shifted(rng, weighted, centred):
    X, weight = wide(rng, weighted)
    X[7], X[8] = X[1], X[2]
    problem = Wide(X, weight, 0.0, centred)
    problem.G = problem.Z.T @ rng.standard_normal((12, 2))
    assert problem.factor.longest == 0.0
    K = problem.Z @ problem.Z.T
    sizes, U = np.linalg.eigh(K)
    unit = np.trace(K) / 12
    shrunk = sizes * (sizes > 1e-9) / (sizes + SHIFT * unit) ** 2
    g = U.T @ np.linalg.lstsq(problem.Z.T, problem.G, rcond=1e-9)[0]
    expected = problem.Z.T @ (U @ (shrunk[:, None] * g))
    P = problem.factor.direction(problem.G)
    np.testing.assert_allclose(P, expected, atol=1e-8 * np.abs(expected).max())
    # It is a descent, and nearly that to the minimum.
    assert ((P * problem.G).sum(axis=0) > 0).all()
    np.testing.assert_allclose(P, problem.pseudo_inverse(), atol=1e-3 * np.abs(P).max())


def test_least_entries_of_a_ridge_are_raised(rng):
    """A feature of so large a variance that its own ridge is rounding."""
    X, _ = wide(rng, False)
    X[:, 9] *= 1e6
    problem = Wide(X, None, 0.1, True)
    raised = np.maximum(problem.R, LEAST_PIVOT * 30)
    assert 0.0 < problem.R[9] < raised[9]
    some = problem.R > 0
    H = (problem.Z.T @ problem.Z + np.diag(raised))[np.ix_(some, some)]
    expected = np.linalg.solve(H, problem.G[some])
    P = problem.factor.direction(problem.G)
    np.testing.assert_allclose(P[some], expected, atol=1e-7 * np.abs(expected).max())
    assert problem.factor.longest == pytest.approx(1.0 / raised[some].min())


def test_dual_of_one_row_that_says_nothing():
    """Its products are zero: there is no way to go."""
    problem = Wide(np.arange(5.0)[None] + 1.0, None, 0.0, True)
    assert not problem.factor.direction(np.zeros((5, 2))).any()


def test_outputs_with_penalties_of_their_own(rng):
    H, G, ridges = matrix(rng, 9, 1e-3), rng.standard_normal((9, 3)), [0.1, 0.0, 2.0]
    factors = [Factor.of(H, np.full(9, ridge)) for ridge in ridges]
    metric = FactorOfEach(factors)
    for d, ridge in enumerate(ridges):
        expected = np.linalg.solve(H + ridge * np.eye(9), G[:, d])
        np.testing.assert_allclose(metric.direction(G)[:, d], expected, rtol=1e-9)
    assert metric.longest == factors[1].longest == max(f.longest for f in factors)
    H[-1] = H[0]
    H[:, -1] = H[:, 0]
    # One that may be singular is enough.
    assert FactorOfEach([Factor.of(H, np.full(9, ridge)) for ridge in ridges]).longest == 0.0


def test_rows_of_little_weight_keep_their_say(rng):
    """A row that weighs 1e-9 of the others is fitted, too, where all rows can be."""
    X, y = rng.standard_normal((20, 60)), rng.standard_normal(20)
    weight = np.ones(20)
    weight[3] = 1e-9
    model = GDLinearRegression().fit(X, y, weight)
    assert model.n_iter_ <= 3
    np.testing.assert_allclose(model.predict(X), y, atol=1e-5)


def test_no_factor_of_what_is_no_number():
    A = np.full((3, 3), np.nan)
    assert shifted_factor(A, np.zeros(3), LEAST_PIVOT, SHIFT)[0] is None
