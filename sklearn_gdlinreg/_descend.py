"""From the parameters of an estimator to the descent that they ask for.

Conventions: M features, D outputs; W (M, D), b (D,).
"""

import numpy as np
from sklearn.utils import assert_all_finite, check_random_state

from ._equations import loss
from ._full_batch import exact_steps
from ._mini_batch import automatic_steps, textbook_epochs
from ._penalty import Penalty
from ._quadratic import read
from ._steps import Schedule
from ._stream import Stream
from ._textbook import textbook_steps
from ._validation import check_init, hold_out


def start(estimator, fitted, coef_init, intercept_init, n_features, y):
    """Return the W and b from which descent starts."""
    n_outputs = 1 if y.ndim == 1 else y.shape[1]
    shape = (n_outputs, n_features)
    W, b = np.zeros(shape), np.zeros(n_outputs)
    if fitted is not None:
        if np.atleast_2d(fitted).shape != shape:
            raise ValueError(
                "With warm_start=True, X and y must keep the features and outputs of "
                f"the last fit: expected coefficients of shape {fitted.shape}, got data "
                f"for {(n_features,) if y.ndim == 1 else shape}."
            )
        W = np.atleast_2d(fitted).astype(np.float64)
        b = np.atleast_1d(estimator.intercept_).astype(np.float64) + b
    if coef_init is not None:
        W = check_init(coef_init, "coef_init", shape)
    if intercept_init is not None:
        b = check_init(intercept_init, "intercept_init", (n_outputs,))
    return W.T.copy(), b if estimator.fit_intercept else np.zeros(n_outputs)


def penalty_of(estimator, n_outputs):
    """Return the Penalty of the estimator's parameters."""
    return Penalty.of(estimator.alpha, estimator.l1_ratio, estimator.positive, n_outputs)


def _read(estimator, X, Y, sample_weight, n_steps):
    """Return coordinates, moments and passes; see `_quadratic.read`."""
    return read(
        X, Y, sample_weight, penalty=penalty_of(estimator, Y.shape[1]),
        fit_intercept=bool(estimator.fit_intercept), raw=estimator.learning_rate != "auto",
        n_steps=n_steps,
    )  # fmt: skip


def _schedule(estimator):
    return Schedule(
        estimator.schedule,
        float(estimator.learning_rate),
        tol=estimator.tol,
        n_iter_no_change=estimator.n_iter_no_change,
    )


def descend_in_full(estimator, W, b, data, history):
    """Return W, b, the step of each output, the number of updates, and what ran."""
    problem = _read(estimator, *data, n_steps=estimator.max_iter)
    if estimator.learning_rate == "auto":
        coordinates = problem[0]
        V, step, engine = exact_steps(coordinates.from_model(W), *problem, history)
        W, b = coordinates.to_model(V)
    else:
        schedule = _schedule(estimator)
        W, b, engine = textbook_steps(
            W, b, *problem, schedule, history,
            momentum=estimator.momentum, nesterov=estimator.nesterov,
        )  # fmt: skip
        step = np.full(W.shape[1], schedule.rate)
    history.warn(textbook=estimator.learning_rate != "auto")
    return W, b, step, len(history.losses), engine


def descend_in_batches(estimator, W, b, data, history):
    """Return W, b, the step of each output, the number of updates, and what ran."""
    rng, validate = check_random_state(estimator.random_state), None
    if estimator.early_stopping:
        fraction = estimator.validation_fraction
        data, (X, Y, weight) = hold_out(*data, fraction=fraction, rng=rng)

        def validate(W, b):
            return float(loss(X, Y, W, b, weight))

    coordinates, _, passes = _read(estimator, *data, n_steps=0)
    automatic = estimator.learning_rate == "auto"
    options = {
        "penalty": penalty_of(estimator, data[1].shape[1]),
        "batch_size": min(int(estimator.batch_size), data[0].shape[0]),
        "shuffle": bool(estimator.shuffle),
        "rng": rng,
        "average": automatic if estimator.average == "auto" else bool(estimator.average),
        "n_iter_no_change": estimator.n_iter_no_change,
        "validate": validate,
    }
    if automatic:
        W, b, step, t = automatic_steps(W, coordinates, passes, history, **options)
    else:
        schedule = _schedule(estimator)
        options["momentum"] = {"momentum": estimator.momentum, "nesterov": estimator.nesterov}
        problem = coordinates, passes, schedule, history
        W, b, t = textbook_epochs(W, b, *problem, **options)
        step = schedule.rate
    history.warn_of_epochs(estimator.n_iter_no_change)
    return W, b, np.full(W.shape[1], step), t, "mini-batch"


def begin_stream(estimator, n_features, y):
    """Return the Stream with which the first `partial_fit` begins."""
    automatic = estimator.learning_rate == "auto"
    fitted = vars(estimator).get("coef_")
    W, b = start(estimator, fitted, None, None, n_features, y)
    rng = check_random_state(estimator.random_state)
    return Stream(
        W,
        b,
        fresh=fitted is None,
        batch_size=64 if estimator.batch_size is None else int(estimator.batch_size),
        penalty=penalty_of(estimator, len(b)),
        centred=bool(estimator.fit_intercept),
        average=automatic if estimator.average == "auto" else bool(estimator.average),
        schedule=None if automatic else _schedule(estimator),
        momentum={"momentum": estimator.momentum, "nesterov": estimator.nesterov},
        seed=rng.randint(2**31 - 1) if estimator.shuffle else None,
    )


def learn_chunk(stream, X, y, sample_weight, estimator):
    """Let the stream learn from a chunk; return its W and b, and the mean loss."""
    assert_all_finite(getattr(X, "data", X), input_name="X")
    assert_all_finite(y, input_name="y")
    Y = y.reshape(-1, 1) if y.ndim == 1 else y
    if Y.shape[1] != len(stream.b):
        raise ValueError(
            f"y must keep its {len(stream.b)} outputs between calls of partial_fit. Got "
            f"{Y.shape[1]}."
        )
    if sample_weight is None:
        sample_weight = np.ones(X.shape[0])
    with np.errstate(over="ignore", invalid="ignore"):
        mean = stream.learn(X, Y, sample_weight)
        W, b = stream.result()
    if not (np.isfinite(mean) and np.isfinite(W).all() and np.isfinite(b).all()):
        raise ValueError(_why_not_finite(estimator, len(estimator.loss_curve_) + 1))
    return W, b, mean


def _why_not_finite(estimator, call):
    if estimator.learning_rate == "auto":
        return "Input X or y spans too many orders of magnitude: squares of its values overflow."
    return (
        f"learning_rate={estimator.learning_rate:g} makes the loss grow without bound (call "
        f'{call} of partial_fit). Use a smaller one, or learning_rate="auto".'
    )
