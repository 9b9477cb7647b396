"""The model that a fit returns: in the dtype of X, with its certificate and its warnings.

Conventions: M features, D outputs; W (M, D), b (D,).
"""

import numpy as np
from scipy import sparse

from .._base.arrays import largest_of, namespace, placed_like, to_host

# By how much rounding to the dtype of X may raise the objective, relative to itself and to that
# of the mean of y, without a warning.
ROUNDED_OWN, ROUNDED_NULL = 1e-2, 1e-6
# A float32 intercept may be wrong by half a unit of its last digit. Coefficients compensate for
# that if its square is more than this share of the objective, in at most so many rounds.
TAKEN_UP, TAKEN_UP_TIMES = 1e-4, 4
# How far below 0 an R squared may be because of rounding.
BAD = 1e-6


def finish(W, b, found, groups, dtype, history, *, automatic):
    """Return W and b in the dtype of X; record their certificate and their problems.

    Parameters
    ----------
    W, b : array of shape (M, D) and (D,), float64
    found : Certificate of these, or None if it has not been computed
    groups : Groups
    dtype : float32 or float64, of the library of the arrays
    history : History
    automatic : bool
        Whether the steps were automatic. The textbook's descent may return any model.
    """
    xp = namespace(W)
    if found is not None:
        _check_underflow(W, dtype, found, groups, history.tol)
    if W.dtype != dtype or found is None:
        W, b = cast_model(W, b, dtype, lambda: groups.mean)
        if found is not None and automatic:
            W = _take_up(W, b, found.objective, groups)
        before, found = found, _certificate_of(W, b, groups)
        if before is not None and automatic:
            W, b, found = _or_the_mean(W, b, before, found, groups)
            _report_rounding(before, found, dtype, groups, history)
    elif not _finite(W, b):
        raise ValueError(_overflows(dtype))
    if not _finite(found.objective):
        raise ValueError(
            "Input y spans too many orders of magnitude: the squares of its values overflow. "
            "Scale the outputs to a smaller range."
        )
    if automatic or history.tol > 0:
        _report_bad(found.r2, history)
    roundoff = float(xp.finfo(dtype).eps) / 2.0
    history.certified(xp.sum(found.objective), xp.max(found.optimality), roundoff)
    return W, b


def _certificate_of(W, b, groups):
    xp = namespace(W)
    return groups.certify(xp.astype(W, xp.float64), xp.astype(b, xp.float64))


def cast_model(W, b, dtype, mean):
    """Return W and b in a dtype, with the same predictions at the means of X.

    Parameters
    ----------
    W, b : array of shape (M, D) and (D,)
    dtype : float32 or float64, of the library of the arrays
    mean : callable
        Returns the means of X, (M, D), if they are needed.

    Raises
    ------
    ValueError
        If the dtype has no such numbers.
    """
    xp = namespace(W)
    with np.errstate(over="ignore", invalid="ignore"):
        cast = xp.astype(W, dtype, copy=False)
        if cast.dtype != W.dtype:
            b = b - xp.sum(mean() * (xp.astype(cast, xp.float64) - W), axis=0)
        b = xp.astype(b, dtype, copy=False)
    if not _finite(cast, b):
        raise ValueError(_overflows(dtype))
    return cast, b


def _take_up(W, b, objective, groups):
    """Return W with coefficients that compensate for the rounding of the intercept.

    This rounding may be larger than the residual if y is far from zero. The coefficient of a
    feature that is also far from zero changes the mean of the predictions, and hardly their
    spread: each round changes the coefficient that raises the loss least.
    """
    xp = namespace(W)
    b, objective = to_host(xp.astype(b, xp.float64)), to_host(objective)
    cast, outputs = to_host(W).copy(), np.arange(W.shape[1])
    for _ in range(TAKEN_UP_TIMES):
        best = groups.best_intercept(placed_like(cast.astype(np.float64), groups.y_mean))
        off = to_host(best) - b
        if not (off**2 > TAKEN_UP * objective).any():
            break
        mean, deviation = to_host(groups.mean), to_host(groups.deviation)
        unit = np.spacing(np.abs(cast)).astype(np.float64) * (cast != 0)
        moves = np.where(unit * mean == 0, 0.0, unit * mean)
        n_units = np.rint(off / np.where(moves == 0, np.inf, moves))
        cost = (n_units * unit * deviation) ** 2 + (off - n_units * moves) ** 2
        changed = cast + (n_units * unit).astype(cast.dtype)
        # Signs do not change, as coefficients may have to be positive.
        least = np.argmin(np.where(changed * cast > 0, cost, np.inf), axis=0), outputs
        better = (cost[least] < off**2) & (changed * cast > 0)[least]
        cast[least] = np.where(better, changed[least], cast[least])
    return placed_like(cast, W)


def _check_underflow(W, dtype, found, groups, tol):
    """Raise if the coefficients that an output needs underflow the dtype.

    Either float64 has them, and they explain the output, or they underflow float64, too.
    """
    xp = namespace(W)
    smallest = xp.finfo(dtype).smallest_normal
    vanish = largest_of(W) < smallest
    if not xp.any(vanish):
        return
    lost = (groups.coefficient_unit < smallest) & (found.optimality > tol)
    if xp.any(vanish & ((found.r2 > BAD) | lost)):
        raise ValueError(_overflows(dtype).replace("overflow", "underflow"))


def check_vanished(W, X, Y):
    """Raise if the model of a stream is zero because its coefficients underflow the dtype.

    Parameters
    ----------
    W : array of shape (M, D), in its dtype
    X, Y : the rows of the last chunk, (N, M) and (N, D)
    """
    xp = namespace(W)
    smallest = xp.finfo(W.dtype).smallest_normal
    vanish = largest_of(W) < smallest
    if not xp.any(vanish):
        return
    largest = abs(X).max() if sparse.issparse(X) else xp.max(xp.abs(X))
    spread = xp.max(xp.abs(Y - Y[:1, :]), axis=0)
    if xp.any(vanish & (spread > 0) & (spread < smallest * largest)):
        raise ValueError(_overflows(W.dtype).replace("overflow", "underflow"))


def _overflows(dtype):
    return (
        f"The coefficients overflow {str(dtype).rpartition('.')[2]}: X and y differ by too many "
        "orders of magnitude. Scale the features or the outputs."
    )


def _or_the_mean(W, b, before, found, groups):
    """Return the model and its certificate, or the mean of y if that has become better."""
    xp, mean = namespace(W), groups.y_mean
    b_mean = xp.astype(mean, b.dtype)
    null = groups.null_loss + (xp.astype(b_mean, xp.float64) - mean) ** 2
    lost = (before.objective <= null) & (found.objective > null)
    if not xp.any(lost):
        return W, b, found
    W, b = xp.where(lost, 0.0 * W, W), xp.where(lost, b_mean, b)
    return W, b, _certificate_of(W, b, groups)


def _report_rounding(before, found, dtype, groups, history):
    """Warn where rounding a model to the dtype of X raised its loss noticeably."""
    xp = namespace(before.objective)
    rise = found.objective - before.objective
    lost = rise > xp.maximum(ROUNDED_OWN * before.objective, ROUNDED_NULL * groups.null_loss)
    if xp.any(lost):
        d = int(np.argmax(to_host(lost)))
        history.faults.append(
            f"Rounding the model to {str(dtype).rpartition('.')[2]}, the dtype of X, raised the "
            f"loss of output {d} from {float(before.objective[d]):.4g} to "
            f"{float(found.objective[d]):.4g}. Subtract the offset from X and y, pass them in "
            "float64, or set alpha > 0 if features are collinear."
        )


def _report_bad(r2, history):
    """Warn of a model that is worse than the mean of y on the training rows."""
    r2 = to_host(r2)
    d = int(np.argmin(r2))
    if not r2[d] >= -BAD:
        rounding = ", or pass X and y in float64 and without their offset"
        history.faults.append(
            f"R squared is {r2[d]:.3g} for output {d} on the training rows: a constant predicts "
            "better. Increase max_iter"
            f"{'' if history.kind == 'textbook' else rounding}."
        )


def _finite(*arrays):
    """Whether all values of these arrays are finite."""
    return all(namespace(A).all(namespace(A).isfinite(A)) for A in arrays)
