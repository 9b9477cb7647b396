"""Full-batch descent where the penalty has no gradient: an L1 term, or ``positive``.

It minimises, for each output, ``null - 2 B'V + V'HV + 2 sum_m l1_m |V_m|``, with the L1 term in
the coordinates of V, and V >= 0 where that is asked for. The half gradient of the first part is
``G = B - HV``, as in `conjugate`.

Two kinds of step take turns (as in Moré & Toraldo, 1991). Accelerated proximal steps, with
restarts (Beck & Teboulle, 2009; O'Donoghue & Candès, 2015), find which coefficients are
zero. On the face where these stay zero and no other changes its sign the objective is
quadratic again: exact steps with exact momentum descend it, until one meets the face's end.
Where that takes long, as on wide data with a weak penalty, the penalty is lowered step by
step from one that leaves nothing (Hale, Yin & Zhang, 2008).

Conventions are those of `conjugate`: V, G and directions are (M, D), losses (D,). What makes
steps is a generator of iterates.
"""

import functools
import math

from .._base.arrays import copied, dot, namespace, nth_smallest, to_floats
from .._problem.certificate import Goal
from .conjugate_directions import directions_for
from .exact_step import State, exact_step
from .iterates import Iterate, Limits, drive

# Proximal steps before the face that they found is descended, and at most.
FIRST_ROUND, LONGEST_ROUND = 16, 1024
# Rounds without progress before rounding is taken to be the limit.
PATIENCE = 4
# The last face is cheap to descend, and what is left of its gradient is error of coefficients.
POLISH, NO_POLISH = 1e-3, 0.5
# Along a direction without curvature the L1 term must fall by at least this share of the
# largest slope that it can have; what falls by less may be rounding.
FALL = 1e-6
# The share of its coefficients that a face may lose at once.
CUT = 0.1
# Steps after which a descent over flat faces starts anew along a path of penalties, each this
# share of the one before, and descended until the proximal gradient is so small.
STEPS_BEFORE_PATH, PATH_RATIO, PATH_TARGET = 64, 0.25, 1e-3


def _room(V, P):
    """Return how far along P each coefficient is from zero; infinite where it moves away."""
    xp, falling = namespace(V), V * P < 0
    return xp.where(falling, -V / xp.where(falling, P, 1.0), math.inf)


class _Descent:
    """A state on its way, with what both kinds of step need.

    Attributes
    ----------
    V, G, losses : as in `State`; the losses are without the proximal part
    steepest : array of shape (D,)
        The largest curvature met, or twice that: the inverse of the proximal step.
    """

    def __init__(self, supplier, state, coordinates, limits):
        self.supplier, self.limits = supplier, limits
        self.penalty, self.coordinates = coordinates.penalty, coordinates
        self.V, self.G, self.losses = copied(state.V), copied(state.G), state.losses
        self.longest, self._xp = state.longest, namespace(state.V)
        self.steepest = self._xp.ones_like(state.losses)
        self._negligible = coordinates.negligible
        self._rounding = coordinates.rounding[:, None]

    def objective(self):
        """Return the objective of each output, (D,)."""
        return self.losses + self.penalty.value_without_gradient(self.V)

    def gradient(self):
        """Return the proximal gradient, (M, D)."""
        return self.penalty.proximal_gradient(self.V, self.G)

    def _square_of(self, G):
        """Return the squares of gradients, without what rounding of the data may make, (D,)."""
        G = self._xp.where(self._rounding * self.losses < G * G, G, 0.0)
        return dot(G, G)

    def _state(self):
        """Return the Iterate that a descent yields."""
        objective = self.coordinates.objective(self.V, self.losses)
        loss = float(objective @ self.coordinates.loss_unit)
        return Iterate(loss, functools.partial(self.coordinates.to_model, self.V))

    def accelerate(self, n_steps):
        """Make accelerated proximal steps, each output with its own momentum.

        One that has arrived, to rounding, stays: momentum would carry it on where it is flat.
        """
        xp = self._xp
        V_before, G_before, age = self.V, self.G, xp.ones_like(self.losses)
        for _ in range(min(n_steps, self.limits.n_left)):
            moving = self._square_of(self.gradient()) > self._negligible
            if not xp.any(moving):
                break
            older = (1.0 + xp.sqrt(1.0 + 4.0 * age**2)) / 2.0
            momentum = (age - 1.0) / older
            ahead = self.V + momentum * (self.V - V_before)
            # The gradient of a quadratic is extrapolated as its argument is.
            G_ahead = self.G + momentum * (self.G - G_before)
            V, HP = self._proximal_step(ahead, G_ahead)
            V, G = xp.where(moving, V, self.V), xp.where(moving, G_ahead - HP, self.G)
            # A move against the momentum ends it.
            age = xp.where(dot(ahead - V, V - self.V) > 0, 1.0, older)
            V_before, G_before = self.V, self.G
            self._go(V, G)
            yield self._state()
            if not self.limits.n_left:
                break

    def _proximal_step(self, V, G):
        """Return the end of the step, and H times the step; shortened until it is stable."""
        xp = self._xp
        while True:
            end = self.penalty.proximal_map(V + G / self.steepest, 1.0 / self.steepest)
            P = end - V
            HP, curvature = self.supplier.curvature(P)
            square = dot(P, P)
            steep = curvature > self.steepest * square * (1.0 + 1e-9)
            if not xp.any(steep):
                return end, HP
            met = curvature / xp.where(steep, square, 1.0)
            self.steepest = xp.where(steep, xp.maximum(2.0 * self.steepest, met), self.steepest)

    def _go(self, V, G):
        """Move to V, where the half gradient is G."""
        self.losses = self._xp.maximum(self.losses - dot(V - self.V, self.G + G), 0.0)
        self.V, self.G = V, G

    def explore(self, n_steps, target):
        """Make exact steps on the face of the coefficients that are not zero.

        One that becomes zero leaves the face. The steps end where the gradient on the face
        is small against the target, or against what is left of the gradient off the face.
        Return whether they came there.
        """
        xp, face, sign = self._xp, self.V != 0, self._xp.sign(self.V)
        slope = self.penalty.l1_half_gradient(sign)
        off = xp.where(face, 0.0, self.gradient())
        enough = 0.01 * dot(off, off)
        directions, live = directions_for(self.V), xp.ones_like(enough, dtype=xp.bool)
        for _ in range(min(n_steps, self.limits.n_left)):
            G = xp.where(face, self.G - slope, 0.0)
            least = xp.maximum(target * self.objective(), self._negligible)
            live = live & (self._square_of(G) > xp.maximum(enough, least))
            P = xp.where(face & live, directions.direction(G, twice=True), 0.0)
            along = exact_step(self.supplier, P, G, live)
            length, ends, live = self._length(P, along, live & (along.descent > 0), slope)
            ended = xp.any(ends, axis=0)
            counts = xp.count_nonzero(live), xp.count_nonzero(ended)
            furthest, n_live, n_ended = to_floats(xp.max(length), *counts)
            if not n_live:
                return True
            self.longest = max(self.longest, furthest)
            V = self.V + length * P
            V = xp.where(ends | (V * sign < 0), 0.0, V)
            directions.keep(P, along.image, along.inverse)
            HP = length * along.image
            if n_ended:
                V, HP = self._cut(V, HP, xp.where(ended, P, 0.0), G, sign)
                directions.forget(ended)
            face = face & (V != 0)
            self._go(V, self.G - HP)
            yield self._state()
            if not self.limits.n_left:
                break
        return False

    def _length(self, P, along, live, slope):
        """Return how long the steps along P are, where they meet the face's end, and where live.

        Without curvature the loss stays, and only an L1 term, of this slope, can fall: it does
        all the way to the face's end. What falls by less than rounding leads astray.
        """
        xp = self._xp
        falls = -dot(P, slope) > FALL * xp.sqrt(dot(P, P) * dot(slope, slope))
        live = live & (along.curved | falls)
        wanted = xp.where(live & ~along.curved, math.inf, along.descent * along.inverse)
        length, ends = self._to_the_end(P, wanted)
        live = live & xp.isfinite(length)
        return xp.where(live, length, 0.0), ends & live, live

    def _to_the_end(self, P, length):
        """Shorten the steps that leave the face; return them, and where they meet its end."""
        xp, room = self._xp, _room(self.V, P)
        least = xp.min(room, axis=0)
        ends = (room == least) & (least <= length) & (self.V * P < 0)
        return xp.minimum(length, least), ends

    def _cut(self, V, HP, P, G, sign):
        """Go on along P past the first ends, where that is better; return V and HP.

        A face that has too many coefficients loses a share of them at once, those that
        become zero first, instead of one a step.
        """
        xp, room = self._xp, _room(self.V, P)
        n_cut = max(1, int(CUT * int(xp.max(xp.count_nonzero(self.V, axis=0)))))
        length = nth_smallest(room, min(n_cut, room.shape[0] - 1))
        end = self.V + xp.where(xp.isfinite(length), length, 0.0) * P
        end = xp.where(end * sign <= 0, 0.0, end)
        D = end - self.V
        HD, curvature = self.supplier.curvature(D)
        here = V - self.V
        better = curvature - 2.0 * dot(D, G) < dot(here, HP) - 2.0 * dot(here, G)
        return xp.where(better, end, V), xp.where(better, HD, HP)

    def left(self, target):
        """Return the squares of the proximal gradients, and whose are above the target, (D,)."""
        square, aim = self._square_of(self.gradient()), Goal(target, self.coordinates)
        return square, aim.missed(self.objective(), square, self._negligible)

    def descend(self, target, n_steps, *, polish):
        """Take turns of both kinds of step; return which outputs are left, (D,).

        Also whether the steps that are allowed ran out, and not the precision. Faces are
        descended until the gradient on them is this share of the target.
        """
        n_round, least, n_worse, xp = FIRST_ROUND, math.inf, 0, self._xp
        end = max(self.limits.n_left - n_steps, 0)
        while True:
            yield from self.accelerate(n_round)
            finished = yield from self.explore(4 * n_round, (polish * target) ** 2)
            n_round = FIRST_ROUND if finished else min(2 * n_round, LONGEST_ROUND)
            square, left = self.left(target)
            distance, n_left = to_floats(
                xp.sum(xp.where(left, square, 0.0)), xp.count_nonzero(left)
            )
            n_worse = 0 if distance < 0.5 * least else n_worse + 1
            least = min(least, distance)
            ran_out = self.limits.n_left <= end
            if not n_left or n_worse == PATIENCE or ran_out:
                return left, ran_out

    def follow_path(self, outputs, target):
        """Start these outputs, (D,), anew at zero, and lower their penalty step by step.

        On the way few coefficients are not zero, and the faces well conditioned. A path that
        does not end ends where the outputs were before.
        """
        xp, before = self._xp, (self.V, self.G, self.losses)
        objective, asked = self.objective(), self.penalty
        self.V = xp.where(outputs, 0.0, self.V)
        self.G, self.losses = self.supplier.gradient(self.V)
        self.G = copied(self.G)
        # The last step is made in any case: what has no such penalty is not at its best yet.
        factor = xp.maximum(asked.vanishing_factor(self.G), 1.0 / PATH_RATIO)
        factor = xp.where(outputs, factor, 1.0)
        while xp.max(factor) > 1.0 and self.limits.n_left:
            factor = xp.maximum(factor * PATH_RATIO, 1.0)
            self.penalty = asked.with_l1_times(factor)
            last = xp.max(factor) == 1.0
            goal = (target, POLISH) if last else (PATH_TARGET, NO_POLISH)
            yield from self.descend(goal[0], self.limits.n_left, polish=goal[1])
        self.penalty = asked
        worse = self.objective() > objective
        after = self.V, self.G, self.losses
        self.V, self.G, self.losses = (
            xp.where(worse, old, new) for old, new in zip(before, after, strict=True)
        )


def proximal_cycle(supplier, state, target, coordinates, limits, *, polish=POLISH):
    """Descend from a state of known gradient until the target or a dead end.

    Parameters and result are those of `conjugate._cycle`; ``polish`` is that of
    `_Descent.descend`.
    """
    descent = _Descent(supplier, state, coordinates, limits)
    if limits.n_left and namespace(state.V).any(descent.left(target)[1]):
        left, ran_out = yield from descent.descend(target, STEPS_BEFORE_PATH, polish=polish)
        flat = coordinates.rank < state.V.shape[0] and coordinates.penalty.has_l1
        # A new start would look like a model that gets worse to those who validate it.
        if ran_out and flat and not limits.watched:
            yield from descent.follow_path(left, target)
        elif ran_out:
            yield from descent.descend(target, limits.n_left, polish=polish)
    step = 1.0 / descent.steepest
    return State(descent.V, descent.G, descent.losses, step, descent.longest)


def one_proximal_step(supplier, V, G, losses, coordinates):
    """Make one proximal step, as long as it is stable: what should be zero becomes zero.

    Parameters and result are V, its half gradient and its losses; as they were where the
    penalty is smooth.
    """
    if coordinates.penalty.smooth:
        return V, G, losses
    limits = Limits(1, 0.0)
    allowed = coordinates.penalty.proximal_map(V, 0.0)
    if namespace(V).any(allowed != V):
        V, (G, losses) = allowed, supplier.gradient(allowed)
    state = State(V, G, losses, namespace(V).zeros_like(losses))
    descent = _Descent(supplier, state, coordinates, limits)
    drive(descent.accelerate(1), limits)
    return descent.V, descent.G, descent.losses
