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
from dataclasses import replace

import numpy as np

from .._base.arrays import copied, dot, namespace, to_floats, weighted_square, zeros
from .._base.fused import advance
from .._base.rounding import EPS
from .._problem.certificate import Goal, certificate_at, optimality
from .._problem.metric import Plain
from .._problem.quadratic import START_OVERFLOWS
from .conjugate_directions import directions_for
from .exact_step import State, exact_step
from .iterates import LEAST_TOL, Iterate, Solution, drive
from .metric_by_trial import MetricByTrial
from .proximal import proximal_cycle
from .working_set import working_set_cycle

# Work, in multiply-adds, below which an iteration costs no more than its bookkeeping, and below
# which the same is true of a pass in the widest float there is.
FREE_WORK, FREE_PASS = 2**17, 2**12
# In the metric of a sample of the rows a descent takes about 14 iterations. Where 30 are not
# enough, the products of all rows are worth their time.
MOST_SAMPLED_STEPS = 30
# With so many outputs for each feature, steps of all of them at once are the fastest.
MANY_OUTPUTS = 10
# Proximal steps where a minimum may be one of many.
ALIKE_STEPS = 300
# Where a correction is this small, relative to the coefficients, the one before was right to
# three digits.
SMALL = 1e-3
# Squares of gradients up to so many times what rounding makes of them may be all rounding.
NEARLY_NEGLIGIBLE = 1e4
# A step longer than this comes from a curvature below its inverse. Directions are then made
# conjugate twice, and a small gradient does not yet mean that the loss is near its minimum.
FLAT_STEP = 1e2


def path_step(V, supplier, coordinates, limits):
    """Descend from V where the penalty is smooth, by one supplier alone; return V.

    Outputs for which V is worse than zero begin there.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        G, losses = supplier.gradient(V)
    sound = losses <= coordinates.null_loss
    if not sound.all():
        V = np.where(sound, V, 0.0)
        G, losses = supplier.gradient(V)
    state = State(V, G, losses, step=zeros(V.shape[1:], V))
    return drive(_cycle(supplier, state, limits.tol, coordinates, limits, Plain()), limits).V


def _cycle_for(supplier, penalty, metric, *, by_sets):
    """Return what descends by a supplier: a generator function that returns the last State."""
    if penalty.smooth:
        if metric.alternative:
            return MetricByTrial(_cycle, metric)
        return functools.partial(_cycle, metric=metric)
    n_features, n_outputs = supplier.shape
    many_outputs = n_outputs > MANY_OUTPUTS * n_features
    if many_outputs or not by_sets or supplier.gram is None:
        return proximal_cycle
    return _alike_cycle if _may_have_many_minima(supplier, penalty) else working_set_cycle


def _alike_cycle(supplier, state, target, coordinates, limits):
    """Descend by proximal steps, which treat features alike; by working sets if that is slow."""
    first = limits.within(min(ALIKE_STEPS, limits.n_left // 2))
    state = yield from proximal_cycle(supplier, state, target, coordinates, first)
    if first.n_left or not limits.n_left:
        return state
    return (yield from working_set_cycle(supplier, state, target, coordinates, limits))


def _may_have_many_minima(supplier, penalty):
    """Whether products show that non-negative coefficients may have more than one minimum.

    Proximal steps treat features alike: where they end depends on the data, and not on the
    order of the features or on rounding.
    """
    unique = penalty.has_l1 or supplier.by_passes
    return not unique and supplier.metric().longest == 0.0


def exact_steps(W, group, limits):
    """Descend a group of outputs from W, (M, D), and certify on the data; a solver."""
    if group.with_all_rows is None:
        return (yield from _descend(W, group, limits))
    solution = yield from _descend(W, group, limits.within(MOST_SAMPLED_STEPS))
    if solution.reason == "tol" or limits.n_left == 0:
        return solution
    # The sample differs too much from all rows to give a metric for them.
    ran = solution.engine
    solution = yield from _descend(solution.W, group.with_all_rows(), limits)
    return replace(solution, engine=_names(f"{ran}+{solution.engine}".split("+")))


def _descend(W, group, limits):
    """Descend a group of outputs in one metric; a solver.

    Moments, where there are any, are descended first. The true gradient is then asked of
    the data, and the correction it calls for is descended in turn, as iterative refinement
    does. When corrections stop shrinking, moments have lost the digits that are missing and
    the descent goes on by passes; when those stop too, rounding is the limit.
    """
    coordinates, every_digit = group.coordinates, limits.tol < LEAST_TOL
    free = group.passes.work <= FREE_PASS
    truth = group.passes.precise() if every_digit or free else group.passes
    suppliers = [group.passes] if group.moments is None else [group.moments, group.passes]
    again = free and group.metric.longest > 0.0
    state, measured, stepped = yield from _start(
        W, group, suppliers[0], truth, ahead=not every_digit
    )
    known = measured and not (stepped and again)
    if known and _worst(state, coordinates) <= limits.tol:
        return _solution(state, group, limits, "tol", suppliers[:1])
    n_ran = 0
    for supplier in suppliers:
        n_ran += 1
        arguments = supplier, truth, state, coordinates, limits, group.metric
        if supplier.sampled:
            state = yield from _start_from_sample(*arguments)
            continue
        state, sure, found = yield from _refine(*arguments, again=again, by_sets=group.by_sets)
        converged = found <= max(limits.tol, LEAST_TOL)
        if (sure and converged and not every_digit) or limits.n_left == 0:
            break
    # Iterations that run out on the way along a flat direction have not found its end.
    if converged and (sure or limits.n_left):
        reason = "tol"
    else:
        reason = "precision" if limits.n_left else "max_iter"
    return _solution(state, group, limits, reason, suppliers[:n_ran])


def _start(W, group, supplier, truth, *, ahead):
    """Return the State where descent begins, and how it came about.

    Returns
    -------
    state : State
    measured : bool, whether its gradient is that of the data
    stepped : bool
        Whether a step has been made, and yielded: from zero a metric may know the exact one
        ``ahead`` of any gradient.
    """
    coordinates, xp = group.coordinates, namespace(W)
    V = coordinates.penalty.proximal_map(coordinates.from_model(W), 0.0)
    measured, steps = bool(xp.any(V)), zeros(V.shape[1:], V)
    first = group.metric.step_from_zero() if ahead and not measured else None
    if first is not None and xp.any(first):
        state = State(first, *truth.gradient(first), steps + 1.0, group.metric.longest)
        if xp.all(state.losses <= coordinates.null_loss):
            yield _measured(state, coordinates)._replace(measured=False)
            return state, True, True
    with np.errstate(over="ignore", invalid="ignore"):
        G, losses = (truth if measured else supplier).gradient(V)
    if not xp.all(xp.isfinite(losses)):
        raise ValueError(START_OVERFLOWS)
    return State(V, G, losses, steps), measured, False


def _solution(state, group, limits, reason, ran):
    """Return the Solution of a State; its gradient and losses are those that the data say."""
    coordinates = group.coordinates
    return Solution(
        *coordinates.to_model(state.V), _loss(state, coordinates), state.step / 2.0,
        limits.n_done, reason, _names(supplier.name for supplier in ran),
        certificate_at(state.V, state.G, state.losses, coordinates, group.passes),
    )  # fmt: skip


def _names(ran):
    """Return the name of an engine, given the names of its parts."""
    return "+".join(sorted(set(ran)))


def _loss(state, coordinates):
    """Return the objective of a State, summed over its outputs, a float."""
    objective = coordinates.objective(state.V, state.losses)
    return float(objective @ coordinates.loss_unit)


def _worst(state, coordinates):
    """Return the largest optimality of an output at a State, a float."""
    found = optimality(state.V, state.G, state.losses, coordinates)
    return float(namespace(state.V).max(found))


def _refine(supplier, truth, state, coordinates, limits, metric, *, again, by_sets):
    """Repeat: descend the correction, look at the true gradient; until it stands still.

    Moments square the condition number and so lose digits; a correction by the gradient of the
    data finds them (Björck, 1987). With ``again``, one more correction is made where the model
    is already good enough. Yields what a descent does; returns the last State, whether its
    certificate is sure, and the largest optimality of an output there.
    """
    tol, every_digit = limits.tol, limits.tol < LEAST_TOL
    last_change, enough, norm = math.inf, None, namespace(state.V).linalg.vector_norm
    target = 0.0 if every_digit else tol
    cycle = _cycle_for(supplier, coordinates.penalty, metric, by_sets=by_sets)
    if supplier.work <= FREE_WORK:
        # Iterations that take next to no time go on to more digits than were asked for.
        target = target**2
    # The floor is made now, as this takes memory that the moves of a cycle will take later.
    _ = supplier.floor
    while True:
        before = state
        state = yield from cycle(supplier, state, target, coordinates, limits)
        if not (state.looked and supplier is truth):
            state.G, state.losses = truth.gradient(state.V)
        state = _better(before, state, coordinates)
        yield _measured(state, coordinates)
        # Along a direction too flat for the supplier a small gradient proves nothing: moments
        # cannot tell, and passes must find the next correction small.
        sure, found = state.longest < 1.0 / supplier.flat, _worst(state, coordinates)
        reached = found <= tol and not every_digit
        change = float(norm(state.V - before.V))
        if not sure and (supplier.by_passes or metric.longest > 0.0):
            moved = change > 0.0 or limits.n_left > 0
            sure = moved and change <= SMALL * float(norm(state.V))
        ended = limits.n_left == 0 or not change < 0.5 * last_change
        if sure and reached and again and not ended:
            again, enough = False, (state, sure, found)
            target, limits = 0.0, limits.within(1)
        elif ended or (sure and reached):
            return enough if enough and not (sure and reached) else (state, sure, found)
        last_change = change


def _start_from_sample(supplier, truth, state, coordinates, limits, metric):
    """Descend by a sample of the rows, to find where to start from; return the State."""
    before = state
    state = yield from _cycle(supplier, state, limits.tol, coordinates, limits, metric)
    state.G, state.losses = truth.gradient(state.V)
    after, state = state, _better(before, state, coordinates)
    if state is not after:
        # Where the descent began, only the gradient of the sample is known.
        state.G, state.losses = truth.gradient(state.V)
    yield _measured(state, coordinates)
    return state


def _measured(state, coordinates):
    """Return the Iterate of a State whose losses have been computed from the data."""
    model = functools.partial(coordinates.to_model, state.V)
    return Iterate(_loss(state, coordinates), model, measured=True)


def _better(before, after, coordinates):
    """Return the later State, but the earlier one of outputs whose measured loss was less."""
    xp = namespace(after.V)
    least = coordinates.objective(before.V, before.losses)
    found = coordinates.objective(after.V, after.losses)
    if not xp.any(found > least):
        return after
    # What rounding of predictions makes of a loss is no difference.
    rounding = 4 * EPS * xp.sqrt(weighted_square(coordinates.square, before.V))
    slack = 2.0 * xp.sqrt(least) * rounding + rounding**2 + coordinates.noise
    worse = found > least + slack
    if not xp.any(worse):
        return after
    V, G, losses = (
        xp.where(worse, old, new)
        for old, new in ((before.V, after.V), (before.G, after.G), (before.losses, after.losses))
    )
    return State(V, G, losses, after.step, after.longest)


def _is_stuck(square, before, negligible):
    """Whether a gradient stands still so close to rounding that it is all rounding, (D,).

    The moves that it asks for lead astray. Arguments are squares of gradients, (D,).
    """
    return (square < NEARLY_NEGLIGIBLE * negligible) & (square > 0.25 * before)


def _cycle(supplier, state, target, coordinates, limits, metric, directions=None):
    """Descend from a state of known gradient until the target or a dead end.

    Each step is exact, for each output, along the gradient, seen in a metric and made conjugate
    to the moves before it: those of ``directions`` too, where a cycle is gone on with. The
    gradient is carried along, not asked for again. Yields iterates; returns the last State.
    """
    (M, D), xp, V, G = state.V.shape, namespace(state.V), copied(state.V), copied(state.G)
    losses, step, longest = state.losses, state.step, max(state.longest, metric.longest)
    unit, summed = coordinates.loss_unit, losses if supplier.by_passes else coordinates.null_loss
    directions = directions or directions_for(V, curved=coordinates.is_curved)
    n_steps = min(limits.n_left, M) if directions.room == M else limits.n_left
    goal, square = Goal(target, coordinates), dot(G, G)
    negligible = (4 * EPS) ** 2 * M * square

    def unfinished(losses, square, longest):
        # The loss exceeds its optimum by about the squared gradient times the longest step.
        flatness = xp.maximum(longest / FLAT_STEP, 1.0)
        return goal.missed(losses, square, negligible, flatness)

    live = unfinished(losses, square, zeros((1,), V) + longest)
    n_live = int(xp.count_nonzero(live))
    for _ in range(n_steps):
        P = directions.direction(metric.direction(G), twice=longest > FLAT_STEP)
        if n_live < D:
            P *= xp.astype(live, P.dtype)
        least = metric.least_descent(P, losses, summed, coordinates)
        along = exact_step(supplier, P, G, live, least)
        length = along.descent * along.inverse
        before, square = square, advance(V, G, P, along.image, length)
        step = xp.where(along.curved, length, step)
        losses = xp.maximum(losses - length * along.descent, 0.0)
        furthest = xp.max(metric.reach(P, length, along.inverse))
        live = along.curved & unfinished(losses, square, xp.maximum(furthest, longest))
        live = live & ~_is_stuck(square, before, negligible)
        # All that the host wants to know of this step, in one transfer.
        loss, furthest, n_live = to_floats(losses @ unit, furthest, xp.count_nonzero(live))
        if furthest == 0.0:
            break
        longest = max(longest, furthest)
        yield Iterate(loss, functools.partial(coordinates.to_model, V))
        directions.keep(P, along.image, along.inverse)
        if not (n_live and limits.n_left):
            break
        # The next image takes the place of this one.
        del along
    return State(V, G, losses, step, longest)
