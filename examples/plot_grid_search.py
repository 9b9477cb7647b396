"""
=========================
Grid search in a Pipeline
=========================

How strong a penalty, of which kind, and on which features? `GridSearchCV` tries all combinations
on a `Pipeline`, preprocessing included. `GDLinearRegressionCV` answers the question about the
penalty: it tries twenty times as many strengths, in less time.

The data are 442 diabetes patients: ten features, or those with their squares and products.
Features are brought to one scale because a penalty compares their coefficients. The descent
itself does not need it.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklearn_gdlinreg import GDLinearRegression, GDLinearRegressionCV

X, y = load_diabetes(return_X_y=True)
folds = KFold(5, shuffle=True, random_state=0)
degrees, l1_ratios = [1, 2], [0.0, 0.5, 1.0]


def pipeline(model, degree=1):
    """Return a pipeline that ends with the model."""
    polynomial = PolynomialFeatures(degree, include_bias=False)
    return make_pipeline(StandardScaler(), polynomial, StandardScaler(), model)


# %%
# The grid has two degrees, three kinds of penalty, and five strengths.

few = np.geomspace(0.05, 20, 5)
grid = {
    "polynomialfeatures__degree": degrees,
    "gdlinearregression__l1_ratio": l1_ratios,
    "gdlinearregression__alpha": few,
}
search = GridSearchCV(
    pipeline(GDLinearRegression(tol=1e-4)), grid, cv=folds, scoring="neg_mean_squared_error"
)
start = time.perf_counter()
search.fit(X, y)
seconds = time.perf_counter() - start
# The grid is in the alphabetical order of the names: alpha, l1_ratio, degree.
grid_errors = np.sqrt(-search.cv_results_["mean_test_score"]).reshape(5, 3, 2)
print(f"GridSearchCV: {grid_errors.size} combinations, {seconds:.1f} s")
print(f"least error {grid_errors.min():.2f}, with {search.best_params_}")

# %%
# Now we do the same with a hundred strengths. `GDLinearRegressionCV` computes the moments of the
# data once, and starts each fit of a path from the fit before it.

many = np.geomspace(0.05, 20, 100)
start = time.perf_counter()
paths = [
    pipeline(GDLinearRegressionCV(l1_ratio=l1_ratios, alphas=many, cv=folds, tol=1e-4), degree)
    .fit(X, y)
    .named_steps["gdlinearregressioncv"]
    for degree in degrees
]
seconds = time.perf_counter() - start
print(f"GDLinearRegressionCV: {sum(m.mse_path_[..., 0].size for m in paths)} combinations, "
      f"{seconds:.1f} s")  # fmt: skip
for degree, model in zip(degrees, paths, strict=True):
    least = np.sqrt(model.mse_path_.mean(axis=-1).min())
    print(f"degree {degree}: least error {least:.2f}, with alpha={model.alpha_:.2g} and "
          f"l1_ratio={model.l1_ratio_:g}; {np.count_nonzero(model.coef_)} of "
          f"{model.n_features_in_} coefficients are not zero")  # fmt: skip

# %%
# The lines are the paths, and the dots are the grid. They differ a little, because the grid
# search fits the preprocessing again in each fold. Squares and products are of little use here.
# With a weak penalty they increase the error; with a lasso of the right strength they do not,
# because it drops most of the features.

plt.rcParams["font.size"] = 12
figure, axes = plt.subplots(
    2, 1, figsize=(6.4, 7.6), layout="constrained", sharex=True, sharey=True
)
looks = [("tab:blue", "o", "0, Ridge"), ("tab:orange", "^", "0.5"), ("black", "s", "1, Lasso")]
for i, (degree, model) in enumerate(zip(degrees, paths, strict=True)):
    errors = np.sqrt(model.mse_path_.mean(axis=-1))
    for j, (color, marker, label) in enumerate(looks):
        axes[i].semilogx(model.alphas_, errors[j], color=color)
        axes[i].plot(few, grid_errors[:, j, i], marker, color=color)
        axes[i].plot([], [], f"{marker}-", color=color, label=label)
    axes[i].plot(model.alpha_, errors.min(), "*", color="tab:red", markersize=14, label="best")
    axes[i].grid(alpha=0.3)
    axes[i].set(
        title=f"Degree {degree}: {model.n_features_in_} features",
        ylabel="error on held-out rows",
        ylim=(54, 64),
    )
axes[0].legend(title="l1_ratio", loc="upper left")
axes[1].set_xlabel("alpha")
plt.show()
