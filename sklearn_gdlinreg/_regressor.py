"""GDLinearRegression: what users see of it."""

from sklearn.base import BaseEstimator, RegressorMixin

from ._base.compat import CallbackSupportMixin, with_callbacks
from ._exact_stream import merge
from ._fit import fit
from ._input.parameters import restored_on_error
from ._linear_model import LinearModel
from ._partial_fit import partial_fit


class GDLinearRegression(CallbackSupportMixin, LinearModel, RegressorMixin, BaseEstimator):
    """Linear regression by gradient descent on the mean squared error.

    With the default ``learning_rate="auto"`` there is nothing to tune. The fit converges to
    the least-squares solution, whatever the scale and offset of the features. With a number
    it is the plain descent of textbooks.

    The objective is a mean over samples and a sum over outputs::

        (1 / n_samples) * ||y - X w - b||^2_F
        + alpha * (2 * l1_ratio * ||w||_1 + (1 - l1_ratio) * ||w||^2_F)

    Parameters
    ----------
    alpha : float or array-like of shape (n_outputs,), default=0.0
        Strength of the penalty, in the range [0, inf), in the units of `ElasticNet` and
        `SGDRegressor`; an array has one value per output. The intercept is never penalised.
    l1_ratio : float, default=0.0
        Share of the L1 penalty, in the range [0, 1]. With 0 the model is that of
        ``Ridge(alpha=n_samples * alpha)``, otherwise that of ``ElasticNet(alpha, l1_ratio)``.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    positive : bool or array-like of bool of shape (n_features,), default=False
        Whether coefficients must not be negative; an array has one value per feature.
    penalty_factor : array-like of shape (n_features,), default=None
        Factor of `alpha` for each feature, in the range [0, inf). With 0 a feature has no
        penalty. The factors are not rescaled. None means 1 for all. With an L2 penalty and a
        numeric `learning_rate`, each sparse mini-batch takes O(n_features) operations.
    batch_size : int, default=None
        Number of rows in a mini-batch. None means full batches, and an exact `partial_fit`.
    learning_rate : "auto" or float, default="auto"
        "auto" makes exact steps in full batches, and in mini-batches constant steps that are
        short enough for any data. A float in the range (0, inf) is the textbook's:
        ``w -= learning_rate * gradient`` in the units of X and y.
    schedule : {"constant", "invscaling", "adaptive"} or callable, default="constant"
        How a numeric `learning_rate` changes; ignored with "auto". "invscaling" divides it by
        ``sqrt(t + 1)``, where t is the number of updates so far. "adaptive" divides it by 5
        each time `n_iter_no_change` iterations in a row fail to lower the loss by a relative
        `tol`, and ends the fit at a millionth of the first rate. A callable maps t to a factor.
    momentum : float, default=0.0
        Momentum of the textbook's update, in the range [0, 1), as in `MLPRegressor`;
        ignored with "auto". With it, each mini-batch of sparse X takes O(n_features) operations.
    nesterov : bool, default=False
        Whether to use Nesterov's momentum; ignored with "auto" and without momentum.
    average : "auto" or bool, default="auto"
        Whether mini-batches return the mean of about the last half of the iterates, in which
        the weight of older ones decreases. "auto" is True with ``learning_rate="auto"`` and
        False with a number. Ignored in full batches.
    max_iter : int, default=1000
        Maximum number of iterations, or of epochs in mini-batches, each followed by a pass over
        all rows if steps are variance-reduced. A fit that reaches it before it converges raises
        a `ConvergenceWarning`.
    tol : float, default=1e-6
        Full batches, and variance-reduced mini-batches, end when `optimality_` is at most this
        for every output; small data are fitted more closely. Mini-batches also end when the
        loss has not improved by a relative `tol` in `n_iter_no_change` epochs. 0 asks
        full-batch "auto" for all digits that rounding allows, and other fits for `max_iter`
        iterations, even if they reach the optimum earlier, without a warning at the end.
    n_iter_no_change : int, default=5
        Number of iterations without improvement that mini-batches, `early_stopping` and
        ``schedule="adaptive"`` allow.
    early_stopping : bool, default=False
        Whether to monitor the loss on validation rows, end the fit when it has not improved
        by a relative `tol` in `n_iter_no_change` iterations, and return the best model.
        Validation rows are those passed to `fit`, or else are held out from X.
    validation_fraction : float, default=0.1
        Share of rows to hold out, in the range (0, 1); ignored if `X_val` is passed to `fit`.
    missing_targets : {"error", "ignore"}, default="error"
        What to do with NaN in y. With "ignore" each output is fitted on the rows in which it
        is observed, as if it were fitted alone. Each set of outputs that are missing in the
        same rows needs its own passes over X.
    half_life : float, default=None
        The weight of a row is halved for each `half_life` of weight in later rows, in the
        range (0, inf). None gives all rows the same weight. It applies to `fit`, in the order
        of the rows, and to exact streams.
    shuffle : bool, default=True
        Whether to shuffle the rows in each epoch.
    random_state : int, RandomState instance or None, default=None
        Controls the shuffling and the choice of held-out rows. With an int, the results are
        reproducible for the same number of threads.
    warm_start : bool, default=False
        Whether to start from the solution of the last fit.
    verbose : int, default=0
        1 prints a line per iteration: each of the first 20, then one in 10, then one in 100
        and so on. 2 prints a line for each iteration.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        Coefficients, in units of y per unit of X; one row per output if y is 2D.
    intercept_ : float or ndarray of shape (n_outputs,)
        Intercept, in units of y; 0 with ``fit_intercept=False``.
    n_features_in_ : int
        Number of features seen by fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X has names that are all strings.
    n_iter_ : int
        Number of iterations, of epochs in mini-batches, or of calls of `partial_fit`.
    t_ : int
        Number of updates of the coefficients.
    loss_curve_ : list of float
        The objective after each iteration, in squared units of y. In mini-batches it is that
        of each epoch, with the loss of each row just before the model is updated with it, or
        with variance-reduced steps that of the best model so far. The last entry is the
        objective of the returned model. Empty if no iteration was needed. After `partial_fit`,
        the mean loss of each chunk before the model is updated with it, without the penalty.
    validation_loss_curve_ : list of float
        With `early_stopping`, the loss on the validation rows after each iteration.
    learning_rate_ : float or ndarray of shape (n_outputs,)
        The length of the last step. With "auto", that of each output, in standardised
        coordinates or in the metric of the curvature.
    optimality_ : float
        How far the returned model is from the optimum, computed from the data, for the output
        that is furthest from its optimum. It is the norm of the correlations between residual
        and standardised features, penalty included, or the residual divided by the standard
        deviation of y, whichever is less; 0 at the optimum. Without an L1 penalty and
        `positive`, the objective exceeds the optimum by at most ``optimality_ ** 2`` times the
        variance of y, over the least eigenvalue of the correlation matrix of the features,
        apart from rounding the intercept. After an exact `partial_fit` or `merge` it is
        computed from `moments_`, and includes a bound on their rounding errors.
    stop_reason_ : str
        Why the fit ended. "tol": it converged, `optimality_` is at most `tol` (or 64 units of
        rounding if `tol` is smaller); "no_change": the loss of mini-batches no longer improves;
        "max_iter": out of iterations; "precision": rounding errors, including those of a
        float32 model, do not allow `tol`; "learning_rate": an adaptive one became too small;
        "early_stopping": no improvement on the validation rows; "callback": one asked for it.
    engine_ : str
        What ran: "moments", "passes", "moments+passes", "dual" (fewer rows than features),
        "passes+sample" (both many), "moments+passes+sample", "mini-batch" or "stream", of
        mini-batches.
    moments_ : dict
        The moments of all rows so far, which `partial_fit` and `merge` continue from. Full
        batches with "auto" and without `early_stopping` keep them, at most 1 MB, for up to 500
        columns of X and y. Delete it if a model must not reveal anything of the data.

    See Also
    --------
    sklearn.linear_model.LinearRegression : Least squares by an orthogonal solve.
    sklearn.linear_model.Ridge : L2 penalty, with several direct and iterative solvers.
    sklearn.linear_model.SGDRegressor : Stochastic descent for one output and other losses.

    Notes
    -----
    If there are many minimisers and no L1 penalty, full batches from zeros end at the
    smallest one: in standardised coordinates with "auto", and in those of X with a number.
    With ``positive=True`` they end at one that does not depend on a factor of the weights,
    has equal coefficients for equal columns, and is permuted with the columns.

    Dense X is copied only if rows are held out, and sparse X is never made dense; CSC and
    COO are converted to CSR. float32 X gives float32 coefficients; sums, also in `predict`,
    are in float64. A feature that varies only by rounding errors counts as constant. A
    model with an R squared below 0 on the training rows raises a `ConvergenceWarning`.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from sklearn_gdlinreg import GDLinearRegression
    >>> X, y = load_linnerud(return_X_y=True)
    >>> model = GDLinearRegression().fit(X, y)
    >>> print(f"{model.score(X, y):.4f}")
    0.2969

    A lasso with one alpha per output, mini-batches, and a stream of two chunks:

    >>> lasso = GDLinearRegression(alpha=[50.0, 1.0, 1.0], l1_ratio=1.0).fit(X, y)
    >>> (lasso.coef_ == 0).sum(axis=1)
    array([1, 0, 1])
    >>> batches = GDLinearRegression(batch_size=5, random_state=0).fit(X, y)
    >>> stream = GDLinearRegression().partial_fit(X[:10], y[:10]).partial_fit(X[10:], y[10:])
    >>> print(f"{batches.score(X, y):.1f} {stream.score(X, y):.4f}")
    0.3 0.2969

    With metadata routing, a `Pipeline` can transform validation rows for early stopping:

    >>> from sklearn import config_context
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> with config_context(enable_metadata_routing=True):
    ...     model = GDLinearRegression(early_stopping=True)
    ...     model = model.set_fit_request(X_val=True, y_val=True)
    ...     pipeline = make_pipeline(StandardScaler(), model, transform_input=["X_val"])
    ...     pipeline = pipeline.fit(X[:15], y[:15], X_val=X[15:], y_val=y[15:])

    If targets are missing, each output is fitted on the rows in which it is observed:

    >>> y[:5, 1] = float("nan")
    >>> model = GDLinearRegression(missing_targets="ignore").fit(X, y)
    >>> print(f"{model.score(X, y):.4f}")
    0.2926
    """

    def __init__(
        self, *, alpha=0.0, l1_ratio=0.0, fit_intercept=True, positive=False,
        penalty_factor=None, batch_size=None, learning_rate="auto", schedule="constant",
        momentum=0.0, nesterov=False, average="auto", max_iter=1000, tol=1e-6,
        n_iter_no_change=5, early_stopping=False, validation_fraction=0.1,
        missing_targets="error", half_life=None, shuffle=True, random_state=None,
        warm_start=False, verbose=0,
    ):  # fmt: skip
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_factor = penalty_factor
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
        self.missing_targets = missing_targets
        self.half_life = half_life
        self.shuffle = shuffle
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    def fit(
        self, X, y, sample_weight=None, *, coef_init=None, intercept_init=None,
        X_val=None, y_val=None, sample_weight_val=None,
    ):  # fmt: skip
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. float32 and float64 are used as they are.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets; cast to the type of X. NaN with ``missing_targets="ignore"`` only.
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Weights, not negative, not all zero. An integer weight equals a repeated row.
        coef_init : array-like of the shape of `coef_`, default=None
            Coefficients to start from, instead of zeros.
        intercept_init : float or array-like of shape (n_outputs,), default=None
            Intercept to start from, instead of zeros. With ``learning_rate="auto"`` it is
            checked, but has no effect: the best intercept is always known.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation rows for ``early_stopping=True``, instead of rows of X. In a `Pipeline`,
            ``transform_input=["X_val"]`` transforms them like X.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Targets of the validation rows.
        sample_weight_val : array-like of shape (n_val,) or float, default=None
            Weights of the validation rows.

        Returns
        -------
        self : GDLinearRegression
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or an input is not allowed, a numeric `learning_rate` is so large
            that the loss grows without bound, or the coefficients overflow the dtype of X.
            A fitted estimator is left as it was.
        """
        start_from, validation = (coef_init, intercept_init), (X_val, y_val, sample_weight_val)
        with restored_on_error(self):
            self._fit(X, y, sample_weight, start_from, validation).end()
        return self

    @with_callbacks
    def _fit(self, X, y, sample_weight, start_from, validation):
        """Fit, and return the History; `restored_on_error` sees what callbacks raise, too."""
        return fit(self, X, y, sample_weight, start_from, validation)

    def partial_fit(self, X, y, sample_weight=None):
        """Update the model with a chunk of rows.

        With ``batch_size=None`` and ``learning_rate="auto"``, the defaults, the model is that
        of `fit` on all rows so far, for any chunks: it is computed from the sum of their
        moments. The first call continues from an earlier `fit` that kept its `moments_`. The
        parameters of the penalty, `positive` and `half_life` may change between calls.

        With a `batch_size` it descends in mini-batches, starting from an earlier fit. How
        batches are divided into calls does not matter, except for a smaller last one.
        Parameters that are set later have no effect until the next `fit`; a `coef_` or
        `intercept_` that is set is the new start. With a numeric `learning_rate` and
        ``batch_size=None`` each chunk is a batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A chunk of training data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets of the chunk; cast to the type of X.
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Weights, not negative, not all zero.

        Returns
        -------
        self : GDLinearRegression
            The updated estimator; `n_iter_` counts calls.

        Raises
        ------
        ValueError
            If a parameter or an input is not allowed, a numeric `learning_rate` is too large,
            the coefficients overflow the dtype of X, or an exact stream cannot continue: there
            are no `moments_`, coefficients were set, or the products of the features take more
            than 1 GiB. The estimator is left as it was.
        """
        with restored_on_error(self):
            history = partial_fit(self, X, y, sample_weight)
            if history is not None:
                history.end()
        return self

    def merge(self, *others):
        """Update the model with the rows that other models were fitted on.

        So shards of the data can be fitted anywhere, by `fit` or an exact `partial_fit`.

        Parameters
        ----------
        *others : GDLinearRegression
            Models that have `moments_`; they are not changed.

        Returns
        -------
        self : GDLinearRegression
            The model of the rows of all models, with `moments_` to continue from.

        Raises
        ------
        ValueError, TypeError
            If a model is of another class, differs in `alpha`, `l1_ratio`, `positive`,
            `penalty_factor`, `fit_intercept`, features or outputs, has no `moments_`, or has a
            `half_life`. The estimator is left as it was.
        """
        with restored_on_error(self):
            merge(self, others).end()
        return self
