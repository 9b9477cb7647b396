"""Where conjugate steps end: at the optimum, and not by moves that only rounding asks for."""

import numpy as np

from sklearn_gdlinreg._solvers.conjugate import NEARLY_NEGLIGIBLE, _is_stuck


def test_a_gradient_that_stands_still_near_rounding_is_stuck():
    near, far = 0.5 * NEARLY_NEGLIGIBLE, 2.0 * NEARLY_NEGLIGIBLE
    square = np.array([near, near, near, far])
    before = np.array([near, 3.9 * near, 4.1 * near, far])
    # One that still falls, or that is too large to be rounding, goes on.
    assert list(_is_stuck(square, before, np.ones(4))) == [True, True, False, False]
    assert list(_is_stuck(1e-60 * square, 1e-60 * before, np.full(4, 1e-60))) == [
        True, True, False, False,
    ]  # fmt: skip
