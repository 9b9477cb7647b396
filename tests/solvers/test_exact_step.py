"""The exact step along a direction, on given quadratics."""

from types import SimpleNamespace

import numpy as np

from sklearn_gdlinreg._solvers.exact_step import exact_step


class Quadratic:
    """The loss ``V'HV - 2 B'V`` of each output, for one H."""

    def __init__(self, H, B, floor=0.0):
        self.H, self.B, self.floor = H, B, np.full(len(H), floor)

    def curvature(self, P):
        return self.H @ P, ((self.H @ P) * P).sum(axis=0)

    def loss(self, V):
        return ((self.H @ V - 2.0 * self.B) * V).sum(axis=0)


def quadratic(rng, **options):
    A = rng.standard_normal((9, 4))
    return Quadratic(A.T @ A / 9, rng.standard_normal((4, 3)), **options)


def test_no_other_length_is_better(rng):
    problem = quadratic(rng)
    V, P = rng.standard_normal((2, 4, 3))
    G = problem.B - problem.H @ V
    P *= np.sign((P * G).sum(axis=0))
    step = exact_step(problem, P, G, np.ones(3, dtype=bool))
    length = step.descent * step.inverse
    assert step.curved.all()
    best = problem.loss(V + length * P)
    for factor in (0.99, 1.01):
        assert (problem.loss(V + factor * length * P) > best).all()
    # The gradient is carried along, and the fall of the loss is known.
    np.testing.assert_allclose(G - length * step.image, problem.B - problem.H @ (V + length * P))
    np.testing.assert_allclose(best, problem.loss(V) - length * step.descent)


def test_no_step_uphill_nor_of_outputs_that_have_ended(rng):
    problem = quadratic(rng)
    G = rng.standard_normal((4, 3))
    step = exact_step(problem, G * [1.0, -1.0, 1.0], G, np.array([True, True, False]))
    assert list(step.curved) == [True, False, False]
    assert list(step.inverse > 0) == [True, False, False]


def test_no_step_where_the_curvature_may_be_rounding(rng):
    problem = quadratic(rng, floor=100.0)
    G = rng.standard_normal((4, 3))
    assert not exact_step(problem, G, G, np.ones(3, dtype=bool)).curved.any()


def test_no_step_along_a_slope_that_may_be_rounding(rng):
    problem = quadratic(rng)
    G = rng.standard_normal((4, 3))
    least = (G * G).sum(axis=0) * [0.99, 1.01, 0.5]
    step = exact_step(problem, G, G, np.ones(3, dtype=bool), least)
    assert list(step.curved) == [True, False, True]


def test_curvature_below_the_floor_is_none():
    P = np.diag([2.0, 3.0, 1.0])

    def curved(*curvatures):
        supplier = SimpleNamespace(
            floor=np.array([1e-3, 1.0, 0.0]), curvature=lambda P: (P, np.array(curvatures))
        )
        return list(exact_step(supplier, P, np.ones_like(P), np.full(3, True)).curved)

    assert curved(4.1e-3, 9.1, 1e-290) == [True] * 3
    assert curved(3.9e-3, 8.9, 1e-310) == [False] * 3
