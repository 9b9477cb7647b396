"""Linear regression by gradient descent, with no learning rate to tune."""

from importlib.metadata import version

from ._cv import GDLinearRegressionCV
from ._display import LossCurveDisplay
from ._regressor import GDLinearRegression

__all__ = ["GDLinearRegression", "GDLinearRegressionCV", "LossCurveDisplay"]
__version__ = version("sklearn_gdlinreg")
