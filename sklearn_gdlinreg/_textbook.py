"""The textbook's descent: W - rate * dL/dW, b - rate * dL/db, and nothing else.

It runs in the coordinates of X itself. The gradient comes from the centred problem of
`_quadratic` by algebra, so that moments serve here too; each iterate is that of the plain
loop, to rounding.

Conventions: M features, D outputs; W (M, D), b (D,).
"""

import math

import numpy as np
from scipy import sparse

from ._arrays import moved, namespace, numbers, take
from ._certificate import optimality
from ._quadratic import START_OVERFLOWS
from ._steps import largest_stable_step

# A loss that grows this many times in a row, by a step above the limit, will not recover.
GROWTHS = 3
# A chunk that makes the loss so many times what it was has thrown the model away; so have
# chunks in a row that make it grow by the second factor.
HOPELESS, GROWN = 1e6, 4.0


class Problem:
    """The loss of a group of outputs and its gradients in (W, b).

    Parameters
    ----------
    group : Group, in raw coordinates
    supplier : Moments or Passes
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


class _GrowthWatch:
    """Raise when the loss grows and the step is why.

    Momentum lets a stable descent grow for a while, so growth alone proves nothing: the
    step is held against the longest stable one, worked out when it is first needed. An
    adaptive schedule is given the time to shorten its step once; one that falls by itself,
    the time that it takes, but it must not end above where it began.
    """

    def __init__(self, problem, schedule, momentum):
        self.problem, self.schedule, self.momentum = problem, schedule, momentum
        self.first, self.last, self.longest = None, math.inf, 0.0
        self.n_growths, self.limit = 0, None
        self.allowed = {"constant": GROWTHS, "adaptive": GROWTHS + schedule.patience}.get(
            schedule.spec if isinstance(schedule.spec, str) else None, math.inf
        )

    def see(self, epoch, loss):
        """Take note of the loss after an epoch."""
        self.n_growths = self.n_growths + 1 if loss > self.last else 0
        self.last = loss
        if epoch == 0:
            self.first = loss
            if not math.isfinite(loss):
                raise ValueError(START_OVERFLOWS)
        else:
            self.longest = max(self.longest, self.schedule.rate)
        if not math.isfinite(loss):
            self._raise(epoch)
        if self.n_growths >= self.allowed and self.schedule.rate > self._limit():
            self._raise(epoch)

    def end(self, epoch):
        """Look back: a descent that ended above where it began was none."""
        if self.last > self.first and self.longest > self._limit():
            self._raise(epoch)

    def _limit(self):
        if self.limit is None:
            self.limit = self.problem.largest_stable_step(**self.momentum)
        return self.limit

    def _raise(self, epoch):
        limit, schedule = self._limit(), self.schedule
        step, which = f"learning_rate={schedule.learning_rate:g}", "one"
        if schedule.learning_rate <= limit < schedule.learning_rate * schedule.largest_factor:
            step += f" times the factor {schedule.largest_factor:g} of the 'schedule' callable"
            which = "factor"
        raise ValueError(
            f"{step} makes the loss grow without bound (epoch {epoch}); the largest stable "
            f"full-batch step for these data is {_rounded_down(limit):.4g}. Use a smaller "
            f'{which}, or learning_rate="auto".'
        )


def _rounded_down(step):
    """Return four digits of a step, not more than it: the one that is named must be stable."""
    if not 1e-300 < step < math.inf:
        return step
    digit = 10.0 ** (math.floor(math.log10(step)) - 3)
    return math.floor(step / digit) * digit


class EpochWatch(_GrowthWatch):
    """The same for the epochs of mini-batches, which go up and down at their end.

    There only a loss that is worse than where it began, and than the mean of y, tells. The
    longest stable step depends on the batch: the full one's bounds it from above.
    """

    def __init__(self, problem, schedule, momentum, W, b):
        super().__init__(problem, schedule, momentum)
        start = problem.gradients(W, b)[2]
        if not math.isfinite(start):
            raise ValueError(START_OVERFLOWS)
        self.bound = 2.0 * max(start, float(namespace(W).sum(problem.groups.null_loss)))

    def see(self, epoch, loss):
        """Take note of the loss of an epoch; return whether to go on."""
        self.n_growths = self.n_growths + 1 if loss > self.last else 0
        self.last = loss
        worse = loss > self.bound and self.n_growths >= self.allowed
        if worse or not math.isfinite(loss):
            self._raise(epoch)
        return self.schedule.see(loss)

    def end(self, epoch):
        """Look back: a descent that ended far above where it began was none."""
        if self.last > self.bound:
            self._raise(epoch)


class ChunkWatch:
    """The same for the chunks of a stream.

    Attributes
    ----------
    null_loss : float
        That of predicting zero, for the worst chunk so far.
    """

    def __init__(self):
        self.null_loss = self.least = 0.0
        self.begin()

    def begin(self):
        """Forget the losses of chunks, of another model."""
        self.last, self.n_growths = math.inf, 0

    def bound(self, X, Y, rows, weight, batch_size, W, b):
        """Return the loss beyond which a chunk has thrown the model away.

        It is far above both that of predicting zero and that of (W, b), the model before the
        chunk, on its first batch.
        """
        xp, B = namespace(Y), min(batch_size, len(rows))
        share = moved(weight / weight.sum(), Y)
        Y, X = xp.astype(take(Y, rows, axis=0), xp.float64), take(X, rows[:B], axis=0)
        self.null_loss = max(self.null_loss, float(share @ xp.sum(Y**2, axis=1)))
        X = X if sparse.issparse(X) else xp.astype(X, xp.float64)
        error = Y[:B, :] - (X @ W + b)
        start = float(xp.sum(share[:B] @ error**2) / xp.sum(share[:B]))
        return HOPELESS * max(self.null_loss, start)

    def diverges(self, loss, bound):
        """Whether a chunk's loss is beyond the bound, or has grown from call to call.

        Growth counts where it is more than noise makes, and the loss worse than that of
        predicting zero.
        """
        if loss > self.last:
            self.n_growths += 1
        else:
            self.n_growths, self.least = 0, loss
        self.last = loss
        limit = max(2.0 * self.null_loss, GROWN * self.least)
        grows = self.n_growths >= GROWTHS and loss > limit
        return self.null_loss > 0.0 and (grows or loss > bound)


def textbook_steps(W, b, groups, schedule, history, **momentum):
    """Descend by the textbook's update, with MLPRegressor's momentum.

    Parameters
    ----------
    W, b : array of shape (M, D) and (D,), where to start
    groups : Groups, in raw coordinates
    schedule : Schedule
    history : History
    **momentum : ``momentum``, float, and ``nesterov``, bool

    Returns
    -------
    W, b : array of shape (M, D) and (D,)
    engine : str, the suppliers that ran
    """
    truth = Problems.by_passes(groups)
    suppliers = [truth]
    if all(group.moments is not None for group in groups):
        suppliers.insert(0, Problems(groups, [Problem(g, g.moments) for g in groups]))
    watch = _GrowthWatch(suppliers[0], schedule, momentum)
    with np.errstate(over="ignore", invalid="ignore"):
        W, b = _descend(W, b, suppliers, watch, schedule, history, **momentum)
    first = suppliers[0].members[0].supplier
    return W, b, first.name


def _descend(W, b, suppliers, watch, schedule, history, *, momentum, nesterov):
    """Run the loop; return W and b.

    The last of the suppliers, the data themselves, must find the end that the first finds;
    where it does not, rounding of moments hides the rest of the way, and it goes on by itself.
    """
    xp, truth = namespace(W), suppliers[-1]
    velocity_W, velocity_b = xp.zeros_like(W), xp.zeros_like(b)
    for t in range(history.max_iter + 1):
        gradient_W, gradient_b, loss, optimal = suppliers[0].gradients(W, b)
        # With tol=0 all iterations are asked for, though the optimum may come before.
        converged = optimal <= history.tol > 0
        if converged and suppliers[0] is not truth:
            gradient_W, gradient_b, loss, optimal = truth.gradients(W, b)
            converged = optimal <= history.tol
            if not converged:
                del suppliers[0]
        if t:
            history.record(loss, lambda W=W, b=b: (W, b))
        watch.see(t, loss)
        if converged:
            history.stop("tol")
        if history.n_left == 0:
            break
        rate = schedule.update(t, loss)
        if rate is None:
            history.stop("learning_rate")
            break
        velocity_W = momentum * velocity_W - rate * gradient_W
        velocity_b = momentum * velocity_b - rate * gradient_b
        # Nesterov's looks one momentum step ahead.
        ahead = momentum if nesterov else 1.0
        own = rate if nesterov else 0.0
        W = suppliers[0].shrunk(W + ahead * velocity_W - own * gradient_W, rate)
        b = b + ahead * velocity_b - own * gradient_b
    watch.end(t)
    return W, b
