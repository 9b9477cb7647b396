"""partial_fit in mini-batches: where it gets, and that only rows and their batches matter."""

import copy
import pickle

import numpy as np
import pytest
from reference import textbook_batches
from scipy import sparse
from sklearn.exceptions import NotFittedError

from sklearn_gdlinreg import GDLinearRegression
from sklearn_gdlinreg import _partial_fit as partial_fit_module
from sklearn_gdlinreg._mini_batch import epochs, sgd
from sklearn_gdlinreg._mini_batch.csr import CSRSGD
from sklearn_gdlinreg._mini_batch.dense import DenseSGD

CONTAINERS = [np.asarray, sparse.csr_array]


def chunks(n_rows, *arrays):
    for start in range(0, len(arrays[0]), n_rows):
        yield tuple(A[start : start + n_rows] for A in arrays)


def stream(model, X, Y, n_rows, container=np.asarray):
    for x, y in chunks(n_rows, X, Y):
        model.partial_fit(container(x), y)
    return model


def excess(model, X, Y):
    A = np.hstack([X - X.mean(axis=0), np.ones((len(X), 1))])
    best = ((Y - A @ np.linalg.lstsq(A, Y, rcond=None)[0]) ** 2).sum()
    return ((model.predict(X).reshape(Y.shape) - Y) ** 2).sum() / best - 1


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("batch_size", [1, 32, 64])
def test_approaches_least_squares_on_unscaled_data(make_data, container, batch_size):
    X, Y = make_data(20_000, 6, 2, decades=8, offset=30.0)
    model = GDLinearRegression(batch_size=batch_size, shuffle=False)
    if batch_size == 1:
        X, Y = X[:4000], Y[:4000]
    n = len(X)
    early = excess(stream(model, X[: n // 10], Y[: n // 10], 1000, container), X, Y)
    late = excess(stream(model, X[n // 10 :], Y[n // 10 :], 1000, container), X, Y)
    assert late < 0.05
    assert late < early


@pytest.mark.slow
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    "options",
    [{}, {"alpha": 0.1}, {"learning_rate": 1e-3}, {"learning_rate": 1e-3, "momentum": 0.5}],
)
@pytest.mark.parametrize("average", ["auto", True, False])
def test_cuts_between_calls_do_not_matter(make_data, container, options, average):
    X, Y = make_data(160, 5, 2, decades=0.5, offset=1.0)
    models = [
        stream(
            GDLinearRegression(batch_size=8, shuffle=False, average=average, **options),
            X, Y, n_rows, container,
        )
        for n_rows in (8, 40, 80, 160)
    ]  # fmt: skip
    for model in models[1:]:
        np.testing.assert_array_equal(model.coef_, models[0].coef_)
        np.testing.assert_array_equal(model.intercept_, models[0].intercept_)
        assert model.t_ == 20
    assert [len(model.loss_curve_) for model in models] == [20, 4, 2, 1]
    assert models[-1].loss_curve_[0] == pytest.approx(np.mean(models[0].loss_curve_))


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("options", [{}, {"learning_rate": 1e-3, "momentum": 0.5}])
def test_goes_on_after_pickling(make_data, container, options):
    X, Y = make_data(400, 5, 2, decades=0.5, offset=1.0)
    model = GDLinearRegression(batch_size=8, random_state=0, **options)
    model.partial_fit(container(X[:200]), Y[:200])
    again = pickle.loads(pickle.dumps(model))
    for each in (model, again):
        each.partial_fit(container(X[200:]), Y[200:])
    np.testing.assert_array_equal(model.coef_, again.coef_)


@pytest.mark.parametrize("options", [{}, {"alpha": 0.1}, {"fit_intercept": False}])
def test_dense_and_sparse_agree(make_data, options):
    X, Y = make_data(300, 5, 2)
    X[np.random.default_rng(0).random(X.shape) < 0.5] = 0.0
    models = [
        stream(GDLinearRegression(batch_size=16, random_state=0, **options), X, Y, 100, c)
        for c in CONTAINERS
    ]
    np.testing.assert_allclose(models[0].coef_, models[1].coef_, rtol=1e-7)
    np.testing.assert_allclose(models[0].loss_curve_, models[1].loss_curve_, rtol=1e-9)


@pytest.mark.parametrize("schedule", ["constant", "invscaling"])
@pytest.mark.parametrize("batch_size", [8, None])
def test_textbook_is_the_plain_loop(make_data, schedule, batch_size):
    """Without a batch_size a chunk is a batch."""
    X, Y = make_data(64, 5, 2, decades=0.5, offset=1.0)
    iterates = textbook_batches(X, Y, 1e-3, 1, batch_size or 16, schedule=schedule)
    model = GDLinearRegression(
        batch_size=batch_size, learning_rate=1e-3, schedule=schedule, shuffle=False
    )
    stream(model, X, Y, 16)
    np.testing.assert_allclose(model.coef_.T, iterates[-1][0], rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, iterates[-1][1], rtol=1e-9)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("what", ["scale", "offset", "back"])
def test_features_may_drift(rng, container, what):
    """By a million, and the model is one of the data seen."""
    X = rng.standard_normal((6000, 4))
    if what == "scale":
        X[3000:, 1] *= 1e6
    elif what == "back":
        X[:3000, 1] *= 1e6
    else:
        X[3000:, 2] += 1e6
    y = X @ [1.0, 2.0, -1.0, 0.5] + 0.1 * rng.standard_normal(6000)
    model = GDLinearRegression(batch_size=20, random_state=0)
    stream(model, X, y, 300, container)
    last = ((model.predict(X[-500:]) - y[-500:]) ** 2).mean()
    assert np.isfinite(model.loss_curve_).all()
    assert last < 0.01 * y.var()


def test_begins_where_fit_ended(make_data):
    # Planted: the stream begins at zeros, or at the mean of y.
    X, Y = make_data(500, 5, 2)
    model = GDLinearRegression(batch_size=50, random_state=0).fit(X, Y)
    loss = ((model.predict(X) - Y) ** 2).sum(axis=1).mean()
    model.partial_fit(X, Y)
    assert model.loss_curve_[0] < 1.2 * loss
    assert ((model.predict(X) - Y) ** 2).sum(axis=1).mean() < 1.05 * loss
    assert model.engine_ == "stream"
    assert model.fit(X, Y).engine_ == "mini-batch"


@pytest.mark.parametrize("batch_size", [None, 64])
def test_can_predict_after_the_first_chunk(batch_size):
    model = GDLinearRegression(batch_size=batch_size)
    with pytest.raises(NotFittedError):
        model.predict(np.ones((1, 3)))
    model.partial_fit([[1.0, 2.0, 3.0]], [4.0])
    assert model.predict([[1.0, 2.0, 3.0]]) == pytest.approx(4.0)
    assert model.coef_.shape == (3,)


def test_errors_change_nothing(make_data):
    X, Y = make_data(100, 5, 2)
    model = GDLinearRegression(batch_size=10).partial_fit(X, Y)
    before = pickle.dumps(model)
    bad = X.copy()
    bad[3, 2] = np.nan
    for x, y, match in [
        (bad, Y, "X contains NaN"),
        (X[:, :3], Y, "X has 3 features"),
        (X, Y[:, 0], "must keep its 2 outputs"),
    ]:
        with pytest.raises(ValueError, match=match):
            model.partial_fit(x, y)
        assert pickle.dumps(model) == before


def test_a_step_too_long_is_told(make_data):
    X, Y = make_data(100, 5, 2)
    model = GDLinearRegression(batch_size=10, learning_rate=1e6)
    with pytest.raises(ValueError, match="makes the loss grow without bound"):
        stream(model, np.tile(X, (50, 1)), np.tile(Y, (50, 1)), 100)


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_chunk_is_learnt_in_spans(make_data, container, monkeypatch):
    """So that an interrupt is heard soon; how long they are does not matter."""
    X, Y = make_data(2000, 5, 2)
    models = []
    for work in (epochs.WORK_OF_A_SPAN, 1000):
        monkeypatch.setattr(epochs, "WORK_OF_A_SPAN", work)
        model = GDLinearRegression(batch_size=64, random_state=0)
        models.append(model.partial_fit(container(X), Y))
    np.testing.assert_array_equal(models[0].coef_, models[1].coef_)

    kind = sgd.DenseSGD if container is np.asarray else sgd.CSRSGD
    visit, left = kind.visit, [3]

    def interrupted(*args):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        visit(*args)

    monkeypatch.setattr(kind, "visit", interrupted)
    before = pickle.dumps(models[1])
    with pytest.raises(KeyboardInterrupt):
        models[1].partial_fit(container(X), Y)
    assert pickle.dumps(models[1]) == before


@pytest.mark.slow
@pytest.mark.parametrize("excess", [1.05, 10.0, 1e6])
@pytest.mark.parametrize("masked", [False, True])
def test_textbook_steps_that_are_too_long_are_told(rng, excess, masked):
    X, y = rng.standard_normal((64, 3)) * [5000.0, 1.0, 1.0], rng.standard_normal((64, 2))
    limit = 1.0 / np.linalg.eigvalsh(X.T @ X / 64)[-1]
    parameters = {"batch_size": 64, "missing_targets": "ignore" if masked else "error"}
    model = GDLinearRegression(learning_rate=excess * limit, **parameters)

    def repeat(model):
        for _ in range(200):
            model.partial_fit(X, y)

    with pytest.raises(ValueError, match=r"grow without bound \(call \d+ of partial_fit\)"):
        repeat(model)
    # What went wrong is not kept, and it took few calls to see it.
    assert np.isfinite(model.coef_).all()
    assert model.n_iter_ <= (4 if excess > 2 else 150)
    stable = GDLinearRegression(learning_rate=0.95 * limit, **parameters)
    repeat(stable)
    assert stable.loss_curve_[-1] < stable.loss_curve_[0]


def test_a_chunk_that_throws_the_model_away_is_told_at_once(rng):
    X, y = rng.standard_normal((640, 3)) * [5000.0, 1.0, 1.0], rng.standard_normal(640)
    model = GDLinearRegression(learning_rate=0.5, batch_size=64)
    with pytest.raises(ValueError, match=r"grow without bound \(call 1 of partial_fit\)"):
        model.partial_fit(X, y)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_another_regime_is_no_divergence(rng, container):
    X = rng.standard_normal((300, 3))
    y = X.sum(axis=1)
    model = GDLinearRegression().fit(container(X), y + 1e4)
    model.set_params(learning_rate=0.05, batch_size=10)
    for _ in range(20):
        model.partial_fit(container(X), y)
    assert model.loss_curve_[0] > 1e6
    assert model.loss_curve_[-1] < 1e-6


@pytest.mark.slow
def test_losses_that_only_fluctuate_are_no_divergence():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        coef = rng.standard_normal(5)
        X = rng.standard_normal((500, 5))
        model = GDLinearRegression(batch_size=64).fit(X, X @ coef)
        model.set_params(learning_rate=1e-3)
        for _ in range(50):
            X = rng.standard_normal((256, 5))
            model.partial_fit(X, X @ -coef)
        assert model.loss_curve_[-1] < model.loss_curve_[0]


@pytest.mark.parametrize("batch_size", [None, 64])
def test_targets_that_are_all_zero_are_no_divergence(rng, batch_size):
    X = rng.standard_normal((100, 3))
    model = GDLinearRegression().fit(X, X.sum(axis=1))
    model.set_params(learning_rate=0.01, batch_size=batch_size)
    for _ in range(10):
        model.partial_fit(X, np.zeros(100))
    assert np.abs(model.coef_).max() < 0.9


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("more", [{"batch_size": 64}, {"learning_rate": 0.01}], ids=str)
def test_what_a_fit_said_of_its_end_does_not_outlive_it(rng, early_stopping, more):
    X = rng.standard_normal((100, 3))
    model = GDLinearRegression(early_stopping=early_stopping).fit(X, X.sum(axis=1))
    model.set_params(**more).partial_fit(X, X.sum(axis=1))
    for name in ("optimality_", "stop_reason_", "validation_loss_curve_", "moments_"):
        assert not hasattr(model, name)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_coefficients_set_between_calls_count(make_data, dtype, container, masked):
    X, Y = make_data(2000, 5, 2, decades=0.5)
    X, Y = X.astype(dtype), Y.astype(dtype)
    options = {"batch_size": 16, "random_state": 0}
    if masked:
        options["missing_targets"] = "ignore"
        Y[:5, 0] = np.nan
    model = GDLinearRegression(**options).partial_fit(container(X), Y)
    known = np.abs(model.coef_).max()
    model.coef_, model.intercept_ = np.zeros((2, 5), dtype), np.zeros(2, dtype)
    model.partial_fit(container(X[:1]), Y[:1] * 0 + 0.01)
    assert np.abs(model.coef_).max() < 0.2 * known
    model.partial_fit(container(X), Y)
    assert np.nanmean((model.predict(X) - Y) ** 2) < 2.0


def test_what_was_shown_is_no_change(make_data):
    X, Y = make_data(500, 5, 2)
    model = GDLinearRegression(batch_size=16, shuffle=False).partial_fit(X[:320], Y[:320])
    model.coef_, model.intercept_ = model.coef_.copy(), model.intercept_.copy()
    model.sparsify().densify().partial_fit(X[320:], Y[320:])
    plain = GDLinearRegression(batch_size=16, shuffle=False)
    plain.partial_fit(X[:320], Y[:320]).partial_fit(X[320:], Y[320:])
    np.testing.assert_array_equal(model.coef_, plain.coef_)


@pytest.mark.parametrize("container", CONTAINERS)
def test_attributes_edited_between_calls(make_data, container):
    X, Y = make_data(200, 5, 2)
    for width in (3, 500):
        model = GDLinearRegression(batch_size=16, random_state=0).partial_fit(container(X), Y)
        model.n_features_in_ = width
        before = model.coef_.copy()
        with pytest.raises(ValueError, match="X must keep its 5 features between calls"):
            model.partial_fit(container(np.ones((200, width))), Y)
        np.testing.assert_array_equal(model.coef_, before)
    for name in ("n_features_in_", "coef_"):
        model = GDLinearRegression(batch_size=16, random_state=0).partial_fit(container(X), Y)
        delattr(model, name)
        assert model.partial_fit(container(X), Y).coef_.shape == (2, 5)
    model.coef_ = np.zeros((2, 4))
    with pytest.raises(ValueError, match=r"coef_ must keep its shape.* \(2, 5\)\. Got \(2, 4\)"):
        model.partial_fit(container(X), Y)
    model = GDLinearRegression(batch_size=16, random_state=0).partial_fit(container(X), Y)
    model.set_params(alpha=[0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="alpha must be a float or have one value"):
        model.partial_fit(container(X), Y)


DESIGNS = {
    "normal": lambda rng, n: rng.standard_normal((n, 30)),
    "lognormal": lambda rng, n: np.exp(rng.standard_normal((n, 30))),
    "equicorrelated": lambda rng, n: rng.standard_normal((n, 1)) + rng.standard_normal((n, 30)),
    "bits": lambda rng, n: (rng.random((n, 30)) < 0.2).astype(float),
}


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"alpha": 0.01, "l1_ratio": 0.5}], ids=str)
@pytest.mark.parametrize("batch_size", [1, 64])
@pytest.mark.parametrize("n_rows", [1, 3])
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("design", DESIGNS)
def test_a_few_rows_at_a_time(design, container, n_rows, batch_size, options):
    """A good model stays good, and from scratch rows get as far as in one call."""
    rng = np.random.default_rng(0)
    w = rng.uniform(0.5, 2, 30)

    def rows(n):
        X = DESIGNS[design](rng, n)
        return X, X @ w + 0.3 * (X @ w).std() * rng.standard_normal(n)

    (X, y), (X_test, y_test), (A, b) = rows(2000), rows(1000), rows(1000)
    model = GDLinearRegression(batch_size=batch_size, random_state=0, **options)
    start = model.fit(container(X), y).score(X_test, y_test)
    for x, t in chunks(n_rows, A[:99], b[:99]):
        assert model.partial_fit(container(x), t).score(X_test, y_test) > start - 0.05
    scratch = GDLinearRegression(batch_size=batch_size, random_state=0, **options)
    stream(scratch, A, b, n_rows, container)
    whole = GDLinearRegression(batch_size=batch_size, random_state=0, **options)
    whole.partial_fit(container(A), b)
    assert scratch.score(X_test, y_test) > whole.score(X_test, y_test) - 0.1


def test_what_fit_knew_of_the_features_goes_with_the_model(make_data):
    X, Y = make_data(500, 5, 2)
    model = pickle.loads(pickle.dumps(GDLinearRegression(batch_size=16).fit(X, Y)))
    model.partial_fit(X[:1], Y[:1])
    centre = model._stream.members[0].sgd.coordinates(slice(None)).centre
    np.testing.assert_allclose(centre, X.mean(axis=0), rtol=0.02)


def test_a_step_that_is_too_long_is_named_as_the_stream_began(make_data):
    """Parameters that are set later change nothing, not even what an error says."""
    X, Y = make_data(decades=0.0)
    model = GDLinearRegression(learning_rate=1e3, batch_size=4)
    with pytest.raises(ValueError, match="learning_rate=1000 makes the loss grow"):
        model.partial_fit(X, Y)
    model = GDLinearRegression(learning_rate=1e-9, batch_size=4).partial_fit(X, Y)
    model.set_params(learning_rate="auto")
    with pytest.raises(ValueError, match="learning_rate=1e-09 makes the loss grow"):
        model.partial_fit(1e9 * X, Y)


# Features of the chunks below, far more than their rows hold.
WIDE = 100_000


def wide_chunk(rng, n_rows=10, n_held=5, n_features=WIDE, n_outputs=2):
    """Return sparse rows that each hold a few of many features, and their targets."""
    places = rng.integers(0, n_features // n_held, (n_rows, n_held))
    columns = np.sort(places + np.arange(n_held) * (n_features // n_held), axis=1)
    starts = np.arange(0, n_rows * n_held + 1, n_held)
    values = rng.standard_normal(n_rows * n_held)
    X = sparse.csr_array((values, columns.ravel(), starts), (n_rows, n_features))
    return X, rng.standard_normal((n_rows, n_outputs))


WAYS = [
    {},
    {"average": False},
    {"alpha": 1e-3},
    {"alpha": 1e-3, "l1_ratio": 0.5},
    {"alpha": 1e-3, "penalty_factor": np.arange(WIDE) % 3 + 1.0},
    {"learning_rate": 1e-2},
    {"learning_rate": 1e-2, "alpha": 1.0, "l1_ratio": 0.5},
    {"learning_rate": 1e-2, "momentum": 0.5},
    {"missing_targets": "ignore"},
]


@pytest.mark.parametrize("options", WAYS, ids=lambda options: ",".join(options) or "plain")
@pytest.mark.parametrize("calls", [1, 3])
def test_a_failed_call_leaves_a_wide_stream_as_it_was(rng, options, calls, monkeypatch):
    """Whatever it had changed by then, and though a call copies little of the model."""
    model = GDLinearRegression(batch_size=4, random_state=0, **options)
    for _ in range(calls):
        model.partial_fit(*wide_chunk(rng))
    before, coef, chunk = pickle.dumps(model), model.coef_, wide_chunk(rng, 60)
    twin, untouched = pickle.loads(before), coef.copy()

    def interrupted(*args):
        raise KeyboardInterrupt

    # At the end of the call, when all rows are learnt; the sums have begun anew by then.
    with monkeypatch.context() as patched:
        patched.setattr(partial_fit_module, "solution", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.partial_fit(*chunk)
    assert pickle.dumps(model) == before
    assert model.coef_ is coef

    # And it goes on as if nothing had been.
    for each in (model, twin):
        each.partial_fit(*chunk)
    np.testing.assert_array_equal(model.coef_, twin.coef_)
    np.testing.assert_array_equal(coef, untouched)


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_copy_of_a_model_learns_on_its_own(make_data, container):
    X, Y = make_data(200, 5, 2)
    model = GDLinearRegression(batch_size=8, random_state=0).partial_fit(container(X), Y)
    other, twin = copy.copy(model), pickle.loads(pickle.dumps(model))
    for each in (other, other, model, twin):
        each.partial_fit(container(X), Y)
    np.testing.assert_array_equal(model.coef_, twin.coef_)


@pytest.mark.parametrize("options", WAYS, ids=lambda options: ",".join(options) or "plain")
def test_a_wide_stream_is_that_of_the_features_it_holds(rng, options):
    """Features that no row holds change nothing, and have no coefficient."""
    chunks = [wide_chunk(rng) for _ in range(8)]
    held = np.unique(np.concatenate([X.indices for X, _ in chunks]))
    factor = options.get("penalty_factor")
    narrow = options if factor is None else {**options, "penalty_factor": factor[held]}
    wide, dense = (
        GDLinearRegression(batch_size=4, random_state=0, **each) for each in (options, narrow)
    )
    for X, Y in chunks:
        wide.partial_fit(X, Y)
        dense.partial_fit(X[:, held].toarray(), Y)
    np.testing.assert_allclose(wide.coef_[:, held], dense.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(wide.intercept_, dense.intercept_, rtol=1e-9, atol=1e-12)
    assert np.count_nonzero(wide.coef_) == np.count_nonzero(wide.coef_[:, held])


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("average", [False, True])
def test_the_model_of_the_last_update_is_worked_out_once_a_call(
    monkeypatch, rng, container, average
):
    """In a wide sparse stream that takes longer than the updates."""
    X, Y = rng.standard_normal((60, 4)), rng.standard_normal((60, 2))
    model = GDLinearRegression(learning_rate=1e-3, batch_size=5, average=average, random_state=0)
    model.partial_fit(container(X), Y)
    seen = []
    for kind in (DenseSGD, CSRSGD):
        own = kind.model
        monkeypatch.setattr(kind, "model", lambda sgd, own=own: seen.append(sgd) or own(sgd))
    for _ in range(3):
        model.partial_fit(container(X), Y)
    assert len(seen) == 3


@pytest.mark.parametrize("options", [{"batch_size": 5}, {"learning_rate": 1e-3}])
@pytest.mark.parametrize("name", ["coef_", "intercept_"])
def test_a_model_that_is_changed_in_place_is_the_new_start(rng, options, name):
    X, Y = rng.standard_normal((60, 4)), rng.standard_normal((60, 2))
    models = [GDLinearRegression(random_state=0, **options).partial_fit(X, Y) for _ in "ab"]
    getattr(models[0], name)[:] = 100.0
    setattr(models[1], name, np.full(getattr(models[1], name).shape, 100.0))
    for model in models:
        model.partial_fit(X, Y)
    np.testing.assert_array_equal(models[0].coef_, models[1].coef_)
    np.testing.assert_array_equal(models[0].intercept_, models[1].intercept_)
