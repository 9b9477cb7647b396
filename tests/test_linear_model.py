"""What a fitted model is turned into: scikit-learn's class, and sparse coefficients."""

import numpy as np
import pandas as pd
import pytest
from libraries import dispatch, in_strict, in_torch, needs_dispatch
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import ElasticNet, LinearRegression

from sklearn_gdlinreg import GDLinearRegression, GDLinearRegressionCV

WAYS = {
    "default": GDLinearRegression(),
    "no-intercept": GDLinearRegression(fit_intercept=False),
    "lasso": GDLinearRegression(alpha=0.5, l1_ratio=1.0),
    "mini-batch": GDLinearRegression(batch_size=32, max_iter=2, tol=0, random_state=0),
    "cv": GDLinearRegressionCV(l1_ratio=0.5, alphas=3, cv=2),
}


@pytest.fixture(params=[False, True], ids=["1D", "2D"])
def data(request, make_data):
    X, Y = make_data(decades=1.0)
    return X, Y if request.param else Y[:, 0]


def assert_is_copied(model, X):
    plain = model.to_sklearn()
    assert type(plain) is LinearRegression
    assert plain.fit_intercept == model.fit_intercept
    assert plain.n_features_in_ == X.shape[1]
    assert not hasattr(plain, "rank_")
    assert not hasattr(plain, "singular_")
    np.testing.assert_array_equal(plain.coef_, model.coef_)
    np.testing.assert_array_equal(plain.intercept_, model.intercept_)
    assert np.shape(plain.intercept_) == np.shape(model.intercept_)
    expected = model.predict(X)
    np.testing.assert_array_equal(plain.predict(X).astype(expected.dtype), expected)
    plain.coef_ += 1.0
    np.testing.assert_array_equal(model.predict(X), expected)
    return plain


@pytest.mark.parametrize("model", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("container", [np.asarray, np.float32, sparse.csr_array])
def test_to_sklearn(data, model, container):
    X, y = data
    X = container(X)
    plain = assert_is_copied(model.fit(X, y), X)
    assert plain.coef_.dtype == np.asarray(plain.intercept_).dtype == np.float64
    assert not hasattr(plain, "feature_names_in_")


def test_to_sklearn_after_partial_fit_and_sparsify(data):
    X, y = data
    for options in ({}, {"batch_size": 32}):
        model = GDLinearRegression(**options).partial_fit(X[:80], y[:80]).partial_fit(X, y)
        assert_is_copied(model, X)
    model = GDLinearRegression(alpha=0.5, l1_ratio=1.0).fit(X, y)
    before = model.to_sklearn()
    after = model.sparsify().to_sklearn()
    np.testing.assert_array_equal(after.coef_, before.coef_)


def test_to_sklearn_keeps_the_names_of_features(data):
    X, y = data
    X = pd.DataFrame(X, columns=[f"f{j}" for j in range(X.shape[1])])
    model = GDLinearRegression().fit(X, y)
    plain = assert_is_copied(model, X)
    np.testing.assert_array_equal(plain.feature_names_in_, X.columns)
    assert not np.shares_memory(plain.feature_names_in_, model.feature_names_in_)


@needs_dispatch
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("container", [in_strict, in_torch])
def test_models_of_other_libraries(data, container, dtype):
    X, y = (A.astype(dtype) for A in data)
    with dispatch():
        model = GDLinearRegression().fit(container(X), container(y))
        expected = np.asarray(model.predict(container(X)))
    plain, rtol = model.to_sklearn(), 100 * np.finfo(dtype).eps
    for name in ("coef_", "intercept_"):
        assert isinstance(getattr(plain, name), np.ndarray | np.float64)
        np.testing.assert_array_equal(getattr(plain, name), np.asarray(getattr(model, name)))
    np.testing.assert_allclose(plain.predict(X), expected, rtol=rtol, atol=rtol)
    np.testing.assert_array_equal(model.sparse_coef_.toarray(), np.atleast_2d(plain.coef_))


def test_models_of_dask(data):
    da = pytest.importorskip("dask.array")
    from sklearn_gdlinreg.dask import DaskGDLinearRegression

    X, y = data
    chunks = (50, *X.shape[1:])
    model = DaskGDLinearRegression().fit(da.from_array(X, chunks), da.from_array(y, 50))
    assert_is_copied(model, X)
    np.testing.assert_array_equal(model.sparse_coef_.toarray(), np.atleast_2d(model.coef_))


def test_sparse_coef_is_as_in_elastic_net(data):
    X, y = data
    model = GDLinearRegression(alpha=0.5, l1_ratio=1.0, tol=1e-10).fit(X, y)
    dense = model.coef_.copy()
    found = model.sparse_coef_
    expected = ElasticNet(alpha=0.5, l1_ratio=1.0, tol=1e-10, max_iter=10**6).fit(X, y)
    expected = expected.sparse_coef_
    assert found.format == expected.format == "csr"
    assert found.shape == expected.shape
    assert found.nnz == expected.nnz < dense.size
    np.testing.assert_allclose(found.toarray(), expected.toarray(), rtol=1e-6)
    np.testing.assert_array_equal(model.coef_, dense)
    np.testing.assert_array_equal(model.sparsify().sparse_coef_.toarray(), found.toarray())
    found.data[:] = 0.0
    np.testing.assert_array_equal(model.densify().coef_, dense)


@pytest.mark.parametrize("kind", [GDLinearRegression, GDLinearRegressionCV])
def test_not_fitted(kind):
    assert not hasattr(kind(), "sparse_coef_")
    for ask in (kind.to_sklearn, lambda model: model.sparse_coef_):
        with pytest.raises(NotFittedError):
            ask(kind())
