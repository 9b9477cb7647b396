"""GDLinearRegressionCV: the path of penalties, fold by fold, as scikit-learn's do it."""

import copy
import warnings
from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNetCV, RidgeCV
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    PredefinedSplit,
    ShuffleSplit,
    TimeSeriesSplit,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gdlinreg import GDLinearRegression, GDLinearRegressionCV
from sklearn_gdlinreg._cross_validation import folds as cv_folds
from sklearn_gdlinreg._rows.csr import CSRRows
from sklearn_gdlinreg._rows.dense import DenseRows

SPLITTERS = {
    "default": None,
    "three": 3,
    "shuffled": KFold(4, shuffle=True, random_state=0),
    "shuffle-split": ShuffleSplit(3, test_size=0.3, random_state=0),
    "time": TimeSeriesSplit(3),
    "list": [(np.arange(60), np.arange(60, 120)), (np.arange(20, 120), np.arange(20))],
    "masks": [(np.arange(120) % 3 > 0, np.arange(120) % 3 == 0), (range(90), [-1, -2, -3])],
    "drawn-twice": [(np.repeat(np.arange(80), 2), np.arange(80, 120))],
}


@pytest.fixture(params=["moments", "passes"])
def supplier(request, monkeypatch):
    """Run by moments, and by passes."""
    monkeypatch.setattr(cv_folds, "cheapest_way", lambda *_: request.param)
    return request.param


@pytest.fixture
def problem(make_data):
    X, Y = make_data(120, 9, 3, decades=0.5, offset=2.0, noise=2.0)
    return X, Y


@pytest.mark.parametrize("cv", SPLITTERS.values(), ids=SPLITTERS)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_path_of_elastic_net_cv(problem, supplier, cv, weighted):
    X, Y = problem
    weight = np.linspace(0.0, 3.0, 120) if weighted else None
    options = {"l1_ratio": [0.3, 1.0], "alphas": 20, "cv": cv}
    model = GDLinearRegressionCV(**options, tol=1e-8).fit(X, Y[:, 0], weight)
    other = ElasticNetCV(**options, tol=1e-12, max_iter=10**6).fit(X, Y[:, 0], weight)
    np.testing.assert_allclose(model.alphas_, other.alphas_, rtol=1e-9)
    np.testing.assert_allclose(model.mse_path_, other.mse_path_, rtol=1e-6)
    assert model.alpha_ == pytest.approx(other.alpha_)
    assert model.l1_ratio_ == other.l1_ratio_
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=1e-5, atol=1e-6)
    assert model.intercept_ == pytest.approx(other.intercept_, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"fit_intercept": False},
        {"positive": True},
        {"l1_ratio": 1.0, "eps": 1e-4, "alphas": 7},
        {"alphas": [0.1, 3.0, 0.01]},
        {"alphas": [0.1, 3.0, 0.01], "l1_ratio": [0.2, 0.8]},
        {"alphas": np.array([0.5])},
    ],
    ids=str,
)
def test_the_options_of_elastic_net_cv(problem, supplier, options):
    X, y = problem[0], problem[1][:, 1]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The best alpha is the smallest of alphas")
        model = GDLinearRegressionCV(**options).fit(X, y)
    other = ElasticNetCV(**options, tol=1e-12, max_iter=10**6).fit(X, y)
    assert np.shape(model.alphas_) == np.shape(other.alphas_)
    np.testing.assert_allclose(model.alphas_, other.alphas_, rtol=1e-9)
    np.testing.assert_allclose(np.squeeze(model.mse_path_), other.mse_path_, rtol=1e-6)
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_array])
def test_sparse_is_dense(problem, supplier, container):
    X, Y = problem
    X = np.where(np.abs(X - X.mean(axis=0)) > X.std(axis=0), X, 0.0)
    dense = GDLinearRegressionCV(alphas=12, cv=3).fit(X, Y)
    model = GDLinearRegressionCV(alphas=12, cv=3).fit(container(X), Y)
    np.testing.assert_allclose(model.mse_path_, dense.mse_path_, rtol=1e-6)
    np.testing.assert_allclose(model.coef_, dense.coef_, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.7])
def test_it_is_a_grid_search(problem, supplier, l1_ratio):
    X, Y = problem
    alphas = np.geomspace(1e-3, 1.0, 23)
    model = GDLinearRegressionCV(l1_ratio=l1_ratio, alphas=alphas, cv=4, tol=1e-9).fit(X, Y)
    search = GridSearchCV(
        GDLinearRegression(l1_ratio=l1_ratio, tol=1e-9), {"alpha": alphas[::-1]}, cv=KFold(4),
        scoring="neg_mean_squared_error",
    ).fit(X, Y)  # fmt: skip
    scores = np.stack([search.cv_results_[f"split{k}_test_score"] for k in range(4)], axis=1)
    np.testing.assert_allclose(model.mse_path_, -scores, rtol=1e-7)
    assert model.alpha_ == search.best_params_["alpha"]
    np.testing.assert_allclose(model.coef_, search.best_estimator_.coef_)
    np.testing.assert_allclose(model.predict(X), search.predict(X))
    assert model.score(X, Y) == pytest.approx(search.best_estimator_.score(X, Y))


def test_ridge_cv(problem):
    X, y = problem[0], problem[1][:, 0]
    alphas = np.geomspace(1e-3, 10.0, 30)
    # Folds of the same size: RidgeCV's penalty counts rows.
    model = GDLinearRegressionCV(l1_ratio=0.0, alphas=alphas, cv=4).fit(X, y)
    other = RidgeCV(alphas=alphas[::-1] * 90, cv=4, scoring="neg_mean_squared_error").fit(X, y)
    assert model.alpha_ * 90 == pytest.approx(other.alpha_)


def test_a_path_of_ridges_has_alphas(problem):
    X, Y = problem
    variance = X.var(axis=0).mean()
    for unit in (1.0, 1e-9, 1e9):
        model = GDLinearRegressionCV(l1_ratio=0.0, alphas=6).fit(X, Y * unit)
        expected = np.geomspace(1e4 * variance, 1e-6 * variance, 6)
        np.testing.assert_allclose(model.alphas_[:6], expected)
        assert len(model.alphas_) % 6 == 0


@pytest.mark.slow
@pytest.mark.parametrize(("unit", "y_unit"), [(1e-8, 1e-8), (5e-7, 1e-10), (1e8, 1e8), (1, 1e9)])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0, [0.0, 0.5, 1.0]])
def test_units_change_no_choice(rng, unit, y_unit, l1_ratio):
    Z = rng.standard_normal((300, 3))
    t = Z @ [1.0, 2.0, 3.0] + 0.1 * rng.standard_normal(300)
    plain = GDLinearRegressionCV(l1_ratio=l1_ratio, alphas=20).fit(Z, t)
    model = GDLinearRegressionCV(l1_ratio=l1_ratio, alphas=20).fit(Z * unit, t * y_unit)
    assert plain.score(Z, t) > 0.99
    assert model.score(Z * unit, t * y_unit) == pytest.approx(plain.score(Z, t), abs=1e-4)
    for factor in (1e-300, 1e308):
        weighted = GDLinearRegressionCV(l1_ratio=l1_ratio, alphas=20)
        weighted.fit(Z, t, np.full(300, factor))
        assert weighted.alpha_ == pytest.approx(plain.alpha_, rel=1e-9)


def test_a_path_goes_on_while_the_smallest_alpha_is_the_best(rng):
    X = rng.standard_normal((200, 5))
    y = X.sum(axis=1) + 1e-3 * rng.standard_normal(200)
    model = GDLinearRegressionCV(l1_ratio=[0.5, 1.0], eps=0.1, alphas=5).fit(X, y)
    n_alphas = model.alphas_.shape[1]
    assert n_alphas > 5
    assert n_alphas % 5 == 0
    assert model.mse_path_.shape == (2, n_alphas, 5)
    np.testing.assert_allclose(model.alphas_[:, 1:] / model.alphas_[:, :-1], 0.1**0.25)
    assert model.score(X, y) > 0.999


def test_alphas_that_may_end_too_soon_are_told(rng):
    X = rng.standard_normal((200, 5))
    y = X.sum(axis=1) + 1e-3 * rng.standard_normal(200)
    with pytest.warns(UserWarning, match="best alpha is the smallest of alphas, 0.1") as told:
        GDLinearRegressionCV(alphas=[1.0, 0.1]).fit(X, y)
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GDLinearRegressionCV(alphas=[0.1]).fit(X, y)
        GDLinearRegressionCV(alphas=[0.1, 0.0]).fit(X, y)
        GDLinearRegressionCV(alphas=[1e4, 1e3]).fit(X, y)


def test_the_warning_of_the_last_fit_points_to_the_user(rng):
    X = rng.standard_normal((60, 20)) @ rng.standard_normal((20, 200))
    y = X[:, 0] + rng.standard_normal(60)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        GDLinearRegressionCV(alphas=[1e-3], max_iter=1).fit(X, y)
    assert any("Stopped at max_iter=1" in str(warning.message) for warning in told)
    assert {warning.filename for warning in told} == {__file__}


def test_splits_that_are_none(problem):
    X, Y = problem
    used_up = KFold(3).split(X)
    list(used_up)
    for cv in ([], used_up):
        with pytest.raises(ValueError, match="cv gives no splits"):
            GDLinearRegressionCV(cv=cv).fit(X, Y)


def test_a_row_without_a_weight_is_absent_from_leave_one_out(rng):
    X = rng.standard_normal((20, 2))
    y, weight = X.sum(axis=1) + rng.standard_normal(20), np.ones(20)
    weight[7] = 0.0
    model = GDLinearRegressionCV(cv=LeaveOneOut(), alphas=6).fit(X, y, weight)
    kept = np.arange(20) != 7
    removed = GDLinearRegressionCV(cv=LeaveOneOut(), alphas=6).fit(X[kept], y[kept])
    np.testing.assert_allclose(model.mse_path_, removed.mse_path_, rtol=1e-6)
    assert model.alpha_ == pytest.approx(removed.alpha_)


@pytest.mark.parametrize("alpha_rule", ["min", "1se"])
@pytest.mark.parametrize("cv", [KFold(20), PredefinedSplit([*range(8), *[8, 9] * 6])])
@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error"])
def test_a_row_without_a_weight_that_alone_makes_a_fold_is_absent(rng, cv, alpha_rule, scoring):
    """The mean over the folds, and its standard error, are those of the other folds."""
    X = rng.standard_normal((20, 2))
    y, weight = X.sum(axis=1) + rng.standard_normal(20), np.ones(20)
    weight[7] = 0.0
    splits = list(cv.split(X))
    of_others = [(train[train != 7], test) for train, test in splits if list(test) != [7]]
    options = {"alphas": 6, "alpha_rule": alpha_rule, "scoring": scoring}
    model = GDLinearRegressionCV(cv=cv, **options).fit(X, y, weight)
    others = GDLinearRegressionCV(cv=of_others, **options).fit(X, y, weight)
    assert model.mse_path_.shape == (6, len(splits) - 1)
    np.testing.assert_allclose(model.mse_path_, others.mse_path_, rtol=1e-6)
    assert model.alpha_ == pytest.approx(others.alpha_)
    assert model.best_score_ == pytest.approx(others.best_score_, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("N", "M"), [(30, 80), (40, 3)])
@pytest.mark.parametrize("D", [1, 20])
def test_wide_and_long_and_many_outputs(make_data, supplier, N, M, D):
    X, Y = make_data(N, M, D, decades=0.5, noise=3.0)
    model = GDLinearRegressionCV(alphas=6, cv=3, l1_ratio=0.9).fit(X, Y)
    fold = ~(np.arange(N) < N // 3 + (N % 3 > 0))
    for k, alpha in enumerate(model.alphas_):
        single = GDLinearRegression(alpha=alpha, l1_ratio=0.9).fit(X[fold], Y[fold])
        error = ((single.predict(X[~fold]) - Y[~fold]) ** 2).mean()
        assert model.mse_path_[k, 0] == pytest.approx(error, rel=1e-5)


def test_offsets_and_scales_cost_nothing(problem):
    X, Y = problem
    expected = GDLinearRegressionCV(alphas=20).fit(X, Y).mse_path_
    model = GDLinearRegressionCV(alphas=20).fit(X + 1e6, Y + 1e6)
    np.testing.assert_allclose(model.mse_path_, expected, rtol=1e-6)


def test_a_feature_that_is_constant_in_a_fold(problem):
    X, Y = problem
    X = np.hstack([X, np.eye(120)[:, :2], np.ones((120, 1))])
    model = GDLinearRegressionCV(alphas=20).fit(X, Y)
    rows = np.arange(120) >= 24
    for k in (0, 19):
        single = GDLinearRegression(alpha=model.alphas_[k], l1_ratio=0.5).fit(X[rows], Y[rows])
        error = ((single.predict(X[~rows]) - Y[~rows]) ** 2).mean()
        assert model.mse_path_[k, 0] == pytest.approx(error, rel=1e-6)


def test_float32(problem):
    X, Y = (A.astype(np.float32) for A in problem)
    model = GDLinearRegressionCV(alphas=10).fit(X, Y)
    assert model.coef_.dtype == model.intercept_.dtype == model.predict(X).dtype == np.float32
    expected = GDLinearRegressionCV(alphas=10).fit(*problem)
    np.testing.assert_allclose(model.mse_path_, expected.mse_path_, rtol=1e-3)


def test_weights_are_repetitions(problem):
    X, Y = problem
    times = np.arange(120) % 3
    rows = np.repeat(np.arange(120), times)
    ends = np.cumsum(times)
    folds = [(np.arange(60, 120), np.arange(60)), (np.arange(60), np.arange(60, 120))]
    again = [(np.arange(ends[59], ends[-1]), np.arange(ends[59]))]
    again.append(again[0][::-1])
    model = GDLinearRegressionCV(cv=folds, alphas=10).fit(X, Y, times)
    repeated = GDLinearRegressionCV(cv=again, alphas=10).fit(X[rows], Y[rows])
    np.testing.assert_allclose(model.mse_path_, repeated.mse_path_, rtol=1e-9)
    np.testing.assert_allclose(model.coef_, repeated.coef_, rtol=1e-9)


def test_nothing_to_learn(problem):
    X, _ = problem
    model = GDLinearRegressionCV(alphas=4).fit(X, np.ones(120))
    np.testing.assert_array_equal(model.coef_, 0.0)
    assert model.intercept_ == pytest.approx(1.0)
    assert np.isfinite(model.alphas_).all()


def test_in_a_pipeline_and_in_threads(problem):
    X, Y = problem
    expected = make_pipeline(StandardScaler(), GDLinearRegressionCV(alphas=10)).fit(X, Y)
    model = make_pipeline(StandardScaler(), GDLinearRegressionCV(alphas=10, n_jobs=2)).fit(X, Y)
    np.testing.assert_array_equal(model[-1].mse_path_, expected[-1].mse_path_)


def test_groups_are_routed(problem):
    X, Y = problem
    groups = np.arange(120) % 7
    with config_context(enable_metadata_routing=True):
        model = GDLinearRegressionCV(cv=GroupKFold(3), alphas=5).fit(X, Y, groups=groups)
    splits = list(GroupKFold(3).split(X, Y, groups))
    expected = GDLinearRegressionCV(cv=splits, alphas=5).fit(X, Y)
    np.testing.assert_array_equal(model.mse_path_, expected.mse_path_)
    with pytest.raises(ValueError, match=r"need enable_metadata_routing=True.*\['groups'\]"):
        GDLinearRegressionCV(cv=GroupKFold(3)).fit(X, Y, groups=groups)


def test_leave_one_out(problem):
    X, y = problem[0][:20], problem[1][:20, 0]
    model = GDLinearRegressionCV(cv=LeaveOneOut(), alphas=3).fit(X, y)
    assert model.mse_path_.shape == (3, 20)
    assert np.isfinite(model.mse_path_).all()


def test_too_few_iterations_are_told(make_data, supplier):
    # There are more features than a first working set takes.
    X, Y = make_data(120, 300, 3, noise=2.0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        GDLinearRegressionCV(max_iter=1, alphas=3).fit(X, Y)
    if supplier == "moments":
        # The products of all features end a path without a look at the data.
        assert not any("paths" in str(warning.message) for warning in told)
        return
    assert {warning.category for warning in told} == {ConvergenceWarning}
    assert told[0].filename == __file__
    assert "5 of 5 paths stopped at max_iter=1 short of tol=1e-06" in str(told[0].message)


BAD = {
    "l1_ratio": [-0.1, 1.1, "a", None, [], [0.5, 2], np.nan],
    "eps": [0, -1, "a", np.inf],
    "alphas": [0, -1, 2.5, "a", None, [], [0.1, -1], [[0.1]], True],
    "fit_intercept": [1],
    "positive": ["a", [1, 0, 1]],
    "penalty_factor": [1.0, "a", [1.0, -1.0], [np.nan]],
    "max_iter": [0],
    "tol": [-1],
    "alpha_per_target": [1, "a", None],
    "alpha_rule": ["2se", None, 1],
    "missing_targets": ["drop", True],
    "scoring": [["r2"], {"a": "r2"}, 1, False],
    "n_jobs": [1.5, "a"],
    "verbose": [-1],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in BAD.items() for v in vs])
def test_parameters(problem, name, value):
    model = GDLinearRegressionCV().fit(*problem)
    before = copy.deepcopy(vars(model.set_params(**{name: value})))
    with pytest.raises(ValueError, match=f"The '{name}' parameter of GDLinearRegressionCV"):
        model.fit(*problem)
    assert vars(model).keys() == before.keys()
    np.testing.assert_array_equal(model.coef_, before["coef_"])


@pytest.mark.parametrize("name", ["l1_ratio", "eps", "tol"])
@pytest.mark.parametrize("kind", [Fraction, np.longdouble])
def test_real_parameters_of_other_types(problem, name, kind):
    # A list of alphas, too.
    alphas = [1e4, 1e3] if name == "tol" else 5
    model = GDLinearRegressionCV(alphas=alphas, **{name: kind(0.25)}).fit(*problem)
    if name == "tol":
        model.set_params(alphas=list(map(kind, alphas))).fit(*problem)
    expected = GDLinearRegressionCV(alphas=alphas, **{name: 0.25}).fit(*problem)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    for value in (10**400, Fraction(10**400, 3)):
        with pytest.raises(TypeError, match=f"The '{name}' parameter of GDLinearRegressionCV"):
            model.set_params(**{name: value}).fit(*problem)


def test_every_parameter_is_checked():
    # scikit-learn checks cv.
    assert BAD.keys() | {"cv"} == GDLinearRegressionCV().get_params().keys()


def test_bad_data(problem):
    X, Y = problem
    with pytest.raises(ValueError, match="Input y contains NaN"):
        GDLinearRegressionCV().fit(X, np.where(Y[3, 1] == Y, np.nan, Y))
    with pytest.raises(ValueError, match=r"contains NaN\.\nThis estimator does not"):
        GDLinearRegressionCV().fit(np.where(X[3, 1] == X, np.nan, X), Y)
    with pytest.raises(ValueError, match="Input X contains infinity"):
        GDLinearRegressionCV().fit(np.where(X[3, 1] == X, np.inf, X), Y)
    weight = (np.arange(120) < 24) * 1.0
    with pytest.raises(ValueError, match="Fold 0 of cv has no rows to learn from with a"):
        GDLinearRegressionCV().fit(X, Y, weight)
    with pytest.raises(ValueError, match="Fold 0 of cv has no rows to test on with a"):
        GDLinearRegressionCV().fit(X, Y, 1 - weight)


@pytest.mark.parametrize("l1_ratio", [0.5, 0.0])
@pytest.mark.parametrize(("shape", "seed"), [((12, 20), 0), ((60, 45), 26)])
def test_no_penalty_on_a_path_is_what_it_is_alone(shape, seed, l1_ratio):
    """Moments of a fold cannot tell directions that are nearly flat."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(shape)
    y = X[:, 0] + rng.standard_normal(shape[0])
    folds = KFold(3 if shape[0] == 12 else 5)
    model = GDLinearRegressionCV(alphas=[1.0, 0.1, 0.0], l1_ratio=l1_ratio, cv=folds).fit(X, y)
    for fold, (train, test) in enumerate(folds.split(X)):
        alone = GDLinearRegression().fit(X[train], y[train]).predict(X[test])
        expected = ((alone - y[test]) ** 2).mean()
        assert model.mse_path_[-1, fold] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_the_last_fit_uses_the_moments_that_are_there(make_data, container, monkeypatch):
    """Rows are looked at once for all of them, and once for each fold's test."""
    X, Y = make_data()
    kind, read = (DenseRows if container is np.asarray else CSRRows), []
    for name in ("moments", "column_moments"):
        looked = getattr(kind, name)

        def count(rows, looked=looked):
            read.append(rows.n_rows)
            return looked(rows)

        monkeypatch.setattr(kind, name, count)
    model = GDLinearRegressionCV(l1_ratio=[0.5, 1.0], alphas=[0.01], cv=4).fit(container(X), Y)
    # The moments of sparse rows begin with those of their columns.
    assert sum(rows == len(X) for rows in read) == (1 if container is np.asarray else 2)
    alone = GDLinearRegression(alpha=model.alpha_, l1_ratio=model.l1_ratio_).fit(container(X), Y)
    np.testing.assert_array_equal(model.coef_, alone.coef_)
