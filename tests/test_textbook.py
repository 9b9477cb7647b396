"""The textbook's descent, step for step, and how it says that a step is too long."""

import re
import warnings
from fractions import Fraction

import numpy as np
import pytest
from reference import textbook
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from sklearn_gdlinreg import GDLinearRegression
from sklearn_gdlinreg._problem.penalty import Penalty
from sklearn_gdlinreg._problem.reading import read


@pytest.fixture
def data(make_data):
    return make_data(60, 5, 2, decades=0.5, offset=1.0)


FACTOR = np.array([0.0, 2.0, 0.5, 1.0, 3.0])


def limit(X):
    """Return the longest stable step, from the eigenvalues of the whole Hessian."""
    A = np.hstack([X, np.ones((len(X), 1))])
    return 1 / np.linalg.eigvalsh(A.T @ A / len(X))[-1]


def decay(t):
    return 0.97**t


@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("n_steps", [1, 2, 3, 60])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"schedule": "invscaling"},
        {"schedule": decay},
        {"momentum": 0.8},
        {"momentum": 0.8, "nesterov": True},
        {"alpha": 0.3},
        {"alpha": 0.5, "l1_ratio": 0.7},
        {"positive": True, "momentum": 0.5},
        {"alpha": np.array([0.9, 0.1]), "l1_ratio": 0.5, "positive": True},
        {"fit_intercept": False},
        {"alpha": 0.1, "momentum": 0.5, "nesterov": True, "schedule": "invscaling"},
        {"alpha": np.array([0.5, 0.1]), "penalty_factor": FACTOR, "momentum": 0.5},
        {"alpha": 0.5, "l1_ratio": 0.5, "penalty_factor": FACTOR, "positive": FACTOR > 1},
    ],
)
def test_each_iterate_is_the_plain_loops(data, rng, container, n_steps, options):
    X, Y = data
    weight, rate = rng.uniform(0, 2, len(X)), 0.3 * limit(X)
    W, b, losses = textbook(X, Y, rate, n_steps, sample_weight=weight, **options)
    model = GDLinearRegression(learning_rate=rate, max_iter=n_steps, tol=0, **options)
    model.fit(container(X), Y, weight)
    np.testing.assert_allclose(model.coef_.T, W, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(model.intercept_, b, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(model.loss_curve_, losses[1:], rtol=1e-9)
    assert model.n_iter_ == model.t_ == n_steps


@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("options", [{}, {"alpha": 0.3, "momentum": 0.8, "nesterov": True}])
def test_wide_iterates_are_the_plain_loops(make_data, container, n_outputs, options):
    """Wide data, which are read in passes and have no moments."""
    X, Y = make_data(20, 70, n_outputs, decades=0.5, offset=1.0)
    rate, n_steps = 0.3 * limit(X), 8
    W, b, losses = textbook(X, Y, rate, n_steps, **options)
    model = GDLinearRegression(learning_rate=rate, max_iter=n_steps, tol=0, **options)
    model.fit(container(X), Y[:, 0] if n_outputs == 1 else Y)
    assert model.engine_ == "passes"
    np.testing.assert_allclose(model.coef_.reshape(n_outputs, -1).T, W, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(model.intercept_, b if n_outputs > 1 else b[0], rtol=1e-9)
    np.testing.assert_allclose(model.loss_curve_, losses[1:], rtol=1e-9)


def test_starts_where_it_is_told(data, rng):
    X, Y = data
    W, b = rng.standard_normal((5, 2)), rng.standard_normal(2)
    rate = 0.3 * limit(X)
    expected = textbook(X, Y, rate, 4, W=W, b=b)
    model = GDLinearRegression(learning_rate=rate, max_iter=4, tol=0)
    model.fit(X, Y, coef_init=W.T, intercept_init=b)
    np.testing.assert_allclose(model.coef_.T, expected[0], rtol=1e-10)
    first = GDLinearRegression(learning_rate=rate, max_iter=2, tol=0, warm_start=True)
    first.fit(X, Y, coef_init=W.T, intercept_init=b).fit(X, Y)
    np.testing.assert_allclose(first.coef_.T, expected[0], rtol=1e-10)
    np.testing.assert_allclose(first.intercept_, expected[1], rtol=1e-10)


def test_one_sample_is_the_first_row_of_the_table(rng):
    x, y = rng.standard_normal((1, 3)), np.array([2.0])
    model = GDLinearRegression(learning_rate=0.05, max_iter=1, tol=0).fit(x, y)
    np.testing.assert_allclose(model.coef_, 0.05 * 2 * y[0] * x[0])
    assert model.intercept_ == pytest.approx(0.05 * 2 * y[0])


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_mlp_regressors(data, nesterov):
    """Its loss is half the mean over samples, so that its rate is twice ours."""
    X, Y = data
    y, rate = Y[:, 0], 0.2 * limit(X)
    mlp = MLPRegressor(
        hidden_layer_sizes=(), solver="sgd", alpha=0.0, batch_size=len(X), momentum=0.7,
        nesterovs_momentum=nesterov, learning_rate_init=2 * rate, random_state=0,
    )  # fmt: skip
    mlp.partial_fit(X, y)
    W, b = mlp.coefs_[0].copy(), mlp.intercepts_[0].copy()
    # Its first update is from a velocity of zero: ours from there, less that first step.
    for _ in range(6):
        mlp.partial_fit(X, y)
    start_W, start_b = _first_point(X, y, rate, 0.7, nesterov, W, b)
    ours = GDLinearRegression(
        learning_rate=rate, momentum=0.7, nesterov=nesterov, max_iter=7, tol=0
    ).fit(X, y, coef_init=start_W[:, 0], intercept_init=start_b)
    np.testing.assert_allclose(ours.coef_, mlp.coefs_[0][:, 0], rtol=1e-8)
    np.testing.assert_allclose(ours.intercept_, mlp.intercepts_[0][0], rtol=1e-8)


def _first_point(X, y, rate, momentum, nesterov, W, b):
    """Undo one update from rest: solve (W, b) = step(start) for the start."""
    A = np.hstack([X, np.ones((len(X), 1))])
    H, c = 2 * A.T @ A / len(X), 2 * A.T @ y[:, None] / len(X)
    length = rate * (1 + momentum * nesterov)
    after = np.vstack([W, b[None]])
    start = np.linalg.solve(np.eye(len(H)) - length * H, after - length * c)
    return start[:-1], start[-1]


@pytest.mark.slow
@pytest.mark.parametrize(("momentum", "nesterov"), [(0, False), (0.9, False), (0.9, True)])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_error_names_the_largest_stable_step(data, momentum, nesterov, fit_intercept):
    X, Y = data
    options = {"momentum": momentum, "nesterov": nesterov, "fit_intercept": fit_intercept}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="learning_rate=50 makes the loss grow") as error:
            GDLinearRegression(learning_rate=50, **options).fit(X, Y)
    pattern = r"without bound \(iteration \d+\); the largest stable full-batch step for these "
    named = float(re.search(pattern + r"data is ([\d.e+-]+)\. Use", str(error.value))[1])
    for factor, stable in [(0.995, True), (1.01, False)]:
        model = GDLinearRegression(
            learning_rate=factor * named, max_iter=20_000, tol=0, **options
        )
        if stable:
            model.fit(X, Y)
            assert model.loss_curve_[-1] < model.loss_curve_[0]
        else:
            with pytest.raises(ValueError, match="makes the loss grow without bound"):
                model.fit(X, Y)


@pytest.mark.parametrize("factor", [1.01, 1.3, 10.0, 1e200])
def test_error_comes_soon_after_the_loss_grows(data, factor):
    X, Y = data
    rate = factor * limit(X)
    with np.errstate(all="ignore"):
        losses = textbook(X, Y, rate, 3000)[2]
    grows = next(k for k in range(1, 3000) if not losses[k] <= losses[k - 1])
    with pytest.raises(ValueError, match="grow without bound") as error:
        GDLinearRegression(learning_rate=rate, max_iter=5000).fit(X, Y)
    assert int(re.search(r"iteration (\d+)", str(error.value))[1]) <= grows + 4


def test_wide_data_name_the_step_too(rng):
    X, y = rng.standard_normal((40, 300)), rng.standard_normal(40)
    for A in (X, sparse.csr_array(X)):
        with pytest.raises(ValueError, match="grow without bound") as error:
            GDLinearRegression(learning_rate=3.0).fit(A, y)
        named = float(re.search(r"data is ([\d.e+-]+)\. Use", str(error.value))[1])
        assert named == pytest.approx(limit(X), rel=1e-3)


def test_adaptive_recovers_or_tells(data):
    X, Y = data
    recovers = GDLinearRegression(
        learning_rate=1.5 * limit(X), schedule="adaptive", max_iter=300, tol=0
    ).fit(X, Y)
    assert recovers.learning_rate_[0] == pytest.approx(0.3 * limit(X))
    assert recovers.loss_curve_[-1] < recovers.loss_curve_[0]
    with pytest.raises(ValueError, match="grow without bound"):
        GDLinearRegression(learning_rate=1e3, schedule="adaptive").fit(X, Y)


def test_adaptive_is_the_plain_loop_with_a_rate_cut_by_five(data):
    """The rates that its rule gives, replayed by the plain loop."""
    X, Y = data
    start, tol, patience, n_steps = 0.9 * limit(X), 1e-2, 3, 40
    rates, best, n_worse = [start], np.inf, 0
    for t in range(n_steps):
        loss = textbook(X, Y, 1.0, t, schedule=lambda k: rates[k])[2][-1]
        n_worse = 0 if loss < best * (1 - tol) else n_worse + 1
        best = min(best, loss)
        if n_worse >= patience:
            rates[t], n_worse = rates[t] / 5, 0
        rates.append(rates[t])
    W, b, _ = textbook(X, Y, 1.0, n_steps, schedule=lambda k: rates[k])
    model = GDLinearRegression(
        learning_rate=start, schedule="adaptive", n_iter_no_change=patience, tol=tol,
        max_iter=n_steps,
    )  # fmt: skip
    with pytest.warns(UserWarning, match=r"Stopped at max_iter=40"):
        model.fit(X, Y)
    assert rates[-1] <= start / 5
    assert model.learning_rate_[0] == pytest.approx(rates[-1], rel=1e-12)
    np.testing.assert_allclose(model.coef_.T, W, rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, b, rtol=1e-9)


def test_adaptive_ends_when_its_rate_runs_out(data):
    X, Y = data
    model = GDLinearRegression(
        learning_rate=0.5 * limit(X), schedule="adaptive", max_iter=20_000, tol=1e-15
    )
    with pytest.warns(UserWarning, match="adaptive learning rate became too small"):
        model.fit(X, Y)
    assert model.stop_reason_ == "learning_rate"


def test_converges_to_least_squares(data):
    X, Y = data
    X = (X - X.mean(axis=0)) / X.std(axis=0) + 0.1
    plain = GDLinearRegression(learning_rate=0.8 * limit(X), max_iter=100_000).fit(X, Y)
    auto = GDLinearRegression().fit(X, Y)
    assert plain.stop_reason_ == "tol"
    assert plain.optimality_ <= plain.tol
    np.testing.assert_allclose(plain.predict(X), auto.predict(X), atol=1e-4)


def test_published_course_answer(shared):
    A = shared("course/ex1data1.csv")
    model = GDLinearRegression(learning_rate=0.005, max_iter=1500, tol=0)
    model.fit(A[:, :1], A[:, 1])
    assert model.intercept_ == pytest.approx(-3.63029143940436, rel=1e-14)
    assert model.coef_[0] == pytest.approx(1.166362350335582, rel=1e-14)


@pytest.mark.parametrize("schedule", ["constant", "invscaling", lambda t: 1e-9])
def test_no_false_alarm_at_the_optimum(data, schedule):
    """There the loss goes up and down by rounding."""
    X, Y = data
    start = GDLinearRegression(tol=0).fit(X, Y)
    rate = 0.5 * limit(X) if isinstance(schedule, str) else 1e3 * limit(X)
    model = GDLinearRegression(learning_rate=rate, schedule=schedule, max_iter=7, tol=0)
    model.fit(X, Y, coef_init=start.coef_, intercept_init=start.intercept_)
    np.testing.assert_allclose(model.coef_, start.coef_, rtol=1e-6)


@pytest.mark.parametrize("n_steps", [1, 2])
def test_a_few_steps_too_long_are_told_too(data, n_steps):
    with pytest.raises(ValueError, match="grow without bound"):
        GDLinearRegression(learning_rate=9.0, max_iter=n_steps).fit(*data)


def longest_named(error):
    return float(re.search(r"data is ([\d.e+-]+)\.", str(error))[1])


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("options", [{}, {"batch_size": 20, "shuffle": False}], ids=str)
@pytest.mark.parametrize("M", [2, 40, 80])
def test_longest_step_without_an_intercept(container, options, M):
    X = np.tile(np.diag(np.r_[10.0, np.ones(M - 2), 0.1]), (20, 1))
    y = X @ np.ones(M)
    longest = len(X) / np.linalg.eigvalsh(X.T @ X)[-1]
    model = GDLinearRegression(
        learning_rate=5 * longest, fit_intercept=False, max_iter=60, tol=0, **options
    )
    with pytest.raises(ValueError, match="makes the loss grow") as error:
        model.fit(container(X), y)
    assert longest_named(error.value) == pytest.approx(longest, rel=1e-3)


def test_longest_step_where_features_cancel_each_other(rng):
    """The start of the power method must not be orthogonal to all rows, as ones are here."""
    half = rng.standard_normal((50, 40))
    X = np.hstack([half, -half])
    longest = len(X) / np.linalg.eigvalsh(X.T @ X)[-1]
    model = GDLinearRegression(learning_rate=3 * longest, fit_intercept=False, tol=0)
    with pytest.raises(ValueError, match="makes the loss grow") as error:
        model.fit(X, X @ rng.standard_normal(80))
    assert longest_named(error.value) == pytest.approx(longest, rel=1e-3)


def test_one_row_without_an_intercept():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((1, 6)) * 3 * (rng.random(6) < 0.5)
        y = rng.standard_normal(1)
        model = GDLinearRegression(learning_rate=0.5, fit_intercept=False, max_iter=100, tol=0)
        if 0.5 * (X @ X.T).item() < 1:
            assert model.fit(X, y).loss_curve_[-1] <= y[0] ** 2
        else:
            with pytest.raises(ValueError, match="makes the loss grow without bound"):
                model.fit(X, y)


@pytest.mark.parametrize("cell", [1e150, 1e-150])
@pytest.mark.parametrize("options", [{}, {"alpha": 0.1, "l1_ratio": 0.5}], ids=str)
def test_loss_of_sparse_data_with_an_extreme_cell(rng, cell, options):
    X = rng.standard_normal((20, 3)) * (rng.random((20, 3)) < 0.5)
    X[:, 1] = 0.0
    X[3, 1] = cell
    y, rate = rng.standard_normal(20), 1e-302 if cell > 1 else 0.1
    model = GDLinearRegression(learning_rate=rate, max_iter=4, tol=0, **options)
    model.fit(sparse.csr_array(X), y)
    W, _, losses = textbook(X, y[:, None], rate, 4, **options)
    np.testing.assert_allclose(model.loss_curve_, losses[1:], rtol=1e-9)
    np.testing.assert_allclose(model.coef_, W[:, 0], rtol=1e-9)


def test_curvature_that_overflows_is_told(rng):
    X = sparse.csr_array(np.diag([1e160, 1.0, 1.0]))
    with pytest.raises(ValueError, match="spans too many orders of magnitude for a numeric"):
        GDLinearRegression(learning_rate=1e-300, tol=0).fit(X, np.ones(3))


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_mini_batches_start_from_negative_coefficients(container):
    """The first step is made where descent starts; only then no coefficient is negative."""
    X, y = np.eye(4)[[0, 1, 2, 3, 0, 1, 2, 3]], np.ones(8)
    model = GDLinearRegression(
        learning_rate=0.1, positive=True, batch_size=1, max_iter=1, tol=0, shuffle=False,
        fit_intercept=False,
    )  # fmt: skip
    model.fit(container(X), y, coef_init=[-1.0] * 4)
    np.testing.assert_allclose(model.coef_, [0.2, 0.36, 0.36, 0.36])


@pytest.mark.parametrize("half", [np.float32(0.5), Fraction(1, 2), np.longdouble(0.5)], ids=repr)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("batch_size", [None, 16])
def test_a_schedule_may_return_any_real_number(data, half, method, batch_size):
    options = {"learning_rate": 1e-3, "batch_size": batch_size, "max_iter": 3, "tol": 0}
    model = GDLinearRegression(schedule=lambda t: half, random_state=0, **options)
    getattr(model, method)(*data)
    plain = GDLinearRegression(schedule=lambda t: 0.5, random_state=0, **options)
    getattr(plain, method)(*data)
    np.testing.assert_array_equal(model.coef_, plain.coef_)


@pytest.mark.parametrize("batch_size", [None, 16])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_error_names_the_factor_of_a_callable(data, batch_size, method):
    options = {"batch_size": batch_size, "max_iter": 100, "schedule": lambda t: 1e6}
    model = GDLinearRegression(learning_rate=1e-3, **options)
    match = (
        r"learning_rate=0.001 times the factor 1e\+06 of the 'schedule' callable makes the loss "
        r"grow without bound \(.*\).* Use a smaller factor, or"
    )

    def run(model):
        for _ in range(100):
            getattr(model, method)(*data)

    with pytest.raises(ValueError, match=match):
        run(model)
    # A learning rate that is too long by itself is named alone.
    model = clone(model).set_params(learning_rate=1e6, schedule=lambda t: 1.0)
    with pytest.raises(ValueError, match=r"learning_rate=1e\+06 makes .* Use a smaller one"):
        run(model)


def test_all_iterations_are_made_with_tol_0(rng):
    """A step of half the inverse curvature, to the optimum of one feature at once."""
    x = rng.standard_normal((30, 1))
    rate = 0.5 / (x**2).mean()
    model = GDLinearRegression(learning_rate=rate, tol=0, max_iter=7, fit_intercept=False)
    assert model.fit(x, 2 * x[:, 0]).n_iter_ == 7


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_what_a_supplier_returns_stays(make_data, rng, container):
    """The next product overwrites no earlier one."""
    X, Y = make_data()
    group = read(
        container(X), Y, None, penalty=Penalty.of(0.1, 0.0, False, 3), fit_intercept=False,
        raw=True, n_steps=10,
    )  # fmt: skip
    for supplier in (group.moments, group.passes):
        P = rng.standard_normal((2, 8, 3))
        first, kept = supplier.curvature(P[0])[0], supplier.curvature(P[0])[0].copy()
        gradient = supplier.gradient(P[0])[0]
        kept_gradient = gradient.copy()
        supplier.curvature(P[1])
        supplier.gradient(P[1])
        np.testing.assert_array_equal(first, kept)
        np.testing.assert_array_equal(gradient, kept_gradient)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_the_warning_names_the_longest_stable_step(data, container):
    X, Y = data
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    for A, advice in ((X * [1, 10, 1, 1, 1], ", scale the features"), (scaled, "")):
        step, ways = limit(A), rf"\(up to (\S+) is stable\){advice}, or use learning_rate="
        model = GDLinearRegression(learning_rate=step / 10, max_iter=3)
        with pytest.warns(ConvergenceWarning, match="Increase max_iter, take .*" + ways) as told:
            model.fit(container(A), Y)
        named = float(re.search(ways, str(told[0].message))[1])
        assert step * 0.999 < named <= step


def test_the_warning_names_no_step_that_would_take_passes(rng):
    X = rng.standard_normal((300, 200))
    model = GDLinearRegression(learning_rate=1e-3, max_iter=1)
    with pytest.warns(ConvergenceWarning, match="Increase max_iter, or use learning_rate"):
        model.fit(X, X[:, 0])
    assert model.engine_ == "passes"
