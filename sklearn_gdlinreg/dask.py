"""GDLinearRegression on Dask collections, which are never gathered."""

import copy
from dataclasses import replace

try:
    import dask.array as da
except ImportError as error:
    raise ImportError(
        'sklearn_gdlinreg.dask needs Dask. Install it with: pip install "sklearn_gdlinreg[dask]"'
    ) from error

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from ._fit import fit_rows, history_of, start
from ._input.containers import assert_finite_targets
from ._input.dask_dataset import check_columns, check_features, data_of, in_floats, is_dask
from ._input.parameters import CONSTRAINTS, restored_on_error
from ._input.settings import Settings
from ._linear_model import Coefficients, fitted_coef, linear, solution, store
from ._regressor import GDLinearRegression
from ._rows.dask import check_chunk, naming
from ._scoring import averaged, sums_of_squares
from ._stream.kept import keep_learnt


class DaskGDLinearRegression(Coefficients, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Linear regression by full-batch descent on Dask collections.

    It gives the same answer as `GDLinearRegression`, for X and y that are chunked by rows, on
    any scheduler of Dask. X is never gathered: moments need one reduction over the chunks, and
    so does each pass if passes are cheaper. Only a few chunks are in memory at a time, and
    none on the client. Every reduction reads the chunks again; persist X if it fits into the
    memory of the workers.

    Parameters
    ----------
    alpha : float or array-like of shape (n_outputs,), default=0.0
        Strength of the penalty, as in `GDLinearRegression`.
    l1_ratio : float, default=0.0
        Share of the L1 penalty, in the range [0, 1].
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    positive : bool or array-like of bool of shape (n_features,), default=False
        Whether coefficients must not be negative; an array has one value per feature.
    penalty_factor : array-like of shape (n_features,), default=None
        Factor of `alpha` for each feature, in the range [0, inf). None means 1 for all.
    learning_rate : "auto" or float, default="auto"
        "auto" makes exact steps; a float is the textbook's learning rate.
    schedule : {"constant", "invscaling", "adaptive"} or callable, default="constant"
        How a numeric `learning_rate` changes.
    momentum : float, default=0.0
        Momentum of the textbook's update, in the range [0, 1).
    nesterov : bool, default=False
        Whether to use Nesterov's momentum.
    max_iter : int, default=1000
        Maximum number of iterations.
    tol : float, default=1e-6
        The fit ends when `optimality_` is at most this for every output. 0 asks "auto" for
        all digits that rounding allows, and a numeric `learning_rate` for `max_iter`
        iterations.
    n_iter_no_change : int, default=5
        Number of iterations without improvement that ``schedule="adaptive"`` allows.
    missing_targets : {"error", "ignore"}, default="error"
        What to do with NaN in y. With "ignore" each output is fitted on the rows in which it
        is observed.
    warm_start : bool, default=False
        Whether to start from the solution of the last fit.
    verbose : int, default=0
        1 prints some of the iterations, 2 all.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        Coefficients, in units of y per unit of X.
    intercept_ : float or ndarray of shape (n_outputs,)
        Intercept, in units of y.
    n_features_in_ : int
        Number of features seen by fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X is a dataframe whose names are all strings.
    n_iter_, t_ : int
        Number of iterations, and of updates.
    loss_curve_ : list of float
        The objective after each iteration, in squared units of y; the last entry is that of
        the returned model.
    learning_rate_ : float or ndarray of shape (n_outputs,)
        The length of the last step.
    optimality_ : float
        How far the returned model is from the optimum, computed from the data, as in
        `GDLinearRegression`.
    stop_reason_ : str
        Why the fit ended, as in `GDLinearRegression`.
    engine_ : str
        What ran: "moments", "passes" or "moments+passes".

    See Also
    --------
    sklearn_gdlinreg.GDLinearRegression : The same on data in memory.

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn_gdlinreg.dask import DaskGDLinearRegression
    >>> X = da.random.default_rng(0).normal(size=(1000, 3), chunks=(100, 3))
    >>> y = X.sum(axis=1)
    >>> DaskGDLinearRegression().fit(X, y).coef_.round(6).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(
        self,
        *,
        alpha=0.0,
        l1_ratio=0.0,
        fit_intercept=True,
        positive=False,
        penalty_factor=None,
        learning_rate="auto",
        schedule="constant",
        momentum=0.0,
        nesterov=False,
        max_iter=1000,
        tol=1e-6,
        n_iter_no_change=5,
        missing_targets="error",
        warm_start=False,
        verbose=0,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_factor = penalty_factor
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.momentum = momentum
        self.nesterov = nesterov
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.missing_targets = missing_targets
        self.warm_start = warm_start
        self.verbose = verbose

    def fit(self, X, y, sample_weight=None, *, coef_init=None, intercept_init=None):
        """Fit the model.

        Parameters
        ----------
        X : dask.array or dask.dataframe of shape (n_samples, n_features)
            Training data, chunked along rows only. Chunks may be CSR matrices.
        y : dask.array, dask.dataframe or array of shape (n_samples,) or (n_samples, n_outputs)
            Targets, in the chunks of X.
        sample_weight : dask.array, array of shape (n_samples,) or float, default=None
            Weights, not negative, not all zero.
        coef_init : array-like of the shape of `coef_`, default=None
            Coefficients to start from, instead of zeros.
        intercept_init : float or array-like of shape (n_outputs,), default=None
            Intercept to start from, instead of zeros.

        Returns
        -------
        self : DaskGDLinearRegression
            The fitted estimator.

        Raises
        ------
        TypeError
            If X is not a Dask collection.
        ValueError
            If a parameter or an input is not allowed (the message names the chunk), or if the
            coefficients overflow the dtype of X. A fitted estimator is left as it was.
        """
        with restored_on_error(self):
            names = [name for name in self.get_params(deep=False) if name in CONSTRAINTS]
            settings = Settings.of(self, names)
            fitted = fitted_coef(self) if self.warm_start else None
            check_features(self, X, reset=True)
            data, X, y = data_of(X, y, sample_weight, missing_targets=settings.missing_targets)
            like, M = np.empty((0, *y.shape[1:])), self.n_features_in_
            W, b = start(self, settings, fitted, coef_init, intercept_init, M, like)
            history = history_of(settings, data)
            model = fit_rows(settings, W, b, data, history)
            attributes = solution(model.W, model.b, like, data.dtype)
            store(self, attributes, model.step, history)
            self.t_, self.engine_ = model.n_updates, model.engine
            keep_learnt(self, settings, model.groups, data)
            history.end()
        return self

    def predict(self, X):
        """Predict the targets of X, lazily if X is lazy.

        Parameters
        ----------
        X : dask.array, dask.dataframe or any X that `GDLinearRegression.predict` accepts
            Samples, of shape (n_samples, n_features).

        Returns
        -------
        y : dask.array, or ndarray if X is in memory
            Predictions, of shape (n_samples,) or (n_samples, n_outputs), in units of y.
        """
        check_is_fitted(self)
        if not is_dask(X):
            return self.to_local().predict(X)
        check_features(self, X, reset=False)
        X = X if isinstance(X, da.Array) else in_floats(X).to_dask_array()
        check_columns(X, "X")
        one = self.intercept_.ndim == 0
        dtype = np.result_type(self.coef_.dtype, np.float32 if X.dtype == np.float32 else float)
        return X.map_blocks(
            _predict_chunk, self.coef_, self.intercept_, dtype=dtype,
            drop_axis=1 if one else None,
            chunks=None if one else (X.chunks[0], (len(self.intercept_),)),
            meta=np.empty((0,) if one else (0, 0), dtype),
        )  # fmt: skip

    def score(self, X, y, sample_weight=None):
        """Return the coefficient of determination, R squared, averaged over the outputs.

        Sums are in float64. With ``missing_targets="ignore"`` the score of each output is
        computed on the rows in which it is observed, as in `GDLinearRegression`.

        Parameters
        ----------
        X : dask.array or dask.dataframe of shape (n_samples, n_features)
            Samples.
        y : dask.array, dask.dataframe or array of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        sample_weight : dask.array, array of shape (n_samples,) or float, default=None
            Weights.

        Returns
        -------
        score : float
            The best value is 1; 0 is as good as the mean of y.
        """
        check_is_fitted(self)
        if not is_dask(X):
            return self.to_local().score(X, y, sample_weight)
        check_features(self, X, reset=False)
        data, *_ = data_of(X, y, sample_weight, missing_targets="error")
        if data.n_outputs != self.intercept_.size:
            raise ValueError(
                f"y must have {self.intercept_.size} outputs, as in fit. Got {data.n_outputs}."
            )
        missing = self.missing_targets == "ignore"
        chunks = replace(data.chunks, dtype=np.dtype(np.float64), missing=missing)
        question = self.coef_, self.intercept_, missing
        found = chunks.reduce(_score, _merge_scores, *question)
        if found is None:
            raise ValueError("No row of X and y has a positive weight.")
        counts, _, _, spread, error = found
        return averaged(counts, spread, error)

    def to_local(self):
        """Return the fitted model as a `GDLinearRegression`, with the same parameters.

        Returns
        -------
        model : GDLinearRegression
            The fitted model, which predicts in memory.
        """
        check_is_fitted(self)
        local = GDLinearRegression(**self.get_params())
        vars(local).update(copy.deepcopy(_fitted(self)))
        return local


def _fitted(estimator):
    """Return the attributes that fitting has set."""
    own = vars(estimator).items()
    return {name: value for name, value in own if name.endswith("_") and name[0] != "_"}


def _predict(X, coef, intercept):
    """Return the predictions for a chunk."""
    check_chunk(X, "X")
    n_features = coef.shape[-1]
    if X.shape[-1] != n_features:
        raise ValueError(f"The chunks of X must have {n_features} columns. Got {X.shape[-1]}")
    X = check_array(
        X, accept_sparse="csr", dtype=[np.float64, np.float32], ensure_min_samples=0,
        input_name="X",
    )  # fmt: skip
    return linear(X, coef, intercept)


def _predict_chunk(X, coef, intercept, block_id=None):
    """Return the predictions for a chunk of this number."""
    with naming(block_id[0]):
        return _predict(X, coef, intercept)


def _score(chunk, coef, intercept, missing):
    """Return the `sums_of_squares` of a chunk."""
    X, Y, weight = chunk
    weight = np.ones(len(Y)) if weight is None else weight
    prediction = _predict(X, coef, intercept).reshape(Y.shape)
    assert_finite_targets(Y, allow_nan=missing)
    return sums_of_squares(Y, prediction, weight)


def _merge_scores(one, other):
    """Merge two answers of `_scoring` (Chan, Golub & LeVeque, 1983)."""
    (count, n, mean, spread, error), (count_2, m, mean_2, spread_2, error_2) = one, other
    weight, apart = n + m, mean_2 - mean
    of_other = m / np.where(weight > 0, weight, 1.0)
    spread = spread + spread_2 + n * of_other * apart**2
    return count + count_2, weight, mean + apart * of_other, spread, error + error_2
