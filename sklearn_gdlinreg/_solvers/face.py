"""The minimum of one output over a working set of features, whose products are at hand.

It minimises ``v'(H + diag(l2))v - 2 b'v + 2 sum_k l1_k |v_k|``, with v >= 0 where that is asked
for. Two kinds of step take turns (as in Moré & Toraldo, 1991). Coordinate descent finds which
coefficients are zero. On the face where these stay zero and no other changes its sign the
objective is quadratic: Newton's steps lead to its minimum, or past the face's end, where the
coefficient that meets it stays zero and the step goes on. No step raises the objective.

Conventions: K features in the set; v and the half gradient ``g = b - Hv - l2 v`` are (K,), and
changed in place.
"""

from dataclasses import dataclass

import numpy as np

from .._problem.penalty import soft_threshold
from .coordinate import bent_step, descend_coordinates, extend_factor, solve_factor

# Epochs of coordinate descent that do where features are little correlated, or as many as take
# so many steps, which is next to no time; and epochs between faces.
FAST_EPOCHS, FAST_STEPS, EPOCHS = 20, 2_000, 5
# Coefficients that may leave zero between two faces: so many, or a share of the face.
ENTERING, SHARE = 32, 0.5
# A factor with a pivot below this (of the diagonal's root) takes a shift (of the diagonal).
LEAST_PIVOT, SHIFTS = 1e-7, (1e-12, 1e-10, 1e-8, 1e-6)
# Rounds without progress before rounding is taken to be the limit.
PATIENCE = 20


@dataclass(frozen=True)
class Subproblem:
    """What is minimised over a working set.

    Attributes
    ----------
    H : ndarray of shape (K, K), symmetric, with contiguous rows
    l1, l2 : ndarray of shape (K,)
    positive : ndarray of shape (K,), bool
    rounding : ndarray of shape (K,)
        The curvature that rounding of the data may give a feature.
    loss : float
        Squares of gradients are not known to within this times the rounding.
    """

    H: np.ndarray
    l1: np.ndarray
    l2: np.ndarray
    positive: np.ndarray
    rounding: np.ndarray
    loss: float

    @property
    def kinked(self):
        """Which coefficients the objective has no gradient at zero for, (K,), bool."""
        return (self.l1 > 0) | self.positive

    def proximal_gradient(self, v, g):
        """Return the move of a proximal step of length 1, (K,); zero at the minimum alone."""
        return self.without_rounding(proximal_gradient(v, g, self.l1, self.positive))

    def without_rounding(self, gradient):
        """Return a gradient without what rounding of the data may make, (K,)."""
        return np.where(gradient**2 > self.rounding * self.loss, gradient, 0.0)

    def minimise(self, v, g, small, *, coarse=0.0, fast=True, face=None):
        """Descend to a squared proximal gradient of ``small``, or until rounding is the limit.

        Parameters
        ----------
        v, g : ndarray of shape (K,), changed in place
        small : float
        coarse : float
            Where it is above ``small``, coordinate descent that changes less than that, or a
            squared proximal gradient of that, is enough.
        fast : bool
            Whether to see first if coordinate descent alone is enough.
        face : Face or None
            One that may go on from a Subproblem that this one begins with.

        Returns
        -------
        fast : bool, whether it was
        square : float, that of the proximal gradient at the end
        longest : float, one over the least curvature of the faces, about; inf if it is unknown
        """
        if fast:
            active = np.flatnonzero((v != 0) | (np.abs(g) > self.l1))
            n_epochs = max(FAST_EPOCHS, FAST_STEPS // max(1, len(v)))
            fast = self._coordinates(active, v, g, n_epochs, max(0.1 * small, coarse))
            if fast:
                p = self.proximal_gradient(v, g)
                square = p @ p
                if coarse > small or square <= small:
                    return True, square, 0.0
        return fast, *self._by_faces(v, g, max(small, coarse), face or Face())

    def _by_faces(self, v, g, small, face):
        """Take turns of Newton's steps and coordinate descent; return as `minimise` does."""
        face, least, n_worse = face.on(self), np.inf, 0
        while True:
            face.descend(v, g, 0.01 * small)
            p = np.abs(self.proximal_gradient(v, g))
            square = p @ p
            n_worse = 0 if square < 0.5 * least else n_worse + 1
            least = min(least, square)
            if not square > small or n_worse == PATIENCE:
                return square, face.longest
            on_face = np.flatnonzero(v)
            p[on_face] = 0.0
            n_entering = max(ENTERING, int(SHARE * len(on_face)))
            entering = largest(p, np.flatnonzero(p), n_entering)
            active = np.sort(np.concatenate([on_face, entering]))
            self._coordinates(active, v, g, EPOCHS, small)

    def _coordinates(self, active, v, g, n_epochs, small):
        flags = self.positive.view(np.uint8)
        return descend_coordinates(
            self.H, self.l1, self.l2, flags, active, v, g, n_epochs, small
        )


def proximal_gradient(v, g, l1, positive):
    """Return the move of a proximal step of length 1, for vectors of one length."""
    return soft_threshold(v + g, l1, positive) - v


def largest(values, candidates, n):
    """Return the n candidates with the largest values, or all where there are no more."""
    if len(candidates) <= n:
        return candidates
    return candidates[np.argpartition(values[candidates], -n)[-n:]]


class Face:
    """Newton's steps on the faces of a Subproblem.

    The factor goes from face to face, and to another Subproblem of the same H and l2. It may be
    that of a shifted matrix, or spoilt by rounding: it is a metric all the same, and its steps
    descend.

    Attributes
    ----------
    longest : float, one over the least curvature of a face, about; inf if that is unknown
    """

    def __init__(self):
        self.longest, self._shift = 0.0, 0.0
        # The factor is that of these features, in this order, and in the first rows of L.
        self._at, self._L = np.empty(0, np.intp), np.empty((0, 0), order="F")

    def on(self, problem):
        """Return the same for a Subproblem that begins with the features of the one before."""
        self._problem = problem
        self._always = ~problem.kinked & (np.einsum("kk->k", problem.H) + problem.l2 > 0)
        return self

    def descend(self, v, g, small):
        """Make steps until none meets the end of the face, or the gradient on it is small."""
        H, l1, l2 = self._problem.H, self._problem.l1, self._problem.l2
        kinked, known = self._problem.kinked, self._problem.without_rounding
        while True:
            at, slope = np.flatnonzero((v != 0) | self._always), l1 * np.sign(v)
            gradient = known(g - slope)[at]
            square = gradient @ gradient
            if not square > small:
                return
            d, image = np.zeros_like(v), np.zeros_like(v)
            d[at] = gradient
            self._factorise(at, v)
            step = d[self._at]
            solve_factor(self._L, step)
            d[self._at] = step
            ends = np.flatnonzero(kinked & (v * d < 0))
            room = -v[ends] / d[ends]
            order = np.argsort(room)
            n_ended = bent_step(H, l2, slope, ends[order], room[order], v, g, d, image)
            # Rounding may carry those that are next past zero.
            past = ends[v[ends] * d[ends] > 0]
            g += v[past] @ H[past]
            g[past] += l2[past] * v[past]
            v[past] = 0.0
            gradient = known(g - slope)[at]
            if not n_ended and not gradient @ gradient < 0.25 * square:
                return

    def _factorise(self, at, v):
        """Make the factor of the matrix of a face, shifted where it may be singular.

        What it has in common with the one before is kept: that of the features before the first
        that is no longer there.
        """
        H, l2 = self._problem.H, self._problem.l2
        on_face = np.zeros(len(l2), dtype=bool)
        on_face[at] = True
        there = on_face[self._at]
        n_known = len(there) if there.all() else int(np.argmin(there))
        if n_known == len(there) == len(at):
            return
        n_known = 0 if self._shift else n_known
        known = self._at[:n_known]
        on_face[known] = False
        # Those that may soon be zero come last.
        new = np.flatnonzero(on_face)
        self._at = np.concatenate([known, new[np.argsort(-np.abs(v[new]))]])
        self._make_room(n_known)
        largest = (np.einsum("kk->k", H)[at] + l2[at]).max() or 1.0
        # What rounding of the data makes of a gradient must not become a long step.
        rounding = np.sqrt(self._problem.rounding[at].max(initial=0.0))
        least_pivot = max(LEAST_PIVOT, 10.0 * rounding)
        for shift in (0.0, *(max(shift, rounding) for shift in SHIFTS)):
            done = extend_factor(H, l2, self._at, n_known, shift * largest, self._L)
            least, n_known = np.einsum("kk->k", self._L)[: len(at)].min(), 0
            if done and (shift or least >= least_pivot * np.sqrt(largest)):
                break
        self._shift = shift
        longest = np.inf if shift else 1.0 / least**2
        self.longest = max(self.longest, longest)

    def _make_room(self, n_known):
        """Make sure that there is room for a factor, of which so many features are known."""
        n = len(self._at)
        if n > len(self._L):
            L = np.empty((n + n // 4, n + n // 4), order="F")
            L[:n_known, :n_known] = self._L[:n_known, :n_known]
            self._L = L
