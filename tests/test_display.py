"""Pictures of a descent."""

import builtins

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gdlinreg import GDLinearRegression, LossCurveDisplay


@pytest.fixture
def plt():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_the_curve_of_an_estimator(plt, make_data):
    model = GDLinearRegression().fit(*make_data())
    display = LossCurveDisplay.from_estimator(model)
    (line,) = display.lines_
    np.testing.assert_array_equal(line.get_ydata(), model.loss_curve_)
    np.testing.assert_array_equal(line.get_xdata(), np.arange(1, model.n_iter_ + 1))
    assert display.figure_ is display.ax_.figure
    assert display.ax_.get_yscale() == "log"
    assert display.ax_.get_xlabel() == "Iteration"
    assert display.validation_lines_ == [None]
    assert display.stop_markers_[0].get_xdata().tolist() == [model.n_iter_]
    assert legend(display) == [f"training; stopped at {model.n_iter_}: converged"]


def test_validation_and_options(plt, make_data):
    X, Y = make_data(80, 60, 2, decades=0.5, offset=1.0, noise=5.0)
    model = make_pipeline(
        StandardScaler(), GDLinearRegression(batch_size=8, early_stopping=True, random_state=0)
    ).fit(X, Y)
    _, ax = plt.subplots()
    display = LossCurveDisplay.from_estimator(
        model, ax, name="mine", log_scale=False, color="green", linewidth=3
    )
    assert display.ax_ is ax
    assert ax.get_yscale() == "linear"
    assert ax.get_xlabel() == "Epoch"
    (dashed,) = display.validation_lines_
    np.testing.assert_array_equal(dashed.get_ydata(), model[-1].validation_loss_curve_)
    assert dashed.get_color() == display.lines_[0].get_color() == "green"
    assert dashed.get_linewidth() == 3
    best = int(np.argmin(model[-1].validation_loss_curve_)) + 1
    assert legend(display) == [
        f"mine; stopped at {model[-1].n_iter_}: early stopping",
        f"mine, validation; best at {best}",
    ]


def test_several(plt, make_data):
    X, Y = make_data(100, 4, 1, decades=0.1)
    y = Y[:, 0]
    models = {
        "exact": GDLinearRegression().fit(X, y),
        "stream": GDLinearRegression().partial_fit(X, y).partial_fit(X, y),
        "network": MLPRegressor(
            hidden_layer_sizes=(), max_iter=5, tol=10.0, n_iter_no_change=1
        ).fit(X, y),
    }
    display = LossCurveDisplay.from_estimators(models)
    assert display.names == list(models)
    assert [len(line.get_xdata()) for line in display.lines_] == [
        len(model.loss_curve_) for model in models.values()
    ]
    assert display.ax_.get_xlabel() == "Call of partial_fit or iteration"
    assert legend(display)[1] == "stream; 2 steps"
    assert len({line.get_color() for line in display.lines_}) == 3
    # Plotted again, on axes that the user made logarithmic.
    _, ax = plt.subplots()
    ax.set_xscale("log")
    assert display.plot(ax).ax_ is ax


def test_no_iteration_at_all(plt):
    X = np.eye(4)
    model = GDLinearRegression().fit(X, np.zeros(4))
    assert model.n_iter_ == 0
    display = LossCurveDisplay.from_estimator(model)
    assert display.stop_markers_ == [None]


def test_errors(make_data, monkeypatch):
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(GDLinearRegression())
    model = GDLinearRegression().fit(*make_data())
    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="requires matplotlib"):
        LossCurveDisplay.from_estimator(model)
