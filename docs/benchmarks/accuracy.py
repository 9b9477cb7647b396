"""Digits right on NIST's certified linear least squares (StRD), as a Markdown table.

``python docs/benchmarks/accuracy.py PATH/TO/strd.json``. Digits are
-log10(|estimate - certified| / |certified|) of the worst coefficient, 15 at most.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LinearRegression

from sklearn_gdlinreg import GDLinearRegression


def digits(estimate, certified):
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


def main(path):
    print("| set | condition | tol=0 | no parameter set | orthogonal | LinearRegression |")
    print("|---|---|---|---|---|---|")
    for name, data in json.loads(Path(path).read_text()).items():
        X = np.array(data["X"] if "X" in data else data["x"], dtype=float)
        if "degree" in data:
            X = X[:, None] ** np.arange(1, data["degree"] + 1)
        y, intercept = np.array(data["y"], dtype=float), data.get("intercept", True)
        estimates = [
            fitted(GDLinearRegression(tol=0, fit_intercept=intercept), X, y),
            fitted(GDLinearRegression(fit_intercept=intercept), X, y),
            orthogonal(X, y, intercept),
            fitted(LinearRegression(fit_intercept=intercept), X, y),
        ]
        row = " | ".join(f"{digits(e, np.array(data['coef'])):.1f}" for e in estimates)
        print(f"| {name} | {data['standardised_condition']:.2g} | {row} |")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/nist/strd.json")
