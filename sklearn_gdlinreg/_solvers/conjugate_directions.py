"""The moves of a descent, to which a new one is made conjugate.

Conventions: M features, D outputs; a move and its image under H are (M, D), each column that of
an output.
"""

from .._base.arrays import dot, namespace, zeros

# The earlier moves that are kept may take this many float64 values: 16 MB.
KEPT_ITEMS = 2**21
# Fewer moves than this, short of all, are not worth their time.
WORTH_KEEPING = 32


class LastDirection:
    """The last move, to which a new one is made conjugate: conjugate gradient.

    For data so wide that no more moves fit; nothing of their size is made twice.
    """

    room = 1

    def __init__(self, like):
        self._P, self._HP, self._inverse = zeros(like.shape, like), None, None

    def direction(self, G, *, twice):
        """Return G less its component along the last move, (M, D), in place of that."""
        if self._HP is not None:
            self._P *= -dot(self._HP, G) * self._inverse
        self._P += G
        return self._P

    def keep(self, P, HP, inverse_curvature):
        """Keep the image HP of the last direction; it must outlive the next call."""
        self._HP, self._inverse = HP, inverse_curvature

    def forget(self, outputs):
        """Begin anew for these outputs, (D,), bool."""
        self._inverse = namespace(outputs).where(outputs, 0.0, self._inverse)


class ConjugateDirections:
    """All earlier moves, to which a new one is made conjugate.

    In exact arithmetic the last move is enough. Rounding makes it forget the others, and
    the descent repeats them. Kept moves end it in at most as many iterations as the data
    have dimensions.
    """

    def __init__(self, like, room):
        self.room, self.n_kept, self._xp = room, 0, namespace(like)
        n_features, n_outputs = like.shape
        self._moves = zeros((n_outputs, room, n_features), like)
        self._images = zeros((n_outputs, room, n_features), like)
        self._direction = zeros((n_outputs, 1, n_features), like)

    def direction(self, G, *, twice):
        """Return G less its components along the kept moves, (M, D).

        Where moves are nearly flat, one sweep leaves too much; twice is enough (Giraud,
        Langou & Rozloznik, 2005). The next call overwrites what this one returns.
        """
        P, transpose = self._direction, self._xp.matrix_transpose
        P[:, 0, :] = G.T
        if self.n_kept:
            moves = self._moves[:, : self.n_kept, :]
            images = self._images[:, : self.n_kept, :]
            for _ in range(1 + twice):
                along = images @ transpose(P)
                P -= transpose(along) @ moves
        return P[:, 0, :].T

    def keep(self, P, HP, inverse_curvature):
        """Keep the move P, whose image is HP."""
        if self.n_kept == self.room:
            self.n_kept = 0
        self._moves[:, self.n_kept, :] = P.T
        self._images[:, self.n_kept, :] = HP.T * inverse_curvature[:, None]
        self.n_kept += 1

    def forget(self, outputs):
        """Begin anew for these outputs, (D,), bool."""
        xp = self._xp
        if xp.any(outputs):
            kept = xp.where(outputs[:, None, None], 0.0, self._images[:, : self.n_kept, :])
            self._images[:, : self.n_kept, :] = kept


def directions_for(like, *, curved=False):
    """Return ConjugateDirections for an array (M, D) where enough fit, or LastDirection.

    Where all moves are kept, they span everything after M steps. Where all directions are
    ``curved`` the descent is short, and rounding does not repeat enough of it to be worth them.
    """
    n_features, n_outputs = like.shape
    # A move and its image each, and the new one.
    room = min((KEPT_ITEMS // (n_features * n_outputs) - 1) // 2, n_features)
    if room >= min(n_features, WORTH_KEEPING) and not curved:
        return ConjugateDirections(like, room)
    return LastDirection(like)
