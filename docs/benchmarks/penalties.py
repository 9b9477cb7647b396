"""Penalties, masked targets and cross-validation beside scikit-learn's.

All are given the same standardised features, in turn; the minimum of three rounds counts, of one
where it takes over a second. The excess is how far the objective is above the least one that any
of them found, as a fraction of it. Of a cross-validation, "difference" is the largest one
between its path of errors and ours, as a fraction.

Run `python docs/benchmarks/penalties.py [--case NAME ...] [--quick] [--json FILE]`.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from _common import FIT, SLOW, main, parse, timed, with_ratios
from _problems import coefficients, dense_problem, text_problem
from sklearn.linear_model import (
    ElasticNet,
    ElasticNetCV,
    LinearRegression,
    MultiTaskElasticNetCV,
    Ridge,
    RidgeCV,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.preprocessing import StandardScaler

from sklearn_gdlinreg import GDLinearRegression, GDLinearRegressionCV
from sklearn_gdlinreg._problem.loss import loss

ROUNDS = 3


@dataclass
class Fit:
    """One contestant: its name, how to fit it, and what came of it."""

    name: str
    run: Any
    seconds: float = math.inf
    model: Any = None

    def once(self):
        """Fit, and keep the least time."""
        seconds, self.model = timed(self.run)
        self.seconds = min(self.seconds, seconds)


def tall(n, d=1, m=50):
    """Correlated, standardised features; three of ten coefficients are not zero."""
    problem = dense_problem(n, m, d)
    X = StandardScaler().fit_transform(problem.X)
    rng = np.random.default_rng(1)
    W = rng.standard_normal((m, d)) * (rng.random((m, d)) < 0.3)
    Y = X @ W + 3.0 * rng.standard_normal((n, d))
    return X, Y[:, 0] if d == 1 else Y


def contest(fits):
    """Run the contestants in turn."""
    for turn in range(ROUNDS):
        for fit in fits:
            if turn == 0 or fit.seconds < SLOW:
                fit.once()
    return fits


def rows(fits, column, values):
    """Return the rows of a table, with what each fit is worth."""
    return with_ratios(
        [
            {"name": fit.name, FIT: 1e3 * fit.seconds, column: value}
            for fit, value in zip(fits, values, strict=True)
        ]
    )


def entries(name, ours, peers, X, y):
    """Return ours and its peers, fitted in turn."""
    models = {name: ours, **peers}
    return contest([Fit(key, lambda m=model: m.fit(X, y)) for key, model in models.items()])


def penalised(X, y, alpha, l1_ratio, peers, **options):
    """Time our fit and those of peers to one penalised problem."""
    ours = GDLinearRegression(alpha=alpha, l1_ratio=l1_ratio, **options)
    fits = entries("GDLinearRegression", ours, peers, X, y)
    Y = y.reshape(len(y), -1)
    values = [loss(X, Y, *coefficients(f.model), None, alpha, l1_ratio) for f in fits]
    return rows(fits, "excess", [float(value / min(values) - 1) for value in values])


def lasso(n):
    """Lasso, D=1."""
    X, y = tall(n)
    peers = {
        "ElasticNet(precompute=True)": ElasticNet(0.05, l1_ratio=1.0, precompute=True),
        "ElasticNet(precompute=True, tol=1e-8)": ElasticNet(
            0.05, l1_ratio=1.0, precompute=True, tol=1e-8
        ),
        "ElasticNet()": ElasticNet(0.05, l1_ratio=1.0),
    }
    return penalised(X, y, 0.05, 1.0, peers)


def elastic_10(n):
    """Elastic net, D=10."""
    X, y = tall(n, 10)
    net = ElasticNet(0.05, l1_ratio=0.5, precompute=True)
    peers = {"MultiOutputRegressor(ElasticNet(precompute=True))": MultiOutputRegressor(net)}
    return penalised(X, y, 0.05, 0.5, peers)


def text(n, m):
    """Elastic net, D=1, CSR."""
    problem = text_problem(n, m, 1)
    alpha = 1e-4
    peers = {
        "ElasticNet(max_iter=100)": ElasticNet(alpha, l1_ratio=0.5, max_iter=100),
        "ElasticNet()": ElasticNet(alpha, l1_ratio=0.5),
    }
    return penalised(problem.X, problem.y, alpha, 0.5, peers)


def positive(n):
    """Coefficients that are not negative, D=1."""
    peers = {
        "LinearRegression(positive=True)": LinearRegression(positive=True),
        "Ridge(alpha=0, positive=True)": Ridge(0.0, positive=True),
    }
    return penalised(*tall(n), 0.0, 0.0, peers, positive=True)


def masked(n):
    """Ten outputs, missing in three patterns."""
    X, Y = tall(n, 10)
    rng = np.random.default_rng(2)
    for outputs in ([0, 1, 2], [3, 4, 5], [6, 7, 8, 9]):
        Y[np.ix_(rng.random(len(Y)) < 0.3, outputs)] = np.nan

    def each(make):
        seen = [~np.isnan(Y[:, d]) for d in range(10)]
        return [make().fit(X[rows], Y[rows, d]) for d, rows in enumerate(seen)]

    ours = GDLinearRegression(missing_targets="ignore")
    fits = contest(
        [
            Fit("GDLinearRegression", lambda: ours.fit(X, Y)),
            Fit("GDLinearRegression, one per output", lambda: each(GDLinearRegression)),
            Fit("LinearRegression, one per output", lambda: each(LinearRegression)),
        ]
    )
    exact = np.stack([model.coef_ for model in fits[-1].model])
    coefs = [ours.coef_, *(np.stack([m.coef_ for m in fit.model]) for fit in fits[1:])]
    return rows(fits, "error of coef_", [float(np.abs(c / exact - 1).max()) for c in coefs])


def cross_validated(X, y, ours, peers):
    """Time cross-validations, and compare their paths of errors."""
    fits = entries("GDLinearRegressionCV", ours, peers, X, y)
    differences = []
    for fit in fits:
        path = getattr(fit.model, "mse_path_", None)
        if hasattr(fit.model, "cv_results_"):
            path = -np.stack(
                [fit.model.cv_results_[f"split{k}_test_score"] for k in range(5)], 1
            )
        unlike = path is None or path.shape != ours.mse_path_.shape
        differences.append(None if unlike else float(np.abs(path / ours.mse_path_ - 1).max()))
    return rows(fits, "difference", differences)


def searched(X, y, l1_ratio):
    """Return the grid search that does the same, and our cross-validation, fitted."""
    ours = GDLinearRegressionCV(l1_ratio=l1_ratio).fit(X, y)
    grid = {"alpha": ours.alphas_}
    return ours, GridSearchCV(
        GDLinearRegression(l1_ratio=l1_ratio), grid, cv=5, scoring="neg_mean_squared_error"
    )


def cv(n):
    """100 alphas, 5 folds, D=1."""
    X, y = tall(n)
    ours, search = searched(X, y, 0.5)
    peers = {
        "ElasticNetCV()": ElasticNetCV(),
        "ElasticNetCV(tol=1e-8)": ElasticNetCV(tol=1e-8),
        "GridSearchCV(GDLinearRegression)": search,
    }
    return cross_validated(X, y, ours, peers)


def cv_small(n, m):
    """100 alphas, 5 folds, 4 l1_ratios, D=1."""
    X, y = tall(n, m=m)
    ratios = [0.1, 0.5, 0.9, 1.0]
    return cross_validated(
        X,
        y,
        GDLinearRegressionCV(l1_ratio=ratios),
        {"ElasticNetCV()": ElasticNetCV(l1_ratio=ratios)},
    )


def cv_wider(n, m):
    """100 alphas, 5 folds, D=1, more features."""
    X, y = tall(n, m=m)
    return cross_validated(X, y, GDLinearRegressionCV(), {"ElasticNetCV()": ElasticNetCV()})


def cv_10(n):
    """100 alphas, 5 folds, D=10 (MultiTaskElasticNetCV has another penalty)."""
    X, y = tall(n, 10)
    ours, search = searched(X, y, 0.5)
    peers = {
        "MultiTaskElasticNetCV()": MultiTaskElasticNetCV(),
        "GridSearchCV(GDLinearRegression)": search,
    }
    return cross_validated(X, y, ours, peers)


def cv_ridge(n):
    """30 ridges, 5 folds, D=1 (RidgeCV(cv=None) leaves one out)."""
    X, y = tall(n)
    alphas = np.geomspace(1e-4, 1e2, 30)
    ours = GDLinearRegressionCV(l1_ratio=0.0, alphas=alphas)
    of_a_fold = len(X) * 0.8 * alphas
    peers = {
        "RidgeCV(cv=5)": RidgeCV(of_a_fold, cv=5, scoring="neg_mean_squared_error"),
        "RidgeCV(cv=None)": RidgeCV(alphas * len(X)),
    }
    return cross_validated(X, y, ours, peers)


CASES = {  # what is measured, its sizes, and quick ones
    "lasso": (lasso, (200_000,), (5_000,)),
    "elastic-10": (elastic_10, (200_000,), (5_000,)),
    "elastic-text": (text, (50_000, 100_000), (2_000, 4_000)),
    "positive": (positive, (200_000,), (5_000,)),
    "masked": (masked, (200_000,), (5_000,)),
    "cv": (cv, (200_000,), (5_000,)),
    "cv-small": (cv_small, (442, 10), (442, 5)),
    "cv-wider": (cv_wider, (5_000, 400), (500, 40)),
    "cv-10": (cv_10, (20_000,), (1_000,)),
    "cv-ridge": (cv_ridge, (200_000,), (5_000,)),
}


def measure(name, arguments, rates):
    """Return the case."""
    case, *sizes = CASES[name]
    n, *m = sizes[arguments.quick]
    title = f"{case.__doc__.rstrip('.')}, N={n:,}, M={m[0] if m else 50:,}"
    return {name: {"title": title, "rows": case(n, *m)}}


if __name__ == "__main__":
    main("penalties", __doc__, measure, parse(__doc__, CASES))
