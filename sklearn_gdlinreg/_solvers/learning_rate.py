"""How long a textbook step is: the schedules, and the longest one that is stable."""

import contextlib
import math
from numbers import Real
from typing import NamedTuple

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from .._base.arrays import placed_like, to_host
from .._problem.loss import Loss

# An adaptive rate is cut by this, and given up below this share of the first one.
ADAPTIVE_CUT = 5.0
ADAPTIVE_END = 1e-6
# Up to this many features all eigenvalues cost less than finding one of them.
DENSE_EIGENVALUES = 64


class Momentum(NamedTuple):
    """Momentum of the textbook's update, as that of MLPRegressor.

    Attributes
    ----------
    decay : float, the share of the velocity that stays after each update; 0 for no momentum
    nesterov : bool, whether it is Nesterov's
    """

    decay: float = 0.0
    nesterov: bool = False

    def change(self, velocity, change):
        """Return the velocity after a change of plain descent, and the change with momentum.

        Nesterov's is the change as seen from one step of momentum ahead.
        """
        velocity = self.decay * velocity + change
        return velocity, self.decay * velocity + change if self.nesterov else velocity


class Schedule:
    """The learning rate of each update.

    Parameters
    ----------
    spec : {"constant", "invscaling", "adaptive"} or callable
        "invscaling" divides by sqrt(t + 1). "adaptive" divides by 5 whenever
        ``n_iter_no_change`` epochs in a row fail to lower the best loss by ``tol``,
        relatively. A callable maps t to a factor. t counts the updates made, from 0.
    learning_rate : float, the first rate
    tol, n_iter_no_change : as in GDLinearRegression
    """

    def __init__(self, spec, learning_rate, *, tol, n_iter_no_change):
        self.spec, self.learning_rate = spec, learning_rate
        self.tol, self.patience = tol, n_iter_no_change
        self.rate = learning_rate
        self.largest_factor = 0.0
        self._best, self._n_worse = math.inf, 0

    def update(self, t, loss):
        """Return the rate of update t, made at this loss; None when it is time to end."""
        if callable(self.spec):
            self.rate = self.learning_rate * self._factor(t)
        elif self.spec == "invscaling":
            self.rate = self.learning_rate / math.sqrt(t + 1)
        elif not self.see(loss):
            return None
        return self.rate

    def updates(self, t, n):
        """Return the rates of updates t to t + n - 1, (n,); of an adaptive one, as it is."""
        t = np.arange(t, t + n)
        if callable(self.spec):
            rates = self.learning_rate * np.array([self._factor(int(k)) for k in t])
        elif self.spec == "invscaling":
            rates = self.learning_rate / np.sqrt(t + 1.0)
        else:
            rates = np.full(n, self.rate)
        self.rate = float(rates[-1])
        return rates

    def see(self, loss):
        """Take in the loss of an epoch; return whether to go on."""
        if self.spec == "adaptive":
            self._adapt(loss)
        return self.spec != "adaptive" or self.rate >= ADAPTIVE_END * self.learning_rate

    def _factor(self, t):
        factor = self.spec(t)
        if isinstance(factor, Real):
            # A Fraction or an int may be larger than any float.
            with contextlib.suppress(OverflowError):
                number = float(factor)
                if 0 <= number < math.inf:
                    self.largest_factor = max(self.largest_factor, number)
                    return number
        raise ValueError(
            "The 'schedule' callable must return a float in the "
            f"range [0.0, inf). Got {factor!r} for t={t} instead."
        )

    def _adapt(self, loss):
        if loss < self._best * (1.0 - self.tol):
            self._n_worse = 0
        else:
            self._n_worse += 1
        self._best = min(self._best, loss)
        if self._n_worse >= self.patience:
            self.rate /= ADAPTIVE_CUT
            self._n_worse = 0


def longest_stable_step(groups, momentum):
    """Return the longest constant full-batch step by which no output of the Groups diverges."""
    return min(
        largest_stable_step(Loss(group, group.moments or group.passes), momentum)
        for group in groups
    )


def rounded_down(step):
    """Return four digits of a step, not more than it: the one that is named must be stable."""
    if not 1e-300 < step < math.inf:
        return step
    digit = 10.0 ** (math.floor(math.log10(step)) - 3)
    return math.floor(step / digit) * digit


def largest_stable_step(loss, momentum):
    """Return the longest constant full-batch step that does not diverge.

    Descent on a quadratic is stable in every direction iff it is along the largest
    curvature ``2 lambda`` of the loss: up to ``1 / lambda`` without momentum, times
    ``1 + momentum`` with it, over ``1 + 2 momentum`` where it is Nesterov's (the root of
    the iteration's characteristic polynomial at -1).

    Parameters
    ----------
    loss : Loss
    momentum : Momentum
    """
    supplier, fit_intercept = loss.supplier, loss.coordinates.centred
    mean, unit = to_host(loss.mean), to_host(loss.unit)
    M = mean.shape[0]

    def times(p):
        """Half the Hessian in (W, b) times p, from that of the centred problem."""
        p = p.reshape(-1)
        P = np.ascontiguousarray(np.broadcast_to((p[:M] / unit)[:, None], supplier.shape))
        HP, curvatures = map(to_host, supplier.curvature(placed_like(P, loss.mean)))
        # Outputs differ by their L2 penalties alone.
        HP = HP[:, np.argmax(curvatures)] / unit
        if not fit_intercept:
            return HP
        mean_prediction = mean @ p[:M] + p[M]
        return np.append(HP + mean * mean_prediction, mean_prediction)

    size = M + fit_intercept
    if not np.isfinite(times(np.ones(size))).all():
        raise ValueError(
            "Input X spans too many orders of magnitude for a numeric learning_rate: the "
            'curvature of the loss overflows. Scale the features, or use learning_rate="auto".'
        )
    if size <= DENSE_EIGENVALUES:
        largest = np.linalg.eigvalsh(np.stack([times(e) for e in np.eye(size)]))[-1]
    else:
        operator = LinearOperator((size, size), times, dtype=np.float64)
        # Data may leave no part of a direction that is regular, as that of ones is.
        first = np.random.default_rng(0).standard_normal(size)
        largest = eigsh(operator, 1, v0=first, return_eigenvectors=False)[0]
    factor = (1 + momentum.decay) / (1 + 2 * momentum.decay * momentum.nesterov)
    return factor / largest if largest > 0 else math.inf
