"""Full-batch fits beside exact and stochastic solvers.

The time of `fit` and `predict`: the minimum of three rounds, the contestants in turn; what takes
over a second is run once, what takes over 10 s is given up. The excess over the least-squares
objective, and the peak of extra memory while fitting. Under each table, our time relative to
the least that the machine could take, at the rates measured beside it.

Run `python docs/benchmarks/full_batch.py [--case NAME ...] [--quick] [--json FILE]`.
"""

import math
from dataclasses import dataclass
from typing import Any

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
    timed,
    with_ratios,
)
from _problems import coefficients, dense_problem, text_problem
from _tables import digits
from scipy import sparse
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
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
try:
    from glum import GeneralizedLinearRegressor
except ImportError:
    GeneralizedLinearRegressor = None

LIMIT = 10  # seconds
ROUNDS = 3
SAG_EPOCHS = 50  # it would need thousands
SAG_UPDATES = 6e8  # of single coefficients; about 10 seconds' worth
MISSING = "not installed"
CASES = {  # sizes, and quick ones
    "tall": ((200_000, 50, 1), (5_000, 50, 1)),
    "tall-5": ((200_000, 50, 5), (5_000, 50, 5)),
    "tall-10": ((200_000, 50, 10), (5_000, 50, 10)),
    "tall-float32": ((200_000, 50, 1, "float32"), (5_000, 50, 1, "float32")),
    "tall-5-float32": ((200_000, 50, 5, "float32"), (5_000, 50, 5, "float32")),
    "tall-10-float32": ((200_000, 50, 10, "float32"), (5_000, 50, 10, "float32")),
    "square": ((5_000, 1_000, 5), (500, 100, 5)),
    "wide": ((1_000, 3_000, 3), (100, 300, 3)),
    "large": ((50_000, 2_000, 1), (2_000, 100, 1)),
    "large-5-float32": ((50_000, 2_000, 5, "float32"), (2_000, 100, 5, "float32")),
    "larger-5": ((100_000, 2_000, 5), (4_000, 100, 5)),
    "larger-float32": ((100_000, 2_000, 1, "float32"), (4_000, 100, 1, "float32")),
    "medium": ((10_000, 20, 1), (1_000, 20, 1)),
    "small": ((442, 10, 1), (442, 10, 1)),
    "text-small": ((2_000, 4_000, 1), (500, 1_000, 1)),
    "text": ((50_000, 100_000, 1), (2_000, 4_000, 1)),
    "text-10": ((50_000, 100_000, 10), (2_000, 4_000, 10)),
}


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


def sag(alpha, problem):
    model = Ridge(alpha, solver="sag", tol=1e-9, max_iter=SAG_EPOCHS, random_state=0)
    updates = problem.X.size * problem.W.shape[1] * SAG_EPOCHS
    absent = f"left out, over {LIMIT} s" if updates > SAG_UPDATES else ""
    return Contestant(f"Ridge(sag, {SAG_EPOCHS} epochs)", model, absent=absent)


def sgd(average, d):
    model = SGDRegressor(average=average, random_state=0)
    model = make_pipeline(StandardScaler(), model if d == 1 else MultiOutputRegressor(model))
    name = "SGDRegressor(average=True)" if average else "SGDRegressor"
    return Contestant(f"StandardScaler + {name}", model)


def glum(d):
    """Return glum's solver of one output by iterated weighted least squares."""
    name = "glum"
    if GeneralizedLinearRegressor is None or d > 1:
        return Contestant(name, None, absent=MISSING if d == 1 else "one output only")
    model = GeneralizedLinearRegressor(
        alpha=0, family="normal", solver="irls-ls", gradient_tol=1e-10
    )
    return Contestant(name, model)


def dense_contestants(problem):
    tiny = 1e-10
    intelex = IntelexLinearRegression and IntelexLinearRegression()
    return [
        Contestant(OURS, GDLinearRegression()),
        Contestant("LinearRegression", LinearRegression()),
        Contestant("Ridge(cholesky)", Ridge(tiny, solver="cholesky")),
        ridge("lsqr", tiny, tol=1e-8, max_iter=1000),
        ridge("sparse_cg", tiny, tol=1e-8, max_iter=1000),
        sag(tiny, problem),
        sgd(False, problem.W.shape[1]),
        sgd(True, problem.W.shape[1]),
        Contestant("intelex LinearRegression", intelex, absent="" if intelex else MISSING),
        glum(problem.W.shape[1]),
        Contestant(
            "torch.linalg.lstsq",
            TorchLstsq(),
            TorchLstsq.prepare,
            "" if torch else MISSING,
        ),
    ]


def text_contestants(problem):
    alpha = problem.alpha * len(problem.y)
    tols = (1e-4, 1e-5, 1e-6, 1e-8)
    return [
        Contestant(OURS, GDLinearRegression(alpha=problem.alpha)),
        *(ridge(solver, alpha, tol) for solver in ("lsqr", "sparse_cg") for tol in tols),
        sag(alpha, problem),
    ]


def first_run(contestant, problem, longest):
    """Fit once, for the memory, the excess and a first time; return the row."""
    row = {"name": contestant.name, FIT: contestant.absent}
    if contestant.absent:
        return row
    X, y = contestant.prepare(problem.X, problem.y)
    try:
        contestant.model.fit(X[:200], y[:200])  # loads libraries, starts threads
        level = reset_peak()
        with limit(0 if contestant.name == OURS else longest):
            seconds, _ = timed(contestant.model.fit, X, y)
        extra = peak_above(level)
    except TimeoutError:
        return row | {FIT: f"over {longest} s"}
    except (ValueError, RuntimeError) as error:  # SGDRegressor's overflow, LAPACK's failure
        if contestant.name == OURS:
            raise
        return row | {FIT: f"failed, {type(error).__name__}"}
    row |= {FIT: 1e3 * seconds, "predict (ms)": None}
    row["excess"] = problem.excess(*coefficients(contestant.model))
    row["extra MB"] = extra
    return row


def another_run(contestant, problem, row):
    """Time `fit` and `predict`, and keep the minima."""
    X, y = contestant.prepare(problem.X, problem.y)
    row[FIT] = min(row[FIT], 1e3 * fastest(lambda: contestant.model.fit(X, y)))
    if hasattr(contestant.model, "predict"):
        predict = 1e3 * fastest(lambda: contestant.model.predict(X))
        row["predict (ms)"] = min(row["predict (ms)"] or math.inf, predict)


def least_seconds(X, rates):
    """Return what bounds a fit, in words, and the seconds that it takes."""
    read = 1e9 * rates["GB/s read"]
    if sparse.issparse(X):
        size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
        return "reading X once", size / read
    n, m = X.shape
    reading = X.nbytes / read
    computing = n * m**2 / (1e9 * rates[f"GFLOP/s gemm {X.dtype}"])
    return ("N·M² flops", computing) if computing > reading else ("reading X once", reading)


def measure(name, arguments, rates):
    """Return the case."""
    make = text_problem if name.startswith("text") else dense_problem
    problem = make(*CASES[name][arguments.quick])
    enter = text_contestants if sparse.issparse(problem.X) else dense_contestants
    contestants = enter(problem)
    longest, rounds = (2, 1) if arguments.quick else (LIMIT, ROUNDS)
    rows = [first_run(contestant, problem, longest) for contestant in contestants]
    for _ in range(rounds):
        for contestant, row in zip(contestants, rows, strict=True):
            if isinstance(row[FIT], float) and row[FIT] < 1e3 * SLOW:
                another_run(contestant, problem, row)
    rows = with_ratios(rows)
    ours = next(row[FIT] for row in rows if row["name"] == OURS)
    bound, least = least_seconds(problem.X, rates)
    note = (
        f"Ours takes {digits(ours / (1e3 * least))} times the least for {bound}, "
        f"{digits(1e3 * least)} ms."
    )
    return {name: {"title": problem.title, "rows": rows, "note": note}}


if __name__ == "__main__":
    main("full_batch", __doc__, measure, parse(__doc__, CASES))
