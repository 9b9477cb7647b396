"""A path of penalties that have no gradient, each descended from the solution of the one before.

Conventions are those of `working_set`: V is (M, D), with M features and D outputs. The solutions
are what a supplier says, without another look at the data.
"""

import numpy as np

from .._base.arrays import zeros
from .exact_step import State
from .face import Face, Subproblem
from .iterates import Limits, drive
from .working_set import working_set_cycle


def descend_path(supplier, coordinates, penalty, alphas, *, max_iter, tol):
    """Yield V and whether tol was reached, of each penalty in turn.

    Parameters
    ----------
    supplier : ByMoments or ByPasses, with a `gram`
    coordinates : Coordinates, of no penalty
    penalty : Penalty, in the units of W, for an alpha of 1
    alphas : ndarray of shape (n_alphas, D); the largest first is the fastest
    max_iter : int, looks at all features for each of them, where it is by passes
    tol : float
    """
    if supplier.by_passes:
        yield from _by_passes(supplier, coordinates, penalty, alphas, max_iter, tol)
    else:
        yield from _by_products(supplier, coordinates, penalty, alphas, tol)


def _by_passes(supplier, coordinates, penalty, alphas, max_iter, tol):
    """Follow a path by working sets; products of columns are worked out once for all of it."""
    V = zeros(supplier.shape, coordinates.scale)
    G, losses = supplier.gradient(V)
    for alpha in alphas:
        here = coordinates.with_penalty(penalty.times(alpha))
        limits, l2 = Limits(max_iter, tol), here.penalty
        state = State(V, G - l2.half_gradient(V), losses + l2.l2_value(V), 0.0 * losses)
        own = supplier.with_coordinates(here)
        state = drive(working_set_cycle(own, state, tol, here, limits), limits)
        V = state.V
        G, losses = state.G + l2.half_gradient(V), state.losses - l2.l2_value(V)
        yield V, limits.n_left > 0


def _by_products(supplier, coordinates, penalty, alphas, tol):
    """Follow a path where the products of all columns are known: the set has all features."""
    M, D = supplier.shape
    V, G, null = np.zeros((D, M)), supplier.B.T.copy(), coordinates.null_loss
    terms = coordinates.with_penalty(penalty).penalty.terms((M, D))
    l1, l2 = (np.ascontiguousarray(term.T) for term in terms[:2])
    positive, rounding = np.array(terms[2]), coordinates.rounding
    faces = [Face() for _ in range(D)]
    fast, ended = np.ones(D, dtype=bool), np.ones(D, dtype=bool)
    for alpha in alphas:
        for d in range(D):
            # The half gradient of the loss alone is kept from one penalty to the next.
            v, own_l2 = V[d], alpha[d] * l2[d]
            loss = null[d] - v @ (supplier.B[:, d] + G[d])
            problem = Subproblem(supplier.H, alpha[d] * l1[d], own_l2, positive, rounding, loss)
            g = G[d] - own_l2 * v
            objective = loss + own_l2 @ v**2 + 2.0 * (problem.l1 @ np.abs(v))
            small = max(tol**2 * objective, coordinates.negligible[d])
            # Without an L2 term the matrix of a face is the same for all penalties.
            face = None if own_l2.any() else faces[d]
            fast[d], square, _ = problem.minimise(v, g, 0.1 * small, fast=fast[d], face=face)
            ended[d] = square <= small
            G[d] = g + own_l2 * v
        yield V.T.copy(), ended.all()
