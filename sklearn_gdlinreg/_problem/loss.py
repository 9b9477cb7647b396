"""The loss of linear regression and its gradients: the oracle of the package.

Conventions
-----------
N samples, M features, D outputs. X is (N, M), Y (N, D), W (M, D), b (D,) and
sample_weight (N,). The loss is a mean over samples and a *sum* over outputs::

    L = (1 / N) sum_i sum_j (X W + b - Y)_ij ** 2
        + sum_j alpha_j * sum_i f_i * (2 * l1_ratio * |W_ij| + (1 - l1_ratio) * W_ij ** 2)

With weights, 1 / N becomes 1 / sum(s) and each sample counts s_i times. alpha is a number, or
one per output; f is the penalty_factor of each feature, 1 without one. One sample, one output
and many of both are computed by the same lines: `loss` and `gradients` only use operators and
functions that NumPy, SciPy sparse, Array API and Dask arrays share. Tests compare the rest of
the package with them.
The textbook's descent uses `Loss`, which computes the same numbers from the gradient of the
centred problem: from moments, from chunks, and without a copy of float32 data.
"""

from .._base.arrays import namespace, to_floats
from .certificate import optimality
from .penalty import Penalty


def predict(X, W, b):
    """Return the predictions X W + b, (N, D)."""
    return X @ W + b


def _mean_weight(X, sample_weight):
    """Return the weight of each sample in a mean over samples, scalar or (N, 1)."""
    if sample_weight is None:
        return 1.0 / X.shape[0]
    return (sample_weight / namespace(sample_weight).sum(sample_weight))[:, None]


def _penalty(W, alpha, l1_ratio, factor):
    """Return the Penalty of the coefficients W, (M, D)."""
    M, D = W.shape
    return Penalty.of(alpha, l1_ratio, False, D, penalty_factor=factor, n_features=M)


def loss(X, Y, W, b, sample_weight=None, alpha=0.0, l1_ratio=0.0, penalty_factor=None):
    """Return the loss L, a scalar in squared units of Y."""
    error = predict(X, W, b) - Y
    penalty, xp = _penalty(W, alpha, l1_ratio, penalty_factor), namespace(error)
    return xp.sum(_mean_weight(X, sample_weight) * error**2) + xp.sum(penalty.value(W))


def gradients(X, Y, W, b, sample_weight=None, alpha=0.0, l1_ratio=0.0, penalty_factor=None):
    """Return the gradients of the loss without its L1 term: by W, (M, D), and by b, (D,)."""
    error = _mean_weight(X, sample_weight) * (predict(X, W, b) - Y)
    penalty = _penalty(W, alpha, l1_ratio, penalty_factor)
    by_W = 2.0 * (X.T @ error) + 2.0 * penalty.half_gradient(W)
    return by_W, 2.0 * namespace(error).sum(error, axis=0)


class Loss:
    """The loss of a group of outputs and its gradients, equal to `loss` and `gradients`.

    They follow from the half gradient G of the centred problem, whose residuals have a mean of
    zero. With r the mean residual at (W, b)::

        dL/dW = -2 (G + mean(x) r'),   dL/db = -2 r

    Parameters
    ----------
    group : Group, in raw coordinates
    supplier : ByMoments or ByPasses
        The source of G.

    Attributes
    ----------
    mean : array of shape (M,), of X
    unit : array of shape (M,)
        The factors by which the supplier multiplies X.
    penalty : Penalty, as a function of W
    """

    def __init__(self, group, supplier):
        self.supplier, self.coordinates = supplier, group.coordinates
        self.mean, self._y_mean = self.coordinates.mean
        self.unit = self.coordinates.unit[: self.mean.shape[0]]
        self.penalty = group.penalty.seen_from(namespace(self.mean).ones_like(self.mean))

    def gradients(self, W, b):
        """Return dL/dW, dL/db, L and the largest optimality of an output at (W, b)."""
        c, xp, y_unit = self.coordinates, namespace(W), self.coordinates.y_unit
        V = c.from_model(W)
        G, losses = self.supplier.gradient(V)
        residual = xp.zeros_like(b)
        if c.centred:
            residual = self._y_mean - self.mean @ W - b
        off = residual * y_unit
        losses = losses + off**2
        objective = c.objective(V, losses)
        worst = xp.max(optimality(V, G, losses, c, off, objective=objective))
        G = G / self.unit[:, None] / y_unit
        value, worst = to_floats(xp.sum(objective * c.loss_unit), worst)
        return -2.0 * (G + self.mean[:, None] * residual), -2.0 * residual, value, worst
