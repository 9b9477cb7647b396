"""Descent in one of two metrics: in the second one where that turns out to be the faster.

No rule says in advance which of them makes the descent the shorter. So a slow one is compared
with as many iterations in the other metric, from where it began. The problem is the same in
both, and so is its only minimum: the choice is one of time.

Conventions are those of `conjugate`.
"""

import functools

import numpy as np

from .._base.arrays import dot, to_host
from .conjugate_directions import directions_for
from .iterates import Iterate

# A descent is looked at after so many iterations, and then again after a few more each time,
# until its squared gradient is this share of the loss. It is slow where that of half of the
# outputs has not been halved since the last look.
FIRST, AGAIN, NEAR = 12, 4, 1e-4
# The rounds of a trial: how many iterations are made in the first metric and in the other one;
# above how many times the loss of the first one the other is given up, and up to how many times
# it is taken. The last round is for two that are close to each other.
ROUNDS = (0, 8, 4.0, 0.0), (0, 8, 1.5, 1.0), (16, 16, 1.0, 1.0)


class MetricByTrial:
    """A cycle of descent in a metric or in its alternative.

    Parameters
    ----------
    cycle : callable, as `conjugate._cycle`
    metric : Plain, with an alternative
    """

    def __init__(self, cycle, metric):
        self._cycle, self._metric, self._other = cycle, metric, metric.alternative

    def __call__(self, supplier, state, target, coordinates, limits):
        """Descend from a state of known gradient; yields iterates, returns the last State."""

        def in_metric(metric):
            directions = directions_for(state.V, curved=coordinates.is_curved)
            return functools.partial(
                self._cycle, supplier, target=target, coordinates=coordinates, metric=metric,
                directions=directions,
            )  # fmt: skip

        run, other, self._other = in_metric(self._metric), self._other, None
        if other is None:
            return (yield from run(state, limits=limits))
        begin, n_steps, square = state, FIRST, np.inf
        while True:
            look, before = limits.within(min(n_steps, limits.n_left)), square
            state = yield from run(state, limits=look)
            if look.n_left or not limits.n_left:
                return state
            square, n_steps = to_host(dot(state.G, state.G)), AGAIN
            slow, far = 2.0 * square > before, square > NEAR * to_host(state.losses)
            if not far.any() or 2 * np.count_nonzero(slow & far) >= len(far):
                break
        if far.any():
            run_of_other = in_metric(other)
            runs, states = (run, run_of_other), (state, begin)
            taken, state = yield from _compare(runs, states, coordinates, limits)
            if taken:
                self._metric, run = other, run_of_other
        return (yield from run(state, limits=limits)) if limits.n_left else state


def _compare(runs, states, coordinates, limits):
    """Return whether the second of two runs is the faster one, and the State of the faster.

    While the second one is on trial, the iterate is the State of the first.
    """
    (first, second), (best, rival), unit = runs, states, coordinates.loss_unit
    for n_first, n_second, hopeless, enough in ROUNDS:
        if n_first:
            look = limits.within(n_first)
            best = yield from first(best, limits=look)
            if look.n_left:
                break
        least = float(best.losses @ unit)
        iterate = Iterate(least, functools.partial(coordinates.to_model, best.V))
        steps = second(rival, limits=limits.within(n_second))
        while True:
            try:
                next(steps)
            except StopIteration as end:
                rival = end.value
                break
            yield iterate
        loss = float(rival.losses @ unit)
        if loss <= enough * least:
            return True, rival
        if loss > hopeless * least:
            break
    return False, best
