"""The parameters of an estimator, checked and converted to plain values."""

import functools
from dataclasses import dataclass, fields
from typing import get_args

import numpy as np

from .parameters import CONSTRAINTS, check_parameters


@dataclass(frozen=True)
class Settings:
    """The parameters of a fit, checked, as they are in GDLinearRegression.

    Numbers are those of Python. The learning rate is None for "auto", and `average` is a bool.
    If an estimator lacks a parameter, the default here is used.
    """

    alpha: object = 0.0
    l1_ratio: float = 0.0
    fit_intercept: bool = True
    positive: bool | object = False
    penalty_factor: object = None
    batch_size: int | None = None
    learning_rate: float | None = None
    schedule: object = "constant"
    momentum: float = 0.0
    nesterov: bool = False
    average: bool = True
    max_iter: int = 1000
    tol: float = 1e-6
    n_iter_no_change: int = 5
    early_stopping: bool = False
    validation_fraction: float = 0.1
    missing_targets: str = "error"
    half_life: float | None = None
    shuffle: bool = True
    verbose: int = 0

    @classmethod
    def of(cls, estimator, names=tuple(CONSTRAINTS)):
        """Return the settings of an estimator that has parameters with these names.

        Raises
        ------
        InvalidParameterError
            For the first parameter that is not allowed.
        """
        values = [getattr(estimator, name) for name in names]
        given = type(estimator).__name__, tuple(names), *values
        try:
            hash(given)
        except TypeError:
            # An array may have been changed since the last check.
            return _settings.__wrapped__(*given)
        return _settings(*given)

    @classmethod
    def with_penalty(cls, estimator, alpha, l1_ratio):
        """Return the settings of a fit with this penalty by a valid GDLinearRegressionCV."""
        return cls(
            alpha=alpha, l1_ratio=l1_ratio, fit_intercept=bool(estimator.fit_intercept),
            positive=estimator.positive, penalty_factor=estimator.penalty_factor,
            max_iter=int(estimator.max_iter), tol=float(estimator.tol),
        )  # fmt: skip

    @property
    def exact(self):
        """Whether `partial_fit` is exact."""
        return self.automatic and self.batch_size is None

    @property
    def automatic(self):
        """Whether `learning_rate` is "auto"."""
        return self.learning_rate is None


# The converter of each parameter, by the first of its types.
KINDS = {field.name: get_args(field.type) or (field.type,) for field in fields(Settings)}


# Many small calls of `partial_fit` have the same parameters, so the result is cached.
@functools.lru_cache(maxsize=8, typed=True)
def _settings(who, names, *values):
    """Return the Settings of these names and values; see `Settings.of`."""
    given = dict(zip(names, values, strict=True))
    check_parameters(given, CONSTRAINTS, who)
    given = {name: value for name, value in given.items() if name in KINDS}
    if _is_auto(given["learning_rate"]):
        given["learning_rate"] = None
    if _is_auto(given.get("average", "auto")):
        given["average"] = given["learning_rate"] is None
    settings = Settings(**{name: _plain(value, KINDS[name]) for name, value in given.items()})
    if settings.half_life is not None and settings.batch_size is not None:
        raise ValueError(
            "half_life needs batch_size=None. Got "
            f"half_life={settings.half_life:g} and batch_size={settings.batch_size}."
        )
    return settings


def _is_auto(value):
    return isinstance(value, str) and value == "auto"


def _plain(value, kinds):
    """Return a value as a bool, int or float of Python, unless it is an array."""
    as_it_is = value is None or kinds[0] in (object, str) or np.ndim(value) > 0
    return value if as_it_is else kinds[0](value)
