"""Checks of Dask collections, and how the chunks of X, y and the weights are matched.

Conventions: N rows, M features, D outputs.
"""

import dask
import dask.array as da
import numpy as np
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import validate_data

from .._problem.outputs import alike
from .._rows.dask import Chunks, add, check_chunk, naming, places
from .containers import check_container, unmasked


class DaskData:
    """Checked rows in chunks; the counterpart of `dataset.Data`.

    Parameters
    ----------
    chunks : Chunks
    groups : list of ndarray of int, or None
        The groups of outputs that are missing in the same rows, if any are missing.
    """

    # The chunks of each group of outputs are read separately.
    gathered = whole = None

    def __init__(self, chunks, groups):
        self.chunks, self.groups = chunks, groups
        self.n_rows, self.n_outputs = chunks.shape[0], chunks.n_outputs
        self.dtype = chunks.dtype

    def weight_exponent(self, d):
        """Return the e such that chunks divide the weights of output d by 2 ** e."""
        return self.chunks.exponent

    def parts(self, penalty):
        """Yield the rows of each group of outputs, for `reading.read_groups`."""
        marks = [penalty.smooth_outputs[None, :]]
        if self.groups is not None:
            # The same outputs are observed in the rows of the same member.
            members = np.zeros((len(self.groups), self.n_outputs), dtype=bool)
            for k, outputs in enumerate(self.groups):
                members[k, outputs] = True
            marks.append(members)
        for outputs in alike(*marks):
            chunks = self.chunks
            if self.groups is not None or not isinstance(outputs, slice):
                outputs = np.arange(self.n_outputs)[outputs]
                chunks = chunks.of_outputs(outputs, masked=self.groups is not None)
            yield outputs, chunks, None, None


def is_dask(A):
    """Whether A is a collection that Dask can convert to arrays."""
    return isinstance(A, da.Array) or hasattr(type(A), "to_dask_array")


def as_array(A, name):
    """Return a collection as dask.array; the lengths of partitions are computed."""
    if not isinstance(A, da.Array):
        A = in_floats(A).to_dask_array(lengths=True)
    unknown = [i for i, length in enumerate(A.chunks[0]) if np.isnan(length)]
    if unknown:
        raise ValueError(
            f"{name} has chunks of unknown size, the first of them chunk {unknown[0]}. Call "
            f"{name}.compute_chunk_sizes() first."
        )
    check_columns(A, name)
    return A


def in_floats(A):
    """Return a dataframe or a column in dtypes of NumPy, with NaN for missing values.

    Nullable and Arrow columns become float64, as they do in memory.
    """
    from pandas.api.types import is_numeric_dtype

    dtypes = list(A.dtypes) if A.ndim == 2 else [A.dtype]
    if all(isinstance(dtype, np.dtype) for dtype in dtypes):
        return A
    return A.astype(np.float64) if all(map(is_numeric_dtype, dtypes)) else A


def check_columns(A, name):
    """Raise if an array is split along its columns."""
    if A.ndim == 2 and A.numblocks[1] > 1:
        raise ValueError(
            f"{name} must be chunked along rows only. Got chunks of {A.chunks[1]} columns: "
            f"chunk (0, 1) begins at column {A.chunks[1][0]}. Use {name}.rechunk({{1: -1}})."
        )


def check_features(estimator, X, *, reset):
    """Set or compare the number and the names of the features of a collection."""
    if not is_dask(X):
        raise TypeError(
            f"X must be a dask.array or dask.dataframe. Got {type(X)}. Use GDLinearRegression "
            "for data in memory."
        )
    if X.ndim != 2:
        raise ValueError(f"X must be a 2D array. Got one of shape {X.shape}.")
    # A dataframe without rows, or an array without rows, stands for the collection.
    empty = np.empty((0, X.shape[1])) if isinstance(X, da.Array) else X._meta
    validate_data(estimator, empty, reset=reset, skip_check_array=True)


def _check_shapes(X, y):
    if X.shape[0] == 0 or X.shape[1] == 0:
        raise ValueError(f"X must have samples and features. Got shape {X.shape}.")
    if y.ndim not in (1, 2):
        raise ValueError(
            f"y should be a 1d or 2d array, got an array of shape {y.shape} instead."
        )


def _following(A, X, name):
    """Return A as a dask.array in the chunks of X; raise if its own chunks differ."""
    if not is_dask(A):
        if dask.is_dask_collection(A):
            raise TypeError(
                f"{name} must be a dask.array, dask.dataframe or array. Got {type(A)}."
            )
        check_container(A, name)
        A = unmasked(A, name, missing=name == "y")
        A = np.asarray(A)
        if A.shape[:1] != X.shape[:1]:
            raise ValueError(f"{name} must have {X.shape[0]} rows, like X. Got shape {A.shape}.")
        return da.from_array(A, chunks=(X.chunks[0], *A.shape[1:]))
    A = as_array(A, name)
    own, expected = A.chunks[0], X.chunks[0]
    if own != expected:
        both = zip(own, expected, strict=False)
        first = next(
            (i for i, (n, m) in enumerate(both) if n != m), min(len(own), len(expected))
        )
        n, m = (str(c[first]) if first < len(c) else "no" for c in (own, expected))
        raise ValueError(
            f"X and {name} must have the same chunks of rows. Chunk {first} has {m} rows in X "
            f"and {n} in {name}, of {X.shape[0]} and {A.shape[0]} in total. Use "
            f"{name}.rechunk({{0: X.chunks[0]}})."
        )
    return A


def _check_weight(weight, place):
    """Return the largest weight of a chunk; raise if a weight is not allowed."""
    with naming(*place):
        check_chunk(weight, "sample_weight")
        if not len(weight):
            return 0.0
        weight = np.asarray(unmasked(weight, "sample_weight"), dtype=np.float64)
        assert_all_finite(weight, input_name="sample_weight")
        if weight.min() < 0:
            raise ValueError(
                "Negative values in data passed to `sample_weight`: weights must be >= 0. Got a "
                f"minimum of {weight.min():g}"
            )
    return float(weight.max())


def _exponent_of(weights):
    """Return the exponent of the largest weight; raise if a weight is not allowed."""
    check = dask.delayed(_check_weight, pure=False)
    blocks = zip(weights.to_delayed().ravel(), places(weights.chunks[0]), strict=True)
    largest = max(dask.compute(*(check(block, place) for block, place in blocks)))
    if largest == 0.0:
        raise ValueError(
            "Sample weights must contain at least one non-zero number. Got all zeros in "
            "`sample_weight`."
        )
    return int(np.frexp(largest)[1])


def _patterns(chunk):
    """Return in how many rows two outputs differ, (D, D), each is missing, and seen, (D,)."""
    _, Y, weight = chunk
    missing = np.isnan(Y).astype(np.float64)
    differ = missing.T @ (1.0 - missing)
    seen = (1.0 - missing).sum(axis=0) if weight is None else (weight > 0) @ (1.0 - missing)
    return differ + differ.T, missing.sum(axis=0), seen


def _groups_of(chunks):
    """Return the groups of outputs that are missing in the same rows; None if none is."""
    differ, missing, seen = chunks.reduce(_patterns, add)
    if not missing.any():
        return None
    if not seen.all():
        raise ValueError(
            "With missing_targets='ignore', every output must be observed in a row to train on "
            "whose sample_weight is positive. Got none for output "
            f"{int(np.argmin(seen))} of y."
        )
    groups = {}
    for d in range(len(missing)):
        groups.setdefault(int(np.argmin(differ[d])), []).append(d)
    return [np.array(outputs) for outputs in groups.values()]


def data_of(X, y, sample_weight, *, missing_targets):
    """Return DaskData, and X and y as arrays of Dask.

    Parameters
    ----------
    X : dask.array or dask.dataframe of shape (N, M)
    y : dask collection or array of shape (N,) or (N, D)
    sample_weight : dask collection or array of shape (N,), a float or None
    missing_targets : as in GDLinearRegression
    """
    X = as_array(X, "X")
    y = _following(y, X, "y")
    _check_shapes(X, y)
    blocks = [X.to_delayed().ravel(), y.to_delayed().ravel(), [None] * X.numblocks[0]]
    exponent = 0
    if sample_weight is not None:
        if np.ndim(sample_weight) == 0 and not is_dask(sample_weight):
            sample_weight = da.full(X.shape[0], float(sample_weight), chunks=X.chunks[0])
        weights = _following(sample_weight, X, "sample_weight")
        if weights.ndim != 1:
            raise ValueError(
                f"Sample weights must be 1D array or scalar, got {weights.ndim}D array."
            )
        blocks[2], exponent = weights.to_delayed().ravel(), _exponent_of(weights)
    chunks = Chunks(
        blocks=list(zip(*blocks, strict=True)), lengths=X.chunks[0], shape=X.shape,
        n_columns=1 if y.ndim == 1 else y.shape[1],
        dtype=np.dtype(np.float32 if X.dtype == np.float32 else np.float64),
        exponent=exponent, missing=missing_targets == "ignore",
    )  # fmt: skip
    groups = _groups_of(chunks) if chunks.missing else None
    return DaskData(chunks, groups), X, y
