"""The training rows and the validation rows.

Conventions: N rows, M features, D outputs.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse
from sklearn.model_selection import train_test_split
from sklearn.utils import assert_all_finite

from .._base.arrays import (
    namespace,
    placed_like,
    same_place,
    shared_with_host,
    stored,
    take,
    to_host,
)
from .._problem.loss import loss
from .._problem.outputs import alike
from .._rows.moments import MOST_HALVINGS
from .checks import check_data, check_sample_weight
from .containers import assert_finite_features, assert_finite_targets


@dataclass(frozen=True)
class Data:
    """Rows that have been checked.

    Attributes
    ----------
    X : array or CSR of shape (N, M), float32 or float64
    Y : array of shape (N, D), of the type of X; zeros where it is not observed
    weight : array of shape (N,), float64, or None
    observed : array of shape (N, D), bool, or None if all targets are observed
    gathered : (Rows, Moments) or None
        The Rows and Moments of these rows, if known; see `_problem.reading.read`.
    half_life : float or None
        The weight of a row is halved for each `half_life` of weight in later rows.
    """

    X: object
    Y: np.ndarray
    weight: np.ndarray | None
    observed: np.ndarray | None
    gathered: tuple | None = None
    half_life: float | None = None

    @classmethod
    def of(cls, X, y, weight, *, missing_targets):
        """Return the Data of what `check_data` and `check_sample_weight` return."""
        X, y, weight = map(shared_with_host, (X, y, weight))
        Y = y[:, None] if y.ndim == 1 else y
        if missing_targets == "error":
            return cls(X, Y, weight, None)
        xp = namespace(Y)
        observed = ~xp.isnan(Y)
        if xp.all(observed):
            return cls(X, Y, weight, None)
        return cls(X, xp.where(observed, Y, 0.0), weight, observed)

    @property
    def n_rows(self):
        """The number of rows."""
        return self.X.shape[0]

    @property
    def most_rows(self):
        """The largest number of rows with a positive weight that an output has."""
        counts = [
            self.n_rows if weight is None else int(np.count_nonzero(to_host(weight)))
            for _, weight in self.groups()
        ]
        return max(counts)

    @property
    def n_outputs(self):
        """The number of outputs."""
        return self.Y.shape[1]

    @property
    def dtype(self):
        """The type of X and Y."""
        return self.Y.dtype

    def parts(self, penalty):
        """Yield the rows of each group of outputs, for `reading.read_groups`."""
        for outputs, weight in self.groups(penalty):
            Y = self.Y if isinstance(outputs, slice) else take(self.Y, outputs, axis=1)
            yield outputs, self.X, Y, weight

    @property
    def whole(self):
        """X, Y and weight if all targets are observed, else None."""
        return (self.X, self.Y, self.output_weight(0)) if self.observed is None else None

    def take(self, rows):
        """Return some of the rows."""
        parts = (self.weight, self.observed)
        parts = [None if part is None else take(part, rows, axis=0) for part in parts]
        some = Data(take(self.X, rows, axis=0), take(self.Y, rows, axis=0), *parts)
        return replace(some, half_life=self.half_life)

    def wide(self):
        """Return these rows in float64, for a loss that is computed many times."""
        xp = namespace(self.Y)
        if self.dtype == xp.float64 and self.half_life is None:
            return self
        if sparse.issparse(self.X):
            X = self.X.astype(np.float64, copy=False)
        else:
            X = xp.astype(self.X, xp.float64, copy=False)
        Y = xp.astype(self.Y, xp.float64, copy=False)
        return Data(X, Y, self.weight, self.observed)

    def output_weight(self, d):
        """Return the weight of each row for output d, (N,); None if all are equal."""
        weight = self.weight
        if self.observed is not None:
            xp = namespace(self.observed)
            observed = xp.astype(self.observed[:, d], xp.float64)
            weight = observed if weight is None else weight * observed
        if self.half_life is None:
            return weight
        return placed_like(faded(weight, self.n_rows, self.half_life), self.Y)

    def n_halvings(self, outputs):
        """Return how many half-lives these rows are for earlier rows, a float.

        The outputs, an ndarray of int, are observed in the same rows.
        """
        weight = replace(self, half_life=None).output_weight(outputs[0])
        total = float(self.n_rows)
        with np.errstate(over="ignore"):
            if weight is not None:
                total = namespace(weight).sum(weight)
            return float(np.float64(total) / self.half_life)

    def weight_exponent(self, d):
        """Return the e such that Rows divide the weights of output d by 2 ** e."""
        return exponent_of(self.output_weight(d))

    def groups(self, penalty=None):
        """Yield (outputs, weight) of the outputs that are observed in the same rows.

        With a Penalty, the outputs of a group also have the same kind of penalty.
        """
        marks = [] if self.observed is None else [self.observed]
        if penalty is not None and penalty.has_l1:
            marks.append(penalty.smooth_outputs[None, :])
        for outputs in alike(*marks) if marks else [slice(None)]:
            yield outputs, self.output_weight(np.arange(self.n_outputs)[outputs][0])

    def check_observed(self, what):
        """Raise if an output is not observed in any row with a positive weight."""
        for outputs, weight in self.groups():
            if weight is not None and not namespace(weight).any(weight > 0):
                if self.observed is None:
                    raise ValueError(
                        f"No row to {what} has a positive weight, with early_stopping=True."
                    )
                raise ValueError(
                    f"With missing_targets='ignore', every output must be observed in a row to "
                    f"{what} whose sample_weight is positive. Got none for output "
                    f"{np.arange(self.n_outputs)[outputs][0]} of y."
                )

    @cached_property
    def _observed_alike(self):
        """The outputs, targets and weights of each group, cached for the loss."""
        return [
            (outputs, take(self.Y, outputs, axis=-1), weight)
            for outputs, weight in self.groups()
        ]

    def loss(self, W, b):
        """Return the loss of a model on the observed targets of these rows, a float."""
        return float(
            sum(
                loss(self.X, Y, *(take(A, outputs, axis=-1) for A in (W, b)), weight)
                for outputs, Y, weight in self._observed_alike
            )
        )


def exponent_of(weight):
    """Return the e such that Rows divide weights, which may be None, by 2 ** e."""
    return 0 if weight is None else math.frexp(float(to_host(weight).max()))[1]


def faded(weight, n_rows, half_life):
    """Return weights, (N,), that are halved for each half-life of weight in later rows.

    Parameters
    ----------
    weight : array of shape (N,), or None for ones
    n_rows : int, N
    half_life : float
    """
    weight = np.ones(n_rows) if weight is None else to_host(weight)
    with np.errstate(over="ignore"):
        later = np.append(np.cumsum(weight[:0:-1])[::-1], 0.0)
        n_halvings = later / half_life
    # Smaller factors would be zero or subnormal.
    kept = n_halvings < MOST_HALVINGS
    return np.where(kept, weight * np.exp2(-np.where(kept, n_halvings, 0.0)), 0.0)


def hold_out(settings, data, given, rng):
    """Return the training rows and the validation rows, which are held out, given or None."""
    if not settings.early_stopping or given is not None:
        data.check_observed("train on")
        return data, given
    fraction = settings.validation_fraction
    try:
        rows = train_test_split(np.arange(data.n_rows), test_size=fraction, random_state=rng)
    except ValueError as error:
        raise ValueError(
            f"early_stopping=True with validation_fraction={fraction:g} leaves no rows to "
            f"learn from or to validate on. Got {data.n_rows} samples."
        ) from error
    # The training rows keep their order if it matters.
    learn, validate = map(data.take, rows if data.half_life is None else map(np.sort, rows))
    learn.check_observed("train on")
    validate = replace(validate, half_life=None)
    validate.check_observed("validate on")
    # The training rows are checked when they are read.
    assert_finite_features(stored(validate.X))
    assert_finite_targets(validate.Y)
    return learn, validate.wide()


def check_validation_data(estimator, settings, X_val, y_val, sample_weight_val, y):
    """Return the Data of the validation rows passed to `fit`; None if there are none."""
    given = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
    given = [name for name, value in given.items() if value is not None]
    if not given:
        return None
    for name, value in (("y_val", y_val), ("X_val", X_val)):
        if value is None:
            raise ValueError(f"{given[0]} is provided, but {name} was not provided.")
    if not settings.early_stopping:
        raise ValueError(
            "X_val and y_val are passed to fit while at the same time early_stopping is "
            "False. When passing X_val and y_val to fit, early_stopping should be set to True."
        )
    X_val, y_val = check_data(
        estimator, X_val, y_val, reset=False, X_name="X_val", y_name="y_val"
    )
    if not same_place(y_val, y):
        raise ValueError("X_val and y_val must have the array library and the device of X.")
    if y_val.ndim != y.ndim or y_val.shape[1:] != y.shape[1:]:
        expected = "(n_val,)" if y.ndim == 1 else f"(n_val, {y.shape[1]})"
        raise ValueError(
            f"y_val must have the outputs of y: expected shape {expected}. Got {y_val.shape}."
        )
    sample_weight_val = check_sample_weight(sample_weight_val, X_val, name="sample_weight_val")
    data = Data.of(X_val, y_val, sample_weight_val, missing_targets=settings.missing_targets)
    assert_all_finite(stored(data.X), input_name="X_val")
    assert_finite_targets(data.Y, input_name="y_val")
    data.check_observed("validate on")
    return data.wide()
