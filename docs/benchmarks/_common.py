"""What the benchmarks share: the command line, timing, the machine.

A benchmark is a script that calls `main`. It measures cases; a case is a dictionary with a
`title`, a `note` and `rows`. A row has a `name`, and numbers under the titles that their
columns have in the table, unit included: "fit (ms)", "to 1e-04 (s)", "extra MB".
"""

import argparse
import contextlib
import ctypes
import datetime
import importlib.metadata
import json
import math
import os
import platform
import re
import signal
import sys
import time
import warnings
from pathlib import Path

import _path  # noqa: F401
import numpy as np
from _tables import page

FIT = "fit (ms)"
OURS = "GDLinearRegression"
SLOW = 1.0  # seconds; what takes longer is run once
LIBRARIES = (
    "sklearn_gdlinreg", "numpy", "scipy", "scikit-learn", "scikit-learn-intelex", "torch",
    "vowpalwabbit", "dask", "dask-ml",
)  # fmt: skip


def fastest(call, at_least=0.05):
    """Return the seconds of the fastest of as many calls as fill `at_least` seconds."""
    time.sleep(0.05)  # idle threads of the BLAS used last still spin, for up to 30 ms
    best, spent = math.inf, 0.0
    while spent < at_least:
        taken, _ = timed(call)
        best, spent = min(best, taken), spent + taken
    return best


def timed(call, *arguments):
    """Return the seconds that a call takes, and what it returns."""
    start = time.perf_counter()
    result = call(*arguments)
    return time.perf_counter() - start, result


@contextlib.contextmanager
def limit(seconds):
    """Raise TimeoutError from within a call that takes too long; 0 sets no limit.

    Compiled code is not interrupted, but told of afterwards.
    """

    def give_up(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


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


def peak_above(level):
    """Return the MB by which the peak exceeds what `reset_peak` returned."""
    return None if level is None else max(resident("VmHWM") - level, 0.0)


def with_ratios(rows, column=FIT):
    """Sort the rows by a column, what was not measured last; add how often ours fits in."""
    ours = next(row[column] for row in rows if row["name"].removesuffix("CV").endswith(OURS))
    measured = [row for row in rows if isinstance(row[column], float)]
    rest = [row for row in rows if not isinstance(row[column], float)]
    return [
        {
            "name": row["name"],
            column: row[column],
            "times ours": row[column] / ours if row in measured else None,
            **row,
        }
        for row in sorted(measured, key=lambda row: row[column]) + rest
    ]


def machine():
    """Return the processor, its cores, the versions of what is installed, and the day."""
    cpu = platform.processor() or platform.machine()
    if sys.platform == "linux":
        named = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        cpu = named[1] if named else cpu
    versions = {"Python": platform.python_version()}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "versions": versions,
        "absent": [name for name in LIBRARIES if name not in versions],
        "date": str(datetime.date.today()),
    }


def machine_rates(quick):
    """Return what the machine can do in a second: GB read from memory, GFLOP of gemm."""
    at_least, size = (0.1, 500) if quick else (1.0, 2000)
    x = np.ones(32_000_000)  # 256 MB, beyond any cache
    rates = {"GB/s read": x.nbytes / fastest(lambda: x @ x, at_least) / 1e9}
    for dtype in ("float64", "float32"):
        A, B = np.random.default_rng(0).random((2, size, size)).astype(dtype)
        taken = fastest(lambda A=A, B=B: A @ B, at_least)
        rates[f"GFLOP/s gemm {dtype}"] = 2 * size**3 / taken / 1e9
    return rates


def rounded(value):
    """Return what JSON takes, the numbers in it to four digits and finite, or None."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value


def parse(doc, cases, add_options=None):
    """Return the arguments of the command line that all benchmarks have, and some more."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=cases, default=list(cases))
    parser.add_argument("--quick", action="store_true", help="small sizes, few repeats")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    if add_options:
        add_options(parser)
    return parser.parse_args()


def main(name, doc, measure, arguments, rates=None, device=None):
    """Measure the cases, print them, and write what was asked for.

    Parameters
    ----------
    name : str
        The benchmark's.
    doc : str
        The script's documentation: its first paragraph is the title of the page, the second
        stands above the tables.
    measure : callable
        Called with the name of a case, the arguments and the rates; returns cases by name.
    arguments : argparse.Namespace
        From `parse`.
    rates : dict, default=None
        What the machine can do, where it is not what `machine_rates` measures; empty where
        no time is measured.
    device : str, default=None
        What ran, where it is not the processor.
    """
    warnings.simplefilter("ignore")  # the excess tells who did not converge
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    title, about = doc.split("\n\n")[:2]
    record = {
        "title": title.rstrip("."),
        "about": about.replace("\n", " "),
        "quick": arguments.quick,
        "machine": machine() | ({"cpu": device} if device else {}),
        "rates": machine_rates(arguments.quick) if rates is None else rates,
        "cases": {},
    }
    for case in arguments.case:
        start = time.perf_counter()
        record["cases"] |= measure(case, arguments, record["rates"])
        print(f"{name}, {case}: {time.perf_counter() - start:.1f} s", flush=True)
    record = rounded(record)
    if arguments.json:
        arguments.json.write_text(json.dumps({name: record}, indent=1), encoding="utf-8")
    if arguments.markdown:
        arguments.markdown.write_text(page(record), encoding="utf-8")
    if not arguments.json and not arguments.markdown:
        print("\n" + page(record))
