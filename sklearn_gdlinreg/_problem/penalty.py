"""The penalty: its value, its gradient, and the proximal map of its nonsmooth part.

On coefficients V, (M, D), with M features and D outputs, the penalty of the loss is::

    sum_md 2 * l1_md * |V_md| + l2_md * V_md ** 2

and infinite if a V is negative that must not be. It is made from the parameters of an
estimator, in the units of W, and converted to the coordinates of a descent. In the units of W,
``l1_md`` and ``l2_md`` are those of an output times the factor of a feature, which is 1 without
a ``penalty_factor``. No other module uses l1 and l2: the L2 term has a value and a half
gradient, and the rest a value and a proximal map. Compiled solvers get `terms`, and
passes `l2_like`.
"""

import math

import numpy as np

from .._base.arrays import dot, inverse_of, namespace, placed_like, to_host


def soft_threshold(V, threshold, positive):
    """Return the U that minimises ``|U - V|^2 / 2 + threshold |U|``, with U >= 0 if positive.

    Entries within the threshold of zero are zero. ``positive`` is a bool, or an array of them
    that goes with V.
    """
    xp = namespace(V)
    if not isinstance(positive, bool):
        return V - xp.clip(V, xp.where(positive, -xp.inf, -threshold), threshold)
    if positive:
        return xp.maximum(V - threshold, 0.0)
    return V - xp.clip(V, -threshold, threshold)


def _by_feature(values, name, dtype, n_features):
    """Return a parameter that has one value per feature as an array, (M, 1)."""
    values = np.asarray(values, dtype=dtype)
    if values.shape != (n_features,):
        raise ValueError(
            f"{name} must have one value per feature of X: expected shape {(n_features,)}. "
            f"Got {values.shape}."
        )
    return values[:, None]


class Penalty:
    """The penalty of each output; `of` and `none` make one.

    Parameters
    ----------
    l1, l2 : array, of a shape that broadcasts to (M, D)
    not_negative : bool, or array of bool of shape (M, 1)
        Which coefficients must not be negative.
    has_l1, has_l2 : bool
    alike : tuple (l1, l2, factor), optional
        The terms of a feature whose factor is 1, (1, D) each, and the factors of all, (M, 1),
        or None if these are 1; only before the penalty is converted to other coordinates.

    Attributes
    ----------
    positive : bool, whether some coefficients must not be negative
    smooth : bool, whether it has a gradient everywhere: no L1 term, and not positive
    has_l1, has_l2 : bool, whether any coefficient has such a term
    """

    def __init__(self, l1, l2, not_negative, *, has_l1, has_l2, alike=None):
        self._l1, self._l2, self._not_negative, self._alike = l1, l2, not_negative, alike
        self.positive = not_negative if isinstance(not_negative, bool) else True
        self.has_l1, self.has_l2 = has_l1, has_l2
        self.smooth = not (has_l1 or self.positive)

    @classmethod
    def of(
        cls, alpha, l1_ratio, positive, n_outputs, *, penalty_factor=None, n_features=None
    ):  # fmt: skip
        """Return the Penalty of the parameters of an estimator.

        Parameters
        ----------
        alpha, l1_ratio, positive, penalty_factor : as in GDLinearRegression
        n_outputs : int
        n_features : int, needed for parameters with one value per feature
        """
        alpha = np.array(alpha, dtype=np.float64, ndmin=1)
        if alpha.shape not in ((1,), (n_outputs,)):
            raise ValueError(
                "alpha must be a float or have one value per output of y: expected shape "
                f"{(n_outputs,)}. Got {alpha.shape}."
            )
        alpha, factor = alpha + np.zeros((1, n_outputs)), None
        if penalty_factor is not None:
            factor = _by_feature(penalty_factor, "penalty_factor", np.float64, n_features)
            # Equal values for all features are treated like a single value.
            factor = None if (factor == 1.0).all() else factor
        if np.ndim(positive):
            positive = _by_feature(positive, "positive", bool, n_features)
        if not np.ndim(positive) or (positive == positive[0]).all():
            positive = bool(np.ravel(positive)[0])
        if factor is not None and not math.isfinite(float(factor.max()) * float(alpha.max())):
            raise ValueError(
                "alpha times penalty_factor must be finite. Got an alpha of "
                f"{alpha.max():g} and a factor of {factor.max():g}."
            )
        l1, l2 = alpha * float(l1_ratio), alpha * (1.0 - float(l1_ratio))
        return cls._of(l1, l2, factor, positive)

    @classmethod
    def _of(cls, l1, l2, factor, not_negative):
        """Return the Penalty of terms in the units of W; see ``alike``."""
        own = (l1, l2) if factor is None else (l1 * factor, l2 * factor)
        has_l1, has_l2 = (np.count_nonzero(term) > 0 for term in own)
        alike = l1, l2, factor
        return cls(*own, not_negative, has_l1=has_l1, has_l2=has_l2, alike=alike)

    def _with(self, l1, l2, not_negative):
        """Return a Penalty of the same kind, with other terms."""
        return Penalty(l1, l2, not_negative, has_l1=self.has_l1, has_l2=self.has_l2)

    @classmethod
    def none(cls, n_outputs):
        """Return the Penalty of an estimator without a penalty."""
        return cls.of(0.0, 0.0, False, n_outputs)

    def of_outputs(self, outputs):
        """Return the Penalty of some of the outputs, in the units of W."""
        l1, l2, factor = self._alike
        return self._of(l1[:, outputs], l2[:, outputs], factor, self._not_negative)

    def of_columns(self, columns):
        """Return the Penalty of some of the features, in the units of W."""
        (l1, l2, factor), not_negative = self._alike, self._not_negative
        if factor is not None:
            factor = factor[columns]
        if not isinstance(not_negative, bool):
            not_negative = not_negative[columns]
        return self._of(l1, l2, factor, not_negative)

    def seen_from(self, unit, y_unit=1.0):
        """Return the same penalty as a function of ``V = W / unit * y_unit``.

        Its values are then in the units of the squares of ``Y * y_unit``.

        Parameters
        ----------
        unit : array of shape (M,)
        y_unit : array of shape (D,) or float
        """
        l1, l2 = self._l1, self._l2
        if self.one_l2:
            # All outputs are alike, so one column has the terms of all.
            l2 = l2[:, :1]
        unit = unit[:, None]
        # Roots are taken first, so that nothing overflows without a penalty.
        l2 = (unit * placed_like(namespace(l2).sqrt(l2), unit)) ** 2
        l1, not_negative = placed_like(l1, unit), self._not_negative
        if not isinstance(not_negative, bool):
            not_negative = placed_like(not_negative, unit)
        return self._with(unit * (l1 * y_unit) if self.has_l1 else l1, l2, not_negative)

    def side_by_side(self, numbers):
        """Return the Penalty of n times as many outputs: `times` each row of numbers, (n, D)."""
        l1, l2, factor = self._alike
        l1, l2 = ((term * numbers).reshape(1, -1) for term in (l1, l2))
        return self._of(l1, l2, factor, self._not_negative)

    def times(self, number):
        """Return the penalty multiplied by a number, in the units of W.

        The number is a float, or an array of one per output, (D,).
        """
        l1, l2, factor = self._alike
        return self._of(l1 * number, l2 * number, factor, self._not_negative)

    def with_l1_times(self, factor):
        """Return the penalty with the L1 term multiplied by a factor, (D,)."""
        return self._with(self._l1 * factor, self._l2, self._not_negative)

    def terms(self, shape):
        """Return l1 and l2, float64 of this shape, (M, D), and positive, bool, (M,).

        The last says which features must not have a negative V. All are views on the host that
        must not be written to.
        """
        l1, l2 = (np.broadcast_to(to_host(term), shape) for term in (self._l1, self._l2))
        not_negative = self._not_negative
        if not isinstance(not_negative, bool):
            not_negative = to_host(not_negative)[:, 0]
        return l1, l2, np.broadcast_to(not_negative, shape[:1])

    @property
    def some(self):
        """Whether any output has a penalty."""
        return self.has_l2 or not self.smooth

    @property
    def smooth_outputs(self):
        """Which outputs have a penalty with a gradient everywhere, (D,), bool."""
        return (self._l1 == 0.0).all(axis=0) & (not self.positive)

    @property
    def one_l2(self):
        """Whether all outputs have the same L2 term."""
        return not self.has_l2 or bool(namespace(self._l2).all(self._l2 == self._l2[:, :1]))

    @property
    def least_l2(self):
        """The least L2 term of an output, a float, for a feature whose factor is 1."""
        return float(self._alike[1].min()) if self.has_l2 else 0.0

    def factor(self, like):
        """Return the factors of the features, (M,), on the device of an array, or 1.0."""
        factor = self._alike[2]
        return 1.0 if factor is None else placed_like(factor[:, 0], like)

    def free(self, n_features):
        """Return which features have a factor of 0, and so no penalty, (M,), bool."""
        factor = self._alike[2]
        return np.zeros(n_features, bool) if factor is None else factor[:, 0] == 0.0

    def n_penalised(self, least, n_features):
        """Return how many features have at least this L2 term in all outputs."""
        if not self.has_l2:
            return 0
        of_features = np.broadcast_to(to_host(self._l2).min(axis=1), (n_features,))
        return int(np.count_nonzero(of_features >= least))

    def value(self, V):
        """Return the penalty of each output, (D,)."""
        return self.value_without_gradient(V) + self.l2_value(V)

    def value_without_gradient(self, V):
        """Return the L1 term of each output, (D,)."""
        return 2.0 * dot(placed_like(self._l1, V), namespace(V).abs(V))

    def l2_value(self, V):
        """Return the L2 term of each output, (D,)."""
        return dot(self.half_gradient(V), V)

    def half_gradient(self, V):
        """Return half the gradient of the L2 term, (M, D)."""
        return self.l2_like(V) * V

    def l2_like(self, V):
        """Return the L2 terms, (M, D), where V is; one row or column may stand for all."""
        return placed_like(self._l2, V)

    def proximal_map(self, V, step):
        """Return the U that minimises ``|U - V|^2 / (2 step) + l1 |U|``; U >= 0 if positive.

        It is half of the nonsmooth part, because V is a step along a half gradient.
        """
        return V if self.smooth else soft_threshold(V, step * self._l1, self._not_negative)

    def proximal_gradient(self, V, G):
        """Return the move of a proximal step of length 1 along the half gradient G, (M, D).

        It is zero only at the optimum, and equal to G if the penalty is smooth.
        """
        return G if self.smooth else self.proximal_map(V + G, 1.0) - V

    def l1_half_gradient(self, sign):
        """Return half the gradient of the L1 term for coefficients of these signs, (M, D)."""
        return sign * self._l1

    def vanishing_factor(self, G):
        """Return the factor of the L1 term from which on V = 0 is optimal, (D,).

        G is the half gradient at 0, (M, D). Coefficients without an L1 term do not count.
        """
        xp, l1 = namespace(G), placed_like(self._l1, G)
        pull = xp.abs(G)
        if self.positive:
            pull = xp.where(self._not_negative & (G < 0.0), 0.0, pull)
        return xp.max(pull * inverse_of(xp.broadcast_to(l1, G.shape)), axis=0)

    def for_batches(self, *, raw, y_unit=1.0):
        """Return the numbers (3, D) that `_mini_batch.update_rule` calls shrink, l1 and l2.

        They are for a feature whose factor is 1.

        Parameters
        ----------
        raw : bool
            Whether the L2 term is part of the gradient, as in the textbook's update.
        y_unit : array of shape (D,) or float
            The factor of Y, and so of the coefficients.
        """
        l1, l2 = self._alike[0][0], self._alike[1][0]
        none = np.zeros_like(l2)
        shrink, l2 = (l2, none) if raw else (none, l2)
        return np.stack([shrink, l1 * y_unit, l2])

    def of_features(self):
        """Return ``of_features`` of `_mini_batch.update_rule`, (M, 2), or (0, 2) if alike."""
        factor, not_negative = self._alike[2], self._not_negative
        if factor is None and isinstance(not_negative, bool):
            return np.zeros((0, 2))
        factor = 1.0 if factor is None else factor
        return np.concatenate(
            np.broadcast_arrays(factor, np.asarray(not_negative, float)), axis=1
        )
