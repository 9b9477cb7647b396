"""The errors of a path of penalties on the test rows of a fold.

A path goes from the largest penalty to the smallest. Penalties that are not smooth are solved
one after the other, each from the solution of the one before it. L2 penalties are solved side by
side, like outputs; with a spectrum, each descent begins at its minimum, and only certifies it.

Conventions: M features, D outputs, A alphas; columns are ``[all outputs of the first alpha, all
of the second, ...]``.
"""

import math
from typing import NamedTuple

import numpy as np

from .._base.threads import blas_of_one_thread
from .._problem.penalty import Penalty
from .._solvers.conjugate import path_step
from .._solvers.iterates import Limits
from .._solvers.path import descend_path

# The number of coefficients that descend side by side: an iteration costs little more than that
# of one penalty. With a spectrum, there is almost nothing to descend, and memory is the limit.
COEFFICIENTS, COEFFICIENTS_KNOWN = 2**12, 2**20


class Losses(NamedTuple):
    """The losses of a path on the test rows of one or more folds.

    Attributes
    ----------
    errors : ndarray of shape (A, F, D)
        The mean squared error on the test rows of each fold; NaN if there are none.
    scores : ndarray of shape (A, F, D), or None without a scorer
    converged : bool
    """

    errors: np.ndarray
    scores: np.ndarray | None
    converged: bool


def path_losses(
    fold, alphas, l1_ratio, *, positive, penalty_factor, max_iter, tol, scorer=None, tell=None
):  # fmt: skip
    """Return the Losses of each alpha on the test rows of a fold.

    Parameters
    ----------
    fold : MomentsFold or PassesFold
    alphas : ndarray of shape (A, D), in decreasing order
    l1_ratio, positive, penalty_factor, max_iter, tol : as in GDLinearRegressionCV
    scorer : callable, optional
        Called with the targets, the predictions and the weights of the test rows, it returns
        the score of each alpha and output, (A, D).
    tell : callable, optional
        Called with the number of alphas that are done.
    """
    n_penalties = len(alphas) if np.any(positive) else int(np.count_nonzero(alphas[:, 0]))
    limits = {"max_iter": max_iter, "tol": tol}
    by_sets = l1_ratio > 0 or np.any(positive)
    descend, found, converged = _by_sets if by_sets else _ridges, [], True
    penalty = Penalty.of(
        1.0, l1_ratio, positive, fold.data.n_outputs,
        penalty_factor=penalty_factor, n_features=fold.n_features,
    )  # fmt: skip
    path = descend(fold, penalty, alphas[:n_penalties], scorer, **limits)
    # Threads of BLAS would wait for each other longer than the products of a set take.
    with blas_of_one_thread(math.inf if by_sets else 0):
        for losses, ended in path:
            found.append(losses)
            converged &= bool(ended)
            if tell is not None:
                tell(sum(len(errors) for errors, _ in found))
    if n_penalties < len(alphas):
        alone, ended = fold.without_penalty(scorer, **limits)
        found.extend([alone] * (len(alphas) - n_penalties))
        converged &= ended
    errors, scores = (
        None if part[0] is None else np.concatenate(part)[:, None, :]
        for part in zip(*found, strict=True)
    )
    return Losses(errors, scores, converged)


def _by_sets(fold, penalty, alphas, scorer, **limits):
    """Yield the losses of nonsmooth penalties, some at a time, and whether they converged."""
    D = fold.data.n_outputs
    coordinates, supplier = fold.problem(Penalty.none(D), 1)
    n_together = max(1, COEFFICIENTS // (fold.n_features * D))
    if supplier.by_passes:
        n_together = 1
    together, converged = [], True
    path = descend_path(supplier, coordinates, penalty, alphas, **limits)
    for k, (V, ended) in enumerate(path):
        together.append(V)
        converged &= bool(ended)
        if len(together) == n_together or k == len(alphas) - 1:
            V = np.concatenate(together, axis=1)
            yield fold.losses(coordinates, V, scorer), converged
            together = []


def _ridges(fold, penalty, alphas, scorer, *, max_iter, tol):
    """Yield the losses of L2 penalties, some at a time, and whether they converged.

    The alphas of a ridge are the same for all outputs of a group: one column has them all.
    """
    D, (n_penalties, M) = fold.data.n_outputs, (len(alphas), fold.n_features)
    spectrum = fold.spectrum(penalty, n_penalties)
    room = COEFFICIENTS if spectrum is None else COEFFICIENTS_KNOWN
    size, W = max(1, min(n_penalties, room // (M * D))), np.zeros((M, D))
    for start in range(0, n_penalties, size):
        # The last stride is padded to the length of the others.
        stride = alphas[start : start + size]
        n_own = len(stride)
        stride = np.concatenate([stride, np.repeat(stride[-1:], size - n_own, axis=0)])
        coordinates, supplier = fold.problem(penalty.side_by_side(stride), size)
        first = np.tile(W, size) if spectrum is None else spectrum.coefficients(stride[:, 0])
        limits = Limits(max_iter, tol)
        V = path_step(coordinates.from_model(first), supplier, coordinates, limits)
        W = coordinates.to_model(V)[0][:, -D:]
        yield fold.losses(coordinates, V[:, : n_own * D], scorer), limits.n_left > 0
