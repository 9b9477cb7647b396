"""How full-batch descent reads the data: the rows, coordinates and suppliers.

The way of a descent is decided here, by the cost of each:

==========  =========================  ======================  =================
way         computed once              gradients from          metric
==========  =========================  ======================  =================
passes      moments of columns         the data                none
moments     products of columns        products, then data     their factor
sample      products of a sample       the data                their factor
dual        products of rows           the data                their factor
==========  =========================  ======================  =================

Factors are for automatic descents of a smooth penalty, if nothing looks at each iterate. If
outputs have different L2 penalties, each has its own factor, of moments only. A sample needs
rows in memory that are not sparse. Products of sparse rows are for L2 penalties that are too
small to give all directions curvature: passes are fast with larger ones, and mostly so without
a penalty.

Passes over data with an L2 penalty on all features may run in the metric of that penalty: see
`_solvers.metric_by_trial`.
"""

import math
from dataclasses import replace

import numpy as np

from .._base.arrays import to_host
from .._base.rounding import EPS
from .._rows.containers import rows_of
from .._rows.moments import FLOAT32_SUMS
from .coordinates import Coordinates
from .metric import DualFactor, InverseRidge, Plain
from .outputs import Group, Groups
from .quadratic import ByMoments, ByPasses

# Moments with larger rounding errors than this are not used.
USELESS = 1e-3
# The number of rows per feature of a sample, with which conjugate steps in its metric gain a
# digit of the loss in about 1.4 iterations, and the number of iterations that are expected.
SAMPLED_ROWS, SAMPLED_STEPS = 5, 14
# How much cheaper than all products a sample must be, as it may be a poor one.
DOUBT = 1.25
# Products that cost more than this, in multiply-adds of a pass, may be computed in float32.
EXACT_WORK = 2**24
# The number of passes of a descent in the metric of a dual factor.
DUAL_STEPS = 4
# `fit` keeps the products of up to this many columns of X and y with its model: 1 MB.
MOST_COLUMNS_KEPT = 500
# How often a descent by working sets looks at all features.
LOOKS = 6
# A multiply-add of a factor is this many times cheaper than one of a pass.
FACTOR_ADVANTAGE = 8
# The largest number of outputs with a factor each, and of float64 values in these: 128 MB.
MOST_FACTORS, ITEMS_OF_FACTORS = 100, 2**24


def read_groups(data, penalty, *, fit_intercept, raw, n_steps, whitened=False):
    """Read the rows in which each group of outputs is observed; return the Groups.

    Parameters
    ----------
    data : Data or DaskData
        Its ``parts(penalty)`` are (outputs, X, Y, sample_weight) of each group; ``whole`` is
        (X, Y, sample_weight) if all groups have the same rows, or None.
    penalty : Penalty, of all outputs
    fit_intercept, raw, n_steps, whitened : as in `read`
    """
    parts, gathered = list(data.parts(penalty)), data.gathered
    if len(parts) > 1 and data.whole is not None:
        # Outputs with two kinds of penalty in the same rows are read once.
        rows = _rows(*data.whole, fit_intercept, raw)
        gathered = rows, _moments(rows, cheapest_way(rows, n_steps))
    groups = []
    for outputs, *own_rows in parts:
        own, known = penalty, gathered
        if len(parts) > 1:
            own = penalty.of_outputs(outputs)
            known = gathered and [of_all.of_outputs(outputs) for of_all in gathered]
        group = read(
            *own_rows, penalty=own, fit_intercept=fit_intercept, raw=raw, n_steps=n_steps,
            whitened=whitened, gathered=known,
        )  # fmt: skip
        groups.append(replace(group, outputs=outputs))
    return Groups(groups)


def read(
    X, Y, sample_weight, *, penalty, fit_intercept, raw, n_steps, whitened=False, gathered=None
):  # fmt: skip
    """Read the data once; return the Group of all outputs.

    Parameters
    ----------
    X : of shape (N, M), float32 or float64, in a container that `rows_of` knows
    Y : ndarray of shape (N, D), of the type of X
    sample_weight : ndarray of shape (N,) or None
    penalty : Penalty
    fit_intercept : bool
    raw : bool
        Whether descent runs in the coordinates of X itself, as the textbook's does.
    n_steps : int
        How many iterations are allowed.
    whitened : bool
        Whether descent may run in the metric of a factor, or by working sets if the penalty is
        not smooth.
    gathered : (Rows, Moments) or None
        Rows of these data and their moments, if they have been read before.
    """
    rows, moments = gathered or (_rows(X, Y, sample_weight, fit_intercept, raw), None)
    by_sets, n_factors = whitened and not penalty.smooth, 0
    if whitened and not raw and penalty.smooth:
        n_factors = _count_factors(rows, penalty)
    if by_sets and rows.has_columns:
        way = _way_of_sets(rows, n_steps)
    else:
        slow = False
        if n_factors == 1 and moments is None and _are_few_sparse(rows) and penalty.least_l2:
            moments = rows.column_moments()
            slow = not Coordinates.of(moments, penalty=penalty, raw=raw).is_curved
        way = cheapest_way(rows, n_steps, n_factors, few_sparse=slow)
    whitened = n_factors > 0
    if moments is None or (moments.products is None and way == "moments"):
        moments = _moments(rows, way, rough=whitened)
    elif moments.products is not None and way == "sample":
        way = "moments"
    if way == "dual":
        return _dual(rows, moments, penalty)
    group = _by_products(rows, moments, way, penalty, raw, whitened)
    return replace(group, by_sets=True) if by_sets else group


def _count_factors(rows, penalty):
    """Return how many factors the outputs need; 0 if they would be too many or too large."""
    n_factors = 1 if penalty.one_l2 else rows.n_outputs
    too_large = n_factors > 1 and n_factors * rows.n_features**2 > ITEMS_OF_FACTORS
    return 0 if n_factors > MOST_FACTORS or too_large else n_factors


def _are_few_sparse(rows):
    """Whether rows are sparse, and so few that their products fit into memory."""
    sparse = rows.has_columns and not rows.at_hand
    return sparse and rows.n_rows <= min(rows.n_features, rows.widest_moments)


def _way_of_sets(rows, n_steps):
    """Return the cheapest way for working sets."""
    if rows.n_features + rows.n_outputs <= MOST_COLUMNS_KEPT:
        return "moments"
    return cheapest_way(rows, min(n_steps, LOOKS))


def _dual(rows, moments, penalty):
    """Return the Group with the metric of products of rows."""
    coordinates = Coordinates.of(moments, penalty=penalty, raw=False)
    passes = ByPasses(rows, coordinates, name="dual")
    metric = DualFactor.of_rows(rows, coordinates)
    return Group(slice(None), penalty, coordinates, None, passes, metric, moments)


def _by_products(
    rows, moments, way, penalty, raw, whitened, *, rough=True, coordinates=None
):  # fmt: skip
    """Return the Group with products of columns, if any.

    The parameters are those of `read`, and what it has computed. Products may be rough, as in
    `DenseRows.moments`; by default, coordinates are those of the moments.
    """
    given, coordinates = (
        coordinates,
        coordinates or Coordinates.of(moments, penalty=penalty, raw=raw),
    )
    supplier, metric, more = by_moments(moments, coordinates), Plain(), None
    if way == "sample":
        sample = rows.every(_step(rows)).moments(rough=rough)
        supplier = by_moments(sample, coordinates, sampled=True)

        def more():
            of_all = _moments(rows, "moments", rough=True)
            return _by_products(
                rows, of_all, "moments", penalty, raw, whitened, coordinates=coordinates
            )

    if whitened and supplier is not None:
        metric = supplier.metric()
        if supplier.rounding >= FLOAT32_SUMS and not 0.0 < metric.longest < 1.0 / supplier.flat:
            # Sums of float32 do not show whether H is singular.
            moments = _moments(rows, way)
            return _by_products(
                rows, moments, way, penalty, raw, whitened, rough=False, coordinates=given
            )
    if whitened and supplier is None:
        metric = Plain(InverseRidge.of(coordinates))
    passes = ByPasses(rows, coordinates)
    more = more if supplier is not None else None
    return Group(slice(None), penalty, coordinates, supplier, passes, metric, moments, more)


def _rows(X, Y, sample_weight, fit_intercept, raw):
    return rows_of(X, Y, sample_weight, centred=fit_intercept, scaled=not raw)


def _moments(rows, way, *, rough=False):
    """Return the Moments of all rows that a way needs."""
    if way != "moments":
        return rows.column_moments()
    # A stream may continue from them, so they are precise if that takes little time.
    rough = rough and rows.at_hand and rows.moments_work > EXACT_WORK
    return rows.moments(rough=True) if rough else rows.moments()


def by_moments(moments, coordinates, *, sampled=False):
    """Return ByMoments, or None if there are no products or they are too inaccurate."""
    if moments.products is None or EPS * coordinates.steepest_square >= USELESS:
        return None
    return ByMoments(moments.products, coordinates, moments.rounding, sampled=sampled)


def cheapest_way(rows, n_steps, n_factors=0, *, few_sparse=False):
    """Return the cheapest way, by its cost in multiply-adds of a pass.

    Parameters
    ----------
    rows : Rows
    n_steps : int, how many iterations are allowed
    n_factors : int, how many factors the outputs need; 0 if there must be none
    few_sparse : bool, whether products of rows may be computed although they are sparse
    """
    N, M, D = rows.n_rows, rows.n_features, rows.n_outputs
    one_pass, n_steps = 2 * rows.n_entries * (1 + D), min(n_steps, 4 * M)
    costs = {"passes": n_steps * one_pass}
    of_rows = n_factors == 1 and (rows.at_hand or few_sparse)
    if rows.widest_moments >= M and not (of_rows and N <= M):
        of_factors = n_factors * M**3 // (3 * FACTOR_ADVANTAGE)
        descent = of_factors if n_factors else n_steps * M**2 * D
        costs["moments"] = rows.moments_work + descent
    if of_rows:
        n_sampled = SAMPLED_ROWS * M
        if N <= M and rows.widest_moments >= N:
            factor = N**3 // (3 * FACTOR_ADVANTAGE)
            costs["dual"] = rows.row_products_work + factor + DUAL_STEPS * one_pass
        elif (
            rows.at_hand
            and n_steps > SAMPLED_STEPS
            and rows.widest_moments >= M
            and _step(rows) > 1
        ):
            products = n_sampled * M**2 + M**3 // 3
            cost = products // FACTOR_ADVANTAGE + SAMPLED_STEPS * one_pass
            costs["sample"] = DOUBT * cost
    return min(costs, key=costs.get)


def _step(rows):
    """Return the distance between rows of the sample; 0 if they have too little weight."""
    step = rows.n_rows // (SAMPLED_ROWS * rows.n_features)
    # Data may be periodic; a prime period is the least likely.
    while any(step % k == 0 for k in range(2, math.isqrt(max(step, 0)) + 1)):
        step -= 1
    if step and rows.weighted:
        weight = to_host(rows.weight)
        many = 2 * np.count_nonzero(weight[::step]) > SAMPLED_ROWS * rows.n_features
        heavy = 2 * step * weight[::step].sum() > weight.sum()
        step = step if many and heavy else 0
    return step
