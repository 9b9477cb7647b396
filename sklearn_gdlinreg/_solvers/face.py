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
from functools import cached_property

import numpy as np

from .coordinate import (
    descend_coordinates,
    extend_factor,
    face_gradient,
    newton_step,
    proximal_gradient,
)

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

    @cached_property
    def flags(self):
        """Which coefficients may not be negative, (K,), uint8."""
        return self.positive.view(np.uint8)

    @cached_property
    def noise(self):
        """Squares of gradients that rounding of the data may make, (K,)."""
        return self.rounding * self.loss

    def proximal_gradient(self, v, g):
        """Return the move of a proximal step of length 1, (K,); zero at the minimum alone."""
        p = np.empty_like(v)
        proximal_gradient(self.l1, self.flags, self.noise, v, g, p)
        return p

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
            n_epochs = max(FAST_EPOCHS, FAST_STEPS // max(1, len(v)))
            enough = max(0.1 * small, coarse)
            fast = self._coordinates(np.arange(len(v)), v, g, n_epochs, enough)
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
        return descend_coordinates(
            self.H, self.l1, self.l2, self.flags, active, v, g, n_epochs, small
        )


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
        self._problem, K = problem, len(problem.l2)
        self._diagonal = np.einsum("kk->k", problem.H) + problem.l2
        kinked = (problem.l1 > 0) | problem.positive
        # What has no kink at zero is on each face.
        self._always = ~kinked & (self._diagonal > 0)
        self._vectors, self._ends = np.empty((4, K)), np.empty(K, np.intp)
        return self

    def descend(self, v, g, small):
        """Make steps until none meets the end of the face, or the gradient on it is small."""
        problem, (slope, d, *scratch) = self._problem, self._vectors
        penalty = problem.l1, self._always.view(np.uint8), problem.noise
        square = face_gradient(*penalty, v, g, slope, d)
        while square > small:
            self._factorise(v)
            n_ended = newton_step(
                problem.H, problem.l2, problem.flags, slope, self._L, self._at,
                v, g, d, *scratch, self._ends,
            )  # fmt: skip
            before, square = square, face_gradient(*penalty, v, g, slope, d)
            if not n_ended and not square < 0.25 * before:
                return

    def _factorise(self, v):
        """Make the factor of the matrix of the face of v, shifted where it may be singular.

        What it has in common with the one before is kept: that of the features before the first
        that is no longer there.
        """
        H, l2 = self._problem.H, self._problem.l2
        on_face = (v != 0) | self._always
        there = on_face[self._at]
        n_known = len(there) if there.all() else int(np.argmin(there))
        if n_known == len(there) == np.count_nonzero(on_face):
            return
        n_known = 0 if self._shift else n_known
        known = self._at[:n_known]
        on_face[known] = False
        # Those that may soon be zero come last.
        new = on_face.nonzero()[0]
        self._at = np.concatenate([known, new[np.argsort(-np.abs(v[new]))]])
        self._make_room(n_known)
        largest = self._diagonal[self._at].max() or 1.0
        # What rounding of the data makes of a gradient must not become a long step.
        rounding = np.sqrt(self._problem.rounding[self._at].max(initial=0.0))
        least_pivot = max(LEAST_PIVOT, 10.0 * rounding)
        for shift in (0.0, *(max(shift, rounding) for shift in SHIFTS)):
            least = extend_factor(H, l2, self._at, n_known, shift * largest, self._L)
            if least > 0.0 if shift else least >= least_pivot * np.sqrt(largest):
                break
            n_known = 0
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
