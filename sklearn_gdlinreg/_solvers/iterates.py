"""What solvers yield and return, how far they may go, and how several run side by side.

A solver descends a group of outputs. It is a generator: it yields an Iterate after each
iteration, and returns a Solution. Who drives it records what it yields, and may end it by its
Limits.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

# A gradient cannot be told from its own rounding error below this: such a tol asks for every
# digit that there is.
LEAST_TOL = 64 * 2.0**-52
# Why a solver may end by itself; of groups that end for several reasons the first one counts.
REASONS = ("max_iter", "learning_rate", "precision", "no_change", "tol")


class Iterate(NamedTuple):
    """What a solver yields after each iteration.

    Attributes
    ----------
    loss : float, the objective, summed over outputs, in the squared units of Y
    model : callable
        Works out W and b, (M, D) and (D,); to be called before the next iterate is asked for.
    measured : bool
        Whether this is the last iterate once more, with its loss as the data say.
    """

    loss: float
    model: object
    measured: bool = False


@dataclass(frozen=True)
class Solution:
    """Where a solver has ended, with M features and D outputs.

    Attributes
    ----------
    W, b : array of shape (M, D) and (D,), float64, in the units of X and Y
    loss : float, as that of an Iterate
    step : array of shape (D,), the last step of each output
    n_updates : int
    reason : str, among REASONS
    engine : str, the names of what ran, in alphabetical order
    certificate : Certificate or None
        What the data say of the model, where they have been asked.
    """

    W: np.ndarray
    b: np.ndarray
    loss: float
    step: np.ndarray
    n_updates: int
    reason: str
    engine: str
    certificate: tuple | None = None


def side_by_side(groups, runs):
    """Let the solvers of groups of outputs run side by side, an iteration of each at a time.

    Yields the iterates of all outputs together.

    Parameters
    ----------
    groups : Groups
    runs : list of generator, a solver for each group

    Returns
    -------
    solution : Solution, of all outputs
    """
    if len(runs) == 1:
        return (yield from runs[0])
    latest, solutions = [None] * len(runs), [None] * len(runs)
    while None in solutions:
        before, now = list(latest), list(latest)
        for k, run in enumerate(runs):
            if solutions[k] is not None:
                continue
            try:
                # What is measured is where this group was before this iteration of all.
                while (iterate := next(run)).measured:
                    before[k] = iterate
            except StopIteration as end:
                solutions[k], iterate = end.value, _last(end.value)
            now[k] = iterate
        if before != latest:
            yield _joined(groups, before, measured=True)
        if any(s is None for s in solutions):
            yield _joined(groups, now, measured=False)
        latest = now
    return _joined_solution(groups, solutions)


def _last(solution):
    """Return the Iterate where a group stays, once its solver has ended."""
    return Iterate(solution.loss, lambda: (solution.W, solution.b))


def _joined(groups, iterates, *, measured):
    """Return the Iterate of all outputs, given that of each group, or None before its first."""
    return Iterate(
        sum(iterate.loss for iterate in iterates if iterate is not None),
        lambda: groups.join_models([iterate.model() for iterate in iterates]),
        measured,
    )


def _joined_solution(groups, solutions):
    """Return the Solution of all outputs."""
    W, b = groups.join_models([(s.W, s.b) for s in solutions])
    reasons, found = {s.reason for s in solutions}, [s.certificate for s in solutions]
    engines = dict.fromkeys(part for s in solutions for part in s.engine.split("+"))
    return Solution(
        W, b,
        loss=sum(solution.loss for solution in solutions),
        step=groups.join([solution.step for solution in solutions]),
        n_updates=max(solution.n_updates for solution in solutions),
        reason=next(reason for reason in REASONS if reason in reasons),
        engine="+".join(sorted(engines)),
        certificate=None if None in found else groups.join_certificates(found),
    )  # fmt: skip


class Limits:
    """How far a solver may go.

    Parameters
    ----------
    max_iter : int
    tol : float, the `optimality_` that is asked for
    n_iter_no_change : int, the patience of mini-batches
    watched : bool
        Whether somebody validates the iterates, who decides when it ends.
    shown : bool
        Whether somebody looks at each iterate.

    Attributes
    ----------
    n_done : int, how many iterations have been made
    stopped : bool, whether no more are allowed
    """

    def __init__(self, max_iter, tol, *, n_iter_no_change=1, watched=False, shown=False):
        self.max_iter, self.tol, self.n_iter_no_change = max_iter, tol, n_iter_no_change
        self.watched, self.shown, self.n_done, self.stopped = watched, shown, 0, False

    @property
    def n_left(self):
        """How many iterations are still allowed."""
        return 0 if self.stopped else self.max_iter - self.n_done

    def within(self, n):
        """Return these limits, with at most n iterations from here."""
        return _Within(self, n)


class _Within:
    """Limits with fewer iterations; those that are made are counted by the original Limits."""

    def __init__(self, limits, n):
        self._limits, self._end, self.tol = limits, limits.n_done + n, limits.tol
        self.watched, self.shown = limits.watched, limits.shown

    within = Limits.within

    @property
    def n_done(self):
        """How many iterations have been made."""
        return self._limits.n_done

    @property
    def n_left(self):
        """How many iterations are still allowed."""
        return min(self._limits.n_left, max(0, self._end - self._limits.n_done))


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
