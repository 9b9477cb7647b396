"""A plot of the coefficients during a fit, which a callback records."""

import numpy as np
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from .display import X_LABELS, Display, names_of_features, plot_coefficients


class CoefficientPathDisplay(Display):
    """Each coefficient against the iterations of a fit.

    Create it by `from_estimator`.

    Parameters
    ----------
    path : array-like of shape (n_iter + 1, n_features)
        The coefficients at the start of the fit and after each iteration.
    feature_names : list of str
        Names for the legend.
    x_label : str, default="Iteration"
        The label of the x axis.
    y_label : str, default="Coefficient"
        The label of the y axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the paths.
    figure_ : matplotlib Figure
        Figure containing the paths.
    lines_ : list of matplotlib Line2D
        One line per feature.
    """

    def __init__(self, *, path, feature_names, x_label="Iteration", y_label="Coefficient"):
        self.path, self.feature_names = path, feature_names
        self.x_label, self.y_label = x_label, y_label

    @classmethod
    def from_estimator(
        cls, estimator, X, y, ax=None, *, output=0, standardize=True, fit_params=None, **kwargs
    ):
        """Fit a clone of an estimator and plot its coefficients against the iterations.

        It follows the fit by a callback, so it needs scikit-learn 1.9 or newer.

        Parameters
        ----------
        estimator : GDLinearRegression
            The estimator to clone. It is not fitted itself.
        X : ndarray, sparse matrix or DataFrame of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        ax : matplotlib Axes, default=None
            Axes to plot on. None makes a new figure.
        output : int, default=0
            The output whose coefficients are drawn, if y has several.
        standardize : bool, default=True
            Whether to multiply each coefficient by the standard deviation of its feature, so
            that all are in units of y and can be compared.
        fit_params : dict, default=None
            Other arguments of `fit`.
        **kwargs : dict
            Options of `matplotlib.axes.Axes.plot` for the lines.

        Returns
        -------
        display : CoefficientPathDisplay
            The display, plotted.

        Raises
        ------
        ImportError
            If scikit-learn is older than 1.9, or matplotlib is not installed.
        """
        if not hasattr(estimator, "set_callbacks"):
            raise ImportError("CoefficientPathDisplay needs scikit-learn 1.9 or newer.")
        recorder = _Recorder(output)
        model = clone(estimator).set_callbacks(recorder).fit(X, y, **(fit_params or {}))
        path, y_label = np.array(recorder.path), "Coefficient"
        if standardize:
            path *= StandardScaler(with_mean=False).fit(X).scale_
            y_label = "Coefficient times standard deviation (units of y)"
        names = names_of_features(model, path.shape[1])
        x_label = X_LABELS.get(model.engine_, "Iteration")
        display = cls(path=path, feature_names=names, x_label=x_label, y_label=y_label)
        return display.plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Plot the paths; with a legend beside them if there are at most ten.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. None makes a new figure.
        **kwargs : dict
            Options of `matplotlib.axes.Axes.plot` for the lines.

        Returns
        -------
        display : CoefficientPathDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self._set_axes(ax)
        x = np.arange(len(self.path))
        self.lines_ = plot_coefficients(self.ax_, x, self.path, self.feature_names, kwargs)
        self._label(self.x_label, self.y_label)
        return self


class _Recorder:
    """A callback of scikit-learn that records the coefficients of one output."""

    def __init__(self, output):
        self.output, self.path = output, []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, *, fitted_estimator=None):
        if not self.path and fitted_estimator is not None:
            self._keep(fitted_estimator)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.parent is not None and fitted_estimator is not None:
            self._keep(fitted_estimator)

    def _keep(self, model):
        self.path.append(np.atleast_2d(model.coef_)[self.output].astype(np.float64))
