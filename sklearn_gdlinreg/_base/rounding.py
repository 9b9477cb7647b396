"""What rounding does to numbers, and how much of a value it may have made."""

import numpy as np

EPS = float(np.finfo(np.float64).eps)


def rounding_of(mean_square, roundoff):
    """Return the mean square that rounding alone gives values of this mean square, at most.

    Rounding moves a value x by at most roundoff * abs(x), and by any amount up to that alike.
    What varies by no more is a constant, and what float32 or float64 holds beyond it is data.
    """
    return (roundoff**2 / 3.0) * mean_square


def rounded_to_20_bits(values):
    """Round to 20 bits, so that differences to nearby floats are exact."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.rint(np.ldexp(mantissa, 20)), exponent - 20)
