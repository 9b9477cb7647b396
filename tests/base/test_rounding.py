"""What rounding does, against numbers that have been rounded."""

from fractions import Fraction

import numpy as np
import pytest

from sklearn_gdlinreg._base.rounding import rounded_to_20_bits, rounding_of


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1.9])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_mean_square_of_rounding(rng, scale, dtype):
    x = scale * rng.uniform(1.0, 2.0, 100_000)
    made = np.mean((x.astype(dtype) - x) ** 2)
    bound = rounding_of(np.mean(x**2), float(np.finfo(dtype).eps) / 2)
    # Numbers just above a power of two move by nearly as much as is allowed.
    assert 0.2 * bound < made <= bound


def test_20_bits(rng):
    values = rng.standard_normal(1000) * 10.0 ** rng.integers(-200, 200, 1000)
    values = np.append(values, [0.0, 1.0, -(2.0**30), 2.0**-1000])
    rounded = rounded_to_20_bits(values)
    assert (np.abs(rounded - values) <= 2.0**-20 * np.abs(values)).all()
    mantissa = np.frexp(rounded)[0] * 2.0**20
    np.testing.assert_array_equal(mantissa, np.rint(mantissa))
    np.testing.assert_array_equal(rounded[-4:], values[-4:])


def test_differences_to_nearby_floats_are_exact(rng):
    values = 1e6 + rng.standard_normal(200).astype(np.float32)
    shift = rounded_to_20_bits(values.mean())
    for x in map(float, values):
        assert Fraction(x) - Fraction(float(shift)) == Fraction(x - float(shift))
