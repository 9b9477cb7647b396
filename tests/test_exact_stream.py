"""Exact streams: whatever the chunks, the model is that of all rows so far."""

import itertools
import pickle

import numpy as np
import pytest
from exact_streams import (
    IGNORE,
    OPTIONS,
    assert_near,
    containers,
    quietly,
    stream,
    take,
    with_missing,
)
from reference import textbook
from scipy import sparse

from sklearn_gdlinreg import GDLinearRegression

UNIT_ROUNDOFF = 2.0**-53


@pytest.fixture
def data(make_data):
    return make_data(300, 6, 3, decades=4.0, offset=30.0)


def random_cuts(n_rows, seed, n_chunks=7):
    inner = np.random.default_rng(seed).choice(np.arange(1, n_rows), n_chunks - 1, replace=False)
    return [0, *np.sort(inner), n_rows]


def optimality(model, X, Y, weight=None, alpha=0.0):
    """Return the optimality of a smooth model on all rows, in the widest float."""
    X, Y, W, b = (np.asarray(A, np.longdouble) for A in (X, Y, model.coef_.T, model.intercept_))
    s = np.ones(len(X)) if weight is None else np.asarray(weight)
    s = np.asarray(s, np.longdouble) / s.sum()
    residual, about = Y - X @ W - b, X - s @ X
    scale = np.sqrt(s @ about**2 + alpha)
    gradient = (about / scale[:, None].T).T @ (s[:, None] * residual) - alpha * W / scale[
        :, None
    ]
    off = s @ residual
    off = np.where(np.abs(off) <= np.spacing(np.abs(model.intercept_)), 0.0, off)
    losses = s @ residual**2 + alpha * (W**2).sum(axis=0)
    correlations = ((gradient**2).sum(axis=0) + off**2) / losses
    # Where the fit is next to exact its own size is less.
    return float(np.sqrt(np.minimum(correlations, losses / (s @ (Y - s @ Y) ** 2))).max())


@containers
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_any_chunks_give_what_fit_gives(data, options, weighted, container):
    X, Y = data
    weight = np.random.default_rng(1).integers(0, 4, 300) * 0.7 if weighted else None
    if weighted:
        weight[[0, 40, 41]] = 0.7
    expected = GDLinearRegression(**options).fit(X, Y, weight)
    for seed in range(2):
        cuts = random_cuts(300, seed)
        model = stream(
            GDLinearRegression(**options), X, Y, weight, cuts=cuts, container=container
        )
        assert_near(model, expected, X)
        assert model.engine_ == "moments"
        assert model.stop_reason_ == "tol"
        assert model.n_iter_ == len(model.loss_curve_) == 7


@containers
@pytest.mark.parametrize("options", [OPTIONS["plain"], OPTIONS["elastic net"]], ids=str)
def test_one_row_at_a_time(data, options, container):
    X, Y = (A[:80] for A in data)
    model = quietly(stream, GDLinearRegression(**options), X, Y, cuts=1, container=container)
    assert_near(model, GDLinearRegression(**options).fit(X, Y), X)


@pytest.mark.parametrize("cuts", [1, 37, 300])
@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_far_from_zero(make_data, offset, cuts):
    X, Y = make_data(300, 6, 2, offset=offset)
    model = quietly(stream, GDLinearRegression(), X, Y, cuts=cuts)
    assert_near(model, GDLinearRegression().fit(X, Y), X)


@containers
def test_float32(data, container):
    X, Y = (A.astype(np.float32) for A in data)
    model = quietly(stream, GDLinearRegression(), X, Y, container=container)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    assert_near(model, GDLinearRegression().fit(X.astype(float), Y.astype(float)), X, 1e-6)


@pytest.mark.parametrize("pattern", ["split", "late", "apart"])
@pytest.mark.parametrize("options", [{}, {"alpha": 0.1, "l1_ratio": 0.5, "tol": 1e-11}], ids=str)
@pytest.mark.parametrize("half_life", [None, 40.0])
@pytest.mark.parametrize("cuts", [7, 60, 150])
def test_missing_targets(data, cuts, half_life, options, pattern):
    # Planted: outputs fade by the weight of the rows in which another one is observed.
    X, Y = data[0], with_missing(data[1], pattern)
    options = {**options, **IGNORE, "half_life": half_life}
    model = quietly(stream, GDLinearRegression(**options), X, Y, cuts=cuts)
    assert_near(model, GDLinearRegression(**options).fit(X, Y), X)


def drifting(offset, seed=0, n_rows=1000):
    """Return features that drift together, by so many deviations, and a target of theirs."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, 5))
    X += offset * np.linspace(0, 1, n_rows)[:, None] * rng.uniform(0.5, 2, 5)
    return X, (X - offset) @ rng.standard_normal(5) + rng.standard_normal(n_rows)


@pytest.mark.parametrize("cuts", [1, 20, 200])
@pytest.mark.parametrize("offset", [1e3, 1e4, 1e5])
def test_offsets_that_drift(offset, cuts):
    X, y = drifting(offset, n_rows=300 if cuts == 1 else 1000)
    model = quietly(stream, GDLinearRegression(), X, y, cuts=cuts)
    allowed = 100 * UNIT_ROUNDOFF * np.linalg.cond(np.corrcoef(X.T))
    assert_near(model, GDLinearRegression().fit(X, y), X, allowed)


@pytest.mark.parametrize("cuts", [7, 30])
@containers
def test_fewer_rows_than_features(make_data, container, cuts):
    X, Y = make_data(30, 60, 2, decades=1.0)
    model = quietly(stream, GDLinearRegression(), X, Y, cuts=cuts, container=container)
    assert_near(model, GDLinearRegression().fit(X, Y), X, 1e-6)


@pytest.mark.parametrize("cuts", [1, 20, 200])
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5, 1e7])
def test_the_certificate_is_never_too_low(offset, cuts):
    for seed in range(12 if cuts > 1 else 1):
        X, y = drifting(offset, seed, n_rows=1000 if cuts > 1 else 300)
        Y = np.c_[y, X[:, 0] + y]
        model = quietly(stream, GDLinearRegression(), X, Y, cuts=cuts)
        assert optimality(model, X, Y) <= model.optimality_ * 1.01 + 1e-14
        assert (model.stop_reason_ == "tol") == (model.optimality_ <= model.tol)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_the_certificate_of_weighted_rows(data, rng, alpha):
    X, Y = data
    weight = rng.uniform(0.0, 2.0, 300)
    model = stream(GDLinearRegression(alpha=alpha), X, Y, weight)
    assert optimality(model, X, Y, weight, alpha) <= model.optimality_ * 1.01 + 1e-14
    assert model.optimality_ < 1e-9


def test_a_light_chunk_of_wild_rows(rng):
    # Planted: moments merge by a difference, in which the heavy rows lose their digits.
    X = rng.standard_normal((10_002, 2))
    X[0] = [1e6, -1e6]
    y = X @ [1.0, 2.0] + rng.standard_normal(10_002)
    weight = np.ones(10_002)
    weight[:2] = 1e-6
    model = quietly(stream, GDLinearRegression(), X, y, weight, cuts=[0, 2, 10_002])
    assert_near(model, GDLinearRegression(tol=0).fit(X, y, weight), X[2:], 1e-10)


@containers
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_are_those_before_a_chunk_is_learnt(data, rng, weighted, container):
    X, Y = data
    weight, model = (
        rng.uniform(0.5, 2.0, 300) if weighted else None,
        GDLinearRegression(alpha=0.1),
    )
    expected = []
    for rows in (slice(0, 100), slice(100, 150), slice(150, 300)):
        part = Y[rows] - np.average(Y[rows], axis=0, weights=take(weight, rows))
        error = part if not expected else model.predict(X[rows]) - Y[rows]
        expected.append(np.average((error**2).sum(axis=1), weights=take(weight, rows)))
        model.partial_fit(container(X[rows]), Y[rows], take(weight, rows))
    np.testing.assert_allclose(model.loss_curve_, expected, rtol=1e-8)
    assert not hasattr(model, "validation_loss_curve_")


@pytest.mark.parametrize("change", OPTIONS.values(), ids=OPTIONS)
def test_penalties_changed_between_calls(data, change):
    if "fit_intercept" in change:
        model = stream(GDLinearRegression(), *data).set_params(**change)
        with pytest.raises(ValueError, match="fit_intercept must not change"):
            model.partial_fit(*data)
        return
    X, Y = data
    model = stream(GDLinearRegression(alpha=0.5), X[:200], Y[:200])
    model.set_params(**{"alpha": 0.0, **change}).partial_fit(X[200:], Y[200:])
    assert_near(model, GDLinearRegression(**change).fit(X, Y), X)


@pytest.mark.parametrize("name", ["coef_", "intercept_"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_coefficients_set_by_hand_are_an_error(data, method, name):
    model = getattr(GDLinearRegression(), method)(*data)
    setattr(model, name, getattr(model, name) + 1.0)
    before = pickle.dumps(model)
    for call in (lambda: model.partial_fit(*data), lambda: model.merge(model)):
        with pytest.raises(ValueError, match=f"{name} has been set by hand.* Set batch_size"):
            call()
    assert pickle.dumps(model) == before


def test_a_sparse_coef_is_not_set_by_hand(data):
    options = {"alpha": 0.3, "l1_ratio": 1.0, "tol": 1e-11}
    X, Y = data
    model = GDLinearRegression(**options).partial_fit(X[:200], Y[:200]).sparsify()
    model.partial_fit(X[200:], Y[200:])
    assert_near(model, GDLinearRegression(**options).fit(X, Y), X)


@pytest.mark.parametrize(
    "options", [{"alpha": 0.05, "l1_ratio": 1.0}, {"positive": True}], ids=str
)
def test_answers_without_a_gradient_start_from_the_one_before(make_data, options):
    X, Y = make_data(5000, 40, 1, decades=1.0)
    model = GDLinearRegression(**options).partial_fit(X, Y)
    steps = [model.t_]
    for weight in (1e-9, 1.0):
        steps.append(model.partial_fit(X[:1], Y[:1], [weight]).t_ - sum(steps))
    assert steps[0] > 0
    assert steps[1] == 0
    assert steps[2] <= steps[0]


GONE_ON = {
    "dense": {},
    "sparse": {"container": sparse.csr_array},
    "wide": {"M": 400},
    "few rows": {"N": 40, "M": 60},
    "float32": {"dtype": np.float32},
    "float32, many rows": {"dtype": np.float32, "N": 2000, "M": 20},
    "weights": {"weighted": True},
    "missing": {"pattern": "apart"},
    "elastic net": OPTIONS["elastic net"],
    "half-life": {"half_life": 100.0},
}


@pytest.mark.parametrize("case", GONE_ON.values(), ids=GONE_ON)
def test_a_stream_goes_on_after_fit(make_data, case):
    options = dict(case)
    N, M, dtype, container, weighted, pattern = (
        options.pop(name, default) for name, default in [
            ("N", 300), ("M", 6), ("dtype", float), ("container", np.asarray),
            ("weighted", False), ("pattern", None),
        ]
    )  # fmt: skip
    X, Y = (A.astype(dtype) for A in make_data(N, M, 3, decades=1.0))
    weight = np.arange(N) % 3.0 if weighted else None
    if pattern:
        Y, options = with_missing(Y, pattern), {**options, **IGNORE}
    half = slice(0, N // 2)
    model = GDLinearRegression(**options).fit(container(X[half]), Y[half], take(weight, half))
    quietly(stream, model, X, Y, weight, cuts=[N // 2, 3 * N // 4, N], container=container)
    assert len(model.loss_curve_) == model.n_iter_ == 2
    expected = GDLinearRegression(**options).fit(X, Y, weight)
    assert_near(model, expected, X, {float: 1e-6 if N < M else 1e-10, np.float32: 2e-6}[dtype])


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"batch_size": 16}, "fitted by mini-batches"),
        ({"early_stopping": True}, "fitted with early_stopping=True"),
        ({"learning_rate": 1e-7}, "fitted with a numeric learning_rate"),
        ({"learning_rate": 1e-7, "batch_size": 16}, "fitted by mini-batches"),
        ("wide", "fitted to more than 500 columns of X and y"),
        ("deleted", "its moments_ have been deleted"),
    ],
    ids=str,
)
def test_fits_that_an_exact_stream_does_not_go_on_from(data, rng, parameters, match):
    X, Y = data
    if parameters == "wide":
        X, Y = rng.standard_normal((20, 499)), rng.standard_normal((20, 2))
    model = GDLinearRegression(**(parameters if isinstance(parameters, dict) else {}))
    quietly(model.fit, X, Y)
    if parameters == "deleted":
        del model.moments_
    assert not hasattr(model, "moments_")
    model.set_params(batch_size=None, learning_rate="auto", early_stopping=False)
    before = pickle.dumps(model)
    for call in (lambda: model.partial_fit(X, Y), lambda: model.merge(model)):
        with pytest.raises(ValueError, match=rf"(?s){match}.*Pass these rows to partial_fit.*"):
            call()
    assert pickle.dumps(model) == before
    assert model.set_params(batch_size=16).partial_fit(X, Y).engine_ == "stream"


def test_what_fit_keeps_is_small(rng):
    X = rng.standard_normal((50, 499))
    model = GDLinearRegression().fit(X, X[:, 0])
    assert len(pickle.dumps(model.moments_)) < 1.05e6


@containers
@pytest.mark.parametrize("options", [{}, OPTIONS["elastic net"], {"half_life": 30.0}], ids=str)
def test_restored_in_mid_stream(data, container, options):
    X, Y = data
    model = stream(GDLinearRegression(**options), X[:150], Y[:150], container=container)
    again = pickle.loads(pickle.dumps(model))
    for each in (model, again):
        stream(each, X[150:], Y[150:], container=container)
    np.testing.assert_array_equal(again.coef_, model.coef_, strict=True)
    np.testing.assert_array_equal(again.intercept_, model.intercept_, strict=True)
    assert (again.optimality_, again.loss_curve_) == (model.optimality_, model.loss_curve_)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_failed_calls_change_nothing(data, method, dtype):
    X, Y = (A.astype(dtype) for A in data)
    model = getattr(GDLinearRegression(), method)(X, Y)
    before = pickle.dumps(model)
    bad_X, bad_Y = X.copy(), Y.copy()
    bad_X[7, 2], bad_Y[290, 1] = np.nan, np.inf
    for x, y, weight, match in [
        (bad_X, Y, None, "Input X contains NaN"),
        (sparse.csr_array(bad_X), Y, None, "Input X contains NaN"),
        (X, bad_Y, None, "Input y contains infinity"),
        (X[:, :3], Y, None, "X has 3 features"),
        (X, Y[:, :2], None, "y must keep its 3 outputs"),
        (X, Y[:, 0], None, "y must keep its 3 outputs"),
        (X, Y, -np.ones(300), "Negative values"),
        (X, Y, np.zeros(300), "sample_weight"),
        (X[:0], Y[:0], None, "0 sample"),
    ]:
        with pytest.raises(ValueError, match=match):
            model.partial_fit(x, y, weight)
        assert pickle.dumps(model) == before
    one = getattr(GDLinearRegression(), method)(X, Y[:, 0])
    with pytest.raises(ValueError, match=r"y must stay 1D .* Got an array of shape \(300, 1\)"):
        one.partial_fit(X, Y[:, :1])
    with pytest.raises(ValueError, match="alpha must be a float or have one value per output"):
        model.set_params(alpha=[0.1, 0.2]).partial_fit(X, Y)
    assert pickle.dumps(model.set_params(alpha=0.0)) == before


@containers
@pytest.mark.parametrize("more", [{}, {"alpha": 0.1, "l1_ratio": 0.5}], ids=str)
def test_a_numeric_learning_rate_takes_a_step_on_each_chunk(make_data, container, more):
    X, Y = make_data(90, 5, 2, decades=0.5, offset=1.0)
    model, W, b = GDLinearRegression(learning_rate=1e-2, **more), None, None
    for rows in (slice(0, 50), slice(50, 60), slice(60, 90)):
        model.partial_fit(container(X[rows]), Y[rows])
        W, b, _ = textbook(X[rows], Y[rows], 1e-2, 1, **more, W=W, b=b)
        np.testing.assert_allclose(model.coef_.T, W, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(model.intercept_, b, rtol=1e-9)
    assert (model.t_, model.engine_) == (3, "stream")


def test_too_many_features_name_the_way_out():
    X = sparse.csr_array(([1.0, 2.0], ([0, 1], [3, 40_000])), shape=(2, 50_000))
    model = GDLinearRegression()
    with pytest.raises(ValueError, match=r"50000 features take 18\.6 GiB.* Set batch_size"):
        model.partial_fit(X, [1.0, 2.0])
    assert not hasattr(model, "coef_")
    assert model.set_params(batch_size=1).partial_fit(X, [1.0, 2.0]).engine_ == "stream"


@containers
@pytest.mark.parametrize("units", itertools.product([1e-150, 1.0, 1e150], repeat=2))
def test_extreme_units(make_data, units, container):
    X, Y = make_data(200, 4, 2, decades=1.0)
    model = stream(GDLinearRegression(), X * units[0], Y * units[1], container=container)
    expected = GDLinearRegression().fit(X, Y)
    np.testing.assert_allclose(model.coef_ * units[0] / units[1], expected.coef_, rtol=1e-9)


@pytest.mark.parametrize("small_first", [False, True])
def test_units_that_change_between_chunks(make_data, small_first):
    X, Y = make_data(300, 4, 2, decades=1.0)
    X[slice(0, 150) if small_first else slice(150, 300)] *= 1e-140
    model = stream(GDLinearRegression(), X, Y)
    assert_near(model, GDLinearRegression().fit(X, Y), X)


@pytest.mark.parametrize("size", [1e-308, 1e-300, 1e300, 1e308])
@pytest.mark.parametrize("half_life", [None, 40.0])
def test_huge_and_tiny_weights(data, rng, size, half_life):
    X, Y = data
    weight = rng.uniform(0.5, 1.0, 300)
    expected = GDLinearRegression(half_life=half_life).fit(X, Y, weight)
    if half_life is not None and size == 1e308:
        size /= 100.0
    own = None if half_life is None else half_life * size
    model = stream(GDLinearRegression(half_life=own), X, Y, weight * size)
    assert_near(model, expected, X)


@pytest.mark.parametrize("cuts", [1, 50])
@pytest.mark.parametrize("constant", [0.0, 0.1, 123456.789])
def test_a_constant_column(data, constant, cuts):
    X, Y = data
    X[:, 2] = constant
    model = quietly(stream, GDLinearRegression(), X, Y, cuts=cuts)
    np.testing.assert_array_equal(model.coef_[:, 2], 0.0)
    assert_near(model, GDLinearRegression().fit(X, Y), X)


@pytest.mark.parametrize("repeats", [1, 3])
def test_a_single_row(repeats):
    model = GDLinearRegression()
    for _ in range(repeats):
        model.partial_fit([[1.0, 2.0]], [3.0])
    np.testing.assert_array_equal(model.coef_, 0.0)
    assert model.intercept_ == 3.0
    assert model.optimality_ == 0.0
    assert model.loss_curve_ == [0.0] * repeats
