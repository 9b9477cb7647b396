"""Products of rows and with rows, and every so many-th of them, against rows written out."""

import numpy as np
import pytest
from libraries import dispatch, in_each_library
from scipy import sparse

from sklearn_gdlinreg._base import threads
from sklearn_gdlinreg._base.arrays import to_host
from sklearn_gdlinreg._rows import array as array_rows
from sklearn_gdlinreg._rows import csr as csr_rows
from sklearn_gdlinreg._rows import dense as dense_rows
from sklearn_gdlinreg._rows.containers import rows_of

N, M, D = 30, 7, 2


@pytest.fixture(params=[np.float64, np.float32], ids=["float64", "float32"])
def rows(rng, container, request, weight, centred, monkeypatch):
    """Return Rows that are read in several blocks, their z_x and z_y, and the weights."""
    monkeypatch.setattr(dense_rows, "BLOCK_ITEMS", 50)
    monkeypatch.setattr(array_rows, "BLOCK_ITEMS", 50)
    for module in (dense_rows, array_rows):
        monkeypatch.setattr(module, "COLUMNS", 3)
    X = (rng.standard_normal((N, M)) * np.geomspace(0.1, 10.0, M) + 3.0).astype(request.param)
    Y = rng.standard_normal((N, D)).astype(request.param)
    s = rng.uniform(0.5, 2.0, N) if weight else None
    arrays = container(X), container(Y), None if s is None else container(s)
    with dispatch():
        rows = rows_of(*arrays, centred=centred)
        shift, unit = to_host(rows.shift), to_host(rows.unit)
        z = (np.hstack([X, Y]).astype(float) - shift) * unit
        yield rows, z, np.asarray(to_host(rows.weight))


@in_each_library
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("weight", [True, False])
def test_products(rows, rng, container):
    rows, z, weight = rows
    z_x, centre, scale = z[:, :M], rng.standard_normal(M), rng.uniform(0.5, 2.0, M)
    scale[2] = 0.0
    found = to_host(rows.products_of_rows(container(centre), container(scale)))
    about = np.sqrt(weight)[:, None] * (z_x - centre) * scale
    np.testing.assert_allclose(np.tril(found), np.tril(about @ about.T), rtol=1e-12, atol=1e-12)
    V, A = rng.standard_normal((M, D)), rng.standard_normal((N, D))
    predicted, combined = rows.predictions(container(V)), rows.combinations(container(A))
    np.testing.assert_allclose(to_host(predicted), z_x @ V, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(to_host(combined), z_x.T @ A, rtol=1e-12, atol=1e-12)


@in_each_library
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("weight", [True, False])
@pytest.mark.parametrize("step", [1, 3, 29])
def test_every(rows, step):
    """They are seen as all rows are, though they would choose otherwise."""
    rows, z, weight = rows
    some, z, weight = rows.every(step), z[::step], weight[::step]
    assert (some.n_rows, some.n_features, some.n_outputs) == (len(z), M, D)
    assert (some.centred, some.roundoff, some.at_hand) == (rows.centred, rows.roundoff, True)
    for name in ("shift", "unit"):
        np.testing.assert_array_equal(to_host(getattr(some, name)), to_host(getattr(rows, name)))
    moments = some.moments()
    mean = np.average(z, axis=0, weights=weight)
    about = z - mean * rows.centred
    products = about[:, :M].T @ (weight[:, None] * about) / weight.sum()
    np.testing.assert_allclose(to_host(moments.mean), mean, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(to_host(moments.products), products, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("far", [False, True], ids=["near", "far off zero"])
@pytest.mark.parametrize("weight", [True, False])
def test_products_of_sparse_rows(rng, weight, dtype, far):
    X = rng.standard_normal((N, M)).astype(dtype) * (rng.random((N, M)) < 0.4)
    Y = rng.standard_normal((N, D)).astype(dtype)
    if far:
        X[:, 1] = 1e5 + rng.standard_normal(N)
        Y += 1e5
    s = rng.uniform(0.5, 2.0, N) if weight else None
    rows = rows_of(sparse.csr_array(X), Y, s, centred=True)
    moments = rows.column_moments()
    z_x = X.astype(float) - moments.shift[:M]
    centre, scale = moments.mean[:M], rng.uniform(0.5, 2.0, M)
    scale[2] = 0.0
    found = rows.products_of_rows(centre, scale)
    about = np.sqrt(rows.weight)[:, None] * (z_x - centre) * scale
    np.testing.assert_allclose(np.tril(found), np.tril(about @ about.T), rtol=1e-12, atol=1e-12)
    V, A = rng.standard_normal((M, D)), rng.standard_normal((N, D))
    np.testing.assert_allclose(rows.predictions(V), z_x @ V, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(rows.combinations(A), z_x.T @ A, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(rows.targets(), Y.astype(float) - moments.shift[M:], rtol=1e-12)


@pytest.mark.parametrize("n_outputs", [1, 2, 3, 4, 7, 8, 9, 15, 20])
def test_sparse_passes_of_any_number_of_outputs(rng, n_outputs):
    """Kernels take several outputs at a time, and fetch entries of long rows ahead."""
    X = rng.standard_normal((N, 40)) * (rng.random((N, 40)) < rng.random((N, 1)))
    Y, V = rng.standard_normal((N, n_outputs)), rng.standard_normal((40, n_outputs))
    rows, offset = rows_of(sparse.csr_array(X), Y, None, centred=True), np.ones(n_outputs)
    gradient, first, second = rows.residual(V, offset)
    r = Y - offset - X @ V
    np.testing.assert_allclose(gradient, X.T @ r, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(first, r.sum(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(second, (r**2).sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weight", [True, False])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("off", [0.0, 1e6])
def test_gradients_row_by_row_and_column_by_column(
    rng, monkeypatch, n_threads, dtype, weight, index, off
):
    """Sparse rows are read by columns, too, once many passes with many outputs are made."""
    monkeypatch.setattr(threads, "WORK_OF_A_THREAD", 1)
    monkeypatch.setenv("OMP_NUM_THREADS", str(n_threads))
    dense = rng.standard_normal((N, M)) * (rng.random((N, M)) < 0.3)
    # A column that is full is seen from a shift, and one may be empty.
    dense[:, 1], dense[:, 4] = off + rng.standard_normal(N), 0.0
    X, Y = sparse.csr_array(dense.astype(dtype)), rng.standard_normal((N, D)).astype(dtype)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    s = rng.uniform(0.5, 2.0, N) if weight else None
    V, offset, found = rng.standard_normal((M, D)), rng.standard_normal(D), []
    for worth in (np.inf, 0):
        monkeypatch.setattr(csr_rows, "WORTH_A_TRANSPOSE", worth)
        rows = rows_of(X, Y, s, centred=True)
        rows.column_moments()
        for homogeneous in (False, True):
            found.append([A.copy() for A in rows.residual(V, offset, homogeneous=homogeneous)])
    for k in (0, 1):
        for by_row, by_column in zip(found[k], found[2 + k], strict=True):
            np.testing.assert_allclose(by_column, by_row, rtol=1e-12, atol=1e-12)
