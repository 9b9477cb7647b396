"""
====================================
Early stopping with a validation set
====================================

The data are ten measurements of 442 diabetes patients, with their squares and products. These
are 65 features, too many for so few rows: least squares also fits the noise. A descent passes
better models on its way there. Early stopping monitors the loss on validation rows, and returns
the best of these models.

In a `Pipeline` the validation rows must be transformed like the others. `transform_input` does
this.
"""

import matplotlib.pyplot as plt
from sklearn import config_context
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklearn_gdlinreg import GDLinearRegression, LossCurveDisplay

X, y = load_diabetes(return_X_y=True, scaled=False)
X_rest, X_test, y_rest, y_test = train_test_split(X, y, random_state=0)
X_train, X_val, y_train, y_val = train_test_split(X_rest, y_rest, random_state=0)
print(
    f"{len(y_train)} rows to learn from, {len(y_val)} to validate on, {len(y_test)} to test on"
)

# %%
# The model requests `X_val` and `y_val`, and the pipeline transforms `X_val`. One model stops
# after 5 iterations without improvement, the default. The other continues to the end, to show
# what would have come.


def pipeline(model):
    """Return a pipeline that scales, adds squares and products, and fits the model."""
    squares = PolynomialFeatures(include_bias=False)
    return make_pipeline(StandardScaler(), squares, model, transform_input=["X_val"])


def stopped(patience):
    """Return a pipeline whose descent ends after so many iterations without improvement."""
    model = GDLinearRegression(early_stopping=True, n_iter_no_change=patience)
    model.set_fit_request(X_val=True, y_val=True)
    return pipeline(model).fit(X_train, y_train, X_val=X_val, y_val=y_val)


with config_context(enable_metadata_routing=True):
    early, patient = stopped(patience=5), stopped(patience=100)
    converged = pipeline(GDLinearRegression()).fit(X_train, y_train)

for name, model in [("early stopping", early), ("least squares", converged)]:
    train, test = model.score(X_train, y_train), model.score(X_test, y_test)
    print(f"{name:<16}{model[-1].n_iter_:>4} iterations, "
          f"R² {train:.2f} on the training rows, {test:.2f} on the test rows")  # fmt: skip

# %%
# The solid lines are the loss on the training rows, which never increases. The dashed lines are
# the loss on the validation rows, which is least after a few iterations, at the ring. The two
# descents are the same until the first one stops.

plt.rcParams["font.size"] = 12
figure, axes = plt.subplots(figsize=(6.4, 5), layout="constrained")
LossCurveDisplay.from_estimators(
    {"patience 100": patient, "patience 5": early}, axes, log_scale=False
)
axes.set_title("Better on training rows, worse on validation rows")
axes.grid(alpha=0.3)
plt.show()
