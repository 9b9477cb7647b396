"""
=================================================
Fitting files in parallel, and merging the models
=================================================

Three million rows with 20 features are stored in eight Parquet files, of half a gigabyte in
total. Two processes fit one model per file and return only the fitted models. `merge` combines
the eight models into one: the model that `fit` gives on all rows.

The example also limits the memory. The two worker processes and the main process together may
use a quarter of the size of the files, in addition to what their libraries need. If one of them
uses more than its share, it raises an error.

The example writes the files to a temporary folder, and runs on Linux.
"""

import os
import pickle
import tempfile
from pathlib import Path

# Arrow's own allocator reserves more than it uses; the system's does not.
os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from joblib import Parallel, delayed

from sklearn_gdlinreg import GDLinearRegression

N_ROWS, N_FEATURES, ROWS_OF_A_GROUP, N_FILES = 3_000_000, 20, 15_000, 8
N_PROCESSES = 2
ALLOWED = 40  # megabytes, for each of the processes and for this one: 120 together

# %%
# We write the files. The features have different units and offsets, and the noise of the target
# has a variance of 1.

rng = np.random.default_rng(0)
unit = 10.0 ** rng.uniform(-6, 6, N_FEATURES)
offset = 3 * rng.standard_normal(N_FEATURES)
coef = rng.standard_normal(N_FEATURES)
names = [f"x{j}" for j in range(N_FEATURES)]


def rows(n):
    """Return n rows of X and y."""
    Z = rng.standard_normal((n, N_FEATURES)) + offset
    return Z * unit, Z @ coef + rng.standard_normal(n)


folder = tempfile.TemporaryDirectory()
schema = pa.schema([(name, pa.float64()) for name in [*names, "y"]])
paths = [Path(folder.name) / f"rows_{k}.parquet" for k in range(N_FILES)]
for path in paths:
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for _ in range(N_ROWS // N_FILES // ROWS_OF_A_GROUP):
            X, y = rows(ROWS_OF_A_GROUP)
            writer.write_table(pa.table([*X.T, y], schema=schema))
size = sum(path.stat().st_size for path in paths) / 1e6
allowed = (N_PROCESSES + 1) * ALLOWED
print(f"{N_ROWS:,} rows, {N_FILES} files of {size:.0f} MB together, {allowed} MB allowed")

# %%
# Each process reads a file chunk by chunk and updates a model. It returns the model and its own
# peak memory.


def memory(field):
    """Return a field of the memory status of this process, in megabytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) * 1024 / 1e6


def measured_memory():
    """Start measuring; return a function that returns the peak since then, in megabytes."""
    # Libraries allocate memory when they are called for the first time.
    GDLinearRegression().partial_fit(*rows(1000)).partial_fit(*rows(1000))
    level = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak

    def peak():
        taken = memory("VmHWM") - level
        if taken > ALLOWED:
            raise MemoryError(f"{taken:.0f} MB used, {ALLOWED} MB allowed")
        return taken

    return peak


def learn(path):
    """Return the model of a file, and the peak memory in megabytes."""
    model, peak = GDLinearRegression(), measured_memory()
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=ROWS_OF_A_GROUP, use_threads=False):
            model.partial_fit(np.column_stack([batch[name] for name in names]), batch["y"])
    return model, peak()


# %%
# A model takes a few kilobytes, however many rows it was fitted on.

models, peaks = zip(*Parallel(N_PROCESSES)(delayed(learn)(path) for path in paths), strict=True)
peak = measured_memory()
merged = GDLinearRegression().merge(*models)
taken = N_PROCESSES * max(peaks) + peak()
table = pq.read_table(paths[0], use_threads=False)
try:
    peak()
except MemoryError as failure:
    print(f"reading one file at once: {failure}")
del table
folder.cleanup()
print(f"peak memory of all processes together: {taken:.0f} MB more than before")
print(f"size of a model: {len(pickle.dumps(models[0])) / 1e3:.0f} kB")

# %%
# To see what merging gains, we merge the models one by one. The error is the mean squared
# difference between the predictions of a model and those of the true coefficients. The expected
# error of least squares on n rows is about (n_features + 1) / n.

X_test, _ = rows(20_000)
true = X_test @ (coef / unit)


def error(model):
    """Return the mean squared difference from the true predictions."""
    return ((model.predict(X_test) - true) ** 2).mean()


growing, errors = GDLinearRegression(), []
for model in models:
    errors.append(error(growing.merge(model)))
print(f"error of one model: {error(models[0]):.1e}, of the merged model: {error(merged):.1e}")

plt.rcParams["font.size"] = 12
figure, (above, below) = plt.subplots(2, 1, figsize=(6.4, 7.4), layout="constrained")
figure.get_layout_engine().set(hspace=0.06)
bars = {"all files": size, "allowed": allowed, "used": taken}
drawn = above.barh(list(bars), list(bars.values()), color=["0.6", "#E69F00", "#0072B2"])
above.bar_label(drawn, fmt=" {:.0f} MB")
above.invert_yaxis()
above.set(
    xlabel="MB",
    xlim=(0, 1.2 * size),
    title=f"Memory of the {N_PROCESSES + 1} processes together",
)
n_merged = np.arange(1, N_FILES + 1)
expected = (N_FEATURES + 1) / (n_merged * N_ROWS / N_FILES)
below.plot(n_merged, expected, "--", color="0.4", label="expected for least squares")
below.plot(n_merged, errors, "o-", color="#0072B2", label="merged models")
below.set(
    xlabel="models merged",
    ylabel="error",
    ylim=(0, None),
    title="Each model lowers the error",
)
below.legend(frameon=False)
below.grid(alpha=0.3)
figure.savefig("merge_shards.png", dpi=150)
print("saved merge_shards.png")
plt.show()
