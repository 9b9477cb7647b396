"""The values that parameters may have, and the errors for others."""

import math
from contextlib import contextmanager
from numbers import Integral, Real

import numpy as np

BOOLS = bool, np.bool_


class InvalidParameterError(ValueError, TypeError):
    """A constructor parameter of the wrong type or out of its range."""


def _is_real(value):
    return isinstance(value, Real) and not isinstance(value, BOOLS)


def _is_integer(value):
    return isinstance(value, Integral) and not isinstance(value, BOOLS)


def _is_bool(value):
    return isinstance(value, BOOLS)


def _as_float(value):
    """Return a real number as a float, and NaN, which is in no range, for other values."""
    try:
        return float(value) if _is_real(value) else math.nan
    except OverflowError:
        return math.nan


def _non_negative(value):
    return 0 <= _as_float(value) < math.inf


def _is_list(value):
    """Whether a value is a list or a one-dimensional array."""
    try:
        return hasattr(value, "__len__") and not isinstance(value, str) and np.ndim(value) == 1
    except ValueError:
        # Lists of different lengths cannot be converted to an array.
        return False


def _all_within(value, low, high):
    """Whether a value, or each value of a list or 1D array, is within the range."""
    values = list(value) if _is_list(value) else [value]
    floats = map(_as_float, values)
    return len(values) > 0 and all(low <= v <= high and v < math.inf for v in floats)


def _non_negatives(value):
    """Whether a value is not negative, or a list or 1D array of such values."""
    return _all_within(value, 0, math.inf)


def _all_bools(value):
    """Whether a value is a bool, or a list or 1D array of bools."""
    values = list(value) if _is_list(value) else [value]
    return len(values) > 0 and all(map(_is_bool, values))


def _positive_integer(value):
    return _is_integer(value) and value >= 1


SCHEDULES = ("constant", "invscaling", "adaptive")
CONSTRAINTS = {
    "alpha": (
        _non_negatives,
        "a float in the range [0.0, inf) or an array of such floats, one per output",
    ),
    "l1_ratio": (
        lambda value: 0 <= _as_float(value) <= 1,
        "a float in the range [0.0, 1.0]",
    ),
    "fit_intercept": (_is_bool, "an instance of 'bool'"),
    "positive": (_all_bools, "an instance of 'bool' or an array of such, one per feature"),
    "penalty_factor": (
        lambda value: value is None or (_is_list(value) and _non_negatives(value)),
        "an array of floats in the range [0.0, inf), one per feature, or None",
    ),
    "learning_rate": (
        lambda value: (
            value == "auto" if isinstance(value, str) else 0 < _as_float(value) < math.inf
        ),
        "a str among {'auto'} or a float in the range (0.0, inf)",
    ),
    "schedule": (
        lambda value: callable(value) or (isinstance(value, str) and value in SCHEDULES),
        "a str among {'constant', 'invscaling', 'adaptive'} or a callable",
    ),
    "batch_size": (
        lambda value: value is None or _positive_integer(value),
        "an int in the range [1, inf) or None",
    ),
    "average": (
        lambda value: _is_bool(value) or (isinstance(value, str) and value == "auto"),
        "a str among {'auto'} or an instance of 'bool'",
    ),
    "momentum": (
        lambda value: 0 <= _as_float(value) < 1,
        "a float in the range [0.0, 1.0)",
    ),
    "nesterov": (_is_bool, "an instance of 'bool'"),
    "max_iter": (_positive_integer, "an int in the range [1, inf)"),
    "tol": (_non_negative, "a float in the range [0.0, inf)"),
    "n_iter_no_change": (_positive_integer, "an int in the range [1, inf)"),
    "early_stopping": (_is_bool, "an instance of 'bool'"),
    "validation_fraction": (
        lambda value: 0 < _as_float(value) < 1,
        "a float in the range (0.0, 1.0)",
    ),
    "missing_targets": (
        lambda value: isinstance(value, str) and value in ("error", "ignore"),
        "a str among {'error', 'ignore'}",
    ),
    "half_life": (
        lambda value: value is None or 0 < _as_float(value) < math.inf,
        "a float in the range (0.0, inf) or None",
    ),
    "shuffle": (_is_bool, "an instance of 'bool'"),
    "random_state": (
        lambda value: (
            value is None
            or isinstance(value, np.random.RandomState)
            or (_is_integer(value) and 0 <= value < 2**32)
        ),
        "an int in the range [0, 4294967295], an instance of 'numpy.random.RandomState' or None",
    ),
    "warm_start": (_is_bool, "an instance of 'bool'"),
    "verbose": (
        lambda value: _is_bool(value) or (_is_integer(value) and value >= 0),
        "an int in the range [0, inf) or an instance of 'bool'",
    ),
}

CV_CONSTRAINTS = {
    "l1_ratio": (
        lambda value: _all_within(value, 0, 1),
        "a float in the range [0.0, 1.0] or a list of such floats",
    ),
    "eps": (
        lambda value: 0 < _as_float(value) < math.inf,
        "a float in the range (0.0, inf)",
    ),
    "alphas": (
        lambda value: (
            _positive_integer(value) or (not _is_real(value) and _non_negatives(value))
        ),
        "an int in the range [1, inf) or an array of floats in the range [0.0, inf)",
    ),
    "alpha_per_target": (_is_bool, "an instance of 'bool'"),
    "alpha_rule": (
        lambda value: isinstance(value, str) and value in ("min", "1se"),
        "a str among {'min', '1se'}",
    ),
    "scoring": (
        lambda value: value is None or isinstance(value, str) or callable(value),
        "a str, a callable or None",
    ),
    "n_jobs": (lambda value: value is None or _is_integer(value), "an int or None"),
    **{
        name: CONSTRAINTS[name]
        for name in (
            "fit_intercept",
            "positive",
            "penalty_factor",
            "max_iter",
            "tol",
            "missing_targets",
            "verbose",
        )
    },
}


def check_parameters(given, constraints, who):
    """Raise InvalidParameterError for the first parameter that is not allowed.

    Parameters
    ----------
    given : dict, of values by name
    constraints : dict
    who : str, the class that has these parameters
    """
    for name, value in given.items():
        accepts, allowed = constraints[name]
        if not accepts(value):
            raise InvalidParameterError(
                f"The {name!r} parameter of {who} must be {allowed}. "
                f"Got {_shown(value)} instead.{_hint(name, value)}"
            )


def _hint(name, value):
    """Return advice to set `schedule` if a schedule was given as `learning_rate`."""
    if name != "learning_rate" or not isinstance(value, str) or value not in SCHEDULES:
        return ""
    return f" Set schedule={value!r} and a float as learning_rate."


def _shown(value):
    try:
        return repr(value)
    except ValueError:
        # Python does not print an int of more than 4300 digits.
        return f"an instance of {type(value).__name__!r}"


@contextmanager
def restored_on_error(estimator):
    """Leave the estimator as it was if anything is raised."""
    before = vars(estimator).copy()
    lengths = {name: len(value) for name, value in before.items() if type(value) is list}
    try:
        yield
    except BaseException:
        for name, length in lengths.items():
            # Lists grow in place: copying them in each of many calls would take ever longer.
            del before[name][length:]
        if "_stream" in before:
            before["_stream"].roll_back()
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
