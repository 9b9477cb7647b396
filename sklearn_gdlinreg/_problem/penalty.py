"""The penalty: its value, its gradient, and the proximal map of the part that has none.

On coefficients V, (M, D), with M features and D outputs, the penalty of the loss is::

    sum_md 2 * l1_md * |V_md| + l2_md * V_md ** 2

and infinite where ``positive`` and V is not. It is made from the parameters of an estimator, in
the units of W, and seen from the coordinates of a descent. Nothing outside of this module knows
its l1 and l2: the L2 term is asked for its value and its half gradient, the rest for its value
and its proximal map.
"""

import numpy as np

from .._base.arrays import dot, inverse_of, multiply, namespace, placed_like


def soft_threshold(V, threshold, positive):
    """Return the U that minimises ``|U - V|^2 / 2 + threshold |U|``, with U >= 0 if positive.

    Entries within the threshold of zero are zero.
    """
    xp = namespace(V)
    if positive:
        return xp.maximum(V - threshold, 0.0)
    return V - xp.clip(V, -threshold, threshold)


class Penalty:
    """The penalty of each output; `of` and `none` make one.

    Attributes
    ----------
    positive : bool, whether coefficients may not be negative
    smooth : bool, whether all of it has a gradient: no L1 term, and not positive
    has_l1, has_l2 : bool, whether any coefficient has such a term
    """

    def __init__(self, l1, l2, positive, *, has_l1, has_l2):
        self._l1, self._l2, self.positive = l1, l2, positive
        self.has_l1, self.has_l2 = has_l1, has_l2
        self.smooth = not (has_l1 or positive)

    @classmethod
    def of(cls, alpha, l1_ratio, positive, n_outputs):
        """Return that of an estimator's parameters; alpha is one for all, or one per output."""
        alpha = np.array(alpha, dtype=np.float64, ndmin=1)
        if alpha.shape not in ((1,), (n_outputs,)):
            raise ValueError(
                "alpha must be a float or have one value per output of y: expected shape "
                f"{(n_outputs,)}. Got {alpha.shape}."
            )
        alpha = alpha + np.zeros((1, n_outputs))
        return cls._of(alpha * float(l1_ratio), alpha * (1.0 - float(l1_ratio)), bool(positive))

    @classmethod
    def _of(cls, l1, l2, positive):
        """Return that of terms in the units of W, (1, D) each."""
        has_l1, has_l2 = np.count_nonzero(l1) > 0, np.count_nonzero(l2) > 0
        return cls(l1, l2, positive, has_l1=has_l1, has_l2=has_l2)

    def _with(self, l1, l2):
        """Return one of the same kind, with other terms."""
        return Penalty(l1, l2, self.positive, has_l1=self.has_l1, has_l2=self.has_l2)

    @classmethod
    def none(cls, n_outputs):
        """Return that of an estimator without a penalty."""
        return cls.of(0.0, 0.0, False, n_outputs)

    def of_outputs(self, outputs):
        """Return that of some of the outputs, before it is seen from any coordinates."""
        return self._of(self._l1[:, outputs], self._l2[:, outputs], self.positive)

    def seen_from(self, unit, y_unit=1.0):
        """Return the same penalty as a function of ``V = W / unit * y_unit``.

        It is then in the units of the squares of ``Y * y_unit``.

        Parameters
        ----------
        unit : array of shape (M,)
        y_unit : array of shape (D,) or float
        """
        l1, l2 = self._l1, self._l2
        if l2.shape[0] == 1 and namespace(l2).all(l2 == l2[:, :1]):
            # Outputs are alike: one column tells the terms of all.
            l2 = l2[:, :1]
        unit = unit[:, None]
        # Of roots, so that nothing overflows where there is no penalty.
        l2 = (unit * placed_like(namespace(l2).sqrt(l2), unit)) ** 2
        l1 = placed_like(l1, unit)
        return self._with(unit * (l1 * y_unit) if self.has_l1 else l1, l2)

    def with_l1_times(self, factor):
        """Return the same with an L1 term so many times as strong, (D,)."""
        return self._with(self._l1 * factor, self._l2)

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
        """The least factor of an L2 term, a float."""
        return float(namespace(self._l2).min(self._l2)) if self.has_l2 else 0.0

    def value(self, V):
        """Return the penalty of each output, (D,)."""
        return self.value_without_gradient(V) + self.l2_value(V)

    def value_without_gradient(self, V):
        """Return the L1 term of each output, (D,)."""
        return 2.0 * dot(placed_like(self._l1, V), namespace(V).abs(V))

    def l2_value(self, V):
        """Return the L2 term of each output, (D,)."""
        return dot(placed_like(self._l2, V) * V, V)

    def half_gradient(self, V, out=None):
        """Return half the gradient of the L2 term, (M, D); ``out`` is as in `multiply`."""
        return multiply(placed_like(self._l2, V), V, out=out)

    def proximal_map(self, V, step):
        """Return the U that minimises ``|U - V|^2 / (2 step) + l1 |U|``; U >= 0 if positive.

        That is half of the part without a gradient: V is to be a step along a half gradient.
        """
        return V if self.smooth else soft_threshold(V, step * self._l1, self.positive)

    def proximal_gradient(self, V, G):
        """Return the move of a proximal step of length 1 along the half gradient G, (M, D).

        It is zero at the optimum and nowhere else, and G itself where the penalty is smooth.
        """
        return G if self.smooth else self.proximal_map(V + G, 1.0) - V

    def l1_half_gradient(self, sign):
        """Return half the gradient of the L1 term for coefficients of these signs, (M, D)."""
        return sign * self._l1

    def terms(self, shape):
        """Return l1 and l2, of shape (M, D), and which coefficients are positive, (M,), bool."""
        l1, l2 = (np.broadcast_to(term, shape) for term in (self._l1, self._l2))
        return l1, l2, np.full(shape[0], self.positive)

    def vanishing_factor(self, G):
        """Return how many times as strong the L1 term must be for V = 0 to be optimal, (D,).

        G is the half gradient there, (M, D). Coefficients without such a term do not count.
        """
        xp, l1 = namespace(G), placed_like(self._l1, G)
        pull = xp.maximum(G, 0.0) if self.positive else xp.abs(G)
        return xp.max(pull * inverse_of(xp.broadcast_to(l1, G.shape)), axis=0)

    def for_batches(self, *, raw, y_unit=1.0):
        """Return the numbers (3, D) that `_mini_batch.update_rule` calls shrink, l1 and l2.

        Parameters
        ----------
        raw : bool
            Whether the L2 term is part of the gradient, as in the textbook's update.
        y_unit : array of shape (D,) or float
            What Y has been multiplied by, and with it the coefficients.
        """
        none = np.zeros_like(self._l2[0])
        shrink, l2 = (self._l2[0], none) if raw else (none, self._l2[0])
        return np.stack([shrink, self._l1[0] * y_unit, l2])
