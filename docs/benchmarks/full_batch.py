"""Full-batch speed: GDLinearRegression beside exact and stochastic solvers.

    python docs/benchmarks/full_batch.py [--case NAME ...] [--repeats K]
                                         [--json FILE] [--markdown FILE]

For each case a table, fastest first: the time of `fit` and `predict` (minimum of several
rounds, the contestants in turn; whatever takes over 5 s is run once), the excess over the
least-squares objective, and the peak of extra memory while fitting. Under it, our time
relative to the least the machine could take, at the rates measured at the start.

scikit-learn-intelex and torch take part where they are installed.
"""

import argparse
import ctypes
import datetime
import importlib.metadata
import json
import math
import os
import platform
import re
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import linalg, signal, sparse
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gdlinreg import GDLinearRegression

try:
    from sklearnex.linear_model import LinearRegression as IntelexLinearRegression
except ImportError:
    IntelexLinearRegression = None
try:
    import torch
except ImportError:
    torch = None

OURS = "GDLinearRegression"
SLOW = 5.0  # seconds
SAG_EPOCHS = 50  # it would need thousands
SAG_UPDATES = 2.5e9  # of single coefficients; about a minute's worth
LIBRARIES = ("numpy", "scipy", "scikit-learn", "scikit-learn-intelex", "torch")
CASES = {  # N, M, D, dtype
    "tall": (200_000, 50, 1, "float64"),
    "tall-10": (200_000, 50, 10, "float64"),
    "tall-float32": (200_000, 50, 1, "float32"),
    "tall-10-float32": (200_000, 50, 10, "float32"),
    "square": (5_000, 1_000, 5, "float64"),
    "wide": (1_000, 3_000, 3, "float64"),
    "small": (442, 10, 1, "float64"),
    "text": (50_000, 100_000, 1, "float64"),
    "text-10": (50_000, 100_000, 10, "float64"),
}


@dataclass
class Problem:
    """Data, the minimiser of their objective, and what an excess is a fraction of."""

    X: Any
    y: np.ndarray
    alpha: float
    W: np.ndarray
    b: np.ndarray
    unit: float

    def excess(self, W, b):
        """Return (objective(W, b) - optimum) / unit.

        About its minimiser a quadratic is exactly its second-order term, which keeps the
        digits that a difference of two nearly equal objectives would lose.
        """
        dW = W - self.W
        moved = self.X @ dW + (b - self.b)
        excess = np.sum(moved**2) / len(moved) + self.alpha * np.sum(dW**2)
        return float(excess / self.unit)


def dense_problem(n, m, d, dtype):
    """AR(0.9) features, off-centre, with scales over three decades."""
    rng = np.random.default_rng(0)
    innovations = rng.standard_normal((n, m))
    innovations[:, 1:] *= math.sqrt(1 - 0.9**2)  # gives every feature unit variance
    E = signal.lfilter([1.0], [1.0, -0.9], innovations, axis=1)
    Y = E @ rng.standard_normal((m, d)) + rng.standard_normal((n, d))
    X = ((E + rng.uniform(-5, 5, m)) * 10 ** rng.uniform(-1.5, 1.5, m)).astype(dtype)
    Y = Y.astype(dtype)
    return Problem(X, Y[:, 0] if d == 1 else Y, 0.0, *dense_optimum(X, Y))


def dense_optimum(X, Y):
    """Solve orthogonally in float64 on standardised columns; return W, b and the unit.

    The unit is the optimum, or the variance of Y where X is wide and the optimum zero.
    """
    E, Y = X.astype(np.float64), Y.astype(np.float64)
    mean, std, y_mean = E.mean(axis=0), E.std(axis=0), Y.mean(axis=0)
    E = (E - mean) / std
    Y = Y - y_mean
    W = linalg.lstsq(E, Y)[0]
    residual = Y - E @ W if len(E) > E.shape[1] else Y
    W /= std[:, None]
    return W, y_mean - mean @ W, np.sum(residual**2) / len(E)


def text_problem(n, m, d, dtype, alpha=1e-6):
    """Tf-idf of documents of 80 words, the words Zipf-distributed over the vocabulary."""
    rng = np.random.default_rng(0)
    p = 1 / np.arange(1, m + 1)
    # A vocabulary is ordered by the alphabet, not by frequency.
    words = rng.permutation(m)[rng.choice(m, size=80 * n, p=p / p.sum())]
    indices, indptr = words.astype(np.int32), np.arange(0, 80 * n + 1, 80, dtype=np.int32)
    counts = sparse.csr_array((np.ones(80 * n, dtype), indices, indptr), shape=(n, m))
    counts.sum_duplicates()
    X = sparse.csr_array(TfidfTransformer(sublinear_tf=True).fit_transform(counts))
    true = rng.normal(0, 3, (m, d)) * (rng.random((m, d)) < 0.01)
    Y = X @ true + 0.1 * rng.standard_normal((n, d))
    exact = Ridge(n * alpha, solver="sparse_cg", tol=1e-13, max_iter=3000).fit(X, Y)
    W, b = coefficients(exact)
    optimum = np.sum((Y - X @ W - b) ** 2) / n + alpha * np.sum(W**2)
    return Problem(X, Y[:, 0] if d == 1 else Y, alpha, W, b, optimum)


@dataclass
class Contestant:
    """A model, what prepares its input outside the time, and why it does not run."""

    name: str
    model: Any
    prepare: Any = lambda X, y: (X, y)
    absent: str = ""


class TorchLstsq:
    """Centre, then `torch.linalg.lstsq` by the fastest driver that the shape admits."""

    @staticmethod
    def prepare(X, y):
        """Return views as tensors, y as a matrix."""
        return torch.from_numpy(X), torch.from_numpy(y.reshape(len(y), -1))

    def fit(self, X, Y):
        """Set `coef_` and `intercept_`."""
        x_mean, y_mean = X.mean(0), Y.mean(0)
        # A wide X loses a rank by centring, and gels takes full rank for granted.
        driver = "gels" if len(X) > X.shape[1] else "gelsy"
        W = torch.linalg.lstsq(X - x_mean, Y - y_mean, driver=driver).solution
        self.coef_, self.intercept_ = W.T, y_mean - x_mean @ W


def ridge(solver, alpha, tol, max_iter=None):
    model = Ridge(alpha, solver=solver, tol=tol, max_iter=max_iter, random_state=0)
    return Contestant(f"Ridge({solver}, tol={tol:.0e})", model)


def sag(solver, alpha, problem):
    model = Ridge(alpha, solver=solver, tol=1e-9, max_iter=SAG_EPOCHS, random_state=0)
    updates = problem.X.size * problem.W.shape[1] * SAG_EPOCHS
    absent = "skipped, over 60 s" if updates > SAG_UPDATES else ""
    return Contestant(f"Ridge({solver}, {SAG_EPOCHS} epochs)", model, absent=absent)


def sgd(average, d):
    model = SGDRegressor(average=average, random_state=0)
    model = make_pipeline(StandardScaler(), model if d == 1 else MultiOutputRegressor(model))
    name = "SGDRegressor(average=True)" if average else "SGDRegressor"
    return Contestant(f"StandardScaler + {name}", model)


def dense_contestants(problem):
    tiny = 1e-10
    intelex = IntelexLinearRegression and IntelexLinearRegression()
    return [
        Contestant(OURS, GDLinearRegression()),
        Contestant("LinearRegression", LinearRegression()),
        Contestant("Ridge(cholesky)", Ridge(tiny, solver="cholesky")),
        ridge("lsqr", tiny, tol=1e-8, max_iter=1000),
        ridge("sparse_cg", tiny, tol=1e-8, max_iter=1000),
        sag("sag", tiny, problem),
        sag("saga", tiny, problem),
        sgd(False, problem.W.shape[1]),
        sgd(True, problem.W.shape[1]),
        Contestant("intelex LinearRegression", intelex, absent="" if intelex else "missing"),
        Contestant(
            "torch.linalg.lstsq",
            TorchLstsq(),
            TorchLstsq.prepare,
            "" if torch else "missing",
        ),
    ]


def text_contestants(problem):
    alpha = problem.alpha * len(problem.y)
    tols = (1e-4, 1e-5, 1e-6, 1e-8)
    return [
        Contestant(OURS, GDLinearRegression(alpha=problem.alpha)),
        *(ridge(solver, alpha, tol) for solver in ("lsqr", "sparse_cg") for tol in tols),
        sag("sag", alpha, problem),
    ]


def coefficients(model):
    """Return W (M, D) and b (D,) in float64 and in the units of X."""
    if isinstance(model, Pipeline):
        W, b = coefficients(model[-1])
        W = W / model[0].scale_[:, None]
        return W, b - model[0].mean_ @ W
    if isinstance(model, MultiOutputRegressor):
        W, b = zip(*map(coefficients, model.estimators_), strict=True)
        return np.hstack(W), np.concatenate(b)
    W = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64)).T
    return W, np.atleast_1d(np.asarray(model.intercept_, dtype=np.float64))


@dataclass
class Row:
    """What was measured of one contestant: seconds, a fraction, MB."""

    name: str
    note: str
    fit: float | None = None
    predict: float | None = None
    excess: float | None = None
    extra_mb: float | None = None


def fastest(call, at_least=0.05):
    """Return the seconds of the fastest of as many calls as fill `at_least` seconds."""
    time.sleep(0.05)  # idle threads of the BLAS used last still spin, for up to 30 ms
    best, spent = math.inf, 0.0
    while spent < at_least:
        start = time.perf_counter()
        call()
        seconds = time.perf_counter() - start
        best, spent = min(best, seconds), spent + seconds
    return best


def resident(field):
    """Return the resident memory, now (VmRSS) or at its peak (VmHWM), in MB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) * 1024 / 1e6


def reset_peak():
    """Lower VmHWM to the present memory; return that, or None off Linux."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)  # what an earlier fit left behind would come for free
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


def first_run(contestant, problem):
    """Fit once, for the memory, the excess and a first time."""
    row = Row(contestant.name, contestant.absent)
    if contestant.absent:
        return row
    X, y = contestant.prepare(problem.X, problem.y)
    try:
        contestant.model.fit(X[:200], y[:200])  # loads libraries, starts threads
        level = reset_peak()
        start = time.perf_counter()
        contestant.model.fit(X, y)
        row.fit = time.perf_counter() - start
    except (ValueError, RuntimeError) as error:  # SGDRegressor's overflow, LAPACK's failure
        if contestant.name == OURS:
            raise
        row.note = f"failed, {type(error).__name__}"
        return row
    if level is not None:
        row.extra_mb = max(resident("VmHWM") - level, 0.0)
    row.excess = problem.excess(*coefficients(contestant.model))
    return row


def another_run(contestant, problem, row):
    """Time `fit` and `predict`, and keep the minima."""
    X, y = contestant.prepare(problem.X, problem.y)
    row.fit = min(row.fit, fastest(lambda: contestant.model.fit(X, y)))
    if hasattr(contestant.model, "predict"):
        predict = fastest(lambda: contestant.model.predict(X))
        row.predict = min(row.predict or math.inf, predict)


def measure(problem, repeats):
    """Return a Row for each contestant, fastest first."""
    enter = text_contestants if sparse.issparse(problem.X) else dense_contestants
    contestants = enter(problem)
    rows = [first_run(contestant, problem) for contestant in contestants]
    for _ in range(repeats):
        for contestant, row in zip(contestants, rows, strict=True):
            if row.fit is not None and row.fit < SLOW:
                another_run(contestant, problem, row)
    return sorted(rows, key=lambda row: math.inf if row.fit is None else row.fit)


def machine_rates():
    """Return bytes read from memory in a second, and flops of gemm in a second by dtype."""
    x = np.ones(32_000_000)  # 256 MB, beyond any cache
    rates = {"read": x.nbytes / fastest(lambda: x @ x, at_least=1)}
    for dtype in ("float64", "float32"):
        A, B = np.random.default_rng(0).random((2, 2000, 2000)).astype(dtype)
        rates[dtype] = 2 * 2000**3 / fastest(lambda A=A, B=B: A @ B, at_least=2)
    return rates


def least_seconds(X, rates):
    """Return what bounds a fit, in words, and the seconds that it takes."""
    if sparse.issparse(X):
        size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
        return "reading X once", size / rates["read"]
    n, m = X.shape
    reading, computing = X.nbytes / rates["read"], n * m**2 / rates[X.dtype.name]
    return ("N·M² flops", computing) if computing > reading else ("reading X once", reading)


def digits(value):
    """Format to three digits without an exponent; a dash for what was not measured."""
    if value is None:
        return "-"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(value)))}f}"


def table(rows, ours):
    """Return the rows as a Markdown table that also reads well as plain text."""
    lines = [("", "fit (ms)", "times ours", "predict (ms)", "excess", "extra MB")]
    for row in rows:
        if row.fit is None:
            lines.append((row.name, row.note, "-", "-", "-", "-"))
            continue
        predict = digits(row.predict and 1e3 * row.predict)
        extra = "-" if row.extra_mb is None else f"{row.extra_mb:.1f}"
        times = digits(1e3 * row.fit), digits(row.fit / ours), predict
        lines.append((row.name, *times, f"{row.excess:.0e}", extra))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ("-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])))
    aligns = "<" + ">" * (len(widths) - 1)
    return "\n".join(
        "| " + " | ".join(map("{:{}{}}".format, line, aligns, widths)) + " |" for line in lines
    )


def section(name, problem, rows, rates):
    X, (m, d) = problem.X, problem.W.shape
    kind = f"CSR of {X.nnz:,} nonzeros" if sparse.issparse(X) else "dense"
    ours = next(row.fit for row in rows if row.name == OURS)
    bound, least = least_seconds(X, rates)
    return (
        f"### {name}: N={X.shape[0]:,}, M={m:,}, D={d}, {X.dtype}, {kind}\n\n"
        f"{table(rows, ours)}\n\n"
        f"Ours takes {digits(ours / least)} times the least for {bound}, "
        f"{digits(1e3 * least)} ms.\n"
    )


def heading(rates):
    cpu = platform.processor() or platform.machine()
    if sys.platform == "linux":
        named = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        cpu = named[1] if named else cpu
    installed = {found.name: found.version for found in importlib.metadata.distributions()}
    libraries = [f"{name} {installed[name]}" for name in LIBRARIES if name in installed]
    return (
        f"{cpu}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"{', '.join(libraries)}; {datetime.date.today()}.\n\n"
        f"Measured: memory read at {rates['read'] / 1e9:.1f} GB/s; gemm at "
        f"{rates['float64'] / 1e9:.0f} GFLOP/s in float64, "
        f"{rates['float32'] / 1e9:.0f} in float32.\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--repeats", type=int, default=5, help="rounds of timing")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # the excess tells who did not converge
    rates = machine_rates()
    sections, numbers = [heading(rates)], {}
    print(sections[0])
    for name in arguments.case:
        make = text_problem if name.startswith("text") else dense_problem
        problem = make(*CASES[name])
        rows = measure(problem, arguments.repeats)
        numbers[name] = [asdict(row) for row in rows]
        sections.append(section(name, problem, rows, rates))
        print(sections[-1], flush=True)
    if arguments.markdown:
        arguments.markdown.write_text("\n".join(sections), encoding="utf-8")
    if arguments.json:
        arguments.json.write_text(json.dumps({"rates": rates, "cases": numbers}, indent=1))


if __name__ == "__main__":
    main()
