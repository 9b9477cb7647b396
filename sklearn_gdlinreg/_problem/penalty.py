"""The penalty: its value, and the proximal map of the part that has no gradient.

Conventions: M features, D outputs; W and V (M, D). The penalty of the loss is::

    sum_d alpha_d * (2 * l1_ratio * |W_d|_1 + (1 - l1_ratio) * |W_d|^2)

and infinite where ``positive`` and W is not. Half of the L1 term is ``threshold * |V|``.
"""

from dataclasses import dataclass

import numpy as np

from .._base.arrays import dot, moved, namespace


@dataclass(frozen=True)
class Penalty:
    """The penalty of each output.

    Attributes
    ----------
    l1, l2 : ndarray of shape (D,)
    positive : bool, whether coefficients may not be negative
    """

    l1: np.ndarray
    l2: np.ndarray
    positive: bool

    @classmethod
    def of(cls, alpha, l1_ratio, positive, n_outputs):
        """Return that of an estimator's parameters; alpha is one for all, or one per output."""
        alpha = np.atleast_1d(np.asarray(alpha, dtype=np.float64))
        if alpha.shape not in ((1,), (n_outputs,)):
            raise ValueError(
                "alpha must be a float or have one value an output of y: expected shape "
                f"{(n_outputs,)}. Got {alpha.shape}."
            )
        alpha, l1_ratio = np.broadcast_to(alpha, (n_outputs,)), float(l1_ratio)
        return cls(alpha * l1_ratio, alpha * (1.0 - l1_ratio), bool(positive))

    def of_outputs(self, outputs):
        """Return that of some of the outputs."""
        return Penalty(self.l1[outputs], self.l2[outputs], self.positive)

    @property
    def least_l2(self):
        """The least L2 penalty of an output."""
        return float(self.l2.min())

    @property
    def some(self):
        """Whether any output has a penalty."""
        return self.l2.any() or not self.smooth

    @property
    def smooth(self):
        """Whether there is a gradient everywhere."""
        return bool(self.smooth_outputs.all())

    @property
    def smooth_outputs(self):
        """Which outputs have a penalty with a gradient everywhere, (D,), bool."""
        return (self.l1 == 0.0) & (not self.positive)

    def values(self, W):
        """Return the penalty of the loss of each output, (D,)."""
        xp, l1, l2 = namespace(W), moved(self.l1, W), moved(self.l2, W)
        return xp.sum(2.0 * l1 * xp.abs(W) + l2 * W * W, axis=0)

    def ridge(self, unit):
        """Return ``l2 * unit ** 2``, (M, 1) where outputs are alike, or (M, D).

        Parameters
        ----------
        unit : array of shape (M,), what V is multiplied by to be W, but for y's units
        """
        l2 = self.l2[:1] if (self.l2 == self.l2[0]).all() else self.l2
        # In this order nothing overflows where there is no penalty.
        return (unit[:, None] * moved(np.sqrt(l2), unit)) ** 2

    def proximal(self, unit, y_unit):
        """Return the `Proximal` of ``V = W / unit * y_unit``, None if the penalty is smooth."""
        if self.smooth:
            return None
        return Proximal(unit[:, None] * (moved(self.l1, unit) * y_unit), self.positive)


class Proximal:
    """The part of the penalty that has no gradient, in the coordinates of a descent.

    Parameters
    ----------
    threshold : array of shape (M, D)
    positive : bool
    """

    def __init__(self, threshold, positive):
        self.threshold, self.positive = threshold, positive

    def value(self, V):
        """Return its part of the losses, (D,)."""
        return 2.0 * dot(self.threshold, namespace(V).abs(V))

    def map(self, V, step):
        """Return the V' that minimises ``|V' - V|^2 / (2 step) + threshold |V'|``.

        Soft thresholding: entries within the threshold of zero are zero.
        """
        xp, taken = namespace(V), step * self.threshold
        if self.positive:
            return xp.maximum(V - taken, 0.0)
        return V - xp.clip(V, -taken, taken)

    def gradient(self, V, G):
        """Return the move of a proximal step of length 1 along the half gradient G, (M, D).

        It is zero at the optimum and nowhere else, and G itself without a penalty.
        """
        return self.map(V + G, 1.0) - V
