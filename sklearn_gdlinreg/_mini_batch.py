"""Mini-batch descent over rows that can be visited again: epochs.

The steps are those of `_visits`, or the textbook's. With a constant step the iterates end
up wandering about the optimum, and the mean of the last ones is the answer (Bach and
Moulines 2013; Jain et al. 2018).

Conventions: N rows, M features, D outputs, B rows a batch; W (M, D), b (D,).
"""

import math

import numpy as np

from ._full_batch import optimality
from ._proximal import settle
from ._rule import Rule
from ._textbook import EpochWatch, Problem
from ._visits import Frame, Visits, automatic
from ._walks import penalty_of_steps, walk_of

# Entries visited for each coefficient that a proximal step of all of them moves.
PENALTY_WAIT = 4


class Tail:
    """The mean of the last iterates, about the last half.

    They are summed up in windows, each twice as long as the one before. While a window grows,
    the one before it fades out, so that the mean does not jump.
    """

    def __init__(self):
        self.older, self.newer = None, None

    def _with(self, W, b, n):
        if self.newer is None:
            return W, b, n
        return W + self.newer[0], b + self.newer[1], n + self.newer[2]

    def add(self, W, b, n):
        """Take in the sums of n iterates."""
        self.newer = self._with(W, b, n)

    def restart(self):
        """Begin a new window."""
        self.older, self.newer = self.newer, None

    def mean(self, latest=None):
        """Return the mean W and b; with the sums of the latest iterates, if given."""
        newer = self.newer if latest is None else self._with(*latest)
        if newer is None or self.older is None:
            W, b, n = newer or self.older
            return W / n, b / n
        share = max(0.0, 1.0 - newer[2] / (2.0 * self.older[2]))
        W, b, n = (new + share * old for new, old in zip(newer, self.older, strict=True))
        return W / n, b / n


class Descent:
    """Epochs over rows.

    Parameters
    ----------
    walk : DenseWalk or SparseWalk
    visits : Visits
    rates : callable
        Given the number of updates made and how many follow, their steps, an array.
    rng : RandomState or None
        What shuffles the visits; None keeps their order.
    average : bool
    """

    def __init__(self, walk, visits, rates, rng, *, average):
        self.walk, self.visits, self.rates, self.rng = walk, visits, rates, rng
        self.tail = Tail() if average else None
        self.t = self.n_epochs = 0

    def epoch(self):
        """Visit all rows once; return the mean loss before each update, (D,)."""
        if self.rng is not None:
            self.visits.shuffle(self.rng)
        self.walk.loss[:] = 0.0
        n_batches = math.ceil(len(self.visits.rows) / self.walk.rule.batch_size)
        # The first half of the first epoch is the way there, not the tail.
        half = n_batches // 2 if self.n_epochs == 0 else 0
        self._visit(0, half)
        self.walk.forget()
        self._visit(half, n_batches)
        self.n_epochs += 1
        if self.tail is not None:
            self.tail.add(*self.walk.sum())
        return self.walk.losses() / self.visits.total

    def _visit(self, first, last):
        """Make the updates of these batches of the epoch, a span at a time."""
        B = self.walk.rule.batch_size
        for start in range(first, last, self.walk.span):
            stop = min(start + self.walk.span, last)
            rows, weight = self.visits.span(start * B, stop * B)
            self.walk.visit(rows, weight, self.rates(self.t, stop - start), self.t)
            self.t += stop - start

    def result(self):
        """Return W and b: the mean of the tail, or the last ones."""
        return self.walk.model() if self.tail is None else self.tail.mean()

    def end_epoch(self):
        """Move the window of the tail on, after epochs 1, 2, 4, 8 and so on."""
        if self.tail is not None and self.n_epochs & (self.n_epochs - 1) == 0:
            self.tail.restart()


class Patience:
    """Whether a loss still improves by tol, relatively, within some epochs."""

    def __init__(self, tol, n_iter_no_change):
        self.tol, self.allowed = tol, n_iter_no_change
        self.best, self.n_worse = math.inf, 0

    def see(self, loss):
        """Take in a loss; return whether patience has run out."""
        self.n_worse = 0 if loss < self.best * (1.0 - self.tol) else self.n_worse + 1
        self.best = min(self.best, loss)
        return self.tol > 0 and self.n_worse >= self.allowed


def descend(
    descent, history, *, penalty, n_iter_no_change, validate=None, settled=None, watch=None
):
    """Run epochs until the loss stops improving; return W and b.

    Parameters
    ----------
    descent : Descent
    history : History
    penalty : Penalty
    n_iter_no_change : int
    validate : callable or None
        Given W and b, the loss on rows held out; the best of all epochs is then returned.
    settled : callable or None
        Given W, the W and b to validate: with zeros where the penalty asks for them.
    watch : EpochWatch or None
        Told the loss of each epoch; it may end the descent.
    """
    patience, best = Patience(history.tol, n_iter_no_change), None
    while history.n_left:
        loss = float(descent.epoch().sum())
        W, b = descent.result()
        descent.end_epoch()
        history.record(loss + penalty.value(W))
        if validate is not None:
            if settled is not None:
                W, b = settled(W)
            history.validation_losses.append(validate(W, b))
            loss = history.validation_losses[-1]
            if best is None or loss < best[0]:
                best = loss, W, b
        # An adaptive rate is shortened instead, and ends the descent by itself.
        adaptive = watch is not None and watch.schedule.spec == "adaptive"
        done = patience.see(loss if validate else history.losses[-1])
        if done and not (adaptive and validate is None):
            history.stop_reason = "tol" if validate is None else "early_stopping"
            break
        if watch is not None and not watch.see(len(history.losses), history.losses[-1]):
            history.stop_reason = "learning_rate"
            break
    if watch is not None:
        watch.end(len(history.losses))
    return (W, b) if best is None else best[1:]


def automatic_steps(W, coordinates, passes, history, *, penalty, rng, average, **options):
    """Descend in mini-batches by automatic steps.

    Parameters
    ----------
    W : ndarray of shape (M, D), where to start; the intercept starts where it is best
    coordinates, passes : as `_quadratic.read` gives them
    history : History
    penalty : Penalty
    rng : RandomState
    average : bool
    **options : ``batch_size``, ``shuffle``, and those of `descend`

    Returns
    -------
    W, b : ndarray of shape (M, D) and (D,)
    step : float
    n_updates : int
    """
    rows = passes.rows
    frame, y_mean = Frame.balanced(rows, coordinates, penalty.l2.min())
    batch_size, shuffle = options.pop("batch_size"), options.pop("shuffle")
    visits, step = automatic(rows, frame, batch_size, rng)
    period = 0
    if penalty.some:
        period = penalty_period(rows.n_features, rows.entries_of_a_row * batch_size)
        # At least once an epoch.
        period = min(period, math.ceil(len(visits.rows) / batch_size))
    rule = Rule(
        batch_size=batch_size, divisor=batch_size, cautious=not shuffle,
        period=period, positive=penalty.positive,
    )  # fmt: skip
    numbers = penalty_of_steps(penalty, raw=False)
    walk = walk_of(rule, numbers, rows, frame, W, np.zeros(W.shape[1]))
    walk.centre_on(y_mean)

    def rates(t, n):
        # Iterates that bounce off a bend wander about a point beside it, the further the
        # longer they step: steps shrink with the square root of the tail's window.
        window = 2 ** ((descent.n_epochs + 1).bit_length() - 1)
        return np.full(n, step if penalty.smooth else step / math.sqrt(window))

    def settled(W):
        V = coordinates.from_model(W)
        return coordinates.to_model(settle(passes, V, *passes.gradient(V), coordinates)[0])

    descent = Descent(walk, visits, rates, rng if shuffle else None, average=average)
    W, b = descend(
        descent, history, penalty=penalty, settled=None if penalty.smooth else settled, **options
    )
    V = coordinates.from_model(W)
    G, losses = passes.gradient(V)
    V, G = V.copy(), G.copy()
    if options["validate"] is None:
        if average:
            last = coordinates.from_model(walk.model()[0])
            V, G, losses = _better(V, G, losses, last, passes, coordinates)
        V, G, losses = settle(passes, V, G, losses, coordinates)
        W, b = coordinates.to_model(V)
    history.optimality = float(optimality(V, G, losses, coordinates).max())
    return W, b, step, descent.t


def _better(V, G, losses, last, passes, coordinates):
    """Return the mean of the tail, or the last iterate of the outputs where that is better.

    It is where rows can all be fitted: the descent then converges as a full-batch one does,
    and the mean of the tail lags behind.
    """
    G_last, losses_last = passes.gradient(last)
    objective, objective_last = (
        coordinates.objective(*point) for point in ((V, losses), (last, losses_last))
    )
    better = objective_last < objective
    return (
        np.where(better, last, V),
        np.where(better, G_last, G),
        np.where(better, losses_last, losses),
    )


def penalty_period(n_features, n_visited):
    """Return every how many batches to take a proximal step, given the entries that one visits.

    It moves every coefficient, so it waits until a few times as many entries of X have been
    visited.
    """
    if n_visited >= n_features:
        return 1
    # Rounding must not decide.
    return max(math.ceil(PENALTY_WAIT * n_features / max(n_visited, 1) - 1e-6), 1)


def textbook_rule(penalty, batch_size, *, average, momentum, nesterov):
    """Return the Rule of the textbook's update, a proximal step after each if one is due."""
    lazy = not (penalty.smooth or average or momentum)
    return Rule(
        batch_size=batch_size, period=not penalty.smooth, positive=penalty.positive,
        lazy=lazy, momentum=momentum, nesterov=nesterov,
    )  # fmt: skip


def textbook_epochs(
    W, b, coordinates, passes, schedule, history, *, penalty, rng, average, momentum, **options
):
    """Descend in mini-batches by the textbook's update; parameters as `automatic_steps`.

    Parameters
    ----------
    schedule : Schedule
    momentum : dict of ``momentum``, float, and ``nesterov``, bool
    """
    rows = passes.rows
    rule = textbook_rule(penalty, options.pop("batch_size"), average=average, **momentum)
    numbers = penalty_of_steps(penalty, raw=True)
    walk = walk_of(rule, numbers, rows, Frame.raw(rows), W, b)

    def rates(t, n):
        return 2.0 * schedule.updates(t, n)

    rng = rng if options.pop("shuffle") else None
    descent = Descent(walk, Visits(rows.weight), rates, rng, average=average)
    problem = Problem(passes, coordinates)
    watch = EpochWatch(problem, schedule, momentum, W, b)
    with np.errstate(over="ignore", invalid="ignore"):
        W, b = descend(descent, history, penalty=penalty, watch=watch, **options)
        history.optimality = problem.gradients(W, b)[-1]
    return W, b, descent.t
