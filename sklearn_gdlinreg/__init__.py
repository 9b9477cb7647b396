"""Linear regression by gradient descent, with no learning rate to tune."""

from importlib.metadata import version

from ._regressor import GDLinearRegression

__all__ = ["GDLinearRegression"]
__version__ = version("sklearn_gdlinreg")
