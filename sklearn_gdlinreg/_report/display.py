"""What all displays share, with the Display API of scikit-learn; matplotlib is optional."""

X_LABELS = {"mini-batch": "Epoch", "stream": "Call of partial_fit"}
# A legend of more features than these would be larger than the axes.
MOST_IN_LEGEND = 10


def pyplot(display):
    """Return matplotlib.pyplot; raise if it is not installed."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{display}.plot requires matplotlib. You can install matplotlib with "
            "`pip install matplotlib`."
        ) from error
    return plt


class Display:
    """Base class of the displays, with helpers for axes."""

    def _set_axes(self, ax):
        if ax is None:
            _, ax = pyplot(type(self).__name__).subplots(layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure

    def _label(self, x_label, y_label):
        self.ax_.set(xlabel=x_label, ylabel=y_label)
        if self.ax_.get_xscale() == "linear":
            self.ax_.xaxis.get_major_locator().set_params(integer=True)


def names_of_features(model, n_features):
    """Return the names of the features that a model was fitted with, or their numbers."""
    return list(map(str, getattr(model, "feature_names_in_", range(n_features))))


def plot_coefficients(ax, x, coefs, names, options):
    """Plot the line of each feature, with a legend beside if there are at most ten.

    Parameters
    ----------
    ax : matplotlib Axes
    x, coefs : array of shape (n,) and (n, M)
    names : list of M str, or None
    options : dict, those of the lines

    Returns
    -------
    lines : list of matplotlib Line2D
    """
    lines = ax.plot(x, coefs, **options)
    ax.axhline(0.0, color="0.7", linewidth=0.8, zorder=0)
    if names is not None:
        for line, name in zip(lines, names, strict=True):
            line.set_label(name)
    shown = lines if names is not None and len(lines) <= MOST_IN_LEGEND else []
    ax.legend(handles=shown, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return lines
