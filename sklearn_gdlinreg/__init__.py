"""Linear regression by gradient descent, with no learning rate to tune."""

from importlib.metadata import version

from ._regressor import GDLinearRegression
from ._regressor_cv import GDLinearRegressionCV
from ._report.coefficient_path import CoefficientPathDisplay
from ._report.loss_curve import LossCurveDisplay
from ._report.regularization_path import RegularizationPathDisplay

__all__ = [
    "CoefficientPathDisplay",
    "GDLinearRegression",
    "GDLinearRegressionCV",
    "LossCurveDisplay",
    "RegularizationPathDisplay",
]
__version__ = version("sklearn_gdlinreg")
