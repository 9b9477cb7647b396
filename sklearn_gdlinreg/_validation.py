"""What GDLinearRegression accepts, and how it says so where it does not."""

import math
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_array


class InvalidParameterError(ValueError, TypeError):
    """A constructor parameter of the wrong type or out of its range."""


def _is_real(value):
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _is_integer(value):
    return isinstance(value, Integral) and not isinstance(value, bool | np.bool_)


def _is_bool(value):
    return isinstance(value, bool | np.bool_)


def _non_negative(value):
    return _is_real(value) and 0 <= value < math.inf


def _positive_integer(value):
    return _is_integer(value) and value >= 1


SCHEDULES = ("constant", "invscaling", "adaptive")
CONSTRAINTS = {
    "alpha": (_non_negative, "a float in the range [0.0, inf)"),
    "fit_intercept": (_is_bool, "an instance of 'bool'"),
    "learning_rate": (
        lambda value: (
            value == "auto"
            if isinstance(value, str)
            else _is_real(value) and 0 < value < math.inf
        ),
        "a str among {'auto'} or a float in the range (0.0, inf)",
    ),
    "schedule": (
        lambda value: callable(value) or (isinstance(value, str) and value in SCHEDULES),
        "a str among {'constant', 'invscaling', 'adaptive'} or a callable",
    ),
    "momentum": (
        lambda value: _is_real(value) and 0 <= value < 1,
        "a float in the range [0.0, 1.0)",
    ),
    "nesterov": (_is_bool, "an instance of 'bool'"),
    "max_iter": (_positive_integer, "an int in the range [1, inf)"),
    "tol": (_non_negative, "a float in the range [0.0, inf)"),
    "n_iter_no_change": (_positive_integer, "an int in the range [1, inf)"),
    "warm_start": (_is_bool, "an instance of 'bool'"),
    "verbose": (
        lambda value: _is_bool(value) or (_is_integer(value) and value >= 0),
        "an int in the range [0, inf) or an instance of 'bool'",
    ),
}


def check_parameters(estimator):
    """Raise InvalidParameterError for the first parameter that is not allowed."""
    for name, (accepts, allowed) in CONSTRAINTS.items():
        value = getattr(estimator, name)
        if not accepts(value):
            raise InvalidParameterError(
                f"The {name!r} parameter of {type(estimator).__name__} must be {allowed}. "
                f"Got {value!r} instead."
            )


def check_sample_weight(sample_weight, n_samples):
    """Return the weights as float64 of shape (n_samples,), or None where all are alike.

    Scalars, as scikit-learn allows, weigh all samples the same.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, sample_weight)
    sample_weight = check_array(
        sample_weight, dtype=np.float64, ensure_2d=False, input_name="sample_weight"
    )
    if sample_weight.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar, got {sample_weight.ndim}D array."
        )
    if sample_weight.shape != (n_samples,):
        raise ValueError(
            f"sample_weight.shape == {sample_weight.shape}, expected {(n_samples,)}!"
        )
    if (sample_weight < 0).any():
        raise ValueError(
            "Negative values in data passed to `sample_weight`: weights must be >= 0. "
            f"Got a minimum of {sample_weight.min():g}."
        )
    if not sample_weight.any():
        raise ValueError(
            "Sample weights must contain at least one non-zero number. Got all zeros in "
            "`sample_weight`."
        )
    return sample_weight


def check_init(values, name, shape):
    """Return initial values as float64 of the shape; a vector will do for one output."""
    values = check_array(
        values, dtype=np.float64, ensure_2d=False, allow_nd=True, input_name=name
    )
    if values.shape != shape and not (values.size == math.prod(shape) and 1 in shape):
        raise ValueError(
            f"{name} must be of shape {shape}. Got an array of shape {values.shape}."
        )
    return values.reshape(shape)
