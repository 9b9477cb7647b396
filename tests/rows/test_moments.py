"""Moments of rows, against sums over weighted rows written out."""

import numpy as np
import pytest
from libraries import dispatch, in_each_library
from scipy import sparse

from sklearn_gdlinreg._base.arrays import to_host
from sklearn_gdlinreg._base.rounding import EPS
from sklearn_gdlinreg._rows import array as array_rows
from sklearn_gdlinreg._rows import dense as dense_rows
from sklearn_gdlinreg._rows.containers import rows_of
from sklearn_gdlinreg._rows.moments import FAR_OFF_ZERO, FLOAT32_SUMS, Moments

N, M, D = 40, 4, 2
ROUNDOFF = 2.0**-53
each_centring = pytest.mark.parametrize("centred", [True, False])


def moments_of(A, weight, centred, shift=None, unit=None, n_features=M):
    """Return the Moments of rows [x, y] as a formula."""
    shift = np.zeros(A.shape[1]) if shift is None else shift
    unit = np.ones(A.shape[1]) if unit is None else unit
    z = (A - shift) * unit
    mean = np.average(z, axis=0, weights=weight)
    about = z - mean * centred
    products = about.T @ (weight[:, None] * about) / weight.sum()
    return Moments(
        np.count_nonzero(weight), weight.sum(), mean, np.diagonal(products).copy(),
        products[:n_features], shift, unit, n_features, centred, ROUNDOFF,
    )  # fmt: skip


def assert_same(found, expected, rtol=1e-12):
    assert (found.n_rows, found.n_features) == (expected.n_rows, expected.n_features)
    assert (found.centred, found.roundoff) == (expected.centred, expected.roundoff)
    for name in ("weight", "mean", "variance", "shift", "unit", "products"):
        mine, theirs = getattr(found, name), getattr(expected, name)
        if name == "products" and mine is None:
            continue
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=1e-13, err_msg=name)


@pytest.fixture
def data(rng):
    """Return rows [x, y] off zero, and weights of which some are none."""
    weight = rng.uniform(0.5, 3.0, N)
    weight[[3, 30]] = 0.0
    return rng.standard_normal((N, M + D)) * np.geomspace(1.0, 9.0, M + D) + 2.0, weight


@pytest.fixture
def frame(rng):
    """Return a shift and a unit."""
    return rng.standard_normal(M + D), 2.0 ** rng.integers(-3, 4, M + D)


def without_products(moments):
    return moments._replace(products=None)


@each_centring
@pytest.mark.parametrize(
    "container", [np.ascontiguousarray, np.asfortranarray, sparse.csr_array]
)
def test_rows_gather_them(data, container, centred):
    A, weight = data
    rows = rows_of(container(A[:, :M]), A[:, M:], weight, centred=centred)
    # Rows multiply weights by a power of two.
    factor = weight[0] / rows.weight[0]
    expected = moments_of(A, weight / factor, centred, rows.shift, rows.unit)
    for gather in (rows.moments, rows.column_moments):
        assert_same(gather(), expected)
    assert rows.column_moments().products is None


@in_each_library
@each_centring
@pytest.mark.parametrize("n_features", [1, 2, 3, 4])
def test_products_of_two_outputs_are_left_out_where_there_are_many(
    data, monkeypatch, container, centred, n_features
):
    A, weight = data
    for module in (dense_rows, array_rows):
        monkeypatch.setattr(module, "BLOCK_ITEMS", 50)
    with dispatch():
        parts = (container(part) for part in (A[:, :n_features], A[:, n_features:], weight))
        rows = rows_of(*parts, centred=centred)
        found, made = rows.moments().on_host(), to_host(rows._gram(np.float64))
    factor = weight[0] / float(rows.weight[0])
    expected = moments_of(A, weight / factor, centred, found.shift, found.unit, n_features)
    assert_same(found, expected)
    assert len(made) == (n_features + 2 if n_features < 3 else 7)


@each_centring
def test_seen_from_elsewhere(data, frame, centred):
    A, weight = data
    shift, unit = frame
    shift = shift * centred
    here = moments_of(A, weight, centred, 0.5 * shift, 4.0 * unit)
    expected = moments_of(A, weight, centred, shift, unit)
    assert_same(here.seen_from(shift, unit), expected)
    assert_same(without_products(here).seen_from(shift, unit), expected)


@each_centring
@pytest.mark.parametrize("n", [1, 20, 39])
def test_merge_and_subtract(data, frame, centred, n):
    A, weight = data
    frame = frame[0] * centred, frame[1]
    first, rest, whole = (
        moments_of(A[rows], weight[rows], centred, *frame)
        for rows in (slice(n), slice(n, None), slice(None))
    )
    assert_same(first.merge(rest), whole)
    assert_same(rest.merge(first), whole)
    merged = without_products(first).merge(without_products(rest))
    assert merged.products is None
    assert_same(merged, whole)
    if n < 39:
        assert_same(whole.subtract(first), rest, rtol=1e-10)
    if n > 1:
        assert_same(whole.subtract(rest), first, rtol=1e-10)


@each_centring
def test_what_varies_in_the_other_rows_alone_is_left_constant(data, centred):
    A, weight = data
    A[:15, 1] = 3.0 * centred
    parts = [moments_of(A[rows], weight[rows], centred) for rows in (slice(15, N), slice(N))]
    left = parts[1].subtract(parts[0])
    assert left.variance[1] == 0.0
    assert (np.delete(left.variance, 1) > 0).all()


def test_repeated_outputs(data, frame):
    A, weight = data
    found = moments_of(A, weight, True, *frame).repeated(3)
    columns = [*range(M), *[M, M + 1] * 3]
    shift, unit = (part[columns] for part in frame)
    expected = moments_of(A[:, columns], weight, True, shift, unit)
    assert_same(found, expected)
    assert found.products.shape == (M, M + 3 * D)
    assert without_products(found).repeated(2).products is None


# Products of float32 in float32 ---------------------------------------------------------------


def rough_and_exact(X, Y, weight, centred):
    """Return rough Moments of float32 rows, and all of them as formulas in float64."""
    X, Y = X.astype(np.float32), Y.astype(np.float32)
    rows = rows_of(X, Y, weight, centred=centred)
    A = np.hstack([X, Y]).astype(float)
    expected = moments_of(A, rows.weight, centred, rows.shift, rows.unit, X.shape[1])
    return rows.moments(rough=True), expected


@pytest.fixture
def many(rng):
    """Return X, Y and weights, of several blocks of rows, off zero by some deviations."""
    X = rng.standard_normal((20_000, M)) @ (np.eye(M) + 0.3 * rng.standard_normal((M, M)))
    Y = X[:, :D] + rng.standard_normal((20_000, D))
    return X + 3.0, Y - 2.0, rng.uniform(0.5, 2.0, 20_000)


@each_centring
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("container", [np.ascontiguousarray, np.asfortranarray])
def test_rough_moments(many, centred, weighted, container):
    X, Y, weight = many
    found, expected = rough_and_exact(container(X), Y, weight if weighted else None, centred)
    assert found.rounding == FLOAT32_SUMS
    # Entries are rounded to float32 one by one, their sums are not.
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-9)
    size = expected.variance + expected.mean**2
    np.testing.assert_allclose(found.variance, expected.variance, atol=1e-6 * size.max())
    np.testing.assert_allclose(found.products, expected.products, atol=1e-6 * size.max())
    # They are those of float32: the test above is of something.
    assert np.abs(found.products - expected.products).max() > 1e-13 * size.max()


def test_the_weight_of_rough_moments(many):
    """What a pass sums up is divided by it: it must be that of the pass."""
    found, expected = rough_and_exact(*many, True)
    assert found.weight == pytest.approx(expected.weight, rel=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_only_float32_is_rough(many, dtype):
    X, Y, weight = many
    rows = rows_of(X.astype(dtype), Y.astype(dtype), weight, centred=True)
    rough, plain = rows.moments(rough=True), rows.moments()
    assert plain.rounding == EPS
    assert (rough.rounding == EPS) == (dtype == np.float64)
    assert (rough.products == plain.products).all() == (dtype == np.float64)


@each_centring
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.1, -7e4, 3e-20])
def test_a_constant_is_found_in_rough_moments(many, centred, weighted, value):
    X, Y, weight = many
    X[:, 1] = value
    found, expected = rough_and_exact(X, Y, weight if weighted else None, centred)
    assert (found.variance[1] == 0.0) == (centred or value == 0.0)
    assert (np.delete(found.variance, 1) > 0).all()
    np.testing.assert_allclose(found.mean[1], expected.mean[1], rtol=1e-7, atol=1e-12)


@each_centring
@pytest.mark.parametrize("value", [1e25, 3e38])
def test_squares_that_float32_cannot_hold(many, centred, value):
    X, Y, _ = many
    # No row that the unit is worked out from.
    X[1, 2] = value
    found, expected = rough_and_exact(X, Y, None, centred)
    assert found.rounding == EPS
    np.testing.assert_allclose(found.products, expected.products, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.variance, expected.variance, rtol=1e-10)


def test_values_that_are_not_finite_are_told_of_rough_moments(many):
    X, Y, _ = many
    X[1, 2] = np.inf
    rows = rows_of(X.astype(np.float32), Y.astype(np.float32), None, centred=True)
    with pytest.raises(ValueError, match="Input X contains infinity"):
        rows.moments(rough=True)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("off", [10.0, 1e3, 1e5])
def test_a_column_off_the_centre_of_its_sample(many, weighted, off):
    """Its first rows, of which the shift is made, are elsewhere: squares lose what it varies."""
    X, Y, weight = many
    step = len(X) // 256
    X[:, 1] += off
    X[::step, 1] -= off
    found, expected = rough_and_exact(X, Y, weight if weighted else None, True)
    far = expected.mean[1] ** 2 > FAR_OFF_ZERO * expected.variance[1]
    assert far
    np.testing.assert_allclose(found.variance[:M], expected.variance[:M], rtol=1e-8)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-9, atol=1e-10)
