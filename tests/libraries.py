"""Arrays of other libraries than NumPy, and what they need of scikit-learn."""

import contextlib

import numpy as np
import pytest
from sklearn import config_context

from sklearn_gdlinreg._base.compat import ARRAY_API

needs_dispatch = pytest.mark.skipif(not ARRAY_API, reason="needs scikit-learn 1.9")


def in_strict(A):
    """Return an ndarray as one of array_api_strict."""
    return pytest.importorskip("array_api_strict").asarray(A.copy())


def in_torch(A):
    """Return an ndarray as a tensor of PyTorch."""
    return pytest.importorskip("torch").asarray(A.copy())


in_each_library = pytest.mark.parametrize(
    "container",
    [
        np.ascontiguousarray,
        np.asfortranarray,
        pytest.param(in_strict, marks=needs_dispatch),
        pytest.param(in_torch, marks=needs_dispatch),
    ],
)


def dispatch():
    """Return what lets arrays of other libraries in, where scikit-learn does."""
    return config_context(array_api_dispatch=True) if ARRAY_API else contextlib.nullcontext()
