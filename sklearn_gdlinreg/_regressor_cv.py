"""GDLinearRegressionCV: the penalty chosen by cross-validation."""

import warnings
from dataclasses import replace
from numbers import Integral

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.parallel import Parallel, delayed

from ._base.arrays import is_numpy, namespace
from ._cross_validation.folds import Folds, path_errors
from ._fit import fit_rows, history_of
from ._input.checks import check_data, check_sample_weight
from ._input.dataset import Data
from ._input.parameters import CV_CONSTRAINTS, check_parameters, restored_on_error
from ._input.settings import Settings
from ._linear_model import LinearModel, solution

# The path of a ridge, over the mean variance of the features: from one that leaves next to
# nothing to one that hardly tells.
RIDGE_PATH = 1e4, 1e-6
# What all alphas are where no feature says anything of y, as in ElasticNetCV.
NO_ALPHA = np.finfo(np.float64).resolution
# A path is made longer until the error is within this of that without a penalty, relatively,
# and so many times at most.
NO_PENALTY_LEFT, MOST_EXTENSIONS = 1e-3, 5


class GDLinearRegressionCV(LinearModel, RegressorMixin, BaseEstimator):
    """Linear regression whose penalty is chosen by cross-validation along a path.

    It does what ``GridSearchCV(GDLinearRegression())`` over `alpha` and `l1_ratio` does, in
    full batches, many times faster: the moments of the data are gathered once, those of a
    fold are subtracted from them, and each model starts from the one with the penalty
    before it. The parameters are those of `ElasticNetCV`; outputs may be many, and share
    the penalty.

    Parameters
    ----------
    l1_ratio : float or list of float, default=0.5
        Share of the L1 penalty, in the range [0, 1]; the best one of a list is chosen.
    eps : float, default=1e-3
        The smallest alpha of a path over the largest, in the range (0, inf); ignored for
        ``l1_ratio=0``.
    alphas : int or array-like of shape (n_alphas,), default=100
        How many alphas, evenly spaced in logarithm, from the least for which all penalised
        coefficients are zero; or the alphas themselves, not negative. For ``l1_ratio=0``,
        where there is no such alpha, they go from 1e4 to 1e-6 times the mean variance of the
        features. Where the smallest is the best, all paths are extended by as many, until it
        is not or the penalty tells no more. Of alphas that are given a warning says so.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    positive : bool or array-like of bool of shape (n_features,), default=False
        Whether no coefficient may be negative; an array says so for each feature.
    penalty_factor : array-like of shape (n_features,), default=None
        What alpha is multiplied by for each feature, in the range [0, inf), as in
        `GDLinearRegression`. None is 1 for all.
    max_iter : int, default=1000
        Most iterations of a descent. Reaching it first is a `ConvergenceWarning`. Paths with
        an L1 penalty or `positive` are not limited by it where moments serve.
    tol : float, default=1e-6
        A descent ends when its `optimality_` is at most this for every output; see
        `GDLinearRegression`.
    cv : int, cross-validation generator or iterable, default=None
        How rows are split. None is 5-fold; an int is the number of folds.
    n_jobs : int, default=None
        How many folds are descended at a time, in threads; None is one, -1 is all cores.
    verbose : bool or int, default=0
        How much `joblib` says about progress.

    Attributes
    ----------
    alpha_ : float
        The alpha of the least error, averaged over the folds.
    l1_ratio_ : float
        The l1_ratio of the least error.
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        Coefficients with these, fitted to all rows; one row per output if y is 2D.
    intercept_ : float or ndarray of shape (n_outputs,)
        Intercept, in units of y; 0 with ``fit_intercept=False``.
    mse_path_ : ndarray of shape (n_l1_ratio, n_alphas, n_folds)
        Mean squared error on the rows left out of each fold, averaged over the outputs;
        without the axes of length one.
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratio, n_alphas)
        The alphas, from the largest to the smallest; one row per l1_ratio if these are many
        and alphas were not given.
    n_iter_ : int
        Number of iterations of the last descent, to all rows.
    optimality_ : float
        How far the model is from the optimum; see `GDLinearRegression`.
    n_features_in_ : int
        Number of features seen by fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X has names that are all strings.

    See Also
    --------
    GDLinearRegression : One penalty; mini-batches, streams, masked targets.
    sklearn.linear_model.ElasticNetCV : The same by coordinate descent, one output.
    sklearn.linear_model.RidgeCV : ``l1_ratio=0`` by a singular value decomposition.

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
        fit_intercept=True,
        positive=False,
        penalty_factor=None,
        max_iter=1000,
        tol=1e-6,
        cv=None,
        n_jobs=None,
        verbose=0,
    ):
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_factor = penalty_factor
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
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
            Targets; cast to the type of X.
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Weights, not negative, not all zero; in the fits, and in the errors of a fold.
            The mean over folds is not weighted.
        **params : dict
            Parameters of the splitter, ``groups`` for one, where
            ``enable_metadata_routing=True`` is set.

        Returns
        -------
        self : GDLinearRegressionCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or an input is not allowed, or the type of X cannot hold the
            coefficients. A fitted estimator is left as it was.
        """
        with restored_on_error(self):
            self._fit(X, y, sample_weight, params)
            if self._at_the_edge():
                warnings.warn(
                    f"The best alpha is the smallest given, {self.alpha_:g}: a smaller one may "
                    "be better. Give smaller alphas, or alphas=100 to have a path worked out.",
                    stacklevel=2,
                )
        return self

    def _at_the_edge(self):
        """Whether the alphas that were given may end too soon."""
        given = not isinstance(self.alphas, Integral) and len(self.alphas) > 1
        smallest = given and self.alpha_ == np.min(self.alphas) > 0
        return smallest and bool(np.any(self.coef_))

    def _fit(self, X, y, sample_weight, params):
        given = {name: getattr(self, name) for name in CV_CONSTRAINTS}
        check_parameters(given, CV_CONSTRAINTS, type(self).__name__)
        split_params = self._split_params(sample_weight, params)
        X, y = check_data(self, X, y)
        if not is_numpy(y):
            raise ValueError(
                "GDLinearRegressionCV takes NumPy arrays and what can be made one. Got an array "
                f"of {namespace(y).__name__} with array_api_dispatch=True. Use "
                "GridSearchCV(GDLinearRegression(), ...) on it, or set array_api_dispatch=False."
            )
        sample_weight = check_sample_weight(sample_weight, X)
        splits = list(check_cv(self.cv).split(X, y, **split_params))
        if not splits:
            raise ValueError(
                f"cv gives no splits. Got {self.cv!r}: an empty list, or a generator that has "
                "been used up by an earlier fit. Pass a list of its splits, or a splitter."
            )
        data = Data.of(X, y, sample_weight, missing_targets="error")
        l1_ratios = np.atleast_1d(np.asarray(self.l1_ratio, dtype=np.float64))
        n_alphas = self.alphas if isinstance(self.alphas, Integral) else len(self.alphas)
        folds = Folds(
            data, splits, centred=self.fit_intercept, n_penalties=n_alphas * len(l1_ratios)
        )
        alphas = np.stack([self._path(folds, l1_ratio) for l1_ratio in l1_ratios])
        errors, converged = self._errors(folds, alphas, l1_ratios)
        self._warn_of(converged)
        if isinstance(self.alphas, Integral) and self.alphas > 1:
            alphas, errors = self._extended(folds, alphas, errors, l1_ratios)
        best = self._best(folds, errors)
        self.alpha_, self.l1_ratio_ = float(alphas[best]), float(l1_ratios[best[0]])
        one_row = len(l1_ratios) == 1 or not isinstance(self.alphas, Integral)
        self.alphas_ = alphas[0] if one_row else alphas
        self.mse_path_ = np.squeeze(errors)
        self._fit_all(data, y, folds).end(stacklevel=4)

    def _fit_all(self, data, y, folds):
        """Fit the model to all rows, of which the folds know the moments; return the History."""
        settings = Settings(
            alpha=self.alpha_, l1_ratio=self.l1_ratio_, fit_intercept=bool(self.fit_intercept),
            positive=self.positive, penalty_factor=self.penalty_factor,
            max_iter=int(self.max_iter), tol=float(self.tol),
        )  # fmt: skip
        data = replace(data, gathered=(folds.rows, folds.whole))
        W, b = np.zeros((data.X.shape[1], data.n_outputs)), np.zeros(data.n_outputs)
        history = history_of(settings, data)
        model = fit_rows(settings, W, b, data, history)
        vars(self).update(solution(model.W, model.b, y, data.dtype))
        self.n_iter_, self.optimality_ = len(history.losses), history.optimality
        return history

    def _split_params(self, sample_weight, params):
        """Return the parameters that are for the splitter."""
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
            return routed.splitter.split
        if params:
            raise ValueError(
                "Parameters of the splitter need enable_metadata_routing=True, set with "
                f"sklearn.set_config. Got {sorted(params)}."
            )
        return {}

    def _path(self, folds, l1_ratio):
        """Return the alphas of a path, the largest first."""
        if not isinstance(self.alphas, Integral):
            return np.sort(np.asarray(self.alphas, dtype=np.float64))[::-1]
        if l1_ratio == 0.0:
            largest, smallest = (folds.mean_variance * share for share in RIDGE_PATH)
        else:
            largest = folds.largest_alpha(l1_ratio, **self._of_features())
            smallest = largest * float(self.eps)
        if not largest > 0.0:
            return np.full(self.alphas, NO_ALPHA)
        return np.geomspace(largest, smallest, self.alphas)

    def _of_features(self):
        """Return the parameters that may have one value per feature."""
        return {"positive": self.positive, "penalty_factor": self.penalty_factor}

    def _best(self, folds, errors):
        """Return the row and column of the least error; of those that are exact, the first."""
        mean = np.maximum(errors.mean(axis=2), float(self.tol) ** 2 * folds.null_error)
        return np.unravel_index(np.argmin(mean), mean.shape)

    def _extended(self, folds, alphas, errors, l1_ratios):
        """Return alphas and errors, going on while the smallest alpha is the best.

        All paths get as many more, until the penalty that is left tells no more, or they do not
        converge.
        """
        for _ in range(MOST_EXTENSIONS):
            row, last = self._best(folds, errors)
            ratios, error = alphas[:, -1:] / alphas[:, -2:-1], errors[row, last].mean()
            if last < alphas.shape[1] - 1 or ratios[row] == 1.0:
                break
            alone, _ = self._errors(folds, np.zeros((1, 1)), l1_ratios[row : row + 1])
            if abs(alone.mean() - error) <= NO_PENALTY_LEFT * error:
                break
            more = alphas[:, -1:] * ratios ** np.arange(1, self.alphas + 1)
            found, converged = self._errors(folds, more, l1_ratios)
            if not all(converged):
                break
            alphas = np.concatenate([alphas, more], axis=1)
            errors = np.concatenate([errors, found], axis=1)
        return alphas, errors

    def _errors(self, folds, alphas, l1_ratios):
        """Return the mean squared errors, (n_l1_ratio, n_alphas, n_folds).

        Also whether each path of a fold converged.
        """
        n_outputs = folds.data.n_outputs
        options = {
            **self._of_features(), "max_iter": self.max_iter, "tol": float(self.tol),
        }  # fmt: skip
        results = Parallel(n_jobs=self.n_jobs, verbose=int(self.verbose), prefer="threads")(
            delayed(path_errors)(fold, n_outputs, *path, **options)
            for path in zip(alphas, l1_ratios, strict=True)
            for fold in folds.members
        )
        errors, converged = zip(*results, strict=True)
        errors = np.reshape(errors, (len(l1_ratios), len(folds.members), -1))
        return np.moveaxis(errors, 2, 1), converged

    def _warn_of(self, converged):
        """Tell how many paths ran out of iterations, if any did."""
        if not all(converged):
            warnings.warn(
                f"{len(converged) - sum(converged)} of {len(converged)} paths stopped at "
                f"max_iter={self.max_iter} short of tol={float(self.tol):g}. Increase max_iter "
                "or tol, or leave out the smallest alphas.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def get_metadata_routing(self):
        """Return what metadata `fit` takes, and which of it goes to the splitter.

        Returns
        -------
        routing : MetadataRouter
            As scikit-learn's user guide on metadata routing explains.
        """
        mapping = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(splitter=check_cv(self.cv), method_mapping=mapping)
