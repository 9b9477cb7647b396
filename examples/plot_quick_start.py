"""
===========
Quick start
===========

Heating and cooling load of 768 buildings from eight of their features. One of the features is
an exact sum of others, and their units differ by three orders of magnitude. Nothing is scaled
and no parameter is set. Descent ends at the least-squares answer.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from sklearn_gdlinreg import GDLinearRegression

# %%
# The data, and a fit beside scikit-learn's.

try:
    folder = Path(__file__).parent
except NameError:  # in a gallery
    folder = Path()
data = np.loadtxt(folder / "data" / "enb.csv.gz", delimiter=",", skiprows=1)
X, Y = data[:, :-2], data[:, -2:]
outputs = ["heating load", "cooling load"]
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.3, random_state=0)

ours = GDLinearRegression().fit(X_train, Y_train)
exact = LinearRegression().fit(X_train, Y_train)

print(f"{'R2 on test data':<18}{'GDLinearRegression':>20}{'LinearRegression':>20}")
scores = [r2_score(Y_test, m.predict(X_test), multioutput="raw_values") for m in (ours, exact)]
for name, mine, theirs in zip(outputs, *scores, strict=True):
    print(f"{name:<18}{mine:>20.12f}{theirs:>20.12f}")
print(f"iterations {ours.n_iter_}, optimality {ours.optimality_:.1e}, {ours.stop_reason_}")

# %%
# How the loss came down, and what the model predicts.

residual = Y_train - exact.predict(X_train)
optimum = (residual**2).mean(axis=0).sum()
excess = np.maximum(np.array(ours.loss_curve_) / optimum - 1, 1e-16)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
left.semilogy(np.arange(1, ours.n_iter_ + 1), excess, "o-", color="tab:blue")
left.set(
    xlabel="iteration",
    ylabel="loss above the least-squares loss, relative",
    title="Exact steps end at the optimum",
)
left.grid(alpha=0.3)
predicted = ours.predict(X_test)
for j, (name, colour) in enumerate(zip(outputs, ["tab:orange", "tab:blue"], strict=True)):
    right.scatter(Y_test[:, j], predicted[:, j], s=12, alpha=0.6, color=colour, label=name)
limits = [Y_test.min(), Y_test.max()]
right.plot(limits, limits, color="0.4", linewidth=1, label="perfect")
right.set(
    xlabel="true load (kWh/m²)",
    ylabel="predicted load (kWh/m²)",
    title="Test data",
)
right.legend(frameon=False)
right.grid(alpha=0.3)
figure.savefig("quick_start.png", dpi=150)
print("saved quick_start.png")
plt.show()
