"""The certificate: how far a model is from its optimum, computed from the data.

Conventions: M features, D outputs; V and the half gradient G are (M, D), W (M, D), b (D,).
"""

from typing import NamedTuple

import numpy as np

from .._base.arrays import dot, namespace
from .._base.rounding import EPS


class Certificate(NamedTuple):
    """The certificate of a model, with one value per output, (D,) each.

    Attributes
    ----------
    objective : array, in squared units of Y
    optimality : array, scale-free, 0 at the optimum
    r2 : array
        The R squared on the training rows, about zero if there is no intercept; 0 if Y does
        not vary.
    """

    objective: np.ndarray
    optimality: np.ndarray
    r2: np.ndarray


class Goal:
    """When a descent may end.

    It is no certificate, since it uses gradients that were updated and not computed anew.

    Parameters
    ----------
    tol : float
        The optimality; 0 asks for all digits of the gradients, also if the fit is exact.
    coordinates : Coordinates
    """

    def __init__(self, tol, coordinates):
        self._square = tol**2
        noise = coordinates.noise if tol > 0.0 else 0.0
        self._exact_fit = self._square * coordinates.null_loss + noise

    def missed(self, objective, square, negligible, flatness=None):
        """Return which outputs have not reached it, (D,), bool.

        Parameters
        ----------
        objective, square : array of shape (D,), and the square of the half gradient
        negligible : array of shape (D,)
            Squares of half gradients that may be rounding.
        flatness : array of shape (D,), optional
            The objective exceeds the optimum by so many times more than usual.
        """
        enough = self._square * objective
        if flatness is not None:
            enough = enough / flatness
        small = namespace(objective).maximum(enough, negligible)
        return (objective > self._exact_fit) & (square > small)


def optimality(V, G, losses, coordinates, off=0.0, rounded=0.0, objective=None, doubt=None):
    """Return how far each output is from its optimum, scale-free, (D,); 0 at the optimum.

    It is the smaller of LSQR's two measures (Paige & Saunders, 1982). One is the scale-free
    gradient ||X'r|| / (||x_j|| ||r||): the norm of the vector of correlations between the
    residual and the standardised features, penalty included, and the mean residual over the
    root mean square one. LSQR divides by the norm of X and not by that of a column, so this
    is as strict or stricter. The other is ||r|| / ||y|| about the mean, which is what vanishes
    if the fit is exact; a remainder due to rounding counts as zero.

    Where the penalty has no gradient, the gradient is that of a proximal step of length 1.

    Parameters
    ----------
    V : array of shape (M, D)
    G : array of shape (M, D), the half gradient at V with the best intercept
    losses : array of shape (D,), with the intercept of the model
    coordinates : Coordinates
    off : array of shape (D,) or float
        By how much this intercept is below the best one, in the units of z_y.
    rounded : array of shape (D,) or float
        By how much rounding the intercept to its dtype raises the losses.
    objective : array of shape (D,), optional
        The objective at V, if it is known.
    doubt : (array, array) of shape (D,), optional
        By how much the norm of G and the losses may be wrong. The measure is then the largest
        that they may be.
    """
    if objective is None:
        objective = coordinates.objective(V, losses)
    xp, whole, G = namespace(V), objective + rounded, _standard_gradient(V, G, coordinates)
    squares = dot(G, G)
    if doubt is not None:
        whole = whole + doubt[1]
        squares = (xp.sqrt(squares) + doubt[0]) ** 2
        objective = xp.maximum(objective - doubt[1], EPS * doubt[1])
    exact = whole <= coordinates.noise
    # Divided by infinity, the remainder of an exact fit is zero.
    correlations = (squares + off**2) / xp.where(exact, xp.inf, objective)
    fits = whole / xp.where(exact, 1.0, xp.maximum(coordinates.null_loss, whole))
    return xp.sqrt(xp.minimum(correlations, fits))


def _standard_gradient(V, G, coordinates):
    """Return the half gradient of standardised features, or the proximal one, (M, D)."""
    penalty, standard = coordinates.penalty, coordinates.standard
    if standard is not None:
        G = G * standard
        if not penalty.smooth:
            V, penalty = V * coordinates.inverse_standard, coordinates.standard_penalty
    return penalty.proximal_gradient(V, G)


def certify(W, b, coordinates, passes):
    """Return the Certificate of a model (W, b), which need not have the best intercept.

    Parameters
    ----------
    W, b : array of shape (M, D) and (D,), in the units of X and Y
    coordinates : Coordinates
    passes : ByPasses, or ByMoments that stand for the data
    """
    V = coordinates.from_model(W)
    off, xp = coordinates.best_intercept(W) - b, namespace(V)
    # No number of its dtype is closer.
    best = xp.abs(off) <= 2.0 * coordinates.roundoff * xp.abs(b)
    off = off * coordinates.y_unit
    rounded, off = xp.where(best, off**2, 0.0), xp.where(best, 0.0, off)
    return certificate_at(V, *passes.gradient(V), coordinates, passes, off, rounded)


def certificate_at(V, G, losses, coordinates, passes, off=0.0, rounded=0.0):
    """Return the Certificate of V, given the gradient and the losses at V.

    Parameters
    ----------
    V : array of shape (M, D)
    G, losses : array of shape (M, D) and (D,), with the best intercept
    coordinates, passes : as in `certify`
    off, rounded : as in `optimality`
    """
    c, losses = coordinates, losses + off**2
    objective = c.objective(V, losses)
    found = optimality(V, G, losses, c, off, rounded, objective, doubt=passes.doubt(V))
    errors = losses + rounded
    if c.penalty.has_l2:
        errors = errors - c.penalty.l2_value(V)
    xp, varies = namespace(V), c.null_loss > c.y_noise
    r2 = (c.null_loss - errors) / xp.where(varies, c.null_loss, xp.inf)
    return Certificate((objective + rounded) * c.loss_unit, found, r2)
