"""Mini-batch descent over rows that can be visited again.

It minimises the loss of `_problem.loss`, with its penalty, by steps along the gradients of B
rows at a time. The steps are those of `sampling`, or the textbook's.

Conventions: N rows, M features, D outputs, B rows a batch; W (M, D), b (D,).
"""

import math
from dataclasses import replace

import numpy as np

from .._base.arrays import copied, namespace, to_host, zeros
from .._problem.certificate import certificate_at
from .._problem.loss import Loss
from .._solvers.conjugate import exact_steps
from .._solvers.divergence import EpochWatch
from .._solvers.iterates import Iterate, Patience, Solution
from .._solvers.proximal import one_proximal_step
from .coordinates import StepCoordinates
from .epochs import Epochs
from .sampling import Visits, automatic
from .sgd import sgd_of
from .update_rule import Rule
from .variance_reduction import pays, variance_reduced_steps


class _Result:
    """The model of each output as it was when that ceased to improve.

    Attributes
    ----------
    W, b, W_last : array of shape (M, D), (D,) and (M, D)
        The result, and the last iterates beside it.
    losses : array of shape (D,)
    """

    def __init__(self, W, b, limits, *, one_by_one):
        self.W, self.b, self.W_last = copied(W), copied(b), copied(W)
        self.losses, self._xp = zeros(b.shape, b), namespace(b)
        n_outputs = b.shape[0]
        parts = [slice(d, d + 1) for d in range(n_outputs)] if one_by_one else [slice(None)]
        self._left = [(p, Patience(limits.tol, limits.n_iter_no_change)) for p in parts]

    @property
    def loss(self):
        """The sum of the losses, a float."""
        return float(self._xp.sum(self.losses))

    def model(self):
        """Return copies of W and b."""
        return copied(self.W), copied(self.b)

    def see(self, epochs, W, b, losses):
        """Take in an epoch; return whether all outputs have ended."""
        left = []
        for part, patience in self._left:
            self.W[:, part], self.b[part], self.losses[part] = W[:, part], b[part], losses[part]
            if not patience.see(float(self._xp.sum(losses[part]))):
                left.append((part, patience))
        if 0 < len(left) < len(self._left):
            self.keep_last(epochs)
            self._left = left
        return not left

    def keep_last(self, epochs):
        """Take the last iterates of the outputs that have not ended before."""
        W, _ = epochs.last()
        for part, _ in self._left:
            self.W_last[:, part] = W[:, part]


def _run(epochs, limits, penalty, *, one_by_one, model_of=None, watch=None):
    """Run epochs until the loss stops improving; yield iterates.

    Returns a _Result, and why it ended by itself, or "max_iter".

    Parameters
    ----------
    epochs : Epochs
    limits : Limits
    penalty : Penalty
    one_by_one : bool
        Whether each output ends as it would alone.
    model_of : callable or None
        Given W, the W and b to show others: with zeros where the penalty asks for them.
    watch : EpochWatch or None
        Told the loss of each epoch; it may end the epochs.
    """
    # An adaptive rate is shortened instead, and ends the descent by itself.
    is_adaptive = watch is not None and watch.schedule.spec == "adaptive"
    endless = limits.tol == 0 or is_adaptive or limits.watched
    result = _Result(*epochs.last(), limits, one_by_one=one_by_one and not endless)
    reason = None
    while limits.n_left and reason is None:
        losses = epochs.epoch()
        W, b = epochs.result()
        epochs.end_epoch()
        ended, loss = result.see(epochs, W, b, losses + penalty.value(W)), result.loss
        show = result.model if model_of is None else lambda: model_of(result.W)
        yield Iterate(loss, show)
        if ended and not endless:
            reason = "no_change"
        if watch is not None and not watch.see(limits.n_done, loss):
            reason = reason or "learning_rate"
    if watch is not None:
        watch.end(limits.n_done)
    result.keep_last(epochs)
    return result, reason or "max_iter"


def automatic_steps(W, group, limits, batches, one_by_one):
    """Descend a group of outputs in mini-batches by automatic steps; a solver.

    Parameters
    ----------
    W : array of shape (M, D), where to start; the intercept starts where it is best
    group : Group
    limits : Limits
    batches : Batches
    one_by_one : bool, as in `_run`
    """
    start, rows = W, group.passes.rows
    if batches.size >= np.count_nonzero(to_host(rows.weight)):
        # Outputs that have no more rows than a batch get what they would get alone.
        solution = yield from exact_steps(W, group, limits)
        return replace(solution, engine="mini-batch")
    epochs, coordinates, step = _automatic_epochs(W, group, batches)
    if limits.max_iter > 1 and batches.average and pays(rows, batches.size):
        return (
            yield from variance_reduced_steps(start, group, limits, epochs, coordinates, step)
        )

    def model_of(W):
        return group.coordinates.to_model(_best_of(group, W)[0])

    smooth = group.penalty.smooth
    result, reason = yield from _run(
        epochs, limits, group.penalty,
        one_by_one=one_by_one, model_of=None if smooth else model_of,
    )  # fmt: skip
    W, b, found = result.W, result.b, None
    if not limits.watched:
        # Without an average the last iterates are the result already.
        others = [result.W_last, start] if batches.average else [start]
        V, G, losses = _best_of(group, W, *others)
        W, b = group.coordinates.to_model(V)
        found = certificate_at(V, G, losses, group.coordinates, group.passes)
    step = zeros(b.shape, b) + step
    return Solution(W, b, result.loss, step, epochs.t, reason, "mini-batch", found)


def _best_of(group, W, *others):
    """Return V of W with zeros where the penalty asks for them, and G and losses there.

    Where another W is better, it is that one.
    """
    c, passes = group.coordinates, group.passes
    V = c.penalty.proximal_map(c.from_model(W), 0.0)
    G, losses = passes.gradient(V)
    for other in others:
        V, G, losses = _better(V, G, losses, c.from_model(other), passes, c)
    return one_proximal_step(passes, V, G, losses, c)


def _better(V, G, losses, other, passes, coordinates):
    """Return V, or another V of the outputs where that is better, and (G, losses) there.

    The last iterate is better than the mean of the tail where rows can all be fitted: the
    descent then converges as a full-batch one does, and the mean of the tail lags behind. The
    start is where there is nothing to learn but noise.
    """
    xp = namespace(V)
    other = coordinates.penalty.proximal_map(other, 0.0)
    if not (xp.any(other) or xp.any(coordinates.null_loss < coordinates.objective(V, losses))):
        # Zeros predict the mean: what they are worth is known.
        return V, G, losses
    G_other, losses_other = passes.gradient(other)
    better = coordinates.objective(other, losses_other) < coordinates.objective(V, losses)
    return (
        xp.where(better, other, V),
        xp.where(better, G_other, G),
        xp.where(better, losses_other, losses),
    )


def _automatic_epochs(W, group, batches):
    """Return the Epochs of a group from W, the coordinates of their steps, and their length."""
    rows, penalty = group.passes.rows, group.penalty
    coordinates, mean = StepCoordinates.balanced(rows, group.coordinates, penalty, batches.size)
    visits, step = automatic(rows, coordinates, batches.size, batches.rng)
    rule = Rule(
        batch_size=batches.size, divisor=batches.size, cautious=not batches.shuffle,
        proximal=penalty.some, positive=penalty.positive,
    )  # fmt: skip
    b = zeros(W.shape[1:], W)
    sgd = sgd_of(rule, penalty, rows, coordinates, W, b, raw=False)
    M = rows.n_features
    sgd.centre_on(mean[:M], mean[M:])

    def rates(t, n):
        # Where the penalty has a kink, the mean of the iterates is off the optimum by some
        # share of the step: steps shrink with the square root of the window of the mean.
        window = 2 ** ((epochs.n_epochs + 1).bit_length() - 1)
        return np.full(n, step if penalty.smooth else step / math.sqrt(window))

    epochs = Epochs(sgd, visits, rates, batches)
    return epochs, coordinates, step


def textbook_rule(penalty, batch_size, momentum, *, average):
    """Return the Rule of the textbook's update, a proximal step after each if one is due."""
    lazy = not (penalty.smooth or average or momentum.decay)
    return Rule(
        batch_size=batch_size, proximal=not penalty.smooth, positive=penalty.positive,
        lazy=lazy, momentum=momentum.decay, nesterov=momentum.nesterov,
    )  # fmt: skip


def textbook_epochs(
    W, b, group, schedule, momentum, limits, batches, one_by_one, longest_stable
):  # fmt: skip
    """Descend a group of outputs in mini-batches by the textbook's update; a solver.

    Parameters
    ----------
    W, b : array of shape (M, D) and (D,), where to start
    group : Group, in raw coordinates
    schedule : Schedule
    momentum : Momentum
    limits : Limits
    batches : Batches
    one_by_one : bool, as in `_run`
    longest_stable : callable, as in GrowthWatch
    """
    rows, penalty = group.passes.rows, group.penalty
    rule = textbook_rule(penalty, batches.size, momentum, average=batches.average)
    sgd = sgd_of(rule, penalty, rows, StepCoordinates.raw(rows), W, b, raw=True)

    def rates(t, n):
        return 2.0 * schedule.updates(t, n)

    epochs = Epochs(sgd, Visits(to_host(rows.weight)), rates, batches)
    watch = EpochWatch(schedule, longest_stable, Loss(group, group.passes), W, b)
    result, reason = yield from _run(epochs, limits, penalty, one_by_one=one_by_one, watch=watch)
    step = zeros(b.shape, b) + schedule.rate
    return Solution(result.W, result.b, result.loss, step, epochs.t, reason, "mini-batch")
