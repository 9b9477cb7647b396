"""The effect of rounding on numbers."""

import numpy as np

EPS = float(np.finfo(np.float64).eps)


def rounding_of(mean_square, roundoff):
    """Return the largest variance that rounding gives constant values of this mean square.

    Rounding changes a value x by at most roundoff * abs(x), and by all amounts up to that with
    equal probability. A column that varies no more is constant; larger variation is data.
    """
    return (roundoff**2 / 3.0) * mean_square


def rounded_to_20_bits(values):
    """Round to 20 bits, so that differences from nearby floats are exact."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.rint(np.ldexp(mantissa, 20)), exponent - 20)
