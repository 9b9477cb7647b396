"""Rows in Dask chunks: each chunk is reduced to sums, and the sums are merged.

A chunk is never sent to the client. It is read by the rows of its kind, `dense` or `csr`, in a
task of its own, and a tree of tasks merges the answers. Tasks keep no chunk: if a worker is
lost, its chunks are computed again.

Conventions are those of `base`; P = M + D columns.
"""

import math
from contextlib import contextmanager
from dataclasses import dataclass, replace

import dask
import numpy as np
from scipy import sparse
from sklearn.utils import assert_all_finite

from .._base.rounding import rounded_to_20_bits
from .._base.threads import one_thread
from .._input.containers import assert_finite_targets, unmasked
from .containers import rows_of
from .csr import CSRRows
from .dense import PRODUCT_ADVANTAGE, DenseRows
from .moments import Moments, without_rounding

# How many answers a task of the tree merges.
FAN_IN = 8
# Moments of so many features, 32 MB, may be larger than a chunk: a worker holds a few.
ALWAYS_NARROW = 2_000


@dataclass(frozen=True)
class Chunks:
    """The chunks of X, Y and the weights, of all outputs or of some.

    Attributes
    ----------
    blocks : list of (Delayed X, Delayed Y, Delayed weight or None)
    lengths : tuple of int, the rows of each
    shape : (N, M)
    n_columns : int, the number of outputs of Y
    dtype : float32 or float64
    sparse : bool, whether the chunks of X are sparse, or None if that is not known yet
    exponent : int, weights are divided by ``2 ** exponent``
    outputs : ndarray of int, or None for all
    missing : bool, whether Y may have NaN
    masked : bool, whether rows in which the first of these outputs is NaN have no weight
    """

    blocks: list
    lengths: tuple
    shape: tuple
    n_columns: int
    dtype: object
    sparse: object = None
    exponent: int = 0
    outputs: object = None
    missing: bool = False
    masked: bool = False

    def of_outputs(self, outputs, *, masked):
        """Return the Chunks of some outputs; if masked, these are missing in the same rows."""
        return replace(self, outputs=outputs, masked=masked)

    @property
    def n_outputs(self):
        """The number of outputs."""
        return self.n_columns if self.outputs is None else len(self.outputs)

    def reduce(self, answer, merge, *question, only=None):
        """Compute an answer of each chunk, and merge the answers in a tree; return the result.

        Parameters
        ----------
        answer : callable
            Called with ``(X, Y, weight)`` of a chunk and the question; None is no answer.
        merge : callable, of two answers
        *question : arguments of ``answer``, sent to every worker once
        only : sequence of int, the chunks to use, if not all
        """
        asked = dask.delayed(question, pure=False, traverse=False)
        ask = dask.delayed(_answer, pure=False, traverse=False)
        own = replace(self, blocks=None, lengths=None)
        own = dask.delayed(own, pure=False, traverse=False)
        parts = [
            ask(answer, own, asked, place, *block)
            for place, block in zip(places(self.lengths), self.blocks, strict=True)
            if only is None or place[0] in only
        ]
        gather = dask.delayed(_merge, pure=False)
        while len(parts) > 1:
            cuts = range(0, len(parts), FAN_IN)
            parts = [gather(merge, *parts[i : i + FAN_IN]) for i in cuts]
        return parts[0].compute()


def places(lengths):
    """Yield the number of each chunk, its first row, and its number of rows."""
    start = 0
    for i, length in enumerate(lengths):
        yield i, start, length
        start += length


@contextmanager
def naming(chunk, start=None, n_rows=None):
    """Add the number of a chunk, and its rows if known, to the message of an error."""
    try:
        yield
    except (ValueError, TypeError) as error:
        rows = "" if start is None else f", rows {start} to {start + n_rows - 1}"
        message, *advice = str(error).split("\n", 1)
        place = f"{message.rstrip('.')} (chunk {chunk}{rows})."
        raise ValueError("\n".join([place, *advice])) from error


def _answer(answer, chunks, question, place, X, Y, weight):
    """Return the answer of a chunk, or None if no row has a weight."""
    # Dask already has a thread for each core.
    with naming(*place), one_thread():
        _check_shapes(place[-1], {"X": X, "y": Y, "sample_weight": weight}, chunks)
        if X.shape[0] == 0:
            return None
        X, Y, weight = as_rows(chunks, X, Y, weight)
        if weight is not None and not weight.any():
            # Rows without a weight are not read, but must be finite.
            assert_all_finite(X.data if sparse.issparse(X) else X, input_name="X")
            assert_finite_targets(Y, allow_nan=chunks.missing)
            return None
        return answer((X, Y, weight), *question)


def _merge(merge, *answers):
    """Merge the answers that are not None."""
    result = None
    for answer in answers:
        if answer is not None:
            result = answer if result is None else merge(result, answer)
    return result


def _check_shapes(n_rows, parts, chunks):
    """Raise if a chunk is not an array, or not of the shape that its collection says."""
    expected = {"X": chunks.shape[1], "y": chunks.n_columns, "sample_weight": 1}
    for name, part in parts.items():
        if part is None and name == "sample_weight":
            continue
        check_chunk(part, name)
        if part.shape[0] != n_rows:
            raise ValueError(
                f"The chunks of {name} must be as long as its shape says, {n_rows} rows. Got "
                f"{part.shape[0]}"
            )
        if math.prod(part.shape[1:]) != expected[name]:
            raise ValueError(
                f"The chunks of {name} must be as wide as its shape says, {expected[name]} "
                f"columns. Got a chunk of shape {part.shape}"
            )


def check_chunk(part, name):
    """Raise if a chunk is not an array, such as None if a task forgot to return one."""
    if not hasattr(part, "shape") or not len(part.shape):
        raise ValueError(f"The chunks of {name} must be arrays. Got {type(part).__name__}")


def as_rows(chunks, X, Y, weight):
    """Return a chunk as arguments of `rows_of`."""
    if np.iscomplexobj(X) or np.iscomplexobj(Y):
        raise ValueError("Complex data not supported in X and y")
    if chunks.sparse not in (None, sparse.issparse(X)):
        raise ValueError(
            "The chunks of X must be all sparse or all dense, as the first one is. Got a "
            f"{type(X).__name__}"
        )
    if sparse.issparse(X):
        X = X.tocsr().astype(chunks.dtype, copy=False)
    else:
        X = np.asarray(unmasked(X, "X"), dtype=chunks.dtype)
    Y = np.asarray(unmasked(Y, "y", missing=True), dtype=chunks.dtype)
    Y = Y.reshape(len(Y), chunks.n_columns)
    if chunks.outputs is not None:
        Y = np.ascontiguousarray(Y[:, chunks.outputs])
    if weight is not None:
        weight = np.ldexp(np.asarray(weight, dtype=np.float64), -chunks.exponent)
    if chunks.masked:
        observed = ~np.isnan(Y[:, 0])
        Y = np.where(observed[:, None], Y, 0.0).astype(chunks.dtype)
        weight = observed * (1.0 if weight is None else weight)
    return X, Y, weight


def add(one, other):
    """Merge answers that are tuples of sums."""
    return tuple(a + b for a, b in zip(one, other, strict=True))


def _rows(chunk, centred, origin):
    """Return the Rows of a chunk, and the power of two by which they divide their weights."""
    X, Y, weight = chunk
    rows = rows_of(X, Y, weight, centred=centred, origin=origin)
    return rows, 1.0 if weight is None else float(np.ldexp(1.0, np.frexp(weight.max())[1]))


def _residual(chunk, centred, origin, V, offset, homogeneous, precise):
    """Return the `Rows.residual` of a chunk."""
    rows, scale = _rows(chunk, centred, origin)
    residual = rows.precise_residual if precise else rows.residual
    return tuple(scale * part for part in residual(V, offset, homogeneous=homogeneous))


def _moments(chunk, centred, origin, products):
    """Return the Moments of a chunk, relative to the origin, (shift, unit)."""
    rows, scale = _rows(chunk, centred, None)
    moments = rows.moments() if products else rows.column_moments()
    return moments._replace(weight=moments.weight * scale).seen_from(*origin)


def _origin(chunk, centred, scaled):
    """Return the shift and unit of a chunk, its entries per row, and whether it is sparse."""
    X, Y, weight = chunk
    rows = rows_of(X, Y, weight, centred=centred, scaled=scaled)
    return rows.shift, rows.unit, rows.n_entries / rows.n_rows, sparse.issparse(X)


class DaskRows:
    """Rows in chunks, with the methods of Rows that full batches need.

    Parameters
    ----------
    chunks : Chunks
    centred, scaled : as in DenseRows
    """

    at_hand = has_columns = False

    def __init__(self, chunks, *, centred, scaled):
        self.centred = centred
        (self.n_rows, self.n_features), self.n_outputs = chunks.shape, chunks.n_outputs
        # The metadata of Dask need not show that chunks are sparse.
        self.shift, self.unit, per_row, is_sparse = self._first(chunks, scaled)
        self.chunks = replace(chunks, sparse=is_sparse)
        n_held = self.n_rows // len(chunks.lengths) * (per_row / self.n_features)
        widest = (CSRRows if is_sparse else DenseRows).widest_moments
        self.widest_moments = min(widest, max(ALWAYS_NARROW, n_held))
        self.roundoff = float(np.finfo(chunks.dtype).eps) / 2.0
        self.n_entries = per_row * self.n_rows

    def _first(self, chunks, scaled):
        """Return `_origin` of the first chunk that has rows with a weight."""
        for i, length in enumerate(chunks.lengths):
            if length:
                found = chunks.reduce(_origin, None, self.centred, scaled, only=[i])
                if found is not None:
                    return found
        raise ValueError("No row of X and y has a positive weight.")

    @property
    def moments_work(self):
        """The cost of computing moments, in multiply-adds of a pass."""
        if self.chunks.sparse:
            return self.n_entries**2 / self.n_rows
        return self.n_entries * self.n_features / PRODUCT_ADVANTAGE

    def column_moments(self):
        """Return the Moments without products."""
        return self._gather(products=False)

    def moments(self):
        """Return the Moments, with products."""
        return self._gather(products=True)

    def moments_near_mean(self):
        """Return the Moments, with products, from a shift close to the means."""
        return self.moments().with_rounding_of_sums().near_its_mean()

    def _gather(self, *, products):
        """Return the Moments by one reduction, and move the origin to the mean of all chunks."""
        origin = self.shift, self.unit
        moments = self.chunks.reduce(_moments, Moments.merge, self.centred, origin, products)
        if self.centred and not self.chunks.sparse:
            self.shift = rounded_to_20_bits(self.shift + moments.mean / self.unit)
            moments = moments.seen_from(self.shift, self.unit)
        variance, mean = moments.variance, moments.mean
        if self.centred:
            variance = without_rounding(variance, mean, self.shift, self.unit, self.roundoff)
        return moments._replace(n_rows=self.n_rows, variance=variance)

    def residual(self, V, offset, *, homogeneous=False, precise=False):
        """Return the same as `Rows.residual`, summed over all chunks, by one graph."""
        question = self.centred, (self.shift, self.unit), V, offset, homogeneous, precise
        return self.chunks.reduce(_residual, add, *question)

    def precise_residual(self, V, offset):
        """Return what ``residual`` does, computed in the widest float there is."""
        return self.residual(V, offset, precise=True)


@rows_of.register(Chunks)
def _(X, Y, sample_weight, *, centred, scaled=True, origin=None):
    return DaskRows(X, centred=centred, scaled=scaled)
