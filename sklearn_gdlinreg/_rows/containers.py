"""The choice of the class that reads the rows of a container."""

from functools import singledispatch

import numpy as np
from scipy import sparse

from .array import ArrayRows
from .csr import CSRRows
from .dense import DenseRows


@singledispatch
def rows_of(X, Y, sample_weight, *, centred, scaled=True, origin=None):
    """Return the Rows of data, in the class for the container of X.

    Parameters
    ----------
    X : of shape (N, M), float32 or float64, an ndarray, CSR, or an array of another library;
        modules register others
    Y : array of shape (N, D), of the type of X
    sample_weight : array of shape (N,), float64, or None
    centred : bool, whether there is an intercept
    scaled : bool, as in DenseRows
    origin : (shift, unit) or None
        The shift and unit to use, so that moments can be merged and subtracted; not for CSR.
    """
    return ArrayRows(X, Y, sample_weight, centred=centred, scaled=scaled, origin=origin)


rows_of.register(np.ndarray)(DenseRows)


@rows_of.register(sparse.csr_matrix)
@rows_of.register(sparse.csr_array)
def _(X, Y, sample_weight, *, centred, scaled=True, origin=None):
    return CSRRows(X, Y, sample_weight, centred=centred)
