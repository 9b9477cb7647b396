"""From data to what full-batch descent asks of them: the rows, coordinates and suppliers."""

from .._base.rounding import EPS
from .._rows.containers import rows_of
from .coordinates import Coordinates
from .quadratic import Moments, Passes

# Moments whose rounding errors are larger than this are not worth their descent.
USELESS = 1e-3


def read(X, Y, sample_weight, *, penalty, fit_intercept, raw, n_steps, gathered=None):
    """Look at the data once; return coordinates and suppliers, the cheapest first.

    Parameters
    ----------
    X : of shape (N, M), float32 or float64, of a kind that `rows_of` knows
    Y : ndarray of shape (N, D), of the type of X
    sample_weight : ndarray of shape (N,) or None
    penalty : Penalty
    fit_intercept : bool
    raw : bool
        Whether descent runs in the coordinates of X itself, as the textbook's does.
    n_steps : int
        How many iterations to expect, for the choice.
    gathered : tuple or None
        Rows of these data, and what `column_moments` and `moments` say of them, the second
        moments or None, if they have been looked at before.

    Returns
    -------
    coordinates : Coordinates
    moments : Moments or None, where passes are cheaper
    passes : Passes
    """
    if gathered is None:
        rows = rows_of(X, Y, sample_weight, centred=fit_intercept, scaled=not raw)
        gathered = rows, None, None
    rows, columns, second = gathered
    if second is None and moments_are_cheaper(rows, n_steps):
        *columns, second = rows.moments()
    elif columns is None:
        columns = rows.column_moments()
    coordinates = Coordinates.of(rows, *columns, penalty=penalty, raw=raw)
    moments = None if second is None else moments_of(second, coordinates)
    return coordinates, moments, Passes(rows, coordinates)


def moments_of(second, coordinates):
    """Return the Moments of these products of X and Y; None if they have lost too much."""
    lost = EPS * coordinates.steepest_square >= USELESS
    return None if lost else Moments(second, coordinates)


def moments_are_cheaper(rows, n_steps):
    """Compare the multiply-adds of both suppliers, each at its own rate."""
    M, D = rows.n_features, rows.n_outputs
    if rows.widest_moments < M:
        return False
    n_steps = min(n_steps, 4 * M)
    by_passes = n_steps * 2 * rows.n_entries * (1 + D)
    return rows.moments_work + n_steps * M**2 * D < by_passes
