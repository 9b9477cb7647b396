"""Which rows an epoch visits, and how long steps are, against eigenvalues worked out exactly."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_gdlinreg._mini_batch.coordinates import StepCoordinates
from sklearn_gdlinreg._mini_batch.sampling import (
    CURVATURE_MARGIN,
    LENGTH_MARGIN,
    Visits,
    automatic,
    largest_curvature,
    power_iteration,
)
from sklearn_gdlinreg._rows.containers import rows_of

each_container = pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("some_are_long", [True, False])
def test_visits(rng, weighted, some_are_long):
    weight = rng.uniform(0.5, 2.0, 20) if weighted else np.ones(20)
    weight[[0, 7]] = 0.0
    times = rng.integers(1, 4, 20) if some_are_long else np.ones(20, int)
    times[weight == 0.0] = 1
    visits = Visits(weight.copy(), times)
    # Each row in order, as often as it is to be visited; those without weight not at all.
    carry = np.flatnonzero(weight)
    np.testing.assert_array_equal(visits.rows, np.repeat(carry, times[carry]))
    assert visits.n_rows == 18
    # The visits of a row have its share of the weight together.
    np.testing.assert_allclose(visits.weight * times, 18 * weight / weight.sum())
    rows, counts = visits.span(0, len(visits.rows))
    assert counts.sum() == pytest.approx(18)
    np.testing.assert_array_equal(counts, visits.weight[rows])


def test_spans_of_visits_are_in_their_order():
    visits = Visits(np.array([2.0, 0.0, 1.0, 1.0]), np.array([2, 1, 1, 1]))
    visits.shuffle(np.random.default_rng(1))
    order = visits.rows.copy()
    assert sorted(order) == [0, 0, 2, 3]
    for first, last in [(0, 2), (2, 4), (3, 9)]:
        rows, weight = visits.span(first, last)
        np.testing.assert_array_equal(rows, order[first:last])
        np.testing.assert_array_equal(weight, [0.75 for _ in rows])


@pytest.fixture
def make_rows(rng):
    """Return a maker of weighted rows, some of them far longer than others."""

    def make(container, N=200, M=6, *, centred=True, spread=1.0, unit=1.0, off=0.0):
        X = rng.standard_normal((N, M)) * np.geomspace(1.0, 10.0, M)
        X *= np.exp(spread * rng.standard_normal((N, 1)))
        X[rng.random((N, M)) < 0.3] = 0.0
        weight = rng.uniform(0.0, 2.0, N)
        weight[::9] = 0.0
        mean = (np.average(X, axis=0, weights=weight) + off) * centred
        inverse = unit / np.geomspace(1.0, 4.0, M)
        rows = rows_of(container(X), np.zeros((N, 1)), weight, centred=centred)
        return rows, StepCoordinates(mean, inverse, centred), (X - mean) * inverse, weight

    return make


@each_container
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("off", [0.0, 30.0])
def test_power_iteration(make_rows, rng, container, centred, off):
    rows, coordinates, Z, weight = make_rows(container, centred=centred, off=off)
    expected = np.linalg.eigvalsh(Z.T @ (weight[:, None] * Z))[-1]
    found = power_iteration(rows.X, weight, coordinates, rng)
    # It comes from below, and within the margin.
    assert expected / CURVATURE_MARGIN < found <= expected * (1 + 1e-12)


def test_power_iteration_of_nothing(make_rows, rng):
    rows, coordinates, _, weight = make_rows(np.asarray)
    assert (
        power_iteration(
            0.0 * rows.X,
            weight,
            StepCoordinates(0.0 * coordinates.centre, coordinates.inverse, True),
            rng,
        )
        == 0.0
    )


@each_container
@pytest.mark.parametrize("N", [200, 900])
def test_a_sample_of_rows_tells_the_largest_curvature(make_rows, rng, container, N):
    # Rows are so wide that only some of them are drawn.
    rows, coordinates, Z, weight = make_rows(container, N, 400)
    expected = np.linalg.eigvalsh(Z.T @ (weight[:, None] * Z) / weight.sum())[-1]
    found = largest_curvature(rows, coordinates, (Z**2).sum(axis=1), rng)
    # Few rows of many features have a larger curvature than all, which errs on the safe side.
    assert expected / CURVATURE_MARGIN < found < 1.5 * expected


@each_container
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("batch_size", [1, 8, 1000])
@pytest.mark.parametrize(("spread", "unit"), [(0.0, 1.0), (2.0, 1.0), (0.5, 1e-2)])
def test_the_automatic_step(make_rows, rng, container, centred, batch_size, spread, unit):
    """It is the inverse of the expected smoothness, with the margins, and no visit is long."""
    rows, coordinates, Z, weight = make_rows(
        container, centred=centred, spread=spread, unit=unit
    )
    if centred:
        Z = np.append(Z, np.ones((len(Z), 1)), axis=1)
    curvature = np.linalg.eigvalsh(Z.T @ (weight[:, None] * Z) / weight.sum())[-1]
    lengths = (Z**2).sum(axis=1)
    mean = np.average(lengths, weights=weight)
    visits, step = automatic(rows, coordinates, batch_size, rng)

    def smoothness(curvature, length):
        return (1.0 - 1.0 / batch_size) * curvature + length / batch_size

    assert 1.0 / step >= smoothness(curvature, mean)
    # The sample may have up to a tenth more than all rows.
    most = 1.1 * CURVATURE_MARGIN * curvature, LENGTH_MARGIN * 2.0 * mean
    assert 1.0 / step <= smoothness(*most)
    visited, counts = visits.span(0, len(visits.rows))
    assert (counts * lengths[visited]).max() <= 2.0 * mean * (1 + 1e-12)
    assert len(visited) <= 1.5 * visits.n_rows
    share = np.bincount(visited, counts, minlength=len(Z)) / visits.n_rows
    np.testing.assert_allclose(share, weight / weight.sum(), atol=1e-15)


def test_the_automatic_step_where_rows_say_nothing(rng):
    rows = rows_of(np.zeros((5, 2)), np.ones((5, 1)), None, centred=False)
    visits, step = automatic(rows, StepCoordinates(np.zeros(2), np.zeros(2), False), 4, rng)
    assert (list(visits.rows), step) == ([0, 1, 2, 3, 4], 1.0)
