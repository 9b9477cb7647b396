"""The record of a fit: its iterations, why it stopped, and the warnings."""

import functools
import math
import warnings

from sklearn.exceptions import ConvergenceWarning

from .._solvers.iterates import LEAST_TOL, Limits

# With tol=0, rounding gives no warning if the certificate is at most this.
GOOD = 1e-4
# The advice of a ConvergenceWarning for each kind of descent that reached `max_iter`.
ADVICE = {
    "exact": "Increase max_iter or tol, or set alpha > 0 if features are collinear.",
    "textbook": 'Increase max_iter, or use learning_rate="auto".',
    "epochs": "Increase max_iter or tol.",
}
ADVICE["stream"] = ADVICE["exact"]


class Validation:
    """The loss on the validation rows, and the model with the least loss.

    Parameters
    ----------
    loss : callable
        Given W and b, the loss on these rows.
    patience : Patience

    Attributes
    ----------
    losses : list of float, after each iteration
    model : the W and b with the least of them
    """

    def __init__(self, loss, patience):
        self.loss, self.patience = loss, patience
        self.losses, self.model = [], None

    def see(self, W, b):
        """Record a model; return whether patience has run out."""
        loss = float(self.loss(W, b))
        if self.model is None or loss < self.patience.best:
            self.model = W, b
        self.losses.append(loss)
        return self.patience.see(loss)


class History:
    """The record of one descent.

    Parameters
    ----------
    max_iter, tol, n_iter_no_change, verbose : as in GDLinearRegression
    kind : {"exact", "stream", "textbook", "epochs"}, the kind of descent
    validation : Validation or None
    callback : callable or None
        Called after each iteration with a function that computes W and b; returns whether to
        stop.

    Attributes
    ----------
    limits : Limits
        The limits of the solver, which ends when no iteration is left.
    losses : list of float, the loss after each iteration, or of each epoch
    optimality : float, the certificate of the model that is returned
    stop_reason : str, why the descent ended
    faults : list of str, other problems of that model
    advice : callable
        Returns what to change if the iterations run out.
    """

    def __init__(
        self, *, max_iter, tol, n_iter_no_change=1, verbose=0, kind="exact",
        validation=None, callback=None,
    ):  # fmt: skip
        self.max_iter, self.tol, self.n_iter_no_change = max_iter, tol, n_iter_no_change
        self.verbose, self.kind = verbose, kind
        self.validation, self.callback = validation, callback
        self.limits = Limits(
            max_iter, tol, n_iter_no_change=n_iter_no_change,
            watched=validation is not None, shown=callback is not None,
        )  # fmt: skip
        self.losses, self.optimality, self.faults = [], math.inf, []
        self.stop_reason, self._n_shown = "max_iter", 0
        self._rounded, self._least = False, LEAST_TOL
        self.advice = lambda: ADVICE[self.kind]

    def follow(self, run):
        """Let a solver run to its end, and record what it yields; return its Solution."""
        while True:
            try:
                iterate = next(run)
            except StopIteration as end:
                self.stop(end.value.reason)
                return end.value
            if iterate.measured:
                self._correct(iterate.loss)
            else:
                self.record(iterate.loss, iterate.model)

    def _correct(self, measured):
        """Put a loss that the data say in place of the last one, which was carried along.

        Descent only lowers the loss. What was carried along just before and is lower still had
        lost its digits.
        """
        self.losses[-1:] = [measured] * bool(self.losses)
        for i in range(len(self.losses) - 2, -1, -1):
            if self.losses[i] >= measured:
                break
            self.losses[i] = measured

    def stop(self, reason):
        """Allow no more iterations; the first reason counts."""
        if not self.limits.stopped:
            self.stop_reason, self.limits.stopped = reason, True

    def certified(self, objective, optimality, roundoff):
        """Record the certificate of the returned model, and make the reason agree with it.

        The roundoff is that of the dtype of the model.
        """
        self._least = 128.0 * roundoff
        self.losses[-1:] = [float(objective)] * bool(self.losses)
        self.optimality = float(optimality)
        converged = self.optimality <= max(self.tol, LEAST_TOL)
        if self.stop_reason == "tol" and not converged:
            # An earlier model is returned, or this one was, before it was rounded to float32.
            earlier = self.validation is not None
            self.stop_reason = "early_stopping" if earlier else "precision"
            self._rounded = True
        if self.stop_reason in ("no_change", "max_iter") and converged and self.tol > 0:
            self.stop_reason = "tol"

    def record(self, loss, model):
        """Record the loss after an iteration; ``model()`` computes its W and b."""
        self.losses.append(float(loss))
        self.limits.n_done += 1
        if self.validation is not None or self.callback is not None:
            model = functools.cache(model)
            if self.validation is not None and self.validation.see(*model()):
                self.stop("early_stopping")
            if self.callback is not None and self.callback(model):
                self.stop("callback")
        if self.verbose:
            self._show_some()

    def _show_some(self):
        """Print a line for each of the first 20 iterations, then for one in 10, in 100..."""
        n = len(self.losses)
        every = 1 if self.verbose > 1 else 10 ** max(int(math.log10(n / 2)), 0)
        if n % every == 0:
            self._show()

    def _show(self):
        self._n_shown = n = len(self.losses)
        unit = "Epoch" if self.kind == "epochs" else "Iteration"
        line = f"{unit} {n:>7}  loss {self.losses[-1]:.9e}"
        if self.validation is not None:
            line += f"  validation loss {self.validation.losses[-1]:.9e}"
        print(line)

    def end(self):
        """Print the last iteration, and warn if the fit has not converged.

        Call it from the method that the user calls, so that the warning points to that line.
        """
        if self.verbose and self._n_shown < len(self.losses):
            self._show()
        shortfall = self._shortfall()
        messages = self.faults if shortfall is None else [shortfall, *self.faults]
        if messages:
            warnings.warn(" ".join(messages), ConvergenceWarning, stacklevel=3)

    def _shortfall(self):
        """Return why the descent has not converged, and what to change, or None."""
        exact, epochs = self.kind in ("exact", "stream"), self.kind == "epochs"
        if self.stop_reason == "tol" or (self.tol == 0 and not exact):
            return None
        reached = f"optimality {self.optimality:.2e} is above tol={self.tol:g}"
        if epochs:
            reached += (
                ", and the loss was still improving over "
                f"n_iter_no_change={self.n_iter_no_change} epochs"
            )
        if self.stop_reason == "max_iter":
            return f"Stopped at max_iter={self.max_iter}: {reached}. {self.advice()}"
        # A stream has a model after each call, however few its rows.
        asked = self.tol >= LEAST_TOL and self.kind != "stream"
        enough = self._least if asked else GOOD
        if self.stop_reason == "precision" and self.optimality > enough and not self._rounded:
            return (
                f"Rounding errors stopped the descent: {reached}. The features are "
                "too collinear for it; set a larger tol, or alpha > 0."
            )
        if self.stop_reason == "learning_rate" and not epochs:
            return (
                f"The adaptive learning rate became too small: {reached}. Start from a larger "
                'one, or use learning_rate="auto".'
            )
        return None
