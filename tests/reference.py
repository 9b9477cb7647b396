"""The textbook's descent as a plain loop: what the estimator is held against."""

import numpy as np


def proximal(W, rate, alpha, l1_ratio, positive):
    """Return argmin |V - W|^2 / 2 + rate * alpha * 2 * l1_ratio * |V|; alpha is (M, D)."""
    taken = 2 * rate * alpha * l1_ratio
    V = np.where(np.abs(W) > taken, W - taken * np.sign(W), 0.0)
    return np.where((V < 0) & np.reshape(positive, (-1, 1)), 0.0, V)


def alpha_of_each(alpha, penalty_factor, shape):
    """Return the alpha of each coefficient, (M, D)."""
    factor = np.ones(shape[0]) if penalty_factor is None else np.asarray(penalty_factor)
    return np.outer(factor, np.broadcast_to(alpha, shape[1:]))


FACTORS = {"constant": lambda t: 1.0, "invscaling": lambda t: 1.0 / np.sqrt(t + 1)}


def textbook(
    X,
    Y,
    learning_rate,
    n_steps,
    *,
    alpha=0.0,
    l1_ratio=0.0,
    positive=False,
    penalty_factor=None,
    sample_weight=None,
    fit_intercept=True,
    schedule="constant",
    momentum=0.0,
    nesterov=False,
    W=None,
    b=None,
):
    """Return W (M, D), b (D,) and the losses at the start and after each step."""
    X = X.toarray() if hasattr(X, "toarray") else np.asarray(X, dtype=float)
    (N, M), D = X.shape, Y.shape[1]
    s = np.ones(N) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    alpha = alpha_of_each(alpha, penalty_factor, (M, D))
    W = np.zeros((M, D)) if W is None else W.copy()
    b = np.zeros(D) if b is None else b.copy()
    velocity_W, velocity_b, losses = np.zeros((M, D)), np.zeros(D), []
    factor = FACTORS.get(schedule, schedule)
    for t in range(n_steps + 1):
        error = X @ W + b - Y
        loss = (s[:, None] * error**2).sum() / s.sum() + (
            alpha * (2 * l1_ratio * abs(W) + (1 - l1_ratio) * W**2)
        ).sum()
        losses.append(loss)
        if t == n_steps:
            break
        dW = 2 / s.sum() * X.T @ (s[:, None] * error) + 2 * alpha * (1 - l1_ratio) * W
        db = 2 / s.sum() * (s[:, None] * error).sum(axis=0) * fit_intercept
        rate = learning_rate * factor(t)
        velocity_W = momentum * velocity_W - rate * dW
        velocity_b = momentum * velocity_b - rate * db
        if nesterov:
            W = W + momentum * velocity_W - rate * dW
            b = b + momentum * velocity_b - rate * db
        else:
            W, b = W + velocity_W, b + velocity_b
        W = proximal(W, rate, alpha, l1_ratio, positive)
    return W, b, losses


def textbook_batches(
    X,
    Y,
    learning_rate,
    n_epochs,
    batch_size,
    *,
    alpha=0.0,
    l1_ratio=0.0,
    positive=False,
    penalty_factor=None,
    sample_weight=None,
    fit_intercept=True,
    schedule="constant",
    momentum=0.0,
    nesterov=False,
):
    """Return the iterates (W, b) of mini-batches in the order of the rows, one an update."""
    X = X.toarray() if hasattr(X, "toarray") else np.asarray(X, dtype=float)
    (N, M), D = X.shape, Y.shape[1]
    s = np.ones(N) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    alpha = alpha_of_each(alpha, penalty_factor, (M, D))
    X, Y, s = X[s > 0], Y[s > 0], s[s > 0]
    s = s / s.mean()
    W, b, velocity_W, velocity_b = np.zeros((M, D)), np.zeros(D), np.zeros((M, D)), np.zeros(D)
    iterates, factor = [], FACTORS.get(schedule, schedule)
    for _ in range(n_epochs):
        for i in range(0, len(X), batch_size):
            x, w = X[i : i + batch_size], s[i : i + batch_size, None]
            error = w * (x @ W + b - Y[i : i + batch_size])
            dW = 2 / len(x) * x.T @ error + 2 * alpha * (1 - l1_ratio) * W
            db = 2 / len(x) * error.sum(axis=0) * fit_intercept
            rate = learning_rate * factor(len(iterates))
            velocity_W = momentum * velocity_W - rate * dW
            velocity_b = momentum * velocity_b - rate * db
            if nesterov:
                W = W + momentum * velocity_W - rate * dW
                b = b + momentum * velocity_b - rate * db
            else:
                W, b = W + velocity_W, b + velocity_b
            W = proximal(W, rate, alpha, l1_ratio, positive)
            iterates.append((W, b))
    return iterates
