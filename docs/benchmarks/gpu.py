"""Speed on a GPU: GDLinearRegression beside what one would write with torch.

    python docs/benchmarks/gpu.py [--device cuda|cpu] [--case NAME ...] [--repeats K]
                                  [--json FILE] [--markdown FILE]

All contestants are given the same tensors on the device: `torch.linalg.lstsq` on centred data,
a loop of stochastic gradient descent on standardised data, and `Ridge(solver="svd")` through
scikit-learn's Array API dispatch. Times are the minimum of several rounds, the contestants in
turn, with the device at rest before and after. Under each table, our time relative to reading
X once at the bandwidth measured at the start.

Where there is no GPU it says so and exits; `--device cpu` runs the same on the CPU's tensors.
"""

import argparse
import datetime
import json
import math
import os
import platform
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

# SciPy asks for it before it is imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import sklearn
import torch
from sklearn import config_context
from sklearn.linear_model import Ridge

from sklearn_gdlinreg import GDLinearRegression

OURS = "GDLinearRegression"
SGD_EPOCHS, SGD_BATCH, SGD_STEP = 5, 1024, 1e-2
SLOW = 5.0  # seconds
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
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    result = call()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start, result


def bandwidth(device):
    """Return the bytes that the device reads from its memory in a second."""
    x = torch.ones(2**28 if device == "cuda" else 2**25, device=device)  # beyond any cache
    return x.nbytes / min(seconds(x.sum, device)[0] for _ in range(20))


def measure(problem, repeats, device):
    """Return (name, seconds or None, excess or what went wrong), fastest first."""
    best, excess = dict.fromkeys(CONTESTANTS, math.inf), {}
    for _ in range(repeats + 1):
        for name, contestant in CONTESTANTS.items():
            if SLOW < best[name] < math.inf or isinstance(excess.get(name), str):
                continue
            try:
                taken, model = seconds(lambda c=contestant: c(problem.X, problem.Y), device)
            except (RuntimeError, ValueError) as error:
                if name == OURS:
                    raise
                excess[name] = f"failed, {type(error).__name__}"
                continue
            if name in excess or taken > SLOW:  # the first run loads libraries
                best[name] = min(best[name], taken)
            excess[name] = problem.excess(*model)
    rows = [(name, best[name], excess[name]) for name in CONTESTANTS]
    return sorted(rows, key=lambda row: row[1])


def section(name, problem, rows, rate):
    """Return the table of a case, and our distance from the limit."""
    fastest = next(row[1] for row in rows if row[0] == OURS)
    lines = ["|  | fit (ms) | times ours | excess |", "|---|--:|--:|--:|"]
    for contestant, taken, excess in rows:
        if isinstance(excess, str):
            lines.append(f"| {contestant} | {excess} | - | - |")
        else:
            lines.append(
                f"| {contestant} | {1e3 * taken:,.1f} | {taken / fastest:.2f} | {excess:.0e} |"
            )
    n, m = problem.X.shape
    least = problem.X.nbytes / rate
    dtype = str(problem.X.dtype).removeprefix("torch.")
    return (
        f"### {name}: N={n:,}, M={m:,}, D={problem.Y.shape[1]}, {dtype}\n\n"
        + "\n".join(lines)
        + f"\n\nOurs takes {fastest / least:.1f} times as long as reading X once, "
        f"{1e3 * least:.2f} ms.\n"
    )


def heading(device, rate):
    """Return what was measured, on what, with what."""
    where = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    return (
        f"{where} ({device}), {os.cpu_count()} cores; Python {platform.python_version()}, torch "
        f"{torch.__version__}, scikit-learn {sklearn.__version__}; {datetime.date.today()}.\n\n"
        f"Measured: memory read at {rate / 1e9:,.0f} GB/s.\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--repeats", type=int, default=5, help="rounds of timing")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    arguments = parser.parse_args()
    device = arguments.device
    if device == "cuda" and not torch.cuda.is_available():
        print("no GPU")
        return
    warnings.simplefilter("ignore")  # the excess tells who did not converge
    rate = bandwidth(device)
    sections, numbers = [heading(device, rate)], {}
    print(sections[0])
    for name in arguments.case:
        n, m, d, dtype = CASES[name]
        problem = problem_of(n if device == "cuda" or n < m else n // 10, m, d, dtype, device)
        rows = measure(problem, arguments.repeats, device)
        numbers[name] = rows
        sections.append(section(name, problem, rows, rate))
        print(sections[-1], flush=True)
    if arguments.markdown:
        arguments.markdown.write_text("\n".join(sections), encoding="utf-8")
    if arguments.json:
        arguments.json.write_text(json.dumps({"read": rate, "cases": numbers}, indent=1))


if __name__ == "__main__":
    main()
