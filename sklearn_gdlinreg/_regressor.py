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

    With the default ``learning_rate="auto"`` there is nothing to tune, and the descent ends
    at the least-squares answer, whatever the scale and offset of the features: exactly in
    full batches, which take exact steps with exact momentum; nearly in mini-batches, which
    take the mean of the last of many steps. With a number it is the textbook's descent,
    nothing hidden.

    The objective is a mean over samples and a sum over outputs::

        (1 / n_samples) * ||y - X w - b||^2_F
        + alpha * (2 * l1_ratio * ||w||_1 + (1 - l1_ratio) * ||w||^2_F)

    Parameters
    ----------
    alpha : float or array-like of shape (n_outputs,), default=0.0
        Strength of the penalty, in the range [0, inf), in the units of `ElasticNet` and
        `SGDRegressor`; an array has one for each output. The intercept is never penalised.
    l1_ratio : float, default=0.0
        Share of the L1 penalty, in the range [0, 1]. With 0 the model is that of
        ``Ridge(alpha=n_samples * alpha)``, above it that of ``ElasticNet(alpha, l1_ratio)``.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    positive : bool or array-like of bool of shape (n_features,), default=False
        Whether no coefficient may be negative; an array says so for each feature.
    penalty_factor : array-like of shape (n_features,), default=None
        What `alpha` is multiplied by for each feature, in the range [0, inf): 0 leaves a
        feature without a penalty. They are taken as they are, not rescaled. None is 1 for all.
        With an L2 penalty and a numeric `learning_rate`, sparse mini-batches take O(n_features).
    batch_size : int, default=None
        Rows of a mini-batch. None is full batch, and makes `partial_fit` exact.
    learning_rate : "auto" or float, default="auto"
        "auto" takes the exact step in full batches, and in mini-batches a constant one that
        no data can make too long. A float in the range (0, inf) is the textbook's:
        ``w -= learning_rate * gradient`` in the units of X and y.
    schedule : {"constant", "invscaling", "adaptive"} or callable, default="constant"
        How a numeric `learning_rate` changes; ignored by "auto". "invscaling" divides it by
        ``sqrt(t + 1)``, where t counts the updates made. "adaptive" divides it by 5 each
        time `n_iter_no_change` iterations in a row fail to lower the loss by `tol`,
        relatively, and ends the fit at a millionth. A callable is given t and returns a
        factor. Outputs that are missing in different rows, or whose penalties are of another
        kind, have a schedule each.
    momentum : float, default=0.0
        Momentum of the textbook's update, in the range [0, 1), as in `MLPRegressor`;
        ignored by "auto". On sparse X it makes each mini-batch cost O(n_features).
    nesterov : bool, default=False
        Whether that momentum is Nesterov's; ignored by "auto" and without momentum.
    average : "auto" or bool, default="auto"
        Whether the result of mini-batches is the mean of the last iterates, about half of
        them; the older fade out. "auto" is True with ``learning_rate="auto"``, False with a
        number. Ignored by full batches.
    max_iter : int, default=1000
        Most iterations; in mini-batches, epochs, each followed by a pass over all rows if steps
        are variance-reduced. Reaching it first is a `ConvergenceWarning`.
    tol : float, default=1e-6
        A fit in full batches, or variance-reduced, ends when `optimality_` is at most this for
        every output. Small data are descended further. A mini-batch fit also ends when the loss
        has not improved by this, relatively, in `n_iter_no_change` epochs. 0 asks full-batch
        "auto" for every digit that rounding leaves, and the others for all `max_iter`
        iterations, even where the optimum comes before, without a warning at the end.
    n_iter_no_change : int, default=5
        Patience of mini-batches, of `early_stopping` and of ``schedule="adaptive"``, in
        iterations.
    early_stopping : bool, default=False
        Whether to watch the loss on rows that are not learnt from, end the fit when it has
        not improved by `tol`, relatively, in `n_iter_no_change` iterations, and return the
        best model seen. The rows are those given to `fit`, or else held out.
    validation_fraction : float, default=0.1
        Share of the rows held out, in the range (0, 1); ignored where `fit` is given others.
    missing_targets : {"error", "ignore"}, default="error"
        What to do with NaN in y. With "ignore" each output learns from the rows where it is
        observed, as if it were fitted alone on these; every set of outputs that are missing
        in the same rows takes its own passes over X.
    half_life : float, default=None
        The weight of a row is halved for every so much weight of later rows, in the range
        (0, inf); None lets all count alike. For `fit`, by the order of rows, and for exact
        streams.
    shuffle : bool, default=True
        Whether each epoch visits the rows in another order.
    random_state : int, RandomState instance or None, default=None
        What shuffles and holds out rows. An int gives the same bits again, with as many
        threads.
    warm_start : bool, default=False
        Whether to start from the solution of the last fit.
    verbose : int, default=0
        1 prints a line per iteration; after the first 20, one in 10, then one in 100 and
        so on. 2 prints all.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        Coefficients, in units of y per unit of X; one row per output if y is 2D.
    intercept_ : float or ndarray of shape (n_outputs,)
        Intercept, in units of y; 0 with ``fit_intercept=False``.
    n_features_in_ : int
        Number of features seen by fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X has names that are all strings.
    n_iter_ : int
        Number of iterations; in mini-batches, epochs; after `partial_fit`, of its calls.
    t_ : int
        Number of updates of the coefficients.
    loss_curve_ : list of float
        The objective after each iteration, in squared units of y. In mini-batches that of
        each epoch, with each row's loss as it was before the row was learnt from; with
        variance-reduced steps, that of the best model so far. The last entry is the objective
        of the model that is returned. Empty where no iteration was needed. After
        `partial_fit`, the mean loss of each chunk before it was learnt from, unpenalised.
    validation_loss_curve_ : list of float
        With `early_stopping`, the loss on the rows held out after each iteration.
    learning_rate_ : float or ndarray of shape (n_outputs,)
        The last step used. With "auto", of each output, in standardised coordinates, or in
        the metric of the curvature.
    optimality_ : float
        How far the model that is returned is from the optimum, worked out from the data; of
        the output that is furthest. It is the norm of the correlations between residual and
        standardised features, penalty included, or the residual over the standard deviation
        of y where that is less; 0 at the optimum. Without an L1 penalty and `positive`, the
        objective exceeds the optimum by at most ``optimality_ ** 2`` times the variance of
        y, over the least eigenvalue of the correlation matrix of the features, but for what
        rounding the intercept to the type of X costs. After an exact `partial_fit` or `merge`
        it is worked out from `moments_`, and is the most that it may be with their rounding.
    stop_reason_ : str
        Why the fit ended. "tol": converged, `optimality_` is at most `tol` (or 64 units of
        rounding where `tol` is smaller); "no_change": the loss of mini-batches stands still
        above that; "max_iter": out of iterations; "precision": rounding allows no more,
        including that of the model to float32; "learning_rate": an adaptive one ran out;
        "early_stopping": no better on the rows held out; "callback": one asked for it.
    engine_ : str
        What ran: "moments", "passes", "moments+passes", "dual" (fewer rows than features),
        "passes+sample" (both many), "moments+passes+sample", "mini-batch" or "stream", of
        mini-batches.
    moments_ : dict
        What `partial_fit` and `merge` go on from: the moments of all rows so far. Automatic
        full batches without `early_stopping` keep them, at most 1 MB, for up to 500 columns of
        X and y. Delete it where a model must not tell of the data.

    See Also
    --------
    sklearn.linear_model.LinearRegression : Least squares by an orthogonal solve.
    sklearn.linear_model.Ridge : The same objective with several direct solvers.
    sklearn.linear_model.SGDRegressor : Stochastic descent, one output, other losses.

    Notes
    -----
    Where there are many minimisers, and no L1 penalty, full batches from zeros end at the
    smallest in standardised coordinates with "auto", and in those of X with a number. With
    ``positive=True`` they end at one of them: the same whatever factor the weights have,
    with equal coefficients for equal columns, and permuted with the columns.

    Dense X is never copied, but where rows are held out, sparse X never made dense; CSC and
    COO are converted to CSR. float32 X gives float32 coefficients; sums, of predictions too,
    are in float64. What varies by no more than the rounding of its values is a constant. A
    model with an R squared below 0 on its rows comes with a `ConvergenceWarning`.

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
    >>> print(f"{model.score(X, y):.4f}")
    0.2969

    A lasso with a strength per output, mini-batches, and a stream of two chunks:

    >>> lasso = GDLinearRegression(alpha=[50.0, 1.0, 1.0], l1_ratio=1.0).fit(X, y)
    >>> (lasso.coef_ == 0).sum(axis=1)
    array([1, 0, 1])
    >>> batches = GDLinearRegression(batch_size=5, random_state=0).fit(X, y)
    >>> stream = GDLinearRegression().partial_fit(X[:10], y[:10]).partial_fit(X[10:], y[10:])
    >>> print(f"{batches.score(X, y):.1f} {stream.score(X, y):.4f}")
    0.3 0.2969

    Where targets are missing, each output learns from the rows in which it is observed:

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
            checked and not needed: the best intercept is known throughout.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Rows to validate on with ``early_stopping=True``, instead of rows of X. In a
            `Pipeline` they are transformed as X is with ``transform_input=["X_val"]``.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Their targets.
        sample_weight_val : array-like of shape (n_val,) or float, default=None
            Their weights.

        Returns
        -------
        self : GDLinearRegression
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or an input is not allowed, a numeric `learning_rate` is so long
            that the loss grows without bound, or the type of X cannot hold the coefficients.
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
        """Learn from a chunk of rows, once.

        With ``batch_size=None`` and ``learning_rate="auto"``, the defaults, the model is that
        of `fit` on all rows so far, whatever the chunks: it is worked out from their moments,
        which add up. The first call goes on from an earlier `fit` that kept its `moments_`.
        What makes up the penalty, `positive` and `half_life` may change between calls.

        With a `batch_size` it is descent in mini-batches, from where an earlier fit ended. How
        batches are cut into calls does not matter, but for a last one that is smaller.
        Parameters that are set later change nothing until the next `fit`; a `coef_` or
        `intercept_` that is set is gone on from. With a numeric `learning_rate` and
        ``batch_size=None`` each chunk is a batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to learn from.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets; cast to the type of X.
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Weights, not negative, not all zero.

        Returns
        -------
        self : GDLinearRegression
            With `loss_curve_` one longer; `n_iter_` counts calls.

        Raises
        ------
        ValueError
            If a parameter or an input is not allowed, a numeric `learning_rate` is too long,
            the type of X cannot hold the coefficients, or an exact stream cannot go on: there
            are no `moments_`, coefficients were set, or the products of the features take more
            than 1 GiB. The estimator is left as it was.
        """
        with restored_on_error(self):
            history = partial_fit(self, X, y, sample_weight)
            if history is not None:
                history.end()
        return self

    def merge(self, *others):
        """Take in what other models have learnt, as if this one had seen their rows.

        So shards of the data may be learnt from anywhere, by `fit` or an exact `partial_fit`.

        Parameters
        ----------
        *others : GDLinearRegression
            Models that have `moments_`; they stay as they are.

        Returns
        -------
        self : GDLinearRegression
            The model of the rows of all, with `moments_` to go on from.

        Raises
        ------
        ValueError, TypeError
            If another model is of another kind or differs in `alpha`, `l1_ratio`, `positive`,
            `penalty_factor`, `fit_intercept`, features or outputs, or a model has no
            `moments_`, or a `half_life`. The estimator is left as it was.
        """
        with restored_on_error(self):
            merge(self, others).end()
        return self
