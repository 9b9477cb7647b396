"""The progress of a search for a penalty, printed and passed to callbacks."""

from contextlib import contextmanager


class Progress:
    """The progress of the paths of a search.

    Parameters
    ----------
    verbose : int
        0 prints nothing, 1 a line when a path of a fold ends, and more a line per step.
    task : SearchTask or None, which notifies the callbacks
    """

    def __init__(self, verbose, task):
        self._verbose, self._task, self._n_alphas = verbose, task, 0

    def begin(self, n_paths, n_alphas):
        """Report that this many paths of this many alphas begin."""
        self._n_alphas = n_alphas
        if self._task is not None:
            self._task.begin_paths(n_paths)

    def end(self):
        """Report that these paths have ended."""
        if self._task is not None:
            self._task.end_paths()

    @contextmanager
    def path(self, l1_ratio, k, n_folds):
        """Report the begin and the end of the path of a fold; yield a function for its steps."""
        where = "all rows left out in turn" if k is None else f"fold {k + 1} of {n_folds}"
        where = f"l1_ratio {l1_ratio:g}, {where}"

        def tell(n_done):
            if self._verbose > 1:
                print(f"{where}: {n_done} of {self._n_alphas} alphas", flush=True)

        subtask = self._task and self._task.begin_path()
        yield tell
        if self._verbose:
            print(f"{where}: done, {self._n_alphas} alphas", flush=True)
        if subtask:
            self._task.end_path(subtask)
