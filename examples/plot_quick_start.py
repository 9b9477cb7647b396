"""
============================
A first fit, without scaling
============================

This example predicts the heating and cooling loads of 768 buildings from eight features. One of
the features is a linear combination of two others, and the standard deviations of the features
differ by three orders of magnitude. We scale nothing and set no parameter, and gradient descent
still ends at the least-squares solution.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from sklearn_gdlinreg import GDLinearRegression

# %%
# We load the data, and fit `GDLinearRegression` and `LinearRegression`.

try:
    folder = Path(__file__).parent
except NameError:  # in a gallery
    folder = Path()
data = np.loadtxt(folder / "data" / "enb.csv.gz", delimiter=",", skiprows=1)
X, Y = data[:, :-2], data[:, -2:]
outputs = ["heating load", "cooling load"]
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.3, random_state=0)

model = GDLinearRegression().fit(X_train, Y_train)
reference = LinearRegression().fit(X_train, Y_train)

print(f"{'R2 on test data':<18}{'GDLinearRegression':>20}{'LinearRegression':>20}")
scores = [
    r2_score(Y_test, each.predict(X_test), multioutput="raw_values")
    for each in (model, reference)
]
for name, *values in zip(outputs, *scores, strict=True):
    print(f"{name:<18}{values[0]:>20.12f}{values[1]:>20.12f}")
print(f"iterations {model.n_iter_}, optimality {model.optimality_:.1e}, {model.stop_reason_}")

# %%
# The upper plot shows the excess loss: how far the training loss is above the least-squares
# loss, relative to it. An excess that is smaller than the rounding error of the loss is drawn at
# the edge of the grey band. The lower plot shows the predictions for the test data.

residual = Y_train - reference.predict(X_train)
optimum = (residual**2).mean(axis=0).sum()
rounding = np.finfo(float).eps
excess = np.maximum(np.array(model.loss_curve_) / optimum - 1, rounding)

plt.rcParams["font.size"] = 12
figure, (above, below) = plt.subplots(2, 1, figsize=(6.4, 8.4), layout="constrained")
figure.get_layout_engine().set(hspace=0.06)

above.semilogy(np.arange(1, model.n_iter_ + 1), excess, "o-", color="0.2", markersize=5)
above.axhspan(1e-17, rounding, color="0.92", zorder=0)
above.text(1, 5e-17, "rounding error", color="0.35", va="center")
above.set(
    xlabel="iteration",
    ylabel="excess loss",
    ylim=(1e-17, 1e1),
    title="The loss falls to the least-squares loss",
)
above.xaxis.get_major_locator().set_params(integer=True)
above.grid(alpha=0.3)

predicted = model.predict(X_test)
limits = [0, 50]
below.plot(limits, limits, color="0.4", linewidth=1, zorder=1)
styles = [("tab:orange", "o"), ("tab:blue", "^")]
for j, (name, (colour, marker)) in enumerate(zip(outputs, styles, strict=True)):
    label = f"{name}, R² {scores[0][j]:.3f}"
    below.scatter(
        Y_test[:, j], predicted[:, j], s=16, alpha=0.6, color=colour, marker=marker,
        linewidths=0, label=label,
    )  # fmt: skip
below.set(
    xlabel="true load",
    ylabel="predicted load",
    xlim=limits,
    ylim=limits,
    aspect="equal",
    title="Predictions for the test data",
)
below.legend(frameon=False, loc="upper left", handletextpad=0.2)
below.grid(alpha=0.3)

figure.savefig("quick_start.png", dpi=150)
print("saved quick_start.png")
plt.show()
