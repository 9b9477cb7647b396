"""Validation rows, early stopping, callbacks, and what is printed."""

import copy
import inspect
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gdlinreg import GDLinearRegression
from sklearn_gdlinreg._problem.loss import loss

WAYS = {
    "exact": {},
    "proximal": {"alpha": 0.01, "l1_ratio": 1.0},
    "textbook": {"learning_rate": 5e-3},
    "mini-batch": {"batch_size": 8},
    "mini-batch-l1": {"batch_size": 8, "alpha": 0.01, "l1_ratio": 1.0},
    "mini-batch-textbook": {"batch_size": 8, "learning_rate": 1e-3},
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
containers = pytest.mark.parametrize(
    "container", [np.asarray, sparse.csr_array], ids=["dense", "csr"]
)


@pytest.fixture
def overfit(make_data):
    """Return more features than the noise allows: the best model is not the last."""
    return make_data(80, 60, 2, decades=0.5, offset=1.0, noise=5.0)


@every_way
@containers
def test_early_stopping_restores_the_best(overfit, way, container):
    X, Y = container(overfit[0]), overfit[1]
    model = GDLinearRegression(
        early_stopping=True, random_state=0, validation_fraction=0.3, max_iter=500, **way
    ).fit(X, Y)
    assert model.stop_reason_ == "early_stopping"
    assert len(model.validation_loss_curve_) == model.n_iter_ == len(model.loss_curve_)
    best = int(np.argmin(model.validation_loss_curve_)) + 1
    assert best == model.n_iter_ - model.n_iter_no_change
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        again = GDLinearRegression(**{**model.get_params(), "max_iter": best}).fit(X, Y)
        other = copy.deepcopy(model).set_params(early_stopping=False, max_iter=1).fit(X, Y)
    # Threads sum in any order.
    np.testing.assert_allclose(model.coef_, again.coef_, rtol=1e-10)
    np.testing.assert_allclose(model.intercept_, again.intercept_, rtol=1e-10)
    assert model.optimality_ == pytest.approx(again.optimality_, rel=1e-8)
    assert not hasattr(other, "validation_loss_curve_")


@every_way
@containers
def test_validation_rows_that_are_given(overfit, way, container):
    X, Y = overfit
    held_out = container(X[:20]), Y[:20]
    weight = np.linspace(0.0, 2.0, 20)
    model = GDLinearRegression(early_stopping=True, tol=1e-3, random_state=0, **way).fit(
        container(X[20:]), Y[20:], X_val=held_out[0], y_val=held_out[1],
        sample_weight_val=weight,
    )  # fmt: skip
    expected = loss(*held_out, model.coef_.T, model.intercept_, weight)
    np.testing.assert_allclose(min(model.validation_loss_curve_), expected, rtol=1e-9)


def test_validation_rows_inside_a_pipeline(overfit):
    X, Y = overfit
    X = X * 1000.0 + 5.0
    model = GDLinearRegression(early_stopping=True, learning_rate=0.01, tol=1e-3)
    plain = StandardScaler().fit(X[20:])
    expected = model.fit(
        plain.transform(X[20:]), Y[20:], X_val=plain.transform(X[:20]), y_val=Y[:20]
    )
    curve = expected.validation_loss_curve_
    with config_context(enable_metadata_routing=True):
        model = GDLinearRegression(early_stopping=True, learning_rate=0.01, tol=1e-3)
        model.set_fit_request(X_val=True, y_val=True)
        pipe = make_pipeline(StandardScaler(), model)
        pipe.set_params(transform_input=["X_val"])
        pipe.fit(X[20:], Y[20:], X_val=X[:20], y_val=Y[:20])
        np.testing.assert_array_equal(pipe[-1].validation_loss_curve_, curve)
        search = GridSearchCV(pipe, {"gdlinearregression__alpha": [0.0, 0.1]}, cv=2)
        search.fit(X[20:], Y[20:], X_val=X[:20], y_val=Y[:20])
        assert search.best_estimator_[-1].stop_reason_ == "early_stopping"


@pytest.mark.parametrize(
    ("match", "parameters", "given"),
    [
        ("X_val is provided, but y_val was not provided", {}, {"y_val": None}),
        ("y_val is provided, but X_val was not provided", {}, {"X_val": None}),
        (
            "sample_weight_val is provided, but y_val was not provided",
            {},
            {"X_val": None, "y_val": None, "sample_weight_val": 1.0},
        ),
        ("early_stopping is False", {"early_stopping": False}, {}),
        ("X has 2 features, but", {}, {"X_val": np.ones((4, 2))}),
        ("inconsistent numbers of samples: \\[4, 3\\]", {}, {"y_val": np.ones((3, 2))}),
        ("y_val must have the outputs of y", {}, {"y_val": np.ones(4)}),
        ("y_val must have the outputs of y", {}, {"y_val": np.ones((4, 3))}),
        ("Input X_val contains NaN", {}, {"X_val": np.full((4, 3), np.nan)}),
        ("Input y_val contains infinity", {}, {"y_val": np.full((4, 2), np.inf)}),
        ("passed to `sample_weight_val`", {}, {"sample_weight_val": [1, -1, 1, 1]}),
        ("all zeros in `sample_weight_val`", {}, {"sample_weight_val": np.zeros(4)}),
    ],
)
def test_validation_rows_are_checked(make_data, match, parameters, given):
    X, Y = make_data(20, 3, 2)
    model = GDLinearRegression(early_stopping=True).set_params(**parameters)
    with pytest.raises(ValueError, match=match):
        model.fit(X, Y, **{"X_val": X[:4], "y_val": Y[:4], **given})
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("batch_size", [None, 2])
def test_early_stopping_needs_rows(make_data, batch_size):
    X, Y = make_data(80, 5, 2)
    model = GDLinearRegression(early_stopping=True, batch_size=batch_size)
    with pytest.raises(ValueError, match="leaves no rows to learn from"):
        model.fit(X[:1], Y[:1])
    with pytest.raises(ValueError, match=r"No row to (train on|validate on) has a positive"):
        model.fit(X, Y, np.eye(80)[0])


@pytest.mark.parametrize("early_stopping", [False, True])
@every_way
def test_verbose_prints_aligned_lines(make_data, capsys, way, early_stopping):
    X, Y = make_data(100, 20, decades=0.5, offset=1.0)
    way = {**way, "learning_rate": 1e-3} if "learning_rate" in way else way
    model = GDLinearRegression(
        verbose=1, early_stopping=early_stopping, max_iter=15, tol=1e-2, random_state=0, **way
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, Y)
    assert model.n_iter_
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_
    for word in ["loss"] + ["validation loss"] * early_stopping:
        assert len({line.index(word) for line in lines}) == 1
    assert len(set(map(len, lines))) == 1
    model.set_params(verbose=0, tol=0, max_iter=1, early_stopping=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, Y)
    assert capsys.readouterr().out == ""


def test_verbose_thins_out(make_data, capsys):
    model = GDLinearRegression(learning_rate=1e-9, tol=0, max_iter=2345, verbose=1)
    model.fit(*make_data())
    numbers = [int(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert numbers == [
        *range(1, 20), *range(20, 200, 10), *range(200, 2000, 100), 2000, 2345
    ]  # fmt: skip
    model.set_params(verbose=2).fit(*make_data())
    assert len(capsys.readouterr().out.splitlines()) == 2345


class Recorder:
    """A callback that takes down what it is told, and asks to stop after some iterations."""

    def __init__(self, n_allowed=10**9, error=None):
        self.n_allowed, self.error = n_allowed, error
        self.events, self.losses, self.starts = [], [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, fitted_estimator=None):
        self.events.append(("begin", context.task_name, context.task_id))
        if fitted_estimator is not None:
            self.starts.append(fitted_estimator)

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.events.append(("end", context.task_name, context.task_id))
        if context.task_name == "fit" or X is None:
            return None
        weight = None if metadata is None else metadata["sample_weight"]
        error = (fitted_estimator.predict(X) - y) ** 2
        self.losses.append(np.average(error, axis=0, weights=weight).sum())
        if self.error is not None:
            raise self.error
        return len(self.losses) >= self.n_allowed


@pytest.fixture
def recorder():
    pytest.importorskip("sklearn.callback")
    return Recorder


@every_way
@pytest.mark.parametrize("weighted", [False, True])
def test_callbacks_see_each_iteration(make_data, recorder, plain_steps, way, weighted):
    plain_steps()
    X, Y = make_data(60, 5, decades=0.5, offset=1.0)
    weight = np.arange(60.0) if weighted else None
    model = GDLinearRegression(random_state=0, max_iter=30, **way)
    callback = recorder()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, Y, weight)
        expected, n_iter = model.coef_, model.n_iter_
        model.set_callbacks(callback).fit(X, Y, weight)
    assert n_iter > 3
    np.testing.assert_array_equal(model.coef_, expected)
    assert len(callback.losses) == model.n_iter_ == n_iter
    events = callback.events
    assert events[:2] == ["setup", ("begin", "fit", 0)]
    assert events[-2:] == [("end", "fit", 0), "teardown"]
    tasks = [event for event in events if event[1] == "iteration"]
    # Each begins, then ends, before the next one does; the last one may be empty.
    assert tasks == [
        (x, "iteration", i) for i in range(len(tasks) // 2) for x in ("begin", "end")
    ]
    assert 0 <= len(tasks) // 2 - n_iter <= 1
    np.testing.assert_array_equal(callback.starts[0].coef_, 0.0)
    if "batch_size" not in way and "l1_ratio" not in way:
        np.testing.assert_allclose(callback.losses, model.loss_curve_, rtol=1e-6)


@every_way
def test_a_callback_may_stop_the_fit(overfit, recorder, plain_steps, way):
    callback = recorder(3)
    model = GDLinearRegression(random_state=0, tol=0, **way).set_callbacks(callback)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(*overfit)
    assert model.n_iter_ == len(callback.losses) == 3
    assert model.stop_reason_ == "callback"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        plain_steps()
        again = GDLinearRegression(random_state=0, max_iter=3, **way).fit(*overfit)
    np.testing.assert_array_equal(model.coef_, again.coef_)


def test_a_callback_is_shown_the_way_of_plain_steps(make_data, recorder, plain_steps):
    """They lead where one step in the metric of the curvature does."""
    X, Y = make_data(60, 5, decades=0.5, offset=1.0)
    one_step = GDLinearRegression(tol=1e-10).fit(X, Y)
    callback = recorder()
    watched = GDLinearRegression(tol=1e-10).set_callbacks(callback).fit(X, Y)
    plain_steps()
    plain = GDLinearRegression(tol=1e-10).fit(X, Y)
    assert one_step.n_iter_ <= 2
    assert len(callback.losses) == watched.n_iter_ > 3
    np.testing.assert_allclose(watched.coef_, one_step.coef_, rtol=1e-9)
    np.testing.assert_allclose(callback.losses[:3], plain.loss_curve_[:3], rtol=1e-9)


def test_a_callback_that_fails_is_torn_down(make_data, recorder):
    X, Y = make_data()
    model = GDLinearRegression().fit(X, Y)
    callback = recorder(error=RuntimeError("no"))
    before = vars(model.set_callbacks(callback)).copy()
    with pytest.raises(RuntimeError, match="no"):
        model.fit(2 * X, Y)
    assert callback.events[-1] == "teardown"
    assert vars(model) == before


def test_callbacks_of_scikit_learn(make_data, capsys):
    callback = pytest.importorskip("sklearn.callback")
    pytest.importorskip("rich")
    pandas = pytest.importorskip("pandas")
    X, Y = make_data(100, 4, 1)
    X = pandas.DataFrame(X, columns=list("abcd"))
    monitor = callback.ScoringMonitor(scoring="r2")
    model = GDLinearRegression().set_callbacks(monitor, callback.ProgressBar())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y[:, 0])
    scores = [row["r2"] for row in monitor.get_logs().data if row["task_name"] == "iteration"]
    scores = [score for score in scores if score == score]
    assert len(scores) == model.n_iter_
    assert scores[-1] == pytest.approx(model.score(X, Y[:, 0]))
    assert "GDLinearRegression" in capsys.readouterr().out


def test_a_search_hands_callbacks_on(make_data):
    callback = pytest.importorskip("sklearn.callback")
    X, Y = make_data(100, 4, 2)
    monitor = callback.ScoringMonitor(scoring="r2")
    model = GDLinearRegression().set_callbacks(monitor)
    GridSearchCV(model, {"alpha": [0.0, 0.1]}, cv=2).fit(X, Y)
    assert {row["task_name"] for row in monitor.get_logs("most_recent").data} >= {"iteration"}


def test_fit_takes_what_others_take():
    names = list(inspect.signature(GDLinearRegression.fit).parameters)
    assert names[:4] == ["self", "X", "y", "sample_weight"]
    assert {"X_val", "y_val", "sample_weight_val"} <= set(names)
