"""
======================
Sparse text regression
======================

How long is the code that a docstring describes? The texts are the docstrings of scikit-learn's
functions; the target is the logarithm of their number of lines. Words and pairs of words make
more than ten thousand columns, most of which are zero in each row. They are stored in a sparse
matrix, which the fit neither copies nor converts to a dense array.

A linear model of words explains some of the variance in files that it has not seen: a quarter
with the sources of scikit-learn 1.9, an eighth with those of 1.7. `GDLinearRegression` and
`Ridge` give the same answer. `SGDRegressor` is far worse with its default learning rate, and as
good after a search for a better one.
"""

import ast
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge, SGDRegressor
from sklearn.model_selection import GridSearchCV, GroupKFold, GroupShuffleSplit

from sklearn_gdlinreg import GDLinearRegression

# %%
# Python reads the source files. Functions without a docstring or without any code are left out,
# and so are tests and code from other projects. Of functions with the same docstring, the last
# one is used.

library = Path(sklearn.__file__).parent
found = {}
for path in sorted(library.rglob("*.py")):
    if {"tests", "externals"}.isdisjoint(path.relative_to(library).parts):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef) or len(node.body) == 1:
                continue
            if docstring := ast.get_docstring(node):
                found[docstring] = str(path), node.end_lineno - node.body[1].lineno + 1
texts = np.array(list(found), dtype=object)
files, lines = map(np.array, zip(*found.values(), strict=True))
y = np.log(lines)

# %%
# Rows of one file are alike, so whole files are held out, in the test as in the search for the
# parameters.

train, test = next(GroupShuffleSplit(test_size=0.25, random_state=0).split(texts, y, files))
words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
X_train, X_test = words.fit_transform(texts[train]), words.transform(texts[test])
print(f"{X_train.shape[0]:,} rows, {X_train.shape[1]:,} columns, "
      f"{X_train.nnz / X_train.shape[0]:.0f} of them not zero in a row")  # fmt: skip

# %%
# A search chooses the strength of the penalty. All three estimators have the same penalty; the
# `alpha` of `Ridge` is larger by a factor of the number of rows. `SGDRegressor` is fitted with
# its default learning rate, and with one that a search chooses.

folds = GroupKFold(3)


def searched(model, **grid):
    """Return the best of the models with these parameters, fitted to all training rows."""
    search = GridSearchCV(model, grid, cv=folds)
    return search.fit(X_train, y[train], groups=files[train]).best_estimator_


ours = searched(GDLinearRegression(), alpha=np.geomspace(1e-4, 1e-2, 5))
sgd = SGDRegressor(alpha=ours.alpha, random_state=0)
models = {
    "GDLinearRegression": ours,
    "Ridge": Ridge(alpha=len(train) * ours.alpha).fit(X_train, y[train]),
    "SGDRegressor": sgd.fit(X_train, y[train]),
    "SGDRegressor, searched": searched(clone(sgd), eta0=[0.01, 0.1, 1.0]),
}
print(f"alpha={ours.alpha:g}")
for name, model in models.items():
    print(f"{name:<24}R² on other files {model.score(X_test, y[test]):.4f}")

# %%
# The plot shows the words with the largest coefficients. Functions that fit something and have
# many defaults are long; functions that only return something are short.

plt.rcParams["font.size"] = 12
order = np.argsort(ours.coef_)
ends = np.r_[order[:12], order[-12:]]
places = np.arange(len(ends))
figure, axes = plt.subplots(figsize=(6.4, 7.5), layout="constrained")
colors = np.where(ours.coef_[ends] < 0, "tab:blue", "#c25700")
axes.barh(places, ours.coef_[ends], color=colors)
axes.set_yticks(places, words.get_feature_names_out()[ends])
axes.text(0.1, places[6], "short code", color="tab:blue", va="center")
axes.text(-0.1, places[-6], "long code", color="#c25700", va="center", ha="right")
axes.set(
    xlabel="coefficient",
    title="Words of long and short code",
    ylim=(-0.7, len(ends) - 0.3),
)
axes.grid(axis="x", alpha=0.3)
axes.set_axisbelow(True)
plt.show()
