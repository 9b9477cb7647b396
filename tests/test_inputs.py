"""What becomes of the inputs: their type is kept, nothing is changed, nothing copied."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from sklearn_gdlinreg import GDLinearRegression


@pytest.mark.parametrize("weight", [3.0, 2])
def test_a_scalar_weight_is_none(make_data, weight):
    X, Y = make_data()
    model = GDLinearRegression(alpha=0.1).fit(X, Y, weight)
    expected = GDLinearRegression(alpha=0.1).fit(X, Y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-10)


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_sparse_X_is_never_dense():
    X = sparse.random(20_000, 20_000, density=1e-3, format="csr", random_state=0)
    y = X @ np.ones(20_000)
    model = GDLinearRegression(alpha=1e-3, tol=1e-3)
    assert peak_of_fit(model, X, y) < 20e6


def misaligned(A):
    """Return an array whose memory begins one byte off, as what is sent may do."""
    memory = np.frombuffer(bytearray(1) + bytearray(A.tobytes()), np.uint8)
    return memory[1:].view(A.dtype).reshape(A.shape)


@pytest.mark.parametrize("batch_size", [None, 16])
def test_memory_that_is_not_aligned(make_data, batch_size):
    X, Y = make_data(decades=1.0)
    X[np.abs(X) < 1] = 0.0
    csr = sparse.csr_array(X)
    off = sparse.csr_array(csr)
    for name in ("data", "indices", "indptr"):
        setattr(off, name, misaligned(getattr(csr, name)))
    for A, B in ((X, misaligned(X)), (csr, off)):
        model = GDLinearRegression(batch_size=batch_size, random_state=0)
        expected = model.fit(A, Y).coef_
        np.testing.assert_array_equal(model.fit(B, misaligned(Y)).coef_, expected)


@pytest.mark.parametrize("index", [5, -1])
@pytest.mark.parametrize("batch_size", [None, 8])
def test_csr_with_indices_out_of_range(index, batch_size):
    X = sparse.csr_array((np.ones(40), np.full(40, 4), np.arange(41)), shape=(40, 5))
    X.indices[7] = index
    with pytest.raises(ValueError, match="ind"):
        GDLinearRegression(batch_size=batch_size).fit(X, np.arange(40.0))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("options", [{}, {"alpha": 0.1, "l1_ratio": 0.5}], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch_size", [None, 8])
def test_csr_without_entries(method, options, dtype, batch_size):
    X, y = sparse.csr_array((40, 5), dtype=dtype), np.arange(40.0)
    model = GDLinearRegression(batch_size=batch_size, random_state=0, **options)
    getattr(model, method)(X, y)
    np.testing.assert_array_equal(model.coef_, 0.0)
    assert abs(model.intercept_ - y.mean()) < y.std()


def test_float32_csr_far_off_zero_in_mini_batches(rng):
    X = (rng.standard_normal((50, 1)) + 2000).astype(np.float32)
    y = (X[:, 0] - 2000 + 0.1 * rng.standard_normal(50)).astype(np.float32)
    model = GDLinearRegression(batch_size=4, random_state=0).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(model.coef_, 1.0, atol=0.1)
    assert model.coef_.dtype == np.float32
