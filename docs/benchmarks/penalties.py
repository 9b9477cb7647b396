"""Penalties, masked targets and cross-validation beside scikit-learn's.

All are given the same features, in turn; the median of five rounds counts, or a single one that
takes over a second. The excess is how far the objective is above the least one that any of them
found, as a fraction of it. Of a cross-validation, "difference" is the largest one between its
path of errors and ours, as a fraction.

Run `python docs/benchmarks/penalties.py [--case NAME ...] [--quick] [--json FILE]`.
"""

import importlib
import math
import statistics
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from _common import FIT, SLOW, main, parse, timed, with_ratios
from _problems import coefficients, dense_problem, text_problem
from sklearn.linear_model import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LinearRegression,
    MultiTaskElasticNetCV,
    Ridge,
    RidgeCV,
)
from sklearn.model_selection import GridSearchCV, LeaveOneOut
from sklearn.multioutput import MultiOutputRegressor
from sklearn.preprocessing import StandardScaler

from sklearn_gdlinreg import GDLinearRegression, GDLinearRegressionCV
from sklearn_gdlinreg._problem.loss import loss


def _imported(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


celer, glum, skglm = map(_imported, ("celer", "glum", "skglm"))

ROUNDS = 5
# Tolerances of ElasticNetCV: its default, and one that ends about as near the optimum as ours.
TOLS = 1e-4, 1e-7
# What takes minutes, or warns that it has not ended.
SLOW_WIDE = "glum", "Lasso(tol=1e-8)"
SLOW_COLLINEAR = "glum", "celer", "Lasso(tol=1e-8)"


@dataclass
class Fit:
    """One contestant: its name, how to fit it, and what came of it."""

    name: str
    run: Any
    times: list = field(default_factory=list)
    model: Any = None

    @property
    def seconds(self):
        """The median time of a fit."""
        return statistics.median(self.times)

    def once(self):
        """Fit, and take the time."""
        seconds, self.model = timed(self.run)
        self.times.append(seconds)


def tall(n, d=1, m=50):
    """Correlated, standardised features; three of ten coefficients are not zero."""
    problem = dense_problem(n, m, d)
    X = StandardScaler().fit_transform(problem.X)
    rng = np.random.default_rng(1)
    W = rng.standard_normal((m, d)) * (rng.random((m, d)) < 0.3)
    Y = X @ W + 3.0 * rng.standard_normal((n, d))
    return X, Y[:, 0] if d == 1 else Y


def contest(fits):
    """Run the contestants in turn; the slow ones once."""
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


def sparse_model(n, m, d=1, rho=0.0):
    """Standardised features, neighbours correlated by rho; few coefficients are not 0."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, m))
    for j in range(1, m if rho else 0):
        X[:, j] = rho * X[:, j - 1] + math.sqrt(1 - rho**2) * X[:, j]
    Y = X @ (rng.standard_normal((m, d)) * (rng.random((m, d)) < 0.05))
    Y += 0.1 * Y.std(axis=0) * rng.standard_normal((n, d))
    return StandardScaler().fit_transform(X), Y[:, 0] if d == 1 else Y


def solvers_of_lassos(alpha, n_rows):
    """Return solvers that end at the optimum of a lasso, but for the digits that they leave."""
    peers = {"Lasso(tol=1e-8)": Lasso(alpha, tol=1e-8, max_iter=10_000)}
    if celer is not None:
        peers["celer"] = celer.Lasso(alpha, tol=1e-9, max_iter=1_000)
    if skglm is not None:
        peers["skglm"] = skglm.Lasso(alpha, tol=1e-9 * math.sqrt(n_rows), max_iter=1_000)
    if glum is not None:
        peers["glum"] = glum.GeneralizedLinearRegressor(
            alpha=alpha, l1_ratio=1.0, gradient_tol=1e-9
        )
    return peers


def faster_solvers(alpha, X, y, slow):
    """Return those of `solvers_of_lassos` that are not slow, and have compiled what they run."""
    peers = solvers_of_lassos(alpha, len(y))
    peers = {name: peer for name, peer in peers.items() if name not in slow}
    for peer in peers.values():
        peer.fit(X[:20, :5], y[:20])
    return peers


def lasso_of(share, rho=0.0, slow=()):
    """Return a case: a lasso whose alpha is this share of the largest, but for slow solvers."""

    def case(n, m):
        X, y = sparse_model(n, m, rho=rho)
        alpha = share * np.abs(X.T @ (y - y.mean())).max() / n
        return penalised(X, y, alpha, 1.0, faster_solvers(alpha, X, y, slow))

    case.__doc__ = f"Lasso, {share:g} of the largest alpha" + (f", AR {rho:g}." if rho else ".")
    return case


def lasso_spikes(n, m):
    """Lasso, blurred spikes, 0.01 of the largest alpha."""
    rng, at = np.random.default_rng(0), np.arange(m)
    X = np.exp(-0.5 * ((np.arange(n)[:, None] - at) / 10.0) ** 2)
    y = X @ (5.0 * rng.random(m) * (rng.random(m) < 0.01)) + 0.1 * rng.standard_normal(n)
    alpha = 0.01 * np.abs(X.T @ (y - y.mean())).max() / n
    return penalised(X, y, alpha, 1.0, faster_solvers(alpha, X, y, SLOW_COLLINEAR))


def lasso_text(n, m):
    """Lasso, 0.02 of the largest alpha, CSR."""
    problem = text_problem(n, m, 1)
    X, y = problem.X, problem.y
    alpha = 0.02 * np.abs(X.T @ (y - y.mean())).max() / n
    peers = solvers_of_lassos(alpha, n)
    return penalised(X, y, alpha, 1.0, {name: peers[name] for name in ("Lasso(tol=1e-8)",)})


def lasso_10(n, m):
    """Lasso, 0.1 of the largest alpha, D=10."""
    X, Y = sparse_model(n, m, 10)
    alpha = 0.1 * np.abs(X.T @ (Y - Y.mean(axis=0))).max() / n
    peers = {
        f"MultiOutputRegressor({name})": MultiOutputRegressor(peer)
        for name, peer in solvers_of_lassos(alpha, n).items()
        if name != "glum"
    }
    return penalised(X, Y, alpha, 1.0, peers)


def positive_wide(n, m):
    """Coefficients that are not negative, more features than rows, without an intercept."""
    rng = np.random.default_rng(0)
    X = np.abs(rng.standard_normal((n, m)))
    y = X @ (rng.random(m) * (rng.random(m) < 0.01)) + 5.0 * rng.standard_normal(n)
    ours = GDLinearRegression(positive=True, fit_intercept=False)
    peers = {
        "LinearRegression(positive=True)": LinearRegression(positive=True, fit_intercept=False)
    }
    fits = entries("GDLinearRegression", ours, peers, X, y)
    values = [float(np.mean((y - fit.model.predict(X)) ** 2)) for fit in fits]
    return rows(fits, "excess", [value / min(values) - 1 for value in values])


def cv_wide(n, m):
    """30 alphas, 5 folds, more features than rows."""
    X, y = sparse_model(n, m)
    alphas = np.geomspace(1.0, 1e-3, 30) * np.abs(X.T @ (y - y.mean())).max() / n / 0.5
    peers = {f"ElasticNetCV(tol={tol:g})": ElasticNetCV(alphas=alphas, tol=tol) for tol in TOLS}
    return cross_validated(X, y, GDLinearRegressionCV(alphas=alphas), peers)


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
    peers = {f"ElasticNetCV(tol={tol:g})": ElasticNetCV(tol=tol) for tol in TOLS}
    return cross_validated(X, y, GDLinearRegressionCV(), peers)


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


def left_out(d):
    """Return the case of ridges that are chosen by leaving one row out."""

    def case(n, m):
        X, y = tall(n, d, m)
        alphas = np.geomspace(1e-4, 1e2, 30)
        options = {"l1_ratio": 0.0, "alphas": alphas, "cv": LeaveOneOut()}
        peers = {"RidgeCV()": RidgeCV(alphas * (n - 1), store_cv_results=True)}
        fits = entries("GDLinearRegressionCV", GDLinearRegressionCV(**options), peers, X, y)
        ours, theirs = (fit.model for fit in fits)
        errors = theirs.cv_results_.T[::-1]
        if d > 1:
            errors = errors.mean(axis=1)
        return rows(fits, "difference", [0.0, float(np.abs(errors / ours.mse_path_ - 1).max())])

    case.__doc__ = f"30 ridges, leave-one-out, D={d}."
    return case


CASES = {  # what is measured, its sizes, and quick ones
    "lasso": (lasso, (200_000,), (5_000,)),
    "lasso-small": (lasso_of(0.1, 0.6), (10_000, 100), (1_000, 20)),
    "lasso-square": (lasso_of(0.1), (500, 600), (50, 60)),
    "lasso-weak": (lasso_of(0.01), (500, 600), (50, 60)),
    "lasso-wide": (lasso_of(0.1), (100, 10_000), (20, 100)),
    "lasso-wider": (lasso_of(0.01, slow=SLOW_WIDE), (300, 20_000), (20, 100)),
    "lasso-collinear": (lasso_of(1e-3, 0.9, slow=SLOW_COLLINEAR), (1_000, 2_000), (50, 60)),
    "lasso-collinear-weak": (lasso_of(1e-4, 0.9, slow=SLOW_COLLINEAR), (1_000, 2_000), (50, 60)),
    "lasso-spikes": (lasso_spikes, (10_000, 10_000), (100, 60)),
    "lasso-text": (lasso_text, (1_200, 9_600), (200, 400)),
    "lasso-10": (lasso_10, (500, 600), (50, 60)),
    "positive-wide": (positive_wide, (100, 5_000), (20, 50)),
    "cv-wide": (cv_wide, (100, 2_000), (40, 60)),
    "elastic-10": (elastic_10, (200_000,), (5_000,)),
    "elastic-text": (text, (50_000, 100_000), (2_000, 4_000)),
    "positive": (positive, (200_000,), (5_000,)),
    "masked": (masked, (200_000,), (5_000,)),
    "cv": (cv, (200_000,), (5_000,)),
    "cv-small": (cv_small, (442, 10), (442, 5)),
    "cv-wider": (cv_wider, (5_000, 400), (500, 40)),
    "cv-10": (cv_10, (20_000,), (1_000,)),
    "cv-ridge": (cv_ridge, (200_000,), (5_000,)),
    "left-out-small": (left_out(1), (442, 10), (60, 5)),
    "left-out": (left_out(5), (2_000, 200), (100, 20)),
    "left-out-10": (left_out(10), (2_000, 200), (100, 20)),
    "left-out-wide": (left_out(10), (100, 2_000), (20, 60)),
}


def measure(name, arguments, rates):
    """Return the case."""
    case, *sizes = CASES[name]
    n, *m = sizes[arguments.quick]
    title = f"{case.__doc__.rstrip('.')}, N={n:,}, M={m[0] if m else 50:,}"
    return {name: {"title": title, "rows": case(n, *m)}}


if __name__ == "__main__":
    main("penalties", __doc__, measure, parse(__doc__, CASES))
