"""Mini-batch descent: the textbook's steps, the automatic ones, and where they end."""

import re
import signal
import threading
import time

import numpy as np
import pytest
from reference import textbook_batches
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_gdlinreg import GDLinearRegression

CONTAINERS = [np.asarray, np.asfortranarray, sparse.csr_array]


@pytest.fixture
def data(make_data):
    return make_data(61, 5, 2, decades=0.5, offset=1.0)


def decay(t):
    return 0.97**t


# Parameters with one value per feature, by all ways to step.
FACTOR, SIGNS = [0.0, 2.0, 0.5, 1.0, 0.0], [False, True, True, False, True]
OF_FEATURES = [
    {"alpha": 5.0, "penalty_factor": FACTOR},
    {"alpha": 5.0, "l1_ratio": 1.0, "penalty_factor": FACTOR, "schedule": decay},
    {"alpha": 5.0, "l1_ratio": 0.9, "penalty_factor": FACTOR, "positive": SIGNS},
    {"alpha": 5.0, "l1_ratio": 0.9, "penalty_factor": FACTOR, "momentum": 0.5},
    {"alpha": 5.0, "l1_ratio": 0.5, "positive": SIGNS},
    {"positive": SIGNS},
]


def least_squares(X, Y, alpha=0.0, weight=None):
    """Return W and b by an orthogonal solve on centred columns."""
    s = np.ones(len(X)) if weight is None else weight
    mean, y_mean = s @ X / s.sum(), s @ Y / s.sum()
    root = np.sqrt(s / s.sum())[:, None]
    A = np.vstack([root * (X - mean), np.sqrt(alpha) * np.eye(X.shape[1])])
    B = np.vstack([root * (Y - y_mean), np.zeros((X.shape[1], Y.shape[1]))])
    W = np.linalg.lstsq(A, B, rcond=None)[0]
    return W, y_mean - mean @ W


def excess(model, X, Y, alpha=0.0):
    """Return how far the objective is above its optimum, relatively."""
    W, b = least_squares(X, Y, alpha)
    least = ((X @ W + b - Y) ** 2).sum() / len(X) + alpha * (W**2).sum()
    # It is a sum of squares, of the way from the optimum: a difference would be one of rounding.
    V, c = np.atleast_2d(model.coef_).T - W, model.intercept_ - b
    return (((X @ V + c) ** 2).sum() / len(X) + alpha * (V**2).sum()) / least


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("batch_size", [1, 4, 60])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"schedule": "invscaling"},
        {"schedule": decay},
        {"momentum": 0.8},
        {"momentum": 0.8, "nesterov": True, "alpha": 0.1},
        {"alpha": 0.3, "schedule": decay},
        {"alpha": 5.0, "l1_ratio": 0.9},
        {"alpha": 5.0, "l1_ratio": 0.9, "momentum": 0.5},
        {"positive": True},
        {"alpha": np.array([150.0, 5.0]), "l1_ratio": 0.2, "positive": True, "schedule": decay},
        {"fit_intercept": False},
        {"fit_intercept": False, "momentum": 0.5},
        *OF_FEATURES,
    ],
)
def test_textbook_is_the_plain_loop(data, rng, container, batch_size, weighted, options):
    X, Y = data
    weight = rng.integers(0, 3, len(X)) if weighted else None
    iterates = textbook_batches(X, Y, 0.002, 3, batch_size, sample_weight=weight, **options)
    model = GDLinearRegression(
        learning_rate=0.002, batch_size=batch_size, shuffle=False, max_iter=3, tol=0, **options
    ).fit(container(X), Y, weight)
    np.testing.assert_allclose(model.coef_.T, iterates[-1][0], rtol=1e-8, atol=1e-13)
    np.testing.assert_allclose(model.intercept_, iterates[-1][1], rtol=1e-8, atol=1e-13)
    assert model.n_iter_ == 3
    assert model.t_ == len(iterates)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    "options",
    [{"alpha": 0.3}, {"momentum": 0.5}, {"alpha": np.array([5.0, 1.0]), "l1_ratio": 0.7}],
)
def test_textbook_average_is_that_of_the_tail(data, container, options):
    """One epoch: its second half. Two: the second. Three: that fades. Four: the last two."""
    X, Y = data
    n = 16
    for n_epochs, share in [
        (1, [0] * (n // 2) + [1] * (n // 2)),
        (2, [0] * n + [1] * n),
        (3, [0] * n + [0.5] * n + [1] * n),
        (4, [0] * 2 * n + [1] * 2 * n),
    ]:
        iterates = textbook_batches(X, Y, 0.002, n_epochs, 4, **options)
        model = GDLinearRegression(
            learning_rate=0.002, batch_size=4, shuffle=False, average=True,
            max_iter=n_epochs, tol=0, **options,
        ).fit(container(X), Y)  # fmt: skip
        W, b = (
            np.average(np.array(part), axis=0, weights=share)
            for part in zip(*iterates, strict=True)
        )
        np.testing.assert_allclose(model.coef_.T, W, rtol=1e-8, atol=1e-15)
        np.testing.assert_allclose(model.intercept_, b, rtol=1e-8)


def test_one_row_a_batch_is_the_first_row_of_the_table(rng):
    X, y = rng.standard_normal((2, 3)), rng.standard_normal(2)
    w, b, rate = np.zeros(3), 0.0, 0.01
    for x, target in zip(X, y, strict=True):
        error = w @ x + b - target
        w, b = w - rate * 2 * error * x, b - rate * 2 * error
    model = GDLinearRegression(
        learning_rate=rate, batch_size=1, max_iter=1, tol=0, shuffle=False
    ).fit(X, y)
    np.testing.assert_allclose(model.coef_, w, rtol=1e-12)
    assert model.intercept_ == pytest.approx(b, rel=1e-12)


@pytest.mark.parametrize("learning_rate", ["auto", 0.001])
@pytest.mark.parametrize("batch_size", [61, 100])
def test_as_many_rows_as_there_are_is_full_batch(data, learning_rate, batch_size):
    X, Y = data
    tol = 1e-6 if learning_rate == "auto" else 0
    options = {"learning_rate": learning_rate, "max_iter": 20, "tol": tol}
    expected = GDLinearRegression(**options).fit(X, Y)
    model = GDLinearRegression(batch_size=batch_size, **options).fit(X, Y)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    assert model.engine_ == expected.engine_


@pytest.mark.parametrize("container", [np.asfortranarray, sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("batch_size", [1, 7, 50])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("options", [{}, {"alpha": 0.1}, {"fit_intercept": False}])
def test_automatic_steps_do_not_depend_on_the_container(
    make_data, container, batch_size, shuffle, options
):
    X, Y = make_data(120, 6, 3)
    X[np.random.default_rng(0).random(X.shape) < 0.3] = 0.0
    X[:, 1] = 0.0
    X[:, 2] = 4.0
    model = GDLinearRegression(
        batch_size=batch_size, shuffle=shuffle, random_state=0, max_iter=4, tol=0, **options
    )
    dense = model.fit(X, Y)
    expected = dense.coef_, dense.intercept_, dense.loss_curve_
    model.fit(container(X), Y)
    np.testing.assert_allclose(model.coef_, expected[0], rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(model.intercept_, expected[1], rtol=1e-7)
    np.testing.assert_allclose(model.loss_curve_, expected[2], rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_rare_features_are_penalised_every_so_often(rng, container):
    """Where a proximal step of all features is dear, it is taken seldom; the same dense."""
    X = sparse.random(400, 300, 0.02, rng=rng, format="csr").toarray()
    Y = X @ rng.standard_normal((300, 1)) + 0.1 * rng.standard_normal((400, 1))
    model = GDLinearRegression(batch_size=4, alpha=1e-3, max_iter=300, tol=0, random_state=0)
    model.fit(container(X), Y)
    assert excess(model, X, Y, alpha=1e-3) < 0.02


@pytest.mark.parametrize("batch_size", [1, 16, 256])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_ends_at_least_squares_on_unscaled_data(make_data, batch_size, container):
    X, Y = make_data(2000, 6, 2, decades=8, offset=100.0)
    model = GDLinearRegression(batch_size=batch_size, max_iter=40, tol=0, random_state=0)
    model.fit(container(X), Y)
    assert excess(model, X, Y) < 1e-3
    assert model.engine_ == "mini-batch"


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("batch_size", [1, 10, 100])
@pytest.mark.parametrize("kind", ["cauchy", "outlier", "collinear", "sorted", "offset", "rare"])
def test_never_diverges(kind, batch_size, shuffle):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((1000, 8))
    if kind == "cauchy":
        X = rng.standard_cauchy((1000, 8))
    elif kind == "outlier":
        X[500] *= 1e8
    elif kind == "collinear":
        X[:, 4:] = X[:, :4] + 1e-7 * X[:, 4:]
    elif kind == "sorted":
        X = np.sort(X, axis=0) * [1, 1e3, 1, 1e-3, 1, 1, 1e9, 1]
    elif kind == "offset":
        X += 1e7
    elif kind == "rare":
        X *= rng.random((1000, 8)) < 0.002
        X[:, 0] = 1 + rng.random(1000)
    y = X @ np.ones(8) + rng.standard_normal(1000)
    for A in (X, sparse.csr_array(X)):
        model = GDLinearRegression(
            batch_size=batch_size, shuffle=shuffle, max_iter=30, tol=0, random_state=0
        ).fit(A, y)
        assert max(model.loss_curve_) <= 4 * y.var() + 1
        assert ((model.predict(A) - y) ** 2).mean() <= 1.1 * y.var()


def test_interpolation_goes_to_the_end(rng):
    X, y = rng.standard_normal((40, 80)), rng.standard_normal(40)
    model = GDLinearRegression(batch_size=8, random_state=0).fit(X, y)
    assert model.stop_reason_ == "tol"
    np.testing.assert_allclose(model.predict(X), y, atol=1e-8)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_weights_are_repetitions_on_exact_data(rng, batch_size):
    X, w = rng.standard_normal((60, 4)), rng.integers(0, 4, 60)
    y = X @ [1.0, -2.0, 3.0, 0.5] + 2.0
    options = {"batch_size": batch_size, "random_state": 0}
    a = GDLinearRegression(**options).fit(X, y, w)
    b = GDLinearRegression(**options).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    np.testing.assert_allclose(a.coef_, [1.0, -2.0, 3.0, 0.5], rtol=1e-8)
    np.testing.assert_allclose(a.coef_, b.coef_, rtol=1e-8)


def test_weights_are_repetitions_in_expectation(make_data, rng):
    X, Y = make_data(300, 4, 1)
    w = rng.integers(0, 4, 300)
    W, b = least_squares(X, Y, weight=w)
    model = GDLinearRegression(batch_size=8, max_iter=200, tol=0, random_state=0).fit(X, Y, w)
    np.testing.assert_allclose(model.predict(X), X @ W + b, atol=0.02 * Y.std())


def test_outputs_are_those_of_separate_fits(make_data):
    X, Y = make_data(200, 5, 3)
    for shuffle in (True, False):
        model = GDLinearRegression(
            batch_size=16, shuffle=shuffle, max_iter=5, tol=0, random_state=0
        )
        together = model.fit(X, Y).coef_
        for d in range(3):
            np.testing.assert_allclose(together[d], model.fit(X, Y[:, d]).coef_, rtol=1e-9)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_a_seed_gives_the_same_bits(make_data, container):
    X, Y = make_data(200, 5, 2)
    model = GDLinearRegression(batch_size=16, random_state=3, max_iter=5, tol=0)
    first = model.fit(container(X), Y).coef_
    np.testing.assert_array_equal(model.fit(container(X), Y).coef_, first)
    assert (model.set_params(random_state=4).fit(container(X), Y).coef_ != first).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_type_is_kept(make_data, dtype, container):
    X, Y = (A.astype(dtype) for A in make_data(200, 5, 2))
    model = GDLinearRegression(batch_size=16, random_state=3, max_iter=20, tol=0)
    model.fit(container(X), Y)
    assert model.coef_.dtype == model.predict(X).dtype == dtype
    assert excess(model, X.astype(float), Y.astype(float)) < 0.01


def test_scale_of_a_feature_changes_no_prediction(make_data):
    X, Y = make_data(200, 5, 2)
    scale = 10.0 ** np.array([-100, -3, 0, 4, 100])
    model = GDLinearRegression(batch_size=16, random_state=0, max_iter=5, tol=0)
    for container in (np.asarray, sparse.csr_array):
        coef = model.fit(container(X), Y).coef_
        np.testing.assert_allclose(model.fit(container(X * scale), Y).coef_ * scale, coef, 1e-6)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("batch_size", [1, 8])
def test_a_step_too_long_is_told(data, container, batch_size):
    X, Y = data
    with pytest.raises(ValueError, match="makes the loss grow without bound") as error:
        GDLinearRegression(learning_rate=3.0, batch_size=batch_size).fit(container(X), Y)
    assert re.search(
        r"the largest stable full-batch step for these data is [\d.e+-]+\.", str(error.value)
    )


def test_stops_when_the_loss_stops(make_data):
    X, Y = make_data(500, 5, 1)
    model = GDLinearRegression(batch_size=1, random_state=0, tol=1e-3).fit(X, Y)
    # The loss of an epoch stands still where the noise of steps is, above the optimum.
    assert model.stop_reason_ == "no_change"
    assert model.optimality_ > 1e-3
    assert model.n_iter_ < 100
    exact = GDLinearRegression(batch_size=32, random_state=0, tol=1e-3).fit(X, X[:, 0])
    assert exact.stop_reason_ == "tol"
    assert exact.optimality_ <= 1e-3
    with pytest.warns(
        ConvergenceWarning, match="max_iter=2: optimality .* the loss was still improving"
    ):
        GDLinearRegression(batch_size=32, max_iter=2).fit(X, Y)


def test_warm_start_goes_on(make_data):
    X, Y = make_data(2000, 5, 1)
    model = GDLinearRegression(
        batch_size=32, random_state=0, max_iter=3, tol=0, warm_start=True, learning_rate=1e-8
    )
    first = model.fit(X, Y).loss_curve_
    assert model.fit(X, Y).loss_curve_[0] < first[-1]


def test_adaptive_rate_falls(data):
    X, Y = data
    model = GDLinearRegression(
        batch_size=8, learning_rate=0.01, schedule="adaptive", n_iter_no_change=2, tol=1e-2,
        max_iter=2000, random_state=0,
    )  # fmt: skip
    model.fit(X, Y)
    assert model.stop_reason_ == "learning_rate"
    assert model.learning_rate_[0] < 1e-6 * 0.01


@pytest.fixture
def interruptible():
    """Hear SIGINT as Python does by default; a shell's background jobs are told to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_rows", "batch_size"), [(200_000, 1), (200_000, 199_999), (4_000_000, 3_999_999)]
)
def test_an_interrupt_is_heard(interruptible, rng, n_rows, batch_size):
    X = np.tile(rng.standard_normal((1000, 20)), (n_rows // 1000, 1))
    y = rng.standard_normal(n_rows)
    model = GDLinearRegression(batch_size=batch_size, max_iter=10_000, tol=0)
    heard = []
    threading.Timer(
        1.0, lambda: (heard.append(time.time()), signal.raise_signal(signal.SIGINT))
    ).start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert time.time() - heard[0] < 1.0
    assert not hasattr(model, "coef_")


def test_a_row_of_a_feature_of_its_own_does_not_diverge(rng):
    """One row is twice the mean length, and most others split to less: the worst case."""
    n_rows, n_features = 4000, 32
    X = np.where(rng.uniform(size=(n_rows, n_features)) < 0.5, -1.0, 1.0)
    X[: int(0.28 * n_rows)] *= 1.8636
    X = np.column_stack([X, np.zeros(n_rows)])
    X[-1], X[-1, -1] = 0.0, 1.0
    y = X @ rng.standard_normal(n_features + 1) + rng.standard_normal(n_rows)
    y[-1] += 100.0
    best = GDLinearRegression().fit(X, y).loss_curve_[-1]
    model = GDLinearRegression(batch_size=1, max_iter=100, tol=0, random_state=0).fit(X, y)
    assert np.mean((model.predict(X) - y) ** 2) < 1.1 * best
