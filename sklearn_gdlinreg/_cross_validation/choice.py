"""Which penalty is chosen, given the loss of each penalty on each fold.

Conventions: R l1_ratios, A alphas, F folds, D outputs. K is D if each output has its own alpha,
and 1 otherwise.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from .._base.arrays import inverse_of


@dataclass(frozen=True)
class Paths:
    """Paths of penalties, one per l1_ratio, with their errors and scores.

    Attributes
    ----------
    l1_ratios : ndarray of shape (R,)
    alphas : ndarray of shape (R, A, K), falling
    errors : ndarray of shape (R, A, F, D), NaN if an output has no test rows in a fold
    scores : ndarray of shape (R, A, F', D), or None; greater is better
    """

    l1_ratios: np.ndarray
    alphas: np.ndarray
    errors: np.ndarray
    scores: np.ndarray | None

    def longer(self, more):
        """Return the paths with the alphas of other paths appended."""

        def joined(own, others):
            return None if own is None else np.concatenate([own, others], axis=1)

        return Paths(
            self.l1_ratios,
            joined(self.alphas, more.alphas),
            joined(self.errors, more.errors),
            joined(self.scores, more.scores),
        )

    @property
    def losses(self):
        """The quantity to minimise, (R, A, F, D): errors, or negative scores."""
        return self.errors if self.scores is None else -self.scores


@dataclass(frozen=True)
class Choice:
    """The chosen penalty.

    Attributes
    ----------
    row : int, the index of the l1_ratio
    best, chosen : ndarray of int, of shape (K,)
        The indices of the alphas with the least loss, and of those that the rule chooses.
    losses : ndarray of shape (K,), the mean losses over the folds
    """

    row: int
    best: np.ndarray
    chosen: np.ndarray
    losses: np.ndarray


def mean_of(values, axis):
    """Return the mean over an axis without NaN, or NaN if all values are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean(values, axis=axis)


def choose(paths, null_errors, *, per_target, rule, tol):
    """Return the Choice by a rule.

    Parameters
    ----------
    paths : Paths
    null_errors : ndarray of shape (D,)
        The mean square of each output about its mean, or zero without an intercept.
    per_target : bool, whether each output has its own alpha
    rule : {"min", "1se"}
    tol : float
        Errors below its square times the null error count as exact fits; the first is chosen.
    """
    losses, by_errors = paths.losses, paths.scores is None
    if not per_target:
        losses = mean_of(losses, 3)[:, :, :, None]
        null_errors = null_errors.mean(keepdims=True)
    mean = mean_of(losses, 2)
    if by_errors:
        mean = np.maximum(mean, tol**2 * null_errors)
    # One l1_ratio for outputs that may be in different units.
    relative = inverse_of(null_errors) if by_errors and per_target else 1.0
    row = int(np.argmin((mean.min(axis=1) * relative).sum(axis=1)))
    columns = np.arange(mean.shape[2])
    best = chosen = np.argmin(mean[row], axis=0)
    if rule == "1se":
        _check_tested_twice(losses, "y" if len(columns) == 1 else "output {} of y")
        limit = mean[row][best, columns] + standard_error(losses, 2)[row][best, columns]
        # The first one is the strongest penalty.
        chosen = np.argmax(mean[row] <= limit, axis=0)
    return Choice(row, best, chosen, mean_of(losses, 2)[row][chosen, columns])


def _check_tested_twice(losses, of_what):
    """Raise if losses of a column are known in a single fold: they have no standard error."""
    once = np.flatnonzero((_count_of(losses, 2) < 2).any(axis=(0, 1)))
    if len(once):
        raise ValueError(
            'alpha_rule="1se" needs the scores of two folds or more. Got one for '
            f"{of_what.format(once[0])}. Use more folds, shuffle the rows, or set "
            'alpha_rule="min".'
        )


def standard_error(losses, axis):
    """Return the standard error of the mean over an axis of two or more that are not NaN."""
    n = _count_of(losses, axis)
    apart = losses - np.expand_dims(mean_of(losses, axis), axis)
    return np.sqrt(np.nansum(apart**2, axis=axis) / (n - 1) / n)


def _count_of(values, axis):
    """Return how many along an axis are not NaN."""
    return np.count_nonzero(~np.isnan(values), axis=axis)
