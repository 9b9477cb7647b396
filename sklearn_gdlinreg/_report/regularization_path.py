"""A plot of a path of penalties: coefficients, errors, and the chosen alpha."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._cross_validation.choice import standard_error
from .display import Display, names_of_features, plot_coefficients, pyplot


class RegularizationPathDisplay(Display):
    """Coefficients and error of cross-validation against alpha, with the chosen alpha.

    Create it by `from_estimator`.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        The alphas, from the largest to the smallest.
    errors : ndarray of shape (n_alphas, n_folds)
        The mean squared error of each alpha on each fold.
    alpha : float
        The chosen alpha.
    coefs : ndarray of shape (n_features, n_alphas), default=None
        The coefficients; None draws the errors only.
    feature_names : list of str, default=None
        Names for the legend.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        Axes of the coefficients, if they are drawn, and of the errors.
    ax_ : matplotlib Axes
        Axes of the errors.
    figure_ : matplotlib Figure
        Figure containing the axes.
    lines_ : list of matplotlib Line2D or None
        One per feature.
    error_line_ : matplotlib Line2D
        The mean error over the folds.
    error_band_ : matplotlib collection or None
        One standard error on both sides of the mean; None if there is one fold.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_gdlinreg import GDLinearRegressionCV, RegularizationPathDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = GDLinearRegressionCV(l1_ratio=1.0, alphas=20).fit(X, y)
    >>> display = RegularizationPathDisplay.from_estimator(model, X, y)
    """

    def __init__(self, *, alphas, errors, alpha, coefs=None, feature_names=None):
        self.alphas, self.errors, self.alpha = alphas, errors, alpha
        self.coefs, self.feature_names = coefs, feature_names

    @classmethod
    def from_estimator(
        cls, estimator, X=None, y=None, *, sample_weight=None, output=0, axes=None, **kwargs
    ):  # fmt: skip
        """Plot the path of the chosen l1_ratio of a fitted estimator.

        Parameters
        ----------
        estimator : GDLinearRegressionCV
            A fitted estimator.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Training data. None draws the errors only.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets. None draws the errors only.
        sample_weight : array-like of shape (n_samples,), default=None
            The weights that the estimator was fitted with.
        output : int, default=0
            The output whose coefficients are drawn, if y has several; with
            ``alpha_per_target=True``, also whose errors and alpha.
        axes : list of matplotlib Axes, default=None
            Axes to plot on, for the coefficients and for the errors, or for the errors only.
            None makes a new figure.
        **kwargs : dict
            Options of `matplotlib.axes.Axes.plot` for the lines of the coefficients.

        Returns
        -------
        display : RegularizationPathDisplay
            The display, plotted.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ImportError
            If matplotlib is not installed.
        ValueError
            If X is given without y, or the other way round.
        """
        check_is_fitted(estimator, "mse_path_")
        if (X is None) != (y is None):
            raise ValueError("Pass both X and y, or neither of them. Got only one.")
        alphas, errors, alpha = _of_output(estimator, output)
        coefs, names = None, None
        if X is not None:
            y = np.asarray(y) if np.ndim(y) == 1 else np.asarray(y)[:, output]
            _, coefs, _ = estimator.path(
                X, y, l1_ratio=estimator.l1_ratio_, alphas=alphas, sample_weight=sample_weight,
                fit_intercept=estimator.fit_intercept, positive=estimator.positive,
                penalty_factor=estimator.penalty_factor, max_iter=estimator.max_iter,
                tol=estimator.tol, missing_targets=estimator.missing_targets,
            )  # fmt: skip
            names = names_of_features(estimator, len(coefs))
        display = cls(
            alphas=alphas, errors=errors, alpha=alpha, coefs=coefs, feature_names=names
        )
        return display.plot(axes, **kwargs)

    def plot(self, axes=None, **kwargs):
        """Plot the path; with a legend of the features if there are at most ten.

        Parameters
        ----------
        axes : list of matplotlib Axes, default=None
            As in `from_estimator`.
        **kwargs : dict
            Options of `matplotlib.axes.Axes.plot` for the lines of the coefficients.

        Returns
        -------
        display : RegularizationPathDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n_axes = 1 if self.coefs is None else 2
        if axes is None:
            figure = pyplot(type(self).__name__).figure(
                figsize=(6.4, 3.4 * n_axes), layout="constrained"
            )
            axes = figure.subplots(n_axes, 1, sharex=True, squeeze=False)[:, 0]
        self.axes_ = list(np.ravel(axes))
        if len(self.axes_) != n_axes:
            raise ValueError(f"axes must have {n_axes} Axes. Got {len(self.axes_)}.")
        self.lines_ = None
        if n_axes == 2:
            lines = self.alphas, self.coefs.T, self.feature_names, kwargs
            self.lines_ = plot_coefficients(self.axes_[0], *lines)
            self.axes_[0].set(ylabel="Coefficient")
        self._set_axes(self.axes_[-1])
        self._plot_errors()
        for ax in self.axes_:
            label = f"alpha chosen: {self.alpha:.3g}" if ax is self.ax_ else None
            ax.axvline(self.alpha, color="0.3", linestyle="--", linewidth=1.0, label=label)
        self._label("alpha", "Mean squared error")
        self.ax_.legend(frameon=False)
        return self

    def _plot_errors(self):
        mean, self.error_band_ = np.nanmean(self.errors, axis=1), None
        (self.error_line_,) = self.ax_.plot(self.alphas, mean, label="mean over the folds")
        if np.count_nonzero(~np.isnan(self.errors[0])) > 1:
            error = standard_error(self.errors, 1)
            self.error_band_ = self.ax_.fill_between(
                self.alphas, mean - error, mean + error, alpha=0.2, label="one standard error"
            )
        if (self.alphas > 0).all():
            self.ax_.set_xscale("log")


def _of_output(estimator, output):
    """Return alphas, (A,), errors, (A, F), and the alpha chosen, for the chosen l1_ratio."""
    l1_ratios = np.atleast_1d(np.asarray(estimator.l1_ratio, dtype=np.float64))
    alphas, errors, alpha = estimator.alphas_, estimator.mse_path_, estimator.alpha_
    worked_out = isinstance(estimator.alphas, Integral)
    row = np.flatnonzero(l1_ratios == estimator.l1_ratio_)
    if not len(row):
        raise ValueError(
            f"l1_ratio={estimator.l1_ratio!r} was set after the fit, which chose "
            f"{estimator.l1_ratio_:g}. Fit the estimator again."
        )
    if len(l1_ratios) > 1:
        row = int(row[0])
        errors, alphas = errors[row], alphas[row] if worked_out else alphas
    if np.ndim(alpha) == 1:
        alpha, errors = alpha[output], errors[..., output]
        alphas = alphas[:, output] if worked_out else alphas
    return alphas, errors.reshape(len(alphas), -1), float(alpha)
