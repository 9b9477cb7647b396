"""Checks of X, y, weights and initial values."""

import math
from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import validate_data

from .._base.arrays import detached, is_numpy, namespace, same_place, stored, to_host
from .._base.compat import check_same_namespace, get_namespace_and_device, move_to
from .containers import check_container, unmasked


def check_sample_weight(sample_weight, X, *, name="sample_weight"):
    """Return the weights as float64 of shape (n_samples,), on the device of X, or None.

    A scalar, which scikit-learn allows, is the weight of every sample.
    """
    if sample_weight is None:
        return None
    n_samples = X.shape[0]
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, sample_weight)
    sample_weight = following(sample_weight, X, "float64", ensure_2d=False, input_name=name)
    xp = namespace(sample_weight)
    if sample_weight.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar, got {sample_weight.ndim}D array."
        )
    if sample_weight.shape != (n_samples,):
        raise ValueError(f"{name}.shape == {sample_weight.shape}, expected {(n_samples,)}!")
    if xp.any(sample_weight < 0):
        raise ValueError(
            f"Negative values in data passed to `{name}`: weights must be >= 0. "
            f"Got a minimum of {float(xp.min(sample_weight)):g}."
        )
    if not xp.any(sample_weight > 0):
        raise ValueError(
            "Sample weights must contain at least one non-zero number. Got all zeros in "
            f"`{name}`."
        )
    return sample_weight


def check_features(estimator, X, *, name="X", **options):
    """Return X as `validate_data` does, in float64 or float32, for arrays of any library."""
    if _is_ready(X, finite=options.get("ensure_all_finite", True)):
        if _is_expected(X, estimator) and not options["reset"]:
            return X
        return validate_data(estimator, X, reset=options["reset"], skip_check_array=True)
    check_container(X, name)
    X = unmasked(detached(X), name)
    xp, dispatched, device = get_namespace_and_device(X)
    # Dataframes other than those of pandas have no dtype before they are converted.
    untyped = hasattr(X, "to_numpy") and not hasattr(X, "iloc")
    dtype = "numeric" if untyped else (xp.float64, xp.float32)
    _check_real(X)
    X = validate_data(estimator, X, dtype=dtype, **options)
    if X.dtype not in (xp.float64, xp.float32):
        X = X.astype(np.float64) if sparse.issparse(X) else xp.astype(X, xp.float64)
    other = dispatched and not (is_numpy(X) or sparse.issparse(X))
    if other and "float64" not in xp.__array_namespace_info__().dtypes(device=device):
        raise ValueError(
            f"Input X is on the device {device}, which has no float64. Move X to one that has: "
            "sums are in float64, even if X is float32."
        )
    return X


def _is_ready(X, *, finite):
    """Whether `check_array` would return X unchanged; this check takes less time."""
    ready = type(X) is np.ndarray and X.dtype in (np.float64, np.float32)
    if not (ready and X.ndim == 2 and X.size):
        return False
    if not finite:
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(X.sum()))


def _is_expected(X, estimator):
    """Whether an ndarray matches a fitted estimator that has no feature names."""
    known = vars(estimator)
    return known.get("n_features_in_") == X.shape[1] and "feature_names_in_" not in known


def _check_real(A):
    """Raise if numbers are complex; scikit-learn checks this for arrays of NumPy only."""
    if not is_numpy(A) and "complex" in str(getattr(A, "dtype", "")):
        raise ValueError(f"Complex data not supported. Got an array of {A.dtype}.")


def following(values, X, dtype, *, missing=False, input_name, **options):
    """Return values as `check_array` does, in this dtype, on the library and device of X.

    With ``missing``, masked entries become NaN.
    """
    check_container(values, input_name)
    values, options["input_name"] = detached(values), input_name
    values = unmasked(values, input_name, missing=missing)
    xp, dispatched, device = get_namespace_and_device(stored(X))
    if not dispatched:
        return check_array(values, dtype=dtype, **options)
    values = check_array(values, dtype="numeric", **options)
    _check_real(values)
    values = move_to(values, xp=xp, device=device)
    return xp.astype(values, getattr(xp, dtype) if isinstance(dtype, str) else dtype, copy=False)


def check_library(estimator, X, method):
    """Raise if a fitted estimator and X differ in their array library or device."""
    check_same_namespace(X, estimator, attribute="coef_", method=method)
    coef = stored(estimator.coef_)
    if not same_place(coef, stored(X)):
        raise ValueError(
            f"{type(estimator).__name__}.{method}() was given NumPy arrays, or arrays that are "
            f"converted to NumPy, but coef_ is an array of {namespace(coef).__name__}. Set "
            "array_api_dispatch=True, as in fit."
        )


def check_data(estimator, X, y, *, reset=True, X_name="X", y_name="y"):
    """Return X as a float array or CSR, and y in its dtype and on its device, 1D or 2D.

    Values are checked to be finite when they are read; a check here would cost a pass.
    """
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
    X = check_features(
        estimator, X, name=X_name, accept_sparse="csr", ensure_all_finite=False, reset=reset
    )
    # scikit-learn would return an array of floats unchanged.
    ready = type(y) is np.ndarray is type(X) and y.dtype == X.dtype and y.size
    if not ready:
        options = {"ensure_2d": False, "ensure_all_finite": False, "input_name": y_name}
        y = following(y, X, X.dtype, missing=True, **options)
    if y.ndim == 0 or y.ndim > 2:
        raise ValueError(
            f"{y_name} should be a 1d or 2d array, got an array of shape {y.shape} instead."
        )
    if X.shape[0] != y.shape[0]:
        check_consistent_length(X, y)  # It raises the error.
    return X, y


def check_init(values, name, shape):
    """Return initial values as float64 of this shape; one output may be given as a vector.

    A single value may be given as a number, or as an array without dimensions.
    """
    check_container(values, name)
    values = unmasked(detached(values), name)
    given = np.shape(values) if isinstance(values, Real) else getattr(values, "shape", None)
    if given == ():
        values = values[None, ...] if hasattr(values, "shape") else [values]
    values = check_array(values, ensure_2d=False, allow_nd=True, input_name=name)
    _check_real(values)
    values = to_host(values).astype(np.float64)
    if values.shape != shape and not (values.size == math.prod(shape) and 1 in shape):
        given = values.shape if given is None else tuple(given)
        raise ValueError(f"{name} must be of shape {shape}. Got an array of shape {given}.")
    return values.reshape(shape)
