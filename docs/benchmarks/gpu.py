"""Fits of tensors beside what one would write with torch.

All contestants are given the same tensors on the device: `torch.linalg.lstsq` on centred data,
a loop of stochastic gradient descent on standardised data, and `Ridge(solver="svd")` through
scikit-learn's Array API dispatch. Times are the minimum of several rounds, the contestants in
turn, with the device at rest before and after. Under each table, our time relative to reading
X once at the bandwidth measured beside it.

Run `python docs/benchmarks/gpu.py [--device cuda|cpu] [--case NAME ...] [--quick]`. The
device is a GPU where there is one.
"""

import math
import os
from dataclasses import dataclass

# SciPy asks for it before it is imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import torch
from _common import FIT, OURS, main, parse, timed, with_ratios
from _tables import digits
from sklearn import config_context
from sklearn.linear_model import Ridge

from sklearn_gdlinreg import GDLinearRegression

SGD_EPOCHS, SGD_BATCH, SGD_STEP = 5, 1024, 1e-2
SLOW = 2.0  # seconds
CASES = {  # N, M, D, dtype; those on a CPU are a tenth as long
    "tall": (2_000_000, 100, 1, torch.float64),
    "tall-float32": (2_000_000, 100, 1, torch.float32),
    "tall-10-float32": (2_000_000, 100, 10, torch.float32),
    "square-float32": (200_000, 2_000, 5, torch.float32),
    "wide": (1_000, 5_000, 3, torch.float64),
}


@dataclass
class Problem:
    """Data, the minimiser of their objective, and what an excess is a fraction of."""

    X: torch.Tensor
    Y: torch.Tensor
    W: torch.Tensor
    b: torch.Tensor
    unit: float

    def excess(self, W, b):
        """Return (objective(W, b) - optimum) / unit, by the second-order term."""
        W, b = W.to(torch.float64), b.to(torch.float64)
        total = 0.0
        for rows in torch.arange(len(self.X), device=self.X.device).split(100_000):
            moved = self.X[rows].to(torch.float64) @ (W - self.W) + (b - self.b)
            total += float((moved**2).sum())
        return total / len(self.X) / self.unit


def problem_of(n, m, d, dtype, device):
    """AR(0.9) features, off-centre, with scales over three decades; solved in float64."""
    generator = torch.Generator(device).manual_seed(0)
    options = {"generator": generator, "device": device, "dtype": torch.float64}
    E = torch.randn((n, m), **options)
    for j in range(1, m):
        E[:, j] = 0.9 * E[:, j - 1] + math.sqrt(1 - 0.9**2) * E[:, j]
    Y = E @ torch.randn((m, d), **options) + torch.randn((n, d), **options)
    E += 10 * torch.rand(m, **options) - 5
    E *= 10 ** (3 * torch.rand(m, **options) - 1.5)
    X, Y = E.to(dtype), Y.to(dtype)
    E, Y64 = X.to(torch.float64), Y.to(torch.float64)
    mean, std, y_mean = E.mean(0), E.std(0), Y64.mean(0)
    Z, R = (E - mean) / std, Y64 - y_mean
    if n > m:
        W = torch.linalg.solve(Z.T @ Z, Z.T @ R)
        W += torch.linalg.solve(Z.T @ Z, Z.T @ (R - Z @ W))
        R = R - Z @ W
    else:
        W = (
            Z.T
            @ torch.linalg.lstsq(Z @ Z.T + torch.ones((n, n), **{"device": device}), R).solution
        )
    W = W / std[:, None]
    return Problem(X, Y, W, y_mean - mean @ W, float((R**2).sum()) / n)


def ours(X, Y):
    """Fit as a user does."""
    with config_context(array_api_dispatch=True):
        model = GDLinearRegression().fit(X, Y)
    return model.coef_.T, model.intercept_


def lstsq(X, Y):
    """Centre, then `torch.linalg.lstsq`: the only driver that there is on a GPU."""
    x_mean, y_mean = X.mean(0), Y.mean(0)
    W = torch.linalg.lstsq(X - x_mean, Y - y_mean, driver="gels").solution
    return W, y_mean - x_mean @ W


def ridge(X, Y):
    """`Ridge` with a penalty that is next to none, by the solver that takes tensors."""
    with config_context(array_api_dispatch=True):
        model = Ridge(1e-10, solver="svd").fit(X, Y)
    # It returns one row for a single output.
    return model.coef_.reshape(Y.shape[1], -1).T, model.intercept_


def sgd(X, Y):
    """Standardise; then shuffled mini-batches with momentum, and nothing to the host."""
    mean, std = X.mean(0), X.std(0)
    W = torch.zeros((X.shape[1], Y.shape[1]), dtype=X.dtype, device=X.device)
    b, velocity = Y.mean(0), torch.zeros_like(W)
    for _ in range(SGD_EPOCHS):
        for rows in torch.randperm(len(X), device=X.device).split(SGD_BATCH):
            Z = (X[rows] - mean) / std
            error = Z @ W + b - Y[rows]
            velocity = 0.9 * velocity - SGD_STEP * (2 / len(rows)) * (Z.T @ error)
            W = W + velocity
            b = b - SGD_STEP * 2 * error.mean(0)
    W = W / std[:, None]
    return W, b - mean @ W


CONTESTANTS = {
    OURS: ours,
    "torch.linalg.lstsq": lstsq,
    'Ridge(solver="svd")': ridge,
    f"torch SGD, {SGD_EPOCHS} epochs": sgd,
}


def seconds(call, device):
    """Return the seconds that a call takes, and what it returns."""
    if device == "cpu":
        return timed(call)
    torch.cuda.synchronize()
    return timed(lambda: (call(), torch.cuda.synchronize())[0])


def bandwidth(device):
    """Return the gigabytes that the device reads from its memory in a second."""
    x = torch.ones(2**28 if device == "cuda" else 2**25, device=device)  # beyond any cache
    return x.nbytes / min(seconds(x.sum, device)[0] for _ in range(20)) / 1e9


def rounds(problem, repeats, device):
    """Return the rows of the contestants."""
    rows = {name: {"name": name, FIT: math.inf} for name in CONTESTANTS}
    for turn in range(repeats + 1):
        for name, contestant in CONTESTANTS.items():
            row = rows[name]
            if isinstance(row[FIT], str) or SLOW < row[FIT] / 1e3 < math.inf:
                continue
            try:
                taken, model = seconds(lambda c=contestant: c(problem.X, problem.Y), device)
            except (RuntimeError, ValueError) as error:
                if name == OURS:
                    raise
                row[FIT] = f"failed, {type(error).__name__}"
                continue
            if turn or taken > SLOW:  # the first run loads libraries
                row[FIT] = min(row[FIT], 1e3 * taken)
            row["excess"] = problem.excess(*model)
    return with_ratios(list(rows.values()))


def measure(name, arguments, rates):
    """Return the case."""
    n, m, d, dtype = CASES[name]
    if n > m and arguments.device == "cpu":
        n //= 10
    if arguments.quick:
        n, m = n // 10, m // 10
    problem = problem_of(n, m, d, dtype, arguments.device)
    rows = rounds(problem, 1 if arguments.quick else 5, arguments.device)
    ours = next(row[FIT] for row in rows if row["name"] == OURS)
    least = 1e-6 * problem.X.nbytes / rates["GB/s read"]
    kind = str(dtype).removeprefix("torch.")
    note = (
        f"Ours takes {digits(ours / least)} times as long as reading X once, {digits(least)} ms."
    )
    return {name: {"title": f"N={n:,}, M={m:,}, D={d}, {kind}", "rows": rows, "note": note}}


def add_options(parser):
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")


def run():
    """Measure on the device that is asked for, if it is there."""
    arguments = parse(__doc__, CASES, add_options)
    on_gpu = arguments.device == "cuda"
    if on_gpu and not torch.cuda.is_available():
        print("no GPU")
        return
    rates = {"GB/s read": bandwidth(arguments.device)}
    device = torch.cuda.get_device_name() if on_gpu else None
    main("gpu" if on_gpu else "tensors", __doc__, measure, arguments, rates, device)


if __name__ == "__main__":
    run()
