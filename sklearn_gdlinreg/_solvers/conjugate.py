"""Full-batch descent with exact steps and exact momentum.

What descends is a generator of iterates, as `iterates` says.

Conventions: V is (M, D); G is the half gradient, -1/2 dL/dV; one value per output, (D,), in
losses, steps and curvatures. A supplier is ByMoments or ByPasses of `_problem.quadratic`.
"""

import math
from dataclasses import dataclass

import numpy as np

from .._base.arrays import (
    copied,
    dot,
    inverse_of,
    multiply,
    namespace,
    numbers,
    weighted_square,
    zeros,
)
from .._base.rounding import EPS
from .._problem.certificate import optimality
from .._problem.quadratic import START_OVERFLOWS
from .conjugate_directions import Point, directions_for, is_curved
from .iterates import LEAST_TOL, Iterate, drive
from .proximal import NO_POLISH, proximal_cycle

# Work, in multiply-adds, below which an iteration costs no more than its bookkeeping.
FREE_WORK = 2**17
# A correction this small against the solution: the one before it was right to three digits.
SMALL = 1e-3
# A step longer than this comes from a curvature below its inverse. Directions are then made
# conjugate twice, and a small gradient does not yet mean that the loss is near its minimum.
FLAT_STEP = 1e2


@dataclass(frozen=True)
class Solution:
    """Where the descent of a group of outputs ended.

    Attributes
    ----------
    V, G, losses, step : as in Point, G and losses as the data say
    reason : "tol", "precision" or "max_iter"
    engine : str, the suppliers that ran
    """

    V: np.ndarray
    G: np.ndarray
    losses: np.ndarray
    step: np.ndarray
    reason: str
    engine: str


def path_step(V, supplier, coordinates, limits):
    """Descend from V by one supplier, without another look at the data; return V."""
    point = Point(V, *supplier.gradient(V), step=zeros(V.shape[1:], V))
    arguments = supplier, point, limits.tol, coordinates, limits
    if coordinates.proximal is None:
        return drive(_cycle(*arguments), limits).V
    return drive(proximal_cycle(*arguments, polish=NO_POLISH), limits).V


def side_by_side(W, groups, limits):
    """Descend the groups of outputs from W, (M, D), an iteration of each at a time.

    Yields the iterates of all outputs together.

    Returns
    -------
    solutions : list of Solution
    """
    starts = [g.coordinates.from_model(W) for g, W in zip(groups, groups.split(W), strict=True)]
    runs = [exact_steps(V, g, limits) for g, V in zip(groups, starts, strict=True)]
    now = [Iterate(0.0, V) for V in starts]
    solutions = [None] * len(runs)
    while None in solutions:
        n_moved = 0
        for k, run in enumerate(runs):
            if solutions[k] is not None:
                continue
            try:
                while (iterate := next(run)).measured:
                    now[k] = iterate
                    yield Iterate(sum(i.loss for i in now), measured=True)
                now[k], n_moved = iterate, n_moved + 1
            except StopIteration as end:
                solutions[k] = end.value
        if n_moved:
            models = [(g.coordinates, i.V) for g, i in zip(groups, now, strict=True)]
            yield Iterate(
                sum(iterate.loss for iterate in now),
                model=lambda models=models: groups.join_models(
                    [c.to_model(V) for c, V in models]
                ),
            )
    return solutions


def _loss(point, coordinates):
    """Return the objective of a Point, summed over its outputs, a float."""
    objective = coordinates.objective(point.V, point.losses)
    return float(objective @ coordinates.loss_unit)


def exact_steps(V, group, limits):
    """Descend a Group from V with exact steps and exact momentum; certify on the data.

    Yields what a descent does; returns a Solution.

    Moments, where there are any, are descended first. The true gradient is then asked of
    the data, and the correction it calls for is descended in turn, as iterative refinement
    does. When corrections stop shrinking, moments have lost the digits that are missing and
    the descent goes on by passes; when those stop too, rounding is the limit.
    """
    coordinates, xp = group.coordinates, namespace(V)
    every_digit = limits.tol < LEAST_TOL
    truth = group.passes.precise() if every_digit else group.passes
    suppliers = [group.passes] if group.moments is None else [group.moments, group.passes]
    if coordinates.proximal is not None:
        V = coordinates.proximal.map(V, 0.0)
    anew = not xp.any(V)
    with np.errstate(over="ignore", invalid="ignore"):
        point = Point(V, *(suppliers[0] if anew else truth).gradient(V), zeros(V.shape[1:], V))
    if not xp.all(xp.isfinite(point.losses)):
        raise ValueError(START_OVERFLOWS)

    def solution(reason, ran):
        engine = "+".join(supplier.name for supplier in ran)
        return Solution(point.V, point.G, point.losses, point.step / 2.0, reason, engine)

    if not anew and _worst(point, coordinates) <= limits.tol:
        return solution("tol", suppliers[:1])
    n_ran = 0
    for supplier in suppliers:
        n_ran += 1
        point, sure = yield from _refine(supplier, truth, point, coordinates, limits)
        converged = _worst(point, coordinates) <= max(limits.tol, LEAST_TOL)
        if (sure and converged and not every_digit) or limits.n_left == 0:
            break
    # Iterations that run out on the way along a flat direction have not found its end.
    if converged and (sure or limits.n_left):
        reason = "tol"
    else:
        reason = "precision" if limits.n_left else "max_iter"
    return solution(reason, suppliers[:n_ran])


def _worst(point, coordinates):
    """Return the largest optimality of an output at a Point, a float."""
    found = optimality(point.V, point.G, point.losses, coordinates)
    return float(namespace(point.V).max(found))


def _refine(supplier, truth, point, coordinates, limits):
    """Repeat: descend the correction, look at the true gradient; until it stands still.

    Yields what a descent does; returns the last Point, and whether its certificate is sure.
    """
    tol, every_digit = limits.tol, limits.tol < LEAST_TOL
    last_change, norm = math.inf, namespace(point.V).linalg.vector_norm
    target = 0.0 if every_digit else tol
    cycle = _cycle if coordinates.proximal is None else proximal_cycle
    if supplier.work <= FREE_WORK:
        # Iterations that cost nothing go further than asked: nobody waits for them.
        target = target**2
    while True:
        before = point
        point = yield from cycle(supplier, point, target, coordinates, limits)
        point.G, point.losses = truth.gradient(point.V)
        point = _better(before, point, coordinates)
        yield Iterate(_loss(point, coordinates), point.V, measured=True)
        change = float(norm(point.V - before.V))
        # Along a direction too flat for the supplier a small gradient proves nothing: moments
        # cannot tell, and passes must find the next correction small.
        sure = point.longest < 1.0 / supplier.flat
        if not sure and supplier.name == "passes":
            sure = change <= SMALL * float(norm(point.V))
        ended = limits.n_left == 0 or not change < 0.5 * last_change
        if ended or (sure and not every_digit and _worst(point, coordinates) <= tol):
            return point, sure
        last_change = change


def _better(before, after, coordinates):
    """Return the later Point, but the earlier one of outputs whose measured loss was less."""
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
    return Point(V, G, losses, after.step, after.longest)


def _unfinished(V, G, target, coordinates):
    """Return a function that says which outputs have not reached the target yet, (D,), bool.

    Parameters
    ----------
    V, G : array of shape (M, D), where the cycle starts
    target : float, the optimality that is asked for
    coordinates : Coordinates
    """
    xp = namespace(V)
    exact_fit = target**2 * coordinates.null_loss + coordinates.noise
    negligible = (4 * EPS) ** 2 * V.shape[0] * dot(G, G)

    def unfinished(losses, G, longest):
        # The loss exceeds its optimum by about the squared gradient times the longest step.
        enough = target**2 * losses / xp.maximum(longest / FLAT_STEP, 1.0)
        return (losses > exact_fit) & (dot(G, G) > xp.maximum(enough, negligible))

    return unfinished


def _exact(supplier, P, G, live):
    """Return H P, P'G, 1 / P'HP, and which outputs make a step, (D,), bool.

    Where an output makes none, 1 / P'HP is 0.
    """
    HP, curvature = supplier.curvature(P)
    ahead = dot(P, G)
    live = live & (ahead > 0) & is_curved(supplier, P, curvature)
    return HP, ahead, inverse_of(curvature, where=live), live


def _cycle(supplier, point, target, coordinates, limits):
    """Descend from a point of known gradient until the target or a dead end.

    Each step is exact, for each output, along the gradient made conjugate to the moves
    before it. The gradient is carried along, not asked for again. Yields what a descent does;
    returns the last Point.
    """
    xp, V, G = namespace(point.V), copied(point.V), copied(point.G)
    losses, step, longest = point.losses, point.step, point.longest
    M, D = V.shape
    scratch, loss_unit = np.empty((M, D)), coordinates.loss_unit
    moves = directions_for(V)
    n_steps = min(limits.n_left, M) if moves.room == M else limits.n_left
    unfinished = _unfinished(V, G, target, coordinates)
    live = unfinished(losses, G, zeros((1,), V) + longest)
    n_live = int(xp.count_nonzero(live))
    for _ in range(n_steps):
        P = moves.direction(G, twice=longest > FLAT_STEP)
        if n_live < D:
            P *= xp.astype(live, P.dtype)
        HP, ahead, inverse, live = _exact(supplier, P, G, live)
        advance = ahead * inverse
        V += multiply(advance, P, out=scratch)
        G -= multiply(advance, HP, out=scratch)
        step = xp.where(live, advance, step)
        losses = xp.maximum(losses - advance * ahead, 0.0)
        furthest = xp.max(advance)
        live = live & unfinished(losses, G, xp.maximum(furthest, longest))
        # All that the host wants to know of this step, in one transfer.
        loss, furthest, n_live = numbers(losses @ loss_unit, furthest, xp.count_nonzero(live))
        if furthest == 0.0:
            break
        longest = max(longest, furthest)
        moves.keep(P, HP, inverse)
        # The next one takes its place.
        del HP
        yield Iterate(loss, V)
        if not (n_live and limits.n_left):
            break
    return Point(V, G, losses, step, longest)
