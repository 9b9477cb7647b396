"""Linear regression by gradient descent, with no learning rate to tune."""

from importlib.metadata import version

from ._display import LossCurveDisplay
from ._regressor import GDLinearRegression

__all__ = ["GDLinearRegression", "LossCurveDisplay"]
__version__ = version("sklearn_gdlinreg")
