"""Differences between versions of scikit-learn: callbacks, and arrays that follow X."""

import numpy as np
from sklearn import __version__

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:
        """An empty mixin for versions without callbacks."""

    def with_callbacks(method):
        """Return the method unchanged, as there are no callbacks to tear down."""
        return method


try:
    from sklearn.utils._array_api import (
        check_same_namespace,
        get_namespace_and_device,
        move_to,
    )

    ARRAY_API = True
except ImportError:
    from sklearn.utils._array_api import get_namespace

    ARRAY_API = False

    def get_namespace_and_device(X):
        """Return NumPy, whether dispatch is on, and the device; raise if X needs another."""
        xp, dispatched = get_namespace(X)
        if dispatched and not isinstance(X, np.ndarray):
            raise ValueError(
                "Array API input needs scikit-learn 1.9 or later, or "
                f"array_api_dispatch=False. Got a {type(X)} with scikit-learn {__version__}."
            )
        return xp, dispatched, "cpu"

    def check_same_namespace(X, estimator, *, attribute, method):
        """Check nothing, as all arrays are those of NumPy."""

    def move_to(*arrays, xp, device):
        """Return the array, or arrays, unchanged, as all are those of NumPy."""
        return arrays if len(arrays) > 1 else arrays[0]


class SearchTask:
    """A search for a penalty that notifies the callbacks of the estimator, path by path.

    Parameters
    ----------
    estimator : estimator with callbacks
    X, y, sample_weight : as the user gave them
    """

    def __init__(self, estimator, X, y, sample_weight):
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._fit = estimator._init_callback_context(max_subtasks=None)
        self._fit.call_on_fit_task_begin(**self._data)
        self._paths = None

    @classmethod
    def of(cls, estimator, *data):
        """Return the task of an estimator that has callbacks; None if it has none."""
        return cls(estimator, *data) if hasattr(estimator, "_skl_callbacks") else None

    def begin_paths(self, n_paths):
        """Notify the callbacks that this many paths begin."""
        self._paths = self._fit.subcontext(task_name="paths", max_subtasks=n_paths)
        self._paths.call_on_fit_task_begin(**self._data)

    def begin_path(self):
        """Notify the callbacks that a path begins; return its context."""
        path = self._paths.subcontext(task_name="path of a fold")
        path.call_on_fit_task_begin(**self._data)
        return path

    def end_path(self, path):
        """Notify the callbacks that this path has ended."""
        path.call_on_fit_task_end(**self._data)

    def end_paths(self):
        """Notify the callbacks that all paths have ended."""
        self._paths.call_on_fit_task_end(**self._data)

    def end(self):
        """Tell that the fit has ended, and the estimator is fitted."""
        self._fit.call_on_fit_task_end(**self._data, reconstruction_attributes={})


class FitTask:
    """A fit that notifies the callbacks of the estimator of each iteration.

    An iteration begins when the one before it ends, as long as there may be another one, so the
    last one may be empty. Attributes are those of a fitted estimator, or a callable that
    returns them.

    Parameters
    ----------
    estimator : estimator with callbacks, whose parameter ``max_iter`` is valid
    X, y, sample_weight : as the user gave them
    attributes : callable or dict, of the initial model
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
        """Notify the callbacks of the end of an iteration; return whether one wants to stop."""
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
