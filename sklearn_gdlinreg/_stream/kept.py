"""The `moments_` of a model, from which exact streams continue.

They are plain values and arrays, so that a model can be pickled, and saved by skops: the moments
of the rows, as in `learnt`; the model that was computed from them, to detect whether it has been
changed since; and the number of calls of `partial_fit`, 0 after `fit`.
"""

import numpy as np

from .._base.arrays import same_values, to_host
from .._linear_model import fitted_coef
from .._problem.reading import MOST_COLUMNS_KEPT
from .learnt import Learnt


def keep_learnt(estimator, settings, groups, data):
    """Store the moments of `fit` in the model, if a stream may continue from them."""
    exact = settings.automatic and not settings.early_stopping
    if exact and groups.n_features + data.n_outputs <= MOST_COLUMNS_KEPT:
        learnt = Learnt.of_groups(groups, data)
        estimator.moments_ = state_of(estimator, settings, learnt, 0, packed=True)


def learnt_by(estimator, settings):
    """Return the Learnt of an estimator, or None if it is not fitted.

    Raises
    ------
    ValueError
        If it has no moments, or if they no longer match its parameters and coefficients.
    """
    state = vars(estimator).get("moments_")
    if state is None:
        if fitted_coef(estimator) is not None:
            raise ValueError(_why_not_exact(estimator))
        return None
    if state["fit_intercept"] != settings.fit_intercept:
        raise ValueError(
            f"fit_intercept must not change during an exact stream. Expected "
            f"{state['fit_intercept']}. Got {settings.fit_intercept}."
        )
    for name in ("coef_", "intercept_"):
        kept, now = state[name], vars(estimator).get(name)
        now = fitted_coef(estimator) if name == "coef_" and now is not None else now
        if now is not None and not same_values(np.asarray(to_host(now)), kept):
            raise ValueError(
                f"{name} has been set by hand, but an exact stream computes it from the rows. "
                "Set batch_size to continue from coefficients, or call fit with warm_start=True."
            )
    return Learnt.of_state(state["members"])


def _why_not_exact(estimator):
    """Return why a fitted model has no moments."""
    known = vars(estimator)
    if known.get("engine_") in ("mini-batch", "stream"):
        how = "by mini-batches"
    elif "validation_loss_curve_" in known:
        how = "with early_stopping=True"
    elif sum(np.shape(np.atleast_2d(to_host(fitted_coef(estimator))))) > MOST_COLUMNS_KEPT:
        how = f"to more than {MOST_COLUMNS_KEPT} columns of X and y"
    else:
        how = "with a numeric learning_rate, or its moments_ have been deleted"
    return (
        f"The model was fitted {how}. So it does not have the products of all rows, which an "
        "exact stream needs. Pass these rows to partial_fit of a new model, which gives the "
        "same answer as fit, or set batch_size to continue in mini-batches."
    )


def state_of(estimator, settings, learnt, n_calls, *, packed=False):
    """Return the `moments_` of a model."""
    return {
        "members": learnt.state(packed=packed),
        "fit_intercept": settings.fit_intercept,
        "coef_": np.array(to_host(estimator.coef_)),
        "intercept_": np.array(to_host(estimator.intercept_)),
        "n_calls": n_calls,
    }
