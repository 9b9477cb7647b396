"""What is recorded each iteration, and why a descent stopped."""

import warnings

from sklearn.exceptions import ConvergenceWarning


class History:
    """The record of one descent.

    Attributes
    ----------
    losses : list of float, the loss after each iteration, or of each epoch
    validation_losses : list of float, after each epoch
    optimality : float, the certificate at the end
    stop_reason : str, why the descent ended
    """

    def __init__(self, *, max_iter, tol, verbose):
        self.max_iter, self.tol, self.verbose = max_iter, tol, verbose
        self.losses, self.validation_losses = [], []
        self.optimality = float("inf")
        self.stop_reason = "max_iter"

    @property
    def n_left(self):
        """How many iterations are still allowed."""
        return self.max_iter - len(self.losses)

    def record(self, loss):
        """Take down the loss after an iteration."""
        self.losses.append(float(loss))
        if self.verbose:
            print(f"Iteration {len(self.losses):>6}  loss {loss:.15g}")

    def correct(self, loss):
        """Replace the last loss, carried along, by what the data say."""
        self.losses[-1:] = [float(loss)] * bool(self.losses)

    def warn_of_epochs(self, n_iter_no_change):
        """Say that mini-batch descent ended early, and what to change."""
        if self.stop_reason == "max_iter" and self.tol > 0:
            warnings.warn(
                f"Stopped at max_iter={self.max_iter}: the loss had not ceased to improve by "
                f"tol={self.tol:g} in n_iter_no_change={n_iter_no_change} epochs. Increase "
                "max_iter or tol.",
                ConvergenceWarning,
                stacklevel=5,
            )

    def warn(self, *, textbook):
        """Say why the descent ended short of tol, and what to change."""
        if self.stop_reason == "tol" or (self.tol == 0 and textbook):
            return
        reached = f"optimality {self.optimality:.2e} is above tol={self.tol:g}"
        if self.stop_reason == "precision":
            message = (
                f"Rounding errors stopped the descent: {reached}. The features are "
                "too collinear for it; set a larger tol, or alpha > 0."
            )
        elif self.stop_reason == "learning_rate":
            message = (
                f"The adaptive learning rate ran out: {reached}. Start from a longer one, or "
                'use learning_rate="auto".'
            )
        elif textbook:
            message = (
                f"Stopped at max_iter={self.max_iter}: {reached}. Increase max_iter, scale "
                'the features, or use learning_rate="auto".'
            )
        else:
            message = (
                f"Stopped at max_iter={self.max_iter}: {reached}. Increase max_iter or tol, "
                "or set alpha > 0 if features are collinear."
            )
        warnings.warn(message, ConvergenceWarning, stacklevel=5)
