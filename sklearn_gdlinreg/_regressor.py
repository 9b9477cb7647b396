"""GDLinearRegression: parameters, checks, fit, predict."""

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from ._equations import loss
from ._full_batch import exact_steps
from ._history import History
from ._mini_batch import automatic_steps, textbook_epochs
from ._quadratic import read
from ._steps import Schedule
from ._textbook import textbook_steps
from ._validation import (
    FLOATS,
    check_data,
    check_init,
    check_parameters,
    check_sample_weight,
    hold_out,
)


class GDLinearRegression(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Linear regression by gradient descent on the mean squared error.

    With the default ``learning_rate="auto"`` there is nothing to tune: descent takes exact
    steps with exact momentum in centred, unit-variance coordinates, and ends at the
    least-squares answer, whatever the scale and offset of the features. With a number it is
    the textbook's descent, nothing hidden.

    The objective is a mean over samples and a sum over outputs::

        (1 / n_samples) * ||y - X w - b||^2_F + alpha * ||w||^2_F

    Parameters
    ----------
    alpha : float, default=0.0
        Strength of the L2 penalty, in the range [0, inf), in the units of `SGDRegressor`:
        equal to ``Ridge(alpha=n_samples * alpha)``. The intercept is never penalised.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    learning_rate : "auto" or float, default="auto"
        "auto" takes the exact step. A float in the range (0, inf) is the textbook's:
        ``w -= learning_rate * gradient`` in the units of X and y.
    schedule : {"constant", "invscaling", "adaptive"} or callable, default="constant"
        How a numeric `learning_rate` changes; ignored by "auto". "invscaling" divides it by
        ``sqrt(t + 1)``, where t counts the updates made. "adaptive" divides it by 5 each
        time `n_iter_no_change` iterations in a row fail to lower the loss by `tol`,
        relatively, and ends the fit at a millionth. A callable is given t and returns a
        factor.
    momentum : float, default=0.0
        Momentum of the textbook's update, in the range [0, 1), as in `MLPRegressor`;
        ignored by "auto".
    nesterov : bool, default=False
        Whether that momentum is Nesterov's; ignored by "auto" and without momentum.
    max_iter : int, default=1000
        Most iterations. Reaching it first is a `ConvergenceWarning`.
    tol : float, default=1e-6
        The fit ends when the scale-free gradient of every output, `optimality_`, is at most
        this, or the residual is at most this times the standard deviation of y. Small data
        are descended further, as it costs nothing. 0 asks "auto" for every digit that
        rounding leaves, and the textbook's descent for `max_iter` iterations, without a
        warning.
    n_iter_no_change : int, default=5
        Patience of ``schedule="adaptive"``, in iterations.
    warm_start : bool, default=False
        Whether to start from the solution of the last fit.
    verbose : int, default=0
        Whether to print a line an iteration.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        Coefficients, in units of y per unit of X; one row an output if y is 2D.
    intercept_ : float or ndarray of shape (n_outputs,)
        Intercept, in units of y; 0 with ``fit_intercept=False``.
    n_features_in_ : int
        Number of features seen by fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has names that are all strings.
    n_iter_ : int
        Number of iterations.
    t_ : int
        Number of updates of the coefficients; one an iteration.
    loss_curve_ : list of float
        The objective after each iteration, in squared units of y.
    learning_rate_ : float or ndarray of shape (n_outputs,)
        The last step used. With "auto", of each output, in standardised coordinates.
    optimality_ : float
        The largest scale-free gradient of an output at the solution, worked out from the
        data: the norm of the correlations between residual and standardised features; 0 at
        the optimum. The objective exceeds the optimum by at most ``optimality_ ** 2``,
        relatively, over the least eigenvalue of the correlation matrix of the features.
    stop_reason_ : {"tol", "max_iter", "precision", "learning_rate"}
        Why the fit ended: converged; out of iterations; rounding errors allow no more;
        an adaptive rate ran out.
    engine_ : str
        What supplied the gradients: "moments", "passes" or "moments+passes".

    See Also
    --------
    sklearn.linear_model.LinearRegression : Least squares by an orthogonal solve.
    sklearn.linear_model.Ridge : The same objective with several direct solvers.
    sklearn.linear_model.SGDRegressor : Stochastic descent, one output, other losses.

    Notes
    -----
    Where there are many minimisers, "auto" finds the smallest in standardised coordinates,
    and the textbook's descent from zeros the smallest in those of X.

    Dense X is never copied, sparse X never made dense; CSC and COO are converted to CSR.
    float32 X gives float32 coefficients; sums are in float64 all the same.

    References
    ----------
    .. [1] Hestenes, M. R. and Stiefel, E. (1952). Methods of conjugate gradients for
       solving linear systems. J. Res. Nat. Bur. Standards 49, 409-436.
    .. [2] Paige, C. C. and Saunders, M. A. (1982). LSQR: an algorithm for sparse linear
       equations and sparse least squares. ACM Trans. Math. Software 8, 43-71.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from sklearn_gdlinreg import GDLinearRegression
    >>> X, y = load_linnerud(return_X_y=True)
    >>> model = GDLinearRegression().fit(X, y)
    >>> model.coef_.shape
    (3, 3)
    >>> print(f"{model.score(X, y):.4f}")
    0.2969
    """

    _doc_link_module = "sklearn_gdlinreg"
    _doc_link_template = (
        "https://sklearn-gdlinreg.readthedocs.io/en/stable/api.html"
        "#{estimator_module}.{estimator_name}"
    )

    def __init__(
        self,
        *,
        alpha=0.0,
        fit_intercept=True,
        batch_size=None,
        learning_rate="auto",
        schedule="constant",
        momentum=0.0,
        nesterov=False,
        average="auto",
        max_iter=1000,
        tol=1e-6,
        n_iter_no_change=5,
        early_stopping=False,
        validation_fraction=0.1,
        shuffle=True,
        random_state=None,
        warm_start=False,
        verbose=0,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.momentum = momentum
        self.nesterov = nesterov
        self.average = average
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.shuffle = shuffle
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = False
        return tags

    def fit(self, X, y, sample_weight=None, *, coef_init=None, intercept_init=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. float32 and float64 are used as they are.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets; cast to the type of X.
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Weights, not negative, not all zero. An integer weight equals a repeated row.
        coef_init : array-like of the shape of `coef_`, default=None
            Coefficients to start from, instead of zeros.
        intercept_init : float or array-like of shape (n_outputs,), default=None
            Intercept to start from, instead of zeros. With ``learning_rate="auto"`` it is
            checked and not needed: the best intercept is known throughout.

        Returns
        -------
        self : GDLinearRegression
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or an input is not allowed, or a numeric `learning_rate` is so
            long that the loss grows without bound. A fitted estimator is left as it was.
        """
        before = self.__dict__.copy()
        try:
            return self._fit(X, y, sample_weight, coef_init, intercept_init)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _fit(self, X, y, sample_weight, coef_init, intercept_init):
        check_parameters(self)
        fitted = vars(self).get("coef_") if self.warm_start else None
        X, y = check_data(self, X, y)
        sample_weight = check_sample_weight(sample_weight, X.shape[0])
        Y = y.reshape(-1, 1) if y.ndim == 1 else y
        W, b = self._start(fitted, coef_init, intercept_init, X.shape[1], y)
        history = History(max_iter=self.max_iter, tol=self.tol, verbose=self.verbose)
        batches = self.batch_size is not None
        if self.early_stopping and not batches:
            raise ValueError("early_stopping=True needs batch_size. Got batch_size=None.")
        if batches and (self.early_stopping or self.batch_size < X.shape[0]):
            W, b, step = self._descend_in_batches(W, b, (X, Y, sample_weight), history)
        else:
            W, b, step = self._descend_in_full(W, b, (X, Y, sample_weight), history)
        if not (np.isfinite(W).all() and np.isfinite(b).all()):
            raise ValueError(
                "The coefficients overflow: X and y differ by too many orders of magnitude."
            )
        self._store(W, b, step, y.ndim, X.dtype)
        self.loss_curve_ = history.losses
        if self.early_stopping:
            self.validation_loss_curve_ = history.validation_losses
        else:
            vars(self).pop("validation_loss_curve_", None)
        self.n_iter_ = len(history.losses)
        self.optimality_, self.stop_reason_ = history.optimality, history.stop_reason
        return self

    def _read(self, X, Y, sample_weight, n_steps):
        """Return coordinates, moments and passes; see `_quadratic.read`."""
        return read(
            X, Y, sample_weight, alpha=float(self.alpha),
            fit_intercept=bool(self.fit_intercept), raw=self.learning_rate != "auto",
            n_steps=n_steps,
        )  # fmt: skip

    def _schedule(self):
        return Schedule(
            self.schedule,
            float(self.learning_rate),
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
        )

    def _descend_in_full(self, W, b, data, history):
        """Return W, b and the step of each output."""
        problem = self._read(*data, n_steps=self.max_iter)
        if self.learning_rate == "auto":
            coordinates = problem[0]
            V, step, engine = exact_steps(coordinates.from_model(W), *problem, history)
            W, b = coordinates.to_model(V)
        else:
            schedule = self._schedule()
            W, b, engine = textbook_steps(
                W, b, *problem, schedule, history,
                momentum=self.momentum, nesterov=self.nesterov,
            )  # fmt: skip
            step = np.full(W.shape[1], schedule.rate)
        self.engine_, self.t_ = engine, len(history.losses)
        history.warn(textbook=self.learning_rate != "auto")
        return W, b, step

    def _descend_in_batches(self, W, b, data, history):
        """Return W, b and the step of each output."""
        rng, validate = check_random_state(self.random_state), None
        if self.early_stopping:
            fraction = self.validation_fraction
            data, (X, Y, weight) = hold_out(*data, fraction=fraction, rng=rng)

            def validate(W, b):
                return float(loss(X, Y, W, b, weight))

        coordinates, _, passes = self._read(*data, n_steps=0)
        automatic = self.learning_rate == "auto"
        options = {
            "alpha": float(self.alpha),
            "batch_size": min(int(self.batch_size), data[0].shape[0]),
            "shuffle": bool(self.shuffle),
            "rng": rng,
            "average": automatic if self.average == "auto" else bool(self.average),
            "n_iter_no_change": self.n_iter_no_change,
            "validate": validate,
        }
        if automatic:
            W, b, step, self.t_ = automatic_steps(W, coordinates, passes, history, **options)
        else:
            schedule = self._schedule()
            options["momentum"] = {"momentum": self.momentum, "nesterov": self.nesterov}
            problem = coordinates, passes, schedule, history
            W, b, self.t_ = textbook_epochs(W, b, *problem, **options)
            step = schedule.rate
        self.engine_ = "mini-batch"
        history.warn_of_epochs(self.n_iter_no_change)
        return W, b, np.full(W.shape[1], step)

    def _start(self, fitted, coef_init, intercept_init, n_features, y):
        """Return the W and b from which descent starts."""
        n_outputs = 1 if y.ndim == 1 else y.shape[1]
        shape = (n_outputs, n_features)
        W, b = np.zeros(shape), np.zeros(n_outputs)
        if fitted is not None:
            if np.atleast_2d(fitted).shape != shape:
                raise ValueError(
                    "With warm_start=True, X and y must keep the features and outputs of "
                    f"the last fit: expected coefficients of shape {fitted.shape}, got data "
                    f"for {(n_features,) if y.ndim == 1 else shape}."
                )
            W = np.atleast_2d(fitted).astype(np.float64)
            b = np.atleast_1d(self.intercept_).astype(np.float64) + b
        if coef_init is not None:
            W = check_init(coef_init, "coef_init", shape)
        if intercept_init is not None:
            b = check_init(intercept_init, "intercept_init", (n_outputs,))
        return W.T.copy(), b if self.fit_intercept else np.zeros(n_outputs)

    def _store(self, W, b, step, y_ndim, dtype):
        """Set the solution in the shapes and the type that users expect."""
        coef = np.ascontiguousarray(W.T, dtype=dtype)
        self.coef_ = coef[0] if y_ndim == 1 else coef
        self.intercept_ = dtype.type(b[0]) if y_ndim == 1 else b.astype(dtype)
        self.learning_rate_ = float(step[0]) if y_ndim == 1 else step

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
        return safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
