"""Mini-batch descent over rows that come once: `partial_fit`.

It minimises the loss of all rows so far, with the penalty, both as in `_problem.loss`: each
batch of B rows is a step along its gradient.

Automatic steps are those of `sampling`, in coordinates that follow running moments: each batch
joins them before it is learnt from (`Rule.running`). A row cannot be visited twice here:
steps that would overshoot a batch are shortened instead (`Rule.cautious`). How long the
others are is worked out anew whenever the batches seen have grown by a tenth.

All happens a batch at a time, so that it does not matter how batches are cut into calls.

Conventions: N rows, M features, D outputs, B rows a batch; W (M, D), b (D,).
"""

import copy
import math

import numpy as np
from scipy import sparse

from .._base.arrays import inverse_of, is_numpy, namespace, placed_like, take, to_host, zeros
from .._rows.containers import rows_of
from .._solvers.divergence import ChunkWatch
from .coordinates import StepCoordinates, rare_density
from .epochs import TailAverage
from .sampling import CURVATURE_MARGIN, SAMPLE_ENTRIES, longest_step, power_iteration
from .sgd import SGD_OF, sgd_of
from .solver import textbook_rule
from .update_rule import Rule

# Steps are worked out anew when the batches seen have grown by this.
GROWTH = 1.1
# Rows that are looked at before one is learnt from.
FEW_ROWS = 8
# The most updates that a model to begin with counts as.
MOST_BEFORE = 256
# Squares of values below this lose digits, or are zero.
SMALLEST = 1e-150
# The weighted mean length of long rows, over the mean length of all: 1 to 2 in an epoch.
LONG_ROWS = 1.5


def features_of(X):
    """Return the features that rows hold, an index; all of them if that takes as long."""
    if not sparse.issparse(X) or 4 * X.nnz > X.shape[1]:
        return slice(None)
    return np.unique(X.indices)


class Stream:
    """A model that learns from chunks of rows.

    Parameters
    ----------
    W, b : array of shape (M, D) and (D,), where to start
    fresh : bool
        Whether that start is no model yet, so that the mean of y is a better one.
    batch_size : int or None
        With None, which is for a schedule alone, each chunk is one batch.
    penalty : Penalty
    centred : bool, whether there is an intercept
    average : bool
    schedule : Schedule or None, for automatic steps
    momentum : Momentum
    seed : int or None
        What the shuffling of each chunk follows from; None keeps the order of rows.
    running : array of shape (M + 1, 3), optional
        The moments of the features so far.
    """

    def __init__(
        self, W, b, *, fresh, batch_size, penalty, centred, average, schedule, momentum, seed,
        running=None,
    ):  # fmt: skip
        self.W, self.b, self.fresh = W, b, fresh and schedule is None
        self.penalty, self.centred, self.schedule, self.seed = penalty, centred, schedule, seed
        if schedule is None:
            self.rule = self._automatic(batch_size)
        else:
            self.rule = textbook_rule(penalty, batch_size or 1, momentum, average=average)
        self._textbook = None if batch_size else {"momentum": momentum, "average": average}
        self.tail = TailAverage() if average else None
        # Whether W and b are those of the last update of the SGD.
        self.sgd, self._is_last = None, True
        self.running = running
        # Curvatures are at least 1, the intercept's, in coordinates that fit the data.
        self.t, self.curvature, self.length, self.renew_at = 0, 1.0, 1.0, 1
        # A model to begin with counts as so many updates in the mean of iterates.
        self.n_before = 0
        if running is not None:
            self.length = LONG_ROWS * self._known_length(running)
            self.curvature = self.length
            if average:
                self.n_before = min(MOST_BEFORE, math.ceil(float(running[-1, 0]) / batch_size))
                self.tail.add(W * self.n_before, b * self.n_before, self.n_before)
        self.n_rows, self.total_weight, self.watch = 0, 0.0, ChunkWatch()

    def _automatic(self, batch_size):
        return Rule(
            batch_size=batch_size, divisor=batch_size, cautious=True, running=True,
            least_l2=self.penalty.least_l2, proximal=self.penalty.some,
            positive=self.penalty.positive,
        )  # fmt: skip

    @property
    def n_features(self):
        """The number of features."""
        return self.W.shape[0]

    def restart(self, W, b):
        """Go on from another model, which counts as a few updates; features stay known."""
        if self.sgd is not None:
            self.running, self.sgd = self.sgd.running, None
        if self.tail is not None:
            self.tail = TailAverage()
            self.tail.add(W * FEW_ROWS, b * FEW_ROWS, FEW_ROWS)
        self.W, self.b, self.fresh, self._is_last = W, b, False, True
        self.watch.begin()

    def successor(self):
        """Return a stream that goes on from here, and shares all arrays."""
        other = copy.copy(self)
        for name in ("tail", "sgd", "schedule", "watch"):
            setattr(other, name, copy.copy(getattr(self, name)))
        return other

    def changed_in_place(self, columns):
        """Return what learning from rows that hold these features changes in the arrays."""
        return [] if self.sgd is None else self.sgd.changed_in_place(columns)

    def learn(self, X, Y, weight):
        """Make one pass over a chunk of finite rows; return the mean loss before each update.

        It is infinite where the textbook's steps make it grow without bound, and where values
        are too small for automatic steps.
        """
        weight = np.ones(X.shape[0]) if weight is None else to_host(weight)
        rows = np.flatnonzero(weight)
        if not len(rows):
            return 0.0
        if self.seed is not None:
            rows = np.random.default_rng([self.seed, self.t]).permutation(rows)
        weight = weight[rows]
        if self._textbook is not None:
            self.rule = textbook_rule(self.penalty, len(rows), **self._textbook)
        chunk = rows_of(X, Y, None, centred=False, scaled=False)
        X, Y = chunk.X, chunk.Y
        self._enter(chunk, rows, weight)
        B = self.rule.batch_size
        n_batches = math.ceil(len(rows) / B)
        per_weight, loss, bound = self._rows_per_weight(weight, n_batches), 0.0, 0.0
        if self.schedule is not None:
            bound = self.watch.bound(X, Y, rows, weight, B, *self.last())
        first = 0
        while first < n_batches:
            last = self._end_of_span(per_weight, first, len(rows))
            visits = slice(first * B, last * B)
            loss += self._visit(rows[visits], weight[visits], per_weight[first], last - first)
            if self.t >= self.renew_at and self.schedule is None:
                self._renew(X, rows[(last - 1) * B : last * B])
            first = last
        self.sgd.leave()
        loss /= weight.sum()
        lost = (
            self._vanishes(features_of(X))
            if self.schedule is None
            else self.watch.diverges(loss, bound)
        )
        return math.inf if lost else loss

    def _vanishes(self, columns):
        """Whether there is one of these features of which squares are too small to be floats."""
        mean = self.sgd.running[:-1, 1][columns]
        xp = namespace(mean)
        return bool(xp.any((mean != 0) & (xp.abs(mean) < SMALLEST)))

    def _enter(self, chunk, rows, weight):
        """See that there is an SGD over this chunk, Rows."""
        if type(self.sgd) is SGD_OF[type(chunk)]:
            self.sgd.rule = self.rule
            self.sgd.enter(chunk)
            return
        M = self.W.shape[0]
        running, velocity = self.running, None
        if running is None:
            running = zeros((M + 1, 3), self.W)
        if self.sgd is not None:
            running, velocity = self.sgd.running, self.sgd.velocity
            self.last()
            if self.tail is not None and self.sgd.n_summed:
                self.tail.add(*self.sgd.sum())
        if self.fresh:
            B = self.rule.batch_size
            xp = namespace(self.b)
            Y = xp.astype(take(chunk.Y, rows[:B], axis=0), xp.float64)
            of_mean = placed_like(weight[:B] / weight[:B].sum() * self.centred, self.b)
            self.b = xp.sum(of_mean[:, None] * Y, axis=0)
            self.fresh = False
        none = zeros((M,), self.W)
        coordinates = StepCoordinates(none, none + 1.0, self.centred, self._rare(running))
        raw = self.schedule is not None
        self.sgd = sgd_of(
            self.rule, self.penalty, chunk, coordinates, self.W, self.b, running, raw=raw
        )
        self._is_last = False
        if velocity is not None:
            self.sgd.velocity = velocity

    def _rows_per_weight(self, weight, n_batches):
        """Return one over the mean weight of the rows so far, after each batch."""
        ends = np.minimum(np.arange(1, n_batches + 1) * self.rule.batch_size, len(weight))
        # Summed up one by one, so that the cuts between calls do not matter.
        totals = np.cumsum(np.append(self.total_weight, weight))
        per_weight = (self.n_rows + ends) / totals[ends]
        self.n_rows, self.total_weight = self.n_rows + len(weight), float(totals[-1])
        return per_weight

    def _rule_of(self, n_rows):
        """Return the Rule of batches of so many rows together."""
        if self.schedule is not None or n_rows >= self.rule.batch_size:
            return self.rule
        return self._automatic(n_rows)

    def _end_of_span(self, per_weight, first, n_rows):
        """Return up to where batches can be visited in one go."""
        last = min(len(per_weight), first + self.sgd.span)
        if self.schedule is None:
            last = min(last, first + self.renew_at - self.t)
        if self.tail is not None:
            n_updates = self.t + self.n_before
            last = min(last, first + 2 ** n_updates.bit_length() - n_updates)
        if n_rows < last * self.rule.batch_size:
            # A last batch that is smaller takes the step of its own size.
            last = max(last - 1, first + 1)
        same = per_weight[first:last] == per_weight[first]
        return last if same.all() else first + int(np.argmin(same))

    def _visit(self, rows, weight, per_weight, n_batches):
        """Make the updates of these batches; return the sum of their losses."""
        self.sgd.forget_losses()
        self.sgd.rule = rule = self._rule_of(len(rows))
        if self.schedule is None:
            steps = np.full(n_batches, self.step_of(rule.batch_size))
            # Before there are a few rows, those that nearly agree would make scales of nothing.
            ends = np.minimum(np.arange(1, n_batches + 1) * rule.batch_size, len(rows))
            steps[float(self.sgd.running[-1, 0]) + ends < FEW_ROWS] = 0.0
        else:
            steps = 2.0 * self.schedule.updates(self.t, n_batches)
        self._is_last = False
        self.sgd.visit(rows, weight * per_weight, steps)
        self.sgd.rule = self.rule
        self.t += n_batches
        n_updates = self.t + self.n_before
        if self.tail is not None and n_updates & (n_updates - 1) == 0:
            self.tail.add(*self.sgd.sum())
            self.sgd.forget()
            self.tail.restart()
        return float(namespace(self.b).sum(self.sgd.losses())) / per_weight

    def _renew(self, X, rows):
        """Work out the length of a step from the rows of a batch, and the moments of all."""
        entries = X.shape[1]
        if sparse.issparse(X):
            entries = math.ceil((X.indptr[rows + 1] - X.indptr[rows]).mean())
        # Of a large batch, some rows stand for all.
        n_rows = max(256, SAMPLE_ENTRIES // max(entries, 1))
        X = take(X, rows[:: math.ceil(len(rows) / n_rows)], axis=0)
        # Features that are zero in the whole batch have next to no part in its curvature.
        if sparse.issparse(X):
            columns = np.unique(X.indices[X.data != 0])
        else:
            columns = np.flatnonzero(to_host(namespace(X).any(X != 0, axis=0)))
        X = take(X, columns, axis=1)
        rng, weight = np.random.default_rng(0), np.full(X.shape[0], 1.0 / X.shape[0])
        curvature = power_iteration(X, weight, self.sgd.coordinates(columns), rng)
        self.curvature = max(CURVATURE_MARGIN * curvature, self.centred)
        self.length = LONG_ROWS * (self.sgd.mean_length() + self.centred)
        self.renew_at = math.ceil(GROWTH * self.t)
        self.sgd.tell_rare(self._rare(self.sgd.running))

    def _rare(self, running):
        """Return the density of rare features, as that of StepCoordinates, or None."""
        total = running[-1, 0]
        if self.schedule is not None or not total > 0:
            return None
        return rare_density(running[:-1, 0] / total, self.penalty, self.rule.batch_size)

    def _known_length(self, running):
        """Return the mean squared length of rows in the coordinates of what is known of them."""
        density = running[:-1, 0] / running[-1, 0]
        return float(namespace(density).sum(density**0.5)) + self.centred

    def step_of(self, n_rows):
        """Return the step of a batch of so many rows."""
        return longest_step(self.curvature, self.length, n_rows)

    def rates(self):
        """Return the last step of each output, (D,)."""
        step = self.step_of(self.rule.batch_size)
        if self.schedule is not None:
            step = self.schedule.rate
        return zeros(self.b.shape, self.b) + step

    def mean(self):
        """Return the means of X so far, (M, D), or zeros where they are not known."""
        xp, shape = namespace(self.W), self.W.shape
        running = self.running if self.sgd is None else self.sgd.running
        if not (
            self.centred and running is not None and running.shape[0] and running[-1, 0] > 0
        ):
            return zeros(shape, self.W)
        return xp.broadcast_to(
            (running[:-1, 0] * running[:-1, 1] / running[-1, 0])[:, None], shape
        )

    def last(self):
        """Return the last W and b, worked out once."""
        if not self._is_last:
            self.W, self.b = self.sgd.model()
            self._is_last = True
        return self.W, self.b

    def result(self):
        """Return W and b: the mean of the tail, or the last ones."""
        if self.tail is None or self.sgd is None:
            return self.last()
        W, b = self.tail.mean(self.sgd)
        if self.penalty.smooth or self.schedule is not None:
            return W, b
        return self._with_zeros(W, b)

    def _with_zeros(self, W, b):
        """Return a mean of iterates, zero where a step from the last iterate ends at zero."""
        # Those that are zero already stay so, in a wide sparse stream nearly all.
        some = np.flatnonzero(W.any(axis=1)) if is_numpy(W) else slice(None)
        coordinates, xp = self.sgd.coordinates(some), namespace(W)
        penalty = self.penalty.of_columns(some).seen_from(coordinates.inverse**2)
        step = self.step_of(self.rule.batch_size)
        density = coordinates.density
        if density is not None:
            # A batch that holds a rare feature shrinks its coefficient for those that do not.
            often = xp.where(density > 0, density * self.rule.batch_size, 1.0)
            step = step * inverse_of(often)[:, None]
        after, before = penalty.proximal_map(self.last()[0][some, ...], step), W[some, ...]
        kept = xp.where(after == 0, 0.0, penalty.proximal_map(before, 0.0))
        # The prediction at the centre stays.
        b = b + coordinates.centre @ (before - kept)
        W[some, ...] = kept
        return W, b
