"""Where a descent is, and the exact step along a direction.

Full batches take it in all coefficients; where the penalty has no gradient, on the face of those
that are not zero.

Conventions: M features, D outputs; V is (M, D); G is the half gradient, -1/2 dL/dV; one entry
per output, (D,), in losses, steps and curvatures.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .._base.arrays import inverse_of
from .._base.fused import slopes

# One over a smaller number may be no float.
TINY = 1e-300


@dataclass
class State:
    """Where a descent is.

    Attributes
    ----------
    V, G : array of shape (M, D), the half gradient at V
    losses, step : array of shape (D,), the losses at V and the last exact steps
    longest : float, the longest step on the way here; its inverse is the least curvature
    looked : bool
        Whether G and losses are what the supplier says of V, and not carried along.
    """

    V: np.ndarray
    G: np.ndarray
    losses: np.ndarray
    step: np.ndarray
    longest: float = 0.0
    looked: bool = False


class ExactStep(NamedTuple):
    """What is known of the exact step along a direction P, (M, D), from half gradients G.

    Attributes
    ----------
    image : array of shape (M, D), H P
    descent : array of shape (D,), P'G; the loss falls along P where it is positive
    inverse : array of shape (D,), 1 / P'HP, or 0 where there is no step
    curved : array of shape (D,), bool
        Where there is one: it leads down, and the curvature can be told from rounding.
    """

    image: np.ndarray
    descent: np.ndarray
    inverse: np.ndarray
    curved: np.ndarray


def exact_step(supplier, P, G, live, least_descent=None):
    """Return the ExactStep along P, for the outputs that are live, (D,), bool.

    The least loss along P is at ``V + a P`` with ``a = descent * inverse``; the half gradient
    there is ``G - a image``. The descent may have to be above the least one, (D,).
    """
    HP, curvature = supplier.curvature(P)
    descent, flat = slopes(P, G, supplier.floor)
    # A curvature that cannot be told from rounding is none: a step along it would lead astray.
    # Each feature has a floor of its own, so that one far off zero does not make flat what has
    # nothing to do with it.
    curved = live & (descent > 0) & (curvature > flat + TINY)
    if least_descent is not None:
        curved = curved & (descent > least_descent)
    return ExactStep(HP, descent, inverse_of(curvature, where=curved), curved)
