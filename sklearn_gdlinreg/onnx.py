"""Conversion of fitted models to ONNX, with skl2onnx."""

try:
    from skl2onnx import update_registered_converter
except ImportError as error:
    raise ImportError(
        "sklearn_gdlinreg.onnx needs skl2onnx. Install it with: "
        'pip install "sklearn_gdlinreg[onnx]"'
    ) from error

import numpy as np
from skl2onnx.algebra.onnx_ops import OnnxAdd, OnnxCast, OnnxMatMul
from skl2onnx.common.data_types import guess_numpy_type, guess_proto_type
from skl2onnx.common.shape_calculator import calculate_linear_regressor_output_shapes
from sklearn.utils.validation import check_is_fitted

from ._base.arrays import to_host
from ._linear_model import fitted_coef
from ._regressor import GDLinearRegression
from ._regressor_cv import GDLinearRegressionCV


def register_converters():
    """Tell skl2onnx how to convert `GDLinearRegression` and `GDLinearRegressionCV`.

    Call it once in a process, before ``skl2onnx.to_onnx``; the models may be steps of a
    `Pipeline`. As with `LinearRegression`, the predictions of the ONNX model have the shape
    (n_samples, n_outputs), even with one output. They are float64 if the input is, and
    float32 otherwise.

    Examples
    --------
    >>> from skl2onnx import to_onnx
    >>> from sklearn.datasets import load_linnerud
    >>> from sklearn_gdlinreg import GDLinearRegression
    >>> from sklearn_gdlinreg.onnx import register_converters
    >>> X, y = load_linnerud(return_X_y=True)
    >>> model = GDLinearRegression().fit(X, y)
    >>> register_converters()
    >>> [node.op_type for node in to_onnx(model, X).graph.node]
    ['MatMul', 'Add']
    """
    for kind in (GDLinearRegression, GDLinearRegressionCV):
        update_registered_converter(
            kind, kind.__name__, calculate_linear_regressor_output_shapes, _convert
        )


def _convert(scope, operator, container):
    """Add the nodes of a fitted model to the graph of ONNX."""
    model, (X,), (prediction,) = operator.raw_operator, operator.inputs, operator.outputs
    check_is_fitted(model)
    dtype = guess_numpy_type(prediction.type)
    W = np.atleast_2d(to_host(fitted_coef(model))).T.astype(dtype)
    b = np.atleast_1d(to_host(model.intercept_)).astype(dtype)
    version = {"op_version": container.target_opset}
    if guess_numpy_type(X.type) != dtype:
        X = OnnxCast(X, to=guess_proto_type(prediction.type), **version)
    product = OnnxMatMul(X, W, **version)
    OnnxAdd(product, b, output_names=[prediction], **version).add_to(scope, container)
