"""The few functions on arrays that have no common name, with NumPy and without."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_gdlinreg._base import arrays
from sklearn_gdlinreg._base.compat import ARRAY_API


def library(name):
    """Return a function that makes arrays of a library, or skip."""
    if name == "numpy":
        return np.asarray
    if not ARRAY_API:
        pytest.skip("needs scikit-learn 1.9")
    pytest.importorskip("array_api_compat")
    if name == "strict":
        return pytest.importorskip("array_api_strict").asarray
    return pytest.importorskip("torch").asarray


@pytest.fixture(params=["numpy", "strict", "torch"])
def asarray(request):
    return library(request.param)


def test_there_and_back(asarray, rng):
    A = rng.standard_normal((3, 2))
    there = asarray(A.copy())
    assert arrays.is_numpy(there) == (asarray is np.asarray)
    np.testing.assert_array_equal(arrays.to_host(there), A)
    assert arrays.same_place(there, asarray(A))
    assert arrays.same_place(there, A) == arrays.is_numpy(there)
    copy = arrays.copied(there)
    copy[0, 0] = 7.0
    np.testing.assert_array_equal(arrays.to_host(there), A)
    zeros = arrays.zeros((2, 5), there)
    assert type(zeros) is type(there)
    assert zeros.dtype == there.dtype
    np.testing.assert_array_equal(arrays.to_host(zeros), np.zeros((2, 5)))


@pytest.mark.parametrize(
    "values",
    [2.5, np.arange(3.0), np.arange(6.0)[::-2], np.broadcast_to(1.0, (4,))],
    ids=["number", "array", "reversed", "read-only"],
)
def test_placed_like(asarray, values):
    placed = arrays.placed_like(values, asarray([1.0]))
    np.testing.assert_array_equal(np.asarray(placed), values)


def test_sums_over_columns(asarray, rng):
    A, B, weight = (rng.standard_normal(shape) for shape in [(9, 3), (9, 3), 9])
    mine, theirs = asarray(A), asarray(B)
    expected = [
        (arrays.dot(mine, theirs), (A * B).sum(axis=0)),
        (arrays.weighted_square(asarray(weight), mine), (weight[:, None] * A**2).sum(axis=0)),
        (arrays.nth_smallest(mine, 4), np.sort(A, axis=0)[4]),
    ]
    for found, value in expected:
        np.testing.assert_allclose(arrays.to_host(found), value)


def test_inverse_of(asarray):
    found = arrays.to_host(arrays.inverse_of(asarray([4.0, 0.0, 0.5])))
    np.testing.assert_array_equal(found, [0.25, 0.0, 2.0])


def test_inverse_of_some(asarray):
    values, where = asarray([4.0, -2.0, 0.0]), asarray([False, True, False])
    found = arrays.to_host(arrays.inverse_of(values, where))
    np.testing.assert_array_equal(found, [0.0, -0.5, 0.0])


def test_to_floats(asarray):
    found = list(arrays.to_floats(asarray(1.5), asarray(np.float32(0.25))))
    assert found == [1.5, 0.25]
    assert {type(value) for value in found} == {float}


@pytest.mark.parametrize("indices", [np.array([3, 0, 3, 4]), np.array([], int), slice(1, 4)])
@pytest.mark.parametrize("axis", [0, -1])
def test_take(asarray, rng, indices, axis):
    A = rng.standard_normal((6, 5))
    found = arrays.take(asarray(A), indices, axis=axis)
    expected = A[indices] if axis == 0 else A[:, indices]
    np.testing.assert_array_equal(arrays.to_host(found), expected)


@pytest.mark.parametrize("entries", [1, 7, 10**6])
@pytest.mark.parametrize("order", ["C", "F", "sparse", "3D"])
@pytest.mark.parametrize("n_taken", [0, 1, 30])
def test_rows_are_taken_in_spans(rng, monkeypatch, entries, order, n_taken):
    monkeypatch.setattr(arrays, "ENTRIES_OF_A_SPAN", entries)
    A = rng.standard_normal((20, 5, 2) if order == "3D" else (20, 5))
    A[rng.random(A.shape) < 0.4] = 0.0
    A[4] = 0.0
    indices = rng.integers(0, 20, n_taken)
    if order == "sparse":
        found = arrays.take(sparse.csr_array(A), indices, axis=0)
        found.check_format()
        assert type(found) is sparse.csr_array
        found = found.toarray()
    else:
        found = arrays.take(
            np.asarray(A, order=order if order != "3D" else "C"), indices, axis=0
        )
        assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, A[indices])


@pytest.mark.parametrize("indices", [np.array([3, 0]), slice(1, 4)])
def test_columns_of_sparse_matrices(rng, indices):
    A = rng.standard_normal((6, 5)).round()
    found = arrays.take(sparse.csr_array(A), indices, axis=-1)
    np.testing.assert_array_equal(found.toarray(), A[:, indices])


def test_what_is_taken_is_a_copy_of_numpys():
    A = np.arange(12.0).reshape(3, 4)
    assert arrays.take(A, slice(1, 3), axis=-1).flags.c_contiguous
    # A slice of rows is contiguous already: it may be a view.
    assert not np.shares_memory(arrays.take(A, np.array([0, 1]), axis=0), A)


def test_what_is_stored():
    X = sparse.csr_array([[0.0, 2.0], [3.0, 0.0]])
    np.testing.assert_array_equal(arrays.stored(X), [2.0, 3.0])
    np.testing.assert_array_equal(arrays.stored(X.toarray()), X.toarray())


def test_derivatives_are_not_recorded():
    torch = pytest.importorskip("torch")
    assert not arrays.detached(torch.ones(2, requires_grad=True)).requires_grad
    A = np.ones(2)
    assert arrays.detached(A) is A


@pytest.mark.parametrize("name", ["numpy", "strict", "torch"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 3), (arrays.MANY_ROWS, 1), (arrays.MANY_ROWS, 4)])
def test_the_largest_of_each_column(rng, name, dtype, shape):
    A = rng.standard_normal(shape).astype(dtype)
    A[0, -1] = -9.0
    found = arrays.largest_of(library(name)(A))
    np.testing.assert_array_equal(arrays.to_host(found), np.abs(A).max(axis=0))
    assert arrays.to_host(found).dtype == dtype
    A[-1, 0] = np.nan
    found = arrays.to_host(arrays.largest_of(library(name)(A)))
    np.testing.assert_array_equal(found, np.abs(A).max(axis=0))
