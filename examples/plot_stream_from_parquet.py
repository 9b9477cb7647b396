"""
=================================================
Fitting a Parquet file that is larger than memory
=================================================

This example reads four million rows with 20 features from a Parquet file and passes them to
`partial_fit`, chunk by chunk. All rows together would take 700 MB of memory. The operating
system limits the process to 256 MB more than it uses after its imports. The units of the
features differ by twelve orders of magnitude, but we scale nothing and set no parameter. After
each chunk, the model is the least-squares model of all rows so far.

The example writes the file to a temporary folder, and runs on Linux.
"""

import os
import resource
import tempfile
import time
from pathlib import Path

# Arrow's own allocator reserves more than it uses; the system's does not.
os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sklearn_gdlinreg import GDLinearRegression

N_ROWS, N_FEATURES, ROWS_OF_A_GROUP = 4_000_000, 20, 20_000
ALLOWED = 256  # megabytes

# %%
# The features are correlated and have different units and offsets. The noise of the target has a
# variance of 1.

rng = np.random.default_rng(0)
mix = rng.standard_normal((N_FEATURES, N_FEATURES)) / N_FEATURES**0.5 + np.eye(N_FEATURES)
unit = 10.0 ** rng.uniform(-6, 6, N_FEATURES)
offset = 3 * rng.standard_normal(N_FEATURES)
coef = rng.standard_normal(N_FEATURES)
names = [f"x{j}" for j in range(N_FEATURES)]


def rows(n):
    """Return n rows of X and y."""
    Z = rng.standard_normal((n, N_FEATURES)) @ mix + offset
    return Z * unit, Z @ coef + rng.standard_normal(n)


def megabytes(field=1):
    """Return the memory of this process: resident memory (1), or all its data (5)."""
    pages = int(Path("/proc/self/statm").read_text().split()[field])
    return pages * resource.getpagesize() / 1e6


# %%
# From here on, an allocation beyond the limit raises an error.

before = resource.getrlimit(resource.RLIMIT_DATA)
limit = int((megabytes(5) + ALLOWED) * 1e6)
resource.setrlimit(resource.RLIMIT_DATA, (limit, before[1]))

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "rows.parquet"
schema = pa.schema([(name, pa.float64()) for name in [*names, "y"]])
with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
    for _ in range(N_ROWS // ROWS_OF_A_GROUP):
        X, y = rows(ROWS_OF_A_GROUP)
        writer.write_table(pa.table([*X.T, y], schema=schema))
size = path.stat().st_size / 1e6
print(f"{N_ROWS:,} rows, a file of {size:.0f} MB, {ALLOWED} MB allowed")

# %%
# We read the file once. After each chunk, we record the memory and the error of the model: the
# mean squared difference between its predictions and those of the true coefficients.

X_test, _ = rows(20_000)
true = X_test @ (coef / unit)
model = GDLinearRegression()
start, seen, seconds, trace = megabytes(), 0, 0.0, []
file = pq.ParquetFile(path, pre_buffer=False)
for batch in file.iter_batches(batch_size=ROWS_OF_A_GROUP, use_threads=False):
    X = np.column_stack([batch[name] for name in names])
    began = time.perf_counter()
    model.partial_fit(X, batch["y"])
    seconds += time.perf_counter() - began
    seen += len(X)
    error = ((model.predict(X_test) - true) ** 2).mean()
    trace.append((seen, error, megabytes() - start))

try:
    file.read(use_threads=False)
except (MemoryError, pa.ArrowMemoryError) as error:
    print(f"reading the whole file at once: {type(error).__name__}")
file.close()
folder.cleanup()
resource.setrlimit(resource.RLIMIT_DATA, before)

seen, error, memory = np.array(trace).T
print(
    f"time in partial_fit: {seconds:.1f} s, {N_ROWS / seconds / 1e6:.1f} million rows per second"
)
print(f"error: {error[-1]:.1e} (variance of the noise: 1)")
print(f"peak memory: {memory.max():.0f} MB more than before")

# %%
# The memory does not grow with the number of rows. The error is close to the expected error of
# least squares on all n rows so far, which is about (n_features + 1) / n.

plt.rcParams["font.size"] = 12
figure, (above, below) = plt.subplots(2, 1, figsize=(6.4, 8.4), layout="constrained")
figure.get_layout_engine().set(hspace=0.06)
above.axhline(size, color="0.4", linestyle="--")
above.text(0.05, size + 12, "all rows", color="0.3")
above.axhline(ALLOWED, color="tab:red", linestyle=":")
above.text(0.05, ALLOWED + 12, "allowed", color="tab:red")
above.plot(seen / 1e6, memory, color="tab:blue", linewidth=2)
above.text(0.05, memory.max() + 12, "used by partial_fit", color="tab:blue")
above.set(
    xlabel="rows seen (millions)",
    ylabel="memory (MB)",
    ylim=(-5, size * 1.15),
    title="Memory does not grow",
)
below.loglog(seen, error, color="tab:blue", linewidth=2, label="partial_fit")
expected = (N_FEATURES + 1) / seen
below.loglog(seen, expected, color="0.4", linestyle="--", label="expected for least squares")
below.set(
    xlabel="rows seen",
    ylabel="error",
    title="The error falls as rows arrive",
)
below.legend(frameon=False)
for axes in (above, below):
    axes.grid(alpha=0.3)
figure.savefig("stream_from_parquet.png", dpi=150)
print("saved stream_from_parquet.png")
plt.show()
