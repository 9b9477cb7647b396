"""From data to what full-batch descent asks of them: the rows, coordinates and suppliers."""

from .._base.rounding import EPS
from .._rows.containers import rows_of
from .coordinates import Coordinates
from .outputs import Group, Groups
from .quadratic import ByMoments, ByPasses

# Moments whose rounding errors are larger than this are not worth their descent.
USELESS = 1e-3


def read_groups(data, penalty, *, fit_intercept, raw, n_steps):
    """Look at the rows that each group of outputs is observed in; return the Groups.

    Parameters
    ----------
    data : Data or DaskData
        Its ``parts(penalty)`` are (outputs, X, Y, sample_weight) of each group; ``whole`` is
        (X, Y, sample_weight) where all groups have the same rows, or None.
    penalty : Penalty, of all outputs
    fit_intercept, raw, n_steps : as in `read`
    """
    parts, gathered = list(data.parts(penalty)), data.gathered
    if len(parts) > 1 and data.whole is not None:
        # Outputs of two kinds of penalty, in the same rows: these are looked at once.
        gathered = _gather(*data.whole, fit_intercept, raw, n_steps)
    groups = []
    for outputs, *own_rows in parts:
        own, known = penalty.of_outputs(outputs), gathered
        if gathered is not None and len(parts) > 1:
            known = [of_all.of_outputs(outputs) for of_all in gathered]
        problem = read(
            *own_rows, penalty=own, fit_intercept=fit_intercept, raw=raw, n_steps=n_steps,
            gathered=known,
        )  # fmt: skip
        groups.append(Group(outputs, own, *problem))
    return Groups(groups)


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
    gathered : (Rows, Moments) or None
        Rows of these data and their moments, if they have been looked at before.

    Returns
    -------
    coordinates : Coordinates
    moments : ByMoments or None, where passes are cheaper
    passes : ByPasses
    """
    rows, moments = _gather(X, Y, sample_weight, fit_intercept, raw, n_steps, gathered)
    coordinates = Coordinates.of(moments, penalty=penalty, raw=raw)
    return coordinates, by_moments(moments, coordinates), ByPasses(rows, coordinates)


def _gather(X, Y, sample_weight, fit_intercept, raw, n_steps, gathered=None):
    """Return Rows and their Moments, with products where these are cheaper than passes."""
    rows, moments = gathered or (None, None)
    if rows is None:
        rows = rows_of(X, Y, sample_weight, centred=fit_intercept, scaled=not raw)
    cheaper = moments_are_cheaper(rows, n_steps)
    if moments is None or (moments.products is None and cheaper):
        moments = rows.moments() if cheaper else rows.column_moments()
    return rows, moments


def by_moments(moments, coordinates):
    """Return ByMoments, or None if there are no products, or they have lost too much."""
    if moments.products is None or EPS * coordinates.steepest_square >= USELESS:
        return None
    return ByMoments(moments.products, coordinates)


def moments_are_cheaper(rows, n_steps):
    """Compare the multiply-adds of both suppliers, each at its own rate."""
    M, D = rows.n_features, rows.n_outputs
    if rows.widest_moments < M:
        return False
    n_steps = min(n_steps, 4 * M)
    by_passes = n_steps * 2 * rows.n_entries * (1 + D)
    return rows.moments_work + n_steps * M**2 * D < by_passes
