"""Full-batch descent with exact steps and exact momentum.

It minimises, for each output, the objective of the centred problem ``null - 2 B'V + V'HV`` plus
the L1 term of the penalty. The half gradient of the first part is ``G = B - HV``; see
`_problem.quadratic`. Where the penalty has no gradient, the steps are those of `proximal`.

Conventions: M features, D outputs; V and G are (M, D); one value per output, (D,), in losses,
steps and curvatures. A supplier is ByMoments or ByPasses. What descends is a generator of
iterates, as `iterates` says; the cycles of a solver return a State.
"""

import functools
import math

import numpy as np

from .._base.arrays import copied, dot, multiply, namespace, to_floats, weighted_square, zeros
from .._base.rounding import EPS
from .._problem.certificate import Goal, optimality
from .._problem.metric import Plain
from .._problem.quadratic import START_OVERFLOWS
from .conjugate_directions import directions_for
from .exact_step import State, exact_step
from .iterates import LEAST_TOL, Iterate, Solution, drive
from .proximal import NO_POLISH, proximal_cycle

# Work, in multiply-adds, below which an iteration costs no more than its bookkeeping.
FREE_WORK = 2**17
# Where a correction is this small, relative to the coefficients, the one before was right to
# three digits.
SMALL = 1e-3
# A step longer than this comes from a curvature below its inverse. Directions are then made
# conjugate twice, and a small gradient does not yet mean that the loss is near its minimum.
FLAT_STEP = 1e2


def path_step(V, supplier, coordinates, limits):
    """Descend from V by one supplier, without another look at the data; return V."""
    state = State(V, *supplier.gradient(V), step=zeros(V.shape[1:], V))
    arguments = supplier, state, limits.tol, coordinates, limits
    if coordinates.penalty.smooth:
        return drive(_cycle(*arguments, Plain()), limits).V
    return drive(proximal_cycle(*arguments, polish=NO_POLISH), limits).V


def exact_steps(W, group, limits):
    """Descend a group of outputs from W, (M, D), and certify on the data; a solver.

    Moments, where there are any, are descended first. The true gradient is then asked of
    the data, and the correction it calls for is descended in turn, as iterative refinement
    does. When corrections stop shrinking, moments have lost the digits that are missing and
    the descent goes on by passes; when those stop too, rounding is the limit.
    """
    coordinates, xp = group.coordinates, namespace(W)
    every_digit = limits.tol < LEAST_TOL
    truth = group.passes.precise() if every_digit else group.passes
    suppliers = [group.passes] if group.moments is None else [group.moments, group.passes]
    V = coordinates.penalty.proximal_map(coordinates.from_model(W), 0.0)
    from_zero = not xp.any(V)
    with np.errstate(over="ignore", invalid="ignore"):
        first = suppliers[0] if from_zero else truth
        state = State(V, *first.gradient(V), zeros(V.shape[1:], V))
    if not xp.all(xp.isfinite(state.losses)):
        raise ValueError(START_OVERFLOWS)
    if not from_zero and _worst(state, coordinates) <= limits.tol:
        return _solution(state, coordinates, limits, "tol", suppliers[:1])
    # Those who look at each iterate are shown the way of plain steps, with useful models on it.
    plain = group.moments is None or limits.watched or limits.shown
    plain = plain or not coordinates.penalty.smooth
    metric = Plain() if plain else group.moments.metric()
    n_ran = 0
    for supplier in suppliers:
        n_ran += 1
        state, sure = yield from _refine(supplier, truth, state, coordinates, limits, metric)
        converged = _worst(state, coordinates) <= max(limits.tol, LEAST_TOL)
        if (sure and converged and not every_digit) or limits.n_left == 0:
            break
    # Iterations that run out on the way along a flat direction have not found its end.
    if converged and (sure or limits.n_left):
        reason = "tol"
    else:
        reason = "precision" if limits.n_left else "max_iter"
    return _solution(state, coordinates, limits, reason, suppliers[:n_ran])


def _solution(state, coordinates, limits, reason, ran):
    """Return the Solution of a State; its gradient and losses are those that the data say."""
    return Solution(
        *coordinates.to_model(state.V), _loss(state, coordinates), state.step / 2.0,
        limits.n_done, reason, "+".join(supplier.name for supplier in ran),
        known=(state.G, state.losses),
    )  # fmt: skip


def _loss(state, coordinates):
    """Return the objective of a State, summed over its outputs, a float."""
    objective = coordinates.objective(state.V, state.losses)
    return float(objective @ coordinates.loss_unit)


def _worst(state, coordinates):
    """Return the largest optimality of an output at a State, a float."""
    found = optimality(state.V, state.G, state.losses, coordinates)
    return float(namespace(state.V).max(found))


def _refine(supplier, truth, state, coordinates, limits, metric):
    """Repeat: descend the correction, look at the true gradient; until it stands still.

    Yields what a descent does; returns the last State, and whether its certificate is sure.
    """
    tol, every_digit = limits.tol, limits.tol < LEAST_TOL
    last_change, norm = math.inf, namespace(state.V).linalg.vector_norm
    target = 0.0 if every_digit else tol
    cycle = proximal_cycle
    if coordinates.penalty.smooth:
        cycle = functools.partial(_cycle, metric=metric)
    if supplier.work <= FREE_WORK:
        # Iterations that take next to no time go on to more digits than were asked for.
        target = target**2
    while True:
        before = state
        state = yield from cycle(supplier, state, target, coordinates, limits)
        state.G, state.losses = truth.gradient(state.V)
        state = _better(before, state, coordinates)
        model = functools.partial(coordinates.to_model, state.V)
        yield Iterate(_loss(state, coordinates), model, measured=True)
        change = float(norm(state.V - before.V))
        # Along a direction too flat for the supplier a small gradient proves nothing: moments
        # cannot tell, and passes must find the next correction small.
        sure = state.longest < 1.0 / supplier.flat
        if not sure and supplier.name == "passes":
            sure = change <= SMALL * float(norm(state.V))
        ended = limits.n_left == 0 or not change < 0.5 * last_change
        if ended or (sure and not every_digit and _worst(state, coordinates) <= tol):
            return state, sure
        last_change = change


def _better(before, after, coordinates):
    """Return the later State, but the earlier one of outputs whose measured loss was less."""
    xp = namespace(after.V)
    least = coordinates.objective(before.V, before.losses)
    # What rounding of predictions makes of a loss is no difference.
    rounding = 4 * EPS * xp.sqrt(weighted_square(coordinates.square, before.V))
    slack = 2.0 * xp.sqrt(least) * rounding + rounding**2 + coordinates.noise
    worse = coordinates.objective(after.V, after.losses) > least + slack
    if not xp.any(worse):
        return after
    V, G, losses = (
        xp.where(worse, old, new)
        for old, new in ((before.V, after.V), (before.G, after.G), (before.losses, after.losses))
    )
    return State(V, G, losses, after.step, after.longest)


def _cycle(supplier, state, target, coordinates, limits, metric):
    """Descend from a state of known gradient until the target or a dead end.

    Each step is exact, for each output, along the gradient, seen in a metric and made conjugate
    to the moves before it. The gradient is carried along, not asked for again. Yields iterates;
    returns the last State.
    """
    xp, V, G = namespace(state.V), copied(state.V), copied(state.G)
    losses, step, longest = state.losses, state.step, max(state.longest, metric.longest)
    M, D = V.shape
    scratch, loss_unit = np.empty((M, D)), coordinates.loss_unit
    directions = directions_for(V)
    n_steps = min(limits.n_left, M) if directions.room == M else limits.n_left
    goal, negligible = Goal(target, coordinates), (4 * EPS) ** 2 * M * dot(G, G)

    def unfinished(losses, G, longest):
        # The loss exceeds its optimum by about the squared gradient times the longest step.
        flatness = xp.maximum(longest / FLAT_STEP, 1.0)
        return goal.missed(losses, dot(G, G), negligible, flatness)

    live = unfinished(losses, G, zeros((1,), V) + longest)
    n_live = int(xp.count_nonzero(live))
    for _ in range(n_steps):
        P = directions.direction(metric.direction(G), twice=longest > FLAT_STEP)
        if n_live < D:
            P *= xp.astype(live, P.dtype)
        along = exact_step(supplier, P, G, live, metric.least_slope(coordinates))
        length = along.descent * along.inverse
        V += multiply(length, P, out=scratch)
        G -= multiply(length, along.image, out=scratch)
        step = xp.where(along.curved, length, step)
        losses = xp.maximum(losses - length * along.descent, 0.0)
        furthest = xp.max(metric.reach(P, length, along.inverse))
        live = along.curved & unfinished(losses, G, xp.maximum(furthest, longest))
        # All that the host wants to know of this step, in one transfer.
        loss, furthest, n_live = to_floats(losses @ loss_unit, furthest, xp.count_nonzero(live))
        if furthest == 0.0:
            break
        longest = max(longest, furthest)
        directions.keep(P, along.image, along.inverse)
        # The next image takes the place of this one.
        del along
        yield Iterate(loss, functools.partial(coordinates.to_model, V))
        if not (n_live and limits.n_left):
            break
    return State(V, G, losses, step, longest)
