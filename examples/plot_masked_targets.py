"""
==============
Masked targets
==============

With several targets, some values were often not measured. The data are 359 samples of topsoil
from the Swiss Jura, with their place, land use, rock type, and the concentrations of seven
metals. We predict three of these, cadmium, cobalt and copper, from the other columns, and hide a
growing share of their values, as if they had not been measured.

Soon only a few rows have all three values, and then none. With `missing_targets="ignore"`, each
output is fitted on the rows in which it is known, in one fit, and no value is imputed.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from sklearn_gdlinreg import GDLinearRegression

try:
    folder = Path(__file__).parent
except NameError:  # in a gallery
    folder = Path()
data = np.loadtxt(folder / "data" / "jura.csv.gz", delimiter=",", skiprows=1)
X, Y = data[:, :-3], data[:, -3:]

# %%
# NaN in Y means that a value is missing. Each output gets the model that it would get if it were
# fitted alone on the rows in which it is known.

rng = np.random.default_rng(0)
Y_masked = np.where(rng.random(Y.shape) < 0.5, np.nan, Y)
together = GDLinearRegression(missing_targets="ignore").fit(X, Y_masked)
for j, name in enumerate(["cadmium", "cobalt", "copper"]):
    known = ~np.isnan(Y_masked[:, j])
    alone = GDLinearRegression().fit(X[known], Y_masked[known, j])
    difference = np.abs(together.predict(X)[:, j] - alone.predict(X)).max()
    print(f"{name}: {known.sum()} values, largest difference of predictions {difference:.0e}")

# %%
# Three ways to deal with missing values are compared, on 20 splits each. A small penalty keeps
# the models stable if there are few rows.


def ignore(X, Y):
    """Let each output learn from the rows where it is known."""
    return GDLinearRegression(alpha=0.1, missing_targets="ignore").fit(X, Y)


def drop(X, Y):
    """Learn from complete rows only."""
    known = ~np.isnan(Y).any(axis=1)
    return GDLinearRegression(alpha=0.1).fit(X[known], Y[known])


def fill(X, Y):
    """Put the mean of the known values in place of each missing one."""
    return GDLinearRegression(alpha=0.1).fit(X, np.where(np.isnan(Y), np.nanmean(Y, axis=0), Y))


def scores(make, share):
    """Return R² on test rows, for 20 splits."""
    results = []
    for seed in range(20):
        X_train, X_test, Y_train, Y_test = train_test_split(X, Y, random_state=seed)
        missing = np.random.default_rng(seed).random(Y_train.shape) < share
        model = make(X_train, np.where(missing, np.nan, Y_train))
        results.append(model.score(X_test, Y_test))
    return results


shares = np.linspace(0, 0.9, 10)
ways = {
    'missing_targets="ignore"': (ignore, shares, "tab:blue", "o"),
    "drop incomplete rows": (drop, shares[:8], "tab:orange", "^"),
    "fill in the mean": (fill, shares, "black", "s"),
}

# %%
# The lines are medians, and the bands extend from the lower to the upper quartile. With 70 % of
# the values missing, about seven rows are complete; with more missing, there may be none.

plt.rcParams["font.size"] = 12
figure, axes = plt.subplots(figsize=(6.4, 5), layout="constrained")
for name, (make, some, color, marker) in ways.items():
    low, median, high = np.percentile([scores(make, s) for s in some], [25, 50, 75], axis=1)
    print(f"{name:<26}", *(f"{value:6.2f}" for value in median))
    axes.plot(100 * some, median, marker=marker, color=color, label=name)
    axes.fill_between(100 * some, low, high, color=color, alpha=0.2, linewidth=0)
axes.set(
    xlabel="missing values (%)", ylabel="R² on test rows", ylim=(-0.2, 0.8),
    title="Three metals in the soil",
)  # fmt: skip
axes.grid(alpha=0.3)
axes.legend(loc="lower left")
plt.show()
