"""From the parameters of an estimator to the descent that they ask for.

Conventions: M features, D outputs; W (M, D), b (D,).
"""

import math

import numpy as np
from scipy import sparse
from sklearn.utils import assert_all_finite, check_random_state

from ._arrays import moved, namespace, same_place, stored, to_host, zeros
from ._finish import cast_model, check_vanished, finish
from ._full_batch import side_by_side
from ._history import History, Patience, Validation
from ._inputs import assert_finite_targets
from ._mini_batch import automatic_steps, textbook_epochs
from ._model import fitted_coef
from ._penalty import Penalty
from ._steps import Schedule
from ._stream import Stream
from ._streams import Streams
from ._textbook import textbook_steps
from ._validation import check_init, check_library
from ._visits import seen_of


def start(estimator, fitted, coef_init, intercept_init, n_features, y, *, method="fit"):
    """Return the W and b from which descent starts, where y is."""
    n_outputs = 1 if y.ndim == 1 else y.shape[1]
    shape = (n_outputs, n_features)
    W, b = np.zeros(shape), np.zeros(n_outputs)
    if fitted is not None:
        check_library(estimator, y, method)
        W = np.atleast_2d(to_host(fitted)).astype(np.float64)
        if W.shape != shape:
            raise ValueError(
                "With warm_start=True, X and y must keep the features and outputs of "
                f"the last fit: expected coefficients of shape {fitted.shape}, got data "
                f"for {(n_features,) if y.ndim == 1 else shape}."
            )
        b = np.atleast_1d(to_host(estimator.intercept_)).astype(np.float64) + b
    if coef_init is not None:
        W = check_init(coef_init, "coef_init", shape)
    if intercept_init is not None:
        b = check_init(intercept_init, "intercept_init", (n_outputs,))
    b = b if estimator.fit_intercept else np.zeros(n_outputs)
    return moved(W.T.copy(), y), moved(b, y)


def penalty_of(estimator, n_outputs):
    """Return the Penalty of the estimator's parameters."""
    return Penalty.of(estimator.alpha, estimator.l1_ratio, estimator.positive, n_outputs)


def _read(estimator, data, n_steps):
    """Return the Groups of outputs, each with its problem; see `_data.Data.read`."""
    return data.read(
        penalty=penalty_of(estimator, data.n_outputs),
        fit_intercept=bool(estimator.fit_intercept), raw=estimator.learning_rate != "auto",
        n_steps=n_steps,
    )  # fmt: skip


def _schedule(estimator):
    return Schedule(
        estimator.schedule,
        float(estimator.learning_rate),
        tol=float(estimator.tol),
        n_iter_no_change=estimator.n_iter_no_change,
    )


def _momentum(estimator):
    return {"momentum": float(estimator.momentum), "nesterov": bool(estimator.nesterov)}


def in_batches(estimator, data):
    """Whether the rows are visited in mini-batches."""
    return estimator.batch_size is not None and estimator.batch_size < data.most_rows


def history_of(estimator, data, held_out, told):
    """Return the History of a descent.

    Parameters
    ----------
    data, held_out : Data
        The rows to learn from, and those to validate on, or None.
    told : callable or None, as in History
    """
    exact = estimator.learning_rate == "auto"
    kind = "epochs" if in_batches(estimator, data) else "exact" if exact else "textbook"
    validation = None
    if held_out is not None:
        patience = Patience(float(estimator.tol), estimator.n_iter_no_change)
        validation = Validation(held_out.loss, patience)
    return History(
        max_iter=estimator.max_iter, tol=float(estimator.tol), verbose=int(estimator.verbose),
        n_iter_no_change=estimator.n_iter_no_change, kind=kind, validation=validation,
        told=told,
    )  # fmt: skip


# What overflows is seen in the results, and told with its cause.
@np.errstate(over="ignore", invalid="ignore")
def descend(estimator, W, b, data, history, rng):
    """Return W, b, the step of each output, the number of updates, what ran, and the Groups.

    W and b are of the type of X, and the History has their certificate.
    """
    batches, automatic = in_batches(estimator, data), estimator.learning_rate == "auto"
    groups = _read(estimator, data, 0 if batches else estimator.max_iter)
    if batches:
        run = _descend_in_batches
    else:
        run = _descend_exactly if automatic else _descend_by_the_book
    W, b, known, *rest = run(estimator, W, b, groups, history, rng)
    if history.validation is not None and history.losses:
        (W, b), known = history.validation.model, None
    W, b = finish(W, b, known, groups, data.dtype, history, automatic=automatic)
    return W, b, *rest, groups


def _descend_exactly(estimator, W, b, groups, history, _):
    solutions = side_by_side(W, groups, history)
    reasons = {solution.reason for solution in solutions}
    for reason in ("max_iter", "precision", "tol"):
        if reason in reasons:
            history.stop(reason)
    models = [g.coordinates.to_model(s.V) for g, s in zip(groups, solutions, strict=True)]
    step = groups.join([solution.step for solution in solutions])
    engine = max((solution.engine for solution in solutions), key=len)
    known = [(solution.G, solution.losses) for solution in solutions]
    return *groups.join_models(models), known, step, len(history.losses), engine


def _descend_by_the_book(estimator, W, b, groups, history, _):
    schedule = _schedule(estimator)
    W, b, engine = textbook_steps(
        W, b, groups, schedule, history,
        **_momentum(estimator),
    )  # fmt: skip
    return W, b, None, zeros(b.shape, b) + schedule.rate, len(history.losses), engine


def _descend_in_batches(estimator, W, b, groups, history, rng):
    automatic = estimator.learning_rate == "auto"
    options = {
        "batch_size": int(estimator.batch_size),
        "shuffle": bool(estimator.shuffle),
        "rng": rng,
        "average": automatic if estimator.average == "auto" else bool(estimator.average),
    }
    if automatic:
        W, b, known, step, t = automatic_steps(W, groups, history, **options)
    else:
        schedule, known = _schedule(estimator), None
        options["momentum"] = _momentum(estimator)
        W, b, t = textbook_epochs(W, b, groups, schedule, history, **options)
        step = zeros(b.shape, b) + schedule.rate
    return W, b, known, step, t, "mini-batch"


def begin_stream(estimator, n_features, y):
    """Return the Stream with which the first `partial_fit` begins, or Streams."""
    automatic = estimator.learning_rate == "auto"
    fitted = fitted_coef(estimator)
    W, b = start(estimator, fitted, None, None, n_features, y, method="partial_fit")
    penalty, rng = penalty_of(estimator, b.shape[0]), check_random_state(estimator.random_state)
    options = {
        "fresh": fitted is None,
        "batch_size": 64 if estimator.batch_size is None else int(estimator.batch_size),
        "centred": bool(estimator.fit_intercept),
        "average": automatic if estimator.average == "auto" else bool(estimator.average),
        "momentum": _momentum(estimator),
        "seed": rng.randint(2**31 - 1) if estimator.shuffle else None,
    }

    known = vars(estimator).get("_features") if automatic and fitted is not None else None

    def begin(outputs):
        schedule = None if automatic else _schedule(estimator)
        own = {"penalty": penalty.of_outputs(outputs), "schedule": schedule}
        if known:
            d = np.arange(b.shape[0])[outputs][0]
            own["seen"] = moved(seen_of(known[d % len(known)]), b)
        return Stream(W[:, outputs], b[outputs], **own, **options)

    if estimator.missing_targets == "error":
        return begin(slice(None))
    return Streams([begin(slice(d, d + 1)) for d in range(b.shape[0])])


def learn_chunk(stream, data, estimator):
    """Let the stream learn from a chunk; return W and b, in the type of X, and the mean loss."""
    if "coef_" in vars(estimator):
        check_library(estimator, data.Y, "partial_fit")
    assert_all_finite(stored(data.X), input_name="X")
    assert_finite_targets(data.Y)
    if sparse.issparse(data.X):
        # Kernels trust the indices.
        data.X.check_format(full_check=True)
    rates = stream.rates()
    n_outputs = rates.shape[0]
    if not same_place(rates, data.Y):
        raise ValueError(
            "partial_fit goes on in the library and on the device where it began, those of a "
            f"{type(rates)}. Got {type(data.Y)}. Call fit on a model that was moved."
        )
    for name, got, kept, what in (
        ("X", data.X.shape[1], stream.n_features, "features"),
        ("y", data.Y.shape[1], n_outputs, "outputs"),
    ):
        if got != kept:
            raise ValueError(
                f"{name} must keep its {kept} {what} between calls of partial_fit. Got {got}."
            )
    penalty_of(estimator, n_outputs)
    _take_over(stream, estimator)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = stream.learn(data)
        W, b = stream.result()
    xp = namespace(W)
    if not (math.isfinite(mean) and xp.all(xp.isfinite(W)) and xp.all(xp.isfinite(b))):
        raise ValueError(_why_not_finite(len(estimator.loss_curve_) + 1, stream))
    stream.shown = cast_model(W, b, data.dtype, stream.centre())
    check_vanished(stream.shown[0], data.X, data.Y)
    return *stream.shown, mean


def _take_over(stream, estimator):
    """Let a stream go on from coefficients that were set since the last call, if any were."""
    if stream.shown is None or not {"coef_", "intercept_"} <= vars(estimator).keys():
        return
    shown = [to_host(A) for A in stream.shown]
    W = np.atleast_2d(to_host(fitted_coef(estimator))).T
    b = np.atleast_1d(to_host(estimator.intercept_))
    for name, got, kept in (("coef_", W.T, shown[0].T), ("intercept_", b, shown[1])):
        if got.shape != kept.shape:
            raise ValueError(
                f"{name} must keep its shape between calls of partial_fit, but for the axis of "
                f"outputs where there is one: expected {kept.shape}. Got {got.shape}."
            )
    if not (np.array_equal(W, shown[0]) and np.array_equal(b, shown[1])):
        model = (moved(A.astype(np.float64), stream.shown[1]) for A in (W.copy(), b))
        stream.restart(*model)


def _why_not_finite(call, stream):
    """Say why a stream is lost, by the parameters that it began with."""
    schedules = [member.schedule for member in getattr(stream, "members", [stream])]
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
