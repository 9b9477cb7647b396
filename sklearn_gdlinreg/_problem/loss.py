"""The loss of linear regression and its gradients: the oracle of the package.

Conventions
-----------
N samples, M features, D outputs. X is (N, M), Y (N, D), W (M, D), b (D,) and
sample_weight (N,). The loss is a mean over samples and a *sum* over outputs::

    L = (1 / N) sum_i sum_j (X W + b - Y)_ij ** 2
        + sum_j alpha_j * sum_i (2 * l1_ratio * |W_ij| + (1 - l1_ratio) * W_ij ** 2)

With weights, 1 / N becomes 1 / sum(s) and each sample counts s_i times. alpha is a number, or
one per output. One sample, one output and many of both are the same lines. They use nothing but
operators and functions that NumPy, SciPy sparse, Array API and Dask arrays share.
"""

from .._base.arrays import namespace


def predict(X, W, b):
    """Return the predictions X W + b, (N, D)."""
    return X @ W + b


def _mean_weight(X, sample_weight):
    """Return the weight of each sample in a mean over samples, scalar or (N, 1)."""
    if sample_weight is None:
        return 1.0 / X.shape[0]
    return (sample_weight / namespace(sample_weight).sum(sample_weight))[:, None]


def loss(X, Y, W, b, sample_weight=None, alpha=0.0, l1_ratio=0.0):
    """Return the loss L, a scalar in squared units of Y."""
    error = predict(X, W, b) - Y
    penalty = alpha * (2.0 * l1_ratio * abs(W) + (1.0 - l1_ratio) * W**2)
    xp = namespace(error)
    return xp.sum(_mean_weight(X, sample_weight) * error**2) + xp.sum(penalty)


def gradients(X, Y, W, b, sample_weight=None, alpha=0.0, l1_ratio=0.0):
    """Return the gradients of the loss but for its L1 term: by W, (M, D), and by b, (D,)."""
    error = _mean_weight(X, sample_weight) * (predict(X, W, b) - Y)
    by_W = 2.0 * (X.T @ error) + 2.0 * alpha * (1.0 - l1_ratio) * W
    return by_W, 2.0 * namespace(error).sum(error, axis=0)
