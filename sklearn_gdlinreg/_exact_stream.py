"""Exact streams: from a chunk of rows, or from other models, to the model of all rows so far.

The moments are kept in the model as `moments_`, plain values and arrays; see `_stream.learnt`.
They are never changed in place, so a call that fails leaves a model as it was.

Conventions: M features, D outputs; W (M, D), b (D,).
"""

from dataclasses import replace

import numpy as np

from ._base.arrays import host_dtype, placed_like, take, to_host
from ._base.rounding import EPS
from ._fit import penalty_of
from ._input.settings import Settings
from ._linear_model import fitted_coef, solution
from ._problem.loss import predict
from ._report.history import History
from ._report.returned_model import finish
from ._solvers.iterates import side_by_side
from ._stream.kept import learnt_by, state_of
from ._stream.learnt import Learnt
from ._stream.solution import descend, groups_of

# What models must have in common to be merged.
SHARED = "alpha", "l1_ratio", "fit_intercept", "positive", "penalty_factor"
# Products of more items than these take more than 1 GiB.
MOST_ITEMS = 2**27


# Overflows are found in the results, and are reported with their cause.
@np.errstate(over="ignore", invalid="ignore")
def learn_exactly(estimator, settings, y, data):
    """Update an estimator with a chunk of rows, Data; return the History of the descent."""
    before = learnt_by(estimator, settings)
    state = vars(estimator).get("moments_")
    _check_shape(before, data)
    if before is not None and state["coef_"].ndim != y.ndim:
        raise ValueError(
            f"y must stay {state['coef_'].ndim}D between calls of partial_fit. Got an array of "
            f"shape {y.shape}."
        )
    n_calls = state["n_calls"] if before is not None else 0
    fading = replace(data, half_life=settings.half_life) if settings.half_life else data
    learnt = Learnt.of_data(fading, centred=settings.fit_intercept, before=before)
    loss = _loss_before(state, before, data, settings.fit_intercept)
    if before is not None:
        learnt = before.merge(learnt, fading.n_halvings if settings.half_life else None)
    _check_memory(learnt)
    if n_calls == 0:
        estimator.loss_curve_, estimator.t_ = [], 0
    history = store_learnt(estimator, settings, learnt, y, host_dtype(data.Y), n_calls + 1)
    estimator.loss_curve_.append(loss)
    return history


@np.errstate(over="ignore", invalid="ignore")
def merge(estimator, others):
    """Merge the moments of other models into an estimator; return the History of the descent.

    Parameters
    ----------
    estimator : GDLinearRegression, fitted or not
    others : tuple of GDLinearRegression
    """
    settings = Settings.of(estimator)
    if not others:
        raise TypeError("merge needs at least one other model. Got none.")
    learnt = learnt_by(estimator, _exact(settings, "the model that merge is called on"))
    like = estimator if learnt is not None else others[0]
    for k, other in enumerate(others):
        its = _learnt_by_other(other, k, like, settings)
        learnt = its if learnt is None else learnt.merge(its)
    state = vars(estimator).get("moments_")
    if like is not estimator:
        for name in ("n_features_in_", "feature_names_in_"):
            if name in vars(like):
                setattr(estimator, name, getattr(like, name))
    coef, n_calls = fitted_coef(like), state["n_calls"] if state is not None else 0
    if n_calls == 0:
        estimator.loss_curve_, estimator.t_ = [], 0
    models = [estimator, *others] if like is estimator else others
    dtype = np.result_type(*(to_host(fitted_coef(model)).dtype for model in models))
    _check_memory(learnt)
    return store_learnt(estimator, settings, learnt, coef, dtype, n_calls)


def _exact(settings, who):
    """Return the settings; raise unless the stream is exact and has no half-life."""
    for name in ("batch_size", "learning_rate", "half_life"):
        got = getattr(settings, name)
        if got is not None:
            needed = '"auto"' if name == "learning_rate" else "None"
            raise ValueError(f"merge needs {name}={needed}. Got {got!r} for {who}.")
    return settings


def _mean_the_same(one, other):
    """Whether two values of a parameter agree; a single one is that of all, and None is 1."""
    one, other = (np.asarray(1.0 if value is None else value) for value in (one, other))
    same_for_all = one.ndim == 0 or other.ndim == 0
    return bool((one == other).all()) if same_for_all else np.array_equal(one, other)


def _learnt_by_other(other, k, like, settings):
    """Return the moments of a model to be merged; raise if it does not match the others."""
    who = f"model {k} to be merged"
    if not hasattr(other, "partial_fit") or not hasattr(other, "half_life"):
        raise TypeError(
            f"merge accepts models of GDLinearRegression. Got {type(other)} as {who}."
        )
    own = _exact(Settings.of(other), who)
    for name in SHARED:
        if not _mean_the_same(getattr(own, name), getattr(settings, name)):
            raise ValueError(
                f"{name} must be that of the model that merge is called on, "
                f"{getattr(settings, name)!r}. Got {getattr(own, name)!r} for {who}."
            )
    try:
        learnt = learnt_by(other, own)
    except ValueError as error:
        raise ValueError(f"merge cannot use {who}. {error}") from None
    if learnt is None:
        raise ValueError(f"Call fit or partial_fit before merge: {who} is not fitted yet.")
    names = [vars(model).get("feature_names_in_") for model in (like, other)]
    named = all(each is not None for each in names)
    if named and not np.array_equal(*names):
        raise ValueError(
            f"All models must have the same feature names: expected {list(names[0])}. Got "
            f"{list(names[1])} for {who}."
        )
    expected, got = (vars(model)["moments_"]["coef_"].shape for model in (like, other))
    if got != expected:
        raise ValueError(
            "All models must have the same number of features, outputs and dimensions of y: "
            f"expected coef_ of shape {expected}. Got {got} for {who}."
        )
    return learnt


def _check_shape(before, data):
    """Raise if a chunk does not match the rows so far, or has too many features."""
    M, D = data.X.shape[1], data.n_outputs
    _check_size(M * (M + D), f"{M} features")
    if before is None:
        return
    expected = before.n_features, before.n_outputs
    for name, got, kept, what in zip(
        ("X", "y"), (M, D), expected, ("features", "outputs"), strict=True
    ):
        if kept is not None and got != kept:
            raise ValueError(
                f"{name} must keep its {kept} {what} between calls of partial_fit. Got {got}."
            )


def _check_memory(learnt):
    """Raise if the moments of all groups of outputs take too much memory."""
    known = [moments.products.size for _, moments in learnt.members if moments is not None]
    _check_size(sum(known), f"outputs that are observed in {len(known)} different sets of rows")


def _check_size(n_items, what):
    if n_items > MOST_ITEMS:
        raise ValueError(
            f"The products of {what} take {8 * n_items / 2**30:.1f} GiB, and exact streams keep "
            "at most 1 GiB. Set batch_size to learn in mini-batches."
        )


def _loss_before(state, before, data, centred):
    """Return the mean loss of a chunk before the update, summed over outputs, a float.

    An output that has not been observed before is predicted by its mean in the chunk, or by 0
    without an intercept.
    """
    M, D = data.X.shape[1], data.n_outputs
    W, b, new = np.zeros((M, D)), np.zeros(D), np.ones(D, dtype=bool)
    if before is not None:
        # Products with a contiguous array take half the time.
        W = np.ascontiguousarray(np.atleast_2d(state["coef_"]).T, dtype=np.float64)
        b = np.atleast_1d(state["intercept_"]).astype(np.float64, copy=False)
        new[before.observed] = False
    wide, loss = data.wide(), 0.0
    for outputs, weight in data.groups():
        weight = None if weight is None else to_host(weight)
        if weight is not None and not weight.any():
            continue
        Y = wide.Y if isinstance(outputs, slice) else take(wide.Y, outputs, axis=1)
        model = (placed_like(A, Y) for A in (W[:, outputs], b[outputs]))
        error = to_host(predict(wide.X, *model) - Y)
        if centred and new[outputs].any():
            error = error - new[outputs] * _mean(error, weight)
        loss += float(_mean(np.einsum("nd,nd->n", error, error), weight))
    return loss


def _mean(values, weight):
    """Return the weighted mean of rows; the weights may be None."""
    if weight is None:
        return values.mean(axis=0)
    return np.average(values, axis=0, weights=weight)


def _model_of(estimator, settings, learnt, dtype, history):
    """Return W and b in a dtype, and the last steps, (D,); zeros for unobserved outputs."""
    state, M, D = vars(estimator).get("moments_"), learnt.n_features, learnt.n_outputs
    if M is None:
        M = estimator.n_features_in_
    penalty, seen = penalty_of(settings, (M, D)), learnt.observed
    start = np.zeros((M, len(seen)))
    if state is not None and not penalty.smooth:
        start = np.atleast_2d(state["coef_"]).T[:, seen].astype(np.float64)
    if not len(seen):
        history.certified(0.0, 0.0, EPS)
        history.stop("tol")
        return np.zeros((M, D), dtype), np.zeros(D, dtype), np.zeros(D)
    groups = groups_of(learnt, penalty)
    parts = zip(groups, groups.split(start), strict=True)
    runs = [descend(part, group, history.limits) for group, part in parts]
    found = history.follow(side_by_side(groups, runs))
    model = finish(found.W, found.b, found.certificate, groups, dtype, history, automatic=True)
    if len(seen) == D:
        return *model, found.step
    W, b, step = np.zeros((M, D), dtype), np.zeros(D, dtype), np.zeros(D)
    (W[:, seen], b[seen]), step[seen] = model, found.step
    return W, b, step


def store_learnt(estimator, settings, learnt, like, dtype, n_calls):
    """Solve from the moments and set the fitted attributes; return the History of the descent.

    Parameters
    ----------
    estimator : GDLinearRegression
    settings : Settings
    learnt : Learnt
    like : array with the number of dimensions of y, the library and the device of `coef_`
    dtype : float32 or float64 of NumPy
    n_calls : int, the calls of partial_fit so far
    """
    history = History(max_iter=settings.max_iter, tol=settings.tol, kind="stream")
    W, b, step = _model_of(estimator, settings, learnt, dtype, history)
    vars(estimator).update(solution(W, b, like, np.dtype(dtype)))
    for name in ("validation_loss_curve_", "_stream", "_features"):
        vars(estimator).pop(name, None)
    step = float(step[0]) if like.ndim == 1 else placed_like(step, like)
    estimator.learning_rate_, estimator.engine_ = step, "moments"
    estimator.n_iter_, estimator.t_ = n_calls, estimator.t_ + history.limits.n_done
    estimator.optimality_, estimator.stop_reason_ = history.optimality, history.stop_reason
    estimator.moments_ = state_of(estimator, settings, learnt, n_calls)
    return history
