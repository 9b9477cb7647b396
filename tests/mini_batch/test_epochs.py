"""Epochs over a fake of the steps, and the mean of the tail against a list of all iterates."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_gdlinreg._mini_batch.epochs import (
    WORK_OF_A_SPAN,
    WORK_OF_A_VISIT,
    Batches,
    Epochs,
    TailAverage,
    mean_of_sums,
    span_of,
)
from sklearn_gdlinreg._mini_batch.sampling import Visits

M, D = 3, 2


def mean_of(older, newer):
    """Return the mean of two windows of iterates: the older fades out while the newer grows."""
    fading = max(0.0, 1.0 - len(newer) / (2.0 * len(older))) if older else 0.0
    return np.average(older + newer, axis=0, weights=[fading] * len(older) + [1.0] * len(newer))


class Summed:
    """An SGD that has summed up these iterates."""

    def __init__(self, sums):
        self.sums, self.n_summed = sums, sums[2]

    def sum(self):
        return self.sums

    def mean_with(self, share, more, n):
        return mean_of_sums(self.sums, share, more, n)


def test_the_mean_is_that_of_the_last_two_windows(rng):
    tail, older, newer = TailAverage(), [], []
    # How many sums a window takes in, and of how many iterates each is.
    for n_sums, n in [(1, 4), (2, 3), (5, 2), (9, 7), (3, 1)]:
        for _ in range(n_sums):
            some = list(rng.standard_normal((n, M, D)))
            newer = newer + some
            sums, expected = (sum(some), sum(some)[0], n), mean_of(older, newer)
            # The first may be looked at before they are taken in.
            looks = [tail.mean(Summed(sums))]
            tail.add(*sums)
            for W, b in [*looks, tail.mean()]:
                np.testing.assert_allclose(W, expected, rtol=1e-12, atol=1e-14)
                np.testing.assert_allclose(b, expected[0], rtol=1e-12, atol=1e-14)
        tail.restart()
        older, newer = newer, []
        np.testing.assert_allclose(tail.mean()[0], mean_of(older, newer), rtol=1e-12, atol=1e-14)


class Steps:
    """Steps whose iterates are the numbers of their updates, counted from 1."""

    def __init__(self, batch_size, span):
        self.rule, self.span = SimpleNamespace(batch_size=batch_size), span
        self.t, self.summed, self.visited, self.rates = 0, [], [], []

    def visit(self, rows, weight, rates):
        B = self.rule.batch_size
        assert len(rates) == math.ceil(len(rows) / B) <= self.span
        np.testing.assert_array_equal(weight, 0.5 + rows)
        self.visited.append(rows)
        self.rates.append(rates)
        self.summed += range(self.t + 1, self.t + 1 + len(rates))
        self.t += len(rates)

    def forget(self):
        self.summed = []

    def forget_losses(self):
        self.visited = []

    def sum(self):
        total, n = np.full((M, D), sum(self.summed)), len(self.summed)
        self.summed = []
        return total, total[0], n

    def losses(self):
        return np.array([12.0, 24.0])

    def model(self):
        return np.full((M, D), self.t), np.full(D, self.t)


def epochs_over(n_rows, batch_size, span, rng=None, *, average=True):
    visits = Visits(np.ones(n_rows))
    visits.weight = 0.5 + np.arange(n_rows)
    sgd = Steps(batch_size, span)
    batches = Batches(batch_size, shuffle=rng is not None, average=average, rng=rng)
    return Epochs(sgd, visits, lambda t, n: t + np.arange(n), batches)


@pytest.mark.parametrize("shuffled", [True, False])
@pytest.mark.parametrize("span", [1, 3, 100])
@pytest.mark.parametrize(("n_rows", "batch_size"), [(12, 1), (12, 5), (12, 20)])
def test_an_epoch_visits_all_rows_once(n_rows, batch_size, span, shuffled):
    epochs = epochs_over(
        n_rows, batch_size, span, np.random.default_rng(0) if shuffled else None
    )
    for epoch in range(1, 4):
        np.testing.assert_array_equal(epochs.epoch(), [1.0, 2.0])
        order = np.concatenate(epochs.sgd.visited)
        assert (list(order) == list(range(n_rows))) != shuffled
        assert sorted(order) == list(range(n_rows))
        assert epochs.t == epoch * math.ceil(n_rows / batch_size)
    np.testing.assert_array_equal(np.concatenate(epochs.sgd.rates), np.arange(epochs.t))


def test_the_tail_leaves_out_the_first_half_epoch_and_has_windows_of_1_2_4_epochs():
    epochs = epochs_over(12, 2, 100)
    lengths = []
    for _ in range(9):
        epochs.epoch()
        lengths.append(
            [window and window[2] for window in (epochs.tail.older, epochs.tail.newer)]
        )
        epochs.end_epoch()
    assert lengths == [
        [None, 3], [3, 6], [6, 6], [6, 12], [12, 6], [12, 12], [12, 18], [12, 24], [24, 6],
    ]  # fmt: skip
    # Of 54 updates the last 6 are in the newer window, the 24 before them in the older one.
    W, b = epochs.result()
    weights = np.repeat([1.0 - 6 / 48, 1.0], [24, 6])
    expected = np.average(np.arange(25, 55), weights=weights)
    np.testing.assert_allclose(W, np.full((M, D), expected))
    np.testing.assert_allclose(b, np.full(D, expected))
    np.testing.assert_array_equal(epochs.last()[1], [54, 54])


def test_without_a_mean_the_last_iterate_is_the_result():
    epochs = epochs_over(12, 2, 100, average=False)
    epochs.epoch()
    epochs.end_epoch()
    np.testing.assert_array_equal(epochs.result()[0], np.full((M, D), 6))


@pytest.mark.parametrize("batch_size", [1, 64, 10**6])
@pytest.mark.parametrize("entries", [1.0, 1e3, 1e9])
def test_spans_are_of_about_the_same_work(batch_size, entries):
    span = span_of(SimpleNamespace(batch_size=batch_size), entries, 3)
    work_of_a_batch = (3 * entries + WORK_OF_A_VISIT) * batch_size
    assert (span - 1) * work_of_a_batch < WORK_OF_A_SPAN <= span * work_of_a_batch
