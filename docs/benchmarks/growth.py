"""Time and memory of mini-batch fits and streams as rows grow, and the rate of `partial_fit`.

Run ``python docs/benchmarks/growth.py``; ``mini_batch.py`` shows the same tables. Each fit has a
process of its own, so that its peak of memory is its own.
"""

import argparse
import json
import subprocess
import sys
import time

import numpy as np
from full_batch import digits, fastest
from sklearn.linear_model import SGDRegressor
from sklearn.multioutput import MultiOutputRegressor

from sklearn_gdlinreg import GDLinearRegression

N_FEATURES, CHUNK = 20, 10_000


def columns(titles, rows):
    """Return rows of strings as a Markdown table, aligned."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    aligns = "<" + ">" * (len(widths) - 1)
    return "\n".join(
        "| " + " | ".join(map("{:{}{}}".format, line, aligns, widths)) + " |"
        for line in (titles, rule, *rows)
    )


def peak_megabytes():
    """Return the most memory that this process has held (Unix)."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def one_fit(n, how):
    """Return seconds, and the megabytes beside X and y, of one fit in this process."""
    rng = np.random.default_rng(0)
    X, y = np.empty((n, N_FEATURES)), np.empty(n)
    coef = rng.standard_normal(N_FEATURES)
    for start in range(0, n, CHUNK):  # in place, so that the peak is that of the fit
        rows = slice(start, start + CHUNK)
        X[rows] = rng.standard_normal(X[rows].shape)
        y[rows] = X[rows] @ coef + rng.standard_normal(len(X[rows]))
        X[rows] *= 10.0 ** np.linspace(-3, 3, N_FEATURES)
    model = GDLinearRegression(batch_size=256, max_iter=3, tol=0, random_state=0)
    model.partial_fit(X[:CHUNK], y[:CHUNK])  # what a first call loads is not the fit's
    before, start = peak_megabytes(), time.perf_counter()
    if how == "fit":
        model.fit(X, y)
    else:
        for first in range(0, n, CHUNK):
            model.partial_fit(X[first : first + CHUNK], y[first : first + CHUNK])
    return time.perf_counter() - start, peak_megabytes() - before


def growth(most=10**7):
    """Return the table of time and memory over the number of rows."""
    rows, n = [], 10**4
    while n <= most:
        line = [f"{n:,}", f"{n * N_FEATURES * 8 / 1e6:,.0f}"]
        for how in ("fit", "partial_fit"):
            command = [sys.executable, "-W", "ignore", __file__, "--one", how, "--rows", str(n)]
            runs = [json.loads(subprocess.check_output(command)) for _ in range(3)]
            seconds, extra = min(run[0] for run in runs), max(run[1] for run in runs)
            line += [digits(seconds), digits(1e9 * seconds / n), f"{extra:.0f}"]
        rows.append(line)
        n *= 10
    titles = ["rows", "X (MB)"]
    for how in ("fit", "partial_fit"):
        titles += [f"{how} (s)", "ns a row", "extra MB"]
    return columns(titles, rows)


def rate(n=1000, m=50, d=5):
    """Return the table of rows a second that `partial_fit` learns from, in small chunks."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, m))
    Y = X @ rng.standard_normal((m, d)) + rng.standard_normal((n, d))
    models = {
        "GDLinearRegression()": GDLinearRegression(random_state=0),
        "GDLinearRegression(batch_size=256)": GDLinearRegression(batch_size=256),
        "MultiOutputRegressor(SGDRegressor())": MultiOutputRegressor(SGDRegressor()),
    }
    seconds = {}
    for _ in range(3):  # side by side
        for name, model in models.items():
            took = fastest(lambda model=model: model.partial_fit(X, Y), at_least=0.5)
            seconds[name] = min(seconds.get(name, took), took)
    slowest = max(seconds.values())
    rows = [
        [name, digits(1e3 * took), f"{n / took:,.0f}", f"{slowest / took:.1f}"]
        for name, took in seconds.items()
    ]
    return columns(["", "ms a chunk", "rows a second", "ratio"], rows)


def tables(most=10**7):
    """Return both, with their headings."""
    return (
        f"### Growth: M={N_FEATURES}, D=1, unscaled\n\n`fit` makes three epochs of batches of "
        "256; `partial_fit` one pass in chunks of 10,000. Memory is the peak of the process "
        f"above what it was with X and y.\n\n{growth(most)}\n\n"
        f"### partial_fit in chunks of 1,000: M=50, D=5\n\n{rate()}\n"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10**7, help="most rows")
    parser.add_argument("--one", choices=("fit", "partial_fit"), help="one fit; prints JSON")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(one_fit(arguments.rows, arguments.one)))
    else:
        print(tables(arguments.rows))
