"""The textbook's descent: W - rate * dL/dW, b - rate * dL/db, and nothing else.

It runs in the coordinates of X itself. The gradient comes from the centred problem of
`_quadratic` by algebra, so that moments serve here too; each iterate is that of the plain
loop, to rounding.

Conventions: M features, D outputs; W (M, D), b (D,).
"""

import math

import numpy as np

from ._arrays import dot, inverse_of, namespace, numbers
from ._groups import groups_of
from ._penalty import Proximal
from ._quadratic import START_OVERFLOWS
from ._steps import largest_stable_step

# A loss that grows this many times in a row, by a step above the limit, will not recover.
GROWTHS = 3


class Problem:
    """The loss and its gradients in (W, b).

    Parameters
    ----------
    supplier : Moments or Passes, in raw coordinates
    coordinates : Coordinates, raw
    """

    def __init__(self, supplier, coordinates):
        self.supplier, self.coordinates = supplier, coordinates
        self.mean, self.y_mean = coordinates.mean
        self.null_loss = coordinates.null_loss
        deviation = namespace(self.mean).sqrt(
            coordinates.deviation[:, None] ** 2 + coordinates.ridge
        )
        self.standard = inverse_of(deviation)
        self.proximal = coordinates.proximal
        if self.proximal is not None:
            threshold = self.proximal.threshold * self.standard
            self.standard_proximal = Proximal(threshold, self.proximal.positive)

    def gradients(self, W, b):
        """Return dL/dW, dL/db, L and the optimality at (W, b)."""
        G, losses = self.supplier.gradient(W)
        xp = namespace(W)
        mean_residual = xp.zeros_like(b)
        if self.coordinates.centred:
            mean_residual = self.y_mean - self.mean @ W - b
        losses = self.coordinates.objective(W, losses + mean_residual**2)
        standard = self._standardised(W, G)
        squares = dot(standard, standard) + mean_residual**2
        exact = losses <= self.coordinates.y_noise
        optimal = xp.sqrt(xp.where(exact, 0.0, squares) / xp.where(exact, 1.0, losses))
        gradient_W = -2.0 * (G + self.mean[:, None] * mean_residual)
        loss, worst = numbers(xp.sum(losses), xp.max(optimal))
        return gradient_W, -2.0 * mean_residual, loss, worst

    def _standardised(self, W, G):
        """Return the half gradient of standardised features, or the proximal one."""
        if self.proximal is None:
            return self.standard * G
        V = W * inverse_of(self.standard)
        return self.standard_proximal.gradient(V, self.standard * G)

    def largest_stable_step(self, **momentum):
        """Return the longest constant full-batch step that does not diverge."""
        return largest_stable_step(
            self.supplier, self.mean, fit_intercept=self.coordinates.centred, **momentum
        )

    def shrunk(self, W, rate):
        """Return W after the proximal map of the penalty that has no gradient, if any."""
        return W if self.proximal is None else self.proximal.map(W, 2.0 * rate)


class Problems:
    """The problems of groups of outputs, each over rows of its own; as `Problem`."""

    def __init__(self, groups, members):
        self.groups, self.members = groups, members
        self.null_loss = groups.join([member.null_loss for member in members])

    def gradients(self, W, b):
        """Return dL/dW, dL/db, L and the optimality at (W, b)."""
        parts = zip(self.members, self.groups.split(W), self.groups.split(b), strict=True)
        by_W, by_b, loss, optimal = zip(*(p.gradients(W, b) for p, W, b in parts), strict=True)
        return self.groups.join(by_W), self.groups.join(by_b), sum(loss), max(optimal)

    def largest_stable_step(self, **momentum):
        """Return the longest constant full-batch step that makes no output diverge."""
        return min(member.largest_stable_step(**momentum) for member in self.members)

    def shrunk(self, W, rate):
        """Return W after the proximal map of the penalty that has no gradient, if any."""
        parts = zip(self.members, self.groups.split(W), strict=True)
        return self.groups.join([member.shrunk(W, rate) for member, W in parts])


def problem_of(supplier, coordinates):
    """Return the Problem, or the Problems of groups."""
    groups = groups_of(coordinates)
    if len(groups.outputs) == 1:
        return Problem(supplier, coordinates)
    return Problems(groups, list(map(Problem, supplier.members, coordinates.members)))


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
        limit = self._limit()
        # Four digits, rounded down: the step that is named must itself be stable.
        digit = 10.0 ** (math.floor(math.log10(limit)) - 3)
        raise ValueError(
            f"learning_rate={self.schedule.learning_rate:g} makes the loss grow without "
            f"bound (epoch {epoch}); the largest stable full-batch step for these data is "
            f"{math.floor(limit / digit) * digit:.4g}. Use a smaller one, or "
            'learning_rate="auto".'
        )


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
        self.bound = 2.0 * max(start, float(namespace(W).sum(problem.null_loss)))

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


def textbook_steps(W, b, coordinates, moments, passes, schedule, history, **momentum):
    """Descend by the textbook's update, with MLPRegressor's momentum.

    Parameters
    ----------
    W, b : array of shape (M, D) and (D,), where to start
    coordinates, moments, passes : as `_groups.read_groups` gives them, raw
    schedule : Schedule
    history : History
    **momentum : ``momentum``, float, and ``nesterov``, bool

    Returns
    -------
    W, b : array of shape (M, D) and (D,)
    engine : str, the supplier that ran
    """
    supplier = passes if moments is None else moments
    problem = problem_of(supplier, coordinates)
    watch = _GrowthWatch(problem, schedule, momentum)
    with np.errstate(over="ignore", invalid="ignore"):
        W, b = _descend(W, b, problem, watch, schedule, history, **momentum)
        history.optimality = problem_of(passes, coordinates).gradients(W, b)[-1]
    return W, b, supplier.name


def _descend(W, b, problem, watch, schedule, history, *, momentum, nesterov):
    """Run the loop; return W and b."""
    xp = namespace(W)
    velocity_W, velocity_b = xp.zeros_like(W), xp.zeros_like(b)
    for t in range(history.max_iter + 1):
        gradient_W, gradient_b, loss, optimal = problem.gradients(W, b)
        if t:
            history.record(loss, lambda W=W, b=b: (W, b))
        watch.see(t, loss)
        if optimal <= history.tol:
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
        W = problem.shrunk(W + ahead * velocity_W - own * gradient_W, rate)
        b = b + ahead * velocity_b - own * gradient_b
    watch.end(t)
    return W, b
