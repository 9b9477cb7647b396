"""The folds of a cross-validation, for outputs that are observed in the same rows.

If moments are used, those of all rows are computed once, fold by fold. The moments of the
training rows of a fold are those of all rows minus those of the test rows, and the test error
follows from the moments of the test rows. X is not read again, for any number of penalties.

Conventions: M features, D outputs, A penalties side by side. Columns are ``[all outputs of
the first penalty, all of the second, ...]``; P = M + D as in `_rows.base`.
"""

from dataclasses import replace
from functools import cached_property

import numpy as np
from sklearn.model_selection import LeaveOneOut

from .._base.arrays import take
from .._problem.certificate import optimality
from .._problem.coordinates import Coordinates
from .._problem.penalty import Penalty
from .._problem.quadratic import ByPasses
from .._problem.reading import by_moments, cheapest_way, read_groups
from .._rows.containers import rows_of
from .._solvers.conjugate import exact_steps
from .._solvers.iterates import Limits, drive
from .spectrum import ColumnSpectrum, RowSpectrum

# The most iterations of a fit of the features that have no penalty.
MOST_STEPS = 1000
# Iterations for each penalty, for the choice of moments or passes.
STEPS_OF_A_PENALTY = 20
# Eigenvectors of larger matrices take too long, or too much memory.
MOST_EIGENVECTORS = 5_000
# The optimality of a minimum that is computed with negligible rounding.
EVERY_DIGIT = 1e-11
# Eigenvectors of M features take as long as descents of this many outputs and penalties.
FEATURES_OF_A_DESCENT, FEW_FEATURES = 8, 500


class Fold:
    """Training rows, given by their weights, and test rows.

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
        self._test, self._test_weight = test, test_weight
        self._found = None

    def losses_of(self, W, b, scorer=None):
        """Return the mean squared errors and the scores of models on the test rows.

        Parameters
        ----------
        W, b : ndarray of shape (M, A * D) and (A * D,)
        scorer : callable or None, as in `paths.path_losses`

        Returns
        -------
        errors, scores : ndarray of shape (A, D); the second is None without a scorer
        """
        Y, D = self.data.Y[self._test], self.data.n_outputs
        predicted = self.data.X[self._test] @ W + b
        apart = (predicted.reshape(len(Y), -1, D) - Y[:, None, :]) ** 2
        errors = np.average(apart, axis=0, weights=self._test_weight)
        return errors, scorer and scorer(Y, predicted, self._test_weight)

    def without_penalty(self, scorer, *, max_iter, tol):
        """Return `losses_of` for a fit without a penalty, and whether it converged.

        The fit is that of `GDLinearRegression`, because in flat directions the moments of a fold
        are not accurate enough.
        """
        n_outputs, limits = self.data.n_outputs, Limits(max_iter, tol)
        (group,) = read_groups(
            self.data, Penalty.none(n_outputs),
            fit_intercept=self.centred, raw=False, n_steps=max_iter, whitened=True,
        )  # fmt: skip
        start = np.zeros((self.n_features, n_outputs))
        solution = drive(exact_steps(start, group, limits), limits)
        return self.losses_of(solution.W, solution.b, scorer), limits.n_left > 0

    def spectrum(self, penalty, n_penalties):
        """Return the spectrum of the training rows, or None if that takes too long.

        Parameters
        ----------
        penalty : Penalty, of each output
        n_penalties : int, the number of penalties
        """
        factor, weight = penalty.factor(np.empty(0)), self.data.weight
        if self._found is None and np.all(factor > 0.0):
            n_descents = n_penalties * self.data.n_outputs
            self._found = self._spectrum(factor, np.flatnonzero(weight), n_descents)
        return self._found

    def _spectrum(self, factor, learnt, n_descents):
        """Return the same as `spectrum`, given the training rows."""
        if len(learnt) > min(MOST_EIGENVECTORS, self.n_features):
            return None
        X, Y, weight = self.data.X[learnt], self.data.Y[learnt], self.data.weight[learnt]
        rows = rows_of(X, Y, weight, centred=self.centred)
        none = Penalty.none(self.data.n_outputs)
        coordinates = Coordinates.of(rows.column_moments(), penalty=none, raw=False)
        return RowSpectrum(rows, coordinates, factor)


class MomentsFold(Fold):
    """A fold that uses the Moments of its training rows and of its test rows."""

    def __init__(self, *rows, learn, test):
        super().__init__(*rows)
        self.learn, self.test = learn, test

    def problem(self, penalty, n_tiles):
        """Return coordinates and supplier; the supplier is None if moments are inaccurate."""
        moments = self.learn.repeated(n_tiles)
        coordinates = Coordinates.of(moments, penalty=penalty, raw=False)
        return coordinates, by_moments(moments, coordinates)

    def in_one_unit(self):
        """Whether the parts can be compared; sparse rows out of range have other units."""
        return (self.learn.unit == self.test.unit).all()

    def _spectrum(self, factor, learnt, n_descents):
        M = self.n_features
        of_rows = super()._spectrum(factor, learnt, n_descents)
        if of_rows is not None:
            return of_rows
        most = max(FEW_FEATURES, FEATURES_OF_A_DESCENT * n_descents)
        if min(most, MOST_EIGENVECTORS) < M:
            return None
        coordinates, _ = self.problem(Penalty.none(self.data.n_outputs), 1)
        return ColumnSpectrum(self.learn, coordinates, factor)

    def losses(self, coordinates, V, scorer=None):
        """Return what `losses_of` does of each column of V."""
        if scorer is not None:
            D = len(coordinates.null_loss)
            models = [coordinates.to_model(V[:, k : k + D]) for k in range(0, V.shape[1], D)]
            W, b = zip(*models, strict=True)
            return self.losses_of(np.concatenate(W, axis=1), np.concatenate(b), scorer)
        return self._errors(coordinates, V).reshape(-1, self.data.n_outputs), None

    def _errors(self, coordinates, V):
        """Return the mean squared error of each column of V on the test rows."""
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

    def losses(self, coordinates, V, scorer=None):
        """Return what `losses_of` does of each column of V."""
        return self.losses_of(*coordinates.to_model(V), scorer)


class Folds:
    """All rows, and the folds of a cross-validation.

    Parameters
    ----------
    data : Data, of outputs that are observed in the same rows; other rows have no weight
    splits : list of (train, test), arrays of int; or LeaveOneOut
    centred : bool, whether there is an intercept
    n_penalties : int, for the choice of moments or passes
    partial : bool
        Whether a fold may have no training rows or no test rows; it is then None.
    """

    def __init__(self, data, splits, *, centred, n_penalties, partial=False):
        self._splits, self._partial = splits, partial
        self.leave_one_out = isinstance(splits, LeaveOneOut)
        self.weight = np.ones(data.n_rows)
        if data.weight is not None:
            # A power of two does not change the choice, and sums of huge weights stay finite.
            self.weight = np.ldexp(data.weight, -np.frexp(data.weight.max())[1])
            data = replace(data, weight=self.weight)
        self.data, self.centred = data, centred
        n_steps = STEPS_OF_A_PENALTY * n_penalties
        rows = rows_of(data.X, data.Y, data.weight, centred=centred)
        self.by_moments = cheapest_way(rows, n_steps) == "moments"
        if self.leave_one_out:
            # The closed form needs them, unless it uses products of rows.
            self.by_moments |= rows.n_features <= min(rows.n_rows, MOST_EIGENVECTORS)
        self.rows = rows
        self.whole = rows.moments() if self.by_moments else rows.column_moments()

    @cached_property
    def members(self):
        """The folds, one per split, or None for a split that does not count."""
        splits = self._splits.split(self.data.X) if self.leave_one_out else self._splits
        return [self._fold(k, *split) for k, split in enumerate(splits)]

    def fold_without(self, row):
        """Return the fold with one test row, whose training rows are all others."""
        return self._fold(row, np.delete(np.arange(self.data.n_rows), row), np.array([row]))

    def spectrum(self, penalty):
        """Return the spectrum of all rows with a weight, or None if that takes too long.

        It is also None if the minimum with this penalty would be inaccurate.
        """
        spectrum, alpha = self._of_all.spectrum(penalty, MOST_EIGENVECTORS), penalty.least_l2
        if spectrum is None:
            return None
        coordinates, supplier = self._of_all.problem(penalty, 1)
        V = coordinates.from_model(spectrum.coefficients(np.array([alpha])))
        found = optimality(V, *supplier.gradient(V), coordinates)
        return spectrum if (found <= EVERY_DIGIT).all() else None

    @cached_property
    def _of_all(self):
        """A fold whose training rows are all rows."""
        everything = np.arange(self.data.n_rows)
        own = self.data, self.weight, everything, self.weight, self.centred
        if self.by_moments:
            return MomentsFold(*own, learn=self.whole, test=self.whole)
        return PassesFold(*own)

    def _fold(self, k, train, test):
        rows = np.arange(self.data.n_rows)
        # Splits may be masks, too. A row that is drawn twice counts twice.
        train, test = rows[train], rows[test]
        times = np.bincount(train, minlength=len(rows))
        weight, test_weight = self.weight * times, self.weight[test]
        if len(test) == 1 and test_weight[0] == 0.0:
            # A row without a weight counts as absent, so it is not left out either.
            return None
        for part, name in ((weight, "learn from"), (test_weight, "test on")):
            if not part.any():
                if self._partial:
                    return None
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
            # Rows have their own unit of weights, and sparse rows their own shift.
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
        """The mean square of each output about its mean, or zero, (D,)."""
        M = self.data.X.shape[1]
        return self.whole.variance[M:] / self.whole.unit[M:] ** 2

    def largest_alpha(self, l1_ratio, *, positive, penalty_factor):
        """Return the least alpha for which all penalised coefficients are zero, (D,)."""
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
        return penalty.vanishing_factor(cross)

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
