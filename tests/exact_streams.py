"""What the tests of exact streams share."""

import itertools
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

CONTAINERS = [np.asarray, sparse.csr_array]
containers = pytest.mark.parametrize("container", CONTAINERS)
IGNORE = {"missing_targets": "ignore"}
# All descend as far as they can, so that only the streams differ from the fits.
OPTIONS = {
    "plain": {},
    "no intercept": {"fit_intercept": False},
    "ridge": {"alpha": 0.1},
    "ridge of each": {"alpha": [0.0, 0.1, 1.0]},
    "elastic net": {"alpha": 0.1, "l1_ratio": 0.5, "tol": 1e-11},
    "lasso of each": {"alpha": [0.0, 0.1, 0.3], "l1_ratio": 1.0, "tol": 1e-11},
    "positive": {"positive": True, "tol": 1e-11},
    "factors": {"alpha": [0.0, 0.1, 1.0], "penalty_factor": [0.0, 2.0, 1.0, 0.5, 0.0, 1.0]},
    "factors, lasso": {
        "alpha": 0.1,
        "l1_ratio": 1.0,
        "penalty_factor": [0.0, 2.0, 1.0, 0.5, 0.0, 1.0],
        "positive": [True, False, False, True, False, True],
        "tol": 1e-11,
    },
}


def take(A, rows):
    return None if A is None else A[rows]


def stream(model, X, Y, weight=None, *, cuts=50, container=np.asarray):
    """Let a model learn from rows cut at these places, or into chunks of so many rows."""
    cuts = [*range(0, len(X), cuts), len(X)] if isinstance(cuts, int) else cuts
    for start, stop in itertools.pairwise(cuts):
        rows = slice(start, stop)
        model.partial_fit(container(X[rows]), Y[rows], take(weight, rows))
    return model


def assert_near(model, expected, X, tolerance=1e-10):
    """Compare coefficients of standardised features, in norm."""
    scale = X.std(axis=0)
    W, best = (np.atleast_2d(m.coef_).astype(float) * scale for m in (model, expected))
    assert np.linalg.norm(W - best) <= tolerance * np.linalg.norm(best)
    spread = np.linalg.norm(best) + np.abs(expected.intercept_).max()
    centre = np.abs(X.mean(axis=0) / np.where(scale > 0, scale, 1.0)).max()
    off = np.abs(np.atleast_1d(model.intercept_) - np.atleast_1d(expected.intercept_)).max()
    assert off <= tolerance * spread * (1.0 + centre)


def with_missing(Y, pattern, seed=0):
    Y = Y.copy()
    if pattern == "split":
        # All are observed together at first, then each in rows of its own.
        Y[100:] = np.where(
            np.random.default_rng(seed).random(Y[100:].shape) < 0.3, np.nan, Y[100:]
        )
    elif pattern == "late":
        Y[:120, 2], Y[200:, 0] = np.nan, np.nan
    else:
        Y[::3, :2] = np.nan
    return Y


def quietly(call, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return call(*args, **options)
