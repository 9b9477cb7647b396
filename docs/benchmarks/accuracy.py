"""Digits right on NIST's certified linear least squares.

Of the sets of the Statistical Reference Datasets, the digits of the worst coefficient, 15 at
most: -log10(|estimate - certified| / |certified|). "Condition" is that of the standardised
columns, "orthogonal" is `numpy.linalg.lstsq` on them.

Run `python docs/benchmarks/accuracy.py [--data PATH] [--json FILE]`.
"""

import json
from pathlib import Path

import numpy as np
from _common import main, parse
from sklearn.linear_model import LinearRegression

from sklearn_gdlinreg import GDLinearRegression

# Real data lie beside the checkout, if at all.
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "nist" / "strd.json"


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
        "tol=0": fitted(GDLinearRegression(tol=0, fit_intercept=intercept), X, y),
        "no parameter set": fitted(GDLinearRegression(fit_intercept=intercept), X, y),
        "orthogonal": orthogonal(X, y, intercept),
        "LinearRegression": fitted(LinearRegression(fit_intercept=intercept), X, y),
    }
    certified = np.array(data["coef"])
    digits = {key: f"{right_digits(e, certified):.1f}" for key, e in estimates.items()}
    return {"name": name, "condition": f"{data['standardised_condition']:.2g}", **digits}


def measure(name, arguments, rates):
    """Return the case."""
    data = json.loads(arguments.data.read_text())
    rows = [row(key, values) for key, values in data.items()]
    return {name: {"title": "Statistical Reference Datasets", "rows": rows}}


if __name__ == "__main__":
    arguments = parse(
        __doc__, ["NIST"], lambda parser: parser.add_argument("--data", type=Path, default=DATA)
    )
    main("accuracy", __doc__, measure, arguments)
