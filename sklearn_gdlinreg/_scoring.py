"""R squared with missing targets: each output counts the rows in which it is observed.

Conventions: N rows, D outputs.
"""

import warnings

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_consistent_length

from ._base.arrays import namespace, to_host
from ._input.checks import check_sample_weight, following


def sums_of_squares(Y, prediction, weight):
    """Return the number of rows of each output, their weight, and the sums of R squared.

    Parameters
    ----------
    Y, prediction : array of shape (N, D), float64; Y is NaN where it is not observed
    weight : array of shape (N,)

    Returns
    -------
    counts, total : array of shape (D,), the number of weighted rows, and their weight
    mean, spread : array of shape (D,), the mean of Y, and the sum of squares about it
    error : array of shape (D,), the sum of squared residuals
    """
    xp = namespace(Y)
    observed = ~xp.isnan(Y)
    weight = xp.where(observed, weight[:, None], 0.0)
    counts = xp.sum(xp.astype(weight > 0, xp.float64), axis=0)
    total = xp.sum(weight, axis=0)
    mean = xp.sum(weight * xp.where(observed, Y, 0.0), axis=0) / xp.where(total > 0, total, 1.0)
    spread, error = (
        xp.sum(weight * xp.where(observed, Y - guess, 0.0) ** 2, axis=0)
        for guess in (mean, prediction)
    )
    return counts, total, mean, spread, error


def averaged(counts, spread, error):
    """Return R squared averaged over the outputs with at least two rows, a float.

    As in `r2_score`, a constant output has a score of 1 if it is predicted exactly, else 0.
    """
    counts, spread, error = map(to_host, (counts, spread, error))
    if not (counts >= 2).any():
        message = "R^2 score is not well-defined with less than two samples."
        warnings.warn(message, UndefinedMetricWarning, stacklevel=4)
        return float("nan")
    varies = spread > 0
    shares = np.where(varies, error / np.where(varies, spread, 1.0), error > 0)
    return float(1.0 - shares[counts >= 2].mean())


def score_observed(y, prediction, sample_weight):
    """Return the R squared of predictions over the observed targets; see `averaged`.

    Parameters
    ----------
    y : array of shape (N,) or (N, D)
    prediction : array of shape (N,) or (N, D)
    sample_weight : array-like of shape (N,), float or None
    """
    check_consistent_length(y, prediction)
    options = {"ensure_2d": False, "ensure_all_finite": "allow-nan", "input_name": "y"}
    y = following(y, prediction, "float64", **options)
    xp, sample_weight = namespace(y), check_sample_weight(sample_weight, prediction)
    prediction = xp.astype(prediction, xp.float64)
    Y, prediction = (xp.reshape(A, (y.shape[0], -1)) for A in (y, prediction))
    if Y.shape != prediction.shape:
        raise ValueError(
            f"y must have {prediction.shape[1]} outputs, as in fit. Got shape {y.shape}."
        )
    weight = xp.ones_like(Y[:, 0]) if sample_weight is None else sample_weight
    counts, _, _, spread, error = sums_of_squares(Y, prediction, weight)
    return averaged(counts, spread, error)
