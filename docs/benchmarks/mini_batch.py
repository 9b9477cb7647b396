"""Time mini-batch fits against their peers: how long until an excess is reached, side by side.

Run ``python docs/benchmarks/mini_batch.py`` for everything, or with ``--case tall --epochs 5``
for a look. Contestants whose library is not installed are left out. The excess is how far the
objective is above its optimum, as a fraction of it; seconds include everything since the raw
data: scaling, conversion, set-up. What is not reached within the epochs stays empty.
"""

import argparse
import json
import math
import os
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from full_batch import (
    Problem,
    coefficients,
    dense_optimum,
    dense_problem,
    digits,
    fastest,
    heading,
    machine_rates,
    text_problem,
)
from growth import columns
from growth import tables as growth_tables
from scipy import sparse
from sklearn.linear_model import Ridge, SGDRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from sklearn_gdlinreg import GDLinearRegression

try:
    import torch
except ImportError:
    torch = None
try:
    from vowpalwabbit import Workspace
except ImportError:
    Workspace = None
try:
    from sklearnex.linear_model import IncrementalLinearRegression
except ImportError:
    IncrementalLinearRegression = None

TARGETS = (1e-2, 1e-4, 1e-6)
OURS = "GDLinearRegression"
# A contestant is stopped after this many seconds.
LONGEST = 60.0


def one_hot_problem(n=100_000, d=1, alpha=1e-6):
    """Five categories of 7 to 20,000 values, Zipf-distributed, one-hot."""
    rng = np.random.default_rng(0)
    columns, offset = [], 0
    for size in (20_000, 5_000, 200, 30, 7):
        p = 1 / np.arange(1, size + 1)
        values = rng.permutation(size)[rng.choice(size, size=n, p=p / p.sum())]
        columns.append(offset + values)
        offset += size
    indices = np.stack(columns, axis=1).ravel().astype(np.int32)
    indptr = np.arange(0, len(indices) + 1, len(columns), dtype=np.int32)
    X = sparse.csr_array((np.ones(len(indices)), indices, indptr), shape=(n, offset))
    Y = X @ rng.standard_normal((offset, d)) + 0.5 * rng.standard_normal((n, d))
    exact = Ridge(n * alpha, solver="sparse_cg", tol=1e-13, max_iter=5000).fit(X, Y)
    W, b = coefficients(exact)
    optimum = np.sum((Y - X @ W - b) ** 2) / n + alpha * np.sum(W**2)
    return Problem(X, Y[:, 0] if d == 1 else Y, alpha, W, b, optimum)


def cauchy_problem(n=100_000, m=20):
    """Features with tails so heavy that they have no variance."""
    rng = np.random.default_rng(0)
    X = rng.standard_cauchy((n, m))
    Y = X @ rng.standard_normal((m, 1)) + rng.standard_normal((n, 1))
    return Problem(X, Y[:, 0], 0.0, *dense_optimum(X, Y))


CASES = {
    "tall": lambda: dense_problem(200_000, 50, 1, "float64"),
    "tall-10": lambda: dense_problem(200_000, 50, 10, "float64"),
    "text": lambda: text_problem(50_000, 100_000, 1, "float64"),
    "text-10": lambda: text_problem(50_000, 100_000, 10, "float64"),
    "one-hot": one_hot_problem,
    "cauchy": cauchy_problem,
}


@dataclass
class Row:
    """Seconds to each target, and the excess at the end."""

    name: str
    seconds: dict = field(default_factory=dict)
    epochs: int = 0
    excess: float = math.inf
    total: float = 0.0

    def see(self, seconds, epochs, excess):
        """Take down where a contestant is."""
        self.total, self.epochs, self.excess = seconds, epochs, excess
        for target in TARGETS:
            if excess <= target:
                self.seconds.setdefault(target, seconds)

    @property
    def finished(self):
        """Whether there is nothing more to see."""
        return len(self.seconds) == len(TARGETS) or self.total > LONGEST


def ours(problem, batch_size, n_epochs):
    """Fit anew for each number of epochs: the step and the tail belong to the whole fit."""
    row = Row(f"{OURS}(batch_size={batch_size})")
    for epochs in sorted({1, 2, 3, 4, 5, 6, 8, 10, 15, 20, n_epochs}):
        if epochs > n_epochs or row.finished:
            break
        model = GDLinearRegression(
            alpha=problem.alpha, batch_size=batch_size, max_iter=epochs, tol=0, random_state=0
        )
        seconds = fastest(lambda model=model: model.fit(problem.X, problem.y))
        row.see(seconds, epochs, problem.excess(*coefficients(model)))
    return row


def by_epochs(name, problem, n_epochs, models, *, scaled):
    """Call partial_fit of one model an output, an epoch at a time."""
    row, Y = Row(name), problem.y.reshape(len(problem.y), -1)
    if not isinstance(models, list):
        models, outputs = [models], [problem.y]
    else:
        outputs = list(Y.T)
    scaler = StandardScaler(with_mean=not sparse.issparse(problem.X))
    start = time.perf_counter()
    X = scaler.fit_transform(problem.X) if scaled else problem.X
    seconds = time.perf_counter() - start
    for epoch in range(1, n_epochs + 1):
        start = time.perf_counter()
        for model, y in zip(models, outputs, strict=True):
            model.partial_fit(X, y)
        seconds += time.perf_counter() - start
        parts = [layers(model) for model in models]
        W, b = np.hstack([W for W, _ in parts]), np.concatenate([b for _, b in parts])
        if scaled:
            W = W / scaler.scale_[:, None]
            b = b if sparse.issparse(X) else b - scaler.mean_ @ W
        excess = problem.excess(W, b) if np.isfinite(W).all() else math.inf
        row.see(seconds, epoch, excess)
        if row.finished or not math.isfinite(excess):
            break
    return row


def layers(model):
    """Return W and b of a linear model or of a network without hidden layers."""
    if hasattr(model, "coefs_"):
        return model.coefs_[0], model.intercepts_[0]
    return coefficients(model)


def sgd(problem, n_epochs, *, average, scaled):
    d = problem.W.shape[1]
    options = {"alpha": problem.alpha, "average": average, "random_state": 0}
    models = [SGDRegressor(**options) for _ in range(d)]
    name = "SGDRegressor(average=True)" if average else "SGDRegressor"
    name = f"StandardScaler + {name}" if scaled else name
    return by_epochs(name, problem, n_epochs, models, scaled=scaled)


def mlp(problem, n_epochs, solver):
    model = MLPRegressor(
        hidden_layer_sizes=(), solver=solver, alpha=problem.alpha, batch_size=256,
        random_state=0,
    )  # fmt: skip
    name = f"StandardScaler + MLPRegressor({solver})"
    return by_epochs(name, problem, n_epochs, model, scaled=True)


class TorchLoop:
    """The loop of every tutorial: nn.Linear, batches of 256, shuffled."""

    def __init__(self, optimiser, rate):
        self.optimiser, self.rate, self.layer = optimiser, rate, None

    def partial_fit(self, X, y):
        """Run one epoch."""
        X, Y = torch.from_numpy(X), torch.from_numpy(y.reshape(len(y), -1))
        if self.layer is None:
            torch.manual_seed(0)
            self.layer = torch.nn.Linear(X.shape[1], Y.shape[1], dtype=X.dtype)
            optimiser = getattr(torch.optim, self.optimiser)
            self.steps = optimiser(self.layer.parameters(), lr=self.rate)
        for rows in torch.randperm(len(X)).split(256):
            self.steps.zero_grad()
            error = self.layer(X[rows]) - Y[rows]
            (error**2).sum(dim=1).mean().backward()
            self.steps.step()
        self.coef_ = self.layer.weight.detach().numpy()
        self.intercept_ = self.layer.bias.detach().numpy()


def vowpal_wabbit(problem, passes):
    """Let it read its text format; writing that is not timed, reading it is."""
    row = Row("Vowpal Wabbit")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        X = sparse.csr_array(problem.X)
        with path.open("w") as lines:
            for i, y in enumerate(problem.y):
                span = slice(X.indptr[i], X.indptr[i + 1])
                pairs = zip(X.indices[span], X.data[span], strict=True)
                lines.write(f"{y:.9g} |" + "".join(f" {j}:{x:.9g}" for j, x in pairs) + "\n")
        for n in passes:
            start = time.perf_counter()
            space = Workspace(f"-d {path} --passes {n} -c -k --quiet --holdout_off -b 20 --l2 0")
            space.run_parser()
            seconds = time.perf_counter() - start
            W = np.array([space.get_weight(j) for j in range(X.shape[1])])[:, None]
            b = np.array([space.get_weight(116060)])  # the hash of its constant
            space.finish()
            row.see(seconds, n, problem.excess(W, b))
            if row.finished:
                break
    return row


def intelex(problem, n_rows=10_000):
    """Let it sum up its normal equations chunk by chunk: exact, after one pass."""
    row, model, seconds = Row("intelex IncrementalLinearRegression"), None, math.inf
    for _ in range(3):
        model, start = IncrementalLinearRegression(), time.perf_counter()
        for first in range(0, len(problem.y), n_rows):
            rows = slice(first, first + n_rows)
            model.partial_fit(problem.X[rows], problem.y[rows])
        W, b = coefficients(model)
        seconds = min(seconds, time.perf_counter() - start)
    row.see(seconds, 1, problem.excess(W, b))
    return row


def contest(problem, n_epochs):
    """Yield the Row of each contestant."""
    dense, one = not sparse.issparse(problem.X), problem.y.ndim == 1
    for batch_size in (1, 32, 256):
        yield ours(problem, batch_size, n_epochs)
    for scaled in (True, False):
        for average in (False, True):
            yield sgd(problem, n_epochs, average=average, scaled=scaled)
    if dense:
        yield mlp(problem, n_epochs, "sgd")
        yield mlp(problem, n_epochs, "adam")
    if dense and torch is not None:
        for optimiser, rate in (("SGD", 1e-2), ("Adam", 1e-3)):
            name = f"StandardScaler + torch {optimiser}"
            yield by_epochs(name, problem, n_epochs, TorchLoop(optimiser, rate), scaled=True)
    if dense and IncrementalLinearRegression is not None:
        yield intelex(problem)
    if one and Workspace is not None:
        yield vowpal_wabbit(problem, (1, 3, 10))


def table(rows):
    """Return the rows as a Markdown table."""
    titles = ["", *(f"to {target:.0e} (s)" for target in TARGETS), "epochs", "excess then"]
    lines = []
    for row in rows:
        seconds = (digits(row.seconds.get(target)) for target in TARGETS)
        lines.append([row.name, *seconds, str(row.epochs), f"{row.excess:.0e}"])
    return columns(titles, lines)


def epoch_seconds(make, few=1, many=6):
    """Return the seconds of one epoch: what more of them cost, without the set-up."""
    times = [fastest(make(epochs), at_least=0.5) for epochs in (few, many)]
    return (times[1] - times[0]) / (many - few)


def epochs(problem):
    """Return lines on the time of an epoch, beside SGDRegressor's and a copy of X."""
    X, y, d = problem.X, problem.y, problem.W.shape[1]
    lines = []
    for batch_size in (1, 32, 256):

        def make(n, batch_size=batch_size):
            model = GDLinearRegression(
                alpha=problem.alpha, batch_size=batch_size, max_iter=n, tol=0, random_state=0
            )
            return lambda: model.fit(X, y)

        lines.append((f"ours, batch_size={batch_size}", epoch_seconds(make)))
    scaled = X if sparse.issparse(X) else StandardScaler().fit_transform(X)
    outputs = y.reshape(len(y), -1).T

    def make_sgd(n):
        model = SGDRegressor(alpha=problem.alpha, max_iter=n, tol=None, eta0=1e-4)
        return lambda: [model.fit(scaled, output) for output in outputs]

    lines.append((f"SGDRegressor, {d} of them", epoch_seconds(make_sgd)))
    if not sparse.issparse(X):
        copy = X.copy()  # its pages are there before the time runs
        lines.append(("a copy of X", fastest(lambda: np.copyto(copy, X))))
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--case", nargs="+", choices=[*CASES, "growth"], default=[*CASES, "growth"]
    )
    parser.add_argument("--epochs", type=int, default=30, help="most epochs of a contestant")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    arguments = parser.parse_args()
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    warnings.simplefilter("ignore")  # the excess tells who did not converge
    sections, numbers = [heading(machine_rates())], {}
    print(sections[0])
    for name in arguments.case:
        if name == "growth":
            sections.append(growth_tables())
            print(sections[-1], flush=True)
            continue
        problem = CASES[name]()
        rows = list(contest(problem, arguments.epochs))
        times = epochs(problem)
        numbers[name] = {"rows": [asdict(row) for row in rows], "epochs": times}
        (n, m), d = problem.X.shape, problem.W.shape[1]
        listed = "\n".join(f"- {what}: {1e3 * seconds:.1f} ms" for what, seconds in times)
        sections.append(
            f"### {name}: N={n:,}, M={m:,}, D={d}\n\n{table(rows)}\n\nOne epoch:\n\n{listed}\n"
        )
        print(sections[-1], flush=True)
    if arguments.markdown:
        arguments.markdown.write_text("\n".join(sections), encoding="utf-8")
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=1))


if __name__ == "__main__":
    main()
