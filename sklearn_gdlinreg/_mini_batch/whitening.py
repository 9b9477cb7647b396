"""A metric for mini-batch steps: the inverse curvature of a sample of rows.

Where features are correlated, a step that all directions bear is far too short for most. With
gradients multiplied by the inverse of H, half the Hessian, the loss looks like a sphere. The
curvature of a sample of rows is near enough: steps are as long as other rows allow.

Conventions: M features, D outputs, B rows a batch.
"""

import math

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from .._base.arrays import take, to_host
from .coordinates import entries_of_a_row
from .sampling import CURVATURE_MARGIN, LENGTH_MARGIN, POWER_STEPS, longest_step

# Rows of a sample: so many are enough, and so many for each feature needed.
ENOUGH_ROWS, ROWS_OF_A_FEATURE = 2000, 4
# No metric of more features for each row of a batch is looked at: its factor takes too long.
FEATURES_OF_A_ROW = 16
# What is added to the curvature of all directions, so that flat ones are not blown up.
DAMPING = 1e-4
# A metric must promise so many times the pace, as the sample may mislead; and so much in an
# epoch, which brings the model nearer by e to that power.
GAIN, USEFUL_PACE = 2.0, 2.0
# What a metric takes to make is at most so many products for each entry of the rows: measured,
# as long as four epochs.
PRODUCTS_OF_AN_ENTRY = 75


def whitened(rows, coordinates, batches, penalty, step):
    """Return the metric (M, M) and the length of a step in it; None where it does not pay.

    Parameters
    ----------
    rows : Rows
    coordinates : StepCoordinates
    batches : Batches
    penalty : Penalty
    step : float, the length of a step without a metric
    """
    M = rows.n_features
    least = ROWS_OF_A_FEATURE * M
    n_rows = min(max(ENOUGH_ROWS, least), rows.n_weighted // 2)
    entries = entries_of_a_row(rows)
    pays = 1 < M <= FEATURES_OF_A_ROW * batches.size and n_rows >= least
    pays &= n_rows * M * M <= PRODUCTS_OF_AN_ENTRY * rows.n_weighted * entries
    if not (pays and batches.shuffle) or penalty.some:
        return None
    drawn = _draw(to_host(rows.weight), 2 * n_rows, batches.rng)
    sample = take(rows.X, drawn, axis=0)
    sample = sample.toarray() if sparse.issparse(sample) else to_host(sample)
    Z = (sample - to_host(coordinates.centre)) * to_host(coordinates.inverse)
    H = Z[::2].T @ Z[::2] / n_rows
    H[np.diag_indices(M)] += DAMPING * max(H.diagonal().max(), 1e-300)
    factor = cho_factor(H, lower=True)
    metric = cho_solve(factor, np.eye(M))
    images = solve_triangular(factor[0], Z[1::2].T, lower=True).T
    longer = _step(images, coordinates.centred, batches)
    # The flattest direction sets the pace without a metric, and all go at one with it.
    pace = step / _largest_eigenvalue(lambda v: metric @ v, M, batches.rng)
    useful = USEFUL_PACE * batches.size / rows.n_weighted
    cost = 1.0 + M * M / (batches.size * entries)
    if longer < max(useful, GAIN * cost * pace):
        return None
    return np.ascontiguousarray((metric + metric.T) / 2.0), longer


def _draw(weight, n_rows, rng):
    """Return rows drawn by their weight, in random order."""
    chances = np.cumsum(weight)
    drawn = rng.uniform(0.0, chances[-1], n_rows)
    return np.searchsorted(chances[:-1], drawn, "right")


def _step(images, centred, batches):
    """Return the length of a step, from rows as they are seen in the metric."""
    lengths = np.einsum("ij,ij->i", images, images) + centred
    largest = _largest_eigenvalue(
        lambda v: images.T @ (images @ v) / len(images), images.shape[1], batches.rng
    )
    curvature = max(CURVATURE_MARGIN * largest, float(centred))
    mean = float(lengths.mean()) or 1.0
    length = LENGTH_MARGIN * max(float((lengths**2).mean()) / mean, mean)
    return longest_step(curvature, length, batches.size)


def _largest_eigenvalue(product, n, rng):
    """Return the largest eigenvalue of a matrix, given what it makes of a vector, from below."""
    direction, largest = rng.standard_normal(n), 0.0
    for _ in range(POWER_STEPS):
        direction = product(direction / (math.sqrt(direction @ direction) or 1.0))
        largest = max(largest, math.sqrt(direction @ direction))
    return largest
