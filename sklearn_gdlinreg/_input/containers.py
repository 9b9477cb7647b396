"""Checks before those of scikit-learn: masked arrays, and containers without values."""

from collections.abc import Mapping

import numpy as np
from sklearn.utils import assert_all_finite

IGNORE = (
    'Set missing_targets="ignore" to fit and score each output on the rows in which it is '
    "observed."
)


def check_container(A, name):
    """Raise if a container has no values in memory; the error says what to pass instead."""
    if hasattr(type(A), "__dask_graph__"):
        raise TypeError(
            f"{name} is a Dask collection. Use sklearn_gdlinreg.dask.DaskGDLinearRegression for "
            f"it, or pass {name}.compute() if it fits into memory. Got {type(A)}."
        )
    if type(A).__name__ == "LazyFrame" and hasattr(A, "collect"):
        raise TypeError(
            f"{name} is a LazyFrame, which has no values yet. Pass {name}.collect()."
        )
    if isinstance(A, Mapping):
        raise TypeError(
            f"{name} must be an array or a dataframe. Got {type(A)}. Pass "
            f"pandas.DataFrame({name}), or the values as an array."
        )


def unmasked(A, name, *, missing=False):
    """Return the values of a masked array, and anything else as it is.

    With ``missing``, masked entries become NaN; otherwise they raise an error.
    """
    if not isinstance(A, np.ma.MaskedArray):
        return A
    if not np.ma.is_masked(A):
        return A.data
    if not missing:
        raise ValueError(
            f"Input {name} has masked entries ({np.ma.count_masked(A)} of {A.size}). Fill them, "
            "or remove their rows."
        )
    return (A if A.dtype.kind in "fc" else A.astype(np.float64)).filled(np.nan)


def assert_finite_features(X):
    """Raise if features are not finite, with scikit-learn's advice on NaN."""
    assert_all_finite(X, input_name="X", estimator_name="This estimator")


def assert_finite_targets(Y, *, input_name="y", allow_nan=False):
    """Raise if targets are not finite; the error for NaN names `missing_targets`."""
    try:
        assert_all_finite(Y, input_name=input_name, allow_nan=allow_nan)
    except ValueError as error:
        if "contains NaN" not in str(error):
            raise
        raise ValueError(f"Input {input_name} contains NaN. {IGNORE}") from None
