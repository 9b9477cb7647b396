"""Dask: DaskGDLinearRegression beside dask-ml's and dask.array's solvers.

All solvers are given the same chunks, persisted in memory, on Dask's threads. "Chunks" has the
time against the number of chunks and of workers: threads, and processes of a `LocalCluster`,
whose memory while fitting is measured in chunks of X. "Rates" is what the time of a large fit
can be worked out from.

Run `python docs/benchmarks/dask.py [--case NAME ...] [--quick] [--json FILE]`.
"""

import math
import os
import time

import _path  # noqa: F401
import dask
import dask.array as da
import distributed
import numpy as np
from _common import (
    FIT,
    OURS,
    SLOW,
    fastest,
    limit,
    main,
    parse,
    peak_above,
    reset_peak,
    resident,
    timed,
    with_ratios,
)
from dask_ml.linear_model import LinearRegression

from sklearn_gdlinreg._input.dask_dataset import data_of
from sklearn_gdlinreg._rows.dask import DaskRows
from sklearn_gdlinreg.dask import DaskGDLinearRegression

CASES = ("solvers", "chunks", "rates")
M, CHUNKS = 50, 16
LIMIT = 15  # seconds; what takes longer is given up
CHUNKINGS = (4, 16, 64, 256), (4, 16)  # and quick ones


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
    f"Dask{OURS}": ours,
    "dask.array.linalg.lstsq": lstsq,
    "dask_ml LinearRegression(admm, 5 iterations)": dask_ml_model("admm", max_iter=5),
    "dask_ml LinearRegression(lbfgs)": dask_ml_model("lbfgs"),
    "dask_ml LinearRegression(newton)": dask_ml_model("newton", max_iter=5),
    "dask_ml LinearRegression(gradient_descent)": dask_ml_model("gradient_descent", max_iter=20),
}


def solvers(n, repeats, longest):
    """Return the rows of the contestants."""
    X, y = dask.persist(*data(n, CHUNKS))
    exact = DaskGDLinearRegression(tol=0).fit(X, y)
    of = excess(X, y, exact.coef_, exact.intercept_)
    rows = {name: {"name": name, FIT: math.inf} for name in CONTESTANTS}
    for _ in range(repeats):
        for name, contestant in CONTESTANTS.items():
            row = rows[name]
            if isinstance(row[FIT], str) or 1e3 * SLOW < row[FIT] < math.inf:
                continue
            try:
                with limit(longest):
                    taken, model = timed(contestant, X, y)
            except TimeoutError:
                row[FIT] = f"over {longest} s"
            except Exception as error:  # whatever the peers raise is their row
                if contestant is ours:
                    raise
                row[FIT] = f"failed, {type(error).__name__}"
            else:
                row |= {FIT: min(row[FIT], 1e3 * taken), "excess": of(model)}
    return with_ratios(list(rows.values()))


def best_ms(X, y, repeats):
    return 1e3 * min(timed(ours, X, y)[0] for _ in range(repeats))


def on_threads(n, repeats, chunkings, threads):
    """Return a row: the times for each number of chunks."""
    row = {"name": f"Dask{OURS}, {threads} thread{'s' * (threads > 1)}"}
    for chunks in chunkings:
        X, y = dask.persist(*data(n, chunks))
        with dask.config.set(num_workers=threads):
            row[f"{chunks} chunks (ms)"] = best_ms(X, y, repeats)
    return row


def cluster(n_workers):
    return distributed.LocalCluster(
        n_workers=n_workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    )


def on_processes(n, repeats, chunkings, n_workers):
    """Return a row of times, and what workers and client take, in chunks of X."""
    row = {"name": f"Dask{OURS}, {n_workers} process{'es' * (n_workers > 1)}"}
    memory = []
    with cluster(n_workers) as local, distributed.Client(local) as client:
        for chunks in chunkings:
            X, y = dask.persist(*data(n, chunks))
            distributed.wait([X, y])
            ours(X, y)
            levels, level = client.run(reset_peak), reset_peak()
            row[f"{chunks} chunks (ms)"] = best_ms(X, y, repeats)
            peaks = client.run(resident, "VmHWM")
            chunk = n / chunks * M * 8 / 1e6
            memory.append(
                {
                    "name": f"{chunks} chunks, {n_workers} processes",
                    "memory of a worker": max(peaks[key] - levels[key] for key in peaks) / chunk,
                    "of the client": peak_above(level) / chunk,
                }
            )
    return row, memory


def large_fit():
    """Return the rows of what a large fit is worked out from: on one core, but for the last."""
    n_chunks, n, m = 4, 16_000, 1000
    X, y = dask.persist(*data(n, n_chunks, m))
    chunks = data_of(X, y, None, missing_targets="error")[0].chunks
    rows = DaskRows(chunks, centred=True, scaled=True)
    model = np.zeros((m, 1)), np.zeros(1)
    with dask.config.set(num_workers=1):
        moments, one_pass = (
            fastest(rows.moments, 2.0),
            fastest(lambda: rows.residual(*model), 1.0),
        )
    with cluster(2) as local, distributed.Client(local) as client:
        matrix = client.submit(np.ones, (m + 1, m + 1))
        matrix.result()
        gathered = fastest(matrix.result)
        tasks = [dask.delayed(abs)(i, dask_key_name=f"t{i}-{time.time()}") for i in range(2000)]
        overhead = timed(dask.compute, *tasks)[0] / len(tasks)
    thousands = n / 1000
    return [
        {"name": f"Dask{OURS}, moments of 1,000 x 1,000", "(ms)": 1e3 * moments / thousands},
        {"name": f"Dask{OURS}, a pass over 1,000 x 1,000", "(ms)": 1e3 * one_pass / thousands},
        {"name": "a matrix of 8 MB to the client", "(ms)": 1e3 * gathered},
        {"name": "a task of the scheduler", "(ms)": 1e3 * overhead},
    ]


def measure(name, arguments, rates):
    """Return the case."""
    if name == "rates":
        return {name: {"title": "what a large fit is worked out from", "rows": large_fit()}}
    n, repeats, longest = (20_000, 1, 3) if arguments.quick else (200_000, 3, LIMIT)
    if name == "solvers":
        title = f"N={n:,}, M={M}, {CHUNKS} chunks, threads"
        return {name: {"title": title, "rows": solvers(n, repeats, longest)}}
    chunkings = CHUNKINGS[arguments.quick]
    rows = [on_threads(n, repeats, chunkings, threads) for threads in (1, os.cpu_count())]
    for n_workers in (1, 2):
        row, memory = on_processes(n, repeats, chunkings, n_workers)
        rows.append(row)
    title = f"N={n:,}, M={M}"
    return {
        name: {"title": title, "rows": rows},
        "memory": {"title": f"{title}, in chunks of X", "rows": memory},
    }


if __name__ == "__main__":
    main("dask", __doc__, measure, parse(__doc__, CASES))
