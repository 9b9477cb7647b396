"""Time and memory as rows grow.

Twenty unscaled features, one output. Each fit has a process of its own, so that its peak of
memory is its own: what it held above X and y. Batches are of 256 rows, three epochs;
`partial_fit` makes one pass in chunks of 10,000. "stream" has the rate of `partial_fit` in
chunks of 1,000 rows, "row" in calls of one row, "chunk" of a few rows with many features. The
exact peer is asked for its answer after each call, as ours gives it.

Run `python docs/benchmarks/growth.py [--case NAME ...] [--quick] [--json FILE]`.
"""

import json
import subprocess
import sys
from functools import partial

import numpy as np
from _common import (
    FIT,
    OURS,
    SLOW,
    fastest,
    main,
    parse,
    peak_above,
    reset_peak,
    timed,
    with_ratios,
)
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gdlinreg import GDLinearRegression

try:
    from sklearnex.linear_model import IncrementalLinearRegression
except ImportError:
    IncrementalLinearRegression = None

N_FEATURES, CHUNK = 20, 10_000
# Rows, features and outputs of a call of partial_fit.
CALLS = {"stream": (1000, 50, 5), "row": (1, 50, 1), "chunk": (10, 500, 1)}
CASES = {"10^4": 10**4, "10^5": 10**5, "10^6": 10**6, "10^7": 10**7, **CALLS}
MODELS = {
    OURS: GDLinearRegression(),
    f"{OURS}(batch_size=256)": GDLinearRegression(batch_size=256, max_iter=3, tol=0),
    f"{OURS}, partial_fit": GDLinearRegression(),
    f"{OURS}(batch_size=256), partial_fit": GDLinearRegression(batch_size=256),
    "Ridge(cholesky)": Ridge(1e-10, solver="cholesky"),
    "LinearRegression": LinearRegression(),
    "StandardScaler + SGDRegressor": make_pipeline(
        StandardScaler(), SGDRegressor(random_state=0)
    ),
}


def by_chunks(model, X, y):
    for first in range(0, len(X), CHUNK):
        model.partial_fit(X[first : first + CHUNK], y[first : first + CHUNK])


def one_fit(name, n):
    """Return seconds, the least of three fits, and the megabytes beside X and y of the first."""
    rng = np.random.default_rng(0)
    X, y = np.empty((n, N_FEATURES)), np.empty(n)
    coef = rng.standard_normal(N_FEATURES)
    for start in range(0, n, CHUNK):  # in place, so that the peak is that of the fit
        rows = slice(start, start + CHUNK)
        X[rows] = rng.standard_normal(X[rows].shape)
        y[rows] = X[rows] @ coef + rng.standard_normal(len(X[rows]))
        X[rows] *= 10.0 ** np.linspace(-3, 3, N_FEATURES)
    model = MODELS[name]
    model.fit(X[:1000], y[:1000])  # what a first call loads is not the fit's
    fit = partial(by_chunks, model) if name.endswith("partial_fit") else model.fit
    level = reset_peak()
    seconds, _ = timed(fit, X, y)
    extra = peak_above(level)
    if seconds < SLOW:
        seconds = min(seconds, *(timed(fit, X, y)[0] for _ in range(2)))
    return seconds, extra


def growth(n):
    """Return the rows of a number of rows."""
    rows = []
    for name in MODELS:
        command = [sys.executable, "-W", "ignore", __file__, "--one", name, "--rows", str(n)]
        seconds, extra = json.loads(subprocess.check_output(command))
        a_row = 1e9 * seconds / n
        rows.append({"name": name, FIT: 1e3 * seconds, "ns a row": a_row, "extra MB": extra})
    return with_ratios(rows)


def learn_and_ask(model, X, y):
    """Learn, and have the coefficients worked out where a model waits to be asked for them."""
    model.partial_fit(X, y)
    return getattr(model, "coef_", None)


def rate(at_least, n, m, d):
    """Return the rows of how fast `partial_fit` learns from small chunks."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n + 1000, m))
    Y = X @ rng.standard_normal((m, d)) + rng.standard_normal((n + 1000, d))
    if d == 1:
        Y = Y[:, 0]
    sgd = SGDRegressor()
    models = {
        OURS: GDLinearRegression(),
        f"{OURS}(batch_size=256)": GDLinearRegression(batch_size=256),
        "SGDRegressor" if d == 1 else "MultiOutputRegressor(SGDRegressor())": (
            sgd if d == 1 else MultiOutputRegressor(sgd)
        ),
    }
    if IncrementalLinearRegression is not None:
        models["intelex IncrementalLinearRegression"] = IncrementalLinearRegression()
    for model in models.values():  # nobody measures the first rows of a stream
        model.partial_fit(X[n:], Y[n:])
    X, Y = X[:n], Y[:n]
    seconds = dict.fromkeys(models, np.inf)
    for _ in range(3):  # side by side
        for name, model in models.items():
            took = fastest(lambda model=model: learn_and_ask(model, X, Y), at_least)
            seconds[name] = min(seconds[name], took)
    column = "a chunk (ms)"
    rows = [
        {"name": name, column: 1e3 * took, "rows a second": round(n / took)}
        for name, took in seconds.items()
    ]
    return with_ratios(rows, column)


def measure(name, arguments, rates):
    """Return the case."""
    if name in CALLS:
        n, m, d = CALLS[name]
        rows = rate(0.05 if arguments.quick else 0.5, n, m, d)
        title = f"calls of {n:,} row{'s' * (n > 1)}, M={m}, D={d}"
        return {name: {"title": title, "rows": rows}}
    n = CASES[name]
    if arguments.quick and n > 10**5:
        return {}
    size = n * N_FEATURES * 8 / 1e6
    return {name: {"title": f"N={n:,}, X of {size:,.0f} MB", "n": n, "rows": growth(n)}}


def add_options(parser):
    parser.add_argument("--one", choices=MODELS, help="one fit; prints JSON")
    parser.add_argument("--rows", type=int, help="of that one fit")


if __name__ == "__main__":
    arguments = parse(__doc__, CASES, add_options)
    if arguments.one:
        print(json.dumps(one_fit(arguments.one, arguments.rows)))
    else:
        main("growth", __doc__, measure, arguments)
