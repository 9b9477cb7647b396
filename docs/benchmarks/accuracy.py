"""Correct digits on NIST's certified data sets for linear least squares.

The digits of the worst coefficient, 15 at most: -log10(|estimate - certified| / |certified|), in
the Statistical Reference Datasets. Orthogonal is `numpy.linalg.lstsq` on standardised columns,
whose condition number stands in parentheses.

Run `python docs/benchmarks/accuracy.py [--json FILE]`.
"""

import json
from pathlib import Path

import numpy as np
from _common import main, parse
from sklearn.linear_model import LinearRegression

from sklearn_gdlinreg import GDLinearRegression

DATA = Path(__file__).resolve().parent / "data" / "strd.json"


def right_digits(estimate, certified):
    error = np.max(np.abs(estimate - certified) / np.abs(certified))
    return max(0.0, -np.log10(max(error, 1e-15)))


def orthogonal(X, y, intercept):
    """Least squares by an orthogonal solve on standardised columns."""
    mean = X.mean(axis=0) * intercept
    scale = np.sqrt(((X - mean) ** 2).mean(axis=0))
    w = np.linalg.lstsq((X - mean) / scale, y - y.mean() * intercept, rcond=0)[0] / scale
    return np.append(y.mean() - mean @ w, w)[not intercept :]


def fitted(model, X, y):
    model.fit(X, y)
    return np.append(model.intercept_, model.coef_)[not model.fit_intercept :]


def row(name, data):
    """Return the digits of each contestant on one set."""
    X = np.array(data["X"] if "X" in data else data["x"], dtype=float)
    if "degree" in data:
        X = X[:, None] ** np.arange(1, data["degree"] + 1)
    y, intercept = np.array(data["y"], dtype=float), data.get("intercept", True)
    estimates = {
        "GDLinearRegression": fitted(GDLinearRegression(fit_intercept=intercept), X, y),
        "LinearRegression": fitted(LinearRegression(fit_intercept=intercept), X, y),
        "LinearRegression(tol=1e-12)": fitted(
            LinearRegression(tol=1e-12, fit_intercept=intercept), X, y
        ),
        "orthogonal": orthogonal(X, y, intercept),
    }
    certified = np.array(data["coef"])
    digits = {key: f"{right_digits(e, certified):.1f}" for key, e in estimates.items()}
    return {"name": f"{name} ({data['standardised_condition']:.1g})", **digits}


def measure(name, arguments, rates):
    """Return the case."""
    data = json.loads(DATA.read_text(encoding="utf-8"))
    rows = [row(key, values) for key, values in data.items()]
    return {name: {"title": "Statistical Reference Datasets", "rows": rows}}


if __name__ == "__main__":
    main("accuracy", __doc__, measure, parse(__doc__, ["NIST"]), rates={})
