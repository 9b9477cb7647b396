"""A fitted linear model: its coefficients, and what is done with them."""

import numpy as np
from scipy import sparse
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils import check_array
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from ._validation import FLOATS


def solution(W, b, y_ndim, dtype):
    """Return `coef_` and `intercept_` in the shapes and the type that users expect.

    Parameters
    ----------
    W, b : ndarray of shape (M, D) and (D,)
    y_ndim : int, 1 or 2
    dtype : numpy.dtype
    """
    coef = np.ascontiguousarray(W.T, dtype=dtype)
    if y_ndim == 1:
        return {"coef_": coef[0], "intercept_": dtype.type(b[0])}
    return {"coef_": coef, "intercept_": b.astype(dtype)}


def fitted_coef(estimator):
    """Return `coef_` as an ndarray, (n_features,) or (n_outputs, n_features); None before."""
    coef = vars(estimator).get("coef_")
    if not sparse.issparse(coef):
        return coef
    return coef.toarray().reshape((*np.shape(estimator.intercept_), -1))


class LinearModel(MultiOutputMixin, RegressorMixin):
    """Mixin of estimators that have `coef_` and `intercept_`."""

    _doc_link_module = "sklearn_gdlinreg"
    _doc_link_template = (
        "https://sklearn-gdlinreg.readthedocs.io/en/stable/api.html"
        "#{estimator_module}.{estimator_name}"
    )

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
        X = validate_data(
            self, X, accept_sparse=["csr", "csc", "coo"], dtype=FLOATS, reset=False
        )
        y = safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        return y.ravel() if np.ndim(self.intercept_) == 0 else y

    def score(self, X, y, sample_weight=None):
        """Return the coefficient of determination, R squared, averaged over the outputs.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        score : float
            1 at best; 0 is as good as the mean of y.

        Raises
        ------
        ValueError
            If a target is missing: a score needs rows where all outputs are observed.
        """
        y_seen = check_array(
            y, dtype=None, ensure_2d=False, ensure_all_finite="allow-nan", input_name="y"
        )
        missing = np.isnan(y_seen) if y_seen.dtype.kind == "f" else np.zeros(1, bool)
        if missing.any():
            rows = missing.any(axis=1) if missing.ndim == 2 else missing
            raise ValueError(
                "score needs rows where all outputs of y are observed. Got NaN in "
                f"{np.count_nonzero(rows)} of {len(rows)} rows. Score on the observed rows, "
                "or each output on its own."
            )
        return super().score(X, y, sample_weight)

    def sparsify(self):
        """Store `coef_` as a CSR matrix: less memory where most of it is zero.

        Predictions stay the same, and so does fitting again.

        Returns
        -------
        self : estimator
            With `coef_` of shape (1, n_features) or (n_outputs, n_features).
        """
        check_is_fitted(self)
        self.coef_ = sparse.csr_array(np.atleast_2d(fitted_coef(self)))
        return self

    def densify(self):
        """Store `coef_` as an ndarray again, undoing `sparsify`.

        Returns
        -------
        self : estimator
            With `coef_` of shape (n_features,) or (n_outputs, n_features).
        """
        check_is_fitted(self)
        self.coef_ = fitted_coef(self)
        return self
