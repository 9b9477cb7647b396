"""The search for a penalty: its paths, their losses on all folds, and where they end.

Conventions: R l1_ratios, A alphas, F folds, D outputs; K as in `choice`.
"""

from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral

import numpy as np
from sklearn.model_selection import LeaveOneOut, check_cv
from sklearn.utils.parallel import Parallel, delayed

from .._input.dataset import Data
from .._problem.penalty import Penalty
from .choice import Paths, choose, mean_of
from .folds import EVERY_DIGIT, Folds
from .leave_one_out import errors_left_out
from .paths import Losses, path_losses
from .progress import Progress
from .scoring import prediction_of_one

# The path of ridge models, relative to the mean variance of the features: from a penalty that
# makes coefficients almost zero to one that has almost no effect.
RIDGE_PATH = 1e4, 1e-6
# The value of all alphas if no feature is correlated with y, as in ElasticNetCV.
NO_ALPHA = np.finfo(np.float64).resolution
# A path is extended until its error is within this relative distance of the error without a
# penalty, and at most so many times.
NO_PENALTY_LEFT, MOST_EXTENSIONS = 1e-3, 5
NO_TESTS = (
    "No fold of cv has both training and test rows of positive weight in which an output is "
    "observed. Use more folds, or shuffle the rows."
)


@dataclass(frozen=True)
class Search:
    """The search for penalties over the folds of each group of outputs.

    Attributes
    ----------
    groups : list of (outputs, Folds)
        Outputs are an ndarray of int, or a slice of all.
    n_outputs : int
    n_folds : int, the number of splits
    l1_ratios : ndarray of shape (R,)
    alphas, eps : the parameters of a path; alphas are an int, or a decreasing ndarray
    per_target, rule, tol, n_jobs : parameters of GDLinearRegressionCV
    options : dict, the options of `path_losses` that all paths share
    progress : Progress
    scorer : Scorer or None
    """

    groups: list
    n_outputs: int
    n_folds: int
    l1_ratios: np.ndarray
    alphas: object
    eps: float
    per_target: bool
    rule: str
    tol: float
    n_jobs: int | None
    options: dict
    progress: object
    scorer: object = None

    @classmethod
    def of(cls, estimator, data, splits, progress, scorer):
        """Return the Search of a GDLinearRegressionCV with valid parameters.

        Parameters
        ----------
        estimator : GDLinearRegressionCV
        data : Data
        splits : the result of `splits_of`
        progress : Progress
        scorer : Scorer or None
        """
        l1_ratios = np.atleast_1d(np.asarray(estimator.l1_ratio, dtype=np.float64))
        alphas = estimator.alphas
        if not isinstance(alphas, Integral):
            alphas = np.sort(np.asarray(alphas, dtype=np.float64))[::-1]
        leave_one_out = isinstance(splits, LeaveOneOut)
        n_folds = data.n_rows if leave_one_out else len(splits)
        n_scores = 1 if leave_one_out and scorer is not None else n_folds
        if estimator.alpha_rule == "1se" and n_scores == 1:
            raise ValueError(
                'alpha_rule="1se" needs the scores of two folds or more. Got one, with '
                f"cv={estimator.cv!r} and scoring={estimator.scoring!r}."
            )
        names = "positive", "penalty_factor", "max_iter"
        options = {name: getattr(estimator, name) for name in names}
        n_alphas = alphas if isinstance(alphas, Integral) else len(alphas)
        groups = _groups(data, splits, bool(estimator.fit_intercept), n_alphas * len(l1_ratios))
        return cls(
            groups, data.n_outputs, n_folds, l1_ratios, alphas, float(estimator.eps),
            bool(estimator.alpha_per_target), estimator.alpha_rule, float(estimator.tol),
            estimator.n_jobs, {**options, "tol": float(estimator.tol)}, progress, scorer,
        )  # fmt: skip

    def grid(self):
        """Return the alphas of a path for each l1_ratio, (R, A, K), the largest first."""
        if not isinstance(self.alphas, Integral):
            return np.broadcast_to(
                self.alphas[:, None], (len(self.l1_ratios), len(self.alphas), 1)
            )
        return np.stack([self._alphas(l1_ratio) for l1_ratio in self.l1_ratios])

    def _alphas(self, l1_ratio):
        """Return the alphas of one path, (A, K)."""
        largest, ratio = np.empty(self.n_outputs), self.eps
        for outputs, folds in self.groups:
            if l1_ratio == 0.0:
                largest[outputs] = folds.mean_variance * RIDGE_PATH[0]
                ratio = RIDGE_PATH[1] / RIDGE_PATH[0]
            else:
                own = {name: self.options[name] for name in ("positive", "penalty_factor")}
                largest[outputs] = folds.largest_alpha(l1_ratio, **own)
        if not self.per_target:
            largest = largest.max(keepdims=True)
        alphas = np.geomspace(1.0, ratio, self.alphas)[:, None] * largest
        return np.where(largest > 0.0, alphas, NO_ALPHA)

    def losses(self, alphas, l1_ratios):
        """Return the Paths of these alphas, (R, A, K), and whether each of a fold converged."""
        A, shape = alphas.shape[1], (*alphas.shape[:2], self.n_outputs)
        alphas_of_all = np.broadcast_to(alphas, shape)
        errors = np.full((*shape[:2], self.n_folds, self.n_outputs), np.nan)
        scores, converged = errors.copy(), []
        jobs = [
            (r, l1_ratio, outputs, *job)
            for r, l1_ratio in enumerate(l1_ratios)
            for outputs, folds in self.groups
            for job in self._jobs(folds, alphas_of_all[r][:, outputs], l1_ratio)
        ]
        self.progress.begin(len(jobs), A)
        results = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(self._run)(run, alphas_of_all[r][:, outputs], l1_ratio, k)
            for r, l1_ratio, outputs, k, run in jobs
        )
        self.progress.end()
        for (r, _, outputs, k, _), found in zip(jobs, results, strict=True):
            folds = slice(None) if k is None else slice(k, k + 1)
            errors[r][:, folds, outputs] = found.errors
            if self.scorer is not None:
                scores[r][:, folds, outputs] = found.scores
            converged.append(found.converged)
        # A fold whose test rows have no weight counts as absent.
        counted = ~np.isnan(errors).all(axis=(0, 1, 3))
        errors, scores = errors[:, :, counted], self._scores(scores, counted)
        return Paths(l1_ratios, alphas, errors, scores), converged

    def _jobs(self, folds, alphas, l1_ratio):
        """Yield the number of a fold, or None for all, and a function for its Losses."""
        ridge = l1_ratio == 0.0 and not np.any(self.options["positive"])
        spectrum = None
        if folds.leave_one_out and ridge and np.all(alphas > 0.0):
            spectrum = folds.spectrum(self._penalty(folds, alphas.min()))
        if spectrum is not None:
            yield None, partial(self._left_out, folds, spectrum)
            return
        members = [(k, fold) for k, fold in enumerate(folds.members) if fold is not None]
        if not members:
            raise ValueError(NO_TESTS)
        for k, fold in members:
            yield k, partial(path_losses, fold)

    def _run(self, run, alphas, l1_ratio, k):
        with self.progress.path(l1_ratio, k, self.n_folds) as tell:
            scorer = self.scorer and self.scorer.of_fold()
            if scorer is not None and self.groups[0][1].leave_one_out:
                scorer = prediction_of_one
            return run(alphas, l1_ratio, scorer=scorer, tell=tell, **self.options)

    def _penalty(self, folds, alpha):
        """Return the L2 penalty of this alpha."""
        factor = self.options["penalty_factor"]
        return Penalty.of(
            alpha, 0.0, False, folds.data.n_outputs,
            penalty_factor=factor, n_features=folds.data.X.shape[1],
        )  # fmt: skip

    def _left_out(self, folds, spectrum, alphas, l1_ratio, *, tell, **options):
        """Return the Losses of leave-one-out, in closed form or by fits if that is inaccurate.

        The alphas of a ridge are the same for all outputs of a group: one column has them all.
        """
        X, Y, weight = folds.data.X, folds.data.Y, folds.weight
        some = np.flatnonzero(weight)
        known = (X, Y, weight) if len(some) == len(weight) else (X[some], Y[some], weight[some])
        found, sure = errors_left_out(spectrum, *known, alphas[:, 0])
        shape, converged = (len(alphas), len(weight), Y.shape[1]), True
        errors, predicted = np.full(shape, np.nan), np.full(shape, np.nan)
        errors[:, some] = np.moveaxis(found, 0, 1) ** 2
        predicted[:, some] = Y[some] - np.moveaxis(found, 0, 1)
        options["tol"] = min(options["tol"], EVERY_DIGIT)
        for row in some[~sure]:
            one = path_losses(folds.fold_without(row), alphas, l1_ratio, **options)
            errors[:, [row]], converged = one.errors, converged and one.converged
            if one.scores is not None:
                predicted[:, [row]] = one.scores
        tell(len(alphas))
        return Losses(errors, predicted, converged)

    def _scores(self, scores, counted):
        """Return the scores of the folds that count; None without a scorer."""
        if self.scorer is None:
            return None
        if self.groups[0][1].leave_one_out:
            scores = self._pooled(scores)
        else:
            scores = scores[:, :, counted]
        if np.isnan(mean_of(scores, 2)).any():
            raise ValueError(
                "scoring gives NaN for an output in all folds. Use a scorer that is defined for "
                "so few rows, or a cv with larger test sets."
            )
        return scores

    def _pooled(self, scores):
        """Return the scores of all rows together, (R, A, 1, D), given their predictions."""
        R, A, _, D = scores.shape
        pooled = np.empty((R, A, 1, D))
        for outputs, folds in self.groups:
            tested = folds.weight * ~np.isnan(scores[0, 0][:, outputs]).any(axis=1)
            for r in range(R):
                of_group = np.moveaxis(scores[r][:, :, outputs], 1, 0).reshape(len(tested), -1)
                pooled[r][:, 0, outputs] = self.scorer(folds.data.Y, of_group, tested)
        return pooled

    def choose(self, paths):
        """Return the Choice among these paths."""
        null = np.empty(self.n_outputs)
        for outputs, folds in self.groups:
            null[outputs] = folds.null_error
        return choose(paths, null, per_target=self.per_target, rule=self.rule, tol=self.tol)

    def extended(self, paths):
        """Return Paths that are extended while the smallest alpha is the best for an output.

        All paths get the same number of new alphas, until the last penalty has no effect, or
        the paths do not converge.
        """
        leave_one_out = self.groups[0][1].leave_one_out
        if not isinstance(self.alphas, Integral) or self.alphas == 1 or leave_one_out:
            return paths
        for _ in range(MOST_EXTENSIONS):
            choice, last = self.choose(paths), paths.alphas.shape[1] - 1
            ratios = paths.alphas[:, -1:] / paths.alphas[:, -2:-1]
            edge = (choice.best == last) & (ratios[choice.row, 0] < 1.0)
            if not edge.any() or not self._tells(paths, choice.row, edge):
                break
            more = paths.alphas[:, -1:] * ratios ** np.arange(1, self.alphas + 1)[:, None]
            found, converged = self.losses(more, self.l1_ratios)
            if not all(converged):
                break
            paths = paths.longer(found)
        return paths

    def _tells(self, paths, row, edge):
        """Whether the last penalty of a path has an effect on any output at its edge."""
        row = slice(row, row + 1)
        untold = replace(self, progress=Progress(0, None))
        none, _ = untold.losses(np.zeros((1, 1, 1)), self.l1_ratios[row])
        alone, last = (mean_of(losses[0, -1], 0) for losses in (none.losses, paths.losses[row]))
        if not self.per_target:
            alone, last = (mean_of(losses, 0)[None] for losses in (alone, last))
        return bool((np.abs(alone - last) > NO_PENALTY_LEFT * np.abs(last))[edge].any())


def splits_of(cv, X, y, params):
    """Return the splits of ``cv``, a list of (train, test), or LeaveOneOut unchanged."""
    splitter = check_cv(cv)
    if isinstance(splitter, LeaveOneOut):
        # It raises its own error for a single row.
        next(splitter.split(X))
        return splitter
    splits = list(splitter.split(X, y, **params))
    if not splits:
        raise ValueError(
            f"cv gives no splits. Got {cv!r}: an empty list, or a generator that has "
            "been used up by an earlier fit. Pass a list of its splits, or a splitter."
        )
    return splits


def _groups(data, splits, centred, n_penalties):
    """Return (outputs, Folds) of each group of outputs that are observed in the same rows."""
    data.check_observed("train on")
    groups, partly = [], data.observed is not None
    for outputs, weight in data.groups():
        Y = data.Y if isinstance(outputs, slice) else np.ascontiguousarray(data.Y[:, outputs])
        own = Data(data.X, Y, weight, None)
        options = {"centred": centred, "n_penalties": n_penalties, "partial": partly}
        groups.append((outputs, Folds(own, splits, **options)))
    return groups
