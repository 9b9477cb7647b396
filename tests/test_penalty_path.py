"""The path of a penalty as a function, and its picture."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet

from sklearn_gdlinreg import (
    GDLinearRegression,
    GDLinearRegressionCV,
    RegularizationPathDisplay,
)


@pytest.fixture
def data(rng):
    X = rng.standard_normal((70, 8)) * np.geomspace(0.1, 10.0, 8) + 4.0
    return X, X[:, :3] @ rng.standard_normal((3, 2)) + rng.standard_normal((70, 2))


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_each_model_is_that_of_a_fit(data, l1_ratio, container, weighted):
    X, Y = data
    weight = np.linspace(0.1, 2.0, 70) if weighted else None
    own = {"positive": [True] + [False] * 7, "penalty_factor": np.linspace(0.5, 2.0, 8)}
    alphas, coefs, certificates = GDLinearRegressionCV.path(
        container(X), Y, l1_ratio=l1_ratio, alphas=6, sample_weight=weight, tol=1e-9, **own
    )
    assert alphas.shape == certificates.shape == (6,)
    assert coefs.shape == (2, 8, 6)
    assert (np.diff(alphas) < 0).all()
    assert (certificates <= 1e-9).all()
    for a, alpha in enumerate(alphas):
        alone = GDLinearRegression(alpha=alpha, l1_ratio=l1_ratio, tol=1e-9, **own)
        np.testing.assert_allclose(
            coefs[:, :, a], alone.fit(container(X), Y, weight).coef_, rtol=1e-5, atol=1e-8
        )


def test_it_is_the_path_of_elastic_net(data):
    X, Y = data
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    ours = GDLinearRegressionCV.path(X, Y[:, 0], l1_ratio=0.7, alphas=15, tol=1e-10)
    options = {"l1_ratio": 0.7, "tol": 1e-12, "max_iter": 10**6}
    theirs = ElasticNet.path(X, Y[:, 0], alphas=ours[0], **options)
    assert ours[0][0] == pytest.approx(np.abs(X.T @ Y[:, 0]).max() / (70 * 0.7))
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-5, atol=1e-7)
    raw = GDLinearRegressionCV.path(X, Y[:, 0], alphas=[0.1, 0.01], fit_intercept=False)
    np.testing.assert_array_equal(raw[0], [0.1, 0.01])


def test_certificates_are_true_in_float32(data):
    X, Y = (A.astype(np.float32) for A in data)
    alphas, coefs, certificates = GDLinearRegressionCV.path(X, Y, alphas=4)
    assert coefs.dtype == np.float32
    for a, alpha in enumerate(alphas):
        model = GDLinearRegression(alpha=alpha, l1_ratio=0.5, max_iter=1, warm_start=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, Y, coef_init=coefs[:, :, a])
        assert certificates[a] <= max(1e-6, 2 * model.optimality_)


def test_too_few_iterations_are_told(rng):
    X = rng.standard_normal((60, 20)) @ rng.standard_normal((20, 300))
    with pytest.warns(ConvergenceWarning, match=r"of 3 fits stopped at max_iter=1") as told:
        _, _, found = GDLinearRegressionCV.path(X, X[:, 0], alphas=[1.0, 1e-2, 1e-4], max_iter=1)
    assert told[0].filename == __file__
    assert found.max() > 1e-6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l1_ratio": [0.5, 1.0]}, "path takes one l1_ratio"),
        ({"alphas": [-1.0]}, "'alphas' parameter"),
        ({"eps": 0.0}, "'eps' parameter"),
    ],
)
def test_bad_parameters(data, options, message):
    with pytest.raises(ValueError, match=message):
        GDLinearRegressionCV.path(*data, **options)


@pytest.mark.parametrize("l1_ratio", [1.0, [0.5, 1.0]])
@pytest.mark.parametrize("alphas", [12, [1.0, 0.1, 0.01]])
@pytest.mark.parametrize("per_target", [False, True])
def test_the_picture_shows_what_was_fitted(data, l1_ratio, alphas, per_target):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    X, Y = data
    model = GDLinearRegressionCV(l1_ratio=l1_ratio, alphas=alphas, alpha_per_target=per_target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.fit(X, Y)
    display = RegularizationPathDisplay.from_estimator(model, X, Y, output=1)
    alpha = model.alpha_[1] if per_target else model.alpha_
    assert display.alpha == alpha
    np.testing.assert_array_equal(display.error_line_.get_xdata(), display.alphas)
    at = int(np.flatnonzero(display.alphas == alpha)[0])
    if per_target:
        assert display.error_line_.get_ydata()[at] == pytest.approx(-model.best_score_[1])
        # Of one output alone the coefficients are those of the model.
        coefs = [line.get_ydata()[at] for line in display.lines_]
        np.testing.assert_allclose(coefs, model.coef_[1], rtol=1e-3, atol=1e-5)
    else:
        assert display.error_line_.get_ydata()[at] == pytest.approx(-model.best_score_)
    half = display.errors.std(axis=1, ddof=1) / np.sqrt(display.errors.shape[1])
    low, high = display.error_band_.get_paths()[0].get_extents().intervaly
    mean = display.errors.mean(axis=1)
    assert (low, high) == pytest.approx(((mean - half).min(), (mean + half).max()))
    assert display.axes_[0].lines[-1].get_xdata() == [alpha, alpha]
    assert display.ax_.get_xscale() == "log"
    pyplot.close(display.figure_)


def test_the_picture_of_errors_alone(data):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    X, Y = data
    model = GDLinearRegressionCV(alphas=6, cv=[(range(50), range(50, 70))]).fit(X, Y[:, 0])
    display = RegularizationPathDisplay.from_estimator(model)
    assert display.lines_ is display.error_band_ is None
    assert len(display.axes_) == 1
    with pytest.raises(ValueError, match="Pass both X and y"):
        RegularizationPathDisplay.from_estimator(model, X)
    with pytest.raises(ValueError, match="axes must have 1"):
        display.plot(pyplot.subplots(2)[1])
    pyplot.close("all")


def test_missing_targets(data, rng):
    X, Y = data
    Y = np.where(rng.random(Y.shape) < 0.3, np.nan, Y)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        GDLinearRegressionCV.path(X, Y, alphas=[0.1])
    _, coefs, _ = GDLinearRegressionCV.path(X, Y, alphas=[0.1, 0.01], missing_targets="ignore")
    alone = GDLinearRegression(alpha=0.01, l1_ratio=0.5, missing_targets="ignore").fit(X, Y)
    np.testing.assert_allclose(coefs[:, :, 1], alone.coef_, rtol=1e-4)
    pyplot = pytest.importorskip("matplotlib.pyplot")
    model = GDLinearRegressionCV(missing_targets="ignore", alphas=8).fit(X, Y)
    for output in (0, 1):
        display = RegularizationPathDisplay.from_estimator(model, X, Y, output=output)
        assert len(display.lines_) == 8
    model.set_params(l1_ratio=0.3)
    with pytest.raises(ValueError, match=r"l1_ratio=0.3 was set after the fit"):
        RegularizationPathDisplay.from_estimator(model)
    pyplot.close("all")
