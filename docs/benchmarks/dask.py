"""Speed on Dask: DaskGDLinearRegression beside dask-ml's and dask.array's solvers.

    python docs/benchmarks/dask.py [--rows N] [--repeats K] [--json FILE] [--markdown FILE]
                                   [--picture FILE]

All contestants are given the same chunks, persisted in memory, on Dask's threads. A second
part takes the time against the size of chunks and the number of workers: threads, and
processes of a `LocalCluster`, whose memory is measured too. At the end, the rates from which
docs/dask.md works out a large fit.
"""

import sys

# This file has the name of the package that it imports.
sys.path.pop(0)

import argparse
import datetime
import json
import math
import os
import platform
import re
import signal
import time
import warnings
from pathlib import Path

import dask
import dask.array as da
import dask_ml
import distributed
import numpy as np
from dask_ml.linear_model import LinearRegression

from sklearn_gdlinreg._dask_data import data_of
from sklearn_gdlinreg._dask_rows import DaskRows
from sklearn_gdlinreg.dask import DaskGDLinearRegression

M, CHUNKS = 50, 16
SLOW, LIMIT = 2.0, 40  # seconds; what takes longer is run once, or given up
CHUNKINGS = (4, 16, 64, 256)


def data(n, chunks, m=M):
    """Return lazy X and y: correlated features, off-centre, in unlike units."""
    size = math.ceil(n / chunks)
    rng = da.random.default_rng(0)
    local = np.random.default_rng(0)
    mix = np.eye(m) + 0.3 * local.standard_normal((m, m))
    unit, offset = 10 ** local.uniform(-1, 1, m), local.uniform(-2, 2, m)
    Z = rng.standard_normal((n, m), chunks=(size, m)) @ mix
    y = Z @ local.standard_normal(m) + rng.standard_normal(n, chunks=size)
    return (Z + offset) * unit, y


def excess(X, y, coef, intercept):
    """Return a function of a model: its objective over the least, relatively.

    About its minimiser a quadratic is exactly its second-order term.
    """
    optimum = float(((y - X @ coef - intercept) ** 2).mean().compute())

    def of(model):
        moved = X @ (model[0] - coef) + (model[1] - intercept)
        return float((moved**2).mean().compute()) / optimum

    return of


def ours(X, y):
    """Fit as a user does."""
    model = DaskGDLinearRegression().fit(X, y)
    return model.coef_, model.intercept_


def lstsq(X, y):
    """`dask.array.linalg.lstsq`, with a column of ones for the intercept."""
    ones = da.ones((X.shape[0], 1), chunks=(X.chunks[0], 1))
    wide = da.concatenate([X, ones], axis=1).rechunk({1: -1})
    W = da.linalg.lstsq(wide, y)[0].compute()
    return W[:-1], W[-1]


def dask_ml_model(solver, **options):
    """Return dask-ml's linear regression by one of its solvers, with no penalty."""

    def fit(X, y):
        model = LinearRegression(solver=solver, C=1e12, **options).fit(X, y)
        return model.coef_, model.intercept_

    return fit


CONTESTANTS = {
    "DaskGDLinearRegression": ours,
    "dask.array.linalg.lstsq": lstsq,
    "dask_ml LinearRegression(admm, 5 iterations)": dask_ml_model("admm", max_iter=5),
    "dask_ml LinearRegression(lbfgs)": dask_ml_model("lbfgs"),
    "dask_ml LinearRegression(newton)": dask_ml_model("newton", max_iter=5),
    "dask_ml LinearRegression(gradient_descent)": dask_ml_model("gradient_descent", max_iter=20),
}


def seconds(call, *arguments):
    """Return the seconds that a call takes, and what it returns."""
    start = time.perf_counter()
    result = call(*arguments)
    return time.perf_counter() - start, result


def give_up(*_):
    """Raise from within a call that takes too long."""
    raise TimeoutError


def compare(n, repeats):
    """Return (name, seconds, excess) of each contestant, fastest first."""
    signal.signal(signal.SIGALRM, give_up)
    X, y = dask.persist(*data(n, CHUNKS))
    exact = DaskGDLinearRegression(tol=0).fit(X, y)
    of = excess(X, y, exact.coef_, exact.intercept_)
    best, found = dict.fromkeys(CONTESTANTS, math.inf), {}
    for _ in range(repeats):
        for name, contestant in CONTESTANTS.items():
            if SLOW < best[name] < math.inf:
                continue
            signal.alarm(LIMIT)
            try:
                taken, model = seconds(contestant, X, y)
            except TimeoutError:
                best[name], found[name] = LIMIT, f"given up after {LIMIT} s"
                continue
            except Exception as error:  # whatever the peers raise is their row
                if contestant is ours:
                    raise
                found[name] = f"failed: {type(error).__name__}"
                continue
            finally:
                signal.alarm(0)
            best[name], found[name] = min(best[name], taken), of(model)
    return sorted(((name, best[name], found[name]) for name in found), key=lambda row: row[1])


def against_chunks(n, repeats):
    """Return the seconds for each number of chunks, with one thread and with all."""
    times = {}
    for chunks in CHUNKINGS:
        X, y = dask.persist(*data(n, chunks))
        for threads in (1, os.cpu_count()):
            with dask.config.set(num_workers=threads):
                taken = min(seconds(ours, X, y)[0] for _ in range(repeats))
            times.setdefault(f"{threads} thread{'s' * (threads > 1)}", []).append(taken)
    return times


def peak_memory():
    """Return the most memory that this process has held, in MB, and begin anew."""
    status = Path("/proc/self/status").read_text()
    Path("/proc/self/clear_refs").write_text("5")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1e3


def on_processes(n, repeats, n_workers):
    """Return the seconds for each number of chunks, and memory in chunks, on processes."""
    times, memory = [], {}
    with (
        distributed.LocalCluster(
            n_workers=n_workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        for chunks in CHUNKINGS:
            X, y = dask.persist(*data(n, chunks))
            distributed.wait([X, y])
            ours(X, y)
            for _ in range(2):  # what was read first still had the peak of before
                level = client.run(peak_memory), peak_memory()
            times.append(min(seconds(ours, X, y)[0] for _ in range(repeats)))
            peak = client.run(peak_memory), peak_memory()
            chunk = n / chunks * M * 8 / 1e6
            worker = max(peak[0][w] - level[0][w] for w in peak[0]) / chunk
            memory[chunks] = {"worker": worker, "client": (peak[1] - level[1]) / chunk}
    return times, memory


def rates():
    """Return what a large fit is worked out from: seconds on one core, and of the scheduler."""
    n_chunks, n, m = 4, 16_000, 1000
    X, y = dask.persist(*data(n, n_chunks, m))
    rows = DaskRows(
        data_of(X, y, None, missing_targets="error")[0].chunks, centred=True, scaled=True
    )
    with dask.config.set(num_workers=1):
        moments = min(seconds(rows.moments)[0] for _ in range(5))
        zeros = np.zeros((m, 1)), np.zeros(1)
        one_pass = min(seconds(rows.residual, *zeros)[0] for _ in range(5))
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        matrix = client.submit(np.ones, (m + 1, m + 1))
        matrix.result()
        gathered = min(seconds(matrix.result)[0] for _ in range(5))
        tasks = [dask.delayed(abs)(i, dask_key_name=f"t{i}-{time.time()}") for i in range(2000)]
        overhead = seconds(dask.compute, *tasks)[0] / len(tasks)
    return {
        "moments of 1,000 rows of 1,000 features (s)": moments / n * 1000,
        "a pass over 1,000 rows of 1,000 features (s)": one_pass / n * 1000,
        "a matrix of 8 MB to the client (s)": gathered,
        "a task of the scheduler (s)": overhead,
    }


def draw(times, n, picture):
    """Draw the time against the number of chunks, for each kind of workers."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, taken in times.items():
        axes.loglog(CHUNKINGS, taken, "o-", label=name)
    axes.set(
        xlabel="chunks", ylabel="time of a fit (s)", xticks=CHUNKINGS, ylim=(0.01, None),
        xticklabels=CHUNKINGS, title=f"{n:,} rows of {M} features, in memory",
    )  # fmt: skip
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(picture, dpi=110)


def report(n, rows, times, memory, measured):
    """Return all of it as Markdown."""
    versions = f"dask {dask.__version__}, dask-ml {dask_ml.__version__}, numpy {np.__version__}"
    mine = next(row[1] for row in rows if row[0] == "DaskGDLinearRegression")
    lines = [
        f"{platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"{versions}; {datetime.date.today()}.\n",
        f"### {n:,} rows of {M} features, {CHUNKS} chunks, threads\n",
        "|  | fit (s) | times ours | excess |",
        "|---|--:|--:|--:|",
    ]
    for name, taken, over in rows:
        failed = isinstance(over, str)
        cells = (
            (over, "-", "-")
            if failed
            else (f"{taken:.3f}", f"{taken / mine:.1f}", f"{over:.0e}")
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["\n### Seconds of a fit against the number of chunks\n"]
    lines += [
        "|  | " + " | ".join(map(str, CHUNKINGS)) + " |",
        "|---|" + "--:|" * len(CHUNKINGS),
    ]
    for name, taken in times.items():
        lines.append(f"| {name} | " + " | ".join(f"{t:.3f}" for t in taken) + " |")
    lines += ["\n### Memory taken while fitting, in chunks of X\n", "|  | worker | client |"]
    lines += ["|---|--:|--:|"]
    for chunks, taken in memory.items():
        lines.append(f"| {chunks} chunks | {taken['worker']:.2f} | {taken['client']:.2f} |")
    lines += ["\n### Rates\n", "| measured |  |", "|---|--:|"]
    lines += [f"| {name} | {value:.3g} |" for name, value in measured.items()]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3, help="rounds of timing")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    parser.add_argument("--picture", type=Path, help="file for the plot")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # the excess tells who did not converge
    n, repeats = arguments.rows, arguments.repeats
    rows = compare(n, repeats)
    times = against_chunks(n, repeats)
    for n_workers in (1, 2):
        name = f"{n_workers} process{'es' * (n_workers > 1)}"
        times[name], memory = on_processes(n, repeats, n_workers)
    measured = rates()
    text = report(n, rows, times, memory, measured)
    print(text)
    if arguments.picture:
        draw(times, n, arguments.picture)
    if arguments.markdown:
        arguments.markdown.write_text(text, encoding="utf-8")
    if arguments.json:
        found = {"rows": rows, "times": times, "memory": memory, "rates": measured}
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
