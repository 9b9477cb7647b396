"""
============================
A table, from start to end
============================

This example works through a typical table, from reading it to interpreting the coefficients. The
table has 406 cars from the years 1970 to 1982, with a name, an origin, a date and three numbers
as features, and three numbers to predict. Two of the targets were not measured for all cars. We
read the table with pandas, turn words and dates into features, fit three outputs at once, and
choose a penalty for each of them.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_gdlinreg import GDLinearRegression, GDLinearRegressionCV

try:
    folder = Path(__file__).parent
except NameError:  # in a gallery
    folder = Path()
cars = pd.read_csv(folder / "data" / "cars.csv.gz", parse_dates=["year"])
cars["make"] = cars["name"].str.split().str[0]
print(cars.head(3).T.to_string())

# %%
# The targets are fuel consumption, power, and the time from 0 to 60 miles per hour. Miles per
# gallon are converted to litres per 100 km, which grow in proportion to weight and power.
# Missing values stay missing.

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
# date becomes the number of years since 1970. Numbers stay as they are, because a fit without a
# penalty does not depend on their units. Each output is fitted on the rows where it is known.


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
# The one-hot columns of a word add up to one, so the coefficients are not unique: a constant can
# be moved from the makes to the intercept. This does no harm. Of all the solutions, the fit
# returns the one with the smallest coefficients in standardised units, and all of them predict
# the same.

# %%
# The choice of a penalty
# -----------------------
# A penalty compares coefficients, so the features are brought to one scale first. The outputs
# have different units, so each gets an ``alpha`` of its own, from a path of its own.
# Cross-validation chooses it on the rows where that output is known. With an L1 penalty, some
# coefficients become zero.

scaled = make_pipeline(
    features,
    StandardScaler().set_output(transform="pandas"),
    GDLinearRegressionCV(l1_ratio=1.0, alpha_per_target=True, missing_targets="ignore"),
)
scaled.fit(X_train, Y_train)
chosen = scaled[-1]
table = pd.DataFrame(
    {
        "R² without": scores(model),
        "R² with": scores(scaled),
        "alpha": chosen.alpha_,
        "coefficients that are zero": (chosen.coef_ == 0).sum(axis=1),
    }
)
print(table.round(3).to_string())

# %%
# What the coefficients say
# -------------------------
# The features are scaled to a standard deviation of one. When the coefficients are divided by
# the standard deviation of the output, they can be compared across outputs: each says by how
# many standard deviations the output changes when the feature changes by one standard deviation.

coefficients = pd.DataFrame(
    chosen.coef_.T / Y_train.std().to_numpy(),
    index=chosen.feature_names_in_,
    columns=Y.columns,
)
order = coefficients.abs().max(axis=1).sort_values()
strongest = coefficients.loc[order.index[-10:]]
print(strongest[::-1].round(2).to_string())

figure, axes = plt.subplots(figsize=(6.4, 5), layout="constrained")
strongest.plot.barh(ax=axes, width=0.8)
axes.axvline(0, color="0.5", linewidth=0.8)
axes.set_xlabel("standardised coefficient")
axes.set_title("The ten features with the largest coefficients")
axes.legend(frameon=False, reverse=True)
plt.show()

# %%
# A heavy car needs more fuel and more time, a car with a large displacement is powerful and
# quick, and a car of a later year needs less fuel. To get a coefficient in litres, divide it by
# the standard deviation of the feature:

year = list(chosen.feature_names_in_).index("year")
a_year = chosen.coef_[0, year] / scaled[1].scale_[year]
print(f"A model year later: {a_year:+.2f} litres per 100 km")
