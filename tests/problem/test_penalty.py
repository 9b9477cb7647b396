"""The penalty and its proximal map, against the formula and the least value on a grid."""

import numpy as np
import pytest

from sklearn_gdlinreg._problem.penalty import Penalty

M, D = 4, 3
PENALTIES = [
    (0.0, 0.0, False), (0.7, 0.0, False), (0.7, 0.4, False), ([0.0, 0.7, 2.0], 1.0, False),
    (0.0, 0.0, True), ([0.3, 0.7, 2.0], 0.5, True),
]  # fmt: skip
each_penalty = pytest.mark.parametrize(("alpha", "l1_ratio", "positive"), PENALTIES)


@each_penalty
def test_values_are_those_of_the_formula(rng, alpha, l1_ratio, positive):
    W, penalty = rng.standard_normal((M, D)), Penalty.of(alpha, l1_ratio, positive, D)
    alpha = np.array(alpha)
    expected = (alpha * (2 * l1_ratio * np.abs(W) + (1 - l1_ratio) * W**2)).sum(axis=0)
    np.testing.assert_allclose(penalty.values(W), expected)
    some = np.array([2, 0])
    np.testing.assert_allclose(penalty.of_outputs(some).values(W[:, some]), expected[some])
    assert penalty.some == ((alpha > 0).any() or positive)
    assert penalty.smooth == (not positive and not (alpha * l1_ratio).any())
    # The part with a gradient, in coordinates W = unit * V.
    unit = np.geomspace(0.1, 10.0, M)
    ridge = np.broadcast_to(penalty.ridge(unit), (M, D))
    squares = (alpha * (1 - l1_ratio) * W**2).sum(axis=0)
    np.testing.assert_allclose((ridge * (W / unit[:, None]) ** 2).sum(axis=0), squares)


@each_penalty
def test_the_proximal_map_has_the_least_value(rng, alpha, l1_ratio, positive):
    unit, y_unit, step = np.geomspace(0.5, 2.0, M), np.array([1.0, 2.0, 0.5]), 0.4
    proximal = Penalty.of(alpha, l1_ratio, positive, D).proximal(unit, y_unit)
    if proximal is None:
        assert not np.any(np.array(alpha) * l1_ratio or positive)
        return
    threshold = unit[:, None] * np.broadcast_to(alpha, D) * l1_ratio * y_unit
    V = rng.standard_normal((M, D))
    grid = np.linspace(0.0 if positive else -3.0, 3.0, 60_001)[:, None, None]
    values = (grid - V) ** 2 / (2 * step) + threshold * np.abs(grid)
    expected = grid[values.argmin(axis=0), 0, 0]
    found = proximal.map(V, step)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(proximal.value(V), 2 * (threshold * np.abs(V)).sum(axis=0))
    # Planted: the map does not clip; it is only zero where it must be.
    assert ((found == 0) == (np.abs(expected) < 1e-9)).all()


def test_the_move_of_a_proximal_step_is_zero_at_the_optimum():
    proximal = Penalty.of(0.5, 1.0, False, 3).proximal(np.ones(1), np.ones(3))
    # Where V is zero a gradient within the threshold moves nothing; elsewhere it must be it.
    V = np.array([[0.0, 0.0, 2.0]])
    assert (proximal.gradient(V, np.array([[0.5, -0.4, 0.5]])) == 0.0).all()
    np.testing.assert_allclose(
        proximal.gradient(V, np.array([[0.6, -0.7, 0.4]])), [[0.1, -0.2, -0.1]]
    )


@pytest.mark.parametrize("alpha", [[1.0, 2.0], [[1.0, 2.0, 3.0]]])
def test_an_alpha_of_another_shape(alpha):
    with pytest.raises(ValueError, match=r"expected shape \(3,\)"):
        Penalty.of(alpha, 0.0, False, 3)
