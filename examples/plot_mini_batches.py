"""
============================
Mini-batches, to the optimum
============================

With mini-batches, the first pass over the rows lowers the loss a lot, and later passes lower it
little: with steps of a constant length, the noise of the batches keeps the model away from the
optimum. The mean of many iterates has less noise. The noise of variance-reduced steps vanishes
near the optimum, so they converge to it. `fit` makes such steps with a `batch_size` and the
default learning rate.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.signal import lfilter
from sklearn.exceptions import ConvergenceWarning

from sklearn_gdlinreg import GDLinearRegression

# %%
# There are 20,000 rows of 20 features, each with a correlation of 0.9 to the next.

rng = np.random.default_rng(0)
innovations = rng.standard_normal((20_000, 20))
innovations[:, 1:] *= np.sqrt(1 - 0.9**2)
X = lfilter([1.0], [1.0, -0.9], innovations, axis=1)
y = X @ rng.standard_normal(20) + rng.standard_normal(20_000)
optimum = np.mean((y - GDLinearRegression().fit(X, y).predict(X)) ** 2)

# %%
# The excess loss is how far the mean squared error is above its minimum, relative to it. It is
# measured against passes over the rows. An epoch is one pass. With variance-reduced steps, each
# epoch is followed by a pass that computes the gradient of all rows: an iteration takes two
# passes. What is read before the first step is not counted.

CONTESTANTS = {
    "plain": {"learning_rate": 0.01, "average": False},
    "averaged": {"learning_rate": 0.01, "average": True},
    "variance-reduced": {"learning_rate": "auto"},
}
PASSES_OF_AN_ITERATION = {"plain": 1, "averaged": 1, "variance-reduced": 2}
N_PASSES = 16


def excess(n_iterations, **options):
    """Return the excess after so many iterations."""
    model = GDLinearRegression(
        batch_size=32, max_iter=n_iterations, tol=0, random_state=0, **options
    )
    with warnings.catch_warnings():
        # These fits are ended before they converge.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    return np.mean((y - model.predict(X)) ** 2) / optimum - 1


paths = {}
print(f"excess loss after {N_PASSES} passes")
for name, options in CONTESTANTS.items():
    step = PASSES_OF_AN_ITERATION[name]
    passes = np.arange(step, N_PASSES + 1, step)
    # What is left of an excess at the optimum is rounding.
    paths[name] = passes, [max(excess(n // step, **options), 1e-16) for n in passes]
    print(f"    {name:<18}{paths[name][1][-1]:8.0e}")

# %%
# A full-batch fit needs no more than one pass for its moments here, and is exact. Mini-batches
# are for data with too many features for that.

plt.rcParams["font.size"] = 12
figure, axes = plt.subplots(figsize=(6.4, 4.8), layout="constrained")
# Colours that colour-blind readers can distinguish (Okabe and Ito), and different line styles.
STYLES = {
    "plain": ("0.35", ":", "s"),
    "averaged": ("#009E73", "--", "^"),
    "variance-reduced": ("#0072B2", "-", "o"),
}
for name, (color, line, marker) in STYLES.items():
    axes.plot(*paths[name], color=color, linestyle=line, marker=marker, label=name)
axes.set(xlabel="passes over the rows", ylabel="excess loss", yscale="log", ylim=(2e-17, 10))
axes.grid(alpha=0.3)
axes.legend(frameon=False)
figure.savefig("mini_batches.png", dpi=150)
print("saved mini_batches.png")
plt.show()
