"""Plots of a descent, with the Display API of scikit-learn; matplotlib is optional."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .display import X_LABELS, Display, pyplot

REASONS = {
    "tol": "converged",
    "no_change": "the loss no longer improves",
    "max_iter": "out of iterations",
    "precision": "as far as rounding allows",
    "learning_rate": "the learning rate became too small",
    "early_stopping": "early stopping",
    "callback": "a callback asked for it",
}


class LossCurveDisplay(Display):
    """Training and validation loss against iterations, with the stop and its reason.

    Create it by `from_estimator` or `from_estimators`. See `plot` for what is drawn.

    Parameters
    ----------
    names : list of str or None
        The name of each curve.
    losses : list of array-like of shape (n_iter,)
        Training losses, in squared units of y.
    validation_losses : list of array-like of shape (n_iter,) or None
        Losses on validation rows; None if there are none.
    stop_reasons : list of str or None
        As `stop_reason_` of `GDLinearRegression`.
    x_label : str, default="Iteration"
        The label of the x axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure containing the curves.
    lines_ : list of matplotlib Line2D
        The training losses.
    validation_lines_ : list of matplotlib Line2D or None
        The validation losses.
    stop_markers_ : list of matplotlib Line2D or None
        Where each descent stopped.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_gdlinreg import GDLinearRegression, LossCurveDisplay
    >>> model = GDLinearRegression().fit(*load_diabetes(return_X_y=True))
    >>> display = LossCurveDisplay.from_estimator(model)
    """

    def __init__(self, *, names, losses, validation_losses, stop_reasons, x_label="Iteration"):
        self.names, self.losses, self.validation_losses = names, losses, validation_losses
        self.stop_reasons, self.x_label = stop_reasons, x_label

    @classmethod
    def from_estimator(cls, estimator, ax=None, *, name=None, log_scale=True, **kwargs):
        """Plot the loss curve of a fitted estimator.

        Parameters
        ----------
        estimator : estimator or Pipeline that ends with one
            An estimator with `loss_curve_`. `validation_loss_curve_` and `stop_reason_` are
            drawn if it has them, and `engine_` decides between iterations and epochs.
        ax : matplotlib Axes, default=None
            Axes to plot on. None makes a new figure.
        name : str, default=None
            Name of the curve in the legend.
        log_scale : bool, default=True
            Whether the loss axis is logarithmic.
        **kwargs : dict
            Options of `matplotlib.axes.Axes.plot` for the lines.

        Returns
        -------
        display : LossCurveDisplay
            The display, plotted.

        Raises
        ------
        NotFittedError
            If the estimator has no `loss_curve_`.
        """
        display = cls._of({name: estimator})
        return display.plot(ax, log_scale=log_scale, **kwargs)

    @classmethod
    def from_estimators(cls, estimators, ax=None, *, log_scale=True, **kwargs):
        """Plot the loss curves of several fitted estimators, to compare them.

        Parameters
        ----------
        estimators : dict of str to estimator
            The estimators by the names for the legend; as in `from_estimator`.
        ax : matplotlib Axes, default=None
            Axes to plot on. None makes a new figure.
        log_scale : bool, default=True
            Whether the loss axis is logarithmic.
        **kwargs : dict
            Options of `matplotlib.axes.Axes.plot` for all the lines.

        Returns
        -------
        display : LossCurveDisplay
            The display, plotted.

        Raises
        ------
        NotFittedError
            If an estimator has no `loss_curve_`.
        """
        return cls._of(dict(estimators)).plot(ax, log_scale=log_scale, **kwargs)

    @classmethod
    def _of(cls, estimators):
        models = [e.steps[-1][1] if hasattr(e, "steps") else e for e in estimators.values()]
        for model in models:
            check_is_fitted(model, "loss_curve_")
        labels = {_x_label(m) for m in models}
        return cls(
            names=list(estimators),
            losses=[model.loss_curve_ for model in models],
            validation_losses=[getattr(m, "validation_loss_curve_", None) for m in models],
            stop_reasons=[getattr(model, "stop_reason_", None) for model in models],
            x_label=" or ".join(sorted(labels)).capitalize(),
        )

    def plot(self, ax=None, *, log_scale=True, **kwargs):
        """Plot the curves.

        Training losses are solid, validation losses dashed and of the same colour. A dot
        marks where the descent stopped, a ring the least validation loss: the model kept.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. None makes a new figure.
        log_scale : bool, default=True
            Whether the loss axis is logarithmic.
        **kwargs : dict
            Options of `matplotlib.axes.Axes.plot` for the lines.

        Returns
        -------
        display : LossCurveDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self._set_axes(ax)
        self.lines_, self.validation_lines_, self.stop_markers_ = [], [], []
        curves = zip(
            self.names, self.losses, self.validation_losses, self.stop_reasons, strict=True
        )
        for curve in curves:
            self._plot_curve(*curve, kwargs)
        if log_scale:
            self.ax_.set_yscale("log")
            _label_less_than_a_decade(self.ax_)
        self._label(self.x_label, "Loss (squared units of y)")
        self.ax_.legend(frameon=False)
        return self

    def _plot_curve(self, name, losses, validation_losses, reason, kwargs):
        """Plot one descent, labelled with the reason why it stopped."""
        n = len(losses)
        title = name or "training"
        stopped = f"; {n} {'step' if n == 1 else 'steps'}" if reason is None else ""
        if reason is not None:
            stopped = f"; stopped at {n}: {REASONS.get(reason, reason)}"
        steps = np.arange(1, n + 1)
        (line,) = self.ax_.plot(steps, losses, **{"label": title + stopped, **kwargs})
        self.lines_.append(line)
        look = {"color": line.get_color(), "linestyle": "none", "marker": "o"}
        marker = self.ax_.plot(steps[-1:], losses[-1:], **look)[0] if n else None
        self.stop_markers_.append(marker)
        validation_line = None
        if validation_losses is not None and len(validation_losses):
            best = int(np.argmin(validation_losses))
            label = f"{name + ', ' if name else ''}validation; best at {best + 1}"
            dashed = {"linestyle": "--", **kwargs, "label": label, "color": line.get_color()}
            (validation_line,) = self.ax_.plot(steps, validation_losses, **dashed)
            ring = {**look, "markerfacecolor": "none", "markersize": 9}
            self.ax_.plot(steps[best], validation_losses[best], **ring)
        self.validation_lines_.append(validation_line)


def _label_less_than_a_decade(ax):
    """Label a logarithmic axis by a few plain numbers if it has less than a decade.

    Otherwise, matplotlib writes 2, 3, ..., 9 times a power of ten, and the labels overlap.
    """
    low, high = ax.get_ylim()
    if high < 10.0 * low:
        ax.yaxis.set_major_locator(pyplot("LossCurveDisplay").MaxNLocator(5))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.minorticks_off()


def _x_label(model):
    """Return the label of the x axis for a model."""
    if vars(model).get("moments_", {}).get("n_calls"):
        return X_LABELS["stream"]
    return X_LABELS.get(getattr(model, "engine_", None), "Iteration")
