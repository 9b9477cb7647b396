"""The data that the benchmarks fit, with the minimiser of their objective."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, signal, sparse
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline


@dataclass
class Problem:
    """Data, the minimiser of their objective, and what an excess is a fraction of."""

    X: Any
    y: np.ndarray
    alpha: float
    W: np.ndarray
    b: np.ndarray
    unit: float

    def excess(self, W, b):
        """Return (objective(W, b) - optimum) / unit.

        About its minimiser a quadratic is exactly its second-order term, which keeps the
        digits that a difference of two nearly equal objectives would lose.
        """
        dW = W - self.W
        moved = self.X @ dW + (b - self.b)
        excess = np.sum(moved**2) / len(moved) + self.alpha * np.sum(dW**2)
        return float(excess / self.unit)

    @property
    def title(self):
        """Return the sizes."""
        (n, m), d = self.X.shape, self.W.shape[1]
        kind = f"CSR of {self.X.nnz:,} nonzeros" if sparse.issparse(self.X) else "dense"
        return f"N={n:,}, M={m:,}, D={d}, {self.X.dtype}, {kind}"


def dense_problem(n, m, d, dtype="float64", correlation=0.9):
    """Features correlated with their neighbours, off-centre, with scales over three decades."""
    rng = np.random.default_rng(0)
    innovations = rng.standard_normal((n, m))
    innovations[:, 1:] *= math.sqrt(1 - correlation**2)  # gives every feature unit variance
    E = signal.lfilter([1.0], [1.0, -correlation], innovations, axis=1)
    Y = E @ rng.standard_normal((m, d)) + rng.standard_normal((n, d))
    X = ((E + rng.uniform(-5, 5, m)) * 10 ** rng.uniform(-1.5, 1.5, m)).astype(dtype)
    Y = Y.astype(dtype)
    return Problem(X, Y[:, 0] if d == 1 else Y, 0.0, *dense_optimum(X, Y))


def correlated_problem(n, m):
    """Return a problem as `dense_problem` makes it, with a correlation of 0.99."""
    return dense_problem(n, m, 1, correlation=0.99)


def cauchy_problem(n, m, d):
    """Features with tails so heavy that they have no variance."""
    rng = np.random.default_rng(0)
    X = rng.standard_cauchy((n, m))
    Y = X @ rng.standard_normal((m, d)) + rng.standard_normal((n, d))
    return Problem(X, Y[:, 0] if d == 1 else Y, 0.0, *dense_optimum(X, Y))


def dense_optimum(X, Y):
    """Solve orthogonally in float64 on standardised columns; return W, b and the unit.

    The unit is the optimum, or the variance of Y where X is wide and the optimum zero.
    """
    E, Y = X.astype(np.float64), Y.astype(np.float64)
    mean, std, y_mean = E.mean(axis=0), E.std(axis=0), Y.mean(axis=0)
    E = (E - mean) / std
    Y = Y - y_mean
    W = linalg.lstsq(E, Y)[0]
    residual = Y - E @ W if len(E) > E.shape[1] else Y
    W /= std[:, None]
    return W, y_mean - mean @ W, np.sum(residual**2) / len(E)


def text_problem(n, m, d, alpha=1e-6):
    """Tf-idf of documents of 80 words, the words Zipf-distributed over the vocabulary."""
    rng = np.random.default_rng(0)
    p = 1 / np.arange(1, m + 1)
    # A vocabulary is ordered by the alphabet, not by frequency.
    words = rng.permutation(m)[rng.choice(m, size=80 * n, p=p / p.sum())]
    counts = csr(words, np.ones(80 * n), 80, m)
    counts.sum_duplicates()
    X = sparse.csr_array(TfidfTransformer(sublinear_tf=True).fit_transform(counts))
    true = rng.normal(0, 3, (m, d)) * (rng.random((m, d)) < 0.01)
    return sparse_problem(X, X @ true + 0.1 * rng.standard_normal((n, d)), alpha)


def one_hot_problem(n, alpha=1e-6):
    """Five categories of up to n / 5 values, Zipf-distributed, one-hot; one output."""
    rng = np.random.default_rng(0)
    columns, offset = [], 0
    for size in (n // 5, n // 20, 200, 30, 7):
        p = 1 / np.arange(1, size + 1)
        values = rng.permutation(size)[rng.choice(size, size=n, p=p / p.sum())]
        columns.append(offset + values)
        offset += size
    X = csr(np.stack(columns, axis=1).ravel(), np.ones(n * len(columns)), len(columns), offset)
    Y = X @ rng.standard_normal((offset, 1)) + 0.5 * rng.standard_normal((n, 1))
    return sparse_problem(X, Y, alpha)


def csr(indices, values, a_row, m):
    """Return a matrix of which each row has as many values."""
    indptr = np.arange(0, len(indices) + 1, a_row, dtype=np.int32)
    shape = (len(indptr) - 1, m)
    return sparse.csr_array((values, indices.astype(np.int32), indptr), shape=shape)


def sparse_problem(X, Y, alpha):
    """Solve by conjugate gradients, to rounding."""
    n, d = Y.shape
    exact = Ridge(n * alpha, solver="sparse_cg", tol=1e-13, max_iter=5000).fit(X, Y)
    W, b = coefficients(exact)
    optimum = np.sum((Y - X @ W - b) ** 2) / n + alpha * np.sum(W**2)
    return Problem(X, Y[:, 0] if d == 1 else Y, alpha, W, b, optimum)


def coefficients(model):
    """Return W (M, D) and b (D,) in float64 and in the units of X."""
    if isinstance(model, Pipeline):
        W, b = coefficients(model[-1])
        W = W / model[0].scale_[:, None]
        return W, b - model[0].mean_ @ W
    if isinstance(model, MultiOutputRegressor):
        W, b = zip(*map(coefficients, model.estimators_), strict=True)
        return np.hstack(W), np.concatenate(b)
    if hasattr(model, "coefs_"):  # a network without hidden layers
        return model.coefs_[0], model.intercepts_[0]
    W = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64)).T
    return W, np.atleast_1d(np.asarray(model.intercept_, dtype=np.float64))
