"""Full-batch descent with exact steps and exact momentum.

Conventions: V is (M, D); G is the half gradient, -1/2 dL/dV; one entry an output, (D,), in
losses, steps and curvatures. A supplier is Moments or Passes of `_quadratic`.
"""

from dataclasses import dataclass

import numpy as np

from ._quadratic import EPS, Passes

# A gradient cannot be told from its own rounding error below this; such a tol asks for
# every digit there is.
ROUNDING = 64 * EPS
# Work, in multiply-adds, below which an iteration costs no more than its bookkeeping.
FREE_WORK = 2**17
# The earlier moves that are kept may take this many float64 values: 16 MB.
KEPT_ITEMS = 2**21


def optimality(G, losses, coordinates):
    """Return the scale-free gradient of each output, (D,): 0 at the optimum.

    It is ||X'r|| / (||x_j|| ||r||), the norm of the vector of correlations between the
    residual and the standardised features, penalty included: LSQR's rule (Paige &
    Saunders, 1982) or a stricter one, as no column is longer than X. An exact fit, whose
    residual is rounding error, is optimal.
    """
    norms = np.sqrt((G * G).sum(axis=0))
    exact = losses <= coordinates.y_noise
    return np.where(exact, 0.0, norms / np.sqrt(np.where(exact, 1.0, losses)))


@dataclass
class _Point:
    """Where a descent is: V and G (M, D), losses and the last exact step (D,)."""

    V: np.ndarray
    G: np.ndarray
    losses: np.ndarray
    step: np.ndarray


class _Moves:
    """The earlier moves, to which a new one is made conjugate.

    In exact arithmetic the last move is enough: that is conjugate gradient. Rounding makes
    it forget the others, and the descent repeats them. Kept moves end it in at most as many
    iterations as the data have dimensions; where they do not fit, only the last is kept.
    """

    def __init__(self, n_features, n_outputs, n_steps):
        room = min(KEPT_ITEMS // (2 * n_features * n_outputs), n_features, n_steps)
        self.room = max(room, 1)
        self.n_kept = 0
        self._moves = np.empty((n_outputs, self.room, n_features))
        self._images = np.empty_like(self._moves)

    def direction(self, G):
        """Return G less its components along the kept moves, (M, D)."""
        if self.n_kept == 0:
            return G.copy()
        moves, images = self._moves[:, : self.n_kept], self._images[:, : self.n_kept]
        along = images @ G.T[:, :, None]
        return G - (moves.transpose(0, 2, 1) @ along)[:, :, 0].T

    def keep(self, P, HP, inverse_curvature):
        """Keep the move P, whose image is HP."""
        if self.n_kept == self.room:
            self.n_kept = 0
        self._moves[:, self.n_kept] = P.T
        self._images[:, self.n_kept] = (HP * inverse_curvature).T
        self.n_kept += 1


def _cycle(supplier, V, G, losses, target, coordinates, history):
    """Descend from V, whose half gradient is G, until the target or a dead end.

    Each step is exact, for each output, along the gradient made conjugate to the moves
    before it. The gradient is carried along, not asked for again.
    """
    M, D = V.shape
    moves = _Moves(M, D, history.n_left)
    loss_unit = coordinates.loss_unit
    small_loss = target**2 * coordinates.null_loss + coordinates.y_noise
    small_square = (EPS * EPS) * (G * G).sum(axis=0)
    step = np.zeros(D)
    # Features that are kept conjugate run out; then rounding is all that is left.
    n_steps = min(history.n_left, M) if moves.room == M else history.n_left
    live = (losses > small_loss) & ((G * G).sum(axis=0) > target**2 * losses)
    for _ in range(n_steps):
        if not live.any():
            break
        P = moves.direction(G) * live
        HP, curvature = supplier.curvature(P)
        ahead = (P * G).sum(axis=0)
        live &= (curvature > 0) & (ahead > 0)
        inverse = np.divide(1.0, curvature, out=np.zeros(D), where=live)
        step = ahead * inverse
        V = V + step * P
        G = G - step * HP
        losses = np.maximum(losses - step * ahead, 0.0)
        moves.keep(P, HP, inverse)
        square = (G * G).sum(axis=0)
        live &= (
            (losses > small_loss) & (square > target**2 * losses) & (square > small_square)
        )
        history.record(losses @ loss_unit, optimality(G, losses, coordinates).max())
    return V, step


def exact_steps(V, coordinates, moments, passes, history):
    """Descend with exact steps and exact momentum; certify on the data themselves.

    Moments, where there are any, are descended first. The true gradient is then asked of
    the data, and the correction it calls for is descended in turn, as iterative refinement
    does. When corrections stop shrinking, moments have lost the digits that are missing and
    the descent goes on by passes; when those stop too, rounding is the limit.

    Returns
    -------
    V : ndarray of shape (M, D)
    step : ndarray of shape (D,), the last step of each output, along -dL/dV
    engine : str, the suppliers that ran
    """
    every_digit = history.tol < ROUNDING
    truth = Passes(passes.rows, coordinates, precise=True) if every_digit else passes
    suppliers = [passes] if moments is None else [moments, passes]
    point = _Point(V, *suppliers[0].gradient(V), step=np.zeros(V.shape[1]))
    ran = []
    for supplier in suppliers:
        ran.append(supplier.name)
        point = _refine(supplier, truth, point, every_digit, coordinates, history)
        if history.stop_reason == "tol" or history.n_left == 0:
            break
    else:
        history.stop_reason = "tol" if every_digit else "precision"
    return point.V, point.step / 2.0, "+".join(ran)


def _refine(supplier, truth, point, every_digit, coordinates, history):
    """Repeat: descend the correction, look at the true gradient; until it stands still."""
    tol, last_change = history.tol, np.inf
    target = 0.0 if every_digit else tol
    if supplier.work <= FREE_WORK:
        # Iterations that cost nothing go further than asked: nobody waits for them.
        target = target**2
    while True:
        V = point.V
        point = _cycle(supplier, point, target, coordinates, history)
        change = np.linalg.norm(point.V - V)
        point.G, point.losses = truth.gradient(point.V)
        optimal = optimality(point.G, point.losses, coordinates)
        history.optimality = float(optimal.max())
        fits = point.losses <= tol**2 * coordinates.null_loss
        if not every_digit and (fits | (optimal <= tol)).all():
            history.stop_reason = "tol"
            return point
        if history.n_left == 0 or not change < 0.5 * last_change:
            return point
        last_change = change


def _cycle(supplier, point, target, coordinates, history):
    """Descend from a point of known gradient until the target or a dead end.

    Each step is exact, for each output, along the gradient made conjugate to the moves
    before it. The gradient is carried along, not asked for again.
    """
    V, G, losses, step = point.V, point.G, point.losses, point.step
    M, D = V.shape
    moves = _Moves(M, D, history.n_left)
    exact_fit = target**2 * coordinates.null_loss
    negligible = EPS * EPS * (G * G).sum(axis=0)
    live = (losses > exact_fit) & (optimality(G, losses, coordinates) > target)
    # Where all moves are kept, they span everything after M steps.
    for _ in range(min(history.n_left, M) if moves.room == M else history.n_left):
        P = moves.direction(G) * live
        HP, curvature = supplier.curvature(P)
        ahead = (P * G).sum(axis=0)
        live &= (curvature > 0) & (ahead > 0)
        if not live.any():
            break
        inverse = np.divide(1.0, curvature, out=np.zeros(D), where=live)
        advance = ahead * inverse
        step = np.where(live, advance, step)
        V = V + advance * P
        G = G - advance * HP
        losses = np.maximum(losses - advance * ahead, 0.0)
        moves.keep(P, HP, inverse)
        optimal = optimality(G, losses, coordinates)
        history.record(losses @ coordinates.loss_unit, optimal.max())
        live &= (losses > exact_fit) & (optimal > target) & ((G * G).sum(axis=0) > negligible)
    return _Point(V, G, losses, step)
