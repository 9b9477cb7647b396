"""Full-batch descent with exact steps and exact momentum.

Conventions: V is (M, D); G is the half gradient, -1/2 dL/dV; one entry an output, (D,), in
losses, steps and curvatures. A supplier is Moments or Passes of `_quadratic`.
"""

import math

import numpy as np

from ._arrays import copied, dot, inverse_of, multiply, namespace, numbers, zeros
from ._moves import Point, is_curved, moves_for
from ._proximal import NO_POLISH, proximal_cycle
from ._quadratic import START_OVERFLOWS
from ._rows import EPS

# A gradient cannot be told from its own rounding error below this; such a tol asks for
# every digit there is.
ROUNDING = 64 * EPS
# Work, in multiply-adds, below which an iteration costs no more than its bookkeeping.
FREE_WORK = 2**17
# A correction this small against the solution: the one before it was right to three digits.
SMALL = 1e-3
# Steps longer than this come from curvatures so flat that conjugacy needs care, and that a
# small gradient may leave a loss that is not.
FLAT_STEP = 1e2


def optimality(V, G, losses, coordinates):
    """Return how far each output is from its optimum, scale-free, (D,); 0 there.

    It is the smaller of LSQR's two measures (Paige & Saunders, 1982). One is the scale-free
    gradient ||X'r|| / (||x_j|| ||r||): the norm of the vector of correlations between the
    residual and the standardised features, penalty included. LSQR divides by the norm of X
    and not by that of a column, so this is as strict or stricter. The other is ||r|| / ||y||
    about the mean, which is what vanishes where the fit is exact; what rounding leaves of
    it counts as nothing.

    Where the penalty has no gradient, the gradient is that of a proximal step of length 1.
    """
    losses = coordinates.objective(V, losses)
    if coordinates.proximal is not None:
        G = coordinates.proximal.gradient(V, G)
    xp, exact = namespace(V), losses <= coordinates.noise(V)
    some_loss = xp.where(exact, 1.0, losses)
    fits = some_loss / xp.maximum(coordinates.null_loss, some_loss)
    return xp.sqrt(xp.where(exact, 0.0, xp.minimum(dot(G, G) / some_loss, fits)))


def worst(V, G, losses, coordinates):
    """Return the largest optimality of an output, a float."""
    return float(namespace(V).max(optimality(V, G, losses, coordinates)))


def certificate(W, coordinates, passes):
    """Return how far the worst output of a model W is from its optimum, from the data."""
    V = coordinates.from_model(W)
    return worst(V, *passes.gradient(V), coordinates)


def path_step(V, supplier, coordinates, history):
    """Descend from V by one supplier, without another look at the data; return V."""
    point = Point(V, *supplier.gradient(V), step=zeros(V.shape[1:], V))
    arguments = supplier, point, history.tol, coordinates, history
    if coordinates.proximal is None:
        return _cycle(*arguments).V
    return proximal_cycle(*arguments, polish=NO_POLISH).V


def exact_steps(V, coordinates, moments, passes, history):
    """Descend with exact steps and exact momentum; certify on the data themselves.

    Moments, where there are any, are descended first. The true gradient is then asked of
    the data, and the correction it calls for is descended in turn, as iterative refinement
    does. When corrections stop shrinking, moments have lost the digits that are missing and
    the descent goes on by passes; when those stop too, rounding is the limit.

    Returns
    -------
    V : ndarray of shape (M, D)
    step : ndarray of shape (D,), the last step of each output, along -dL/dV
    engine : str, the suppliers that ran
    """
    every_digit = history.tol < ROUNDING
    truth = passes.precise() if every_digit else passes
    suppliers = [passes] if moments is None else [moments, passes]
    if coordinates.proximal is not None:
        V = coordinates.proximal.map(V, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        point = Point(V, *suppliers[0].gradient(V), step=zeros(V.shape[1:], V))
    xp = namespace(V)
    if not xp.all(xp.isfinite(point.losses)):
        raise ValueError(START_OVERFLOWS)
    ran = []
    for supplier in suppliers:
        ran.append(supplier.name)
        point = _refine(supplier, truth, point, every_digit, coordinates, history)
        if history.n_left == 0:
            break
    if history.optimality <= history.tol or (every_digit and history.n_left):
        history.stop("tol")
    elif history.n_left:
        history.stop("precision")
    return point.V, point.step / 2.0, "+".join(ran)


def _refine(supplier, truth, point, every_digit, coordinates, history):
    """Repeat: descend the correction, look at the true gradient; until it stands still."""
    tol, last_change, norm = history.tol, math.inf, namespace(point.V).linalg.vector_norm
    target = 0.0 if every_digit else tol
    cycle = _cycle if coordinates.proximal is None else proximal_cycle
    if supplier.work <= FREE_WORK:
        # Iterations that cost nothing go further than asked: nobody waits for them.
        target = target**2
    while True:
        V = point.V
        point = cycle(supplier, point, target, coordinates, history)
        change = float(norm(point.V - V))
        point.G, point.losses = truth.gradient(point.V)
        objective = coordinates.objective(point.V, point.losses)
        history.correct(objective @ coordinates.loss_unit)
        history.optimality = worst(point.V, point.G, point.losses, coordinates)
        # Along a direction too flat for the supplier a small gradient proves nothing: moments
        # cannot tell, and passes must find the next correction small.
        sure = point.longest < 1.0 / supplier.flat
        if not sure and supplier.name == "passes":
            sure = change <= SMALL * float(norm(point.V))
        if history.optimality <= tol and sure and not every_digit:
            history.stop("tol")
            return point
        if history.n_left == 0 or not change < 0.5 * last_change:
            return point
        last_change = change


def _unfinished(V, G, target, coordinates):
    """Return what tells of which outputs there is more to gain, from their first V and G."""
    xp = namespace(V)
    exact_fit = target**2 * coordinates.null_loss + coordinates.noise(V)
    negligible = (4 * EPS) ** 2 * V.shape[0] * dot(G, G)

    def unfinished(losses, G, longest):
        # The loss exceeds its optimum by about the squared gradient times the longest step.
        enough = target**2 * losses / xp.maximum(longest / FLAT_STEP, 1.0)
        return (losses > exact_fit) & (dot(G, G) > xp.maximum(enough, negligible))

    return unfinished


def _exact(supplier, P, G, live):
    """Return H P, P'G and 1 / P'HP, where there is a step to make, and where that is."""
    HP, curvature = supplier.curvature(P)
    ahead = dot(P, G)
    live = live & (ahead > 0) & is_curved(supplier, P, curvature)
    return HP, ahead, inverse_of(curvature, where=live), live


def _cycle(supplier, point, target, coordinates, history):
    """Descend from a point of known gradient until the target or a dead end.

    Each step is exact, for each output, along the gradient made conjugate to the moves
    before it. The gradient is carried along, not asked for again.
    """
    xp, V, G = namespace(point.V), copied(point.V), copied(point.G)
    losses, step, longest = point.losses, point.step, point.longest
    M, D = V.shape
    scratch, loss_unit = np.empty((M, D)), coordinates.loss_unit
    moves = moves_for(V)
    n_steps = min(history.n_left, M) if moves.room == M else history.n_left
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
        history.record(loss, lambda V=V: coordinates.to_model(V))
        if not (n_live and history.n_left):
            break
    return Point(V, G, losses, step, longest)
