"""
===================================================
Fitting data that are larger than memory, with Dask
===================================================

This example fits four million rows with 32 features, which are stored in a file of one gigabyte.
The operating system limits the process to a quarter of that, in addition to what it uses after
its imports. Dask reads the file chunk by chunk in the threads of a single machine.
`DaskGDLinearRegression` combines the moments of the chunks, and fits the least-squares model of
all rows.

The example writes the file to a temporary folder, and runs on Linux.
"""

import resource
import tempfile
import threading
import time
from pathlib import Path

import dask
import dask.array as da
import matplotlib.pyplot as plt
import numpy as np

from sklearn_gdlinreg.dask import DaskGDLinearRegression

N_ROWS, N_FEATURES, ROWS_OF_A_CHUNK = 4_000_000, 32, 40_000
ALLOWED = 256  # megabytes

# %%
# The features have different units and offsets. The noise of the target has a variance of 1.

rng = np.random.default_rng(0)
unit = 10.0 ** rng.uniform(-3, 3, N_FEATURES)
offset = 3 * rng.standard_normal(N_FEATURES)
coef = rng.standard_normal(N_FEATURES)


def megabytes():
    """Return the memory that this process uses for its data, in megabytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("RssAnon"))) / 1e3


def reserved():
    """Return the memory that counts towards the limit, in megabytes."""
    return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize() / 1e6


# %%
# From here on, an allocation beyond the limit raises an error. A file that is mapped into memory
# does not count, because the operating system can release its pages at any time.

dask.compute(*[dask.delayed(np.ones)(1)] * 8)  # starts the threads of Dask
limit = int((reserved() + ALLOWED) * 1e6)
before = resource.getrlimit(resource.RLIMIT_DATA)
resource.setrlimit(resource.RLIMIT_DATA, (limit, before[1]))

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "rows.npy"
rows = np.lib.format.open_memmap(path, "w+", np.float64, (N_ROWS, N_FEATURES + 1))
for start in range(0, N_ROWS, ROWS_OF_A_CHUNK):
    Z = rng.standard_normal((ROWS_OF_A_CHUNK, N_FEATURES)) + offset
    rows[start : start + ROWS_OF_A_CHUNK, :-1] = Z * unit
    rows[start : start + ROWS_OF_A_CHUNK, -1] = Z @ coef + rng.standard_normal(len(Z))
rows.flush()
del rows
size = path.stat().st_size / 1e6
print(f"{N_ROWS:,} rows, a file of {size:,.0f} MB, {ALLOWED} MB allowed")

# %%
# We fit the model, while another thread records the memory.


def chunk(start):
    """Return the rows of a chunk, from the file mapped into memory."""
    return np.load(path, mmap_mode="r")[start : start + ROWS_OF_A_CHUNK]


# `dask.array.from_array` would copy the file into memory; delayed chunks that map it do not.
chunks = [
    da.from_delayed(
        dask.delayed(chunk)(start), (ROWS_OF_A_CHUNK, N_FEATURES + 1), dtype=np.float64
    )
    for start in range(0, N_ROWS, ROWS_OF_A_CHUNK)
]
table = da.concatenate(chunks)
X, y = table[:, :-1], table[:, -1]
level, began, trace, done = megabytes(), time.perf_counter(), [], threading.Event()


def watch():
    """Record the time and the memory until the fit has finished."""
    while not done.wait(0.02):
        trace.append((time.perf_counter() - began, megabytes() - level))


watcher = threading.Thread(target=watch)
watcher.start()
model = DaskGDLinearRegression().fit(X, y)
fitted = time.perf_counter() - began
score = model.score(X, y)
done.set()
watcher.join()

try:
    np.array(np.load(path, mmap_mode="r"))
except MemoryError as error:
    print(f"reading the whole file at once: {type(error).__name__}")
resource.setrlimit(resource.RLIMIT_DATA, before)
folder.cleanup()

seconds, memory = np.array(trace).T
print(f"fitted in {fitted:.1f} s, engine {model.engine_!r}, R² {score:.4f}")
print(f"peak memory: {memory.max():.0f} MB more than before")

# %%
# The fit uses the memory of a few chunks. The fitted coefficients are close to the true ones,
# since all of the four million rows were used. They are shown for scaled features.

plt.rcParams["font.size"] = 12
figure, (above, below) = plt.subplots(2, 1, figsize=(6.4, 8.4), layout="constrained")
figure.get_layout_engine().set(hspace=0.06)
for height, text, color in ((size, "size of the file", "0.3"), (ALLOWED, "allowed", "tab:red")):
    above.axhline(height, color=color, linestyle="--")
    above.text(0, height * 1.08, text, color=color)
above.plot(seconds, np.maximum(memory, 0.1), color="tab:blue", linewidth=2)
above.axvline(fitted, color="0.7", linewidth=1)
above.text(fitted, 1.3, " score", color="0.4")
above.text(0.4 * fitted, 1.3, "fit", color="0.4")
above.margins(x=0.13)
above.set(
    xlabel="time (s)", ylabel="memory (MB)", yscale="log", ylim=(1, 2 * size),
    title="Memory during fit and score",
)  # fmt: skip
below.axline((0, 0), slope=1, color="0.7", linewidth=1)
below.plot(coef, model.coef_ * unit, "o", color="tab:blue")
below.set(
    xlabel="true coefficients", ylabel="fitted coefficients",
    title=f"Largest error of a coefficient: {np.abs(model.coef_ * unit - coef).max():.0e}",
)  # fmt: skip
for axes in (above, below):
    axes.grid(alpha=0.3)
figure.savefig("larger_than_memory.png", dpi=150)
print("saved larger_than_memory.png")
plt.show()
