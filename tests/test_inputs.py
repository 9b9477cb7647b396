"""What X may be: the same answer from each, nothing changed, nothing copied."""

import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from sklearn_gdlinreg import GDLinearRegression


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def strided(X):
    return np.repeat(X, 2, axis=0)[::2][:, ::-1].copy()[:, ::-1]


def field(X):
    """A view into records, whose columns are not a whole number of items apart."""
    record = np.zeros(X.shape, dtype=[("pad", "i1"), ("x", X.dtype)])
    record["x"] = X
    return record["x"]


def duplicated(X):
    """CSR whose entries are each split in two, out of order."""
    half = sparse.csr_matrix(X / 2)
    indices = [np.tile(r[::-1], 2) for r in np.split(half.indices, half.indptr[1:-1])]
    data = [np.tile(r[::-1], 2) for r in np.split(half.data, half.indptr[1:-1])]
    parts = np.concatenate(data), np.concatenate(indices), 2 * half.indptr
    return sparse.csr_matrix(parts, shape=X.shape)


def wide_indices(X):
    X = sparse.csr_array(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def read_only_csr(X):
    X = sparse.csr_array(X)
    for part in (X.data, X.indices, X.indptr):
        part.flags.writeable = False
    return X


def explicit_zeros(X):
    """CSR that stores every entry, zeros too."""
    N, M = X.shape
    parts = X.ravel(), np.tile(np.arange(M), N), M * np.arange(N + 1)
    return sparse.csr_array(parts, shape=X.shape)


CONTAINERS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": strided,
    "field": field,
    "read-only": read_only,
    "list": lambda X: X.tolist(),
    "pandas": pd.DataFrame,
    "polars": lambda X: pl.DataFrame(X, schema=[f"f{j}" for j in range(X.shape[1])]),
    "csr_matrix": sparse.csr_matrix,
    "csr_array": sparse.csr_array,
    "csc_matrix": sparse.csc_matrix,
    "csc_array": sparse.csc_array,
    "coo_matrix": sparse.coo_matrix,
    "coo_array": sparse.coo_array,
    "duplicated": duplicated,
    "int64 indices": wide_indices,
    "read-only csr": read_only_csr,
    "explicit zeros": explicit_zeros,
    "big-endian": lambda X: X.astype(">f8"),
}
TARGETS = ["C", "F", "strided", "read-only", "list", "pandas", "polars", "big-endian"]


@pytest.mark.parametrize("learning_rate", ["auto", 1e-3])
@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_gives_the_same_answer(make_data, name, learning_rate):
    X, Y = make_data(decades=1.0)
    X[np.abs(X) < 1] = 0.0
    A = CONTAINERS[name](X)
    options = {"learning_rate": learning_rate, "max_iter": 40, "tol": 1e-3}
    if learning_rate != "auto":
        options["tol"] = 0
    expected = GDLinearRegression(**options).fit(X, Y)
    model = GDLinearRegression(**options).fit(A, Y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-8)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-8)
    np.testing.assert_allclose(model.predict(A), expected.predict(X), rtol=1e-8)
    assert model.score(A, Y) == pytest.approx(expected.score(X, Y), rel=1e-8)


def test_memory_map(make_data, tmp_path):
    X, Y = make_data()
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    expected = GDLinearRegression().fit(X, Y).coef_
    np.testing.assert_array_equal(GDLinearRegression().fit(mapped, Y).coef_, expected)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("name", TARGETS)
def test_every_container_of_y_gives_the_same_answer(make_data, container, name):
    X, Y = make_data()
    model = GDLinearRegression().fit(container(X), CONTAINERS[name](Y))
    np.testing.assert_allclose(
        model.coef_, GDLinearRegression().fit(container(X), Y).coef_, rtol=1e-9
    )
    first = GDLinearRegression().fit(container(X), Y[:, 1])
    np.testing.assert_allclose(
        first.coef_, GDLinearRegression().fit(container(X), Y[:, 1].copy()).coef_, rtol=1e-9
    )


@pytest.mark.parametrize("weight", [3.0, 2])
def test_a_scalar_weight_is_none(make_data, weight):
    X, Y = make_data()
    model = GDLinearRegression(alpha=0.1).fit(X, Y, weight)
    expected = GDLinearRegression(alpha=0.1).fit(X, Y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-10)


def test_memory_mapped_csr(make_data, tmp_path):
    X, Y = make_data(decades=1.0)
    csr, parts = sparse.csr_array(X), []
    for name in ("data", "indices", "indptr"):
        np.save(tmp_path / name, getattr(csr, name))
        parts.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    mapped = sparse.csr_array(tuple(parts), shape=X.shape)
    expected = GDLinearRegression().fit(csr, Y)
    model = GDLinearRegression().fit(mapped, Y)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    np.testing.assert_array_equal(model.predict(mapped), expected.predict(csr))


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, bool])
def test_integers(rng, dtype):
    X = rng.integers(0, 2 if dtype is bool else 9, (60, 4)).astype(dtype)
    y = rng.integers(0, 9, 60)
    model = GDLinearRegression().fit(X, y)
    expected = GDLinearRegression().fit(X.astype(float), y.astype(float))
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    assert model.coef_.dtype == np.float64


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("learning_rate", ["auto", 1e-3])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_float32_in_float32_out(make_data, container, learning_rate, n_outputs):
    X, Y = make_data(D=n_outputs, decades=1.0)
    Y = Y[:, 0] if n_outputs == 1 else Y
    options = {"learning_rate": learning_rate, "max_iter": 50, "tol": 1e-5}
    if learning_rate != "auto":
        options["tol"] = 0
    X32 = container(X.astype(np.float32))
    model = GDLinearRegression(**options).fit(X32, Y.astype(np.float32))
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    assert model.predict(X32).dtype == np.float32
    exact = GDLinearRegression(**options).fit(X, Y)
    np.testing.assert_allclose(model.predict(X32), exact.predict(X), atol=1e-3)


def test_float32_moments_are_corrected(make_data):
    """Blocks multiplied in float32 leave 1e-7; the true gradient takes that away."""
    X, Y = make_data(5000, 20)
    X32, Y32 = X.astype(np.float32), Y.astype(np.float32)
    single = GDLinearRegression().fit(X32, Y32)
    double = GDLinearRegression().fit(X32.astype(float), Y32.astype(float))
    assert single.loss_curve_[-1] == pytest.approx(double.loss_curve_[-1], rel=1e-9)


def test_float32_overflow_of_squares(make_data):
    """One entry whose square float32 cannot hold, in no row that the scale is taken from."""
    X, Y = make_data(2000, decades=0.0)
    X[3, 2] = 1e25
    X32, Y32 = X.astype(np.float32), Y.astype(np.float32)
    model = GDLinearRegression().fit(X32, Y32)
    expected = GDLinearRegression().fit(X32.astype(float), Y32.astype(float))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_inputs_are_unchanged(make_data, rng, container):
    X, Y = make_data()
    A, weight = container(X), rng.uniform(0, 1, len(X))
    before = [x.copy() for x in (A, Y, weight)]
    GDLinearRegression(alpha=0.1).fit(A, Y, weight).predict(A)
    for now, then in zip((A, Y, weight), before, strict=True):
        assert (now != then).sum() == 0


def test_same_data_same_bits(make_data):
    X, Y = make_data(5000, 30)
    first, second = (GDLinearRegression().fit(X, Y) for _ in range(2))
    np.testing.assert_array_equal(first.coef_, second.coef_)


def peak_of_fit(model, *data):
    """Return the most bytes that a fit had allocated at a time."""
    tracemalloc.start()
    try:
        model.fit(*data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("learning_rate", ["auto", 0.01])
def test_dense_X_is_never_copied(rng, order, dtype, learning_rate, weighted):
    X = np.asarray(rng.standard_normal((100_000, 50)), dtype=dtype, order=order)
    y, weight = X @ np.ones(50, dtype), rng.uniform(0.5, 1, 100_000)
    model = GDLinearRegression(learning_rate=learning_rate, tol=1e-3)
    if learning_rate != "auto":
        model.set_params(max_iter=5, tol=0)
    data = (X, y, weight) if weighted else (X, y)
    assert peak_of_fit(model, *data) < 0.2 * X.nbytes


def test_sparse_X_is_never_dense():
    X = sparse.random(20_000, 20_000, density=1e-3, format="csr", random_state=0)
    y = X @ np.ones(20_000)
    model = GDLinearRegression(alpha=1e-3, tol=1e-3)
    assert peak_of_fit(model, X, y) < 20e6
