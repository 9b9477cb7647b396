"""Epochs: visits of all rows, a mini-batch at a time, and the mean of the last iterates.

With a constant step the iterates end up wandering about the optimum, and the mean of the
last ones is the answer (Bach and Moulines 2013; Jain et al. 2018).

Conventions: N rows, M features, D outputs, B rows a batch; W (M, D), b (D,).
"""

import math
from dataclasses import dataclass

import numpy as np

# Multiply-adds between two looks at the keyboard, 5 to 50 ms, and what a visit takes apart
# from its entries, in the same unit.
WORK_OF_A_SPAN, WORK_OF_A_VISIT = 2**22, 64


def span_of(rule, entries_of_a_row, n_outputs):
    """Return how many batches to visit between two looks at the keyboard."""
    work = (entries_of_a_row * n_outputs + WORK_OF_A_VISIT) * rule.batch_size
    return math.ceil(WORK_OF_A_SPAN / work)


@dataclass(frozen=True)
class Batches:
    """How an epoch is cut into mini-batches.

    Attributes
    ----------
    size : int, B
    shuffle : bool, whether each epoch visits the rows in another order
    average : bool, whether the result is the mean of the last iterates
    rng : Generator, what shuffles and samples rows
    """

    size: int
    shuffle: bool
    average: bool
    rng: np.random.Generator


class TailAverage:
    """The mean of the last iterates, about the last half.

    They are summed up in windows, each twice as long as the one before. While a window grows,
    the one before it fades out, so that the mean does not jump.
    """

    def __init__(self):
        self.older, self.newer = None, None

    def add(self, W, b, n):
        """Take in the sums of n iterates."""
        sums = W, b, n
        if self.newer is not None:
            sums = tuple(A + B for A, B in zip(sums, self.newer, strict=True))
        self.newer = sums

    def restart(self):
        """Begin a new window."""
        self.older, self.newer = self.newer, None

    def mean(self, sgd=None):
        """Return the mean W and b; with the iterates that an SGD has summed, if given."""
        n_summed = 0 if sgd is None else sgd.n_summed
        kept, share = self._kept(n_summed)
        if kept is not None and n_summed:
            return sgd.mean_with(share, kept[:2], n_summed + share * kept[2])
        W, b, n = sgd.sum() if kept is None else kept
        return W / n, b / n

    def _kept(self, n_summed):
        """Return the sums that were taken in, or None, and the share of them that counts.

        So many iterates have been summed since. One window alone is not multiplied by its share
        here: in a wide stream of sparse rows that would take longer than a call.
        """
        newer, older = self.newer, self.older
        if older is None:
            return newer, 1.0
        n = n_summed + (0 if newer is None else newer[2])
        share = max(0.0, 1.0 - n / (2.0 * older[2]))
        if newer is None:
            return older, share
        return tuple(A + share * B for A, B in zip(newer, older, strict=True)), 1.0


def mean_of_sums(sums, share, more, n):
    """Return sums of W and b and a share of more, each divided by n."""
    return tuple((A + share * B) / n for A, B in zip(sums[:2], more, strict=True))


class Epochs:
    """Epochs over rows.

    Parameters
    ----------
    sgd : DenseSGD, CSRSGD or ArraySGD
    visits : Visits
    rates : callable
        Given the number of updates made and how many follow, their steps, an array.
    batches : Batches
    """

    def __init__(self, sgd, visits, rates, batches):
        self.sgd, self.visits, self.rates, self.batches = sgd, visits, rates, batches
        self.tail = TailAverage() if batches.average else None
        self.t = self.n_epochs = 0

    def epoch(self):
        """Visit all rows once; return the mean loss before each update, (D,)."""
        if self.batches.shuffle:
            self.visits.shuffle(self.batches.rng)
        self.sgd.forget_losses()
        n_batches = math.ceil(len(self.visits.rows) / self.batches.size)
        # The first half of the first epoch is the way there, not the tail.
        half = n_batches // 2 if self.n_epochs == 0 else 0
        self._visit(0, half)
        self.sgd.forget()
        self._visit(half, n_batches)
        self.n_epochs += 1
        if self.tail is not None:
            self.tail.add(*self.sgd.sum())
        return self.sgd.losses() / self.visits.n_rows

    def corrected_epoch(self, step):
        """Visit all rows by variance-reduced steps; return the mean W of the second half."""
        if self.batches.shuffle:
            self.visits.shuffle(self.batches.rng)
        n_batches = math.ceil(len(self.visits.rows) / self.batches.size)
        self._visit(0, n_batches // 2, step)
        self.sgd.forget()
        self._visit(n_batches // 2, n_batches, step)
        W, _, n = self.sgd.sum()
        return W / n

    def _visit(self, first, last, step=None):
        """Make the updates of these batches of the epoch, a span at a time.

        With a step given, all are as long as that, and as heavy as N rows in the mean, as the
        gradient of an anchor is: rows that are visited often make visits lighter than rows.
        """
        B, more = self.batches.size, len(self.visits.rows) / self.visits.n_rows
        for start in range(first, last, self.sgd.span):
            stop = min(start + self.sgd.span, last)
            rows, weight = self.visits.span(start * B, stop * B)
            n = stop - start
            if step is None:
                self.sgd.visit(rows, weight, self.rates(self.t, n))
            else:
                self.sgd.visit(rows, weight * more, np.full(n, step / more))
            self.t += stop - start

    def result(self):
        """Return W and b: the mean of the tail, or the last ones."""
        return self.sgd.model() if self.tail is None else self.tail.mean()

    def end_epoch(self):
        """Move the window of the tail on, after epochs 1, 2, 4, 8 and so on."""
        if self.tail is not None and self.n_epochs & (self.n_epochs - 1) == 0:
            self.tail.restart()

    def last(self):
        """Return the last W and b."""
        return self.sgd.model()
