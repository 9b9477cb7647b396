"""What is reported is true of the model that is returned, and no bad model comes in silence."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import PolynomialFeatures

from sklearn_gdlinreg import GDLinearRegression, GDLinearRegressionCV

ENGINES = {
    "full": {},
    "mini-batch": {"batch_size": 32, "random_state": 0},
    "textbook": {"learning_rate": 0.05, "max_iter": 5000},
    "L2": {"alpha": 0.01},
}
containers = pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def dates(seed, n_outputs=1):
    """Return a one-hot category beside powers of a date, in float32, and noise."""
    rng, t = np.random.default_rng(seed), np.linspace(0, 1, 440)
    city = np.eye(3)[rng.integers(3, size=440)]
    X = np.c_[city, *(t**i for i in range(1, 6))].astype(np.float32)
    return X, rng.normal(size=(440, n_outputs)).astype(np.float32), rng.uniform(0.5, 2, 440)


def recomputed(model, X, Y, weight=None, alpha=0.0):
    """Return the objective and the optimality of the worst output, in float64."""
    X = (X.toarray() if sparse.issparse(X) else X).astype(float)
    s = np.ones(len(X)) if weight is None else weight
    s = s / s.sum()
    Y, W = Y.astype(float).reshape(len(Y), -1), np.atleast_2d(model.coef_).T.astype(float)
    R = Y - X @ W - np.atleast_1d(model.intercept_).astype(float)
    Z = X - s @ X
    scale = np.sqrt(s @ Z**2 + alpha)
    gradient = (Z / scale).T @ (s[:, None] * R) - alpha * W / scale[:, None]
    losses = s @ R**2 + alpha * (W**2).sum(axis=0)
    off = s @ R
    # No intercept of the type is nearer.
    best = np.abs(off) <= np.spacing(np.abs(np.atleast_1d(model.intercept_)))
    squares = (gradient**2).sum(axis=0) + np.where(best, 0.0, off**2)
    return losses.sum(), np.sqrt(squares / (losses - np.where(best, off**2, 0.0))).max()


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("tol", [1e-6, 0])
@pytest.mark.parametrize("weighted", [False, True])
def test_float32_with_columns_collinear_but_for_rounding(weighted, tol, n_outputs):
    for seed in range(8):
        X, Y, weight = dates(seed, n_outputs)
        weight = weight if weighted else None
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = GDLinearRegression(tol=tol).fit(X, Y, weight)
        peer = LinearRegression().fit(X, Y, weight)
        assert model.score(X, Y, weight) > peer.score(X, Y, weight) - 1e-3
        assert np.abs(model.coef_).max() < 1e4


@pytest.mark.parametrize("M", [5, 20, 60])
@pytest.mark.parametrize("apart", [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7])
@pytest.mark.parametrize("weighted", [False, True])
def test_float32_products_of_nearly_collinear_columns(M, apart, weighted):
    """Products are made in float32 unless that leaves no digits; the answer is as good."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((500, M))
        X[:, -2:] = X[:, :2] + apart * rng.standard_normal((500, 2))
        X = (X * np.geomspace(0.1, 10.0, M) + 1.0).astype(np.float32)
        Y = (X[:, :2] - X[:, -2:] + rng.standard_normal((500, 2))).astype(np.float32)
        weight = rng.uniform(0.5, 2.0, 500) if weighted else None
        with warnings.catch_warnings():
            # Coefficients of 1 / apart, rounded to float32, are not within tol.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = GDLinearRegression().fit(X, Y, weight)
        peer = LinearRegression().fit(X, Y, weight)
        ours, _ = recomputed(model, X, Y, weight)
        theirs, _ = recomputed(peer, X, Y, weight)
        assert ours <= theirs * (1 + 1e-5)
        assert model.loss_curve_[-1] == pytest.approx(ours, rel=1e-6)


@pytest.mark.parametrize("n_rows", [50, 1000])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_float32_data_is_that_of_their_weights(make_data, rng, weighted, n_rows):
    X, Y = (A.astype(np.float32) for A in make_data(n_rows, 6, 2, decades=0.5, offset=2.0))
    weight = rng.uniform(0.5, 2.0, n_rows) if weighted else None
    model = GDLinearRegression().fit(X, Y, weight)
    loss, _ = recomputed(model, X, Y, weight)
    assert model.loss_curve_[-1] == pytest.approx(loss, rel=1e-10)


@pytest.mark.slow
def test_float32_polynomials():
    X, y = load_diabetes(return_X_y=True)
    X = PolynomialFeatures(3, include_bias=False).fit_transform(X).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = GDLinearRegression().fit(X, y)
    assert model.score(X, y) > LinearRegression().fit(X, y).score(X, y) - 1e-3


def test_float32_in_dask_and_cross_validation():
    da = pytest.importorskip("dask.array")
    from sklearn_gdlinreg.dask import DaskGDLinearRegression

    for seed in range(4):
        X, Y, _ = dates(seed)
        y, expected = Y[:, 0], LinearRegression().fit(X, Y[:, 0]).score(X, Y[:, 0])
        lazy = da.from_array(X, chunks=(150, 8)), da.from_array(y, chunks=150)
        model = DaskGDLinearRegression().fit(*lazy).to_local()
        assert model.score(X, y) > expected - 1e-3
        chosen = GDLinearRegressionCV(alphas=[0.0]).fit(X, y)
        assert chosen.score(X, y) > expected - 1e-3
        alone = GDLinearRegressionCV(alphas=[0.0]).fit(X.astype(float), y)
        np.testing.assert_allclose(chosen.mse_path_, alone.mse_path_, rtol=0.1)


@pytest.mark.parametrize("engine", ENGINES)
@containers
@dtypes
def test_the_certificate_is_that_of_the_returned_model(make_data, dtype, container, engine):
    X, Y = make_data(300, 6, 2, decades=0.5, offset=2.0)
    X, Y, options = X.astype(dtype), Y.astype(dtype), ENGINES[engine]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = GDLinearRegression(**options).fit(container(X), Y)
    objective, optimality = recomputed(model, X, Y, alpha=options.get("alpha", 0.0))
    assert model.optimality_ == pytest.approx(optimality, rel=1e-3, abs=1e-10)
    if engine != "mini-batch":
        assert model.loss_curve_[-1] == pytest.approx(objective, rel=1e-6)
    if model.stop_reason_ == "tol":
        assert optimality <= model.tol * 1.001


def test_rounding_to_float32_may_cost_tol_but_needs_no_warning(make_data):
    X, Y = make_data(300, 6, 1, decades=0.5, noise=1e-3)
    X, Y = X.astype(np.float32), Y.astype(np.float32)
    model = GDLinearRegression().fit(X, Y)
    assert model.stop_reason_ == "precision"
    assert model.optimality_ > model.tol
    assert GDLinearRegression().fit(X.astype(float), Y).stop_reason_ == "tol"


def test_an_exact_fit_converges_by_the_textbook(rng):
    X = rng.standard_normal((60, 4))
    y = X @ [1.0, -2.0, 3.0, 0.5] + 1.0
    model = GDLinearRegression(learning_rate=0.1).fit(X, y)
    assert model.stop_reason_ == "tol"
    assert model.optimality_ <= model.tol
    assert np.sqrt(model.loss_curve_[-1]) <= model.tol * y.std() * 1.001


@pytest.mark.parametrize("offset", [1.0e7, 5.0e6, -1.6e7])
@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("method", ["full", "mini-batch", "stream", "exact stream", "weighted"])
def test_what_float32_holds_exactly_is_data(rng, offset, container, method):
    t = rng.integers(0, 10, 2000)
    X, beside = offset + t, rng.standard_normal(2000)
    A = np.c_[X, beside].astype(np.float32)
    y = (2.0 * t + beside + rng.standard_normal(2000)).astype(np.float32)
    expected = GDLinearRegression().fit(A.astype(float), y.astype(float)).coef_
    model, weight = GDLinearRegression(random_state=0), None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if "stream" in method:
            model.set_params(batch_size=64 if method == "stream" else None)
            model.partial_fit(container(A), y)
        else:
            weight = np.ones(2000) if method == "weighted" else None
            model.set_params(batch_size=32 if method == "mini-batch" else None)
            model.fit(container(A), y, weight)
    np.testing.assert_allclose(model.coef_, expected, atol=0.1)


@dtypes
def test_what_varies_by_rounding_alone_is_a_constant(rng, dtype):
    shares = rng.dirichlet(np.ones(3), 500).astype(dtype)
    X = np.c_[
        rng.standard_normal(500).astype(dtype), shares.sum(axis=1), np.full(500, 0.1, dtype)
    ]
    model = GDLinearRegression().fit(X, X[:, 0] + rng.standard_normal(500).astype(dtype))
    np.testing.assert_array_equal(model.coef_[2], 0.0)
    assert np.abs(model.coef_ * X.std(axis=0, dtype=float)).max() < 2.0


@pytest.mark.parametrize(
    "method", ["full", "mini-batch", "stream", "exact stream", "textbook", "dask"]
)
def test_coefficients_that_the_type_cannot_hold(rng, method):
    Z = rng.standard_normal((200, 2))
    X, y = (Z * 1.7e-27).astype(np.float32), (Z @ [1.0, 2.0] * 1e13).astype(np.float32)
    model = GDLinearRegression(batch_size=16 if method in ("mini-batch", "stream") else None)
    data = X, y
    if method == "textbook":
        model.set_params(learning_rate=1e53, max_iter=100, tol=0, fit_intercept=False)
    if method == "dask":
        da = pytest.importorskip("dask.array")
        from sklearn_gdlinreg.dask import DaskGDLinearRegression

        model, data = DaskGDLinearRegression(), (da.from_array(X), da.from_array(y))
    with pytest.raises(ValueError, match=r"The coefficients overflow float32: X and y differ"):
        (model.partial_fit if "stream" in method else model.fit)(*data)
    assert not hasattr(model, "coef_")


def test_a_model_worse_than_a_constant_is_told(make_data, plain_steps):
    plain_steps()
    X, Y = make_data(decades=0.5, D=1)
    far = GDLinearRegression(max_iter=1, alpha=1e-9, l1_ratio=1.0)
    with pytest.warns(ConvergenceWarning, match=r"R squared is -.* a constant predicts better"):
        far.fit(X, Y, coef_init=[[1e3, -1e3] * 4])
    assert far.score(X, Y) < 0
    slow = GDLinearRegression(learning_rate=1e-6, max_iter=2)
    with pytest.warns(ConvergenceWarning, match=r"max_iter=2.* R squared is -"):
        slow.fit(X, Y + 100.0)


def test_rounding_that_loses_the_model_is_told(rng):
    """The intercept is about -2e7, of which float32 holds even numbers only."""
    n_lost = 0
    for _ in range(10):
        t = rng.integers(0, 10, 200)
        X = (1e7 + t[:, None]).astype(np.float32)
        y = (2.0 * t + rng.standard_normal(200)).astype(np.float32)
        best = GDLinearRegression().fit(X.astype(float), y.astype(float)).loss_curve_[-1]
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            model = GDLinearRegression().fit(X, y)
        assert model.loss_curve_[-1] == pytest.approx(recomputed(model, X, y)[0], rel=1e-6)
        lost = model.loss_curve_[-1] > 1.01 * best
        n_lost += lost
        assert lost == any("Rounding the model to float32" in str(w.message) for w in told)
    assert n_lost > 2


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(
    "options",
    [
        {}, {"alpha": 0.1}, {"alpha": 0.1, "l1_ratio": 0.5}, {"positive": True},
        {"alpha": [0.1, 0.0], "l1_ratio": 1.0}, {"missing_targets": "ignore"},
    ],
    ids=str,
)  # fmt: skip
@dtypes
def test_a_warm_start_at_the_solution_takes_no_iterations(make_data, dtype, options, container):
    X, Y = make_data(D=2, decades=0.5)
    X, Y = X.astype(dtype), Y.astype(dtype)
    if "missing_targets" in options:
        Y[:20, 0] = np.nan
    model = GDLinearRegression(warm_start=True, **options).fit(container(X), Y)
    assert model.stop_reason_ == "tol"
    coef = model.coef_
    model.fit(container(X), Y)
    assert model.n_iter_ == 0
    assert model.loss_curve_ == []
    assert model.stop_reason_ == "tol"
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-6)


def test_another_coefficient_takes_up_what_the_intercept_cannot(rng):
    """The intercept is about -2e7, of which float32 holds even numbers only."""
    t = rng.integers(0, 10, (200, 2))
    X = (np.array([1e7, 1e4]) + t).astype(np.float32)
    y = (t @ [2.0, 0.7] + rng.standard_normal(200)).astype(np.float32)
    best = GDLinearRegression().fit(X.astype(float), y.astype(float)).loss_curve_[-1]
    model = GDLinearRegression().fit(X, y)
    assert recomputed(model, X, y)[0] < 1.001 * best
    assert model.loss_curve_[-1] == pytest.approx(recomputed(model, X, y)[0], rel=1e-6)


def test_float32_opposed_but_for_rounding_and_no_negative_coefficients():
    """What -3 a is rounded by is no direction to descend, for all that it curves."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((int(rng.integers(4, 24)), 2)).astype(np.float32)
        X, y = np.c_[A, -3 * A, A], rng.standard_normal(len(A)).astype(np.float32)
        model = GDLinearRegression(positive=True).fit(X, y)
        heavier = GDLinearRegression(positive=True).fit(X, y, np.full(len(A), 1e6))
        assert np.abs(model.coef_ * X.std(axis=0)).max() < 1e2
        np.testing.assert_allclose(heavier.coef_, model.coef_, rtol=1e-4, atol=1e-5)
        # Columns of both signs can do whatever coefficients of any sign do.
        free = GDLinearRegression().fit(A.astype(float), y).coef_
        together = model.coef_[:2] - 3 * model.coef_[2:4] + model.coef_[4:]
        np.testing.assert_allclose(together, free, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_mini_batches_from_coefficients_that_are_not_allowed(rng, container):
    a = rng.standard_normal(200)
    X = np.c_[a, a + 0.3 * rng.standard_normal(200)]
    y = X @ [-5.0, 5.0] + 0.1 * rng.standard_normal(200)
    expected = GDLinearRegression(positive=True).fit(X, y)
    model = GDLinearRegression(positive=True, batch_size=8, random_state=0, max_iter=50)
    model.fit(container(X), y, coef_init=[-5.0, 5.0])
    assert (model.coef_ >= 0).all()
    assert model.score(X, y) > expected.score(X, y) - 0.01
    warm = GDLinearRegression(batch_size=8, random_state=0, max_iter=50).fit(container(X), y)
    warm.set_params(positive=True, warm_start=True).fit(container(X), y)
    assert warm.score(X, y) > expected.score(X, y) - 0.01


def test_taking_up_the_rounding_of_an_intercept_keeps_signs():
    # Planted: a coefficient next to zero whose feature is far off zero is the cheapest to move.
    rng = np.random.default_rng(131)
    X = np.abs(rng.standard_normal((40, 80))) * 10.0 ** rng.uniform(-3, 3, 80)
    X = X.astype(np.float32) + np.float32(10 ** rng.uniform(0, 3))
    y = (X[:, :3].sum(axis=1) + rng.standard_normal(40)).astype(np.float32)
    positive = np.arange(80) % 2 == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = GDLinearRegression(positive=positive).fit(X, y)
    assert (model.coef_[positive] >= 0).all()
