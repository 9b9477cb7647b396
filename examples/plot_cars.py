"""
============================
A table, from start to end
============================

A table as one finds it: 406 cars of the years 1970 to 1982, with a name, an origin, a date,
three numbers to learn from and three to predict. Two of the three that are to be predicted were
not measured for all cars. This example reads the table with pandas, turns words and dates into
features, fits three outputs at once, chooses a penalty, and reads the coefficients.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_gdlinreg import GDLinearRegression

try:
    folder = Path(__file__).parent
except NameError:  # in a gallery
    folder = Path()
cars = pd.read_csv(folder / "data" / "cars.csv.gz", parse_dates=["year"])
cars["make"] = cars["name"].str.split().str[0]
print(cars.head(3).T.to_string())

# %%
# What is to be predicted: fuel, power, and the time from 0 to 60 miles per hour. Miles per
# gallon become litres per 100 km, which grow in proportion to weight and power. Where a value
# is missing, it stays missing.

Y = pd.DataFrame(
    {
        "litres per 100 km": 235.215 / cars["miles_per_gallon"],
        "horsepower": cars["horsepower"],
        "seconds to 60 mph": cars["acceleration"],
    }
)
X = cars[["make", "origin", "year", "cylinders", "displacement", "weight_in_lbs"]]
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, random_state=0)
print(Y_train.isna().sum().rename("missing").to_string())

# %%
# Words, dates and numbers
# ------------------------
# Words become columns of zeros and ones. Makes with fewer than ten cars share a column. The
# date becomes the years since 1970. Numbers stay as they are: a fit without a penalty does not
# depend on their units, and one output after another learns from the rows where it is known.


def years(dates):
    """Return a table of dates as years since 1970."""
    start = pd.Timestamp("1970-01-01")
    return dates.apply(lambda column: (column - start).dt.days / 365.25)


words = OneHotEncoder(
    min_frequency=10, handle_unknown="infrequent_if_exist", sparse_output=False
)
features = make_column_transformer(
    (words, ["make", "origin"]),
    (FunctionTransformer(years, feature_names_out="one-to-one"), ["year"]),
    remainder="passthrough",
    verbose_feature_names_out=False,
)
features.set_output(transform="pandas")
model = make_pipeline(features, GDLinearRegression(missing_targets="ignore"))
model.fit(X_train, Y_train)
print(f"{len(model[-1].feature_names_in_)} features, stopped by {model[-1].stop_reason_}")


def scores(fitted):
    """Return R² per output, on the test cars where the output is known."""
    errors = (Y_test - fitted.predict(X_test)) ** 2
    return 1 - errors.mean() / Y_test.var(ddof=0)


print(scores(model).round(3).to_string())

# %%
# The columns of one word add up to one, so that the coefficients are not determined: a constant
# may move from the makes to the intercept. Nothing goes wrong. Of all the answers, the descent
# ends at the smallest one in standardised units, and predictions are the same in all of them.

# %%
# The choice of a penalty
# -----------------------
# A penalty compares coefficients, so the features are brought to one scale first. The outputs
# have different units, and each gets an ``alpha`` of its own: a share of its standard
# deviation. With an L1 penalty and a share of 1, all coefficients of an output would be zero.
# Cross-validation chooses the share; it scores each output on the rows where it is known.

scaled = make_pipeline(
    features,
    StandardScaler().set_output(transform="pandas"),
    GDLinearRegression(l1_ratio=1.0, missing_targets="ignore"),
)
shares = np.logspace(-3, -0.5, 11)
alphas = [share * Y_train.std().to_numpy() for share in shares]
search = GridSearchCV(scaled, {"gdlinearregression__alpha": alphas}, cv=5).fit(X_train, Y_train)
chosen = search.best_estimator_
print(f"share of the standard deviation: {shares[search.best_index_]:.3f}")
table = pd.DataFrame(
    {
        "R² without": scores(model),
        "R² with": scores(chosen),
        "alpha": chosen[-1].alpha,
        "coefficients that are zero": (chosen[-1].coef_ == 0).sum(axis=1),
    }
)
print(table.round(3).to_string())

# %%
# What the coefficients say
# -------------------------
# Each coefficient belongs to a feature in units of its standard deviation. Divided by the
# standard deviation of the output, it can be compared across outputs: by how many of its own
# standard deviations an output changes when the feature changes by one of its.

coefficients = pd.DataFrame(
    chosen[-1].coef_.T / Y_train.std().to_numpy(),
    index=chosen[-1].feature_names_in_,
    columns=Y.columns,
)
order = coefficients.abs().max(axis=1).sort_values()
strongest = coefficients.loc[order.index[-10:]]
print(strongest[::-1].round(2).to_string())

figure, axes = plt.subplots(figsize=(6.4, 5), layout="constrained")
strongest.plot.barh(ax=axes, width=0.8)
axes.axvline(0, color="0.5", linewidth=0.8)
axes.set_xlabel("standard deviations of the output per one of the feature")
axes.set_title("The ten strongest features of a car")
axes.legend(frameon=False)
plt.show()

# %%
# A heavy car takes more fuel and more time, one with large cylinders is strong and quick, and a
# car of a later year takes less fuel. To have a coefficient in litres, divide it by the
# standard deviation of the feature:

scale = chosen[1].scale_[list(chosen[-1].feature_names_in_).index("year")]
a_year = chosen[-1].coef_[0][list(chosen[-1].feature_names_in_).index("year")] / scale
print(f"A model year later: {a_year:+.2f} litres per 100 km")
