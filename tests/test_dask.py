"""Dask collections: the answer of one machine, whatever the chunks and the scheduler."""

import os
import signal
import threading
import time
import warnings
import weakref

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError, UndefinedMetricWarning
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV

from sklearn_gdlinreg import GDLinearRegression

dask = pytest.importorskip("dask")
import dask.array as da  # noqa: E402

from sklearn_gdlinreg._rows import dask as dask_rows  # noqa: E402
from sklearn_gdlinreg.dask import DaskGDLinearRegression  # noqa: E402

N, M, D = 600, 6, 3
CHUNKS = {
    "one": (N,),
    "even": (100,) * 6,
    "uneven": (7, 300, 1, 292),
    "single rows": (1,) * 20 + (580,),
    "empty ones": (0, 250, 0, 0, 350, 0),
}
# Of many chunks, and of some that are not alike, one kind is enough for a quick look.
each_chunking = pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(chunks, marks=[] if name == "uneven" else pytest.mark.slow)
        for name, chunks in CHUNKS.items()
    ],
    ids=CHUNKS,
)
PARAMETERS = [
    {},
    {"alpha": 0.1},
    {"alpha": [0.1, 0.2, 0.3]},
    {"fit_intercept": False},
    {"alpha": 0.05, "l1_ratio": 0.5},
    {"positive": True},
    {"alpha": 0.1, "penalty_factor": [0.0, 2.0, 1.0, 0.5, 0.0, 1.0]},
    {"alpha": 0.05, "l1_ratio": 0.5, "penalty_factor": [0.0, 2.0, 1.0, 0.5, 0.0, 1.0]}
    | {"positive": [True, False, False, True, False, True]},
    {"learning_rate": 1e-7, "max_iter": 30, "tol": 0, "momentum": 0.5},
    {"tol": 0},
]


@pytest.fixture(params=["dense", "csr"])
def container(request):
    """Return what makes a Dask array of chunks of this kind."""

    def make(X, chunks):
        X = da.from_array(X, chunks=(chunks, X.shape[1]))
        return X.map_blocks(sparse.csr_array) if request.param == "csr" else X

    return make


@pytest.fixture
def data(make_data, rng):
    """Return X, Y with zeros in X, and sample_weight with zeros."""
    X, Y = make_data(N, M, D, decades=2.0)
    X[rng.uniform(size=X.shape) < 0.3] = 0.0
    return X, Y, rng.integers(0, 3, N).astype(float)


def chunked(A, chunks):
    return da.from_array(A, chunks=(chunks, *A.shape[1:]))


def fit(model, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*arguments, **options)


def assert_same(model, expected, rtol=1e-10):
    scale = np.abs(expected.coef_).max()
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=rtol, atol=rtol * scale)
    scale = np.abs(expected.intercept_).max() + 1.0
    np.testing.assert_allclose(model.intercept_, expected.intercept_, atol=rtol * scale)
    assert model.coef_.dtype == expected.coef_.dtype


@each_chunking
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
def test_the_answer_of_one_machine(container, data, chunks, weighted, parameters):
    X, Y, sample_weight = data
    sample_weight = sample_weight if weighted else None
    expected = fit(GDLinearRegression(**parameters), X, Y, sample_weight)
    if weighted:
        sample_weight = chunked(sample_weight, chunks)
    model = DaskGDLinearRegression(**parameters)
    fit(model, container(X, chunks), chunked(Y, chunks), sample_weight)
    # The textbook's descent is at none of its optima yet; the penalised ones stop at tol.
    exact = not (parameters.get("l1_ratio") or parameters.get("positive"))
    assert_same(model, expected, 1e-10 if exact else 1e-7)
    assert model.n_features_in_ == M
    fitted = {"loss_curve_", "n_iter_", "t_", "engine_", "optimality_", "stop_reason_"}
    assert fitted | {"coef_", "intercept_", "learning_rate_"} <= set(vars(model))


@pytest.mark.parametrize("chunks", [(N,), (7, 300, 1, 292)])
@pytest.mark.parametrize("parameters", [{"l1_ratio": 0.5, "alpha": 0.05}, {"positive": True}])
def test_penalties_to_every_digit(container, data, chunks, parameters):
    X, Y, _ = data
    expected = fit(GDLinearRegression(tol=0, **parameters), X, Y)
    model = DaskGDLinearRegression(tol=0, **parameters)
    fit(model, container(X, chunks), chunked(Y, chunks))
    assert_same(model, expected)


@each_chunking
@pytest.mark.parametrize("parameters", [{}, {"alpha": [0.1, 0.2, 0.3]}], ids=str)
def test_masked_targets(container, data, rng, chunks, parameters):
    X, Y, sample_weight = data
    Y[rng.uniform(size=N) < 0.2, :2] = np.nan
    Y[:300, 2] = np.nan
    parameters = {"missing_targets": "ignore", "tol": 0, **parameters}
    expected = fit(GDLinearRegression(**parameters), X, Y, sample_weight)
    model = DaskGDLinearRegression(**parameters)
    fit(model, container(X, chunks), chunked(Y, chunks), chunked(sample_weight, chunks))
    assert_same(model, expected)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["Float64", "Int64", "double[pyarrow]", "int64[pyarrow]"])
def test_numbers_that_pandas_and_arrow_keep(data, dtype):
    pandas = pytest.importorskip("pandas")
    dataframe = pytest.importorskip("dask.dataframe")
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    X, Y, _ = data
    X, Y = X.round(), (10 * Y).round()
    names = list("abcdef")
    X, Y = pandas.DataFrame(X, columns=names).astype(dtype), pandas.DataFrame(Y).astype(dtype)
    Y.loc[::3, 0] = Y.loc[100:200, 1] = pandas.NA
    expected = GDLinearRegression(missing_targets="ignore").fit(X, Y)
    x, y = (dataframe.from_pandas(A, npartitions=4) for A in (X, Y))
    model = DaskGDLinearRegression(missing_targets="ignore").fit(x, y)
    assert_same(model, expected)
    np.testing.assert_allclose(model.predict(x).compute(), expected.predict(X), rtol=1e-8)
    assert model.score(x, y) == pytest.approx(expected.score(X, Y), rel=1e-8)
    one = DaskGDLinearRegression(missing_targets="ignore").fit(x, y[0])
    np.testing.assert_allclose(one.coef_, expected.coef_[0], rtol=1e-8)


def replaced(A, chunk, dtype=float):
    """Return a collection whose chunk 1 is another one than its shape says."""
    parts = [dask.delayed(A[i : i + 100]) for i in range(0, N, 100)]
    parts[1] = dask.delayed(lambda: chunk)()
    shape = (100, *A.shape[1:])
    return da.concatenate([da.from_delayed(part, shape, dtype=dtype) for part in parts])


@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
def test_chunks_that_are_no_arrays_or_too_wide(data, name):
    given = dict(zip(("X", "y", "sample_weight"), data, strict=True))
    wide = np.ones((100, 9))
    for chunk, match in ((None, "must be arrays. Got NoneType"), (wide, "must be as wide as")):
        x, y, weight = (
            replaced(A, chunk) if key == name else chunked(A, 100) for key, A in given.items()
        )
        match = rf"The chunks of {name} {match}.*\(chunk 1, rows 100 to 199\)"
        failing(x, y, match, sample_weight=weight)
    if name == "X":
        model = DaskGDLinearRegression().fit(*(chunked(A, 100) for A in data))
        for chunk in (None, wide):
            with pytest.raises(ValueError, match=r"The chunks of X must .*\(chunk 1\)"):
                model.predict(replaced(data[0], chunk)).compute()


def test_masked_arrays(data):
    X, Y, _ = data
    mask = np.zeros(Y.shape, dtype=bool)
    mask[::3, 1] = True
    expected = GDLinearRegression(missing_targets="ignore").fit(X, np.where(mask, np.nan, Y))
    y = np.ma.array(np.where(mask, -9.0, Y), mask=mask)
    for target in (y, chunked(y, 100)):
        model = DaskGDLinearRegression(missing_targets="ignore").fit(chunked(X, 100), target)
        assert_same(model, expected)
        failing(chunked(X, 100), target, "y contains NaN.*missing_targets")
    masked = chunked(np.ma.array(X, mask=X > 3), 100)
    failing(masked, Y, r"Input X has masked entries.*\(chunk \d, rows")
    weight = chunked(np.ma.array(np.ones(N), mask=np.arange(N) == 150), 100)
    failing(
        chunked(X, 100), Y, r"sample_weight has masked entries.*\(chunk 1", sample_weight=weight
    )


@each_chunking
def test_the_least_squares_answer_of_one_output(data, chunks):
    X, Y, sample_weight = data
    y = Y[:, 0]
    model = DaskGDLinearRegression().fit(chunked(X, chunks), y, sample_weight)
    expected = LinearRegression().fit(X, y, sample_weight)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)
    assert model.coef_.shape == (M,)
    assert model.intercept_.shape == ()
    assert type(model.learning_rate_) is float
    prediction = model.predict(chunked(X, chunks))
    assert isinstance(prediction, da.Array)
    assert prediction.shape == (N,)
    np.testing.assert_allclose(prediction.compute(), model.to_local().predict(X), rtol=1e-12)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        pytest.param({"alpha": 0.5, "l1_ratio": 0.5}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_passes_over_wide_data(container, make_data, plain_steps, parameters):
    plain_steps()
    X, Y = make_data(60, 200, 2, decades=1.0)
    exact = not parameters.get("l1_ratio")
    parameters = {"tol": 1e-10 if exact else 1e-7, "max_iter": 5000, **parameters}
    expected = fit(GDLinearRegression(**parameters), X, Y)
    model = DaskGDLinearRegression(**parameters)
    fit(model, container(X, (0, 17, 1, 42)), chunked(Y, (0, 17, 1, 42)))
    if exact:
        assert model.engine_ == expected.engine_ == "passes"
    assert_same(model, expected, 1e-8 if exact else 1e-5)


def test_wide_data_in_the_metric_of_a_factor(container, make_data):
    """Products of rows need all of them at hand: chunks make those of columns."""
    X, Y = make_data(60, 200, 2, decades=1.0)
    expected = GDLinearRegression(tol=1e-10).fit(X, Y)
    model = DaskGDLinearRegression(tol=1e-10)
    fit(model, container(X, (0, 17, 1, 42)), chunked(Y, (0, 17, 1, 42)))
    assert (model.engine_, expected.engine_) == ("moments", "dual")
    assert model.n_iter_ <= 10
    assert_same(model, expected, 1e-8)


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e6])
def test_a_large_offset_costs_no_digits(rng, offset):
    E = rng.standard_normal((N, M))
    # Chunks whose means are far apart, and a feature that is constant.
    X = E + offset * rng.standard_normal(M) + np.repeat(np.arange(6.0), 100)[:, None]
    X[:, 3] = 0.1 * offset
    Y = E @ rng.standard_normal((M, D))
    expected = GDLinearRegression(tol=1e-9).fit(X, Y)
    model = DaskGDLinearRegression(tol=1e-9).fit(chunked(X, 100), chunked(Y, 100))
    assert_same(model, expected, 1e-10 if offset < 1e6 else 1e-9)
    np.testing.assert_array_equal(model.coef_[:, 3], 0.0)


@pytest.mark.parametrize("power", [-100, 100])
def test_extreme_units(data, power):
    X, Y, sample_weight = data
    X, Y, sample_weight = (A * 10.0**power for A in (X, Y, sample_weight))
    expected = GDLinearRegression().fit(X, Y, sample_weight)
    model = DaskGDLinearRegression().fit(chunked(X, 50), Y, sample_weight)
    assert_same(model, expected, 1e-9)


def test_float32(data):
    X, Y, _ = (A.astype(np.float32) for A in data)
    model = DaskGDLinearRegression(tol=1e-7).fit(chunked(X, 100), chunked(Y, 100))
    expected = GDLinearRegression(tol=1e-7).fit(X, Y)
    assert_same(model, expected, 1e-5)
    assert model.predict(chunked(X, 100)).compute().dtype == np.float32
    integers = DaskGDLinearRegression().fit(
        chunked(np.arange(20).reshape(10, 2) % 7, 5), range(10)
    )
    assert integers.coef_.dtype == np.float64


def test_dataframes(data):
    pandas = pytest.importorskip("pandas")
    dataframe = pytest.importorskip("dask.dataframe")
    X, Y, _ = data
    names = list("abcdef")
    frame = dataframe.from_pandas(pandas.DataFrame(X, columns=names), npartitions=4)
    target = dataframe.from_pandas(pandas.DataFrame(Y), npartitions=4)
    model = DaskGDLinearRegression().fit(frame, target)
    assert_same(model, GDLinearRegression().fit(X, Y))
    assert list(model.feature_names_in_) == names
    for call in (model.predict, lambda frame: model.score(frame, target)):
        with pytest.raises(ValueError, match="in the same order as they were in fit"):
            call(frame[names[::-1]])
    np.testing.assert_allclose(
        model.predict(frame).compute(), X @ model.coef_.T + model.intercept_
    )
    integers = pandas.array([*range(N - 1), None], dtype="Int64")
    nullable = pandas.DataFrame({"a": integers, "b": X[:, 0]})
    match = r"X contains NaN \(chunk 3, rows 450 to 599\)"
    failing(dataframe.from_pandas(nullable, npartitions=4), target[0], match)
    one = DaskGDLinearRegression().fit(frame, target[0])
    assert one.coef_.shape == (M,)
    score = r2_score(Y[:, 0], one.predict(frame).compute())
    assert one.score(frame, target[0]) == pytest.approx(score, rel=1e-12)


@each_chunking
@pytest.mark.parametrize("weighted", [False, True])
def test_score(container, data, chunks, weighted):
    X, Y, sample_weight = data
    Y[:, 2] = 3.0
    sample_weight = sample_weight if weighted else None
    model = DaskGDLinearRegression(alpha=0.1).fit(chunked(X, 100), Y)
    for target in (Y, Y + np.arange(D)):
        score = model.score(container(X, chunks), chunked(target, chunks), sample_weight)
        expected = model.to_local().score(X, target, sample_weight)
        assert type(score) is float
        assert score == pytest.approx(expected, rel=1e-10)


@each_chunking
def test_score_counts_what_is_observed(container, data, chunks):
    X, Y, sample_weight = data
    Y[:300, 0] = Y[::3, 1] = np.nan
    # Another output than in fit may have next to no rows.
    few = Y.copy()
    few[1:, 2] = np.nan
    model = DaskGDLinearRegression(missing_targets="ignore").fit(chunked(X, 100), Y)
    for target in (Y, few):
        for weight in (None, sample_weight):
            score = model.score(container(X, chunks), chunked(target, chunks), weight)
            expected = model.to_local().score(X, target, weight)
            assert score == pytest.approx(expected, rel=1e-10)
    model.set_params(missing_targets="error")
    with pytest.raises(ValueError, match=r"y contains NaN.*missing_targets.*\(chunk"):
        model.score(container(X, chunks), chunked(Y, chunks))


def test_score_is_in_float64(data):
    X, Y, _ = (A.astype(np.float32) for A in data)
    model = DaskGDLinearRegression().fit(chunked(X, 100), Y)
    prediction = X.astype(float) @ model.coef_.astype(float).T + model.intercept_
    # An output that is all but predicted: in float32 nothing would be left of the error.
    target = (prediction * (1 + 1e-9)).astype(float)
    score = model.score(chunked(X, 100), chunked(target, 100))
    assert 1 - score == pytest.approx(1 - r2_score(target, prediction), rel=1e-5)


def test_score_of_one_row_is_undefined(data):
    X, Y, _ = data
    model = DaskGDLinearRegression().fit(chunked(X, 100), Y)
    with pytest.warns(UndefinedMetricWarning, match="less than two samples"):
        assert np.isnan(model.score(chunked(X, 100)[:1], Y[:1]))


def test_predictions_are_lazy(container, data):
    X, Y, _ = data
    read = []

    def load(block):
        read.append(len(block))
        return block

    model = DaskGDLinearRegression().fit(container(X, 100), chunked(Y, 100))
    lazy = model.predict(chunked(X, 100).map_blocks(load, meta=np.empty((0, 0))))
    assert not read
    first = lazy[:100].compute(scheduler="sync")
    assert read == [100]
    np.testing.assert_allclose(first, model.predict(X[:100]))
    np.testing.assert_allclose(model.predict(container(X, 100)).compute(), model.predict(X))


def test_to_local(data):
    X, Y, _ = data
    model = DaskGDLinearRegression(alpha=0.1, tol=1e-8)
    with pytest.raises(NotFittedError):
        model.to_local()
    local = model.fit(chunked(X, 100), Y).to_local()
    assert type(local) is GDLinearRegression
    assert local.alpha == 0.1
    np.testing.assert_array_equal(local.coef_, model.coef_)
    assert local.loss_curve_ == model.loss_curve_
    assert local.coef_ is not model.coef_
    local.partial_fit(X, Y)
    twice = GDLinearRegression(alpha=0.1).fit(np.r_[X, X], np.r_[Y, Y])
    np.testing.assert_allclose(local.coef_, twice.coef_, rtol=1e-6)
    assert clone(model).get_params() == model.get_params()


def test_starts(data):
    X, Y, _ = data
    x = chunked(X, 100)
    model = DaskGDLinearRegression(warm_start=True).fit(x, Y)
    n_iter = model.n_iter_
    assert model.fit(x, Y).n_iter_ < n_iter
    given = DaskGDLinearRegression().fit(x, Y, coef_init=model.coef_)
    assert given.n_iter_ < n_iter


def failing(X, Y, match, kind=ValueError, sample_weight=None, **parameters):
    model = DaskGDLinearRegression(**parameters)
    model.coef_ = before = np.zeros(1)
    with pytest.raises(kind, match=match):
        model.fit(X, Y, sample_weight)
    assert model.coef_ is before
    assert len(vars(model)) == len(model.get_params()) + 1


@pytest.mark.parametrize("name", ["X", "y"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("n_features", [M, 2000])
def test_a_far_chunk_that_is_not_finite(container, data, name, value, n_features):
    X, Y, _ = data
    if n_features > M:
        X = np.tile(X, (1, n_features // M))
    (X if name == "X" else Y)[437, 2] = value
    what = "NaN" if np.isnan(value) else "infinity"
    match = rf"Input {name} contains {what}.*\(chunk 4, rows 400 to 499\)"
    failing(container(X, 100), chunked(Y, 100), match)
    # Also where no row of the chunk carries weight.
    sample_weight = np.ones(N)
    sample_weight[400:500] = 0.0
    failing(container(X, 100), chunked(Y, 100), match, sample_weight=sample_weight)


def test_chunks_that_do_not_fit_are_told(data):
    X, Y, sample_weight = data
    x, y = chunked(X, 100), chunked(Y, 100)
    failing(x[x[:, 0] > 0], y, "X has chunks of unknown size, the first of them chunk 0")
    failing(x, y[y[:, 0] > 0], r"y\.compute_chunk_sizes\(\)")
    failing(x.rechunk((100, 2)), y, r"X must be chunked along rows only.*\(0, 1\).*rechunk")
    failing(x, y.rechunk((100, 1)), r"y must be chunked along rows only")
    failing(
        x, y.rechunk({0: (100, 100, 150, 50, 200)}), "Chunk 2 has 100 rows in X and 150 in y"
    )
    failing(x, y[:500], "Chunk 5 has 100 rows in X and no in y, of 600 and 500 in total")
    failing(x, Y[:500], "y must have 600 rows, like X. Got shape")
    weights = chunked(sample_weight, 300)
    failing(x, y, "Chunk 0 has 100 rows in X and 300 in sample_weight", sample_weight=weights)
    failing(x[:, 0], y, "X must be a 2D array")
    failing(x[:0], y[:0], "X must have samples and features")


def test_chunks_that_are_not_what_dask_takes_them_for(data):
    X, Y, _ = data
    expected = GDLinearRegression().fit(X, Y)
    x, y = chunked(X, 100), chunked(Y, 100)
    # Dask takes what is delayed for dense.
    delayed = [
        da.from_delayed(dask.delayed(sparse.csr_array)(X[i : i + 100]), (100, M), dtype=float)
        for i in range(0, N, 100)
    ]
    csr = da.concatenate(delayed)
    assert_same(DaskGDLinearRegression().fit(csr, y), expected)
    mixed = da.concatenate([csr[:300], x[300:]])
    failing(mixed, y, r"must be all sparse or all dense.* Got a ndarray \(chunk [345]")
    cut = x.map_blocks(lambda block: block[: 100 - 30 * (block[0, 0] == X[400, 0])], dtype=float)
    failing(cut, y, r"chunks of X must be as long .* 100 rows. Got 70 \(chunk 4, rows 400 to")
    failing(x + 1j, y, r"Complex data not supported in X and y \(chunk")


def test_other_input_is_told(data):
    X, Y, sample_weight = data
    x, y = chunked(X, 100), chunked(Y, 100)
    failing(X, Y, "X must be a dask.array or dask.dataframe.*Use GDLinearRegression", TypeError)
    sample_weight[250] = -1.0
    match = r"Negative values in data passed to `sample_weight`.*\(chunk 2, rows 200 to 299\)"
    failing(x, y, match, sample_weight=chunked(sample_weight, 100))
    failing(x, y, "at least one non-zero number", sample_weight=np.zeros(N))
    failing(x, y, r"sample_weight contains NaN", sample_weight=np.full(N, np.nan))
    failing(x, y, "'alpha' parameter of DaskGDLinearRegression must be", alpha=-1.0)
    failing(x, y, "learning_rate=1 makes the loss grow without bound", learning_rate=1.0)
    for lazy in (dask.delayed(X), dask.delayed([X])):
        failing(lazy, y, "X must be a dask.array or dask.dataframe. Got", TypeError)
        failing(x, lazy, "y must be a dask.array, dask.dataframe or array. Got", TypeError)
    Y[:, 1] = np.nan
    failing(x, Y, "Got none for output 1 of y", missing_targets="ignore")
    failing(x, Y, r"y contains NaN.*missing_targets.* \(chunk \d, rows")
    model = DaskGDLinearRegression().fit(x, Y[:, 0])
    for call in (model.predict, lambda x: model.score(x, Y[:, 0])):
        with pytest.raises(ValueError, match="X has 5 features, but DaskGDLinearRegression is"):
            call(x[:, :5])
    with pytest.raises(ValueError, match=r"X must be chunked along rows only.*\(0, 1\)"):
        model.predict(x.rechunk((100, 2)))
    with pytest.raises(ValueError, match=r"y must have 1 outputs, as in fit\. Got 3"):
        model.score(x, np.ones((N, 3)))
    X[437, 2] = np.nan
    with pytest.raises(ValueError, match=r"X contains NaN \(chunk 4\)"):
        model.predict(chunked(X, 100)).compute()
    with pytest.raises(ValueError, match=r"X contains NaN.*\(chunk 4"):
        model.score(chunked(X, 100), Y[:, 0])


def test_each_pass_is_one_graph(data, plain_steps):
    X, Y, _ = data
    graphs = []

    def scheduler(graph, keys, **options):
        graphs.append(graph)
        return dask.get(graph, keys, **options)

    with dask.config.set(scheduler=scheduler):
        model = DaskGDLinearRegression().fit(chunked(X, 100), chunked(Y, 100))
    # The origin, the moments, and what certifies the answer.
    assert model.engine_ == "moments"
    assert len(graphs) <= 4
    graphs.clear()
    with dask.config.set(scheduler=scheduler):
        wide = da.from_array(X[:60].T.copy(), chunks=(2, 60))
        plain_steps()
        model = DaskGDLinearRegression().fit(wide, Y[:M])
    assert model.engine_ == "passes"
    assert len(graphs) <= 2 * model.n_iter_ + 5


@pytest.mark.slow
@pytest.mark.parametrize("wide", [False, True])
def test_few_chunks_are_held_at_a_time(make_data, plain_steps, wide):
    plain_steps()
    X, Y = make_data(48, 300, 2, decades=1.0) if wide else make_data(1200, M, 2)
    size, held, most = len(X) // 24, set(), []

    def load(start):
        block = X[start : start + size].copy()
        held.add(start)
        most.append(len(held))
        weakref.finalize(block, held.discard, start)
        return block

    blocks = [
        da.from_delayed(dask.delayed(load)(start), (size, X.shape[1]), dtype=float)
        for start in range(0, len(X), size)
    ]
    with dask.config.set(scheduler="threads", num_workers=2):
        model = DaskGDLinearRegression().fit(da.concatenate(blocks), Y)
    assert model.engine_ == ("passes" if wide else "moments")
    assert len(most) >= 2 * 24
    # One on each thread, one that waits for each, and one that is let go of.
    assert max(most) <= 5


def test_moments_are_not_larger_than_chunks(monkeypatch, make_data):
    monkeypatch.setattr(dask_rows, "ALWAYS_NARROW", 10)
    X, Y = make_data(600, 40, 2)
    for size, engine in ((20, "passes"), (100, "moments")):
        model = DaskGDLinearRegression(tol=1e-10).fit(chunked(X, size), Y)
        assert model.engine_ == engine
        assert_same(model, GDLinearRegression(tol=1e-10).fit(X, Y), 1e-8)


@pytest.fixture(scope="module")
def client():
    """Return the client of two worker processes on the loopback."""
    distributed = pytest.importorskip("distributed")
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "60s"}),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1",
            dashboard_address=None, memory_limit=None,
        )  # fmt: skip
        with cluster, distributed.Client(cluster) as client:
            yield client


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("parameters", [{}, {"alpha": 0.05, "l1_ratio": 0.5}], ids=str)
def test_processes(client, data, parameters):
    X, Y, sample_weight = data
    expected = GDLinearRegression(**parameters).fit(X, Y, sample_weight)
    model = DaskGDLinearRegression(**parameters)
    model.fit(chunked(X, 100), chunked(Y, 100), sample_weight)
    assert_same(model, expected)
    score = model.score(chunked(X, 100), Y)
    assert score == pytest.approx(expected.score(X, Y), rel=1e-10)
    X[437, 2] = np.nan
    with pytest.raises(ValueError, match=r"X contains NaN \(chunk 4, rows 400 to 499\)"):
        model.fit(chunked(X, 100), Y)


def slow(block, seconds):
    time.sleep(seconds)
    return block


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("wide", [False, True])
def test_a_worker_is_killed_in_the_middle_of_a_fit(client, make_data, plain_steps, wide):
    plain_steps()
    X, Y = make_data(40, 200, 2, decades=1.0) if wide else make_data(N, M, 2)
    chunks = 10 if wide else 50
    expected = GDLinearRegression(tol=1e-10).fit(X, Y)
    x = chunked(X, chunks).map_blocks(slow, 0.02 if wide else 0.1, dtype=X.dtype)
    killed = []

    def kill():
        time.sleep(0.5)
        killed.extend(client.run(os.getpid).values())
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    model = DaskGDLinearRegression(tol=1e-10)
    ends = []
    model.fit(x, chunked(Y, chunks))
    ends.append(killer.is_alive())
    killer.join()
    assert killed
    assert ends == [False], "the fit was over before the worker was killed"
    assert model.engine_ == ("passes" if wide else "moments")
    assert_same(model, expected, 1e-8)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_grid_search_on_the_cluster(client, data):
    joblib = pytest.importorskip("joblib")
    X, Y, _ = data
    search = GridSearchCV(GDLinearRegression(), {"alpha": [0.0, 0.1, 10.0]}, cv=3)
    expected = clone(search).fit(X, Y)
    with joblib.parallel_backend("dask"):
        search.fit(X, Y)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("batch_size", [None, 64])
def test_the_plain_estimator_in_incremental(data, batch_size):
    wrappers = pytest.importorskip(
        "dask_ml.wrappers", reason="needs dask-ml, which the extra test-all installs"
    )
    X, Y, _ = data
    Y = Y[:, 0]
    plain = GDLinearRegression(batch_size=batch_size, shuffle=False)
    model = wrappers.Incremental(plain, shuffle_blocks=False)
    model.fit(chunked(X, 100), chunked(Y, 100))
    for start in range(0, N, 100):
        plain.partial_fit(X[start : start + 100], Y[start : start + 100])
    np.testing.assert_allclose(model.estimator_.coef_, plain.coef_, rtol=1e-12)
    np.testing.assert_allclose(
        model.predict(chunked(X, 100)).compute(), plain.predict(X), rtol=1e-12
    )
