"""The coordinates of mini-batch steps, and which features are rare in them.

Conventions: M features; P = M + D columns, of X and Y.
"""

import math
from dataclasses import dataclass

import numpy as np

from .._base.arrays import copied, inverse_of, namespace, zeros

# A feature is common if it has, on average, at least this many nonzero values in a batch.
OFTEN_HELD = 0.25


@dataclass(frozen=True)
class StepCoordinates:
    """The coordinates of mini-batch steps.

    Attributes
    ----------
    centre, inverse : array of shape (M,)
        A row is ``(x - centre) * inverse``; the inverse is 0 for constant features.
    centred : bool, whether there is an intercept
    density : array of shape (M,) or None
        The share of weight in which a rare feature is not zero, and 0 for common features. None
        if all are common. See `update_rule`.
    """

    centre: np.ndarray
    inverse: np.ndarray
    centred: bool
    density: np.ndarray | None = None

    @classmethod
    def raw(cls, rows):
        """Return the coordinates of X itself, for the textbook's step."""
        inverse = 1.0 / rows.stored_unit[: rows.n_features]
        return cls(zeros(inverse.shape, inverse), inverse, rows.centred)

    @classmethod
    def balanced(cls, rows, coordinates, penalty, batch_size):
        """Return the coordinates of automatic steps, and the means of stored X and Y, (P,)."""
        M, rest = rows.n_features, coordinates.unit / rows.stored_unit
        xp = namespace(rest)
        centre = xp.concat([coordinates.centre, coordinates.y_centre]) / rest
        mean = coordinates.shift * rows.stored_unit + centre
        deviation = coordinates.deviation / rest[:M]
        root = math.sqrt(penalty.least_l2) * rows.stored_unit[:M]
        root = root * penalty.factor(rest) ** 0.5
        density = rows.density()
        rare = rare_density(density, penalty, batch_size)
        return cls.of(mean[:M], deviation, density, root, rows.centred, rare), mean

    @classmethod
    def of(cls, mean, deviation, density, root_penalty, centred, rare=None):
        """Return coordinates for moments of features, (M,) each, and the root of the penalty.

        Roots are used, because squares of extreme units overflow or vanish.
        """
        xp = namespace(deviation)
        root = deviation * inverse_of(density) ** 0.25
        scale = xp.where(deviation > 0, xp.hypot(root, root_penalty + 0.0 * root), 0.0)
        centre = mean * float(centred)
        if rare is not None:
            centre = xp.where(rare > 0, 0.0, centre)
        return cls(centre, inverse_of(scale), centred, rare)


def entries_of_a_row(rows):
    """Return the mean number of nonzero features of a row, at least 1.

    It does not depend on the container, so that all containers give the same model.
    """
    density = rows.density()
    return max(1.0, float(namespace(density).sum(density)))


def rare_density(density, penalty, batch_size):
    """Return the density of StepCoordinates: that of rare features, and 0 for others.

    None if there are no rare features.

    Parameters
    ----------
    density : array of shape (M,), the share of weight in which each feature is not zero
    penalty : Penalty
    batch_size : int
    """
    xp = namespace(density)
    rare = density * batch_size < OFTEN_HELD
    if not (penalty.some and xp.any(rare)):
        return None
    # A feature that was zero in all rows so far is rare, too.
    return xp.where(rare, xp.clip(density, 1e-300, 1.0), 0.0)


def kept_density(density, like):
    """Return the density of StepCoordinates to be kept, (M,), or (0,) if none is rare."""
    return zeros((0,), like) if density is None else copied(density)


def factors_of(of_features, rule):
    """Return the factors of a penalty, and which coefficients must not be negative, (M, 1) each.

    Each is one number if all features are alike; see `update_rule`.
    """
    if not of_features.shape[0]:
        return 1.0, rule.positive
    return of_features[:, :1], of_features[:, 1:] > 0


def moments_of_known(known):
    """Return the running moments, (M + 1, 3), of `Groups.known_features`."""
    running = known.astype(np.float64)
    n_rows, (mean, deviation, density) = running[-1, 0], running[:-1].T.copy()
    some = np.where(density > 0, density, 1.0)
    running[:-1, 0], running[:-1, 1] = n_rows * density, mean / some
    zeros = (1.0 - density) * mean**2 / some
    running[:-1, 2] = n_rows * np.maximum(deviation**2 - zeros, 0.0)
    return running
