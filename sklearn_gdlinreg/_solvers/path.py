"""A path of penalties that have no gradient, each descended from the solution of the one before.

Conventions are those of `working_set`: V is (M, D), with M features and D outputs.
"""

from .._base.arrays import zeros
from .exact_step import State
from .iterates import Limits, drive
from .working_set import working_set_cycle


def descend_path(supplier, coordinates, penalties, *, max_iter, tol):
    """Yield the coordinates, V, and whether tol was reached, of each penalty in turn.

    Products of columns are worked out once for the whole path. The solutions are what the
    supplier says, without another look at the data.

    Parameters
    ----------
    supplier : ByMoments or ByPasses, with a `gram`
    coordinates : Coordinates, of no penalty
    penalties : iterable of Penalty, in the units of W; the strongest first is the fastest
    max_iter : int, iterations for each
    tol : float
    """
    V = zeros(supplier.shape, coordinates.scale)
    G, losses = supplier.gradient(V)
    for penalty in penalties:
        here = coordinates.with_penalty(penalty)
        limits, l2 = Limits(max_iter, tol), here.penalty
        state = State(V, G - l2.half_gradient(V), losses + l2.l2_value(V), 0.0 * losses)
        own = supplier.with_coordinates(here)
        state = drive(working_set_cycle(own, state, tol, here, limits), limits)
        V = state.V
        G, losses = state.G + l2.half_gradient(V), state.losses - l2.l2_value(V)
        yield here, V, limits.n_left > 0
