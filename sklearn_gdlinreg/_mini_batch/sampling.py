"""Where mini-batch steps are made, how long they are, and which rows they visit.

Features are centred and scaled by ``variance / sqrt(density) + alpha``: unit variance where
a feature is seldom zero, less for rare ones, which would make rows long. With tau the mean
squared length of a row and lambda the largest curvature, the expected smoothness of B rows
is at most ``(1 - 1/B) lambda + 2 tau / B`` (Gower et al. 2019) once no row is longer than
2 tau. A longer row is visited k times an epoch with 1/k of its weight: its share of the
objective stays, and its length no longer sets the step of all (Needell, Srebro and Ward
2014). There are never more than 1.5 N visits.

Conventions: N rows, M features, D outputs, B rows a batch.
"""

import numpy as np
from scipy import sparse

from .._base.arrays import namespace, placed_like, take, to_host
from .._rows.base import constant_array

# Rows that stand for all when the largest curvature is worked out, and how often they do.
SAMPLE_ENTRIES = 2**18
POWER_STEPS = 12
# The power iteration comes from below, and the sample is one.
CURVATURE_MARGIN = 1.15
LENGTH_MARGIN = 1.1


class Visits:
    """Which rows an epoch visits, and what each visit counts.

    Parameters
    ----------
    weight : ndarray of shape (N,)
        Rows that carry none are not visited.
    times : ndarray of shape (N,), int, optional
        How often to visit a row.

    Attributes
    ----------
    rows : ndarray of shape (n_visits,), int
    weight : ndarray of shape (N,)
        What each visit of a row counts. Sums over visits to `n_rows`.
    n_rows : int, the number of rows that carry weight
    """

    def __init__(self, weight, times=None):
        # Half as long as intp: next to X, these are most of what an epoch keeps.
        index_type = np.int32 if len(weight) < 2**31 else np.intp
        self.rows = np.flatnonzero(weight).astype(index_type)
        self.n_rows = len(self.rows)
        self.weight = weight * (self.n_rows / weight.sum())
        long = np.flatnonzero(times > 1) if times is not None else ()
        if len(long):
            again = np.repeat(long, times[long] - 1).astype(index_type)
            self.rows = np.append(self.rows, again)
            self.rows.sort()
            self.weight[long] /= times[long]
        elif (self.weight == 1.0).all():
            self.weight = constant_array(1.0, weight.shape)

    def shuffle(self, rng):
        """Put the visits into another order."""
        rng.shuffle(self.rows)

    def span(self, first, last):
        """Return the rows and the weights of these visits, in their order."""
        rows = self.rows[first:last].astype(np.intp)
        return rows, self.weight[rows]


def largest_curvature(rows, coordinates, lengths, rng):
    """Return the largest curvature of the data in some coordinates, from a sample of rows.

    Rows are drawn in proportion to their squared length, so that the few long ones that
    make most of the curvature are among them.
    """
    n_rows = max(256, SAMPLE_ENTRIES // rows.entries_of_a_row)
    # A row without weight changes nothing, not even what is drawn.
    weight = to_host(rows.weight)
    n_rows = int(min(np.count_nonzero(weight), n_rows))
    chances = weight * lengths
    np.cumsum(chances, out=chances)
    # Rounding may put a draw at the very end.
    drawn = np.searchsorted(
        chances[:-1], np.sort(rng.uniform(0.0, chances[-1], n_rows)), "right"
    )
    each = chances[-1] / weight.sum() / np.maximum(lengths[drawn], 1e-300) / n_rows
    return power_iteration(take(rows.X, drawn, axis=0), each, coordinates, rng)


def power_iteration(X, weight, coordinates, rng):
    """Return the largest curvature of the weighted rows of X, seen in some coordinates."""
    inverse, xp = coordinates.inverse, namespace(coordinates.inverse)
    shift = coordinates.centre * inverse
    if not sparse.issparse(X):
        X = xp.astype(X, xp.float64, copy=False)
    direction = placed_like(rng.standard_normal(X.shape[1]), inverse)
    weight = placed_like(weight, inverse)
    largest, length = 0.0, float(xp.linalg.vector_norm(direction))
    for _ in range(POWER_STEPS):
        direction = direction / (length or 1.0)
        product = weight * (X @ (inverse * direction) - shift @ direction)
        direction = inverse * (X.T @ product) - shift * xp.sum(product)
        length = float(xp.linalg.vector_norm(direction))
        largest = max(largest, length)
    return largest


def longest_step(curvature, length, batch_size):
    """Return the step of a batch of B rows: one over their expected smoothness.

    Parameters
    ----------
    curvature : float, lambda, the largest curvature of the data
    length : float
        2 tau, or what else bounds the squared length of a row, in the mean weighted by it.
    batch_size : int, B
    """
    own = 1.0 / batch_size
    # Rows without any length are given a step, which then moves nothing.
    return 1.0 / max((1.0 - own) * curvature + own * length, 1e-300)


def automatic(rows, coordinates, batch_size, rng):
    """Return the visits of an epoch and the length of its steps."""
    # Rows are chosen on the host, whatever device they are on.
    lengths = (
        to_host(rows.square_lengths(coordinates.centre, coordinates.inverse))
        + coordinates.centred
    )
    weight = to_host(rows.weight)
    n_carry, total = np.count_nonzero(weight), weight.sum()
    mean = float(weight @ lengths / total)
    if mean == 0.0:
        return Visits(weight), 1.0
    curvature = CURVATURE_MARGIN * largest_curvature(rows, coordinates, lengths, rng)
    curvature = max(curvature, float(coordinates.centred))
    visited = lengths
    visited *= weight
    visited *= n_carry / total
    times = np.ceil(
        visited * (0.5 / mean), out=np.empty(len(visited), np.int32), casting="unsafe"
    )
    np.maximum(times, 1, out=times)
    # The mean of the visits' lengths, weighted by themselves. No visit is longer than twice
    # the mean of the rows': with at least that, no visit overshoots by more than it gains.
    weighted = float((visited / times) @ visited / visited.sum())
    length = LENGTH_MARGIN * max(weighted, mean)
    del lengths, visited
    return Visits(weight, times), longest_step(curvature, length, batch_size)
