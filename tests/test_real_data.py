"""Real data: published values, certified digits, no parameter set."""

import json
from pathlib import Path

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.datasets import load_diabetes, load_linnerud
from sklearn.linear_model import LinearRegression

from sklearn_gdlinreg import GDLinearRegression

SKLEARN = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
# Outputs and least-squares optimum of each set, from the manifest of the data.
MULTI_TARGET = {
    "edm": (2, 0.26937326233081194),
    "enb": (2, 18.6614206954139),
    "jura": (3, 120.80195300239916),
    "wq": (14, 20.356562551463877),
    "andro": (6, 57.27531405188694),
    "atp1d": (6, 2994.392076954251),
}
CERTIFIED = Path(__file__).parents[1] / "docs" / "benchmarks" / "data" / "strd.json"
# Sets of which `LinearRegression` of scikit-learn 1.9 has no digit; with tol=1e-12 on all but
# the first.
NO_DIGITS = ["filip", "pontius", "wampler1", "wampler2", "wampler3", "wampler4", "wampler5"]
NIST = [*NO_DIGITS, "noint1", "noint2", "longley"]
WIDER_FLOAT = np.finfo(np.longdouble).nmant > 52


@pytest.mark.parametrize("load", [load_diabetes, load_linnerud])
def test_toy_sets_equal_linear_regression(load):
    X, y = load(return_X_y=True)
    model, exact = GDLinearRegression().fit(X, y), LinearRegression().fit(X, y)
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, exact.intercept_, rtol=1e-9)
    assert model.score(X, y) == pytest.approx(exact.score(X, y), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("name", MULTI_TARGET)
def test_multi_target_sets_reach_their_optimum(shared, name, container):
    n_outputs, optimum = MULTI_TARGET[name]
    A = shared(f"mtr/{name}.csv.gz")
    X, Y = A[:, :-n_outputs], A[:, -n_outputs:]
    model = GDLinearRegression().fit(container(X), Y)
    loss = ((Y - model.predict(X)) ** 2).mean(axis=0).sum()
    assert loss == pytest.approx(optimum, rel=1e-9)
    assert model.stop_reason_ == "tol"


def digits(estimate, certified):
    """Return the digits of agreement of the worst coefficient, 15 at most."""
    error = np.abs(estimate - certified) / np.abs(certified)
    return -np.log10(max(error.max(), 1e-15))


def certified(name):
    """Return X, y, the certified coefficients, and whether there is an intercept."""
    data = json.loads(CERTIFIED.read_text(encoding="utf-8"))[name]
    if "X" in data:
        X = np.array(data["X"], dtype=float)
    else:
        X = np.array(data["x"], dtype=float)[:, None] ** np.arange(1, data["degree"] + 1)
    y, coef = np.array(data["y"], dtype=float), np.array(data["coef"])
    return X, y, coef, data.get("intercept", True)


def coefficients(model):
    return np.append(model.intercept_, model.coef_)[not model.fit_intercept :]


def better_digits(X, y, coef, intercept):
    """Return the digits of the better of two orthogonal solves: standardised, and as X is."""
    mean = X.mean(axis=0) * intercept
    scale = np.sqrt(((X - mean) ** 2).mean(axis=0))
    w = np.linalg.lstsq((X - mean) / scale, y - y.mean() * intercept, rcond=0)[0] / scale
    orthogonal = np.append(y.mean() - mean @ w, w)[not intercept :]
    # Before 1.9 there was no such limit for small singular values.
    options = {"tol": 1e-12} if SKLEARN >= (1, 9) else {}
    peer = LinearRegression(fit_intercept=intercept, **options).fit(X, y)
    return max(digits(orthogonal, coef), digits(coefficients(peer), coef))


@pytest.mark.parametrize("name", NIST)
@pytest.mark.parametrize("options", [{}, {"tol": 0}, {"tol": 1e-16}])
def test_certified_digits(name, options):
    X, y, coef, intercept = certified(name)
    model = GDLinearRegression(fit_intercept=intercept, **options).fit(X, y)
    got = digits(coefficients(model), coef)
    # Without a wider float, residuals round as those of the others do, and products more.
    assert got >= better_digits(X, y, coef, intercept) - (1 if WIDER_FLOAT else 2)
    if name in NO_DIGITS and SKLEARN >= (1, 9):  # which drops small singular values
        peer = LinearRegression().fit(X, y)
        assert got >= digits(coefficients(peer), coef) + 5


@pytest.mark.skipif(not WIDER_FLOAT, reason="there is no float wider than float64 here")
def test_every_digit_is_ahead_on_five():
    n_ahead = 0
    for name in NIST:
        X, y, coef, intercept = certified(name)
        model = GDLinearRegression(tol=0, fit_intercept=intercept).fit(X, y)
        n_ahead += digits(coefficients(model), coef) > better_digits(X, y, coef, intercept)
    assert n_ahead >= 5
