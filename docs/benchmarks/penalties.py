"""Time penalties, masked targets and cross-validation beside scikit-learn's, side by side.

Run ``python docs/benchmarks/penalties.py`` for everything, or with ``--case lasso`` for one
table. The contestants take turns, the minimum of several rounds counts. All are given the
same standardised features. The excess is how far the objective is above the least one that
any of them found, as a fraction of it; of a cross-validation, the largest difference between
its path of errors and ours, as a fraction.
"""

import argparse
import json
import math
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from full_batch import coefficients, dense_problem, digits, heading, machine_rates, text_problem
from growth import columns
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
from sklearn_gdlinreg._equations import loss

ROUNDS = 3
# Whatever takes longer than this is run once.
SLOW = 5.0


@dataclass
class Fit:
    """One contestant: its name, how to fit it, and what its result is worth."""

    name: str
    run: Any
    seconds: float = math.inf
    model: Any = None

    def once(self):
        """Fit, and keep the least time."""
        start = time.perf_counter()
        self.model = self.run()
        self.seconds = min(self.seconds, time.perf_counter() - start)


def tall(d=1, n=200_000, m=50):
    """Correlated, standardised features; three of ten coefficients are not zero."""
    problem = dense_problem(n, m, d, "float64")
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


def table(fits, worth):
    """Return the rows of a table, and its numbers."""
    ours = fits[0].seconds
    rows, numbers = [], {}
    for fit, value in zip(fits, worth, strict=True):
        rows.append((fit.name, digits(1e3 * fit.seconds), digits(fit.seconds / ours), value))
        numbers[fit.name] = {"seconds": fit.seconds, "worth": value}
    return columns(("", "fit (ms)", "times ours", "excess"), rows), numbers


def excesses(fits, X, y, alpha, l1_ratio):
    """Return how far each objective is above the least."""
    Y = y.reshape(len(y), -1)
    values = [loss(X, Y, *coefficients(f.model), None, alpha, l1_ratio) for f in fits]
    return [f"{(value - min(values)) / min(values):.0e}" for value in values]


def penalised(X, y, alpha, l1_ratio, peers):
    """Time our fit and those of peers to one penalised problem."""
    ours = GDLinearRegression(alpha=alpha, l1_ratio=l1_ratio)
    fits = [Fit("GDLinearRegression", lambda: ours.fit(X, y))]
    fits += [Fit(name, lambda m=model: m.fit(X, y)) for name, model in peers.items()]
    return table(contest(fits), excesses(fits, X, y, alpha, l1_ratio))


def lasso():
    """Lasso, D=1."""
    X, y = tall()
    peers = {
        "ElasticNet(precompute=True)": ElasticNet(0.05, l1_ratio=1.0, precompute=True),
        "ElasticNet(precompute=True, tol=1e-8)": ElasticNet(
            0.05, l1_ratio=1.0, precompute=True, tol=1e-8
        ),
        "ElasticNet()": ElasticNet(0.05, l1_ratio=1.0),
    }
    return penalised(X, y, 0.05, 1.0, peers)


def elastic_10():
    """Elastic net, D=10."""
    X, y = tall(10)
    net = ElasticNet(0.05, l1_ratio=0.5, precompute=True)
    peers = {"MultiOutputRegressor(ElasticNet(precompute=True))": MultiOutputRegressor(net)}
    return penalised(X, y, 0.05, 0.5, peers)


def text():
    """Elastic net, N=50,000, M=100,000, CSR."""
    problem = text_problem(50_000, 100_000, 1, "float64")
    alpha = 1e-4
    peers = {
        "ElasticNet(max_iter=100)": ElasticNet(alpha, l1_ratio=0.5, max_iter=100),
        "ElasticNet()": ElasticNet(alpha, l1_ratio=0.5),
    }
    return penalised(problem.X, problem.y, alpha, 0.5, peers)


def positive():
    """Coefficients that are not negative, D=1."""
    X, y = tall()
    ours = GDLinearRegression(positive=True)
    peers = {
        "LinearRegression(positive=True)": LinearRegression(positive=True),
        "Ridge(alpha=0, positive=True)": Ridge(0.0, positive=True),
    }
    fits = [Fit("GDLinearRegression", lambda: ours.fit(X, y))]
    fits += [Fit(name, lambda m=model: m.fit(X, y)) for name, model in peers.items()]
    return table(contest(fits), excesses(fits, X, y, 0.0, 0.0))


def masked():
    """Ten outputs, missing in three patterns."""
    X, Y = tall(10)
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
            Fit("GDLinearRegression, one an output", lambda: each(GDLinearRegression)),
            Fit("LinearRegression, one an output", lambda: each(LinearRegression)),
        ]
    )
    exact = np.stack([model.coef_ for model in fits[-1].model])
    coefs = [ours.coef_, *(np.stack([m.coef_ for m in fit.model]) for fit in fits[1:])]
    return table(fits, [f"{np.abs(coef / exact - 1).max():.0e} (coef_)" for coef in coefs])


def cross_validated(X, y, ours, peers):
    """Time cross-validations; their worth is the largest difference of the errors."""
    fits = [Fit("GDLinearRegressionCV", lambda: ours.fit(X, y))]
    fits += [Fit(name, lambda m=model: m.fit(X, y)) for name, model in peers.items()]
    contest(fits)
    worth = []
    for fit in fits:
        path = getattr(fit.model, "mse_path_", None)
        if hasattr(fit.model, "cv_results_"):
            path = -np.stack(
                [fit.model.cv_results_[f"split{k}_test_score"] for k in range(5)], 1
            )
        different = path is None or path.shape != ours.mse_path_.shape
        worth.append("-" if different else f"{np.abs(path / ours.mse_path_ - 1).max():.0e}")
    return table(fits, worth)


def searched(X, y, l1_ratio):
    """Return the grid search that does the same, and our cross-validation, fitted."""
    ours = GDLinearRegressionCV(l1_ratio=l1_ratio).fit(X, y)
    grid = {"alpha": ours.alphas_}
    return ours, GridSearchCV(
        GDLinearRegression(l1_ratio=l1_ratio), grid, cv=5, scoring="neg_mean_squared_error"
    )


def cv():
    """100 alphas, 5 folds, D=1."""
    X, y = tall()
    ours, search = searched(X, y, 0.5)
    peers = {
        "ElasticNetCV()": ElasticNetCV(),
        "ElasticNetCV(tol=1e-8)": ElasticNetCV(tol=1e-8),
        "GridSearchCV(GDLinearRegression)": search,
    }
    return cross_validated(X, y, ours, peers)


def cv_small():
    """100 alphas, 5 folds, 4 l1_ratios, N=442, M=10."""
    X, y = tall(1, 442, 10)
    ratios = [0.1, 0.5, 0.9, 1.0]
    return cross_validated(
        X,
        y,
        GDLinearRegressionCV(l1_ratio=ratios),
        {"ElasticNetCV()": ElasticNetCV(l1_ratio=ratios)},
    )


def cv_wider():
    """100 alphas, 5 folds, N=5,000, M=400."""
    X, y = tall(1, 5_000, 400)
    return cross_validated(X, y, GDLinearRegressionCV(), {"ElasticNetCV()": ElasticNetCV()})


def cv_10():
    """100 alphas, 5 folds, N=20,000, D=10; MultiTaskElasticNetCV has another penalty."""
    X, y = tall(10, 20_000)
    ours, search = searched(X, y, 0.5)
    peers = {
        "MultiTaskElasticNetCV()": MultiTaskElasticNetCV(),
        "GridSearchCV(GDLinearRegression)": search,
    }
    return cross_validated(X, y, ours, peers)


def cv_ridge():
    """30 ridges, 5 folds, D=1; RidgeCV(cv=None) leaves one out."""
    X, y = tall()
    alphas = np.geomspace(1e-4, 1e2, 30)
    ours = GDLinearRegressionCV(l1_ratio=0.0, alphas=alphas)
    of_a_fold = len(X) * 0.8 * alphas
    peers = {
        "RidgeCV(cv=5)": RidgeCV(of_a_fold, cv=5, scoring="neg_mean_squared_error"),
        "RidgeCV(cv=None)": RidgeCV(alphas * len(X)),
    }
    return cross_validated(X, y, ours, peers)


CASES = {
    "lasso": lasso,
    "elastic-10": elastic_10,
    "text": text,
    "positive": positive,
    "masked": masked,
    "cv": cv,
    "cv-small": cv_small,
    "cv-wider": cv_wider,
    "cv-10": cv_10,
    "cv-ridge": cv_ridge,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--json", type=Path, help="file for the numbers")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # the excess tells who did not converge
    sections, results = [heading(machine_rates())], {}
    print(sections[0])
    for name in arguments.case:
        rows, results[name] = CASES[name]()
        title = CASES[name].__doc__.rstrip(".")
        sections.append(f"### {name}: {title}\n\n{rows}\n")
        print(sections[-1], flush=True)
    if arguments.markdown:
        arguments.markdown.write_text("\n".join(sections), encoding="utf-8")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
