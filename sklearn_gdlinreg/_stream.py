"""Mini-batch descent over rows that come once: `partial_fit`.

Automatic steps are those of `_visits`, in a frame worked out from running moments, which
each batch joins before it is learnt from. A row cannot be visited twice here: steps that
would overshoot a batch are shortened instead (`Rule.cautious`). The frame is renewed when
the data seen have grown by a tenth, or when a batch no longer fits it.

All happens a batch at a time, so that it does not matter how batches are cut into calls.

Conventions: N rows, M features, D outputs, B rows a batch; W (M, D), b (D,).
"""

import copy
from dataclasses import dataclass

import numpy as np
from sklearn.utils.sparsefuncs import mean_variance_axis

from ._epochs import Rule
from ._mini_batch import Tail
from ._visits import CURVATURE_MARGIN, Frame, power_iteration
from ._walks import walk_of

# The frame is renewed when the data seen have grown by this, early on at every batch.
GROWTH = 1.1
# A deviation below this share of the mean is that of a constant, by rounding.
CONSTANT = 1e-8
# The weighted mean length of long rows, over the mean length of all: 1 to 2 in an epoch.
LENGTH_MARGIN = 1.5


@dataclass
class _Chunk:
    """What a walk wants to know of its rows."""

    X: object
    Y: np.ndarray

    @property
    def n_rows(self):
        """The number of rows."""
        return self.X.shape[0]

    @property
    def held_unit(self):
        """Ones: chunks are kept as they come."""
        return np.ones(self.X.shape[1] + self.Y.shape[1])

    def csr(self):
        """Return data, indices and indptr."""
        index_type = np.result_type(self.X.indices, self.X.indptr)
        indices = self.X.indices.astype(index_type, copy=False)
        return self.X.data, indices, self.X.indptr.astype(index_type, copy=False)


def _with_own_arrays(part):
    """Return a copy of an object, and of the arrays that are its attributes."""
    other = copy.copy(part)
    for name, value in vars(part).items() if part is not None else ():
        if isinstance(value, np.ndarray):
            setattr(other, name, value.copy())
    return other


class _Moments:
    """Running moments of the features, and of y its mean."""

    def __init__(self, n_features, n_outputs):
        self.total, self.n_rows = 0.0, 0
        self.mean, self.square, self.filled = np.zeros((3, n_features))
        self.y_mean = np.zeros(n_outputs)

    def add(self, X, Y, weight):
        """Take in a batch (Chan, Golub & LeVeque, 1983)."""
        added = weight.sum()
        if isinstance(X, np.ndarray):
            mean = weight @ X / added
            variance = weight @ (X - mean) ** 2 / added
            filled = weight @ (X != 0)
        else:
            mean, variance = mean_variance_axis(X, axis=0, weights=weight)
            filled = np.bincount(
                X.indices, np.repeat(weight, np.diff(X.indptr)), minlength=X.shape[1]
            )
        share = added / (self.total + added)
        change = mean - self.mean
        self.square += share * (variance - self.square + (1 - share) * change**2)
        self.mean += share * change
        self.y_mean += share * (weight @ Y / added - self.y_mean)
        self.filled += filled
        self.total += added
        self.n_rows += len(weight)


class Stream:
    """A model that learns from chunks of rows.

    Parameters
    ----------
    W, b : ndarray of shape (M, D) and (D,), where to start
    fresh : bool
        Whether that start is no model yet, so that the mean of y is a better one.
    batch_size : int
    alpha : float
    centred : bool, whether there is an intercept
    average : bool
    schedule : Schedule or None, for automatic steps
    momentum : dict, as in `_mini_batch.textbook_epochs`
    rng : RandomState or None, what shuffles each chunk
    """

    def __init__(
        self, W, b, *, fresh, batch_size, alpha, centred, average, schedule, momentum, rng
    ):
        self.rng = rng
        self.W, self.b, self.fresh = W, b, fresh
        self.alpha, self.centred, self.schedule = alpha, centred, schedule
        if schedule is None:
            self.rule = Rule(
                batch_size=batch_size, divisor=batch_size, cautious=True, period=alpha > 0
            )
        else:
            self.rule = Rule(batch_size=batch_size, shrink=alpha, **momentum)
        self.moments = _Moments(*W.shape)
        self.tail = Tail() if average else None
        self.walk, self.frame, self.step = None, None, 0.0
        self.t, self.seen_at_renewal = 0, 0.0

    def snapshot(self):
        """Return a copy that learns on its own; what never changes is shared."""
        other = copy.copy(self)
        for name in ("moments", "tail", "walk", "schedule"):
            setattr(other, name, _with_own_arrays(getattr(self, name)))
        other.rng = copy.deepcopy(self.rng)
        return other

    def learn(self, X, Y, weight):
        """Make one pass over a chunk; return its mean loss before each update."""
        B, loss = self.rule.batch_size, 0.0
        for start in range(0, len(weight), B):
            rows = slice(start, start + B)
            loss += self._learn_batch(_Chunk(X[rows], Y[rows]), weight[rows])
        self.walk.leave()
        return loss / weight.sum()

    def _learn_batch(self, batch, weight):
        X = batch.X.astype(np.float64)
        self.moments.add(X, batch.Y.astype(np.float64), weight)
        self._prepare(X, batch)
        relative = weight * (self.moments.n_rows / self.moments.total)
        steps = np.full(1, self.step)
        if self.schedule is not None:
            steps = 2.0 * self.schedule.updates(self.t, 1)
        self.walk.loss[:] = 0.0
        rows = np.arange(len(weight), dtype=np.intp)
        self.walk.visit(rows, relative, steps, self.t)
        self.t += 1
        if self.tail is not None and self.t & (self.t - 1) == 0:
            self.tail.add(*self.walk.sum())
            self.walk.forget()
            self.tail.restart()
        return float(self.walk.losses().sum()) / (self.moments.n_rows / self.moments.total)

    def _prepare(self, X, batch):
        """See that there is a walk over this batch, in a frame that fits it."""
        kept = self.walk is not None and self.walk.takes(batch)
        if kept and (self.schedule is not None or self._fits()):
            self.walk.enter(batch)
            return
        self.W, self.b = self.last()
        if self.walk is not None and self.tail is not None and self.walk.n_summed:
            self.tail.add(*self.walk.sum())
        velocity = None if self.walk is None else self.walk.velocity
        self.frame = self._renewed(X)
        if self.fresh and self.schedule is None:
            self.b = (self.moments.y_mean - self.frame.centre @ self.W) * self.centred
        self.fresh = False
        self.walk = walk_of(self.rule, batch, self.frame, self.W, self.b)
        if velocity is not None:
            self.walk.velocity = velocity

    def _fits(self):
        """Whether no feature has become twice as large, or moved by its size.

        One that has said nothing so far waits for the next renewal: it does no harm.
        """
        m, inverse = self.moments, self.frame.inverse
        if m.total >= GROWTH * self.seen_at_renewal:
            return False
        moved = (m.mean * self.centred - self.frame.centre) * inverse
        grown = self._frame().inverse * 2.0 < inverse
        return not (grown.any() or (moved**2 > self.length).any())

    def _square(self):
        """Return the mean squares of the features about their centres, (M,)."""
        m = self.moments
        square = m.square if self.centred else m.square + m.mean**2
        return np.where(square > (CONSTANT * m.mean) ** 2, square, 0.0)

    def _frame(self):
        """Return the frame of the data seen so far."""
        m, penalty = self.moments, np.full(len(self.moments.mean), self.alpha)
        return Frame.of(m.mean, self._square(), m.filled / m.total, penalty, self.centred)

    def _renewed(self, X):
        """Return a frame for all data seen, and set the step that goes with it."""
        m, n_features = self.moments, X.shape[1]
        if self.schedule is not None:
            zeros = np.zeros(n_features)
            return Frame(zeros, np.ones(n_features), zeros, self.centred)
        frame, square = self._frame(), self._square()
        self.length = np.maximum(square * frame.inverse**2, 1e-300)
        self.seen_at_renewal = m.total
        share, B = 1.0 / self.rule.batch_size, X.shape[0]
        rng = np.random.RandomState(0)
        curvature = CURVATURE_MARGIN * power_iteration(X, np.full(B, 1.0 / B), frame, rng)
        length = LENGTH_MARGIN * (float((square * frame.inverse**2).sum()) + self.centred)
        curvature = max((1 - share) * max(curvature, self.centred) + length * share, 1e-300)
        self.step = 1.0 / curvature
        return frame

    def rates(self):
        """Return the last step of each output, (D,)."""
        step = self.step if self.schedule is None else self.schedule.rate
        return np.full(len(self.b), step)

    def last(self):
        """Return the last W and b."""
        return (self.W, self.b) if self.walk is None else self.walk.model()

    def result(self):
        """Return W and b: the mean of the tail, or the last ones."""
        if self.tail is None:
            return self.last()
        return self.tail.mean(self.walk.sum() if self.walk.n_summed else None)
