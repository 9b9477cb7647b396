"""Mini-batch fits: how long until an excess is reached.

Seconds include everything since the raw data: scaling, conversion, set-up. The excess is how far
the objective is above its optimum, as a fraction of it. A dash is not reached within 30 epochs
or five seconds; "excess" is where a contestant is then. The second table of each case has the
time of one epoch, with the pass over the rows that follows it where steps are variance-reduced.

Run `python docs/benchmarks/mini_batch.py [--case NAME ...] [--quick] [--json FILE]`.
Contestants whose library is not installed are left out.
"""

import math
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from _common import OURS, fastest, main, parse, timed
from _problems import (
    cauchy_problem,
    coefficients,
    correlated_problem,
    dense_problem,
    one_hot_problem,
    text_problem,
)
from scipy import sparse
from sklearn.linear_model import SGDRegressor
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

TARGETS = (1e-2, 1e-4, 1e-6, 1e-9)
LONGEST = 5.0  # seconds, after which a contestant is stopped
LOST = 1e12  # no excess beyond it is made good again
CASES = {  # what makes the data, its sizes, and quick ones
    "tall": (dense_problem, (200_000, 50, 1), (5_000, 50, 1)),
    "tall-10": (dense_problem, (200_000, 50, 10), (5_000, 50, 10)),
    "correlated": (correlated_problem, (50_000, 100), (5_000, 20)),
    "text": (text_problem, (50_000, 100_000, 1), (2_000, 4_000, 1)),
    "text-10": (text_problem, (50_000, 100_000, 10), (2_000, 4_000, 10)),
    "one-hot": (one_hot_problem, (100_000,), (5_000,)),
    "cauchy": (cauchy_problem, (100_000, 20, 1), (5_000, 20, 1)),
}


@dataclass
class Race:
    """Where a contestant is after each of its epochs: (seconds, excess)."""

    name: str
    path: list = field(default_factory=list)
    epochs: int = 0

    def see(self, seconds, epochs, excess):
        """Take down where a contestant is."""
        self.path.append((seconds, excess))
        self.epochs = epochs

    @property
    def finished(self):
        """Whether there is nothing more to see."""
        seconds, excess = self.path[-1]
        return not TARGETS[-1] < excess < LOST or seconds > LONGEST

    @property
    def row(self):
        """Return the seconds to each target, and the excess at the end."""
        row = {"name": self.name}
        for target in TARGETS:
            reached = (seconds for seconds, excess in self.path if excess <= target)
            row[f"to {target:.0e} (s)"] = next(reached, None)
        return row | {"epochs": self.epochs, "excess": self.path[-1][1]}


def ours(problem, batch_size, n_epochs):
    """Fit anew for each number of epochs: the step and the tail belong to the whole fit."""
    race = Race(f"{OURS}(batch_size={batch_size})")
    for epochs in sorted({1, 2, 3, 4, 5, 6, 8, 10, 15, 20, n_epochs}):
        if epochs > n_epochs or (race.path and race.finished):
            break
        model = mini_batches(problem, batch_size, epochs)
        seconds = fastest(lambda model=model: model.fit(problem.X, problem.y))
        race.see(seconds, epochs, problem.excess(*coefficients(model)))
    return race


def mini_batches(problem, batch_size, epochs):
    return GDLinearRegression(
        alpha=problem.alpha, batch_size=batch_size, max_iter=epochs, tol=0, random_state=0
    )


def by_epochs(name, problem, n_epochs, models, *, scaled):
    """Call partial_fit an epoch at a time: of one model, or of a list of one per output."""
    race, outputs = Race(name), problem.y.reshape(len(problem.y), -1).T
    if not isinstance(models, list):
        models, outputs = [models], [problem.y]
    scaler = StandardScaler(with_mean=not sparse.issparse(problem.X))
    seconds, X = timed(scaler.fit_transform, problem.X) if scaled else (0.0, problem.X)
    for epoch in range(1, n_epochs + 1):
        for model, y in zip(models, outputs, strict=True):
            seconds += timed(model.partial_fit, X, y)[0]
        W, b = zip(*map(coefficients, models), strict=True)
        W, b = np.hstack(W), np.concatenate(b)
        if scaled:
            W = W / scaler.scale_[:, None]
            b = b if sparse.issparse(X) else b - scaler.mean_ @ W
        excess = problem.excess(W, b) if np.isfinite(W).all() else math.inf
        race.see(seconds, epoch, excess)
        if race.finished:
            break
    return race


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
    race = Race("Vowpal Wabbit")
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
            race.see(seconds, n, problem.excess(W, b))
            if race.finished:
                break
    return race


def intelex(problem, n_rows=10_000):
    """Let it sum up its normal equations chunk by chunk: exact, after one pass."""
    race = Race("intelex IncrementalLinearRegression")

    def fit():
        model = IncrementalLinearRegression()
        for first in range(0, len(problem.y), n_rows):
            rows = slice(first, first + n_rows)
            model.partial_fit(problem.X[rows], problem.y[rows])
        return coefficients(model)  # what works them out

    seconds = fastest(fit, at_least=0.2)
    race.see(seconds, 1, problem.excess(*fit()))
    return race


def contest(problem, n_epochs):
    """Yield the race of each contestant."""
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


def epoch_ms(make, at_least, few=1, many=6):
    """Return the time of one epoch: what more of them cost, without the set-up."""
    times = [fastest(make(epochs), at_least) for epochs in (few, many)]
    # Where the machine was disturbed more of them may take less.
    return 1e3 * (times[1] - times[0]) / (many - few) if times[1] > times[0] else None


def epochs(problem, at_least):
    """Return rows on the time of an epoch, beside SGDRegressor's and a copy of X."""
    X, y, d = problem.X, problem.y, problem.W.shape[1]
    times = {}
    for batch_size in (1, 32, 256):

        def make(n, batch_size=batch_size):
            model = mini_batches(problem, batch_size, n)
            return lambda: model.fit(X, y)

        times[f"{OURS}(batch_size={batch_size})"] = epoch_ms(make, at_least)
    scaled = X if sparse.issparse(X) else StandardScaler().fit_transform(X)
    outputs = y.reshape(len(y), -1).T

    def make_sgd(n):
        model = SGDRegressor(alpha=problem.alpha, max_iter=n, tol=None, eta0=1e-4)
        return lambda: [model.fit(scaled, output) for output in outputs]

    times[f"SGDRegressor, {d} of them" if d > 1 else "SGDRegressor"] = epoch_ms(
        make_sgd, at_least
    )
    if not sparse.issparse(X):
        copy = X.copy()  # its pages are there before the time runs
        times["a copy of X"] = 1e3 * fastest(lambda: np.copyto(copy, X))
    return [{"name": name, "an epoch (ms)": ms} for name, ms in times.items()]


def measure(name, arguments, rates):
    """Return the case, and that of single epochs."""
    make, *sizes = CASES[name]
    problem = make(*sizes[arguments.quick])
    races = list(contest(problem, 8 if arguments.quick else 30))
    contested = {
        "title": problem.title,
        "rows": [race.row for race in races],
        "paths": {race.name: race.path for race in races},
    }
    return {
        name: contested,
        f"{name}, one epoch": {
            "title": problem.title,
            "rows": epochs(problem, 0.02 if arguments.quick else 0.5),
        },
    }


if __name__ == "__main__":
    main("mini_batch", __doc__, measure, parse(__doc__, CASES))
