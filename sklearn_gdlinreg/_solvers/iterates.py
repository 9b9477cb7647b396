"""What solvers yield, and how far they may go.

A solver is a generator: it yields an Iterate after each iteration, and returns where it ended.
Who drives it records what it yields, and may end it by its Limits.
"""

import math
from typing import NamedTuple

# A gradient cannot be told from its own rounding error below this: such a tol asks for every
# digit that there is.
LEAST_TOL = 64 * 2.0**-52


class Iterate(NamedTuple):
    """What a solver yields after each iteration.

    Attributes
    ----------
    loss : float, the objective
    V : array of shape (M, D), or None where the solver has no coordinates of its own
    measured : bool
        Whether this is the last iterate once more, with its loss as the data say.
    model : callable or None
        Works out W and b.
    """

    loss: float
    V: object = None
    measured: bool = False
    model: object = None


class Limits:
    """How far a solver may go.

    Parameters
    ----------
    max_iter : int
    tol : float, the `optimality_` that is asked for
    n_iter_no_change : int, the patience of mini-batches
    watched : bool
        Whether somebody validates the iterates, who decides when it ends.

    Attributes
    ----------
    n_done : int, how many iterations have been made
    stopped : bool, whether no more are allowed
    """

    def __init__(self, max_iter, tol, *, n_iter_no_change=1, watched=False):
        self.max_iter, self.tol, self.n_iter_no_change = max_iter, tol, n_iter_no_change
        self.watched, self.n_done, self.stopped = watched, 0, False

    @property
    def n_left(self):
        """How many iterations are still allowed."""
        return 0 if self.stopped else self.max_iter - self.n_done


def drive(run, limits):
    """Let a solver run to its end, recording nothing; return what it returns."""
    while True:
        try:
            limits.n_done += not next(run).measured
        except StopIteration as end:
            return end.value


class Patience:
    """Whether a loss still improves by tol, relatively, within some iterations."""

    def __init__(self, tol, n_iter_no_change):
        self.tol, self.allowed = tol, n_iter_no_change
        self.best, self.n_worse = math.inf, 0

    def see(self, loss):
        """Take in a loss; return whether patience has run out."""
        self.n_worse = 0 if loss < self.best * (1.0 - self.tol) else self.n_worse + 1
        self.best = min(self.best, loss)
        return self.n_worse >= self.allowed
