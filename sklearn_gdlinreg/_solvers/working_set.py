"""Full-batch descent by working sets where the penalty has no gradient: L1, or ``positive``.

It minimises, for each output, ``null - 2 B'V + V'HV + 2 sum_m l1_m |V_m|``, with V >= 0 where
that is asked for, and the L2 term of the penalty in H. A working set takes the features that
violate the conditions of the optimum most, and `face` descends to its minimum, by products of
its columns. A look at all features then tells which others violate the conditions, until none
does (as in Bertrand et al., 2022, but for the steps inside). Where the penalty is weak, it is
lowered step by step from one that leaves nothing (Hale, Yin & Zhang, 2008), so that few
coefficients are not zero on the way.

Conventions are those of `conjugate`: V and the half gradient G are (M, D), losses (D,).
"""

import functools
import math

import numpy as np

from .._base.arrays import dot
from .._base.threads import blas_of_one_thread
from .._problem.certificate import Goal
from .coordinate import proximal_gradient
from .exact_step import State
from .face import Face, Subproblem, largest
from .iterates import Iterate
from .proximal import proximal_cycle

# Features that a set takes at once: so many, or as many as there are coefficients in the model.
# Sets of several outputs are smaller, since products are made of all pairs of their features.
FIRST, FIRST_OF_SEVERAL = 64, 32
# A path of penalties is taken where those asked for are less than this share of the largest
# gradient. Each is at most this share of the one before, down to a share of the largest
# gradient: with an L1 term, and without.
PATH_FROM, RATIO, WEAKEST, WEAKEST_WITHOUT = 0.25, 0.5, 1e-3, 0.1
# On the way coordinate descent may leave so much of the squared penalty, for each coefficient;
# faces may leave so much of the squared proximal gradient while a set misses features.
COARSE = 1e-4
ROUGH = 1e-4
# Looks without progress before rounding is taken to be the limit.
PATIENCE = 4
# Products of the columns of a larger set cost more than proximal steps, unless they take no more
# room than the data.
LARGEST = 2048
# What an objective may rise by, relatively, as it is rounded.
RISE = 1e-9


class _Output:
    """One output on its way: its working set, and its place on a path of penalties.

    Parameters
    ----------
    v, g : ndarray of shape (M,), where it starts, and the half gradient there
    terms : (l1, l2, positive) of shape (M,) each
    rounding : ndarray of shape (M,), as that of Coordinates
    varies : ndarray of shape (M,), bool
        Which features say anything.
    first : int, how many features the set takes at once, at least
    """

    def __init__(self, v, g, terms, rounding, varies, first=FIRST):
        self.first = first
        (self.l1, self.l2, self.positive), self.rounding = terms, rounding
        self.flags = self.positive.view(np.uint8)
        self.kinked = (self.l1 > 0) | self.positive
        self.set = np.flatnonzero((v != 0) | (varies & ~self.kinked))
        self.best, self.objective, self.least, self.n_worse = None, np.inf, np.inf, 0
        self.fast, self.level, self.ended, self.face = True, 0.0, False, Face()
        if not v.any():
            self._start_path(g)

    def _room(self, v):
        """Return how many features the set may take at once where the coefficients are v."""
        return max(self.first, np.count_nonzero(v))

    def _start_path(self, g):
        """Begin with the penalty that leaves nothing where the one asked for is weak."""
        pull = np.where(self.positive, g, np.abs(g))[self.kinked]
        n_half = len(pull) // 2
        strongest = pull.max(initial=0.0)
        asked = float(np.partition(self.l1[self.kinked], n_half)[n_half]) if len(pull) else 0.0
        if asked < PATH_FROM * strongest:
            self.level = strongest
            self.weakest = max(asked, (WEAKEST if asked else WEAKEST_WITHOUT) * strongest)

    def falls(self, v, g, loss, objective):
        """Whether the objective is no higher than the least before; that is kept in mind.

        Objectives of different penalties of a path are not compared.
        """
        if self.level:
            return True
        if not objective <= self.objective * (1.0 + RISE):
            return False
        self.best, self.objective = (v.copy(), g.copy(), loss), objective
        return True

    def lower(self, v, g):
        """Lower the penalty where it is above what is asked for; return its L1 term.

        It falls as far as the set has room for all that then violate the conditions.
        """
        if not self.level:
            return self.l1
        pull = np.where(self.positive, g, np.abs(g)) * self.kinked
        pull[self.set] = 0.0
        n_room = self._room(v)
        least = np.partition(pull, -n_room - 1)[-n_room - 1] if n_room < len(pull) else 0.0
        self.level = min(RATIO * self.level, least)
        if self.level <= self.weakest:
            self.level = 0.0
            return self.l1
        return np.where(self.kinked, np.maximum(self.l1, self.level), self.l1)

    def proximal_gradient(self, v, g, l1, loss):
        """Return the proximal gradient, without what rounding of the data may make, (M,)."""
        p = np.empty_like(v)
        proximal_gradient(l1, self.flags, self.rounding * loss, v, g, p)
        return p

    def take(self, p, v, square):
        """Take violators into the set; return whether there is anything left to do.

        Parameters
        ----------
        p : ndarray of shape (M,), the proximal gradient of the penalty as it is now
        v : ndarray of shape (M,)
        square : float, that of the proximal gradient of the penalty that is asked for
        """
        p = np.abs(p)
        p[self.set] = 0.0
        violators = largest(p, np.flatnonzero(p), self._room(v))
        self.set = np.concatenate([self.set, violators])
        if self.level or len(violators):
            return True
        self.n_worse = 0 if square < 0.5 * self.least else self.n_worse + 1
        self.least = min(self.least, square)
        return self.n_worse < PATIENCE

    def minimise(self, gram, v, g, l1, loss, small):
        """Descend over the set, whose products are known.

        v and g, (M,), are changed in place, g in the set alone.
        """
        s = self.set = gram.around(self.set)
        terms = l1[s], self.l2[s], self.positive[s]
        problem = Subproblem(gram.block(s), *terms, self.rounding[s], loss)
        v_set, g_set, coarse = v[s], g[s], COARSE * self.level**2 * len(s)
        # The features that have been met keep their places.
        face = self.face if s is gram.features else None
        found = problem.minimise(v_set, g_set, small, coarse=coarse, fast=self.fast, face=face)
        self.fast, _, longest = found
        v[s], g[s] = v_set, g_set
        return longest


class _Descent:
    """All outputs of a group on their way; parameters are those of `working_set_cycle`."""

    def __init__(self, supplier, state, target, coordinates):
        self.supplier, self.coordinates, self.gram = supplier, coordinates, supplier.gram
        # Columns that are contiguous, in copies.
        self.V, self.G = np.array(state.V, order="F"), np.array(state.G, order="F")
        self.losses, self.longest = state.losses.copy(), state.longest
        self._start_anew()
        M, D = self.V.shape
        l1, l2, positive = coordinates.penalty.terms((M, D))
        first = FIRST if D == 1 else FIRST_OF_SEVERAL
        of_data = coordinates.rounding, coordinates.scale > 0, first
        self.outputs = []
        for d in range(D):
            terms = l1[:, d].copy(), l2[:, d].copy(), positive.copy()
            self.outputs.append(_Output(self.V[:, d], self.G[:, d], terms, *of_data))
        self._goal, self._square = Goal(target, coordinates), target**2
        self._negligible = coordinates.negligible

    def _start_anew(self):
        """Start at zero the outputs that have more coefficients than an L1 penalty leaves.

        Rows tell no more of them than there are rows, without an L2 penalty.
        """
        if self.coordinates.penalty.has_l2:
            return
        too_many = np.count_nonzero(self.V, axis=0) > self.coordinates.rank
        if too_many.any():
            self.V[:, too_many] = 0.0
            self._look()

    def _look(self):
        """Ask for the gradient and the losses at V."""
        G, self.losses = self.supplier.gradient(self.V)
        self.G = np.array(G, order="F")

    def jobs(self):
        """Return what is left to do: outputs, L1 terms, and how small gradients must be."""
        objective = self.coordinates.objective(self.V, self.losses)
        gradients, squares, found = {}, np.zeros(len(self.outputs)), []
        for d, output in enumerate(self.outputs):
            v, g, loss = self.V[:, d], self.G[:, d], self.losses[d]
            if not output.ended and not output.falls(v, g, loss, objective[d]):
                v[:], g[:], self.losses[d] = output.best
                output.ended = True
            if not output.ended:
                p = gradients[d] = output.proximal_gradient(v, g, output.l1, loss)
                squares[d] = p @ p
        missed = self._goal.missed(objective, squares, self._negligible)
        for d, p in gradients.items():
            output, v = self.outputs[d], self.V[:, d]
            output.ended = not missed[d]
            if output.ended:
                continue
            l1 = output.lower(v, self.G[:, d])
            if l1 is not output.l1:
                p = output.proximal_gradient(v, self.G[:, d], l1, self.losses[d])
            n_before = len(output.set)
            output.ended = not output.take(p, v, squares[d])
            if not output.ended:
                small = 0.1 * max(self._square * objective[d], self._negligible[d])
                if len(output.set) > n_before and not output.level and not output.fast:
                    small = max(small, ROUGH * squares[d])
                found.append((d, l1, small))
        return found

    def too_large(self, jobs):
        """Whether products of the columns of a set would cost more than proximal steps."""
        if not self.supplier.by_passes:
            return False
        most = max(LARGEST, math.isqrt(self.supplier.rows.n_entries))
        return any(len(self.outputs[d].set) > most for d, *_ in jobs)

    def minimise(self, jobs):
        """Descend over the working sets of these outputs, and look at all features again."""
        before = None if self.supplier.by_passes else (self.V.copy(), self.G.copy())
        # Threads of BLAS would wait for each other longer than its products take.
        with blas_of_one_thread(math.inf):
            self.gram.require(np.concatenate([self.outputs[d].set for d, *_ in jobs]))
            for d, l1, small in jobs:
                output, v, g = self.outputs[d], self.V[:, d], self.G[:, d]
                longest = output.minimise(self.gram, v, g, l1, self.losses[d], small)
                self.longest = max(self.longest, longest)
        if self.supplier.by_passes:
            self._look()
            return
        V_before, G_before = before
        moved = self.V - V_before
        if not all(len(self.outputs[d].set) == len(moved) for d, *_ in jobs):
            self.G = np.asfortranarray(G_before - self.supplier.curvature(moved)[0])
        self.losses = np.maximum(self.losses - dot(moved, G_before + self.G), 0.0)

    def iterate(self):
        """Return the Iterate that a descent yields."""
        objective = self.coordinates.objective(self.V, self.losses)
        loss = float(objective @ self.coordinates.loss_unit)
        return Iterate(loss, functools.partial(self.coordinates.to_model, self.V.copy()))


def working_set_cycle(supplier, state, target, coordinates, limits):
    """Descend from a state of known gradient until the target or a dead end.

    Parameters and result are those of `conjugate._cycle`. Where too few coefficients are zero
    for products of columns to pay, it goes on by proximal steps.
    """
    descent = _Descent(supplier, state, target, coordinates)
    jobs = descent.jobs()
    while jobs and limits.n_left and not descent.too_large(jobs):
        descent.minimise(jobs)
        yield descent.iterate()
        jobs = descent.jobs()
    V, G = (np.ascontiguousarray(A) for A in (descent.V, descent.G))
    step = np.ones_like(state.losses)
    state = State(V, G, descent.losses, step, descent.longest, looked=supplier.by_passes)
    if jobs and limits.n_left:
        return (yield from proximal_cycle(supplier, state, target, coordinates, limits))
    return state
