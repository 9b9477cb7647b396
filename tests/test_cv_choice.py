"""How GDLinearRegressionCV chooses: per output, by a rule, by a score, of missing targets."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import MultiTaskElasticNetCV, RidgeCV
from sklearn.metrics import (
    get_scorer,
    make_scorer,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
)
from sklearn.model_selection import KFold, LeaveOneOut, cross_val_predict

from sklearn_gdlinreg import GDLinearRegression, GDLinearRegressionCV

RATIOS = [0.0, 0.5, 1.0]


@pytest.fixture
def data(rng):
    """Outputs in units a thousand times apart, of unlike noise."""
    X = rng.standard_normal((90, 7)) @ rng.standard_normal((7, 7)) + 3.0
    Y = X @ rng.standard_normal((7, 3)) + rng.standard_normal((90, 3)) * [0.5, 8.0, 2.0]
    return X, Y * [1.0, 1e3, 1e-3]


def by_hand(model, X, y, alpha, weight=None):
    """Return the mean of the errors on each fold of fits with this alpha."""
    weight, errors = np.ones(len(y)) if weight is None else weight, []
    for train, test in model.cv.split(X):
        own = GDLinearRegression(
            alpha=alpha, l1_ratio=model.l1_ratio_, tol=1e-10,
            positive=model.positive, penalty_factor=model.penalty_factor,
        ).fit(X[train], y[train], weight[train])  # fmt: skip
        errors.append(np.average((own.predict(X[test]) - y[test]) ** 2, weights=weight[test]))
    return np.mean(errors)


@pytest.mark.parametrize("l1_ratio", RATIOS)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_an_alpha_per_output_is_that_of_the_output_alone(data, l1_ratio, container):
    X, Y = data
    options = {"l1_ratio": l1_ratio, "alphas": 12, "tol": 1e-9, "cv": KFold(4)}
    model = GDLinearRegressionCV(alpha_per_target=True, **options).fit(container(X), Y)
    alone = [GDLinearRegressionCV(**options).fit(container(X), y) for y in Y.T]
    n = model.alphas_.shape[0]
    assert model.alphas_.shape == (n, 3)
    assert model.mse_path_.shape == (n, 4, 3)
    assert model.alpha_.shape == model.best_score_.shape == (3,)
    for d, own in enumerate(alone):
        shared = min(n, len(own.alphas_))
        np.testing.assert_allclose(model.alphas_[:shared, d], own.alphas_[:shared])
        np.testing.assert_allclose(model.mse_path_[:shared, :, d], own.mse_path_[:shared], 1e-6)
        assert model.alpha_[d] == pytest.approx(own.alpha_)
        assert model.best_score_[d] == pytest.approx(own.best_score_, rel=1e-6)
        np.testing.assert_allclose(model.coef_[d], own.coef_, rtol=1e-4)


def test_an_output_in_small_units_keeps_its_fit(rng):
    X = rng.standard_normal((120, 10))
    Y = X @ rng.standard_normal((10, 2)) + rng.standard_normal((120, 2))
    Y[:, 0] = X[:, 0] + 0.1 * rng.standard_normal(120)
    Y[:, 1] = 1e4 * (X[:, 1] + 20.0 * rng.standard_normal(120))
    options = {"l1_ratio": 1.0, "alphas": 30}
    shared = GDLinearRegressionCV(**options).fit(X, Y)
    own = GDLinearRegressionCV(alpha_per_target=True, **options).fit(X, Y)
    assert r2_score(Y[:, 0], shared.predict(X)[:, 0]) < 0.5
    assert r2_score(Y[:, 0], own.predict(X)[:, 0]) > 0.95


def test_one_ratio_for_all_outputs_by_relative_errors(data):
    X, Y = data
    options = {"l1_ratio": [0.1, 1.0], "alphas": 8, "cv": KFold(3), "alpha_per_target": True}
    model = GDLinearRegressionCV(**options).fit(X, Y)
    least = model.mse_path_.mean(axis=2).min(axis=1) / Y.var(axis=0)
    assert model.l1_ratio_ == [0.1, 1.0][int(least.sum(axis=1).argmin())]
    scaled = GDLinearRegressionCV(**options).fit(X, Y * [1e5, 1.0, 1e-3])
    assert scaled.l1_ratio_ == model.l1_ratio_
    np.testing.assert_allclose(scaled.alpha_, model.alpha_ * [1e5, 1.0, 1e-3])


@pytest.mark.parametrize("per_target", [False, True])
@pytest.mark.parametrize("shape", ["1d", "2d"])
def test_shapes_of_one_output(data, per_target, shape):
    X, Y = data
    y = Y[:, 0] if shape == "1d" else Y[:, :1]
    model = GDLinearRegressionCV(alphas=5, alpha_per_target=per_target).fit(X, y)
    expected = (1,) if per_target and shape == "2d" else ()
    assert np.shape(model.alpha_) == np.shape(model.best_score_) == expected
    assert model.mse_path_.shape == (len(model.alphas_), 5, *expected)
    assert model.alphas_.shape[1:] == expected


@pytest.mark.parametrize("per_target", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.7])
def test_the_rule_of_one_standard_error(data, per_target, l1_ratio):
    X, Y = data
    options = {
        "l1_ratio": l1_ratio,
        "alphas": 25,
        "alpha_per_target": per_target,
        "cv": KFold(6),
    }
    least = GDLinearRegressionCV(**options).fit(X, Y)
    simple = GDLinearRegressionCV(alpha_rule="1se", **options).fit(X, Y)
    np.testing.assert_array_equal(simple.mse_path_, least.mse_path_)
    errors = least.mse_path_.reshape(*least.mse_path_.shape[:2], -1)
    alphas = least.alphas_.reshape(len(errors), -1)
    for d, (chosen, score) in enumerate(
        zip(np.ravel(simple.alpha_), np.ravel(simple.best_score_), strict=True)
    ):
        mean = errors[:, :, d].mean(axis=1)
        best = mean.argmin()
        limit = mean[best] + errors[best, :, d].std(ddof=1) / np.sqrt(6)
        expected = alphas[mean <= limit, d].max()
        assert chosen == expected
        assert -score == pytest.approx(mean[alphas[:, d] == expected][0])
    assert np.all(simple.alpha_ >= least.alpha_)
    assert np.any(simple.alpha_ > least.alpha_)


def test_one_standard_error_needs_folds(data):
    X, Y = data
    with pytest.raises(ValueError, match="needs the scores of two folds"):
        GDLinearRegressionCV(alpha_rule="1se", cv=[(range(60), range(60, 90))]).fit(X, Y)
    with pytest.raises(ValueError, match="needs the scores of two folds"):
        GDLinearRegressionCV(alpha_rule="1se", cv=LeaveOneOut(), scoring="r2").fit(X, Y)
    GDLinearRegressionCV(alpha_rule="1se", cv=LeaveOneOut(), l1_ratio=0.0).fit(X, Y)


@pytest.mark.parametrize("scoring", [None, "r2"])
def test_one_standard_error_needs_folds_of_each_output(data, scoring):
    X, Y = data
    Y[30:, 1] = np.nan
    Y[29, 1] = Y[40, 1] = Y[41, 1] = 0.0
    options = {"cv": KFold(3), "alphas": 5, "missing_targets": "ignore", "scoring": scoring}
    per_target = {"alpha_rule": "1se", "alpha_per_target": True, **options}
    GDLinearRegressionCV(**per_target).fit(X, Y)
    Y[40:, 1] = np.nan
    splits = [(np.r_[:20, 30:90], range(20, 30)), (np.r_[:60], range(60, 90))]
    per_target["cv"] = options["cv"] = splits
    with pytest.raises(ValueError, match=r"two folds or more\. Got one for output 1 of y"):
        GDLinearRegressionCV(**per_target).fit(X, Y)
    with pytest.raises(ValueError, match=r"two folds or more\. Got one for y"):
        GDLinearRegressionCV(alpha_rule="1se", **options).fit(X, Y[:, 1])
    # Where outputs share an alpha, each fold has a mean over those that it tests.
    GDLinearRegressionCV(alpha_rule="1se", **options).fit(X, Y)
    GDLinearRegressionCV(**{**per_target, "alpha_rule": "min"}).fit(X, Y)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "scoring", ["r2", "neg_mean_absolute_error", make_scorer(mean_squared_error)]
)
def test_scores_are_those_of_cross_validation(data, scoring, l1_ratio, weighted):
    X, Y = data
    weight = np.linspace(0.2, 2.0, 90) if weighted else None
    alphas, splitter = [1.0, 0.1, 0.01], KFold(3)
    model = GDLinearRegressionCV(
        l1_ratio=l1_ratio, alphas=alphas, cv=splitter, scoring=scoring, tol=1e-9
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.fit(X, Y, weight)
    scorer = get_scorer(scoring)
    assert model.score_path_.shape == model.mse_path_.shape == (3, 3)
    for a, alpha in enumerate(alphas):
        for k, (train, test) in enumerate(splitter.split(X)):
            own = None if weight is None else weight[train]
            fit = GDLinearRegression(alpha=alpha, l1_ratio=l1_ratio, tol=1e-9).fit(
                X[train], Y[train], own
            )
            options = {} if weight is None else {"sample_weight": weight[test]}
            expected = scorer(fit, X[test], Y[test], **options)
            assert model.score_path_[a, k] == pytest.approx(expected, rel=1e-6)
    best = model.score_path_.mean(axis=1)
    assert model.alpha_ == alphas[best.argmax()]
    assert model.best_score_ == pytest.approx(best.max())


def test_bad_scores(data):
    X, Y = data
    with pytest.raises(ValueError, match="make_scorer"):
        GDLinearRegressionCV(scoring=mean_absolute_error).fit(X, Y)
    with pytest.raises(ValueError, match="scoring"):
        GDLinearRegressionCV(scoring="not_a_score").fit(X, Y)
    one_by_one = [(np.delete(np.arange(90), i), [i]) for i in range(90)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="scoring gives NaN"):
            GDLinearRegressionCV(scoring="r2", cv=one_by_one, alphas=3).fit(X, Y)


def test_a_score_that_one_row_leaves_undefined_warns_once(data):
    X, Y = data
    rows = np.arange(90)
    splits = [(rows[1:], rows[:1]), (rows[:45], rows[45:]), (rows[45:], rows[:45])]
    alphas = np.geomspace(10.0, 1e-3, 20)
    model = GDLinearRegressionCV(scoring="r2", cv=splits, alphas=alphas)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.fit(X, Y[:, 0])
    assert [warning.category for warning in told] == [UndefinedMetricWarning]
    assert (np.isnan(model.score_path_) == [True, False, False]).all()
    scores = model.score_path_[:, 1:].mean(axis=1)
    assert model.best_score_ == pytest.approx(scores.max(), rel=1e-12)


def test_a_scorer_is_routed_its_weights(data):
    X, Y = data
    weight = np.linspace(0.2, 2.0, 90)
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(mean_absolute_error, greater_is_better=False)
        scores = {}
        for asked in (False, True):
            model = GDLinearRegressionCV(
                alphas=4, scoring=scorer.set_score_request(sample_weight=asked)
            ).set_fit_request(sample_weight=True)
            scores[asked] = model.fit(X, Y, sample_weight=weight).score_path_
    plain = GDLinearRegressionCV(alphas=4, scoring="neg_mean_absolute_error")
    np.testing.assert_allclose(plain.fit(X, Y, weight).score_path_, scores[True])
    assert not np.allclose(scores[True], scores[False])


def left_out(X, Y, weight, **options):
    """Return the predictions of each row by fits to all others, one by one."""
    predicted = np.empty(Y.shape)
    for i in range(len(Y)):
        rest = np.delete(np.arange(len(Y)), i)
        own = GDLinearRegression(tol=0, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            own.fit(X[rest], Y[rest], None if weight is None else weight[rest])
        predicted[i] = own.predict(X[[i]])[0]
    return predicted


@pytest.mark.parametrize("shape", [(40, 6), (40, 60)])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("factors", [False, True])
def test_leave_one_out_is_that_of_fits(rng, shape, container, weighted, fit_intercept, factors):
    X = rng.standard_normal(shape) * np.geomspace(1.0, 30.0, shape[1]) + 2.0
    Y = X[:, :3] @ rng.standard_normal((3, 3)) + rng.standard_normal((40, 3))
    weight = rng.uniform(0.1, 3.0, 40) if weighted else None
    factor = rng.uniform(0.2, 3.0, shape[1]) if factors else None
    own = {"fit_intercept": fit_intercept, "penalty_factor": factor}
    alphas = [100.0, 1.0, 0.01]
    model = GDLinearRegressionCV(l1_ratio=0.0, alphas=alphas, cv=LeaveOneOut(), **own)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.fit(container(X), Y, weight)
    for a, alpha in enumerate(alphas):
        apart = (left_out(container(X), Y, weight, alpha=alpha, **own) - Y) ** 2
        np.testing.assert_allclose(model.mse_path_[a], apart.mean(axis=1), 1e-9, 1e-12)


def test_leave_one_out_is_ridge_cv(data):
    """Of equal weights, whose penalty is the same for all rows."""
    X, Y = data
    alphas = np.geomspace(1e3, 1e-3, 13)
    for per_target in (False, True):
        theirs = RidgeCV(alphas * 89, alpha_per_target=per_target, store_cv_results=True).fit(
            X, Y
        )
        ours = GDLinearRegressionCV(
            l1_ratio=0.0, alphas=alphas, alpha_per_target=per_target, cv=LeaveOneOut()
        ).fit(X, Y)
        np.testing.assert_allclose(ours.alpha_ * 89, theirs.alpha_)
        np.testing.assert_allclose(ours.best_score_, theirs.best_score_)
    expected = np.moveaxis(theirs.cv_results_, 2, 0)
    np.testing.assert_allclose(ours.mse_path_, expected, rtol=1e-8)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_scores_of_leave_one_out_are_of_all_rows(data, l1_ratio):
    X, Y = data
    model = GDLinearRegressionCV(
        l1_ratio=l1_ratio, alphas=[1.0, 0.1], cv=LeaveOneOut(), scoring="r2", tol=1e-9
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.fit(X, Y)
    for alpha, score in zip([1.0, 0.1], model.score_path_, strict=True):
        alone = GDLinearRegression(alpha=alpha, l1_ratio=l1_ratio, tol=1e-9)
        predicted = cross_val_predict(alone, X, Y, cv=LeaveOneOut())
        assert score == pytest.approx(r2_score(Y, predicted), rel=1e-6)


def test_leave_one_out_of_rows_that_alone_have_a_feature(rng):
    """The leverage of such a row is one, but for the penalty."""
    X = np.c_[rng.standard_normal((30, 4)), np.zeros(30)]
    X[7, 4] = 1e6
    Y = X[:, :2] + rng.standard_normal((30, 2))
    model = GDLinearRegressionCV(l1_ratio=0.0, alphas=[1e-2, 1e-4], cv=LeaveOneOut(), tol=1e-11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.fit(X, Y)
    for a, alpha in enumerate([1e-2, 1e-4]):
        apart = (left_out(X, Y, None, alpha=alpha) - Y) ** 2
        np.testing.assert_allclose(model.mse_path_[a], apart.mean(axis=1), rtol=1e-7)


@pytest.mark.parametrize("l1_ratio", RATIOS)
@pytest.mark.parametrize("per_target", [False, True])
def test_outputs_are_tested_where_they_are_observed(data, rng, l1_ratio, per_target):
    X, Y = data
    Y = np.where(rng.random(Y.shape) < [0.5, 0.2, 0.0], np.nan, Y)
    model = GDLinearRegressionCV(
        l1_ratio=l1_ratio, alphas=[10.0, 1e-1, 1e-3], cv=KFold(3), tol=1e-10,
        alpha_per_target=per_target, missing_targets="ignore",
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.fit(X, Y)
    errors = np.empty((3, 3, 3))
    for a, alpha in enumerate([10.0, 1e-1, 1e-3]):
        for k, (train, test) in enumerate(KFold(3).split(X)):
            own = GDLinearRegression(
                alpha=alpha, l1_ratio=l1_ratio, tol=1e-10, missing_targets="ignore"
            ).fit(X[train], Y[train])
            errors[a, k] = np.nanmean((own.predict(X[test]) - Y[test]) ** 2, axis=0)
    expected = errors if per_target else errors.mean(axis=2)
    np.testing.assert_allclose(model.mse_path_, expected, rtol=1e-6)
    last = GDLinearRegression(
        alpha=model.alpha_, l1_ratio=l1_ratio, tol=1e-10, missing_targets="ignore"
    ).fit(X, Y)
    np.testing.assert_allclose(model.coef_, last.coef_, rtol=1e-6)


def test_a_fold_where_an_output_is_never_observed_does_not_count(data):
    X, Y = data
    Y[:30, 0] = np.nan
    options = {"alphas": 5, "missing_targets": "ignore", "alpha_per_target": True}
    model = GDLinearRegressionCV(cv=KFold(3), **options).fit(X, Y)
    assert np.isnan(model.mse_path_[:, 0, 0]).all()
    assert np.isfinite(model.mse_path_[:, 1:, 0]).all()
    Y[60:, 0] = np.nan
    with pytest.raises(ValueError, match="No fold of cv has both training and test rows"):
        GDLinearRegressionCV(cv=KFold(3), **options).fit(X, Y)


@pytest.mark.parametrize("shape", [(60, 12), (40, 90)])
@pytest.mark.parametrize("l1_ratio", [0.0])
@pytest.mark.parametrize("factors", [None, "some", "free"])
@pytest.mark.parametrize("weighted", [False, True])
def test_ridges_by_a_decomposition_are_those_of_fits(rng, shape, l1_ratio, factors, weighted):
    N, M = shape
    X = rng.standard_normal(shape) * np.geomspace(1e-2, 1e2, M) + 5.0
    y = X @ (rng.standard_normal(M) / np.geomspace(1e-2, 1e2, M)) + rng.standard_normal(N)
    factor = None if factors is None else rng.uniform(0.1, 5.0, M)
    if factors == "free":
        factor[:2] = 0.0
    weight = rng.uniform(0.1, 2.0, N) if weighted else None
    model = GDLinearRegressionCV(
        l1_ratio=l1_ratio, alphas=9, cv=KFold(3), penalty_factor=factor, tol=1e-9
    ).fit(X, y, weight)
    for a in (0, 4, 8):
        expected = by_hand(model, X, y, model.alphas_[a], weight)
        assert model.mse_path_[a].mean() == pytest.approx(expected, rel=1e-6)


def test_multi_task_elastic_net_cv_finds_nothing_that_is_lost(rng):
    X = rng.standard_normal((80, 6))
    Y = X[:, :2] * [1.0, 1e-4] + 0.1 * rng.standard_normal((80, 2)) * [1.0, 1e-4]
    theirs = MultiTaskElasticNetCV(l1_ratio=0.5).fit(X, Y)
    ours = GDLinearRegressionCV(alpha_per_target=True).fit(X, Y)
    for d in range(2):
        score = r2_score(Y[:, d], theirs.predict(X)[:, d])
        assert r2_score(Y[:, d], ours.predict(X)[:, d]) > score - 0.01


def test_progress_is_printed(data, capsys):
    X, Y = data
    options = {"l1_ratio": [0.0, 0.5], "alphas": [1.0, 1e-6], "cv": KFold(2)}
    GDLinearRegressionCV(**options).fit(X, Y)
    assert capsys.readouterr().out == ""
    GDLinearRegressionCV(verbose=1, **options).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "l1_ratio 0, fold 1 of 2: done, 2 alphas"
    assert lines[3] == "l1_ratio 0.5, fold 2 of 2: done, 2 alphas"
    assert len(lines) == 4
    GDLinearRegressionCV(verbose=2, **options).fit(X, Y)
    assert len(capsys.readouterr().out.splitlines()) > 4


def test_callbacks_are_told_of_each_path(data):
    pytest.importorskip("sklearn.callback")
    X, Y = data

    class Recorder:
        """A callback that keeps the names of the tasks that end."""

        def __init__(self):
            self.ended = []

        def setup(self, estimator, context):
            """Do nothing."""

        def on_fit_task_begin(self, estimator, context):
            """Do nothing."""

        def on_fit_task_end(self, estimator, context):
            """Take down the name of a task."""
            self.ended.append(context.task_name)

        def teardown(self, estimator, context):
            """Do nothing."""

    recorder = Recorder()
    model = GDLinearRegressionCV(l1_ratio=[0.0, 0.5], alphas=[1.0, 1e-6], cv=KFold(3))
    model.set_callbacks(recorder).fit(X, Y)
    assert recorder.ended.count("path of a fold") == 6
    assert recorder.ended.count("paths") == 1
    assert recorder.ended[-1] == "fit"


@pytest.mark.parametrize(
    ("base", "ignored"),
    [
        ({"alphas": [1.0, 0.1]}, {"eps": 0.5}),
        ({"l1_ratio": 0.0}, {"eps": 0.5}),
        ({"l1_ratio": [0.0, 0.5]}, {"n_jobs": 2}),
        ({"missing_targets": "error"}, {"missing_targets": "ignore"}),
    ],
)
def test_ignored(data, base, ignored):
    """The table of docs/parameters.md."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = GDLinearRegressionCV(**base).fit(*data)
        other = GDLinearRegressionCV(**{**base, **ignored}).fit(*data)
    np.testing.assert_array_equal(model.mse_path_, other.mse_path_)
    np.testing.assert_array_equal(model.coef_, other.coef_)


def test_given_alphas_are_those_of_each_output(data):
    alphas = [10.0, 1.0, 0.1, 1e-2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = GDLinearRegressionCV(alphas=alphas, alpha_per_target=True).fit(*data)
    np.testing.assert_array_equal(model.alphas_, alphas)
    assert np.isin(model.alpha_, alphas).all()
    assert model.mse_path_.shape == (4, 5, 3)


@pytest.mark.parametrize("options", [{"positive": True}, {"penalty_factor": [0.0] + [1.0] * 6}])
def test_leave_one_out_without_a_closed_form(data, options):
    X, Y = data[0][:30], data[1][:30] / [1.0, 1e3, 1e-3]
    model = GDLinearRegressionCV(
        l1_ratio=0.0, alphas=[1.0, 0.1], cv=LeaveOneOut(), tol=1e-10, **options
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.fit(X, Y)
    for a, alpha in enumerate([1.0, 0.1]):
        alone = GDLinearRegression(alpha=alpha, tol=1e-10, **options)
        apart = (cross_val_predict(alone, X, Y, cv=LeaveOneOut()) - Y) ** 2
        np.testing.assert_allclose(model.mse_path_[a], apart.mean(axis=1), rtol=1e-6)


def test_a_failed_search_changes_nothing(data):
    X, Y = data
    model = GDLinearRegressionCV(alphas=5, scoring="r2").fit(X, Y)
    before = dict(vars(model))
    model.set_params(scoring="neg_mean_poisson_deviance")
    with pytest.raises(ValueError, match=r"Poisson|strictly positive|can only be used"):
        model.fit(X, Y)
    assert vars(model).keys() == before.keys()
    assert model.score_path_ is before["score_path_"]


def test_an_output_that_is_never_observed(data):
    X, Y = data
    Y[:, 1] = np.nan
    with pytest.raises(ValueError, match="Got none for output 1 of y"):
        GDLinearRegressionCV(missing_targets="ignore").fit(X, Y)


def test_a_look_at_the_end_of_a_path_is_not_told(rng, capsys):
    X = rng.standard_normal((60, 4))
    y = X.sum(axis=1) + 1e-9 * rng.standard_normal(60)
    model = GDLinearRegressionCV(verbose=1, alphas=4, cv=2).fit(X, y)
    n_stretches = len(model.alphas_) // 4
    assert n_stretches > 1
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines == [f"l1_ratio 0.5, fold {k} of 2: done, 4 alphas" for k in (1, 2)] * n_stretches
    )


def test_steps_of_leave_one_out_are_told(data, capsys):
    GDLinearRegressionCV(l1_ratio=0.0, alphas=3, cv=LeaveOneOut(), verbose=2).fit(*data)
    lines = capsys.readouterr().out.splitlines()
    where = "l1_ratio 0, all rows left out in turn"
    assert lines == [f"{where}: 3 of 3 alphas", f"{where}: done, 3 alphas"]
