"""Mini-batch descent that ends at the optimum: stochastic variance-reduced gradients (SVRG).

The noise of a batch keeps iterates of a constant step off the optimum. Where the gradient of
the whole objective is known at an anchor A, a batch need only say how its own gradient changes
on the way from there, and its noise vanishes with that way (Johnson and Zhang 2013). For least
squares the change is the curvature of the batch times W - A, so that targets are not read::

    g = z' (w * z (W - A)) / B + dL/dW(A) / 2

The first epoch is a plain one. An iteration after it is an epoch of such steps from the anchor,
and the pass over the rows that works out objective and gradient at the mean of its second half.
That is the next anchor if its objective is lower. If it is not, the anchor stays, and steps
become half as long: the objective of the anchors never rises, whatever the data.

Conventions: N rows, M features, D outputs, B rows a batch; W (M, D), b (D,).
"""

import numpy as np

from .._base.arrays import namespace, to_floats, zeros
from .._base.rounding import EPS
from .._problem.certificate import certificate_at, optimality
from .._solvers.iterates import Iterate, Patience, Solution
from .._solvers.proximal import one_proximal_step
from .coordinates import entries_of_a_row
from .whitening import whitened

# A step moves all features: there may be so many for each entry of a batch.
FEATURES_OF_AN_ENTRY = 4
# The optimality of an anchor is better if it is less than this share of the best one's.
BETTER_OPTIMALITY = 0.5
# Objectives that differ by less than this share are one and the same but for rounding.
ROUNDING = 16 * EPS


def pays(rows, batch_size):
    """Return whether steps of so many rows gain by moving all features, as the gradient does."""
    entries = batch_size * entries_of_a_row(rows) if batch_size > 1 else 0
    return rows.n_features <= FEATURES_OF_AN_ENTRY * entries


class Anchor:
    """The best model so far of each output, with what a pass over the rows says of it.

    Parameters
    ----------
    group : Group
    W : array of shape (M, D)

    Attributes
    ----------
    V, G, losses : array of shape (M, D), (M, D) and (D,)
        As in `_problem.certificate`.
    objective, optimality : array of shape (D,)
    """

    def __init__(self, group, W):
        self._group, self._c = group, group.coordinates
        self.V = self._c.penalty.proximal_map(self._c.from_model(W), 0.0)
        self.G, self.losses = group.passes.gradient(self.V)
        self.objective = self._c.objective(self.V, self.losses)
        self.optimality = optimality(
            self.V, self.G, self.losses, self._c, objective=self.objective
        )

    def take_better(self, other, open_outputs):
        """Go to another Anchor in those open outputs where it is better; return which, (D,)."""
        xp = namespace(self.V)
        same = self.objective * (1.0 + ROUNDING)
        closer = (other.objective <= same) & (other.optimality < self.optimality)
        better = open_outputs & ((other.objective < self.objective) | closer)
        for name in ("V", "G", "losses", "objective", "optimality"):
            setattr(self, name, xp.where(better, getattr(other, name), getattr(self, name)))
        return better

    def nearly_exact(self, tol):
        """Return which outputs have next to no loss, and yet more than rounding leaves, (D,)."""
        little = self.objective < tol * self._c.null_loss
        return little & (self.objective > self._c.noise)

    def loss(self):
        """Return the objective of all outputs in the units of Y, a float."""
        (loss,) = to_floats(namespace(self.V).sum(self.objective * self._c.loss_unit))
        return loss

    def model(self):
        """Return W and b."""
        return self._c.to_model(self.V)

    def shown_model(self):
        """Return W and b with zeros where the penalty asks for them."""
        return self._c.to_model(self._proximal()[0])

    def _proximal(self):
        passes = self._group.passes
        return one_proximal_step(passes, self.V, self.G, self.losses, self._c)

    def end(self):
        """Return W, b and the Certificate of the model to return."""
        V, G, losses = self._proximal()
        found = certificate_at(V, G, losses, self._c, self._group.passes)
        return *self._c.to_model(V), found

    def data_gradient(self):
        """Return half the gradient by W of the mean squared error, (M, D)."""
        c, xp = self._c, namespace(self.V)
        of_data = self.G + c.penalty.half_gradient(self.V)
        return -of_data * c.from_model(xp.ones_like(self.V)) / c.y_unit**2


class _Progress:
    """Why to end: at the optimum of all outputs, or where nothing improves any more."""

    def __init__(self, limits):
        self._tol, allowed = limits.tol, limits.n_iter_no_change
        self._endless = limits.tol == 0 or limits.watched
        self._loss = Patience(limits.tol, allowed)
        self._optimality = Patience(1.0 - BETTER_OPTIMALITY, allowed)

    def open_outputs(self, anchor):
        """Return which outputs go on, (D,), bool."""
        # A nearly exact fit is soon one but for rounding: it goes on until it stands still.
        return (anchor.optimality > self._tol) | anchor.nearly_exact(self._tol) | self._endless

    def reason(self, anchor):
        """Return why to end at an Anchor, or None."""
        if self._endless:
            return None
        xp = namespace(anchor.V)
        if not xp.any(self.open_outputs(anchor)):
            return "tol"
        ended = self._loss.see(anchor.loss())
        still = self._optimality.see(*to_floats(xp.sum(anchor.optimality)))
        return "no_change" if ended and still else None


def variance_reduced_steps(start, group, limits, epochs, coordinates, step):
    """Descend a group of outputs, after a plain epoch, by variance-reduced steps; a solver.

    Parameters
    ----------
    start : array of shape (M, D)
    group : Group
    limits : Limits
    epochs : Epochs, none of which has been made
    coordinates : StepCoordinates
    step : float, the length of the steps
    """
    losses = epochs.epoch()
    W, _ = epochs.result()
    xp = namespace(W)
    loss = float(xp.sum(losses + group.penalty.value(W)))
    anchor = Anchor(group, W)
    progress = _Progress(limits)
    _or_the_start(anchor, group, start)
    yield Iterate(loss, anchor.shown_model)
    reason = progress.reason(anchor)
    metric, length = None, step
    if reason is None and limits.n_left:
        found = whitened(group.passes.rows, coordinates, epochs.batches, group.penalty, step)
        metric, length = found or (None, step)
    while limits.n_left and reason is None:
        open_outputs = progress.open_outputs(anchor)
        epochs.sgd.correct(*anchor.model(), anchor.data_gradient(), metric)
        other = Anchor(group, epochs.corrected_epoch(length))
        if not xp.any(anchor.take_better(other, open_outputs)):
            # A sample of rows may have misled: without its metric, all steps are safe.
            metric, length = None, step if metric is not None else 0.5 * length
        yield Iterate(anchor.loss(), anchor.shown_model)
        reason = progress.reason(anchor)
    W, b, found = anchor.end()
    step = zeros(b.shape, b) + length
    reason = reason or "max_iter"
    return Solution(W, b, anchor.loss(), step, epochs.t, reason, "mini-batch", found)


def _or_the_start(anchor, group, start):
    """Go back to the start where that is better: there may be nothing to learn but noise."""
    xp, c = namespace(anchor.V), group.coordinates
    # Zeros predict the mean: what they are worth is known.
    if xp.any(start) or xp.any(c.null_loss < anchor.objective):
        anchor.take_better(Anchor(group, start), np.True_)
