"""Full-batch descent with exact steps and exact momentum.

Conventions: V is (M, D); G is the half gradient, -1/2 dL/dV; one entry an output, (D,), in
losses, steps and curvatures. A supplier is Moments or Passes of `_quadratic`.
"""

from dataclasses import dataclass

import numpy as np

from ._quadratic import START_OVERFLOWS, Passes
from ._rows import EPS

# A gradient cannot be told from its own rounding error below this; such a tol asks for
# every digit there is.
ROUNDING = 64 * EPS
# Work, in multiply-adds, below which an iteration costs no more than its bookkeeping.
FREE_WORK = 2**17
# A correction this small against the solution: the one before it was right to three digits.
SMALL = 1e-3
# Steps longer than this come from curvatures so flat that conjugacy needs care, and that a
# small gradient may leave a loss that is not.
FLAT_STEP = 1e2
# The earlier moves that are kept may take this many float64 values: 16 MB.
KEPT_ITEMS = 2**21
# Fewer moves than this, short of all, are not worth their time.
WORTH_KEEPING = 32


def _dot(A, B):
    """Return the inner products of the columns of A and B, (D,)."""
    return np.einsum("md,md->d", A, B)


def optimality(V, G, losses, coordinates):
    """Return how far each output is from its optimum, scale-free, (D,); 0 there.

    It is the smaller of LSQR's two measures (Paige & Saunders, 1982). One is the scale-free
    gradient ||X'r|| / (||x_j|| ||r||): the norm of the vector of correlations between the
    residual and the standardised features, penalty included. LSQR divides by the norm of X
    and not by that of a column, so this is as strict or stricter. The other is ||r|| / ||y||
    about the mean, which is what vanishes where the fit is exact; what rounding leaves of
    it counts as nothing.
    """
    exact = losses <= coordinates.noise(V)
    some_loss = np.where(exact, 1.0, losses)
    fits = some_loss / np.maximum(coordinates.null_loss, some_loss)
    return np.sqrt(np.where(exact, 0.0, np.minimum(_dot(G, G) / some_loss, fits)))


@dataclass
class _Point:
    """Where a descent is.

    Attributes
    ----------
    V, G : ndarray of shape (M, D), the half gradient at V
    losses, step : ndarray of shape (D,), the losses at V and the last exact steps
    longest : float, the longest step on the way here; its inverse is the least curvature
    """

    V: np.ndarray
    G: np.ndarray
    losses: np.ndarray
    step: np.ndarray
    longest: float = 0.0


class _LastMove:
    """The last move, to which a new one is made conjugate: conjugate gradient.

    For data so wide that no more moves fit; nothing of their size is made twice.
    """

    def __init__(self, shape):
        self._P, self._HP, self._inverse = np.zeros(shape), None, None

    def direction(self, G, *, twice):
        """Return G less its component along the last move, (M, D), in place of that."""
        if self._HP is not None:
            self._P *= -_dot(self._HP, G) * self._inverse
        self._P += G
        return self._P

    def keep(self, P, HP, inverse_curvature):
        """Keep the image HP of the last direction; it must outlive the next call."""
        self._HP, self._inverse = HP, inverse_curvature


class _Moves:
    """All earlier moves, to which a new one is made conjugate.

    In exact arithmetic the last move is enough. Rounding makes it forget the others, and
    the descent repeats them. Kept moves end it in at most as many iterations as the data
    have dimensions.
    """

    def __init__(self, n_features, n_outputs, room):
        self.room, self.n_kept = room, 0
        self._moves = np.empty((n_outputs, room, n_features))
        self._images = np.empty_like(self._moves)
        self._direction = np.empty((n_outputs, 1, n_features))
        self._part = np.empty_like(self._direction)

    def direction(self, G, *, twice):
        """Return G less its components along the kept moves, (M, D).

        Where moves are nearly flat, one sweep leaves too much; twice is enough (Giraud,
        Langou & Rozloznik, 2005). The next call overwrites what this one returns.
        """
        P = self._direction
        P[:, 0] = G.T
        if self.n_kept:
            moves, images = self._moves[:, : self.n_kept], self._images[:, : self.n_kept]
            for _ in range(1 + twice):
                along = images @ P.transpose(0, 2, 1)
                P -= np.matmul(along.transpose(0, 2, 1), moves, out=self._part)
        return P[:, 0].T

    def keep(self, P, HP, inverse_curvature):
        """Keep the move P, whose image is HP."""
        if self.n_kept == self.room:
            self.n_kept = 0
        self._moves[:, self.n_kept] = P.T
        np.multiply(HP.T, inverse_curvature[:, None], out=self._images[:, self.n_kept])
        self.n_kept += 1


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
    with np.errstate(over="ignore", invalid="ignore"):
        point = _Point(V, *suppliers[0].gradient(V), step=np.zeros(V.shape[1]))
    if not np.isfinite(point.losses).all():
        raise ValueError(START_OVERFLOWS)
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
        history.correct(point.losses @ coordinates.loss_unit)
        history.optimality = float(optimality(point.V, point.G, point.losses, coordinates).max())
        # Along a direction too flat for the supplier a small gradient proves nothing: moments
        # cannot tell, and passes must find the next correction small.
        sure = point.longest < 1.0 / supplier.flat
        if not sure and supplier.name == "passes":
            sure = change <= SMALL * np.linalg.norm(point.V)
        if history.optimality <= tol and sure and not every_digit:
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
    V, G, losses, step = point.V.copy(), point.G.copy(), point.losses, point.step
    longest, loss_unit = point.longest, coordinates.loss_unit
    M, D = V.shape
    scratch = np.empty_like(V)
    # Where all moves are kept, they span everything after M steps.
    room = min(KEPT_ITEMS // (2 * M * D), M)
    moves = _Moves(M, D, room) if room >= min(M, WORTH_KEEPING) else _LastMove(V.shape)
    n_steps = min(history.n_left, M) if room == M else history.n_left
    exact_fit = target**2 * coordinates.null_loss + coordinates.noise(V)
    square = _dot(G, G)
    negligible = (4 * EPS) ** 2 * M * square

    def unfinished():
        # The loss exceeds its optimum by about the squared gradient times the longest step.
        enough = target**2 * min(1.0, FLAT_STEP / max(longest, 1.0)) * losses
        return (losses > exact_fit) & (square > np.maximum(enough, negligible))

    live = unfinished()
    for _ in range(n_steps):
        P = moves.direction(G, twice=longest > FLAT_STEP)
        if not live.all():
            P *= live
        HP, curvature = supplier.curvature(P)
        ahead = _dot(P, G)
        # What is not told from rounding is no curvature: a step along it would lead astray.
        live &= (ahead > 0) & (curvature > supplier.noise * _dot(P, P))
        if not live.any():
            break
        inverse = np.divide(1.0, curvature, out=np.zeros(D), where=live)
        advance = ahead * inverse
        step = np.where(live, advance, step)
        longest = max(longest, float(advance.max()))
        V += np.multiply(advance, P, out=scratch)
        G -= np.multiply(advance, HP, out=scratch)
        losses = np.maximum(losses - advance * ahead, 0.0)
        moves.keep(P, HP, inverse)
        history.record(losses @ loss_unit)
        square = _dot(G, G)
        live &= unfinished()
    return _Point(V, G, losses, step, longest)
