"""Units, weights, offsets and starts at the edge of what floats hold."""

import warnings

import numpy as np
import pytest
from reference import textbook
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_gdlinreg import GDLinearRegression


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("learning_rate", ["auto", 1e-3])
def test_broadcast_weights_are_weights(make_data, alpha, learning_rate):
    """Their stride of 0 must not be taken for no weights."""
    X, Y = make_data(decades=1.0)
    options = {"alpha": alpha, "learning_rate": learning_rate}
    if learning_rate != "auto":
        options |= {"tol": 0, "max_iter": 20}
    plain = GDLinearRegression(**options).fit(X, Y)
    model = GDLinearRegression(**options).fit(X, Y, np.broadcast_to(4.0, len(X)))
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-9)
    np.testing.assert_allclose(model.loss_curve_[-1], plain.loss_curve_[-1], rtol=1e-9)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("factor", [1e-50, 1e50])
def test_weights_of_float32_data_keep_their_range(make_data, rng, container, factor):
    X, Y = (A.astype(np.float32) for A in make_data(decades=1.0))
    weight = rng.uniform(0.5, 2, len(X))
    plain = GDLinearRegression().fit(container(X), Y, weight)
    model = GDLinearRegression().fit(container(X), Y, weight * factor)
    np.testing.assert_allclose(model.predict(X), plain.predict(X), atol=1e-4)


@pytest.mark.parametrize(
    ("dtype", "offset"), [(np.float32, 1e4), (np.float64, 1e7), (np.float64, 1e8)]
)
def test_sparse_with_a_large_offset_keeps_its_features(make_data, dtype, offset):
    """Columns far from zero must not be dropped as constant."""
    X, Y = make_data(decades=0.0, offset=0.0)
    X, Y = (X + offset).astype(dtype), Y.astype(dtype)
    dense = GDLinearRegression().fit(X, Y)
    model = GDLinearRegression().fit(sparse.csr_array(X), Y)
    assert (model.coef_ != 0).all()
    np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-2)


def test_float32_sparse_units(make_data):
    X, Y = (A.astype(np.float32) for A in make_data(decades=0.0))
    plain = GDLinearRegression().fit(sparse.csr_array(X), Y)
    A = sparse.csr_array(X * np.float32(1e25))
    np.testing.assert_allclose(
        GDLinearRegression().fit(A, Y).predict(A), plain.predict(X), atol=1e-3
    )


def test_sparse_units_whose_squares_vanish(make_data):
    X, Y = make_data(decades=0.0)
    plain = GDLinearRegression().fit(X, Y)
    A = sparse.csr_array(X * 1e-160)
    np.testing.assert_allclose(
        GDLinearRegression().fit(A, Y).predict(A), plain.predict(X), atol=1e-6
    )


@pytest.mark.parametrize("pad", ["i1", "i4"])
def test_y_as_a_field_of_records(make_data, pad):
    """Its stride is no whole number of items."""
    X, Y = make_data()
    record = np.zeros(Y.shape, dtype=[("pad", pad), ("y", "f8")])
    record["y"] = Y
    model = GDLinearRegression().fit(X, record["y"])
    np.testing.assert_array_equal(model.coef_, GDLinearRegression().fit(X, Y).coef_)


@pytest.mark.parametrize("which", [0, 1])
def test_nan_in_a_row_of_weight_zero_is_told(make_data, which):
    data = make_data()
    weight = np.ones(len(data[0]))
    weight[3], data[which][3, 0] = 0.0, np.nan
    with pytest.raises(ValueError, match=["X", "y"][which] + " contains NaN"):
        GDLinearRegression().fit(*data, weight)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict"])
def test_nan_in_a_feature_comes_with_advice(make_data, method):
    X, Y = make_data()
    model, bad = GDLinearRegression().fit(X, Y), X.copy()
    bad[0, 0] = np.nan
    advice = "contains NaN.\n(This estimator|GDLinearRegression) does not accept missing values"
    with pytest.raises(ValueError, match=advice):
        getattr(model, method)(*((bad,) if method == "predict" else (bad, Y)))


@pytest.mark.parametrize("tol", [1e-9, 1e-12])
def test_repeated_features_in_sparse_at_a_small_tol(make_data, tol):
    """Descent by passes after moments must not drift into the null space."""
    X, Y = make_data(decades=1.0)
    A = sparse.csr_array(np.hstack([X, 7 * X[:, :4]]))
    model = GDLinearRegression(tol=tol).fit(A, Y)
    np.testing.assert_allclose(model.coef_[:, 8:] * 7, model.coef_[:, :4], atol=1e-6)


@pytest.mark.parametrize("schedule", ["invscaling", lambda t: 0.9**t])
def test_a_falling_step_may_start_too_long(make_data, schedule):
    """The plain loop recovers, and so must we."""
    X, Y = make_data()
    A = np.hstack([X, np.ones((len(X), 1))])
    rate = 4 / np.linalg.eigvalsh(A.T @ A / len(X))[-1]
    W, _, losses = textbook(X, Y, rate, 1000, schedule=schedule)
    assert losses[-1] < losses[0]
    model = GDLinearRegression(learning_rate=rate, schedule=schedule, max_iter=1000, tol=0)
    np.testing.assert_allclose(model.fit(X, Y).coef_.T, W, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("learning_rate", ["auto", 1e-9])
def test_start_too_far_is_told_plainly(make_data, learning_rate):
    X, Y = make_data()
    with pytest.raises(ValueError, match=r"overflows at the start: .* coef_init"):
        GDLinearRegression(learning_rate=learning_rate).fit(
            X, Y, coef_init=np.full((3, 8), 1e200)
        )


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"batch_size": 32}, {"batch_size": 1, "max_iter": 3}])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("unit", "y_unit"),
    [(u, 1.0) for u in (1e-300, 1e-155, 1e155, 1e300)]
    + [(1.0, u) for u in (1e-155, 1e155, 1e300)],
)
def test_extreme_units_give_the_answer_or_an_error(unit, y_unit, method, container, options):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 3))
    y = X @ [1.0, 2.0, 3.0] + rng.standard_normal(1000)
    model = GDLinearRegression(random_state=0, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            getattr(model, method)(container(X * unit), y * y_unit)
        except ValueError as error:
            if "too many orders of magnitude" not in str(error):
                raise
            return
    if method == "fit":
        assert np.isfinite([model.optimality_, model.loss_curve_[-1]]).all()
    np.testing.assert_allclose(model.coef_ / y_unit * unit, [1.0, 2.0, 3.0], atol=0.4)


@pytest.mark.parametrize("method", ["full batch", "exact stream", "mini-batch", "stream"])
@pytest.mark.parametrize(
    ("dtype", "unit", "y_unit"),
    [(np.float32, 1e30, 1e-30), (np.float64, 1e300, 1e-300), (np.float64, 1e300, 1e-155)],
)
def test_coefficients_too_small_for_the_type_are_told(rng, dtype, unit, y_unit, method):
    # In the last case they are too small for the float64 in which models are fitted, too.
    X = rng.standard_normal((200, 2))
    X, y = (X * unit).astype(dtype), (X @ [1.0, 2.0] * y_unit).astype(dtype)
    exact = method in ("full batch", "exact stream")
    model = GDLinearRegression(batch_size=None if exact else 32)
    learn = model.partial_fit if "stream" in method else model.fit
    with pytest.raises(ValueError, match="The coefficients underflow float"):
        learn(X, y)
    # A target that does not vary leaves nothing to lose.
    model.set_params(batch_size=None).fit(X, np.full(200, y_unit, dtype))


@pytest.mark.parametrize("off", [3e9, 1e10, 3e10])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_sparse_mini_batches_far_off_zero(off, batch_size):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((40, 5)) + off
        y = A[:, 0] - off + rng.standard_normal(40)
        model = GDLinearRegression(batch_size=batch_size, max_iter=10, tol=0, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(sparse.csr_array(A), y)
        assert ((model.predict(A) - y) ** 2).mean() < y.var()
