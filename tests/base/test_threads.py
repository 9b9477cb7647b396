"""Threads on rows: those of BLAS keep out of the way, and are as they were afterwards."""

import threading
import time
from collections import Counter

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import threadpool_info, threadpool_limits

from sklearn_gdlinreg import GDLinearRegression
from sklearn_gdlinreg._base import threads as gd_threads
from sklearn_gdlinreg._mini_batch import dense as dense_sgd
from sklearn_gdlinreg._mini_batch.streams import Streams
from sklearn_gdlinreg._rows import base as all_rows
from sklearn_gdlinreg._rows import dense as dense_rows
from sklearn_gdlinreg._rows.containers import rows_of


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def set_blas_threads(n_threads):
    for library in gd_threads._blas._libraries:
        library.set_num_threads(n_threads)
        gd_threads._release(library)


@pytest.fixture
def two_threads():
    """Let BLAS have two threads, however many cores there are, and nobody in control."""
    before = max(blas_threads())
    set_blas_threads(2)
    assert blas_threads() == {2}
    yield
    set_blas_threads(before)


@pytest.fixture
def three_for_rows(monkeypatch):
    """Share rows among three threads, however few and however many cores there are."""
    monkeypatch.setattr(gd_threads, "WORK_OF_A_THREAD", 1000)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")


@pytest.mark.parametrize(
    ("kernel", "n_threads", "parameters"),
    [
        ((dense_rows, "add_moments_dense"), 3, {}),
        ((dense_rows, "add_residual_dense"), 3, {}),
        ((dense_sgd, "descend_dense"), 1, {"batch_size": 500, "max_iter": 2, "tol": 0}),
    ],
    ids=["moments", "passes", "mini-batch"],
)
def test_blas_has_one_thread_for_blocks(
    two_threads, three_for_rows, monkeypatch, rng, kernel, n_threads, parameters
):
    # Planted: blas_of_one_thread returns nullcontext(), or count_threads returns 1.
    X, Y = rng.standard_normal((5000, 60)), rng.standard_normal((5000, 10))
    seen, starts, run = [], set(), getattr(*kernel)

    def watched(*arguments):
        seen.append(blas_threads())
        starts.add(arguments[-2] if n_threads > 1 else 0)
        return run(*arguments)

    monkeypatch.setattr(*kernel, watched)
    GDLinearRegression(**parameters).fit(X, Y)
    assert len(starts) == n_threads
    assert all(threads == {1} for threads in seen)
    assert blas_threads() == {2}


def test_blas_has_one_thread_for_a_wide_stream(two_threads, monkeypatch, rng):
    """It would share sums over that many features, and wait longer than they take."""
    X, y = rng.standard_normal((20, gd_threads.SHARED_VECTOR)), rng.standard_normal(20)
    seen, result = [], Streams.result

    def watched(streams):
        seen.append(blas_threads())
        return result(streams)

    monkeypatch.setattr(Streams, "result", watched)
    model = GDLinearRegression(batch_size=5)
    model.partial_fit(X, y).partial_fit(X, y)
    assert seen == [{1}, {1}]
    assert blas_threads() == {2}


def test_blas_has_one_thread_for_small_products(two_threads):
    pays = gd_threads.PAYING_PRODUCT
    for product, expected in [(2**10, 2), (2**18 - 1, 2), (2**18, 1), (pays - 1, 1), (pays, 2)]:
        with gd_threads.blas_of_one_thread(product, pays=pays):
            assert blas_threads() == {expected}
    assert blas_threads() == {2}


@pytest.mark.parametrize(("n_features", "n_threads"), [(2_000, 2), (800_000, 1)])
def test_a_thread_whose_sums_are_longer_than_its_work_is_left_out(
    monkeypatch, rng, n_features, n_threads
):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    n_rows, held = 2_000, 800
    columns = np.sort(rng.integers(0, n_features, (n_rows, held)), axis=1).ravel()
    starts = np.arange(0, n_rows * held + 1, held)
    X = sparse.csr_array((np.ones(n_rows * held), columns, starts), (n_rows, n_features))
    rows = rows_of(X, rng.standard_normal((n_rows, 3)), None, centred=True)
    assert gd_threads.count_threads(4 * rows.n_entries) == 2
    assert len(rows._sums_of_threads(rows.n_entries)) == n_threads


def test_small_products_do_not_touch_blas(two_threads, monkeypatch, rng):
    monkeypatch.setattr(gd_threads._BlasOfOneThread, "__enter__", None)
    X = rng.standard_normal((442, 10))
    GDLinearRegression().fit(X, X.sum(axis=1))


def test_the_last_to_leave_changes_it_back(two_threads):
    inside, leave, seen = threading.Barrier(3), threading.Event(), []

    def work(waits):
        with gd_threads.one_thread():
            inside.wait()
            if waits:
                leave.wait()
            assert gd_threads.count_threads(2**30) == 1

    workers = [threading.Thread(target=work, args=(waits,)) for waits in (False, True)]
    for worker in workers:
        worker.start()
    inside.wait()
    workers[0].join()
    seen.append(blas_threads())
    leave.set()
    workers[1].join()
    seen.append(blas_threads())
    assert seen == [{1}, {2}]


def test_it_is_changed_back_after_an_error(two_threads):
    with pytest.raises(ZeroDivisionError), gd_threads.one_thread():
        raise ZeroDivisionError
    assert blas_threads() == {2}
    assert gd_threads._blas._n_inside == 0


def test_a_forked_process_begins_anew(two_threads):
    blas = gd_threads._BlasOfOneThread()
    blas.__enter__()
    assert blas_threads() == {1}
    # What a process does that was forked in the middle of a fit.
    blas.leave_all()
    assert blas_threads() == {2}
    with blas:
        assert blas_threads() == {1}
    assert blas_threads() == {2}


def test_a_limit_of_the_user_stays(two_threads, three_for_rows, rng):
    X, Y = rng.standard_normal((5000, 60)), rng.standard_normal((5000, 10))
    with threadpool_limits(limits=1, user_api="blas"):
        GDLinearRegression().fit(X, Y)
        assert blas_threads() == {1}
    assert blas_threads() == {2}


def test_threads_are_counted_by_the_work(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    work = gd_threads.WORK_OF_A_THREAD
    assert [gd_threads.count_threads(n * work) for n in (0, 1, 2, 3, 100)] == [1, 1, 2, 3, 3]


@pytest.mark.parametrize(
    "container", [np.ascontiguousarray, np.asfortranarray, sparse.csr_array]
)
@pytest.mark.parametrize(
    ("shape", "parameters", "kernels"),
    [
        ((3000, 40, 2), {}, {"_gram", "residual"}),
        ((60, 900, 2), {}, {"_columns", "residual"}),
        ((900, 20, 2), {"batch_size": 100, "random_state": 0}, {"square_lengths", "residual"}),
    ],
    ids=["moments", "passes", "mini-batch"],
)
def test_threads_add_up(monkeypatch, make_data, container, shape, parameters, kernels):
    # Planted: _sum leaves out the last row of each thread, or the sums of its last thread.
    X, Y = make_data(*shape)
    X, weight = container(X), np.linspace(0.5, 1.5, len(Y))
    model = GDLinearRegression(**parameters)
    monkeypatch.setattr(gd_threads, "WORK_OF_A_THREAD", 1000)
    n_parts, run = {}, all_rows.Rows._sum

    def watched(rows, add, parts, product=0, **spans):
        n_parts[add.__qualname__.split(".")[1]] = len(parts)
        return run(rows, add, parts, product, **spans)

    monkeypatch.setattr(all_rows.Rows, "_sum", watched)
    # Products of sparse rows are added up by one.
    threaded = kernels - {"_gram", "_columns"} if container is sparse.csr_array else kernels
    answers = []
    for n_threads in (1, 5):
        monkeypatch.setenv("OMP_NUM_THREADS", str(n_threads))
        answers.append(model.fit(X, Y, weight).coef_)
        assert {n_parts[name] for name in threaded} == {n_threads}
    np.testing.assert_allclose(*answers, rtol=1e-8)


@pytest.mark.parametrize("n_parts", [1, 3])
def test_an_error_or_an_interrupt_ends_a_pass(monkeypatch, rng, n_parts):
    # Planted: a part is one span; threads are not told that the pass has ended, or not awaited.
    monkeypatch.setattr(all_rows, "ENTRIES_OF_A_SPAN", 100)
    X, y = rng.standard_normal((1200, 5)), rng.standard_normal((1200, 1))
    rows, begun = rows_of(X, y, None, centred=True), threading.Barrier(n_parts)
    at_work, n_spans = set(), Counter()

    def add(outputs, start, stop):
        here = threading.current_thread()
        n_spans[here] += 1
        assert 5 * (stop - start) <= 100
        if n_spans[here] == 1:
            begun.wait(10)
        elif start < 1200 // n_parts:
            raise KeyboardInterrupt
        at_work.add(here)
        time.sleep(0.02)
        at_work.remove(here)

    with pytest.raises(KeyboardInterrupt):
        rows._sum(add, [[np.empty(1)] for _ in range(n_parts)])
    assert not at_work
    assert len(n_spans) == n_parts
    assert max(n_spans.values()) < 5


def test_spans_end_where_blocks_do(monkeypatch, rng):
    # Planted: spans of equal length, whose last blocks are short and cost as much as whole ones.
    monkeypatch.setattr(all_rows, "ENTRIES_OF_A_SPAN", 100)
    rows = rows_of(rng.standard_normal((1205, 5)), np.ones((1205, 1)), None, centred=True)
    spans = []
    rows._sum(lambda outputs, *span: spans.append(span), [[]], n_block=32)
    starts, ends = zip(*spans, strict=True)
    assert len(spans) > 1
    assert (starts[0], *ends) == (*starts, 1205)
    assert {stop - start for start, stop in spans[:-1]} == {32}
