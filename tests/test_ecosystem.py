"""As scikit-learn's own: its checks, and its tools with the estimator inside."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import RegressorMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_linnerud
from sklearn.ensemble import StackingRegressor
from sklearn.exceptions import FitFailedWarning
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.inspection import permutation_importance
from sklearn.linear_model import Lasso, LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, learning_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_gdlinreg import GDLinearRegression, GDLinearRegressionCV

X, y = load_diabetes(return_X_y=True)
X_EXERCISE, Y_BODY = load_linnerud(return_X_y=True)


@parametrize_with_checks(
    [
        GDLinearRegression(),
        GDLinearRegression(batch_size=16),
        GDLinearRegression(missing_targets="ignore"),
        GDLinearRegression(alpha=0.01, l1_ratio=0.5),
        GDLinearRegressionCV(l1_ratio=0.0, alphas=[0.0, 0.1], cv=3),
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        GDLinearRegression(alpha=0.1),
        GDLinearRegression(fit_intercept=False, alpha=1e-3),
        GDLinearRegression(warm_start=True),
        GDLinearRegression(batch_size=1),
        GDLinearRegression(batch_size=4),
        GDLinearRegression(batch_size=7, shuffle=False, max_iter=30_000),
        # Short enough for features about 100, long enough to get somewhere.
        GDLinearRegression(
            learning_rate=2e-5, max_iter=3000, tol=0, momentum=0.9, nesterov=True
        ),
        GDLinearRegressionCV(),
    ]
)
def test_scikit_learns_checks_with_other_parameters(estimator, check):
    check(estimator)


def test_tags_and_links():
    tags = get_tags(GDLinearRegression())
    assert tags.input_tags.sparse
    assert tags.target_tags.multi_output
    assert tags.estimator_type == "regressor"
    assert GDLinearRegression._doc_link_module == "sklearn_gdlinreg"
    assert "GDLinearRegression" in GDLinearRegression()._get_doc_link()
    assert "GDLinearRegressionCV" in GDLinearRegressionCV()._get_doc_link()


def test_pipeline_needs_no_scaler():
    plain = make_pipeline(PolynomialFeatures(2), GDLinearRegression(alpha=1e-8)).fit(X, y)
    scaled = make_pipeline(
        PolynomialFeatures(2), FunctionTransformer(lambda A: A * 1e3), GDLinearRegression()
    ).fit(X, y)
    exact = make_pipeline(PolynomialFeatures(2), StandardScaler(), LinearRegression())
    assert scaled.score(X, y) == pytest.approx(exact.fit(X, y).score(X, y), rel=1e-9)
    assert plain.score(X, y) < scaled.score(X, y)


def test_grid_search_where_one_candidate_diverges():
    grid = {"learning_rate": ["auto", 0.01, 1e6], "alpha": [1e-4]}
    search = GridSearchCV(GDLinearRegression(max_iter=50, tol=1e-2), grid, cv=3)
    with pytest.warns() as caught:
        search.fit(X, y)
    failed = [w for w in caught if issubclass(w.category, FitFailedWarning)]
    assert len(failed) == 1
    assert "learning_rate=1e+06 makes the loss grow without bound" in str(failed[0].message)
    scores = search.cv_results_["mean_test_score"]
    assert np.isnan(scores).tolist() == [False, False, True]
    assert search.best_params_["learning_rate"] == "auto"


@pytest.mark.slow
def test_cross_val_score_in_parallel():
    alone = cross_val_score(GDLinearRegression(), X, y)
    together = cross_val_score(GDLinearRegression(), X, y, n_jobs=2)
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    np.testing.assert_allclose(alone, cross_val_score(LinearRegression(), X, y))


def test_transformed_target():
    options = {"func": np.log1p, "inverse_func": np.expm1}
    ours = TransformedTargetRegressor(GDLinearRegression(), **options).fit(X, y)
    theirs = TransformedTargetRegressor(LinearRegression(), **options).fit(X, y)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X))
    many = TransformedTargetRegressor(GDLinearRegression(), transformer=StandardScaler())
    assert many.fit(X_EXERCISE, Y_BODY).predict(X_EXERCISE).shape == Y_BODY.shape


@pytest.mark.parametrize("select", [SelectFromModel, RFE])
def test_feature_selection(select):
    ours = select(GDLinearRegression()).fit(X, y)
    np.testing.assert_array_equal(
        ours.get_support(), select(LinearRegression()).fit(X, y).get_support()
    )


@pytest.mark.parametrize(
    "model",
    [GDLinearRegression(alpha=0.5, l1_ratio=1.0), GDLinearRegressionCV(l1_ratio=[0.5, 1])],
)
def test_what_an_l1_model_keeps(model):
    select = SelectFromModel(model).fit(X, y)
    np.testing.assert_array_equal(select.get_support(), select.estimator_.coef_ != 0)
    assert 0 < select.get_support().sum() < 10
    if isinstance(model, GDLinearRegression):
        lasso = SelectFromModel(Lasso(alpha=0.5)).fit(X, y)
        np.testing.assert_array_equal(select.get_support(), lasso.get_support())


def test_penalty_is_no_parameter():
    for l1_ratio, penalty in ((0, "l2"), (0.5, "elasticnet"), (1, "l1")):
        model = GDLinearRegression(alpha=0.5, l1_ratio=l1_ratio)
        assert model.penalty == clone(model).penalty == penalty
        assert GDLinearRegressionCV(l1_ratio=l1_ratio).penalty == penalty
    assert GDLinearRegressionCV(l1_ratio=[0.5, 1]).penalty is None
    for model in (GDLinearRegression(l1_ratio=1), GDLinearRegressionCV(l1_ratio=1)):
        assert "penalty" not in model.get_params()
        assert "penalty" not in repr(model)
        with pytest.raises(AttributeError):
            model.penalty = "l2"
        with pytest.raises(ValueError, match="Invalid parameter 'penalty'"):
            model.set_params(penalty="l2")
        assert RegressorMixin in type(model).__bases__


def test_stacking():
    models = [("gd", GDLinearRegression()), ("ridge", GDLinearRegression(alpha=0.01))]
    stack = StackingRegressor(models, final_estimator=GDLinearRegression(), cv=3)
    assert stack.fit(X, y).score(X, y) > 0.45


def test_permutation_importance_and_learning_curve():
    ours, theirs = (
        permutation_importance(m.fit(X, y), X, y, n_repeats=2, random_state=0)
        for m in (GDLinearRegression(), LinearRegression())
    )
    np.testing.assert_allclose(ours.importances, theirs.importances, atol=1e-9)
    ours, theirs = (
        learning_curve(m, X, y, cv=3, train_sizes=[0.3, 1.0])[2]
        for m in (GDLinearRegression(), LinearRegression())
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)


def joblib_copy(model, path):
    joblib.dump(model, path)
    return joblib.load(path)


@pytest.mark.parametrize(
    "copied",
    [
        lambda model, path: pickle.loads(pickle.dumps(model)),
        lambda model, path: copy.deepcopy(model),
        joblib_copy,
    ],
)
def test_copies_predict_the_same_bits(copied, tmp_path):
    model = GDLinearRegression(alpha=0.01).fit(X_EXERCISE, Y_BODY)
    again = copied(model, tmp_path / "model")
    np.testing.assert_array_equal(again.predict(X_EXERCISE), model.predict(X_EXERCISE))
    assert again.loss_curve_ == model.loss_curve_


def test_clone_keeps_parameters_only():
    model = GDLinearRegression(alpha=0.3, schedule=abs, momentum=0.2).fit(X, y)
    cloned = clone(model)
    assert cloned.get_params() == model.get_params()
    assert not hasattr(cloned, "coef_")


def test_sample_weight_is_routed():
    weight = np.linspace(0, 2, len(y))
    expected = GDLinearRegression().fit(X, y, weight)
    with sklearn.config_context(enable_metadata_routing=True):
        final = GDLinearRegression().set_fit_request(sample_weight=True)
        pipe = make_pipeline(FunctionTransformer(), final)
        pipe.fit(X, y, sample_weight=weight)
        np.testing.assert_array_equal(pipe[-1].coef_, expected.coef_)
        search = GridSearchCV(
            final.set_score_request(sample_weight=False), {"alpha": [0.0]}, cv=2
        )
        search.fit(X, y, sample_weight=weight)
        np.testing.assert_array_equal(search.best_estimator_.coef_, expected.coef_)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_feature_names(frame):
    if frame is pl.DataFrame and sklearn.__version__.startswith(("1.7", "1.8")):
        pytest.skip("this scikit-learn reads the names of pandas only")
    A, B = (frame({f"{p}{j}": X[:, j] for j in range(10)}) for p in "ab")
    model = GDLinearRegression().fit(A, y)
    assert model.feature_names_in_.tolist() == [f"a{j}" for j in range(10)]
    np.testing.assert_allclose(model.predict(A), GDLinearRegression().fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(B)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(X)
