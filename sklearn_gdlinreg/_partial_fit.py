"""How a chunk of rows updates a stream, and the model of the stream.

Conventions: M features, D outputs; W (M, D), b (D,).
"""

import math

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state

from ._base.arrays import namespace, placed_like, same_place, stored, to_host
from ._base.threads import SHARED_VECTOR, blas_of_one_thread
from ._exact_stream import learn_exactly
from ._fit import momentum_of, penalty_of, schedule_of, start
from ._input.checks import check_data, check_library, check_sample_weight
from ._input.containers import assert_finite_features, assert_finite_targets
from ._input.dataset import Data
from ._input.settings import Settings
from ._linear_model import fitted_coef, solution
from ._mini_batch.coordinates import moments_of_known
from ._mini_batch.stream import Stream
from ._mini_batch.streams import Streams
from ._report.returned_model import cast_model, check_vanished


def partial_fit(estimator, X, y, sample_weight):
    """Update an estimator with a chunk of rows; the parameters are those of `partial_fit`.

    Returns the History of an exact descent; None in mini-batches.
    """
    settings = Settings.of(estimator)
    in_batches = "_stream" in vars(estimator)
    X, y = check_data(estimator, X, y, reset="coef_" not in vars(estimator))
    sample_weight = check_sample_weight(sample_weight, X)
    data = Data.of(X, y, sample_weight, missing_targets=settings.missing_targets)
    if "coef_" in vars(estimator):
        check_library(estimator, y, "partial_fit")
    if settings.exact and not in_batches:
        return learn_exactly(estimator, settings, y, data)
    if settings.exact or settings.half_life is not None:
        raise ValueError(_why_not_in_batches(settings))
    learn_in_batches(estimator, settings, y, data)
    return None


def _why_not_in_batches(settings):
    if settings.exact:
        return (
            "The stream began in mini-batches. It does not have the products of all rows so "
            'far, which partial_fit needs with learning_rate="auto" and batch_size=None. Keep '
            "the batch_size, or begin with a new model."
        )
    return (
        'half_life needs learning_rate="auto" in partial_fit. Got '
        f"half_life={settings.half_life:g} and learning_rate={settings.learning_rate:g}."
    )


def learn_in_batches(estimator, settings, y, data):
    """Update an estimator with a chunk of rows, Data, in mini-batches."""
    if "_stream" not in vars(estimator):
        estimator._stream = begin_streams(estimator, settings, y, data)
        estimator.loss_curve_, estimator.n_iter_ = [], 0
        # A stream in batches does not know which rows are the last.
        for name in ("optimality_", "stop_reason_", "validation_loss_curve_", "moments_"):
            vars(estimator).pop(name, None)
    penalty_of(settings, _check_chunk(estimator._stream, data))
    streams = estimator._stream.successor(data.X)
    _take_over(streams, estimator)
    W, b, loss = _learn(streams, data, call=len(estimator.loss_curve_) + 1)
    estimator._stream = streams
    vars(estimator).update(solution(W, b, y, data.dtype))
    step = placed_like(streams.rates(), y)
    estimator.learning_rate_ = float(step[0]) if y.ndim == 1 else step
    estimator.n_iter_, estimator.t_ = estimator.n_iter_ + 1, streams.t
    estimator.engine_ = "stream"
    estimator.loss_curve_.append(loss)


def begin_streams(estimator, settings, y, data):
    """Return the Streams of the first call of `partial_fit`."""
    fitted = fitted_coef(estimator)
    n_features = data.X.shape[1]
    W, b = start(estimator, settings, fitted, None, None, n_features, y, method="partial_fit")
    W, b = placed_like(W, data.Y), placed_like(b, data.Y)
    n_outputs = b.shape[0]
    penalty, rng = penalty_of(settings, W.shape), check_random_state(estimator.random_state)
    seed = rng.randint(2**31 - 1) if settings.shuffle else None
    known = (
        vars(estimator).get("_features") if settings.automatic and fitted is not None else None
    )

    def begin(outputs):
        moments = None
        if known:
            d = np.arange(n_outputs)[outputs][0]
            moments = placed_like(moments_of_known(known[d % len(known)]), b)
        return Stream(
            W[:, outputs], b[outputs],
            fresh=fitted is None,
            batch_size=settings.batch_size,
            penalty=penalty.of_outputs(outputs),
            centred=settings.fit_intercept,
            average=settings.average,
            schedule=None if settings.automatic else schedule_of(settings),
            momentum=momentum_of(settings),
            seed=seed,
            running=moments,
        )  # fmt: skip

    if settings.missing_targets == "error":
        return Streams([begin(slice(None))])
    return Streams([begin(slice(d, d + 1)) for d in range(n_outputs)])


def _check_chunk(streams, data):
    """Raise if a chunk does not match the chunks so far; return (M, D)."""
    assert_finite_features(stored(data.X))
    assert_finite_targets(data.Y)
    if sparse.issparse(data.X):
        # Kernels do not check the indices.
        data.X.check_format(full_check=True)
    rates = streams.rates()
    n_outputs = rates.shape[0]
    if not same_place(rates, data.Y):
        raise ValueError(
            "partial_fit needs arrays with the library and the device of its first call, as of "
            f"a {type(rates)}. Got {type(data.Y)}. If the model was moved, call fit first."
        )
    for name, got, kept, what in (
        ("X", data.X.shape[1], streams.n_features, "features"),
        ("y", data.Y.shape[1], n_outputs, "outputs"),
    ):
        if got != kept:
            raise ValueError(
                f"{name} must keep its {kept} {what} between calls of partial_fit. Got {got}."
            )
    return streams.n_features, n_outputs


def _learn(streams, data, *, call):
    """Update streams with a chunk; return W and b, in the dtype of X, and the mean loss."""
    one_thread = blas_of_one_thread(data.X.shape[1], shared=SHARED_VECTOR)
    with np.errstate(over="ignore", invalid="ignore"), one_thread:
        mean = streams.learn(data)
        W, b = streams.result()
    xp = namespace(W)
    if not (math.isfinite(mean) and xp.all(xp.isfinite(W)) and xp.all(xp.isfinite(b))):
        raise ValueError(_why_not_finite(call, streams))
    streams.shown = cast_model(W, b, data.dtype, streams.mean)
    check_vanished(streams.shown[0], data.X, data.Y)
    return *streams.shown, mean


def _take_over(streams, estimator):
    """Continue from coefficients that the user set since the last call, if any."""
    if streams.shown is None or not {"coef_", "intercept_"} <= vars(estimator).keys():
        return
    shown = [to_host(A) for A in streams.shown]
    W = np.atleast_2d(to_host(fitted_coef(estimator))).T
    b = np.atleast_1d(to_host(estimator.intercept_))
    for name, got, kept in (("coef_", W.T, shown[0].T), ("intercept_", b, shown[1])):
        if got.shape != kept.shape:
            raise ValueError(
                f"{name} must keep its shape between calls of partial_fit, except for the axis "
                f"of a single output: expected {kept.shape}. Got {got.shape}."
            )
    if not (np.array_equal(W, shown[0]) and np.array_equal(b, shown[1])):
        model = (placed_like(A.astype(np.float64), streams.shown[1]) for A in (W.copy(), b))
        streams.restart(*model)


def _why_not_finite(call, streams):
    """Return why a stream is not finite, from the parameters of its first call."""
    schedules = streams.schedules
    if schedules[0] is None:
        return (
            "Input X or y spans too many orders of magnitude: squares of its values overflow or "
            "vanish. Scale the features or the outputs to a smaller range."
        )
    factor = max(schedule.largest_factor for schedule in schedules)
    step, which = f"learning_rate={schedules[0].learning_rate:g}", "one"
    if factor > 1.0:
        step, which = f"{step} times the factor {factor:g} of the 'schedule' callable", "factor"
    return (
        f"{step} makes the loss grow without bound (call {call} of partial_fit). Use a smaller "
        f'{which}, or learning_rate="auto".'
    )
