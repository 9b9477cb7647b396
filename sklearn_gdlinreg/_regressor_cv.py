"""GDLinearRegressionCV: the penalty chosen by cross-validation."""

import warnings
from dataclasses import replace
from numbers import Integral

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from ._base.arrays import is_numpy, namespace
from ._base.compat import CallbackSupportMixin, SearchTask, with_callbacks
from ._cross_validation.choice import mean_of
from ._cross_validation.progress import Progress
from ._cross_validation.scoring import Scorer
from ._cross_validation.search import Search, splits_of
from ._fit import fit_rows, history_of
from ._input.checks import check_data, check_sample_weight
from ._input.dataset import Data
from ._input.parameters import CV_CONSTRAINTS, check_parameters, restored_on_error
from ._input.settings import Settings
from ._linear_model import LinearModel, solution
from ._penalty_path import PenaltyPath


class GDLinearRegressionCV(
    CallbackSupportMixin, PenaltyPath, LinearModel, RegressorMixin, BaseEstimator
):
    """Linear regression whose penalty is chosen by cross-validation along a path.

    It does what ``GridSearchCV(GDLinearRegression())`` over `alpha` and `l1_ratio` does, in
    full batches and in less time: the moments of the data are computed once, those of each
    fold are subtracted from them, and each model starts from that of the previous penalty.
    The parameters are those of `ElasticNetCV`; several outputs share the penalty or have one
    alpha each. See the :doc:`guide </choosing_penalty>`.

    Parameters
    ----------
    l1_ratio : float or list of float, default=0.5
        Share of the L1 penalty, in the range [0, 1]; the best one of a list is chosen.
    eps : float, default=1e-3
        The ratio of the smallest alpha of a path to the largest, in the range (0, inf);
        ignored for ``l1_ratio=0``.
    alphas : int or array-like of shape (n_alphas,), default=100
        Number of alphas, evenly spaced on a log scale, from the least for which all penalised
        coefficients are zero; or the alphas themselves, not negative. For ``l1_ratio=0``,
        which has no such alpha, they go from 1e4 to 1e-6 times the mean variance of the
        features. If the smallest is the best, all paths are extended by the same number, until
        it is not or the penalty has no effect any more; not with `LeaveOneOut`. If alphas are
        passed, there is a warning instead.
    alpha_per_target : bool, default=False
        Whether each output has its own alpha, from a path of its own. If False, all share the
        alpha with the least error, averaged over the outputs, which outputs in larger units
        dominate.
    alpha_rule : {"min", "1se"}, default="min"
        "min" chooses the alpha with the least error; "1se" the largest alpha whose mean error
        over the folds is at most one standard error above the least, for a simpler model. It
        is an error if y, or an output with an alpha of its own, is tested in a single fold.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    positive : bool or array-like of bool of shape (n_features,), default=False
        Whether coefficients must not be negative; an array has one value per feature.
    penalty_factor : array-like of shape (n_features,), default=None
        Factor of alpha for each feature, in the range [0, inf), as in `GDLinearRegression`.
        None means 1 for all.
    max_iter : int, default=1000
        Maximum number of iterations of a descent. One that reaches it before it converges
        raises a `ConvergenceWarning`. It does not limit paths on moments with an L1 penalty or
        `positive`.
    tol : float, default=1e-6
        A descent ends when its `optimality_` is at most this for every output; see
        `GDLinearRegression`.
    cv : int, cross-validation generator or iterable, default=None
        How rows are split. None means 5 folds; an int is the number of folds. `LeaveOneOut`
        with ``l1_ratio=0`` is computed in closed form, from one decomposition, if there are at
        most 5,000 rows or 5,000 features.
    scoring : str or callable, default=None
        The score to choose by: None is the mean squared error; a str names a scorer of
        scikit-learn, such as "neg_mean_absolute_error"; a callable is a scorer made by
        `make_scorer`. It is called with one output at a time, and scores are averaged over the
        outputs. With `LeaveOneOut`, all rows are scored together.
    missing_targets : {"error", "ignore"}, default="error"
        What to do with NaN in y. With "ignore" each output is fitted and tested on the rows in
        which it is observed.
    n_jobs : int, default=None
        Number of folds that run at a time, in threads; None means one, -1 all cores.
    verbose : bool or int, default=0
        1 prints a line when a path of a fold has ended; 2 or more, lines on the way.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_outputs,)
        The chosen alpha; one per output with ``alpha_per_target=True`` if y is 2D.
    l1_ratio_ : float
        The l1_ratio with the least error; with ``alpha_per_target=True``, errors are relative
        to the variance of each output.
    best_score_ : float or ndarray of shape (n_outputs,)
        The score of the chosen alpha, averaged over the folds: by `scoring`, or the negative
        mean squared error. Its shape is that of `alpha_`.
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        Coefficients of the chosen model, fitted to all rows; one row per output if y is 2D.
    intercept_ : float or ndarray of shape (n_outputs,)
        Intercept, in units of y; 0 with ``fit_intercept=False``.
    mse_path_ : ndarray of shape (n_l1_ratio, n_alphas, n_folds)
        Mean squared error on the test rows of each fold, averaged over the outputs, without
        axes of length one. With ``alpha_per_target=True`` and 2D y there is another axis for
        the outputs. NaN if no test row is observed.
    score_path_ : ndarray
        With `scoring`, the scores, in the shape of `mse_path_`; for `LeaveOneOut`, without the
        axis of the folds.
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratio, n_alphas)
        The alphas, from the largest to the smallest; one row per l1_ratio if there are several
        and alphas were not passed. With ``alpha_per_target=True`` and 2D y there is another
        axis for the outputs, unless alphas were passed.
    n_iter_ : int
        Number of iterations of the last fit, to all rows.
    optimality_ : float
        How far the model is from the optimum; see `GDLinearRegression`.
    n_features_in_ : int
        Number of features seen by fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X has names that are all strings.

    See Also
    --------
    GDLinearRegression : One penalty; mini-batches and streams.
    sklearn.linear_model.ElasticNetCV : Coordinate descent for one output.
    sklearn.linear_model.RidgeCV : L2 penalty by leave-one-out in closed form.

    References
    ----------
    .. [1] Friedman, J., Hastie, T. and Tibshirani, R. (2010). Regularization paths for
       generalized linear models via coordinate descent. J. Stat. Software 33 (1).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_gdlinreg import GDLinearRegressionCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = GDLinearRegressionCV(l1_ratio=[0.5, 0.9, 1.0]).fit(X, y)
    >>> model.l1_ratio_
    1.0
    >>> model.mse_path_.shape
    (3, 100, 5)
    """

    def __init__(
        self,
        *,
        l1_ratio=0.5,
        eps=1e-3,
        alphas=100,
        alpha_per_target=False,
        alpha_rule="min",
        fit_intercept=True,
        positive=False,
        penalty_factor=None,
        max_iter=1000,
        tol=1e-6,
        cv=None,
        scoring=None,
        missing_targets="error",
        n_jobs=None,
        verbose=0,
    ):
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.alpha_per_target = alpha_per_target
        self.alpha_rule = alpha_rule
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_factor = penalty_factor
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.scoring = scoring
        self.missing_targets = missing_targets
        self.n_jobs = n_jobs
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = False
        return tags

    def fit(self, X, y, sample_weight=None, **params):
        """Choose the penalty and fit the model to all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. float32 and float64 are used as they are.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets; cast to the type of X. NaN with ``missing_targets="ignore"`` only.
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Weights, not negative, not all zero, for the fits and for the errors and scores of
            each fold. The mean over folds is not weighted.
        **params : dict
            Parameters of the splitter, such as ``groups``, with
            ``enable_metadata_routing=True``.

        Returns
        -------
        self : GDLinearRegressionCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or an input is not allowed, or the coefficients overflow the dtype
            of X. A fitted estimator is left as it was.
        """
        with restored_on_error(self):
            history, converged = self._fit(X, y, sample_weight, params)
            self._warn_of(converged)
            history.end()
            if self._at_the_edge():
                warnings.warn(
                    f"The best alpha is the smallest of alphas, {np.min(self.alphas):g}: a "
                    "smaller one may be better. Pass smaller ones, or an int such as alphas=100 "
                    "to compute a path from the data.",
                    stacklevel=2,
                )
        return self

    def _at_the_edge(self):
        """Whether the alphas that were given may end too soon."""
        given = not isinstance(self.alphas, Integral) and len(self.alphas) > 1
        smallest = (
            given and np.any(self.alpha_ == np.min(self.alphas)) and np.min(self.alphas) > 0
        )
        return bool(smallest and np.any(self.coef_))

    @with_callbacks
    def _fit(self, X, y, sample_weight, params):
        """Fit; return the History, and whether each path of a fold converged."""
        check_parameters(
            {name: getattr(self, name) for name in CV_CONSTRAINTS},
            CV_CONSTRAINTS, type(self).__name__,
        )  # fmt: skip
        given = X, y, sample_weight
        split_params, scorer = self._routed(sample_weight, params)
        X, y = check_data(self, X, y)
        if not is_numpy(y):
            raise ValueError(
                "GDLinearRegressionCV accepts NumPy arrays and data that become one. Got an "
                f"array of {namespace(y).__name__} with array_api_dispatch=True. Use "
                "GridSearchCV(GDLinearRegression(), ...) on it, or set array_api_dispatch=False."
            )
        sample_weight = check_sample_weight(sample_weight, X)
        splits = splits_of(self.cv, X, y, split_params)
        data = Data.of(X, y, sample_weight, missing_targets=self.missing_targets)
        task = SearchTask.of(self, *given)
        search = Search.of(self, data, splits, Progress(int(self.verbose), task), scorer)
        paths, converged = search.losses(search.grid(), search.l1_ratios)
        paths = search.extended(paths)
        self._store(paths, search.choose(paths), y)
        groups = search.groups
        gathered = (groups[0][1].rows, groups[0][1].whole) if len(groups) == 1 else None
        history = self._fit_all(replace(data, gathered=gathered), y)
        if task is not None:
            task.end()
        return history, converged

    def _store(self, paths, choice, y):
        """Keep what was chosen, and why."""
        per_target = self.alpha_per_target and y.ndim == 2
        alphas, row = paths.alphas, choice.row
        own = np.broadcast_to(alphas[row], (alphas.shape[1], len(choice.chosen)))
        alpha = own[choice.chosen, np.arange(len(choice.chosen))]
        self.l1_ratio_ = float(paths.l1_ratios[row])
        self.alpha_ = alpha if per_target else float(alpha[0])
        score = -choice.losses
        self.best_score_ = score if per_target else float(score[0])
        if not (
            per_target and alphas.shape[2] == y.shape[1] and isinstance(self.alphas, Integral)
        ):
            alphas = alphas[:, :, 0]
        one_row = len(paths.l1_ratios) == 1 or not isinstance(self.alphas, Integral)
        self.alphas_ = alphas[0] if one_row else alphas
        self.mse_path_ = _without_short_axes(paths.errors, per_target)
        vars(self).pop("score_path_", None)
        if paths.scores is not None:
            self.score_path_ = _without_short_axes(paths.scores, per_target)

    def _fit_all(self, data, y):
        """Fit the model to all rows; return the History."""
        settings = Settings.with_penalty(self, self.alpha_, self.l1_ratio_)
        W, b = np.zeros((data.X.shape[1], data.n_outputs)), np.zeros(data.n_outputs)
        history = history_of(settings, data)
        model = fit_rows(settings, W, b, data, history)
        vars(self).update(solution(model.W, model.b, y, data.dtype))
        self.n_iter_, self.optimality_ = len(history.losses), history.optimality
        return history

    def _routed(self, sample_weight, params):
        """Return the parameters that are for the splitter, and the Scorer, or None."""
        scorer = None if self.scoring is None else check_scoring(self, self.scoring)
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
            weighted = scorer and routed.scorer.score.get("sample_weight") is not None
            return routed.splitter.split, scorer and Scorer(scorer, weighted)
        if params:
            raise ValueError(
                "Parameters of the splitter need enable_metadata_routing=True, set with "
                f"sklearn.set_config. Got {sorted(params)}."
            )
        return {}, scorer and Scorer(scorer, sample_weight is not None)

    def _warn_of(self, converged):
        """Tell how many paths ran out of iterations, if any did."""
        if not all(converged):
            warnings.warn(
                f"{converged.count(False)} of {len(converged)} paths stopped at "
                f"max_iter={self.max_iter} short of tol={float(self.tol):g}. Increase max_iter "
                "or tol, or leave out the smallest alphas.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def get_metadata_routing(self):
        """Return what metadata `fit` takes, and which of it goes to the splitter.

        Returns
        -------
        routing : MetadataRouter
            As scikit-learn's user guide on metadata routing explains.
        """
        split = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(splitter=check_cv(self.cv), method_mapping=split)
        if self.scoring is not None:
            score = MethodMapping().add(caller="fit", callee="score")
            router.add(scorer=check_scoring(self, self.scoring), method_mapping=score)
        return router


def _without_short_axes(values, per_target):
    """Return values (R, A, F, D) without axes of length one; outputs have one if per target."""
    if not per_target:
        return np.squeeze(mean_of(values, 3))
    short = tuple(axis for axis in range(3) if values.shape[axis] == 1)
    return np.squeeze(values, axis=short)
