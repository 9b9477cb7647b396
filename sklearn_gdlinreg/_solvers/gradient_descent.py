"""The textbook's descent: W - rate * dL/dW, b - rate * dL/db, and nothing else.

It minimises the loss L(W, b) of `_problem.loss`, with its penalty, in the coordinates of X: each
iterate is that of the plain loop, to rounding. Where the penalty has no gradient, a proximal
step follows each update.

Conventions: M features, D outputs; W (M, D), b (D,).
"""

from .._base.arrays import namespace, zeros
from .._problem.loss import Loss
from .divergence import GrowthWatch
from .iterates import Iterate, Solution


def textbook_steps(W, b, group, schedule, momentum, limits, longest_stable):
    """Descend a group of outputs by the textbook's update; a solver, as in `iterates`.

    Gradients are asked of moments where there are any. Where these say that the descent has
    converged, the data are asked; if they disagree, moments have lost the digits that the rest
    of the descent needs, and it goes on by passes over the data.

    Parameters
    ----------
    W, b : array of shape (M, D) and (D,), where to start
    group : Group, in raw coordinates
    schedule : Schedule
    momentum : Momentum
    limits : Limits
    longest_stable : callable, as in GrowthWatch
    """
    xp, reason = namespace(W), "max_iter"
    truth = Loss(group, group.passes)
    oracle = truth if group.moments is None else Loss(group, group.moments)
    engine, watch = oracle.supplier.name, GrowthWatch(schedule, longest_stable)
    velocity_W, velocity_b = xp.zeros_like(W), xp.zeros_like(b)
    for t in range(limits.max_iter + 1):
        by_W, by_b, loss, optimal = oracle.gradients(W, b)
        # With tol=0 all iterations are asked for, though the optimum may come before.
        converged = optimal <= limits.tol > 0
        if converged and oracle is not truth:
            by_W, by_b, loss, optimal = truth.gradients(W, b)
            converged = optimal <= limits.tol
            oracle = oracle if converged else truth
        if t:
            yield Iterate(loss, lambda W=W, b=b: (W, b))
        watch.see(t, loss)
        if converged:
            reason = "tol"
        if converged or limits.n_left == 0:
            break
        rate = schedule.update(t, loss)
        if rate is None:
            reason = "learning_rate"
            break
        velocity_W, change_W = momentum.change(velocity_W, -rate * by_W)
        velocity_b, change_b = momentum.change(velocity_b, -rate * by_b)
        # The map is that of half the L1 term, which goes with half the gradient: twice as long.
        W = oracle.penalty.proximal_map(W + change_W, 2.0 * rate)
        b = b + change_b
    watch.end(t)
    return Solution(W, b, loss, zeros(b.shape, b) + schedule.rate, t, reason, engine)
