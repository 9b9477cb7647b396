"""The models along a path of penalties, with their certificates."""

import warnings
from dataclasses import replace
from numbers import Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ._cross_validation.progress import Progress
from ._cross_validation.search import Search
from ._fit import fit_rows, history_of
from ._input.checks import check_data, check_sample_weight
from ._input.dataset import Data
from ._input.parameters import CV_CONSTRAINTS, check_parameters
from ._input.settings import Settings


class PenaltyPath:
    """Mixin of `GDLinearRegressionCV` with the function `path`."""

    @classmethod
    def path(
        cls, X, y, *, l1_ratio=0.5, eps=1e-3, alphas=100, sample_weight=None,
        fit_intercept=True, positive=False, penalty_factor=None, max_iter=1000, tol=1e-6,
        missing_targets="error",
    ):  # fmt: skip
        """Return the coefficients for each alpha of a path, as `ElasticNet.path` does.

        Each model starts from that of the previous alpha, and is certified on the data. Unlike
        `ElasticNet.path`, it fits an intercept by default, so the data need not be centred.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets. All outputs share the alphas.
        l1_ratio : float, default=0.5
            Share of the L1 penalty, in the range [0, 1].
        eps : float, default=1e-3
            The ratio of the smallest alpha to the largest; ignored for ``l1_ratio=0``.
        alphas : int or array-like of shape (n_alphas,), default=100
            Number of alphas, or the alphas themselves; see `GDLinearRegressionCV`.
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Weights, not negative, not all zero.
        fit_intercept : bool, default=True
            Whether to fit an intercept, which is not returned: it is
            ``y.mean(axis=0) - X.mean(axis=0) @ coef`` with the weighted means.
        positive : bool or array-like of bool of shape (n_features,), default=False
            Whether coefficients must not be negative; an array has one value per feature.
        penalty_factor : array-like of shape (n_features,), default=None
            Factor of alpha for each feature. None means 1 for all.
        max_iter : int, default=1000
            Maximum number of iterations for each alpha.
        tol : float, default=1e-6
            The `optimality_` at which the descent for an alpha ends.
        missing_targets : {"error", "ignore"}, default="error"
            What to do with NaN in y; "ignore" is as in `GDLinearRegression`.

        Returns
        -------
        alphas : ndarray of shape (n_alphas,)
            The alphas, from the largest to the smallest.
        coefs : ndarray of shape (n_features, n_alphas) or (n_outputs, n_features, n_alphas)
            The coefficients, with the second shape if y is 2D.
        certificates : ndarray of shape (n_alphas,)
            The `optimality_` of each model, which is that of its worst output.

        Raises
        ------
        ValueError
            If a parameter or an input is not allowed.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn_gdlinreg import GDLinearRegressionCV
        >>> X, y = load_diabetes(return_X_y=True)
        >>> alphas, coefs, certificates = GDLinearRegressionCV.path(X, y, alphas=20)
        >>> coefs.shape
        (10, 20)
        >>> print(f"{certificates.max():.5f}")
        0.00000
        """
        estimator = cls(
            l1_ratio=l1_ratio, eps=eps, alphas=alphas, fit_intercept=fit_intercept,
            positive=positive, penalty_factor=penalty_factor, max_iter=max_iter, tol=tol,
            missing_targets=missing_targets,
        )  # fmt: skip
        given = {name: getattr(estimator, name) for name in CV_CONSTRAINTS}
        check_parameters(given, CV_CONSTRAINTS, cls.__name__)
        if not isinstance(l1_ratio, Real):
            raise ValueError(f"path takes one l1_ratio, a float. Got {l1_ratio!r}.")
        X, y = check_data(estimator, X, y)
        weight = check_sample_weight(sample_weight, X)
        data = Data.of(X, y, weight, missing_targets=missing_targets)
        alphas, W, certificates = _follow(estimator, data)
        coefs = np.moveaxis(np.stack(W), 0, 2).astype(data.dtype, copy=False)
        coefs = coefs[:, 0] if y.ndim == 1 else np.swapaxes(coefs, 0, 1)
        return alphas, coefs, certificates


def _follow(estimator, data):
    """Return the alphas, (A,), the W of each alpha, (M, D), and its optimality, (A,)."""
    search = Search.of(estimator, data, [], Progress(0, None), None)
    alphas, models, certificates, short = search.grid()[0, :, 0], [], [], 0
    if len(search.groups) == 1:
        folds = search.groups[0][1]
        data = replace(folds.data, gathered=(folds.rows, folds.whole))
    W, b = np.zeros((data.X.shape[1], data.n_outputs)), np.zeros(data.n_outputs)
    for alpha in alphas:
        settings = Settings.with_penalty(estimator, float(alpha), float(estimator.l1_ratio))
        history = history_of(settings, data)
        model = fit_rows(settings, W, b, data, history)
        W, b = model.W.astype(np.float64), model.b.astype(np.float64)
        models.append(W)
        certificates.append(history.optimality)
        short += history.stop_reason == "max_iter"
    if short:
        warnings.warn(
            f"{short} of {len(alphas)} fits stopped at max_iter={estimator.max_iter} short of "
            f"tol={float(estimator.tol):g}. Increase max_iter or tol, or leave out the smallest "
            "alphas.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return np.array(alphas), models, np.array(certificates)
