"""A fitted linear model: its attributes and methods."""

import copy
from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.base import MultiOutputMixin
from sklearn.linear_model import LinearRegression
from sklearn.utils import check_array
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted

from ._base.arrays import copied, detached, is_numpy, namespace, placed_like, to_host
from ._base.compat import ARRAY_API
from ._input.checks import check_features, check_library
from ._input.containers import IGNORE, check_container, unmasked
from ._scoring import score_observed

# How many float32 values `predict` converts to float64 at a time: 2 MB.
WIDENED_ITEMS = 2**18


def solution(W, b, y, dtype):
    """Return `coef_` and `intercept_` in the shape, dtype and device that users expect.

    Parameters
    ----------
    W, b : array of shape (M, D) and (D,)
    y : array of shape (N,) or (N, D), with the library and the device of the results
    dtype : the dtype of X, in the library of W and b
    """
    xp = namespace(W)
    # What users change in place is theirs alone.
    coef, intercept = copied(W.T), xp.astype(copied(b), dtype, copy=False)
    coef, intercept = (
        placed_like(xp.astype(coef, dtype, copy=False), y),
        placed_like(intercept, y),
    )
    if y.ndim == 1:
        return {"coef_": coef[0, :], "intercept_": intercept[0]}
    return {"coef_": coef, "intercept_": intercept}


def store(estimator, attributes, step, history):
    """Set the fitted attributes: the solution, the last steps, and those of the History."""
    for name in ("_stream", "moments_", "validation_loss_curve_"):
        vars(estimator).pop(name, None)
    vars(estimator).update(attributes)
    estimator.learning_rate_ = float(step[0]) if estimator.intercept_.ndim == 0 else step
    estimator.loss_curve_, estimator.n_iter_ = history.losses, len(history.losses)
    if history.validation is not None:
        estimator.validation_loss_curve_ = history.validation.losses
    estimator.optimality_, estimator.stop_reason_ = history.optimality, history.stop_reason


def fitted_coef(estimator):
    """Return `coef_` as a dense array, or None if the estimator is not fitted."""
    coef = vars(estimator).get("coef_")
    if not sparse.issparse(coef):
        return coef
    return coef.toarray().reshape((*np.shape(estimator.intercept_), -1))


def linear(X, coef, intercept):
    """Return the predictions of a model, with one column per entry of `intercept_`.

    Parameters
    ----------
    X : array or sparse matrix of shape (N, M)
    coef, intercept : `coef_`, which may be sparse, and `intercept_`
    """
    if not (sparse.issparse(coef) or is_numpy(coef)) and X.dtype != coef.dtype:
        # Unlike NumPy, not all libraries multiply arrays of different dtypes.
        xp = namespace(coef)
        dtype = xp.result_type(X, coef)
        X, coef, intercept = (xp.astype(A, dtype, copy=False) for A in (X, coef, intercept))
    W = coef if coef.ndim == 1 else coef.T
    if sparse.issparse(W):
        y = safe_sparse_dot(X, W.astype(np.float64), dense_output=True) + intercept
        y = y.astype(np.result_type(X, W))
    elif X.dtype == W.dtype != namespace(W).float64:
        y = _sum_in_float64(X, W, intercept)
    else:
        y = safe_sparse_dot(X, W, dense_output=True) + intercept
    return y.reshape(-1) if sparse.issparse(coef) and intercept.ndim == 0 else y


def _sum_in_float64(X, W, b):
    """Return X W + b of float32 arrays, summed in float64, in the dtype of X.

    Nearly equal features may have large coefficients, which cancel in the sum.
    """
    xp = namespace(W)
    W, b = (xp.astype(A, xp.float64) for A in (W, b))
    if sparse.issparse(X):
        return (X @ W + b).astype(X.dtype)
    N, n_block = X.shape[0], max(1, WIDENED_ITEMS // X.shape[1])
    blocks = (X[i : min(i + n_block, N), ...] for i in range(0, max(N, 1), n_block))
    return xp.concat([xp.astype(xp.astype(x, xp.float64) @ W + b, X.dtype) for x in blocks])


class Coefficients:
    """Mixin of fitted models with `coef_` and `intercept_`, in memory or on Dask."""

    _doc_link_module = "sklearn_gdlinreg"
    _doc_link_template = (
        "https://sklearn-gdlinreg.readthedocs.io/en/stable/generated/"
        "{estimator_module}.{estimator_name}.html"
    )

    @property
    def sparse_coef_(self):
        """Coefficients as a CSR matrix of SciPy.

        It has the shape (1, n_features) or (n_outputs, n_features), as in `ElasticNet`. `coef_`
        stays as it is; `sparsify` replaces it.
        """
        check_is_fitted(self)
        return sparse.csr_array(np.atleast_2d(to_host(fitted_coef(self))))

    def to_sklearn(self):
        """Return the fitted model as scikit-learn's `LinearRegression`.

        It is for libraries that recognise scikit-learn's own classes only. The model is a copy:
        changing one of the two does not change the other.

        Returns
        -------
        model : LinearRegression
            A fitted model with `coef_` and `intercept_` as NumPy arrays of type float64. It
            makes the same predictions, and returns them in float64. It has `n_features_in_`
            and, if there are names, `feature_names_in_`, but neither `rank_` nor `singular_`,
            since no singular values are computed. Fitting it again does not use a penalty.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.

        Examples
        --------
        >>> from sklearn.datasets import load_linnerud
        >>> from sklearn_gdlinreg import GDLinearRegression
        >>> X, y = load_linnerud(return_X_y=True)
        >>> model = GDLinearRegression().fit(X, y)
        >>> plain = model.to_sklearn()
        >>> plain
        LinearRegression()
        >>> print(plain.predict(X[:1]).round(4), model.predict(X[:1]).round(4))
        [[176.1565  35.0551  57.0863]] [[176.1565  35.0551  57.0863]]
        """
        check_is_fitted(self)
        model = LinearRegression(fit_intercept=bool(self.fit_intercept))
        model.coef_ = np.array(to_host(fitted_coef(self)), dtype=np.float64)
        # A scalar intercept has the same type as that of LinearRegression.
        model.intercept_ = np.array(to_host(self.intercept_), dtype=np.float64)[()]
        model.n_features_in_ = self.n_features_in_
        if hasattr(self, "feature_names_in_"):
            model.feature_names_in_ = self.feature_names_in_.copy()
        return model


class LinearModel(Coefficients, MultiOutputMixin):
    """Mixin of regressors that fit data in memory, before `RegressorMixin`."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = ARRAY_API
        return tags

    @property
    def penalty(self):
        """The kind of penalty, "l1", "l2" or "elasticnet", or None if it is not known yet.

        `SelectFromModel` uses it: with an L1 penalty, it keeps the features whose coefficients
        are not zero. It is not a parameter; set `l1_ratio` instead.
        """
        l1_ratio = getattr(self, "l1_ratio_", self.l1_ratio)
        if not isinstance(l1_ratio, Real):
            return None
        if np.isclose(float(l1_ratio), 1.0):
            return "l1"
        return "elasticnet" if l1_ratio else "l2"

    def __copy__(self):
        """Return a shallow copy, but copy a stream, since updates change it in place."""
        other = type(self).__new__(type(self))
        vars(other).update(vars(self))
        if "_stream" in vars(self):
            other._stream = copy.deepcopy(self._stream)
        return other

    def predict(self, X):
        """Predict the targets of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions, in units of y; float32 if X and the model are.
        """
        check_is_fitted(self)
        X = check_features(self, X, accept_sparse=["csr", "csc", "coo"], reset=False)
        check_library(self, X, "predict")
        return linear(X, self.coef_, self.intercept_)

    def score(self, X, y, sample_weight=None):
        """Return the coefficient of determination, R squared, averaged over the outputs.

        With ``missing_targets="ignore"`` that of each output is over the rows where it is
        observed. An output with fewer than two such rows does not count.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets. NaN with ``missing_targets="ignore"`` only.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        score : float
            1 at best; 0 is as good as the mean of y.

        Raises
        ------
        ValueError
            If a target is missing, unless ``missing_targets="ignore"``.
        """
        check_container(y, "y")
        y = check_array(
            unmasked(detached(y), "y", missing=True),
            ensure_2d=False, ensure_all_finite="allow-nan", input_name="y",
        )  # fmt: skip
        xp = namespace(y)
        if not (xp.isdtype(y.dtype, "real floating") and xp.any(xp.isnan(y))):
            return super().score(X, y, sample_weight)
        if getattr(self, "missing_targets", "error") == "error":
            raise ValueError(f"Input y contains NaN. {IGNORE}")
        return score_observed(y, self.predict(X), sample_weight)

    def sparsify(self):
        """Store `coef_` as a CSR matrix, which takes less memory if most of it is zero.

        Predictions stay the same, and so does fitting again.

        Returns
        -------
        self : estimator
            With `coef_` of shape (1, n_features) or (n_outputs, n_features).

        Raises
        ------
        TypeError
            If `coef_` is not an array of NumPy, because SciPy supports no other arrays.
        """
        check_is_fitted(self)
        if not (sparse.issparse(self.coef_) or is_numpy(self.coef_)):
            raise TypeError(
                "sparsify makes coef_ a SciPy matrix, which is possible for NumPy arrays only. "
                f"Got an array of {namespace(self.coef_).__name__}."
            )
        self.coef_ = sparse.csr_array(np.atleast_2d(fitted_coef(self)))
        return self

    def densify(self):
        """Store `coef_` as a dense array again, undoing `sparsify`.

        Returns
        -------
        self : estimator
            With `coef_` of shape (n_features,) or (n_outputs, n_features).
        """
        check_is_fitted(self)
        self.coef_ = fitted_coef(self)
        return self
