"""Which way a descent goes: by what it would cost, and what is true of the answer on each."""

import numpy as np
import pytest
from libraries import dispatch, in_each_library, in_strict, in_torch, needs_dispatch
from scipy import sparse
from sklearn.linear_model import LinearRegression

from sklearn_gdlinreg import GDLinearRegression
from sklearn_gdlinreg._base.compat import ARRAY_API
from sklearn_gdlinreg._base.rounding import EPS
from sklearn_gdlinreg._problem import reading
from sklearn_gdlinreg._problem.metric import DualFactor, Factor, FactorOfEach, Plain
from sklearn_gdlinreg._problem.penalty import Penalty
from sklearn_gdlinreg._problem.reading import cheapest_way, read
from sklearn_gdlinreg._rows.containers import rows_of
from sklearn_gdlinreg._rows.moments import FLOAT32_SUMS


@pytest.fixture(autouse=True)
def much_work(monkeypatch):
    """Let small data be read as large are, whose products may be made in float32."""
    monkeypatch.setattr(reading, "EXACT_WORK", 0)


def rows(container, N, M, D, dtype=np.float64):
    """Return Rows of this shape; those of NumPy take no memory."""
    X, Y = (np.broadcast_to(dtype(1.0), (N, n)) for n in (M, D))
    with dispatch():
        if container in (in_strict, in_torch):
            X, Y = container(X), container(Y)
        elif container is sparse.csr_array:
            X = container(X)
        return rows_of(X, Y, None, centred=True)


@in_each_library
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "plain", "whitened"),
    [
        ((1000, 10, 1), "moments", "moments"),
        ((1000, 10, 30), "moments", "moments"),
        ((301, 300, 1), "moments", "moments"),
        # Fewer rows than features.
        ((300, 301, 1), "moments", "dual"),
        ((30, 400, 3), "passes", "dual"),
        ((1, 2, 1), "moments", "dual"),
    ],
    ids=str,
)
def test_ways_of_dense_rows(container, dtype, shape, plain, whitened):
    data = rows(container, *shape, dtype)
    assert cheapest_way(data, 1000) == plain
    assert cheapest_way(data, 1000, n_factors=1) == whitened


@pytest.mark.parametrize(
    ("shape", "n_steps", "way"),
    [
        ((10_000, 1_000, 1), 1000, "moments"),
        ((100_000, 1_000, 1), 1000, "sample"),
        ((100_000, 1_000, 20), 1000, "moments"),
        # As many passes as a sample would need.
        ((100_000, 1_000, 1), 14, "passes"),
        ((100_000, 10, 1), 1000, "moments"),
        # Too few rows for a sample of them.
        ((5_000, 1_000, 1), 1000, "moments"),
        # No memory for products.
        ((20_001, 30_000, 1), 1000, "passes"),
        ((40_000, 30_000, 1), 1000, "passes"),
        ((10, 30_000, 1), 1000, "dual"),
    ],
    ids=str,
)
def test_ways_of_many_rows_and_features(shape, n_steps, way):
    assert cheapest_way(rows(np.asarray, *shape), n_steps, n_factors=1) == way


@pytest.mark.parametrize(
    ("shape", "n_steps", "plain", "whitened"),
    [
        ((1000, 10, 1), 1000, "moments", "moments"),
        ((1000, 10, 1), 2, "passes", "passes"),
        ((30, 400, 3), 1000, "passes", "moments"),
        # Wider than products may be.
        ((100, 5_000, 1), 1000, "passes", "passes"),
    ],
    ids=str,
)
def test_ways_of_sparse_rows(shape, n_steps, plain, whitened):
    """A sample is never made, products of rows where they are asked for."""
    data = rows(sparse.csr_array, *shape)
    assert cheapest_way(data, n_steps) == plain
    assert cheapest_way(data, n_steps, n_factors=1) == whitened


@pytest.mark.parametrize("n_rows", range(50, 1200, 50))
def test_a_sample_is_every_primeth_row(n_rows):
    step = reading._step(rows(np.asarray, n_rows, 5, 1))
    most = n_rows // (reading.SAMPLED_ROWS * 5)
    assert step == max(k for k in range(1, most + 1) if all(k % j for j in range(2, k)))


def problem(make_data, shape, dtype=np.float64, *, whitened=True, raw=False, penalty=None):
    X, Y = make_data(*shape, 2, decades=1.0)
    return read(
        X.astype(dtype), Y.astype(dtype), None, penalty=penalty or Penalty.none(2),
        fit_intercept=True, raw=raw, n_steps=1000, whitened=whitened,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_metrics(make_data, dtype):
    group = problem(make_data, (300, 9), dtype)
    assert type(group.metric) is Factor
    assert group.moments.rounding == (FLOAT32_SUMS if dtype == np.float32 else EPS)
    assert not group.moments.sampled
    group = problem(make_data, (9, 30), dtype)
    assert type(group.metric) is DualFactor
    assert group.moments is None
    assert group.passes.name == "dual"


@pytest.mark.parametrize(
    "options",
    [
        {"whitened": False},
        {"raw": True},
        {"penalty": Penalty.of(0.1, 0.5, False, 2)},
        {"penalty": Penalty.of(0.0, 0.0, True, 2)},
    ],
    ids=["watched", "raw", "L1", "positive"],
)
@pytest.mark.parametrize("shape", [(300, 9), (9, 30)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_metric(make_data, options, shape, dtype):
    group = problem(make_data, shape, dtype, **options)
    assert type(group.metric) is Plain
    assert group.passes.name == "passes"
    assert group.moments is None or group.moments.rounding == EPS


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_metrics_of_outputs_with_penalties_of_their_own(make_data, monkeypatch, dtype):
    own = {"penalty": Penalty.of([0.1, 0.2], 0.0, False, 2)}
    assert type(problem(make_data, (300, 9), dtype, **own).metric) is FactorOfEach
    # Products of rows are no metric of them.
    group = problem(make_data, (9, 300), dtype, **own)
    assert group.passes.name == "passes"
    monkeypatch.setattr(reading, "ITEMS_OF_FACTORS", 2 * 9**2 - 1)
    assert type(problem(make_data, (300, 9), dtype, **own).metric) is Plain


def test_float32_whose_factor_may_be_rounding_is_read_in_float64(rng):
    E = rng.standard_normal((300, 5))
    X = np.hstack([E, E[:, :1] + 1e-5 * E[:, 1:2]]).astype(np.float32)
    group = read(
        X, X[:, :1], None, penalty=Penalty.none(1), fit_intercept=True, raw=False,
        n_steps=1000, whitened=True,
    )  # fmt: skip
    assert group.moments.rounding == EPS


def test_float32_products_serve_a_fit_of_every_digit(rng):
    X = rng.standard_normal((2000, 20)) @ (np.eye(20) + 0.5 * rng.standard_normal((20, 20)))
    y = X @ np.ones(20) + rng.standard_normal(2000)
    X, y = X.astype(np.float32), y.astype(np.float32)
    model = GDLinearRegression().fit(X, y)
    expected = GDLinearRegression().fit(X.astype(float), y.astype(float))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)


def test_products_that_take_little_time_are_exact(make_data, monkeypatch):
    work = rows(np.asarray, 300, 9, 2, np.float32).moments_work
    monkeypatch.setattr(reading, "EXACT_WORK", work)
    assert problem(make_data, (300, 9), np.float32).moments.rounding == EPS
    monkeypatch.setattr(reading, "EXACT_WORK", work - 1)
    assert problem(make_data, (300, 9), np.float32).moments.rounding == FLOAT32_SUMS


def test_a_stream_goes_on_from_float32_products_with_a_certificate_that_is_true(rng):
    X = rng.standard_normal((2000, 20)) @ (np.eye(20) + 0.5 * rng.standard_normal((20, 20)))
    y = X @ np.ones(20) + rng.standard_normal(2000)
    X, y = X.astype(np.float32), y.astype(np.float32)
    model = GDLinearRegression().fit(X[:1000], y[:1000]).partial_fit(X[1000:], y[1000:])
    expected = GDLinearRegression().fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-3)
    # It is as near as those products tell, and says so.
    Z = X.astype(float) - X.mean(axis=0, dtype=float)
    r = y - model.predict(X).astype(float)
    true = np.linalg.norm(Z.T @ r / np.linalg.norm(Z, axis=0)) / np.linalg.norm(r)
    assert true <= model.optimality_
    assert model.stop_reason_ == "precision"


def test_one_heavy_row_in_float32_is_read_in_float64(rng):
    """Its weight magnifies what rounding does to the products of the others."""
    X, Y = rng.standard_normal((300, 5)), rng.standard_normal((300, 1))
    X[0] = 1e5
    weight = np.ones(300)
    weight[0] = 1e6
    group = read(
        X.astype(np.float32), Y.astype(np.float32), weight, penalty=Penalty.none(1),
        fit_intercept=True, raw=False, n_steps=1000, whitened=True,
    )  # fmt: skip
    assert group.moments.rounding == EPS


def test_more_outputs_than_factors(make_data, monkeypatch):
    monkeypatch.setattr(reading, "MOST_FACTORS", 1)
    own = Penalty.of([0.1, 0.2], 0.0, False, 2)
    assert type(problem(make_data, (300, 9), penalty=own).metric) is Plain


# Fits -----------------------------------------------------------------------------------------


def excess(model, X, Y, weight=None):
    """Return the objective of a model over the least, of all outputs, less 1."""
    X, Y = X.astype(float), Y.astype(float).reshape(len(X), -1)
    best = LinearRegression().fit(X, Y, weight)
    R = Y - X @ np.atleast_2d(model.coef_).T.astype(float) - model.intercept_.astype(float)
    least = np.average((Y - best.predict(X)) ** 2, axis=0, weights=weight).sum()
    return np.average(R**2, axis=0, weights=weight).sum() / least - 1.0


@pytest.fixture
def sampled(monkeypatch):
    """Let samples cost nothing: they are made of small data, too."""
    monkeypatch.setattr(reading, "DOUBT", 0.0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("order", "CF")
def test_a_sample_leads_to_the_answer(make_data, rng, sampled, dtype, weighted, order):
    X, Y = make_data(2000, 20, 2, decades=1.0)
    X, Y = np.asarray(X, dtype, order=order), Y.astype(dtype)
    weight = rng.uniform(0.5, 2.0, 2000) if weighted else None
    model = GDLinearRegression().fit(X, Y, weight)
    assert model.engine_ == "passes+sample"
    assert model.stop_reason_ == "tol"
    assert model.optimality_ <= (1e-6 if dtype == np.float64 else 1e-5)
    assert 2 <= model.n_iter_ <= 30
    assert len(model.loss_curve_) == model.n_iter_
    assert -1e-12 <= excess(model, X, Y, weight) <= 1e-8


@pytest.mark.parametrize("container", [in_strict, in_torch])
@needs_dispatch
def test_a_sample_of_tensors(make_data, sampled, container):
    X, Y = make_data(2000, 20, 2, decades=1.0)
    expected = GDLinearRegression(tol=1e-9).fit(X, Y)
    with dispatch():
        model = GDLinearRegression(tol=1e-9).fit(container(X), container(Y))
    assert model.engine_ == expected.engine_ == "passes+sample"
    np.testing.assert_allclose(np.asarray(model.coef_), expected.coef_, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("alpha", [1e-3, 1.0])
def test_a_sample_with_a_ridge(make_data, sampled, alpha, monkeypatch):
    X, Y = make_data(2000, 20, 2, decades=1.0)
    model = GDLinearRegression(alpha=alpha, tol=1e-9).fit(X, Y)
    assert model.engine_ == "passes+sample"
    monkeypatch.setattr(reading, "DOUBT", 1.25)
    expected = GDLinearRegression(alpha=alpha, tol=1e-9).fit(X, Y)
    assert expected.engine_ == "moments"
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("fault", ["constant", "small", "repeated", "large"])
def test_a_sample_that_is_far_from_all_rows(make_data, sampled, dtype, fault):
    """What it says of a feature is not true of the other rows; the answer is that of all."""
    X, Y = make_data(2000, 20, 2, decades=1.0)
    step = reading._step(rows(np.asarray, 2000, 20, 2))
    if fault == "constant":
        X[::step, 3] = X[:, 3].mean()
    if fault == "small":
        X[::step] = X.mean(axis=0) + 1e-3 * (X[::step] - X.mean(axis=0))
    if fault == "repeated":
        X[::step] = X[::step][:1]
    if fault == "large":
        X[::step, :10] *= 100.0
    X, Y = X.astype(dtype), Y.astype(dtype)
    model = GDLinearRegression().fit(X, Y)
    assert model.stop_reason_ == "tol"
    assert "sample" in model.engine_.split("+")
    assert excess(model, X, Y) <= 1e-8


@pytest.mark.parametrize("light", [0.0, 1e-9])
def test_rows_that_carry_no_weight_are_no_sample(make_data, sampled, light):
    X, Y = make_data(2000, 20, 2, decades=1.0)
    step = reading._step(rows(np.asarray, 2000, 20, 2))
    weight = np.ones(2000)
    weight[::step] = light
    model = GDLinearRegression().fit(X, Y, weight)
    assert model.engine_ == "moments"
    assert excess(model, X, Y, weight) <= 1e-12


@pytest.mark.parametrize("collinear", [False, True])
def test_a_sample_and_all_rows_have_the_same_coordinates(make_data, sampled, collinear):
    """The gradient that a descent ends with is certified in those of the first one."""
    X, Y = make_data(2000, 20, 2, decades=1.0)
    if collinear:
        # float32 sums cannot tell: products of all rows are made twice.
        X[:, 1] = X[:, 0] + 1e-5 * X[:, 1]
    group = read(
        X.astype(np.float32), Y.astype(np.float32), None, penalty=Penalty.none(2),
        fit_intercept=True, raw=False, n_steps=1000, whitened=True,
    )  # fmt: skip
    of_all = group.with_all_rows()
    assert of_all.coordinates is group.coordinates
    assert of_all.moments.rounding == (EPS if collinear else FLOAT32_SUMS)


def test_moments_that_are_there_are_no_sample(make_data, sampled):
    X, Y = make_data(2000, 20, 2, decades=1.0)
    known = rows_of(X, Y, None, centred=True)
    group = read(
        X, Y, None, penalty=Penalty.none(2), fit_intercept=True, raw=False, n_steps=1000,
        whitened=True, gathered=(known, known.moments()),
    )  # fmt: skip
    assert group.moments.name == "moments"
    assert group.with_all_rows is None


def test_repeated_rows_by_chance_are_a_sample_of_all(make_data, sampled):
    X, Y = make_data(100, 10, 2, decades=1.0)
    X, Y = np.tile(X, (20, 1)), np.tile(Y, (20, 1))
    model = GDLinearRegression().fit(X, Y)
    assert model.engine_ == "passes+sample"
    assert excess(model, X, Y) <= 1e-8


@pytest.mark.parametrize(
    ("shape", "engine"),
    [((300, 9), "moments"), ((9, 30), "dual")],
)
@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, in_strict, in_torch])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_engines(make_data, shape, engine, container, dtype):
    if container in (in_strict, in_torch) and not ARRAY_API:
        pytest.skip("needs scikit-learn 1.9")
    X, Y = make_data(*shape, 2, decades=1.0)
    with dispatch():
        data = container(X.astype(dtype)), container(Y.astype(dtype))
        model = GDLinearRegression(tol=1e-5).fit(*data)
    assert model.engine_ == engine
    assert model.n_iter_ <= 3


def test_sparse_wide_data_go_by_passes():
    X = sparse.random(300, 5000, density=0.01, format="csr", random_state=0)
    assert GDLinearRegression(alpha=1e-3).fit(X, np.arange(300.0)).engine_ == "passes"


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(400, 12), (30, 60)])
def test_outputs_that_are_missing_in_other_rows(make_data, shape, dtype):
    """Each group has a metric of its own rows, whichever way is that of its number of rows."""
    X, Y = (A.astype(dtype) for A in make_data(*shape, 3, decades=1.0))
    Y[::3, 1] = Y[5:9, 2] = np.nan
    model = GDLinearRegression(missing_targets="ignore", tol=1e-5).fit(X, Y)
    assert model.engine_ == ("moments" if shape[0] > shape[1] else "dual")
    assert model.n_iter_ <= 3
    rtol = 1e-8 if dtype == np.float64 else 1e-3
    for d in range(3):
        kept = ~np.isnan(Y[:, d])
        alone = GDLinearRegression(tol=1e-5).fit(X[kept], Y[kept, d])
        size = rtol * np.abs(alone.coef_).max()
        np.testing.assert_allclose(model.coef_[d], alone.coef_, rtol=rtol, atol=size)


def test_groups_of_rows_and_of_a_sample(make_data, sampled):
    """Few observed rows leave one output with fewer of them than features."""
    X, Y = make_data(2000, 20, 3, decades=1.0)
    Y[5:, 2] = np.nan
    Y[::2, 1] = np.nan
    model = GDLinearRegression(missing_targets="ignore").fit(X, Y)
    for d in range(2):
        kept = ~np.isnan(Y[:, d])
        best = LinearRegression().fit(X[kept], Y[kept, d])
        errors = [((Y[kept, d] - m) ** 2).mean() for m in (
            model.predict(X[kept])[:, d], best.predict(X[kept])
        )]  # fmt: skip
        assert errors[0] <= errors[1] * (1 + 1e-8)
    np.testing.assert_allclose(model.predict(X[:5])[:, 2], Y[:5, 2], atol=1e-6)
