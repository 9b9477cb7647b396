"""The textbook's descent: W - rate * dL/dW, b - rate * dL/db, and nothing else.

It runs in the coordinates of X itself. The gradient comes from the centred problem of
`_problem.quadratic` by algebra, so that moments serve here too; each iterate is that of the
plain loop, to rounding.

Conventions: M features, D outputs; W (M, D), b (D,).
"""

from .._base.arrays import namespace, numbers
from .._problem.certificate import optimality
from .divergence import GrowthWatch
from .iterates import Iterate
from .learning_rate import largest_stable_step


class Problem:
    """The loss of a group of outputs and its gradients in (W, b).

    Parameters
    ----------
    group : Group, in raw coordinates
    supplier : ByMoments or ByPasses
    """

    def __init__(self, group, supplier):
        self.supplier, self.coordinates = supplier, group.coordinates
        self.mean, self.y_mean = self.coordinates.mean
        # Sparse rows may be kept in other units than those of X.
        self.unit = self.coordinates.unit[: self.mean.shape[0]]
        ones = [namespace(A).ones_like(A) for A in (self.mean, self.y_mean)]
        self.proximal = group.penalty.proximal(*ones)

    def gradients(self, W, b):
        """Return dL/dW, dL/db, L and the optimality at (W, b)."""
        c, xp, y_unit = self.coordinates, namespace(W), self.coordinates.y_unit
        V = c.from_model(W)
        G, losses = self.supplier.gradient(V)
        mean_residual = xp.zeros_like(b)
        if c.centred:
            mean_residual = self.y_mean - self.mean @ W - b
        off = mean_residual * y_unit
        losses = losses + off**2
        objective = c.objective(V, losses) * c.loss_unit
        worst = xp.max(optimality(V, G, losses, c, off))
        G = G / self.unit[:, None] / y_unit
        gradient_W = -2.0 * (G + self.mean[:, None] * mean_residual)
        loss, worst = numbers(xp.sum(objective), worst)
        return gradient_W, -2.0 * mean_residual, loss, worst

    def largest_stable_step(self, **momentum):
        """Return the longest constant full-batch step that does not diverge."""
        return largest_stable_step(
            self.supplier, self.mean, self.unit,
            fit_intercept=self.coordinates.centred, **momentum,
        )  # fmt: skip

    def shrunk(self, W, rate):
        """Return W after the proximal map of the penalty that has no gradient, if any."""
        return W if self.proximal is None else self.proximal.map(W, 2.0 * rate)


class Problems:
    """The problems of groups of outputs, each over rows of its own; as `Problem`.

    Parameters
    ----------
    groups : Groups
    members : list of Problem
    """

    def __init__(self, groups, members):
        self.groups, self.members = groups, members

    @classmethod
    def by_passes(cls, groups):
        """Return those that ask the data themselves."""
        return cls(groups, [Problem(group, group.passes) for group in groups])

    def gradients(self, W, b):
        """Return dL/dW, dL/db, L and the optimality at (W, b)."""
        parts = zip(self.members, self.groups.split(W), self.groups.split(b), strict=True)
        by_W, by_b, loss, worst = zip(*(p.gradients(W, b) for p, W, b in parts), strict=True)
        return self.groups.join(by_W), self.groups.join(by_b), sum(loss), max(worst)

    def largest_stable_step(self, **momentum):
        """Return the longest constant full-batch step that makes no output diverge."""
        return min(member.largest_stable_step(**momentum) for member in self.members)

    def shrunk(self, W, rate):
        """Return W after the proximal map of the penalty that has no gradient, if any."""
        parts = zip(self.members, self.groups.split(W), strict=True)
        return self.groups.join([member.shrunk(W, rate) for member, W in parts])


def textbook_steps(W, b, groups, schedule, limits, **momentum):
    """Descend by the textbook's update, with MLPRegressor's momentum; a generator of iterates.

    Parameters
    ----------
    W, b : array of shape (M, D) and (D,), where to start
    groups : Groups, in raw coordinates
    schedule : Schedule
    limits : Limits
    **momentum : ``momentum``, float, and ``nesterov``, bool

    Returns
    -------
    W, b : array of shape (M, D) and (D,)
    engine : str, the suppliers that ran
    reason : str or None, why it ended, if by itself
    """
    truth = Problems.by_passes(groups)
    suppliers = [truth]
    if all(group.moments is not None for group in groups):
        suppliers.insert(0, Problems(groups, [Problem(g, g.moments) for g in groups]))
    watch = GrowthWatch(suppliers[0], schedule, momentum)
    run = _descend(W, b, suppliers, watch, schedule, limits, **momentum)
    W, b, reason = yield from run
    first = suppliers[0].members[0].supplier
    return W, b, first.name, reason


def _descend(W, b, suppliers, watch, schedule, limits, *, momentum, nesterov):
    """Run the loop; return W, b and why it ended by itself, or None.

    The last of the suppliers, the data themselves, must find the end that the first finds;
    where it does not, rounding of moments hides the rest of the way, and it goes on by itself.
    """
    xp, truth, reason = namespace(W), suppliers[-1], None
    velocity_W, velocity_b = xp.zeros_like(W), xp.zeros_like(b)
    for t in range(limits.max_iter + 1):
        gradient_W, gradient_b, loss, optimal = suppliers[0].gradients(W, b)
        # With tol=0 all iterations are asked for, though the optimum may come before.
        converged = optimal <= limits.tol > 0
        if converged and suppliers[0] is not truth:
            gradient_W, gradient_b, loss, optimal = truth.gradients(W, b)
            converged = optimal <= limits.tol
            if not converged:
                del suppliers[0]
        if t:
            yield Iterate(loss, model=lambda W=W, b=b: (W, b))
        watch.see(t, loss)
        if converged:
            reason = "tol"
        if converged or limits.n_left == 0:
            break
        rate = schedule.update(t, loss)
        if rate is None:
            reason = "learning_rate"
            break
        velocity_W = momentum * velocity_W - rate * gradient_W
        velocity_b = momentum * velocity_b - rate * gradient_b
        # Nesterov's looks one momentum step ahead.
        ahead = momentum if nesterov else 1.0
        own = rate if nesterov else 0.0
        W = suppliers[0].shrunk(W + ahead * velocity_W - own * gradient_W, rate)
        b = b + ahead * velocity_b - own * gradient_b
    watch.end(t)
    return W, b, reason
