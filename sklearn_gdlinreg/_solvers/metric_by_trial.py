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
# The other metric has so many iterations, twice. It is given up where its loss is above so many
# times the one of the first descent, after the first and after the second half.
HALF_TRIAL, HOPELESS = 8, (4.0, 1.0)


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
            found = yield from _catch_up(run_of_other, begin, state, coordinates, limits)
            if found is not None:
                self._metric, run, state = other, run_of_other, found
        return (yield from run(state, limits=limits)) if limits.n_left else state


def _catch_up(run, state, best, coordinates, limits):
    """Return the State that a run leads to in a trial; None where its loss is above the best.

    Meanwhile the iterate is the best State.
    """
    unit = coordinates.loss_unit
    least = float(best.losses @ unit)
    iterate = Iterate(least, functools.partial(coordinates.to_model, best.V))
    for factor in HOPELESS:
        steps = run(state, limits=limits.within(HALF_TRIAL))
        while True:
            try:
                next(steps)
            except StopIteration as end:
                state = end.value
                break
            yield iterate
        if float(state.losses @ unit) > factor * least:
            return None
    return state
