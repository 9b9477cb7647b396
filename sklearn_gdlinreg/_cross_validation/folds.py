"""Paths of penalties over the folds of a cross-validation.

Where moments serve, those of all rows are gathered once, fold by fold: what a fold learns
from is all less what it is tested on, and its error on these rows follows from their moments
as well. X is not read again, whatever the number of penalties.

A path goes from the largest penalty to the smallest. Several L2 penalties descend side by side,
as outputs do, from the solution of the one before them; others one after the other.

Conventions: M features, D outputs, A penalties side by side: columns are ``[all outputs of
the first penalty, all of the second, ...]``; P = M + D as in `_rows.base`.
"""

from dataclasses import replace

import numpy as np

from .._base.arrays import take
from .._problem.coordinates import Coordinates
from .._problem.penalty import Penalty
from .._problem.quadratic import ByPasses
from .._problem.reading import by_moments, cheapest_way, read_groups
from .._rows.containers import rows_of
from .._solvers.conjugate import exact_steps, path_step
from .._solvers.iterates import Limits, drive
from .._solvers.path import descend_path

# Coefficients that descend side by side: an iteration of as many costs little more than of
# those of one penalty.
COEFFICIENTS = 2**12
# Iterations of a fit of the features that have no penalty, at most.
MOST_STEPS = 1000
# Iterations for each penalty, for the choice of moments or passes.
STEPS_OF_A_PENALTY = 20


class Fold:
    """Rows to learn from, by a weight of zero for the others, and rows to test on.

    Parameters
    ----------
    data : Data, all rows
    weight : ndarray of shape (N,)
    test : ndarray of int, with the weights ``test_weight``
    centred : bool, whether there is an intercept
    """

    def __init__(self, data, weight, test, test_weight, centred):
        self.data, self.centred = replace(data, weight=weight), centred
        self.n_features = data.X.shape[1]
        self.X_test, self.Y_test, self.test_weight = data.X[test], data.Y[test], test_weight

    def errors_of(self, W, b):
        """Return the mean squared error of models on the rows of the test, one per column."""
        Y = np.tile(self.Y_test, len(b) // self.Y_test.shape[1])
        return np.average((self.X_test @ W + b - Y) ** 2, axis=0, weights=self.test_weight)

    def errors_without_penalty(self, *, max_iter, tol):
        """Return the mean squared error of each output without a penalty, and if it converged.

        It is descended as `GDLinearRegression` does: to the end of directions that are so flat
        that the moments of a fold cannot tell.
        """
        n_outputs, limits = self.data.n_outputs, Limits(max_iter, tol)
        (group,) = read_groups(
            self.data, Penalty.none(n_outputs),
            fit_intercept=self.centred, raw=False, n_steps=max_iter, whitened=True,
        )  # fmt: skip
        start = np.zeros((self.n_features, n_outputs))
        solution = drive(exact_steps(start, group, limits), limits)
        return self.errors_of(solution.W, solution.b), limits.n_left > 0


class MomentsFold(Fold):
    """A fold known by the Moments of the rows that it learns from and is tested on."""

    def __init__(self, *rows, learn, test):
        super().__init__(*rows)
        self.learn, self.test = learn, test

    def problem(self, penalty, n_tiles):
        """Return coordinates and supplier; the supplier is None if moments will not do."""
        moments = self.learn.repeated(n_tiles)
        coordinates = Coordinates.of(moments, penalty=penalty, raw=False)
        return coordinates, by_moments(moments, coordinates)

    def in_one_unit(self):
        """Whether the parts can be compared; sparse rows out of range have other units."""
        return (self.learn.unit == self.test.unit).all()

    def errors(self, coordinates, V):
        """Return the mean squared error of each column of V on the rows of the test."""
        M, outputs = self.n_features, np.arange(V.shape[1]) % len(coordinates.null_loss)
        W = V * coordinates.inverse_scale
        mean, y = self.test.mean, M + outputs % self.data.n_outputs
        covariance, spread = self.test.products, self.test.variance[y]
        if not coordinates.centred:
            covariance = covariance - np.outer(mean[:M], mean)
            spread = spread - mean[y] ** 2
        explained = W * (2.0 * covariance[:, y] - covariance[:, :M] @ W)
        about_mean = spread - explained.sum(axis=0)
        b = coordinates.y_centre[outputs] - coordinates.centre @ W
        bias = mean[y] - mean[:M] @ W - b
        return (np.maximum(about_mean, 0.0) + bias**2) * coordinates.loss_unit[outputs]


class PassesFold(Fold):
    """A fold that reads its rows in every iteration."""

    def __init__(self, *rows):
        super().__init__(*rows)
        self._rows = {}

    def problem(self, penalty, n_tiles):
        """Return coordinates and supplier."""
        if n_tiles not in self._rows:
            Y = np.tile(self.data.Y, n_tiles)
            rows = rows_of(self.data.X, Y, self.data.weight, centred=self.centred)
            self._rows[n_tiles] = rows, rows.column_moments()
        rows, moments = self._rows[n_tiles]
        coordinates = Coordinates.of(moments, penalty=penalty, raw=False)
        return coordinates, ByPasses(rows, coordinates)

    def errors(self, coordinates, V):
        """Return the mean squared error of each column of V on the rows of the test."""
        return self.errors_of(*coordinates.to_model(V))


class Folds:
    """All rows, and the folds of a cross-validation.

    Parameters
    ----------
    data : Data, without missing targets
    splits : list of (train, test), arrays of int
    centred : bool, whether there is an intercept
    n_penalties : int, for the choice of moments or passes
    """

    def __init__(self, data, splits, *, centred, n_penalties):
        self.weight = np.ones(data.n_rows)
        if data.weight is not None:
            # A power of two changes no choice, and keeps sums of huge weights floats.
            self.weight = np.ldexp(data.weight, -np.frexp(data.weight.max())[1])
            data = replace(data, weight=self.weight)
        self.data, self.centred = data, centred
        n_steps = STEPS_OF_A_PENALTY * n_penalties
        rows = rows_of(data.X, data.Y, data.weight, centred=centred)
        self.by_moments = cheapest_way(rows, n_steps) == "moments"
        self.rows = rows
        self.whole = rows.moments() if self.by_moments else rows.column_moments()
        folds = [self._fold(k, *split) for k, split in enumerate(splits)]
        self.members = [fold for fold in folds if fold is not None]
        if not self.members:
            raise ValueError("No fold of cv has rows to test on with a positive weight.")

    def _fold(self, k, train, test):
        rows = np.arange(self.data.n_rows)
        # Splits may be masks, too. A row that is drawn twice counts twice.
        train, test = rows[train], rows[test]
        times = np.bincount(train, minlength=len(rows))
        weight, test_weight = self.weight * times, self.weight[test]
        if len(test) == 1 and test_weight[0] == 0.0:
            # A row without a weight counts as absent: it is not left out, either.
            return None
        for part, name in ((weight, "learn from"), (test_weight, "test on")):
            if not part.any():
                raise ValueError(f"Fold {k} of cv has no rows to {name} with a positive weight.")
        if self.by_moments:
            fold = self._moments_fold(times, weight, test, test_weight)
            _, supplier = fold.problem(Penalty.none(self.data.n_outputs), 1)
            if fold.in_one_unit() and supplier is not None:
                return fold
        return PassesFold(self.data, weight, test, test_weight, self.centred)

    def _moments_fold(self, times, weight, test, test_weight):
        X, Y, origin = self.data.X, self.data.Y, (self.rows.shift, self.rows.unit)

        def part(rows, weight):
            rows = rows_of(X[rows], Y[rows], weight, centred=self.centred, origin=origin)
            # Rows keep weights in a unit of their own, and sparse ones their own shift.
            moments = rows.moments().seen_from(self.rows.shift, rows.unit)
            return moments._replace(weight=float(weight.sum()))

        tested = part(test, test_weight)
        rest = np.ones(len(times), dtype=times.dtype)
        rest[test] = 0
        if (times == rest).all():
            learnt = self.whole.subtract(tested)
        else:
            learnt = part(np.flatnonzero(weight), weight[weight > 0])
        own = self.data, weight, test, test_weight, self.centred
        return MomentsFold(*own, learn=learnt, test=tested)

    @property
    def mean_variance(self):
        """The mean variance of the features; of their squares without an intercept."""
        M = self.data.X.shape[1]
        return float(np.mean(self.whole.variance[:M] / self.whole.unit[:M] ** 2))

    @property
    def null_error(self):
        """The mean square of y about its mean, or zero, averaged over the outputs."""
        M = self.data.X.shape[1]
        return float(np.mean(self.whole.variance[M:] / self.whole.unit[M:] ** 2))

    def largest_alpha(self, l1_ratio, *, positive, penalty_factor):
        """Return the least alpha for which all coefficients that are penalised are zero."""
        whole, (M, D) = self.whole, (self.data.X.shape[1], self.data.n_outputs)
        penalty = Penalty.of(
            1.0, l1_ratio, positive, D, penalty_factor=penalty_factor, n_features=M
        )
        W = self._fit_without_penalty(penalty.free(M), np.broadcast_to(positive, M))
        V = W / whole.unit[:M, None] * whole.unit[M:]
        if self.by_moments:
            cross = whole.products[:, M:]
            if V.any():
                cross = cross - whole.products[:, :M] @ V
        else:
            coordinates = Coordinates.of(whole, penalty=Penalty.none(D), raw=True)
            cross, _ = ByPasses(self.rows, coordinates).gradient(V)
        cross = cross / whole.unit[:M, None] / whole.unit[M:]
        return float(penalty.vanishing_factor(cross).max())

    def _fit_without_penalty(self, features, positive):
        """Return the W of a fit of these features alone, (M, D); both are bool, (M,)."""
        M, D = self.data.X.shape[1], self.data.n_outputs
        W = np.zeros((M, D))
        if features.any():
            some, limits = np.flatnonzero(features), Limits(MOST_STEPS, 0.0)
            data = replace(self.data, X=take(self.data.X, some, axis=1))
            penalty = Penalty.of(0.0, 0.0, positive[some], D, n_features=len(some))
            (group,) = read_groups(
                data, penalty,
                fit_intercept=self.centred, raw=False, n_steps=MOST_STEPS, whitened=True,
            )  # fmt: skip
            W[some] = drive(exact_steps(W[some], group, limits), limits).W
        return W


def path_errors(fold, n_outputs, alphas, l1_ratio, *, positive, penalty_factor, max_iter, tol):
    """Return the mean squared error of each alpha, largest first, and whether all converged.

    Parameters
    ----------
    fold : MomentsFold or PassesFold
    n_outputs : int
    alphas : ndarray of shape (n_alphas,), falling
    """
    n_penalties = len(alphas) if np.any(positive) else int(np.count_nonzero(alphas))
    options = {"max_iter": max_iter, "tol": tol}

    def penalty_of(alpha, n_outputs):
        return Penalty.of(
            alpha, l1_ratio, positive, n_outputs,
            penalty_factor=penalty_factor, n_features=fold.n_features,
        )  # fmt: skip

    if l1_ratio > 0 or np.any(positive):
        of_one = penalty_of(1.0, n_outputs)
        errors, converged = _errors_by_sets(fold, of_one, alphas[:n_penalties], **options)
    else:
        own = alphas[:n_penalties]
        errors, converged = _errors_of_ridges(fold, n_outputs, own, penalty_of, **options)
    if n_penalties < len(alphas):
        alone, ended = fold.errors_without_penalty(**options)
        errors.extend([alone.mean()] * (len(alphas) - n_penalties))
        converged &= ended
    return np.array(errors), converged


def _errors_by_sets(fold, penalty, alphas, **options):
    """Return the mean error of each penalty without a gradient, and whether all converged."""
    n_outputs = fold.data.n_outputs
    coordinates, supplier = fold.problem(Penalty.none(n_outputs), 1)
    errors, together, converged = [], [], True
    n_together = max(1, COEFFICIENTS // (fold.n_features * n_outputs))
    if supplier.by_passes:
        n_together = 1
    path = descend_path(supplier, coordinates, penalty, alphas, **options)
    for k, (V, ended) in enumerate(path):
        together.append(V)
        converged &= bool(ended)
        if len(together) == n_together or k == len(alphas) - 1:
            found = fold.errors(coordinates, np.concatenate(together, axis=1))
            errors.extend(found.reshape(len(together), n_outputs).mean(axis=1))
            together = []
    return errors, converged


def _errors_of_ridges(fold, n_outputs, alphas, penalty_of, *, max_iter, tol):
    """Return the mean error of each L2 penalty, and whether all converged."""
    n_penalties = len(alphas)
    size = max(1, min(n_penalties, COEFFICIENTS // (fold.n_features * n_outputs)))
    errors, W, converged = [], None, True
    for start in range(0, n_penalties, size):
        # The last stride is filled up to be as long as the others.
        stride = alphas[start : min(start + size, n_penalties)]
        each = np.repeat(np.append(stride, np.full(size - len(stride), stride[-1])), n_outputs)
        penalty = penalty_of(each, len(each))
        coordinates, supplier = fold.problem(penalty, size)
        if W is None:
            W = np.zeros((fold.n_features, n_outputs))
        limits = Limits(max_iter, tol)
        V = coordinates.from_model(np.tile(W, size))
        V = path_step(V, supplier, coordinates, limits)
        converged &= limits.n_left > 0
        W = coordinates.to_model(V)[0][:, -n_outputs:]
        mean = fold.errors(coordinates, V).reshape(size, n_outputs).mean(axis=1)
        errors.extend(mean[: len(stride)])
    return errors, converged
