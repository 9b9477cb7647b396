"""
==================================
Learning from a stream of new rows
==================================

This example compares four models that learn from a stream. Rows with ten features arrive in
chunks of 200, and each model is updated with each chunk by `partial_fit`:

- `GDLinearRegression` with its default parameters, which is exact: after each chunk, it is the
  least-squares model of all rows so far
- the same with a `half_life`, which gives old rows less and less weight
- `GDLinearRegression` with a `batch_size`, which makes a descent step per mini-batch
- `SGDRegressor`, on features scaled by a `StandardScaler` that is updated with the same chunks

In the first stream, the relation between the features and the target stays the same. In the
second stream, it changes slowly, and a model that gives all rows the same weight cannot follow.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import SGDRegressor
from sklearn.preprocessing import StandardScaler

from sklearn_gdlinreg import GDLinearRegression

N_CHUNKS, ROWS_OF_A_CHUNK, N_FEATURES, N_STREAMS = 300, 200, 10, 3
EXACT, FORGETS, BATCHES, SGD = (
    "exact, the default",
    "exact, half_life=300",
    "batch_size=32",
    "SGDRegressor, scaled",
)

# %%
# The features have different units and offsets, and the noise has a variance of 1. With drift,
# the vector of the coefficients rotates by half a turn over 30,000 rows, so that all
# coefficients change sign.

rng = np.random.default_rng(0)
unit = 10.0 ** rng.uniform(-3, 3, N_FEATURES)
offset = rng.standard_normal(N_FEATURES)
one, other = rng.standard_normal((2, N_FEATURES)) / 2


def coef_at(row, drift):
    """Return the true coefficients of scaled features at a row of the stream."""
    angle = np.pi * row / 30_000 if drift else 0.0
    return np.cos(angle) * one + np.sin(angle) * other


class ScaledSGD:
    """SGDRegressor on scaled features; scaler and model are updated with each chunk."""

    def __init__(self):
        self.scaler, self.model = StandardScaler(), SGDRegressor(random_state=0)

    def partial_fit(self, X, y):
        """Update the scaler and the model with a chunk."""
        self.model.partial_fit(self.scaler.partial_fit(X).transform(X), y)

    def predict(self, X):
        """Return the predictions for X."""
        return self.model.predict(self.scaler.transform(X))


# %%
# The error of a model is the mean squared difference between its predictions and those of the
# true coefficients, on rows that no model was fitted on. Without drift, the expected error of
# least squares on n rows is about (n_features + 1) / n.


def errors(drift, seed):
    """Return the error of each model after each chunk of a stream."""
    rng = np.random.default_rng(seed)
    models = {
        EXACT: GDLinearRegression(),
        FORGETS: GDLinearRegression(half_life=300),
        BATCHES: GDLinearRegression(batch_size=32, random_state=0),
        SGD: ScaledSGD(),
    }
    test = rng.standard_normal((1000, N_FEATURES)) + offset
    found = {name: [] for name in models}
    for k in range(N_CHUNKS):
        coef = coef_at(k * ROWS_OF_A_CHUNK, drift)
        Z = rng.standard_normal((ROWS_OF_A_CHUNK, N_FEATURES)) + offset
        y = Z @ coef + rng.standard_normal(ROWS_OF_A_CHUNK)
        for name, model in models.items():
            model.partial_fit(Z * unit, y)
            distance = model.predict(test * unit) - test @ coef
            found[name].append((distance**2).mean())
    return {name: np.array(values) for name, values in found.items()}


def mean_errors(drift):
    """Return the mean errors over several streams."""
    runs = [errors(drift, seed) for seed in range(N_STREAMS)]
    return {name: np.mean([run[name] for run in runs], axis=0) for name in runs[0]}


results = {drift: mean_errors(drift) for drift in (False, True)}
for drift, title in ((False, "no drift"), (True, "drift")):
    print(f"{title}: mean error over the second half of the stream")
    for name, values in results[drift].items():
        print(f"    {name:<24}{values[N_CHUNKS // 2 :].mean():9.1e}")

# %%
# Without drift, the error of the exact model keeps falling as rows arrive. The other models need
# more rows to reach the same error, or stop improving. With drift, the model with a half-life
# follows the change. So does `SGDRegressor`, because its learning rate decreases only slowly.
# Each point of a line is a mean over neighbouring chunks.

plt.rcParams["font.size"] = 12
figure, (above, below) = plt.subplots(2, 1, figsize=(6.4, 9.2), layout="constrained")
figure.get_layout_engine().set(hspace=0.06)
# Colours that colour-blind readers can distinguish (Okabe and Ito), and different line styles.
styles = {
    EXACT: ("#0072B2", "-", 2.5),
    FORGETS: ("#D55E00", "-", 1.5),
    BATCHES: ("#009E73", "--", 1.5),
    SGD: ("0.35", ":", 1.5),
}
seen = ROWS_OF_A_CHUNK * np.arange(1, N_CHUNKS + 1)
equal_steps = np.arange(0, N_CHUNKS, 5)
equal_ratios = np.unique(np.geomspace(1, N_CHUNKS, 40).astype(int)) - 1
for axes, drift, first in ((above, False, equal_ratios[:-1]), (below, True, equal_steps)):
    n_chunks = np.diff(np.append(first, N_CHUNKS))
    for name, (color, line, width) in styles.items():
        rows, error = (
            np.add.reduceat(values, first) / n_chunks for values in (seen, results[drift][name])
        )
        axes.plot(rows, error, color=color, linestyle=line, linewidth=width, label=name)
    axes.grid(alpha=0.3)
    axes.set(xlabel="rows seen", ylabel="error", yscale="log")
above.set(xscale="log", title="The relation stays the same")
below.set(title="The relation changes")
below.xaxis.set_major_formatter("{x:,.0f}")
above.legend(frameon=False, fontsize=11, loc="lower left")
figure.savefig("exact_streams.png", dpi=150)
print("saved exact_streams.png")
plt.show()
