"""
=================================
Unscaled data, where SGD diverges
=================================

This example predicts the heating load of 768 buildings from unscaled features: areas of hundreds
of square metres and shares below one. `SGDRegressor` needs scaled features. On these data its
loss grows by more than twenty orders of magnitude, without a warning. After a `StandardScaler`
it works, and improves with each epoch. `GDLinearRegression` fits the data as they are, in full
batches and in mini-batches.
"""

import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, SGDRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gdlinreg import GDLinearRegression

try:
    folder = Path(__file__).parent
except NameError:  # in a gallery
    folder = Path()
data = np.loadtxt(folder / "data" / "enb.csv.gz", delimiter=",", skiprows=1)
X, y = data[:, :8], data[:, 8]
print("standard deviations of the features:", X.std(axis=0).round(2))

# %%
# We fit both estimators to the unscaled data, with their default parameters, and count the
# warnings. There are none.

for model in (SGDRegressor(random_state=0), GDLinearRegression()):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        score = model.fit(X, y).score(X, y)
    print(
        f"{type(model).__name__:<20}R² {score:<10.3g}{model.n_iter_:>3} epochs, "
        f"{len(caught)} warnings"
    )

# %%
# The excess loss is how far the loss of a model is above the least-squares loss, relative to it.
# We compute it for each model after 1, 2, ..., 60 epochs. No model has a penalty, and each has
# its default learning rate.

epochs = np.arange(1, 61)
optimum = ((y - LinearRegression().fit(X, y).predict(X)) ** 2).mean()


def excess(make):
    """Return the relative excess over the least-squares loss after each number of epochs."""
    models = [make(k).fit(X, y) for k in epochs]
    losses = [((y - model.predict(X)) ** 2).mean() for model in models]
    return np.maximum(np.array(losses) / optimum - 1, np.finfo(float).eps)


def sgd(k):
    """Return an SGDRegressor of k epochs without a penalty."""
    return SGDRegressor(alpha=0, max_iter=k, tol=None, random_state=0)


def mini_batch(k):
    """Return our mini-batch descent of k epochs."""
    return GDLinearRegression(batch_size=16, max_iter=k, tol=0, random_state=0)


with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)  # few epochs are what we ask for
    curves = {
        "SGDRegressor": excess(sgd),
        "scaled SGDRegressor": excess(lambda k: make_pipeline(StandardScaler(), sgd(k))),
        "GDLinearRegression, mini-batch": excess(mini_batch),
    }
for name, curve in curves.items():
    print(f"{name:<32}{curve[-1]:>10.1e}")
full = GDLinearRegression().fit(X, y)
full_excess = full.loss_curve_[-1] / optimum - 1
print(f"GDLinearRegression, full batch, {full.n_iter_} iterations: {full_excess:.1e}")

# %%
# The vertical axis is broken: there are more than twenty orders of magnitude between the two
# panels. Full batches have no curve, because they reach the least-squares solution at once, up
# to rounding.

plt.rcParams["font.size"] = 12
styles = [("tab:red", ":"), ("#c25700", "--"), ("tab:blue", "-")]
figure, (above, below) = plt.subplots(
    2, 1, figsize=(6.4, 6.4), sharex=True, height_ratios=[1, 3], layout="constrained"
)
for axes in (above, below):
    for curve, (color, line) in zip(curves.values(), styles, strict=True):
        axes.semilogy(epochs, curve, line, color=color, linewidth=2)
    axes.grid(alpha=0.3)
names = [name.replace(", ", ",\n") for name in curves]
places = [(above, 1e23), (below, 5e-2), (below, 2.5e-3)]
for name, (axes, height), (color, _) in zip(names, places, styles, strict=True):
    axes.text(60, height, name, color=color, ha="right")
below.annotate(
    "GDLinearRegression,\nfull batch: at once", (1, 1e-6), (8, 3e-6),
    arrowprops={"arrowstyle": "->"},
)  # fmt: skip
above.set(ylim=(1e22, 1e31), title="Fits to unscaled data")
below.set(ylim=(1e-6, 1e1), xlabel="epochs")
figure.supylabel("excess loss", fontsize="medium")
plt.show()
