"""Operations in one reading of their arrays, against the formulas of their docstrings."""

import numpy as np
import pytest

from sklearn_gdlinreg._base.fused import advance, scaled, slopes, standardised

# One output is read in strips of eight features; the last of them may be shorter.
shapes = pytest.mark.parametrize("shape", [(1, 1), (8, 1), (21, 1), (5, 2), (7, 11), (0, 2)])
# Arrays that kernels cannot take go the other way, operation by operation.
orders = pytest.mark.parametrize("order", ["C", "F"])


@pytest.fixture
def make(rng):
    """Return a maker of n random arrays of a shape and an order."""

    def make_arrays(n, shape, order="C"):
        return [np.asarray(rng.standard_normal(shape), order=order) for _ in range(n)]

    return make_arrays


@shapes
@orders
def test_advance(make, shape, order):
    V, G, P, HP = make(4, shape, order)
    (length,) = make(1, shape[1:])
    V_after, G_after = V + length * P, G - length * HP
    squares = advance(V, G, P, HP, length)
    np.testing.assert_allclose(V, V_after, rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(G, G_after, rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(squares, (G_after**2).sum(axis=0), rtol=1e-14)


@shapes
@orders
def test_slopes(make, shape, order):
    P, G = make(2, shape, order)
    (floor,) = make(1, shape[:1])
    slope, flat = slopes(P, G, floor)
    np.testing.assert_allclose(slope, (P * G).sum(axis=0), rtol=1e-13, atol=1e-14)
    expected = (floor[:, None] * P**2).sum(axis=0)
    np.testing.assert_allclose(flat, expected, rtol=1e-13, atol=1e-14)


@shapes
@orders
def test_scaled(make, shape, order):
    (V,), out = make(1, shape, order), np.full(shape, np.nan)
    scale, centre = make(2, shape[:1])
    W, mean = scaled(V, scale, centre, out)
    assert W is out
    np.testing.assert_array_equal(W, scale[:, None] * V)
    np.testing.assert_allclose(mean, centre @ (scale[:, None] * V), rtol=1e-13, atol=1e-14)


@shapes
@orders
@pytest.mark.parametrize("l2_of", ["all", "features", "outputs", "none"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_standardised(make, shape, order, l2_of, sign):
    sums, V = make(2, shape, order)
    (first,), (centre, scale) = make(1, shape[1:]), make(2, shape[:1])
    M, D = shape
    (l2,) = make(1, {"all": shape, "features": (M, 1), "outputs": (1, D), "none": (1, 1)}[l2_of])
    G, of_penalty = standardised(sums, first, centre, scale, l2, V, sign)
    expected = sign * ((sums - centre[:, None] * first) * scale[:, None] - l2 * V)
    np.testing.assert_allclose(G, expected, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(of_penalty, (l2 * V**2).sum(axis=0), rtol=1e-13, atol=1e-14)


def test_precision_of_the_widest_float_is_kept(make):
    sums, V = make(2, (9, 2))
    sums = sums.astype(np.longdouble) + np.longdouble(1e-18)
    one = np.ones(9)
    G, _ = standardised(sums, np.zeros(2), one, one, np.zeros((1, 1)), V, 1.0)
    assert G.dtype == np.longdouble
    np.testing.assert_array_equal(G, sums)
