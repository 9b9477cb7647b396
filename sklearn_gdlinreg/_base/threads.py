"""How many threads work on rows, and that those of BLAS do not work against them.

A block of rows is a small matrix. Where BLAS shares the product of one among threads of its own,
they wait for each other block after block: on a busy machine a hundred times as long as the
product takes. So blocks are shared among threads here, and each calls a BLAS of one thread.
"""

import functools
import os
import threading
from contextlib import contextmanager, nullcontext

# scikit-learn depends on it.
from threadpoolctl import ThreadpoolController

# Below this many multiply-adds, starting a thread costs more than it saves.
WORK_OF_A_THREAD = 2**21
MOST_THREADS = 16
# OpenBLAS shares products from this many multiply-adds on; from the second number on, waiting
# for each other is little beside what its threads do.
SHARED_PRODUCT, LARGE_PRODUCT = 2**18, 2**26
# It shares the solution of equations for so many right-hand sides much earlier.
SHARED_SIDES, SHARED_SOLUTION = 8, 2**13
# It shares sums over vectors from this many items on.
SHARED_VECTOR = 10_001
# In a single product of fewer multiply-adds, two threads gain less than 0.1 ms over one.
PAYING_PRODUCT = 2**22

_alone = threading.local()


def count_threads(work):
    """Return how many threads the work, in multiply-adds, is worth."""
    wanted = work // WORK_OF_A_THREAD
    if wanted <= 1 or getattr(_alone, "asked", False):
        return 1
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    if allowed.isdigit():
        n_cores = int(allowed)
    elif hasattr(os, "sched_getaffinity"):
        n_cores = len(os.sched_getaffinity(0))
    else:
        n_cores = os.cpu_count() or 1
    return max(1, min(n_cores, MOST_THREADS, wanted))


@contextmanager
def one_thread():
    """Return a context in which this thread reads its rows alone, without helpers.

    It is for callers that keep all cores busy themselves, as Dask does.
    """
    _alone.asked = True
    try:
        with _blas:
            yield
    finally:
        _alone.asked = False


class _BlasOfOneThread:
    """Keeps BLAS to the thread that calls it while somebody asks for that.

    How many threads BLAS has is a setting of the whole process: the first to come in changes
    it, and the last to leave changes it back.
    """

    def __init__(self):
        self._lock, self._n_inside, self._changed = threading.Lock(), 0, []

    @functools.cached_property
    def _libraries(self):
        libraries = ThreadpoolController().lib_controllers
        return [library for library in libraries if library.user_api == "blas"]

    def __enter__(self):
        libraries = self._libraries
        with self._lock:
            if self._n_inside == 0:
                before = [(library, library.get_num_threads()) for library in libraries]
                for library in libraries:
                    library.set_num_threads(1)
                self._changed = [(lib, n) for lib, n in before if lib.get_num_threads() != n]
            self._n_inside += 1

    def __exit__(self, *_):
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._change_back()

    def _change_back(self):
        for library, n_threads in self._changed:
            _release(library)
            library.set_num_threads(n_threads)
            _release(library)
        self._changed = []

    def leave_all(self):
        """Begin anew in a forked process, which has none of the threads that were inside."""
        self._lock, self._n_inside = threading.Lock(), 0
        self._change_back()


def _release(library):
    """Let any thread set how many OpenBLAS has; threadpoolctl leaves it to the first one."""
    if hasattr(library, "clear_controlling_thread"):
        library.clear_controlling_thread(force=True)


_blas = _BlasOfOneThread()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_blas.leave_all)


def blas_of_one_thread(work, *, shared=SHARED_PRODUCT, pays=None):
    """Return a context in which BLAS has one thread, where it would share such work in vain.

    Parameters
    ----------
    work : float
        The multiply-adds of the largest product, or the items of a sum.
    shared : int, default=SHARED_PRODUCT
        The work from which BLAS shares it.
    pays : int, default=None
        The work from which that is faster. For the products of block after block it never is,
        which is None.
    """
    in_vain = shared <= work and (pays is None or work < pays)
    return _blas if in_vain else nullcontext()
