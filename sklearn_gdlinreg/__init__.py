"""Linear regression by gradient descent, with no learning rate to tune."""

from importlib.metadata import version

from ._coefficient_path import CoefficientPathDisplay
from ._cv import GDLinearRegressionCV
from ._display import LossCurveDisplay
from ._regressor import GDLinearRegression

__all__ = [
    "CoefficientPathDisplay",
    "GDLinearRegression",
    "GDLinearRegressionCV",
    "LossCurveDisplay",
]
__version__ = version("sklearn_gdlinreg")
