"""Whether a descent by steps of a given length diverges, and the error that says so."""

import math

from scipy import sparse

from .._base.arrays import namespace, placed_like, take
from .._problem.quadratic import START_OVERFLOWS
from .learning_rate import rounded_down

# A loss that grows this many times in a row, by a step above the limit, will not recover.
GROWTHS = 3
# A stream has diverged once a chunk makes the loss so many times as large; or once GROWTHS
# chunks in a row have made it grow to so many times as much, the second number.
HOPELESS, GROWN = 1e6, 4.0


class GrowthWatch:
    """Raise when the loss grows and the step is why.

    Momentum lets a stable descent grow for a while, so growth alone proves nothing: the
    step is held against the longest stable one, worked out when it is first needed. An
    adaptive schedule is given the time to shorten its step once; one that falls by itself,
    the time that it takes, but it must not end above where it began.

    Parameters
    ----------
    schedule : Schedule
    longest_stable : callable
        Returns the longest step by which no output diverges.
    """

    # What is counted, as the error says it.
    unit = "iteration"

    def __init__(self, schedule, longest_stable):
        self.schedule, self.longest_stable = schedule, longest_stable
        self.first, self.last, self.longest = None, math.inf, 0.0
        self.n_growths = 0
        self.allowed = {"constant": GROWTHS, "adaptive": GROWTHS + schedule.patience}.get(
            schedule.spec if isinstance(schedule.spec, str) else None, math.inf
        )

    def see(self, n, loss):
        """Take note of the loss after an iteration."""
        self.n_growths = self.n_growths + 1 if loss > self.last else 0
        self.last = loss
        if n == 0:
            self.first = loss
            if not math.isfinite(loss):
                raise ValueError(START_OVERFLOWS)
        else:
            self.longest = max(self.longest, self.schedule.rate)
        if not math.isfinite(loss):
            self._raise(n)
        if self.n_growths >= self.allowed and self.schedule.rate > self.longest_stable():
            self._raise(n)

    def end(self, n):
        """Raise if the whole descent ended above the loss at which it began."""
        if self.last > self.first and self.longest > self.longest_stable():
            self._raise(n)

    def _raise(self, n):
        limit, schedule = self.longest_stable(), self.schedule
        step, which = f"learning_rate={schedule.learning_rate:g}", "one"
        if schedule.learning_rate <= limit < schedule.learning_rate * schedule.largest_factor:
            step += f" times the factor {schedule.largest_factor:g} of the 'schedule' callable"
            which = "factor"
        raise ValueError(
            f"{step} makes the loss grow without bound ({self.unit} {n}); the largest stable "
            f"full-batch step for these data is {rounded_down(limit):.4g}. Use a smaller "
            f'{which}, or learning_rate="auto".'
        )


class EpochWatch(GrowthWatch):
    """The same for the epochs of mini-batches, which go up and down at their end.

    There only a loss that is worse than where it began, and than the mean of y, tells. The
    longest stable step depends on the batch: the full one's bounds it from above.
    """

    unit = "epoch"

    def __init__(self, schedule, longest_stable, oracle, W, b):
        super().__init__(schedule, longest_stable)
        _, _, start, _ = oracle.gradients(W, b)
        if not math.isfinite(start):
            raise ValueError(START_OVERFLOWS)
        c = oracle.coordinates
        self.bound = 2.0 * max(start, float(namespace(W).sum(c.null_loss * c.loss_unit)))

    def see(self, epoch, loss):
        """Take note of the loss of an epoch; return whether to go on."""
        self.n_growths = self.n_growths + 1 if loss > self.last else 0
        self.last = loss
        worse = loss > self.bound and self.n_growths >= self.allowed
        if worse or not math.isfinite(loss):
            self._raise(epoch)
        return self.schedule.see(loss)

    def end(self, epoch):
        """Raise if the whole descent ended far above the loss at which it began."""
        if self.last > self.bound:
            self._raise(epoch)


class ChunkWatch:
    """The same for the chunks of a stream.

    Attributes
    ----------
    null_loss : float
        The largest loss of a chunk so far if zero were predicted.
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
        weight = placed_like(weight / weight.sum(), Y)
        Y, X = xp.astype(take(Y, rows, axis=0), xp.float64), take(X, rows[:B], axis=0)
        self.null_loss = max(self.null_loss, float(weight @ xp.sum(Y**2, axis=1)))
        X = X if sparse.issparse(X) else xp.astype(X, xp.float64)
        error = Y[:B, :] - (X @ W + b)
        start = float(xp.sum(weight[:B] @ error**2) / xp.sum(weight[:B]))
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
