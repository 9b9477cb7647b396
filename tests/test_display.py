"""Pictures of a descent."""

import builtins

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gdlinreg import (
    CoefficientPathDisplay,
    GDLinearRegression,
    GDLinearRegressionCV,
    LossCurveDisplay,
    RegularizationPathDisplay,
)


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
        "stream": GDLinearRegression(batch_size=100).partial_fit(X, y).partial_fit(X, y),
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
    exact = LossCurveDisplay.from_estimator(GDLinearRegression().partial_fit(X, y), name="all")
    assert exact.ax_.get_xlabel() == "Call of partial_fit"
    assert legend(exact) == ["all; stopped at 1: converged"]
    # Plotted again, on axes that the user made logarithmic.
    _, ax = plt.subplots()
    ax.set_xscale("log")
    assert display.plot(ax).ax_ is ax


@pytest.mark.parametrize(
    "parameters",
    [
        {"alpha": 1e-3, "l1_ratio": 0.5},
        {"learning_rate": 1e-3, "max_iter": 30, "tol": 0},
        {"batch_size": 16},
    ],
)
@pytest.mark.parametrize("D", [1, 3])
def test_coefficients_travel(plt, make_data, plain_steps, parameters, D):
    pytest.importorskip("sklearn.callback")
    pandas = pytest.importorskip("pandas")
    X, Y = make_data(100, 4, D, decades=0.5, offset=1.0)
    Y = Y if D > 1 else Y[:, 0]
    X = pandas.DataFrame(X, columns=list("abcd"))
    model = GDLinearRegression(random_state=0, **parameters)
    display = CoefficientPathDisplay.from_estimator(model, X, Y, output=D - 1, linewidth=3)
    assert not hasattr(model, "coef_")
    assert not hasattr(model, "_skl_callbacks")
    plain_steps()
    model.fit(X, Y)
    assert display.path.shape == (model.n_iter_ + 1, 4)
    np.testing.assert_array_equal(display.path[0], 0.0)
    last = np.atleast_2d(model.coef_)[D - 1] * X.std(ddof=0).to_numpy()
    if "batch_size" not in parameters:
        np.testing.assert_allclose(display.path[-1], last, rtol=1e-6)
    assert legend(display) == list("abcd")
    assert display.lines_[0].get_linewidth() == 3
    _, ax = plt.subplots()
    raw = CoefficientPathDisplay.from_estimator(model, X, Y, ax, standardize=False)
    assert raw.ax_ is ax
    assert raw.ax_.get_ylabel() == "Coefficient"


def test_a_descent_of_one_step_is_shown_as_one_of_many(plt, make_data):
    pytest.importorskip("sklearn.callback")
    X, Y = make_data(100, 4, 1, decades=0.5, offset=1.0)
    model = GDLinearRegression(tol=1e-10)
    display = CoefficientPathDisplay.from_estimator(model, X, Y[:, 0])
    model.fit(X, Y[:, 0])
    assert model.n_iter_ <= 2
    # So many directions are conjugate.
    assert 4 <= len(display.path) - 1 <= 6
    np.testing.assert_allclose(display.path[-1], model.coef_ * X.std(axis=0), rtol=1e-8)


def test_coefficients_of_sparse_data_and_many_features(plt, make_data):
    pytest.importorskip("sklearn.callback")
    X, Y = make_data(100, 12)
    options = {"fit_params": {"coef_init": np.ones((3, 12))}, "standardize": False}
    display = CoefficientPathDisplay.from_estimator(
        GDLinearRegression(), sparse.csr_array(X), Y, **options
    )
    np.testing.assert_allclose(display.path[0], 1.0)
    assert legend(display) == []


def test_coefficients_need_callbacks(make_data):
    with pytest.raises(ImportError, match=r"needs scikit-learn 1\.9"):
        CoefficientPathDisplay.from_estimator(LinearRegression(), *make_data())


@pytest.mark.parametrize("least", [1e-7, 2900.0, 4e8])
def test_less_than_a_decade_has_a_few_plain_labels(plt, least):
    losses = {"names": [None], "validation_losses": [None], "stop_reasons": [None]}
    display = LossCurveDisplay(losses=[least * np.linspace(1.3, 1.0, 9)], **losses).plot()
    display.figure_.canvas.draw()
    low, high = display.ax_.get_ylim()
    ticks = [tick for tick in display.ax_.get_yticks() if low <= tick <= high]
    assert 2 <= len(ticks) <= 6
    labels = [text.get_text() for text in display.ax_.get_yticklabels(which="both")]
    np.testing.assert_allclose(
        [float(text.replace("\N{MINUS SIGN}", "-")) for text in labels], display.ax_.get_yticks()
    )
    assert not display.ax_.get_yticks(minor=True).size


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


@pytest.mark.parametrize(("n_features", "n_names"), [(10, 10), (11, 0)])
def test_a_legend_beside_coefficients_has_at_most_ten(plt, make_data, n_features, n_names):
    X, Y = make_data(60, n_features, 1)
    model = GDLinearRegressionCV(alphas=4).fit(X, Y[:, 0])
    display = RegularizationPathDisplay.from_estimator(model, X, Y[:, 0])
    names = [text.get_text() for text in display.axes_[0].get_legend().get_texts()]
    assert names == list(map(str, range(n_names)))
    assert legend(display)[0] == "mean over the folds"
