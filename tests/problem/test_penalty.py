"""The penalty: its value, gradient and proximal map, against the formula and a grid."""

import numpy as np
import pytest

from sklearn_gdlinreg._problem.penalty import Penalty

M, D = 4, 3
PENALTIES = [
    (0.0, 0.0, False), (0.7, 0.0, False), (0.7, 0.4, False), ([0.0, 0.7, 2.0], 1.0, False),
    (0.0, 0.0, True), ([0.3, 0.7, 2.0], 0.5, True),
]  # fmt: skip
each_penalty = pytest.mark.parametrize(("alpha", "l1_ratio", "positive"), PENALTIES)


def value(W, alpha, l1_ratio):
    alpha = np.asarray(alpha)
    return (alpha * (2 * l1_ratio * np.abs(W) + (1 - l1_ratio) * W**2)).sum(axis=0)


@each_penalty
def test_value_and_gradient(rng, alpha, l1_ratio, positive):
    W, penalty = rng.standard_normal((M, D)), Penalty.of(alpha, l1_ratio, positive, D)
    expected = value(W, alpha, l1_ratio)
    np.testing.assert_allclose(penalty.value(W), expected)
    parts = penalty.value_without_gradient(W) + penalty.l2_value(W)
    np.testing.assert_allclose(parts, expected)
    some = np.array([2, 0])
    np.testing.assert_allclose(penalty.of_outputs(some).value(W[:, some]), expected[some])
    half = penalty.half_gradient(W) + penalty.l1_half_gradient(np.sign(W))
    for m in range(M):
        step = 1e-6 * (np.arange(M) == m)[:, None]
        slope = (value(W + step, alpha, l1_ratio) - value(W - step, alpha, l1_ratio)) / 2e-6
        np.testing.assert_allclose(2.0 * half[m], slope, atol=1e-8)


@each_penalty
def test_what_it_is_made_of(alpha, l1_ratio, positive):
    penalty, alpha = Penalty.of(alpha, l1_ratio, positive, D), np.broadcast_to(alpha, D)
    has_l1, has_l2 = (alpha * l1_ratio).any(), (alpha * (1 - l1_ratio)).any()
    assert (penalty.has_l1, penalty.has_l2, penalty.positive) == (has_l1, has_l2, positive)
    assert penalty.some == (alpha.any() or positive)
    assert penalty.smooth == (not positive and not has_l1)
    assert list(penalty.smooth_outputs) == list((alpha * l1_ratio == 0) & (not positive))
    assert penalty.least_l2 == (alpha * (1 - l1_ratio)).min()
    for raw in (False, True):
        shrink, l1, l2 = penalty.for_batches(raw=raw)
        np.testing.assert_array_equal(l1, alpha * l1_ratio)
        np.testing.assert_array_equal(shrink + l2, alpha * (1 - l1_ratio))
        assert not (l2 if raw else shrink).any()


@each_penalty
def test_seen_from_other_coordinates(rng, alpha, l1_ratio, positive):
    unit, y_unit = np.geomspace(0.1, 10.0, M), np.array([1.0, 2.0, 0.5])
    penalty = Penalty.of(alpha, l1_ratio, positive, D).seen_from(unit, y_unit)
    V = rng.standard_normal((M, D))
    W = V * unit[:, None] / y_unit
    np.testing.assert_allclose(penalty.value(V), value(W, alpha, l1_ratio) * y_unit**2)
    assert penalty.positive == positive


@each_penalty
def test_the_proximal_map_has_the_least_value(rng, alpha, l1_ratio, positive):
    unit, step = np.geomspace(0.5, 2.0, M), 0.4
    penalty = Penalty.of(alpha, l1_ratio, positive, D).seen_from(unit)
    V = rng.standard_normal((M, D))
    l1 = unit[:, None] * np.broadcast_to(alpha, D) * l1_ratio
    grid = np.linspace(0.0 if positive else -3.0, 3.0, 60_001)[:, None, None]
    values = (grid - V) ** 2 / (2 * step) + l1 * np.abs(grid)
    expected = grid[values.argmin(axis=0), 0, 0]
    found = penalty.proximal_map(V, step)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    if not penalty.smooth:
        # What is to be zero is zero, and not nearly so.
        assert ((found == 0) == (np.abs(expected) < 1e-9)).all()


def test_the_move_of_a_proximal_step_is_zero_at_the_optimum():
    penalty = Penalty.of(0.5, 1.0, False, 3)
    # Where V is zero, a gradient within the threshold moves nothing; elsewhere it must equal it.
    V = np.array([[0.0, 0.0, 2.0]])
    assert (penalty.proximal_gradient(V, np.array([[0.5, -0.4, 0.5]])) == 0.0).all()
    np.testing.assert_allclose(
        penalty.proximal_gradient(V, np.array([[0.6, -0.7, 0.4]])), [[0.1, -0.2, -0.1]]
    )


@pytest.mark.parametrize("positive", [False, True])
def test_the_factor_from_which_zero_is_optimal(rng, positive):
    penalty, G = Penalty.of([0.3, 0.7, 2.0], 0.5, positive, D), rng.standard_normal((M, D))
    factor, zeros = penalty.vanishing_factor(G), np.zeros((M, D))
    enough = penalty.with_l1_times((1 + 1e-15) * factor)
    assert not enough.proximal_gradient(zeros, G).any()
    less = penalty.with_l1_times(0.999 * factor)
    assert less.proximal_gradient(zeros, G).any(axis=0).all()


def test_none():
    penalty, W = Penalty.none(2), np.ones((M, 2))
    assert not penalty.some
    assert penalty.smooth
    assert not penalty.value(W).any()
    np.testing.assert_array_equal(penalty.proximal_map(W, 1.0), W)


FACTOR, SIGNS = np.array([0.0, 1.0, 2.5, 0.3]), np.array([True, False, True, False])


@pytest.mark.parametrize("positive", [False, True, SIGNS])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
def test_factors_of_features(rng, l1_ratio, positive):
    """Each feature's rows are those of a penalty of its own factor times alpha."""
    alpha, unit = np.array([0.3, 0.7, 2.0]), np.geomspace(0.5, 2.0, M)
    given = {"penalty_factor": FACTOR, "n_features": M}
    base = Penalty.of(alpha, l1_ratio, positive, D, **given)
    V, G, step = rng.standard_normal((M, D)), rng.standard_normal((M, D)), 0.4
    for penalty, units in [(base, np.ones(M)), (base.seen_from(unit), unit)]:
        value, l1, l2 = 0.0, *penalty.terms((M, D))[:2]
        for m, own in enumerate(FACTOR):
            row, at = slice(m, m + 1), bool(np.broadcast_to(positive, M)[m])
            single = Penalty.of(own * alpha, l1_ratio, at, D).seen_from(units[row])
            value = value + single.value(V[row])
            for name, arguments in [
                ("half_gradient", (V[row],)), ("l1_half_gradient", (np.sign(V[row]),)),
            ]:  # fmt: skip
                whole = getattr(penalty, name)(*(V if name[0] == "h" else np.sign(V),))
                np.testing.assert_allclose(whole[row], getattr(single, name)(*arguments))
            mapped = penalty.proximal_map(V, step)[row]
            expected = V[row] if single.smooth else single.proximal_map(V[row], step)
            np.testing.assert_allclose(mapped, expected)
            np.testing.assert_allclose(l1[row], single.l1_half_gradient(np.ones((1, D))))
            np.testing.assert_allclose(l2[row], single.half_gradient(np.ones((1, D))))
        np.testing.assert_allclose(penalty.value(V), value)
    np.testing.assert_array_equal(base.terms((M, D))[2], np.broadcast_to(positive, M))
    factor = base.vanishing_factor(G)
    pull = np.where(np.broadcast_to(positive, M)[:, None], np.maximum(G, 0), np.abs(G))
    of_each = np.outer(FACTOR, alpha) * l1_ratio
    most = np.where(of_each > 0, pull / np.where(of_each > 0, of_each, 1), 0).max(axis=0)
    np.testing.assert_allclose(factor, most)
    np.testing.assert_array_equal(base.free(M), FACTOR == 0)
    some = np.array([2, 0])
    np.testing.assert_allclose(base.of_outputs(some).value(V[:, some]), base.value(V)[some])


def test_features_that_are_alike_are_as_if_nothing_had_been_said():
    given = {"penalty_factor": np.ones(M), "n_features": M}
    penalty = Penalty.of(0.3, 0.5, np.ones(M, dtype=bool), D, **given)
    assert penalty.of_features().shape == (0, 2)
    assert all(len(term) == 1 for term in (penalty._l1, penalty._l2))
    assert penalty._not_negative is True


@pytest.mark.parametrize("alpha", [[1.0, 2.0], [[1.0, 2.0, 3.0]]])
def test_an_alpha_of_another_shape(alpha):
    with pytest.raises(ValueError, match=r"expected shape \(3,\)"):
        Penalty.of(alpha, 0.0, False, 3)
