"""
===========================
Descent on the loss surface
===========================

The mean squared error of a model with two features is a bowl over its two coefficients. Where
features are correlated and have different units, the bowl is a long, narrow valley. The
textbook's descent oscillates across it and moves slowly along it. The automatic descent, the
default, reaches the bottom in one exact step.

Look at the directions. A textbook step is at right angles to the contour, which is rarely the
direction of the minimum. The automatic step is at right angles, too, but in the metric of the
curvature. In that metric the valley is a round bowl, and the gradient points at the minimum.
If the model of each iteration is needed, here to validate it, the automatic descent makes plain
steps. The second one is a combination of the gradient and the previous step, with factors that
are computed from the data. After as many steps as there are features, the descent is at the
minimum.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_gdlinreg import GDLinearRegression

# %%
# The two features have a correlation of 0.85, and the standard deviation of one is three times
# that of the other. Features and target are centred, so that there is no intercept.

rng = np.random.default_rng(0)
X = rng.multivariate_normal([0, 0], [[1, 2.55], [2.55, 9]], size=200)
y = X @ [4, 0.5] + rng.standard_normal(200)
X, y = X - X.mean(axis=0), y - y.mean()

# %%
# A step that is too long raises an error that names the longest stable one: two over the largest
# curvature of the loss. We take a little less.

try:
    GDLinearRegression(learning_rate=1.0, fit_intercept=False).fit(X, y)
except ValueError as error:
    print(error)
longest = 2 / np.linalg.eigvalsh(2 * X.T @ X / len(X)).max()
step = 0.95 * longest
print(f"our step: {step:.4f}")

# %%
# A fit with `max_iter=k` ends at the k-th point of the path. It warns that it has not converged,
# which is what we want here.


def path(n_iter, validation=None, **parameters):
    """Return the coefficients at the start and after each iteration."""
    points = [np.zeros(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for k in range(1, n_iter + 1):
            model = GDLinearRegression(fit_intercept=False, max_iter=k, **parameters)
            points.append(model.fit(X, y, **(validation or {})).coef_)
    return np.array(points)


automatic = GDLinearRegression(fit_intercept=False).fit(X, y)
watched = {"X_val": X, "y_val": y}
paths = {
    f"step {step:.2f}": path(40, learning_rate=step),
    f"step {step:.2f}, momentum 0.7": path(40, learning_rate=step, momentum=0.7),
    "automatic, watched": path(2, watched, early_stopping=True),
    "automatic": path(automatic.n_iter_),
}


def loss(coef):
    """Return the mean squared error at each point of coef."""
    return ((y - coef @ X.T) ** 2).mean(axis=-1)


minimum = loss(automatic.coef_)
for name, points in paths.items():
    print(f"{name}: loss {loss(points[-1]) / minimum - 1:.1e} above the minimum, relative to it")

# %%
# The plot shows the valley, and the four paths to its minimum.

plt.rcParams["font.size"] = 12
grid = np.stack(np.meshgrid(np.linspace(-0.5, 5, 150), np.linspace(-0.7, 3.1, 150)), axis=-1)
excess = loss(grid) / minimum - 1
figure, (above, below) = plt.subplots(
    2, 1, figsize=(6.4, 8.2), layout="compressed", sharex=True, sharey=True
)
styles = [("tab:orange", "o"), ("tab:blue", "^"), ("tab:green", "D"), ("black", "s")]
for (name, points), (color, marker) in zip(paths.items(), styles, strict=True):
    axes = below if name.startswith("automatic") else above
    axes.plot(*points.T, marker=marker, color=color, markersize=5, label=name)
above.set_title("Textbook: 40 steps")
below.set_title("Automatic: one step, or two plain ones")
below.set_xlabel("coefficient of the first feature")
for axes in (above, below):
    axes.contour(
        *np.moveaxis(grid, -1, 0), excess, levels=np.geomspace(0.1, 100, 10),
        colors="0.75", linewidths=1, zorder=0,
    )  # fmt: skip
    axes.plot(*automatic.coef_, "*", color="tab:red", markersize=14, zorder=3, label="minimum")
    axes.set(ylabel="coefficient of the second", aspect="equal")
    axes.legend(loc="upper right")
plt.show()
