"""Mini-batch descent over rows that can be visited again.

The steps are those of `sampling`, or the textbook's.

Conventions: N rows, M features, D outputs, B rows a batch; W (M, D), b (D,).
"""

import copy
import math

import numpy as np

from .._base.arrays import copied, dot, namespace, to_host, zeros
from .._solvers.conjugate import exact_steps
from .._solvers.divergence import EpochWatch
from .._solvers.gradient_descent import Problems
from .._solvers.iterates import Iterate, Patience
from .._solvers.proximal import settle
from .epochs import Descent, Descents
from .frame import Frame
from .sampling import Visits, automatic
from .sgd import penalty_of_steps, sgd_of
from .update_rule import Rule


class _Result:
    """The model of each output as it was when that ceased to improve.

    Outputs with rows of their own end one by one, as they would alone; others together.

    Attributes
    ----------
    W, b, W_last : array of shape (M, D), (D,) and (M, D)
        The result, and the last iterates beside it.
    losses : array of shape (D,)
    """

    def __init__(self, W, b, limits, *, alone):
        self.W, self.b, self.W_last = copied(W), copied(b), copied(W)
        self.losses, self._xp = zeros(b.shape, b), namespace(b)
        n_outputs = b.shape[0]
        parts = [slice(d, d + 1) for d in range(n_outputs)] if alone else [slice(None)]
        self.left = [(p, Patience(limits.tol, limits.n_iter_no_change)) for p in parts]

    def see(self, descent, W, b, losses):
        """Take in an epoch; return whether all outputs have ended."""
        left = []
        for part, patience in self.left:
            self.W[:, part], self.b[part], self.losses[part] = W[:, part], b[part], losses[part]
            if not patience.see(float(self._xp.sum(losses[part]))):
                left.append((part, patience))
        if 0 < len(left) < len(self.left):
            self.keep_last(descent)
            self.left = left
        return not left

    def keep_last(self, descent):
        """Take the last iterates of the outputs that have not ended before."""
        W, _ = descent.last()
        for part, _ in self.left:
            self.W_last[:, part] = W[:, part]


def descend(descent, limits, *, penalty_at, settled=None, watch=None):
    """Run epochs until the loss stops improving; a generator of iterates.

    Returns W, b, the last W, and why it ended by itself, or None.

    Parameters
    ----------
    descent : Descent or Descents
    limits : Limits
    penalty_at : callable
        Given W, the penalty of each output, (D,).
    settled : callable or None
        Given W, the W and b to show others: with zeros where the penalty asks for them.
    watch : EpochWatch or None
        Told the loss of each epoch; it may end the descent.
    """
    # An adaptive rate is shortened instead, and ends the descent by itself.
    adaptive = watch is not None and watch.schedule.spec == "adaptive"
    patient = limits.tol == 0 or adaptive or limits.watched
    alone = isinstance(descent, Descents) and not patient
    result = _Result(*descent.last(), limits, alone=alone)
    reason = None
    while limits.n_left and reason is None:
        losses = descent.epoch()
        W, b = descent.result()
        descent.end_epoch()
        ended = result.see(descent, W, b, losses + penalty_at(W))

        def model():
            return (copied(result.W), copied(result.b)) if settled is None else settled(result.W)

        loss = float(namespace(W).sum(result.losses))
        yield Iterate(loss, model=model)
        if ended and not patient:
            reason = "no_change"
        if watch is not None and not watch.see(limits.n_done, loss):
            reason = reason or "learning_rate"
    if watch is not None:
        watch.end(limits.n_done)
    result.keep_last(descent)
    return result.W, result.b, result.W_last, reason


def automatic_steps(W, groups, limits, *, rng, average, batch_size, shuffle):
    """Descend in mini-batches by automatic steps.

    Parameters
    ----------
    W : array of shape (M, D), where to start; the intercept starts where it is best
    groups : Groups
    limits : Limits
    rng : RandomState
    average, shuffle : bool
    batch_size : int

    Returns
    -------
    W, b : array of shape (M, D) and (D,)
    known : list of (G, losses), as `Groups.certify` takes it, or None
    step : array of shape (D,)
    n_updates : int
    reason : str or None, why it ended, if by itself
    """
    start = W

    def begin(group, W, rng):
        if batch_size >= np.count_nonzero(to_host(group.passes.rows.weight)):
            return ExactEpochs(W, group, limits)
        return _automatic_descent(
            W, group, rng=rng, average=average, batch_size=batch_size, shuffle=shuffle
        )

    descent = _descent_of(groups, begin, rng, W)

    def settled(W):
        parts = zip(groups, groups.split(W), strict=True)
        return groups.join_models([_settled(group, W)[:2] for group, W in parts])

    smooth = all(group.penalty.smooth for group in groups)
    W, b, last, reason = yield from descend(
        descent, limits, penalty_at=_penalty_at(groups), settled=None if smooth else settled
    )
    if limits.watched:
        return W, b, None, descent.step, descent.t, reason
    parts = zip(groups, *map(groups.split, (W, last, start)), strict=True)
    # Without an average the last iterates are the answer already.
    ends = [_settled(g, W, *[last][: int(average)], start) for g, W, last, start in parts]
    known = [(G, losses) for *_, G, losses in ends]
    return *groups.join_models([end[:2] for end in ends]), known, descent.step, descent.t, reason


def _penalty_at(groups):
    """Return a function of W that gives the penalty of each output, (D,)."""

    def penalty_at(W):
        parts = zip(groups, groups.split(W), strict=True)
        return groups.join([group.penalty.values(W) for group, W in parts])

    return penalty_at


def _settled(group, W, *others):
    """Return W with zeros where the penalty asks for them, the best b, and (G, losses) there.

    Where another W is better, it is that one.
    """
    c, passes = group.coordinates, group.passes
    V = c.from_model(W)
    if c.proximal is not None:
        V = c.proximal.map(V, 0.0)
    G, losses = passes.gradient(V)
    for other in others:
        V, G, losses = _better(V, G, losses, c.from_model(other), passes, c)
    V, G, losses = settle(passes, V, G, losses, c)
    return *c.to_model(V), G, losses


def _descent_of(groups, begin, rng, *arrays):
    """Return the Descent, or the Descents of groups; each shuffles as if it were alone."""
    if len(groups) == 1:
        return begin(groups.members[0], *arrays, rng)
    parts = zip(groups, *(groups.split(A) for A in arrays), strict=True)
    return Descents(groups, [begin(*part, copy.deepcopy(rng)) for part in parts])


def _automatic_descent(W, group, *, rng, average, batch_size, shuffle):
    """Return the Descent of a group by automatic steps from W."""
    rows, penalty = group.passes.rows, group.penalty
    frame, mean = Frame.balanced(rows, group.coordinates, penalty, batch_size)
    visits, step = automatic(rows, frame, batch_size, rng)
    rule = Rule(
        batch_size=batch_size, divisor=batch_size, cautious=not shuffle,
        proximal=penalty.some, positive=penalty.positive,
    )  # fmt: skip
    numbers = penalty_of_steps(penalty, raw=False)
    sgd = sgd_of(rule, numbers, rows, frame, W, zeros(W.shape[1:], W))
    M = rows.n_features
    sgd.centre_on(mean[:M], mean[M:])

    def rates(t, n):
        # Where the penalty has a kink, the mean of the iterates is off the optimum by some
        # share of the step: steps shrink with the square root of the window of the mean.
        window = 2 ** ((descent.n_epochs + 1).bit_length() - 1)
        return np.full(n, step if penalty.smooth else step / math.sqrt(window))

    descent = Descent(sgd, visits, rates, rng if shuffle else None, average=average)
    descent.step = zeros(W.shape[1:], W) + step
    return descent


class ExactEpochs:
    """Full-batch descent of outputs that have no more rows than a batch; as `Descent`.

    They get what they would get alone. An epoch is an iteration.
    """

    def __init__(self, W, group, limits):
        self.group, self.t, self.step = group, 0, zeros(W.shape[1:], W)
        self._V = group.coordinates.from_model(W)
        self._run = exact_steps(self._V, group, limits)

    def epoch(self):
        """Make one iteration, if there is one left; return the losses after it, (D,)."""
        try:
            iterate = next(self._run)
            while iterate.measured:
                iterate = next(self._run)
            self._V, self.t = iterate.V, self.t + 1
        except StopIteration as end:
            if end.value is not None:
                self._V, self.step = end.value.V, end.value.step
        c, V = self.group.coordinates, self._V
        _, losses = self.group.passes.gradient(V)
        return (losses - dot(c.ridge * V, V)) * c.loss_unit

    def end_epoch(self):
        """Do nothing: there is no average."""

    def result(self):
        """Return W and b."""
        return self.group.coordinates.to_model(self._V)

    last = result


def _better(V, G, losses, other, passes, coordinates):
    """Return V, or another V of the outputs where that is better, and (G, losses) there.

    The last iterate is better than the mean of the tail where rows can all be fitted: the
    descent then converges as a full-batch one does, and the mean of the tail lags behind. The
    start is where there is nothing to learn but noise.
    """
    xp = namespace(V)
    if coordinates.proximal is not None:
        other = coordinates.proximal.map(other, 0.0)
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


def textbook_rule(penalty, batch_size, *, average, momentum, nesterov):
    """Return the Rule of the textbook's update, a proximal step after each if one is due."""
    lazy = not (penalty.smooth or average or momentum)
    return Rule(
        batch_size=batch_size, proximal=not penalty.smooth, positive=penalty.positive,
        lazy=lazy, momentum=momentum, nesterov=nesterov,
    )  # fmt: skip


def textbook_epochs(
    W, b, groups, schedule, limits, *, rng, average, batch_size, shuffle, momentum
):
    """Descend in mini-batches by the textbook's update; parameters as `automatic_steps`.

    Parameters
    ----------
    schedule : Schedule
    momentum : dict of ``momentum``, float, and ``nesterov``, bool
    """

    def rates(t, n):
        return 2.0 * schedule.updates(t, n)

    def begin(group, W, b, rng):
        rows = group.passes.rows
        rule = textbook_rule(group.penalty, batch_size, average=average, **momentum)
        numbers = penalty_of_steps(group.penalty, raw=True)
        sgd = sgd_of(rule, numbers, rows, Frame.raw(rows), W, b)
        visits = Visits(to_host(rows.weight))
        return Descent(sgd, visits, rates, rng if shuffle else None, average=average)

    descent = _descent_of(groups, begin, rng, W, b)
    watch = EpochWatch(Problems.by_passes(groups), schedule, momentum, W, b)
    run = descend(descent, limits, penalty_at=_penalty_at(groups), watch=watch)
    W, b, _, reason = yield from run
    return W, b, descent.t, reason
