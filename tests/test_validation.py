"""Bad input: an error that says what is wrong, and an estimator left as it was."""

import copy
import re
import warnings
from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from sklearn_gdlinreg import GDLinearRegression

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((12, 3)), RNG.standard_normal((12, 2))
y = Y[:, 0]


def put(A, value, where=(1, 1)):
    A = np.array(A, dtype=np.result_type(A, type(value)) if value is not np.nan else A.dtype)
    A[where[: A.ndim]] = value
    return A


def assert_fails(match, X=X, y=y, error=ValueError, parameters=None, **fit_options):
    """Fail to fit a fitted estimator, and find it unchanged."""
    model = GDLinearRegression(warm_start=True).fit(np.flip(globals()["X"]), Y[:, 0])
    model.set_params(**(parameters or {}))
    before = copy.deepcopy(vars(model))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(error, match=match):
            model.fit(X, y, **fit_options)
    after = vars(model)
    assert after.keys() == before.keys()
    for name, value in before.items():
        np.testing.assert_equal(after[name], value)


BAD_PARAMETERS = {
    "alpha": (
        [-1, "a", None, np.nan, np.inf, True, [], [0.1, -1], [[0.1]], [0.1, "a"], [True]],
        "a float in the range [0.0, inf) or an array of such floats, one per output",
    ),
    "l1_ratio": ([-0.1, 1.1, "a", None, np.nan, True], "a float in the range [0.0, 1.0]"),
    "positive": (
        ["a", 1, None, [], [1, 0], [[True]], [True, None], [[True], []]],
        "an instance of 'bool' or an array of such, one per feature",
    ),
    "penalty_factor": (
        [1.0, -1, "a", [], [1.0, -1.0], [1.0, np.nan], [np.inf], ["a"], [True], [[1.0], []]],
        "an array of floats in the range [0.0, inf), one per feature, or None",
    ),
    "fit_intercept": (["yes", 2, None], "an instance of 'bool'"),
    "learning_rate": (
        [0, -1, "fast", np.nan, np.inf, None, True],
        "a str among {'auto'} or a float in the range (0.0, inf)",
    ),
    "schedule": (
        ["exp", 3, None],
        "a str among {'constant', 'invscaling', 'adaptive'} or a callable",
    ),
    "batch_size": ([0, -3, 2.5, "a", True], "an int in the range [1, inf) or None"),
    "average": ([3, "yes", None], "a str among {'auto'} or an instance of 'bool'"),
    "early_stopping": (["a", 1], "an instance of 'bool'"),
    "validation_fraction": ([0, 1, 1.5, -0.1, "a"], "a float in the range (0.0, 1.0)"),
    "missing_targets": (["a", None, True], "a str among {'error', 'ignore'}"),
    "half_life": (
        [0, -1, "a", np.nan, np.inf, True],
        "a float in the range (0.0, inf) or None",
    ),
    "shuffle": (["a", 1], "an instance of 'bool'"),
    "random_state": (
        [-1, "a", 2.5, 2**32],
        "an int in the range [0, 4294967295], an instance of 'numpy.random.RandomState' or None",
    ),
    "momentum": ([-0.1, 1.0, "a"], "a float in the range [0.0, 1.0)"),
    "nesterov": (["a", 1], "an instance of 'bool'"),
    "max_iter": ([0, -1, 1.5, "a", True], "an int in the range [1, inf)"),
    "tol": ([-1, "a", None, np.nan, np.inf], "a float in the range [0.0, inf)"),
    "n_iter_no_change": ([0, 2.5], "an int in the range [1, inf)"),
    "warm_start": (["a", 1], "an instance of 'bool'"),
    "verbose": ([-1, "a"], "an int in the range [0, inf) or an instance of 'bool'"),
}


@pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n, (values, _) in BAD_PARAMETERS.items() for v in values]
)
def test_parameters(name, value):
    message = (
        f"The {name!r} parameter of GDLinearRegression must be {BAD_PARAMETERS[name][1]}. "
        f"Got {value!r} instead."
    )
    for error in (ValueError, TypeError):
        assert_fails(re.escape(message), error=error, parameters={name: value})


@pytest.mark.parametrize("value", ["constant", "invscaling", "adaptive"])
def test_a_schedule_as_learning_rate(value):
    match = f"Got {value!r} instead. Set schedule={value!r} and a float as learning_rate."
    assert_fails(re.escape(match) + "$", parameters={"learning_rate": value})


def test_every_parameter_is_checked():
    assert BAD_PARAMETERS.keys() == GDLinearRegression().get_params().keys()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("learning_rate", ["auto", 0.01])
@pytest.mark.parametrize(
    "container",
    [np.asarray, np.float32, sparse.csr_array, sparse.csc_matrix, lambda A: np.tile(A, 9)],
)
def test_non_finite_X_and_y(container, value, learning_rate):
    what = "NaN" if value is np.nan else "infinity"
    parameters = {"learning_rate": learning_rate, "warm_start": False}
    A = container(put(X, value))
    assert_fails(f"Input X contains {what}", X=A, parameters=parameters)
    A = container(X)
    assert_fails(f"Input y contains {what}", X=A, y=put(y, value), parameters=parameters)
    assert_fails(f"Input y contains {what}", X=A, y=put(Y, value), parameters=parameters)


@pytest.mark.parametrize(
    ("weight", "match"),
    [
        (put(np.ones(12), np.nan), "Input sample_weight contains NaN"),
        (put(np.ones(12), np.inf), "Input sample_weight contains infinity"),
        (put(np.ones(12), -2.0), r"Negative values .* `sample_weight`.* Got .* -2"),
        (np.zeros(12), "at least one non-zero number. Got all zeros in `sample_weight`"),
        (np.ones(11), r"sample_weight.shape == \(11,\), expected \(12,\)"),
        (np.ones((12, 1)), "Sample weights must be 1D array or scalar, got 2D array"),
    ],
)
def test_sample_weight(weight, match):
    assert_fails(match, sample_weight=weight)


@pytest.mark.parametrize(
    ("bad", "match", "error"),
    [
        ({"y": y[:-1]}, r"inconsistent numbers of samples: \[12, 11\]", ValueError),
        ({"y": Y}, r"With warm_start=True.*expected .* \(3,\), got .*\(2, 3\)", ValueError),
        ({"X": X[:, :2]}, r"With warm_start=True.*expected .* \(3,\)", ValueError),
        ({"X": X * 1j}, "Complex data not supported", ValueError),
        ({"X": np.full((12, 3), "a")}, "could not convert string to float", ValueError),
        ({"X": [[1, 2], [3]]}, "inhomogeneous|sequence", ValueError),
        ({"X": X[:, :, None]}, "Found array with dim 3", ValueError),
        ({"X": y}, "Expected 2D array, got 1D array instead", ValueError),
        ({"X": X[:, :0]}, r"0 feature\(s\) .* minimum of 1 is required", ValueError),
        ({"X": X[:0], "y": y[:0]}, r"0 sample\(s\) .* minimum of 1 is required", ValueError),
        ({"y": Y[:, :, None]}, "dim 3|1d or 2d array", ValueError),
        ({"y": Y[:, :0]}, r"0 feature\(s\)|at least one output", ValueError),
        ({"y": np.full(12, "a")}, "could not convert string to float", ValueError),
        ({"y": y * 1j}, "Complex data not supported", ValueError),
        ({"y": None}, "requires y to be passed, but the target y is None", ValueError),
        ({"coef_init": np.ones(4)}, r"coef_init must be .* \(1, 3\).* \(4,\)", ValueError),
        ({"coef_init": np.ones((3, 3))}, r"coef_init must be of shape", ValueError),
        ({"coef_init": [1, np.nan, 1]}, "Input coef_init contains NaN", ValueError),
        ({"intercept_init": [1, 2]}, r"intercept_init must be .* \(1,\).*\(2,\)", ValueError),
    ],
)
def test_data(bad, match, error):
    assert_fails(match, error=error, **bad)


REAL_PARAMETERS = {
    "alpha": {},
    "l1_ratio": {"alpha": 0.1},
    "learning_rate": {},
    "momentum": {"learning_rate": 0.01},
    "tol": {"learning_rate": 0.01},
    "validation_fraction": {"early_stopping": True, "random_state": 0},
    "half_life": {"batch_size": None},
}


@pytest.mark.parametrize("name", REAL_PARAMETERS)
@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("kind", [Fraction, np.longdouble, np.float32])
def test_real_parameters_of_other_types(name, batch_size, kind):
    options = {"max_iter": 3, "batch_size": batch_size, "random_state": 0}
    options |= REAL_PARAMETERS[name]
    models = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for value in (0.25, kind(0.25)):
            model = GDLinearRegression(**options, **{name: value}).fit(X, y)
            streamed = GDLinearRegression(**options, **{name: value}).partial_fit(X, y)
            models.append((model, streamed))
    for model, expected in zip(models[1], models[0], strict=True):
        np.testing.assert_array_equal(model.coef_, expected.coef_)
        assert model.coef_.dtype == np.float64
    assert type(models[1][0].get_params()[name]) is kind


@pytest.mark.parametrize("name", REAL_PARAMETERS)
@pytest.mark.parametrize(
    "value", [10**400, 10**5000, -(10**400), Fraction(10**400, 3), np.longdouble("nan")],
    ids=["400", "5000", "-400", "fraction", "nan"],
)  # fmt: skip
def test_real_parameters_beyond_floats(name, value):
    for error in (ValueError, TypeError):
        assert_fails(f"The '{name}' parameter", error=error, parameters={name: value})
    if name == "alpha":
        assert_fails("The 'alpha' parameter", parameters={name: [value]})


@pytest.mark.parametrize("number", [1.5, 2, np.float32(1.5), np.array(1.5)], ids=repr)
def test_intercept_init_may_be_a_number(number):
    model = GDLinearRegression(learning_rate=0.01, max_iter=3, tol=0)
    expected = model.fit(X, y, intercept_init=[float(number)]).intercept_
    assert model.fit(X, y, intercept_init=number).intercept_ == expected
    with pytest.raises(ValueError, match=r"intercept_init must be of shape \(2,\).*shape \(\)"):
        model.fit(X, Y, intercept_init=number)


def masked_somewhere(A):
    return np.ma.array(A, mask=np.arange(A.size).reshape(A.shape) == 1)


def test_masked_entries_that_mean_nothing():
    assert_fails(r"Input X has masked entries \(1 of 36\)", X=masked_somewhere(X))
    weight = masked_somewhere(np.ones(12))
    assert_fails("Input sample_weight has masked entries", sample_weight=weight)
    assert_fails("Input coef_init has masked", coef_init=masked_somewhere(np.ones(3)))
    model = GDLinearRegression().fit(X, y)
    with pytest.raises(ValueError, match="Input X has masked entries"):
        model.predict(masked_somewhere(X))


def test_what_holds_no_values_is_told():
    pl = pytest.importorskip("polars")
    lazy = pl.DataFrame(X).lazy()
    assert_fails(r"X is a LazyFrame.*Pass X\.collect\(\)", X=lazy, error=TypeError)
    assert_fails(r"y is a LazyFrame", y=pl.DataFrame(Y).lazy(), error=TypeError)
    match = r"X must be an array or a dataframe. Got .*dict.*pandas\.DataFrame\(X\)"
    assert_fails(match, X={"a": y, "b": y}, error=TypeError)
    assert_fails(r"y must be an array", y={"a": y}, error=TypeError)
    assert_fails(
        r"X_val is a LazyFrame", error=TypeError, parameters={"early_stopping": True},
        X_val=lazy, y_val=y,
    )  # fmt: skip
    with pytest.raises(TypeError, match="X is a LazyFrame"):
        GDLinearRegression().fit(X, y).predict(lazy)


def test_dask_collections_are_told():
    da = pytest.importorskip("dask.array")
    chunked = da.from_array(X)
    match = r"X is a Dask collection. Use .*DaskGDLinearRegression.*X\.compute\(\)"
    assert_fails(match, X=chunked, error=TypeError)
    assert_fails("y is a Dask collection", y=da.from_array(y), error=TypeError)
    assert_fails(
        "sample_weight is a Dask collection", sample_weight=da.ones(12), error=TypeError
    )


@pytest.mark.parametrize("factor", [np.nan, np.inf, -1.0, "a", None])
def test_schedule_that_returns_nonsense(factor):
    match = rf"'schedule' callable .* a float in the range \[0.0, inf\). Got {factor!r}"
    parameters = {"schedule": lambda t: factor, "learning_rate": 0.01}
    assert_fails(match, parameters=parameters)


@pytest.mark.parametrize("learning_rate", [2.0, 1e6, 1e300])
def test_divergence(learning_rate):
    match = r"makes the loss grow without bound \(iteration \d+\); the largest stable full-batch"
    assert_fails(match, parameters={"learning_rate": learning_rate})


def test_values_that_no_sum_can_hold():
    assert_fails("overflow", X=put(X, 1e308), y=put(y, -1e308) * 1.0, parameters={"alpha": 1e9})


def test_predict():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        GDLinearRegression().predict(X)
    model = GDLinearRegression().fit(X, y)
    with pytest.raises(ValueError, match=r"X has 2 features.*expecting 3 features"):
        model.predict(X[:, :2])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.predict(put(X, np.nan))


def test_column_y_is_one_output_of_two_dimensions():
    model = GDLinearRegression().fit(X, Y[:, :1])
    assert model.coef_.shape == (1, 3)
    assert model.intercept_.shape == (1,)


@pytest.mark.parametrize("options", [{}, {"alpha": 0.1}, {"fit_intercept": False}])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_edges_are_finite_and_sensible(container, options):
    model = GDLinearRegression(**options)

    def fit(A, B, *weight):
        model.fit(container(A), B, *weight)
        assert np.isfinite(model.coef_).all()
        assert np.isfinite(model.intercept_).all()
        return model

    twice = fit(np.hstack([X, X[:, :1]]), y)
    assert twice.coef_[0] == pytest.approx(twice.coef_[3], rel=1e-9)
    fit(X[:2], RNG.standard_normal((2, 7)))
    zero = fit(np.zeros((12, 2)), y)
    assert not zero.coef_.any()
    if model.fit_intercept:
        assert fit(np.hstack([X, np.full((12, 1), 0.1)]), y).coef_[3] == 0.0
        assert fit(X[:1], y[:1]).predict(X[:1])[0] == pytest.approx(y[0])
        assert not fit(X, np.full(12, 0.1)).coef_.any()
        assert model.intercept_ == pytest.approx(0.1)
    weight = np.arange(12.0) % 3
    some, few = fit(X, y, weight).coef_, fit(X[weight > 0], y[weight > 0], weight[weight > 0])
    np.testing.assert_allclose(some, few.coef_, rtol=1e-9)
