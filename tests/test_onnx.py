"""Fitted models in ONNX: onnxruntime predicts what they predict."""

import builtins
import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklearn_gdlinreg import GDLinearRegression, GDLinearRegressionCV
from sklearn_gdlinreg._base.compat import ARRAY_API

onnxruntime = pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")
from skl2onnx.common.data_types import (  # noqa: E402
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
)

from sklearn_gdlinreg import onnx as ours  # noqa: E402

TENSORS = {np.float64: DoubleTensorType, np.float32: FloatTensorType, np.int64: Int64TensorType}
ROUNDING = {np.float64: 1e-12, np.float32: 2e-6, np.int64: 2e-6}
MODELS = {
    "full batch": lambda X, Y: GDLinearRegression().fit(X, Y),
    "no intercept": lambda X, Y: GDLinearRegression(fit_intercept=False).fit(X, Y),
    "float32": lambda X, Y: GDLinearRegression().fit(X.astype(np.float32), Y),
    "exact stream": lambda X, Y: GDLinearRegression().partial_fit(X, Y),
    "stream": lambda X, Y: GDLinearRegression(batch_size=64, random_state=0).partial_fit(X, Y),
    "sparsified": lambda X, Y: GDLinearRegression(alpha=0.1, l1_ratio=1).fit(X, Y).sparsify(),
    "cross-validated": lambda X, Y: GDLinearRegressionCV(cv=3, alphas=5).fit(X, Y),
    "scaled": lambda X, Y: make_pipeline(StandardScaler(), GDLinearRegression()).fit(X, Y),
    # The ones of a bias are float32 in skl2onnx, and do not go with float64.
    "polynomial": lambda X, Y: make_pipeline(
        StandardScaler(), PolynomialFeatures(2, include_bias=False), GDLinearRegression()
    ).fit(X, Y),
}


@pytest.fixture(autouse=True)
def registered():
    ours.register_converters()


@pytest.fixture
def data(make_data):
    X, Y = make_data(200, 5, 2, decades=1.0, offset=1.0)
    return 10.0 * X, Y


def session(model, dtype, n_features=5):
    types = [("X", TENSORS[dtype]([None, n_features]))]
    saved = skl2onnx.to_onnx(model, initial_types=types).SerializeToString()
    return onnxruntime.InferenceSession(saved, providers=["CPUExecutionProvider"])


def outputs(model, X):
    return session(model, X.dtype.type, X.shape[1]).run(None, {"X": X})


@pytest.mark.parametrize("dtype", TENSORS)
@pytest.mark.parametrize("target", ["one", "column", "many"])
@pytest.mark.parametrize("fit", MODELS.values(), ids=MODELS)
def test_predicts_the_same(data, fit, target, dtype):
    X, Y = data
    Y = {"one": Y[:, 0], "column": Y[:, :1], "many": Y}[target]
    X = np.round(X) if dtype is np.int64 else X
    model = fit(X, Y)
    (predicted,) = outputs(model, X.astype(dtype))
    expected = model.predict(X.astype(dtype)).reshape(len(X), -1)
    assert predicted.dtype == (np.float64 if dtype is np.float64 else np.float32)
    atol = ROUNDING[dtype] * np.abs(expected).max()
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("dtype", TENSORS)
@pytest.mark.parametrize("n_outputs", [None, 1, 2])
def test_outputs_are_those_of_linear_regression(data, n_outputs, dtype):
    X, Y = data
    Y = Y[:, 0] if n_outputs is None else Y[:, :n_outputs]
    told = []
    for model in (GDLinearRegression(), LinearRegression()):
        (output,) = session(model.fit(X, Y), dtype).get_outputs()
        told.append((output.name, output.shape, output.type))
    assert told[0] == told[1]
    assert told[0][1] == [None, n_outputs or 1]


def test_dask_models_go_by_their_local_ones(data):
    da = pytest.importorskip("dask.array")
    from sklearn_gdlinreg.dask import DaskGDLinearRegression

    X, Y = data
    model = DaskGDLinearRegression().fit(da.from_array(X, chunks=(50, 5)), Y)
    np.testing.assert_allclose(outputs(model.to_local(), X)[0], model.predict(X), rtol=1e-9)


@pytest.mark.skipif(not ARRAY_API, reason="needs scikit-learn 1.9")
def test_tensors(data):
    torch = pytest.importorskip(
        "torch", reason="needs PyTorch, which the extra test-all installs"
    )
    X, Y = data
    with config_context(array_api_dispatch=True):
        model = GDLinearRegression().fit(torch.asarray(X), torch.asarray(Y))
        expected = model.predict(torch.asarray(X)).numpy()
    np.testing.assert_allclose(outputs(model, X)[0], expected, rtol=0, atol=1e-12 * Y.max())


@pytest.mark.parametrize("kind", [GDLinearRegression, GDLinearRegressionCV])
def test_a_model_that_is_not_fitted_is_told(kind):
    with pytest.raises(NotFittedError, match=f"This {kind.__name__} instance is not fitted"):
        session(kind(), np.float64)


def test_without_skl2onnx_the_command_is_told(monkeypatch):
    importing = builtins.__import__

    def without(name, *args):
        if name.startswith("skl2onnx"):
            raise ImportError(name)
        return importing(name, *args)

    monkeypatch.delitem(sys.modules, "sklearn_gdlinreg.onnx")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "sklearn_gdlinreg\[onnx\]"'):
        importlib.import_module("sklearn_gdlinreg.onnx")


def test_the_code_of_the_documentation_runs(tmp_path, monkeypatch):
    pytest.importorskip("skops")
    page = Path(__file__).parents[1] / "docs" / "persistence.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks:
        exec(block, names)
    expected = names["pipe"].predict(names["X"])
    np.testing.assert_allclose(names["predictions"], expected, rtol=1e-5)
