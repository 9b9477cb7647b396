"""How X and y become a model: data, problem, solver, and the model with its certificate.

`fit` is the whole way; what follows are its steps.

Conventions: M features, D outputs; W (M, D), b (D,).
"""

from dataclasses import replace

import numpy as np
from sklearn.utils import check_random_state

from ._base.arrays import moved, to_host, zeros
from ._base.compat import FitTask
from ._input.checks import check_data, check_init, check_library, check_sample_weight
from ._input.dataset import Data, check_validation_data, hold_out
from ._input.parameters import check_parameters
from ._linear_model import fitted_coef, solution, store
from ._mini_batch.solver import automatic_steps, textbook_epochs
from ._problem.penalty import Penalty
from ._report.history import History, Validation
from ._report.returned_model import finish
from ._solvers.conjugate import side_by_side
from ._solvers.gradient_descent import textbook_steps
from ._solvers.iterates import Patience
from ._solvers.learning_rate import Schedule


def fit(estimator, X, y, sample_weight, start_from, validation, gathered=None):
    """Fit an estimator, and return the History.

    Parameters
    ----------
    estimator : GDLinearRegression
    X, y, sample_weight : as its `fit` takes them
    start_from : (coef_init, intercept_init)
    validation : (X_val, y_val, sample_weight_val)
    gathered : (Rows, Moments) or None
        What is known of these rows already, as Data takes it.
    """
    check_parameters(estimator)
    fitted = fitted_coef(estimator) if estimator.warm_start else None
    given = X, y, sample_weight
    X, y = check_data(estimator, X, y)
    sample_weight = check_sample_weight(sample_weight, X)
    data = Data.of(X, y, sample_weight, missing_targets=estimator.missing_targets)
    rng = check_random_state(estimator.random_state)
    validation = check_validation_data(estimator, *validation, y)
    data, held_out = hold_out(estimator, replace(data, gathered=gathered), validation, rng)
    W, b = start(estimator, fitted, *start_from, X.shape[1], y)

    def attributes(model):
        return solution(*model, y.ndim, X.dtype)

    task = FitTask.of(estimator, *given, attributes((W, b)))
    told = task and (lambda model: task.end_iteration(lambda: attributes(model())))
    history = history_of(estimator, data, held_out, told)
    W, b, step, t, engine, groups = descend(estimator, W, b, data, history, rng)
    store(estimator, attributes((W, b)), step, history)
    estimator.t_, estimator.engine_ = t, engine
    estimator._features = groups.known_features()
    if task is not None:
        task.end()
    return history


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
    """Return the Groups of outputs, each with its problem; see `_input.dataset.Data.read`."""
    return data.read(
        penalty=penalty_of(estimator, data.n_outputs),
        fit_intercept=bool(estimator.fit_intercept), raw=estimator.learning_rate != "auto",
        n_steps=n_steps,
    )  # fmt: skip


def schedule_of(estimator):
    return Schedule(
        estimator.schedule,
        float(estimator.learning_rate),
        tol=float(estimator.tol),
        n_iter_no_change=estimator.n_iter_no_change,
    )


def momentum_of(estimator):
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
    solutions = history.follow(side_by_side(W, groups, history.limits))
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
    schedule = schedule_of(estimator)
    run = textbook_steps(W, b, groups, schedule, history.limits, **momentum_of(estimator))
    W, b, engine, reason = history.follow(run)
    if reason is not None:
        history.stop(reason)
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
        run = automatic_steps(W, groups, history.limits, **options)
        W, b, known, step, t, reason = history.follow(run)
    else:
        schedule, known = schedule_of(estimator), None
        options["momentum"] = momentum_of(estimator)
        run = textbook_epochs(W, b, groups, schedule, history.limits, **options)
        W, b, t, reason = history.follow(run)
        step = zeros(b.shape, b) + schedule.rate
    if reason is not None:
        history.stop(reason)
    return W, b, known, step, t, "mini-batch"
