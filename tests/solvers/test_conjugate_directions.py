"""Directions that are conjugate to earlier moves, on given quadratics."""

import numpy as np
import pytest

from sklearn_gdlinreg._solvers import conjugate_directions
from sklearn_gdlinreg._solvers.conjugate_directions import (
    ConjugateDirections,
    LastDirection,
    directions_for,
)

M, D = 8, 3
each_kind = pytest.mark.parametrize(
    "kind", [LastDirection, lambda like: ConjugateDirections(like, M)], ids=["last", "all"]
)


@pytest.fixture
def like():
    return np.empty((M, D))


@pytest.fixture
def make_quadratic(rng):
    """Return a maker of a matrix for each output, (D, M, M), of a given condition, and B."""

    def make(condition):
        Q = np.linalg.qr(rng.standard_normal((D, M, M)))[0]
        H = Q * np.geomspace(1.0, 1.0 / condition, M) @ Q.transpose(0, 2, 1)
        return H, rng.standard_normal((M, D))

    return make


def times(H, P):
    return np.einsum("dmk,kd->md", H, P)


def descend(directions, H, B, n_steps):
    """Make exact steps along the directions; return V and the moves, (n_steps, M, D)."""
    V, moves = np.zeros_like(B), []
    for _ in range(n_steps):
        G = B - times(H, V)
        P = directions.direction(G, twice=True)
        HP = times(H, P)
        inverse = 1.0 / (P * HP).sum(axis=0)
        V = V + P * (P * G).sum(axis=0) * inverse
        moves.append(P.copy())
        directions.keep(P, HP, inverse)
    return V, np.array(moves)


def cosines(H, moves):
    """Return the largest cosine, in the metric of H, between two moves of an output."""
    products = np.einsum("imd,dmk,jkd->dij", moves, H, moves)
    length = np.sqrt(np.einsum("dii->di", products))
    products /= length[:, :, None] * length[:, None, :]
    return np.abs(products - np.eye(len(moves))).max()


@each_kind
def test_moves_are_conjugate_and_end_in_as_many_steps_as_features(kind, like, make_quadratic):
    H, B = make_quadratic(10.0)
    V, moves = descend(kind(like), H, B, M)
    assert cosines(H, moves) < 1e-10
    np.testing.assert_allclose(V, np.linalg.solve(H, B.T[:, :, None])[:, :, 0].T, rtol=1e-10)


def test_the_last_move_is_enough_but_for_rounding(like, make_quadratic):
    H, B = make_quadratic(10.0)
    (_, last), (_, every) = (
        descend(directions, H, B, M)
        for directions in (LastDirection(like), ConjugateDirections(like, M))
    )
    np.testing.assert_allclose(last, every, atol=1e-10)


def moves_along(directions, H, gradients, *, twice=True):
    """Return the moves for any half gradients, (n, M, D), those of a descent or not."""
    moves = []
    for G in gradients:
        P = directions.direction(G, twice=twice)
        HP = times(H, P)
        directions.keep(P, HP, 1.0 / (P * HP).sum(axis=0))
        moves.append(P.copy())
    return np.array(moves)


@pytest.mark.parametrize(("twice", "least", "most"), [(True, 0.0, 1e-14), (False, 1e-10, 1e-4)])
def test_two_sweeps_keep_nearly_repeated_moves_conjugate(
    like, make_quadratic, rng, twice, least, most
):
    H, _ = make_quadratic(10.0)
    gradients = rng.standard_normal((4, M, D))
    gradients[3] = gradients[:3].sum(axis=0) + 1e-8 * gradients[3]
    moves = moves_along(ConjugateDirections(like, M), H, gradients, twice=twice)
    assert least <= cosines(H, moves) < most


@each_kind
def test_outputs_that_are_forgotten_begin_anew(kind, like, make_quadratic):
    H, B = make_quadratic(10.0)
    directions = kind(like)
    V, moves = descend(directions, H, B, 3)
    directions.forget(np.array([True, False, True]))
    G = B - times(H, V)
    P = directions.direction(G, twice=True)
    np.testing.assert_array_equal(P[:, [0, 2]], G[:, [0, 2]])
    assert cosines(H[1:2], np.append(moves, P[None], axis=0)[:, :, 1:2]) < 1e-10


def test_where_there_is_room_for_no_more_moves_it_begins_anew(like, make_quadratic, rng):
    H, _ = make_quadratic(10.0)
    moves = moves_along(ConjugateDirections(like, 3), H, rng.standard_normal((6, M, D)))
    assert cosines(H, moves[:4]) < 1e-10
    assert cosines(H, moves[3:]) < 1e-10
    assert cosines(H, moves) > 1e-3


@pytest.mark.parametrize("shape", [(10, 3), (1, 1), (20_000, 1), (200, 200), (40_000, 1)])
def test_as_many_moves_are_kept_as_fit(shape):
    n_features, n_outputs = shape
    directions = directions_for(np.empty(shape))
    # Moves, their images, and the new one.
    room = (conjugate_directions.KEPT_ITEMS / (n_features * n_outputs) - 1) / 2
    if room < min(conjugate_directions.WORTH_KEEPING, n_features):
        assert type(directions) is LastDirection
        assert directions.room == 1
    else:
        assert type(directions) is ConjugateDirections
        assert directions.room == min(int(room), n_features)
