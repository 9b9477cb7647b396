"""Losses that grow: where the step is why, and where it is not."""

import math

import numpy as np
import pytest
from scipy import sparse

from sklearn_gdlinreg._solvers.divergence import (
    GROWN,
    GROWTHS,
    HOPELESS,
    ChunkWatch,
    GrowthWatch,
)
from sklearn_gdlinreg._solvers.learning_rate import Schedule


class Limit:
    """The longest stable step, which counts how often it is asked for."""

    def __init__(self, step):
        self.step, self.n_asked = step, 0

    def __call__(self):
        self.n_asked += 1
        return self.step


def watch_of(limit=1.0, spec="constant", learning_rate=2.0):
    schedule = Schedule(spec, learning_rate, tol=0.0, n_iter_no_change=2)
    return GrowthWatch(schedule, Limit(limit))


def see(watch, losses):
    """Show the losses; return the iteration at which it raises, or None."""
    for n, loss in enumerate(losses):
        try:
            watch.see(n, loss)
        except ValueError as error:
            assert f"(iteration {n})" in str(error)  # noqa: PT017
            return n
    return None


def test_growths_in_a_row_by_a_step_that_is_too_long():
    assert see(watch_of(), [1.0, 2.0, 3.0, 4.0, 5.0]) == GROWTHS
    assert see(watch_of(), [1.0, 2.0, 3.0, 2.5, 3.0, 4.0, 5.0]) == 6
    assert see(watch_of(), [5.0, 4.0, 4.0, 4.0, 4.0]) is None


def test_growths_by_a_step_that_is_stable():
    watch = watch_of(limit=2.0)
    assert see(watch, np.arange(1.0, 50.0)) is None
    watch.end(49)


def test_the_limit_is_worked_out_only_when_it_is_needed():
    watch = watch_of()
    assert see(watch, [4.0, 5.0, 3.0, 2.0]) is None
    watch.end(3)
    assert watch.longest_stable.n_asked == 0


def test_an_adaptive_rate_has_time_to_fall():
    watch = watch_of(spec="adaptive")
    assert watch.allowed == GROWTHS + 2
    assert see(watch, np.arange(1.0, 9.0)) == GROWTHS + 2


@pytest.mark.parametrize("spec", ["invscaling", lambda t: 0.5**t])
def test_a_rate_that_falls_by_itself_must_end_below_the_start(spec):
    watch = watch_of(spec=spec)
    for n, loss in enumerate([1.0, 2.0, 4.0, 8.0, 16.0, 8.0]):
        watch.see(n, loss)
        watch.schedule.update(n, loss)
    with pytest.raises(ValueError, match="without bound"):
        watch.end(5)
    watch.see(6, 0.5)
    watch.end(6)


def test_a_loss_that_overflows():
    assert see(watch_of(), [1.0, 2.0, math.inf]) == 2
    with pytest.raises(ValueError, match="The loss overflows at the start"):
        watch_of().see(0, math.inf)


@pytest.mark.parametrize("limit", [0.123456, 1e-200, 1.99996])
def test_the_step_that_is_named_is_stable(limit):
    with pytest.raises(ValueError, match="learning_rate=2 makes the loss grow") as error:
        watch_of(limit).see(1, math.nan)
    named = float(str(error.value).split("data is ")[1].split(". Use")[0])
    assert limit * (1 - 1e-3) <= named <= limit


def test_a_factor_of_a_schedule_is_named():
    watch = watch_of(spec=lambda t: 4.0, learning_rate=0.5)
    watch.schedule.update(0, 1.0)
    with pytest.raises(ValueError, match=r"=0.5 times the factor 4 of the .* smaller factor"):
        watch.see(1, math.nan)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_the_bound_of_a_chunk(rng, container):
    X, Y, W, b = (rng.standard_normal(shape) for shape in [(9, 4), (9, 2), (4, 2), 2])
    rows, weight = np.array([7, 1, 3, 3, 0]), rng.uniform(0.5, 2.0, 5)
    null = np.average((Y[rows] ** 2).sum(axis=1), weights=weight)
    error = ((Y - X @ W - b)[rows[:2]] ** 2).sum(axis=1)
    start = np.average(error, weights=weight[:2])
    watch = ChunkWatch()
    bound = watch.bound(container(X), Y, rows, weight, 2, W, b)
    assert bound == pytest.approx(HOPELESS * max(null, start))
    assert watch.null_loss == pytest.approx(null)
    # It is that of the worst chunk so far.
    watch.bound(container(X), 0.1 * Y, rows, weight, 2, W, b)
    assert watch.null_loss == pytest.approx(null)


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([9.0, 101.0], [False, True]),
        # Growths in a row, beyond twice the loss of zero and GROWN times where they began.
        ([1.0, 2.0, 3.0, 5.0], [False, False, False, True]),
        ([1.0, 2.0, 3.0, 3.9], [False] * 4),
        ([1.0, 0.1, 0.5, 0.7, 1.9], [False] * 5),
        ([1.0, 5.0, 6.0, 5.0, 6.0, 7.0], [False] * 6),
    ],
)
def test_losses_of_chunks(losses, expected):
    assert (GROWTHS, GROWN) == (3, 4.0)
    watch = ChunkWatch()
    watch.null_loss = 1.0
    assert [watch.diverges(loss, 100.0) for loss in losses] == expected
    watch.begin()
    assert not watch.diverges(50.0, 100.0)


def test_targets_of_zero_tell_nothing():
    assert not ChunkWatch().diverges(1.0, 0.0)
