"""What differs between versions of scikit-learn: callbacks are there from 1.9 on."""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:
        """Without callbacks there is nothing to mix in."""

    def with_callbacks(method):
        """Return the method as it is: there is nothing to tear down."""
        return method


class FitTask:
    """A fit, of which the estimator's callbacks are told, and of each of its iterations.

    An iteration begins when the one before it ends, as long as there may be another one; the
    last may turn out to be empty. Attributes that are given are those of a fitted estimator,
    or a callable that returns them.

    Parameters
    ----------
    estimator : estimator with callbacks, whose parameter ``max_iter`` is valid
    X, y, sample_weight : as the user gave them
    attributes : callable or dict, of the model that descent starts from
    """

    def __init__(self, estimator, X, y, sample_weight, attributes):
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._n_left = estimator.max_iter
        self._fit = estimator._init_callback_context(max_subtasks=self._n_left)
        self._fit.call_on_fit_task_begin(**self._data)
        self._begin(attributes)

    @classmethod
    def of(cls, estimator, *data):
        """Return the task of an estimator that has callbacks; None if it has none."""
        return cls(estimator, *data) if hasattr(estimator, "_skl_callbacks") else None

    def _begin(self, attributes):
        self._iteration = self._fit.subcontext(task_name="iteration")
        self._iteration.call_on_fit_task_begin(
            **self._data, reconstruction_attributes=attributes
        )

    def end_iteration(self, attributes):
        """Tell that an iteration has ended; return whether a callback wants to stop."""
        stop = self._iteration.call_on_fit_task_end(
            **self._data, reconstruction_attributes=attributes
        )
        self._iteration, self._n_left = None, self._n_left - 1
        if self._n_left and not stop:
            self._begin(attributes)
        return stop

    def end(self):
        """Tell that the fit has ended, and the estimator is fitted."""
        if self._iteration is not None:
            self._iteration.call_on_fit_task_end(estimator=self._data["estimator"])
        self._fit.call_on_fit_task_end(**self._data, reconstruction_attributes={})
