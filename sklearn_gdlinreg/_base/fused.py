"""Operations of a descent on arrays (M, D) that go together, so that each array is read once.

Arrays of many features do not stay in a cache. What takes one NumPy call after the other reads
them again each time, and takes two or three times as long. Arrays of NumPy that lie row after
row in float64 take a compiled loop, all others the same operations one by one.

Conventions: M features, D outputs; one value per output, (D,); V, G, P and HP are as in
`_solvers.conjugate`.
"""

import numpy as np

from . import fused_kernels
from .arrays import dot, is_numpy, weighted_square


def _are_whole(*arrays):
    """Whether kernels can take these arrays, (M, D)."""
    for A in arrays:
        if type(A) is not np.ndarray or A.dtype != np.float64 or not A.flags.c_contiguous:
            return False
    return arrays[0].size > 0


def advance(V, G, P, HP, length):
    """Go along P: add ``length * P`` to V, and take ``length * HP`` off G, both in place.

    Return the squares of the columns of G, (D,).
    """
    if _are_whole(V, G, P, HP):
        squares = np.empty(V.shape[1])
        fused_kernels.advance(V, G, P, HP, length, squares)
        return squares
    V += length * P
    G -= length * HP
    return dot(G, G)


def slopes(P, G, floor):
    """Return the sums of ``P * G`` and of ``floor * P ** 2`` over features, (D,) each.

    The floor is (M,).
    """
    if _are_whole(P, G):
        slope, flat = np.empty((2, P.shape[1]))
        fused_kernels.slopes(P, G, floor, slope, flat)
        return slope, flat
    return dot(P, G), weighted_square(floor, P)


def scaled(V, scale, centre, out):
    """Return ``W = scale * V``, (M, D), and the sums of ``centre * W`` over features, (D,).

    Scale and centre are (M,). With NumPy W is written to ``out``.
    """
    if _are_whole(V, out):
        mean = np.empty(V.shape[1])
        fused_kernels.scale_rows(V, scale, centre, out, mean)
        return out, mean
    scale = scale[:, None]
    W = np.multiply(V, scale, out=out) if is_numpy(V) else V * scale
    return W, dot(centre[:, None], W)


def standardised(sums, first, centre, scale, l2, V, sign):
    """Return ``sign * ((sums - centre * first) * scale - l2 * V)``, (M, D), in new memory.

    Also the sums of ``l2 * V ** 2`` over features, (D,). Centre and scale are (M,), first is
    (D,), and l2 is (M, D), or has one row or column for all.
    """
    if _are_whole(sums, V):
        G, penalty = np.empty(V.shape), np.empty(V.shape[1])
        fused_kernels.standardise_sums(sums, first, centre, scale, l2, V, sign, G, penalty)
        return G, penalty
    of_penalty = l2 * V
    G = sign * ((sums - centre[:, None] * first) * scale[:, None] - of_penalty)
    return G, dot(of_penalty, V)
