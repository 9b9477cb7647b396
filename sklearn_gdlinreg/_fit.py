"""How a model is fitted to X and y: settings, dataset, problem, solver, and the model.

`fit` is the method of GDLinearRegression; `fit_rows` is shared by all estimators.

Conventions: M features, D outputs; W (M, D), b (D,).
"""

import copy
import functools
from dataclasses import dataclass, replace

import numpy as np
from sklearn.utils import check_random_state

from ._base.arrays import placed_like, to_host
from ._base.compat import FitTask
from ._input.checks import check_data, check_init, check_library, check_sample_weight
from ._input.dataset import Data, check_validation_data, hold_out
from ._input.settings import Settings
from ._linear_model import fitted_coef, solution, store
from ._mini_batch.epochs import Batches
from ._mini_batch.solver import automatic_steps, textbook_epochs
from ._problem.penalty import Penalty
from ._problem.reading import read_groups
from ._report.history import History, Validation
from ._report.returned_model import finish
from ._solvers.conjugate import exact_steps
from ._solvers.gradient_descent import textbook_steps
from ._solvers.iterates import Patience, side_by_side
from ._solvers.learning_rate import (
    Momentum,
    Schedule,
    longest_stable_step,
    rounded_down,
)
from ._stream.kept import keep_learnt


def fit(estimator, X, y, sample_weight, start_from, validation):
    """Fit an estimator, and return the History.

    Parameters
    ----------
    estimator : GDLinearRegression
    X, y, sample_weight : as in its method `fit`
    start_from : (coef_init, intercept_init)
    validation : (X_val, y_val, sample_weight_val)
    """
    settings, given = Settings.of(estimator), (X, y, sample_weight)
    fitted = fitted_coef(estimator) if estimator.warm_start else None
    X, y = check_data(estimator, X, y)
    sample_weight = check_sample_weight(sample_weight, X)
    data = Data.of(X, y, sample_weight, missing_targets=settings.missing_targets)
    rng = check_random_state(estimator.random_state)
    validation = check_validation_data(estimator, settings, *validation, y)
    data = replace(data, half_life=settings.half_life)
    data, held_out = hold_out(settings, data, validation, rng)
    W, b = start(estimator, settings, fitted, *start_from, X.shape[1], y)
    W, b = placed_like(W, data.Y), placed_like(b, data.Y)

    def attributes(model):
        return solution(*model, y, data.dtype)

    task = FitTask.of(estimator, *given, lambda: attributes((W, b)))
    callback = task and (lambda model: task.end_iteration(lambda: attributes(model())))
    history = history_of(settings, data, held_out, callback)
    fitted = fit_rows(settings, W, b, data, history, rng)
    step = placed_like(fitted.step, y)
    store(estimator, attributes((fitted.W, fitted.b)), step, history)
    estimator.t_, estimator.engine_ = fitted.n_updates, fitted.engine
    estimator._features = fitted.groups.known_features()
    if not in_batches(settings, data):
        keep_learnt(estimator, settings, fitted.groups, data)
    if task is not None:
        task.end()
    return history


def start(
    estimator, settings, fitted, coef_init, intercept_init, n_features, y, *, method="fit"
):  # fmt: skip
    """Return the initial W and b, on the host.

    Parameters
    ----------
    estimator : estimator; errors name its ``coef_``
    settings : Settings
    fitted : array or None
        Its ``coef_``, as returned by `fitted_coef`, if the fit starts from it.
    coef_init, intercept_init, y : as in its method `fit`
    n_features : int
    method : str, the method that errors name
    """
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
    b = b if settings.fit_intercept else np.zeros(n_outputs)
    return W.T.copy(), b


def penalty_of(settings, shape):
    """Return the Penalty of these settings for coefficients of this shape, (M, D)."""
    n_features, n_outputs = shape
    return Penalty.of(
        settings.alpha, settings.l1_ratio, settings.positive, n_outputs,
        penalty_factor=settings.penalty_factor, n_features=n_features,
    )  # fmt: skip


def schedule_of(settings):
    """Return the Schedule of a numeric learning rate, before the first update."""
    return Schedule(
        settings.schedule, settings.learning_rate,
        tol=settings.tol, n_iter_no_change=settings.n_iter_no_change,
    )  # fmt: skip


def momentum_of(settings):
    """Return the Momentum of the textbook's update."""
    return Momentum(settings.momentum, settings.nesterov)


def in_batches(settings, data):
    """Whether the rows are visited in mini-batches."""
    return settings.batch_size is not None and settings.batch_size < data.most_rows


def history_of(settings, data, held_out=None, callback=None):
    """Return the History of a descent.

    Parameters
    ----------
    settings : Settings
    data, held_out : Data
        The training rows, and the validation rows or None.
    callback : callable or None, as in History
    """
    kind = "exact" if settings.automatic else "textbook"
    validation = None
    if held_out is not None:
        patience = Patience(settings.tol, settings.n_iter_no_change)
        validation = Validation(held_out.loss, patience)
    return History(
        max_iter=settings.max_iter, tol=settings.tol, verbose=settings.verbose,
        n_iter_no_change=settings.n_iter_no_change,
        kind="epochs" if in_batches(settings, data) else kind,
        validation=validation, callback=callback,
    )  # fmt: skip


@dataclass(frozen=True)
class Fitted:
    """A model in the dtype of X; its certificate is in the History.

    Attributes
    ----------
    W, b : array of shape (M, D) and (D,)
    step, n_updates, engine : as in `_solvers.iterates.Solution`
    groups : Groups, the problem that was solved
    """

    W: np.ndarray
    b: np.ndarray
    step: np.ndarray
    n_updates: int
    engine: str
    groups: object


# Overflows are found in the results, and are reported with their cause.
@np.errstate(over="ignore", invalid="ignore")
def fit_rows(settings, W, b, data, history, rng=None):
    """Fit a model to rows, from W and b, and return it, Fitted.

    Parameters
    ----------
    settings : Settings
    W, b : array of shape (M, D) and (D,), float64
    data : Data or DaskData
    history : History
    rng : RandomState, which seeds the generator of mini-batches
    """
    batches = None
    if in_batches(settings, data):
        generator = np.random.default_rng(rng.randint(2**32, size=4, dtype=np.uint32))
        batches = Batches(settings.batch_size, settings.shuffle, settings.average, generator)
    groups = read_groups(
        data, penalty_of(settings, W.shape), fit_intercept=settings.fit_intercept,
        raw=not settings.automatic, n_steps=0 if batches else settings.max_iter,
        # If something looks at each iterate, plain steps are made: their models are useful, too.
        whitened=not (batches or history.limits.watched or history.limits.shown),
    )  # fmt: skip
    if history.kind == "textbook":
        history.advice = functools.partial(_advice_on_steps, groups, momentum_of(settings))
    run = _solver_of(settings, groups, history.limits, batches)
    parts = zip(groups, groups.split(W), groups.split(b), strict=True)
    found = history.follow(side_by_side(groups, [run(*part) for part in parts]))
    W, b, certificate = found.W, found.b, found.certificate
    if history.validation is not None and history.losses:
        (W, b), certificate = history.validation.model, None
    W, b = finish(W, b, certificate, groups, data.dtype, history, automatic=settings.automatic)
    return Fitted(W, b, found.step, found.n_updates, found.engine, groups)


def _solver_of(settings, groups, limits, batches):
    """Return the solver of a group of outputs, a function of the initial W and b.

    Parameters
    ----------
    batches : Batches, or None for full batches
    """
    if settings.automatic and batches is None:
        return lambda group, W, b: exact_steps(W, group, limits)
    many = len(groups) > 1

    def own_batches():
        # Each group shuffles its rows as it would alone.
        return replace(batches, rng=copy.deepcopy(batches.rng)) if many else batches

    if settings.automatic:
        return lambda group, W, b: automatic_steps(W, group, limits, own_batches(), many)
    momentum = momentum_of(settings)
    longest_stable = functools.cache(lambda: longest_stable_step(groups, momentum))

    def by_the_book(group, W, b):
        options = schedule_of(settings), momentum, limits
        if batches is None:
            return textbook_steps(W, b, group, *options, longest_stable)
        return textbook_epochs(W, b, group, *options, own_batches(), many, longest_stable)

    return by_the_book


def _advice_on_steps(groups, momentum):
    """Return what to change if the textbook's descent runs out of iterations.

    The longest stable step is named if moments give it without a pass over the data.
    """
    ways = ["Increase max_iter"]
    if all(group.moments for group in groups):
        limit = rounded_down(longest_stable_step(groups, momentum))
        ways.append(f"take a longer step (up to {limit:.4g} is stable)")
    if not all(group.coordinates.features_are_scaled for group in groups):
        ways.append("scale the features")
    return ", ".join(ways) + ', or use learning_rate="auto".'
