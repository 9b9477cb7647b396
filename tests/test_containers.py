"""What X and y may be kept in: every container through every method, the same answer."""

import tempfile

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from sklearn_gdlinreg import GDLinearRegression, GDLinearRegressionCV
from sklearn_gdlinreg._rows.containers import rows_of

N_ROWS, N_FEATURES = 90, 5


def strided(X):
    return np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3]


def backwards(X):
    return X[::-1, ::-1].copy()[::-1, ::-1]


def field(X, other="i1"):
    """A view into records, whose columns need not be a whole number of items apart."""
    record = np.zeros(X.shape, dtype=[("pad", other), ("x", X.dtype)])
    record["x"] = X
    return record["x"]


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def memory_mapped(X):
    with tempfile.TemporaryFile() as file:
        file.write(np.ascontiguousarray(X).tobytes())
        file.flush()
        return np.memmap(file, X.dtype, "r", shape=X.shape)


def csr_of(X, change):
    """CSR of X whose data, indices and indptr are changed; canonical or not, as they are."""
    X = sparse.csr_array(X)
    return sparse.csr_array(tuple(map(change, (X.data, X.indices, X.indptr))), shape=X.shape)


def wide_indices(X):
    X = sparse.csr_array(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def read_only_csr(X):
    X = sparse.csr_array(X)
    for part in (X.data, X.indices, X.indptr):
        part.flags.writeable = False
    return X


def unsorted(X):
    """CSR whose columns run backwards in each row."""
    rows = [np.flatnonzero(x)[::-1] for x in X]
    indptr = np.cumsum([0, *map(len, rows)])
    data = np.concatenate([x[row] for x, row in zip(X, rows, strict=True)])
    A = sparse.csr_array((data, np.concatenate(rows), indptr), shape=X.shape)
    assert not A.has_sorted_indices
    return A


def repeated(X, kind=sparse.csr_array):
    """CSR or CSC whose entries are each split in two halves, out of order."""
    half = kind(X / 2)
    indices = [np.tile(r[::-1], 2) for r in np.split(half.indices, half.indptr[1:-1])]
    data = [np.tile(r[::-1], 2) for r in np.split(half.data, half.indptr[1:-1])]
    parts = np.concatenate(data), np.concatenate(indices), 2 * half.indptr
    A = kind(parts, shape=X.shape)
    assert not A.has_canonical_format
    return A


def repeated_coo(X):
    half = sparse.coo_array(X / 2)
    coords = tuple(np.tile(index, 2) for index in half.coords)
    return sparse.coo_array((np.tile(half.data, 2), coords), shape=X.shape)


def explicit_zeros(X):
    """CSR that stores every entry, zeros too."""
    N, M = X.shape
    parts = X.ravel(), np.tile(np.arange(M), N), M * np.arange(N + 1)
    A = sparse.csr_array(parts, shape=X.shape)
    assert A.nnz == X.size
    return A


def names(X):
    return [f"f{j}" for j in range(X.shape[1])]


def frame(X):
    return pd.DataFrame(X, columns=names(X))


def arrow(A):
    """Keep pandas' values in Arrow's arrays."""
    pytest.importorskip("pyarrow")
    return A.astype("double[pyarrow]")


def polars(X):
    return pl.DataFrame(X, schema=names(X))


def single(X):
    return X.astype(np.float32)


# What holds values of each kind; see `values`.
CONTAINERS = {
    "real": {
        "C": np.ascontiguousarray,
        "F": np.asfortranarray,
        "strided": strided,
        "backwards": backwards,
        "records": field,
        "aligned records": lambda X: field(X, "f8"),
        "read-only": read_only,
        "memory-mapped": memory_mapped,
        "list": lambda X: X.tolist(),
        "big-endian": lambda X: X.astype(">f8"),
        "pandas": frame,
        "pandas Float64": lambda X: frame(X).astype("Float64"),
        "pandas pyarrow": lambda X: arrow(frame(X)),
        "polars": polars,
        "csr_matrix": sparse.csr_matrix,
        "csr_array": sparse.csr_array,
        "csc_matrix": sparse.csc_matrix,
        "csc_array": sparse.csc_array,
        "coo_matrix": sparse.coo_matrix,
        "coo_array": sparse.coo_array,
        "repeated": repeated,
        "repeated csr_matrix": lambda X: repeated(X, sparse.csr_matrix),
        "repeated csc": lambda X: repeated(X, sparse.csc_array),
        "repeated coo": repeated_coo,
        "unsorted": unsorted,
        "explicit zeros": explicit_zeros,
        "int64 indices": wide_indices,
        "read-only csr": read_only_csr,
        "memory-mapped csr": lambda X: csr_of(X, memory_mapped),
    },
    "float32": {
        "float32 C": single,
        "float32 F": lambda X: np.asfortranarray(single(X)),
        "float32 backwards": lambda X: backwards(single(X)),
        "float32 records": lambda X: field(single(X)),
        "float32 memory-mapped": lambda X: memory_mapped(single(X)),
        "float32 pandas": lambda X: frame(single(X)),
        "float32 polars": lambda X: polars(single(X)),
        "float32 csr": lambda X: sparse.csr_array(single(X)),
        "float32 csc": lambda X: sparse.csc_array(single(X)),
        "float32 repeated": lambda X: repeated(single(X)),
    },
    "digits": {
        "int32": lambda X: X.astype(np.int32),
        "int64": lambda X: X.astype(np.int64),
        "uint8": lambda X: X.astype(np.uint8),
        "int32 F": lambda X: np.asfortranarray(X.astype(np.int32)),
        "int64 csr": lambda X: sparse.csr_array(X.astype(np.int64)),
        "pandas int64": lambda X: frame(X.astype(np.int64)),
        "pandas Int64": lambda X: frame(X.astype(np.int64)).astype("Int64"),
    },
    "bits": {
        "bool": lambda X: X.astype(bool),
        "bool csr": lambda X: sparse.csr_array(X.astype(bool)),
        "pandas bool": lambda X: frame(X.astype(bool)),
    },
    "empty rows and columns": {
        "csr with empty rows": sparse.csr_array,
        "csc with empty columns": sparse.csc_array,
        "coo with empty rows": sparse.coo_array,
    },
    "nothing": {"csr of no entries": sparse.csr_array, "csr_matrix of none": sparse.csr_matrix},
}
EVERY = [(kind, name) for kind, makers in CONTAINERS.items() for name in makers]
TARGETS = ["C", "F", "strided", "backwards", "records", "aligned records", "read-only"]
TARGETS += ["memory-mapped", "list", "big-endian", "pandas", "pandas Float64", "pandas pyarrow"]
TARGETS += ["polars"]
VECTORS = {
    "column": lambda y: np.column_stack([y, -y])[:, 0],
    "backwards": lambda y: y[::-1].copy()[::-1],
    "records": lambda y: field(y),
    "list": lambda y: y.tolist(),
    "float32": single,
    "int64": lambda y: y.astype(np.int64),
    "pandas": pd.Series,
    "pandas Float64": lambda y: pd.Series(y, dtype="Float64"),
    "pandas pyarrow": lambda y: arrow(pd.Series(y)),
    "polars": pl.Series,
}


@pytest.fixture
def values(make_data):
    """Return a maker of X of a kind, and Y, both float64; Y and some X are float32 too."""

    def make(kind):
        X, Y = make_data(N_ROWS, N_FEATURES, 2, decades=1.0)
        rng = np.random.default_rng(1)
        X[rng.random(X.shape) < 0.4] = 0.0
        if kind == "float32":
            X = X.astype(np.float32).astype(float)
        elif kind in ("digits", "bits"):
            X = rng.integers(0, 2 if kind == "bits" else 9, X.shape).astype(float)
        elif kind == "empty rows and columns":
            X[::7], X[40:46], X[-1], X[:, 2] = 0.0, 0.0, 0.0, 0.0
        elif kind == "nothing":
            X[:] = 0.0
        return X, Y.astype(np.float32).astype(float)

    return make


def same(Y):
    return Y


def answer(model, **more):
    return {"coef": model.coef_, "intercept": model.intercept_, **more}


def fit(make, X, Y, keep=same):
    model = GDLinearRegression(tol=1e-10).fit(make(X), keep(Y))
    return answer(model)


def textbook(make, X, Y, keep=same):
    model = GDLinearRegression(learning_rate=1e-3, max_iter=40, tol=0).fit(make(X), keep(Y))
    return answer(model, losses=model.loss_curve_)


def mini_batch(make, X, Y, keep=same, batch_size=1):
    model = GDLinearRegression(batch_size=batch_size, random_state=0, max_iter=5, tol=0)
    model.fit(make(X), keep(Y))
    return answer(model, losses=model.loss_curve_)


def variance_reduced(make, X, Y, keep=same):
    return mini_batch(make, X, Y, keep, batch_size=16)


def partial_fit(make, X, Y, keep=same, batch_size=16):
    model, cut = GDLinearRegression(batch_size=batch_size, random_state=0), len(Y) // 2
    for rows in (slice(None, cut), slice(cut, None)):
        model.partial_fit(make(X[rows]), keep(Y[rows]))
    return answer(model, losses=model.loss_curve_)


def exact_stream(make, X, Y, keep=same):
    return partial_fit(make, X, Y, keep, batch_size=None)


def cross_validation(make, X, Y, keep=same):
    model = GDLinearRegressionCV(alphas=10, cv=3, tol=1e-10).fit(make(X), keep(Y))
    return answer(model, alpha=model.alpha_, errors=model.mse_path_)


def predict(make, X, Y, keep=same):
    return {"prediction": GDLinearRegression(alpha=0.1).fit(X, Y).predict(make(X))}


def score(make, X, Y, keep=same):
    return {"score": GDLinearRegression(alpha=0.1).fit(X, Y).score(make(X), keep(Y))}


METHODS = [
    fit, textbook, mini_batch, variance_reduced, partial_fit, exact_stream, cross_validation,
    predict, score,
]  # fmt: skip


def assert_same(answers, expected, X, tolerance):
    """Compare coefficients in units of their features, and all else as it is."""
    for name, want in expected.items():
        scale = X.std(axis=0) if name == "coef" else 1.0
        want = np.asarray(want) * scale
        got = np.asarray(answers[name], dtype=float) * scale
        atol = tolerance * np.abs(want).max()
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=atol, err_msg=name)


every_method = pytest.mark.parametrize(
    "method",
    [
        pytest.param(method, marks=pytest.mark.slow if method is cross_validation else ())
        for method in METHODS
    ],
    ids=lambda method: method.__name__,
)


@every_method
@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize(("kind", "name"), EVERY, ids=[name for _, name in EVERY])
def test_every_container_gives_the_same_answer(values, kind, name, method):
    # Planted: with_whole_strides returns what it is given, or repeated entries are not summed.
    X, Y = values(kind)
    expected = method(np.ascontiguousarray, X, Y)
    got = method(CONTAINERS[kind][name], X, Y)
    assert_same(got, expected, X, 1e-5 if kind == "float32" else 1e-8)


@pytest.mark.parametrize(("kind", "name"), EVERY, ids=[name for _, name in EVERY])
def test_float32_gives_float32_and_all_else_float64(values, kind, name):
    # Planted: model.solution returns float64, or check_features lists float32 first.
    X, Y = values(kind)
    model = GDLinearRegression().fit(CONTAINERS[kind][name](X), Y)
    expected = np.float32 if kind == "float32" else np.float64
    assert model.coef_.dtype == model.intercept_.dtype == expected


@every_method
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("name", TARGETS)
def test_every_container_of_y_gives_the_same_answer(values, container, name, method):
    # Planted: with_whole_strides is not called for Y.
    X, Y = values("real")
    expected = method(container, X, Y)
    got = method(container, X, Y, CONTAINERS["real"][name])
    assert_same(got, expected, X, 1e-12)


@every_method
@pytest.mark.parametrize("name", VECTORS)
def test_every_container_of_one_output_gives_the_same_answer(values, name, method):
    X, Y = values("real")
    # Planted: Data.of reads y as if its values were side by side.
    y = np.round(Y[:, 1])
    expected = method(np.asarray, X, y)
    assert_same(method(np.asarray, X, y, VECTORS[name]), expected, X, 1e-12)


def test_csr_rows_are_read_in_any_order_without_a_copy(rng):
    # Planted: rows that are not in order are sorted in a copy, or repeated entries are left.
    X, y = np.abs(rng.standard_normal((9, 4))) + 1.0, np.ones((9, 1))
    disordered, twice = unsorted(X), repeated(X)
    assert np.shares_memory(rows_of(disordered, y, None, centred=True).X.data, disordered.data)
    assert not disordered.has_sorted_indices
    assert rows_of(twice, y, None, centred=True).X.nnz == X.size < twice.nnz
