"""Products of columns of dense rows, each of which is read once while they are few.

Columns that lie in rows are slow to gather: those that have been read stay, as they are
multiplied, so that a set of features that grows step by step reads only what is new.
"""

import numpy as np

# Columns are kept up to so many items, 8 MB, or up to this part of all items. Where a set has
# more, so many items of them are gathered at once, again for each product.
ITEMS, PART = 2**20, 8
# Room is made for so many columns at first, and for so many times those that are there.
ROOM, GROWTH = 128, 2


class KeptColumns:
    """Columns ``root_weight * (z_x - centre) * scale`` of DenseRows, in the order of their use.

    Parameters
    ----------
    rows : DenseRows
    centre, scale : ndarray of shape (M,)
    """

    def __init__(self, rows, centre, scale):
        M = rows.n_features
        self._rows, unit = rows, rows.unit[:M]
        self._mean, self._scale = rows.shift[:M] + centre / unit, scale * unit
        self._n_items = max(ITEMS, rows.n_entries // PART)
        # Those that are kept are the first rows of it, (at least n, N).
        self._kept = np.empty((0, rows.n_rows))

    def products(self, columns, others, out):
        """Write the products of new columns with others and with each other.

        Parameters
        ----------
        columns, others : ndarray of int, of shape (n,) and (n_others,)
            The others are those of the calls before, in their order.
        out : ndarray of shape (n, n_others + n), with the others first
        """
        n_others, n = len(others), len(others) + len(columns)
        if n * self._rows.n_rows <= self._n_items:
            self._make_room(n_others, n)
            self._kept[n_others:n] = self._gather(columns, slice(None)).T
            np.matmul(self._kept[n_others:n], self._kept[:n].T, out=out)
            return
        self._kept = self._kept[:0]
        both, out[:] = np.concatenate([others, columns]), 0.0
        n_block = max(1, ITEMS // n)
        for start in range(0, self._rows.n_rows, n_block):
            z = self._gather(both, slice(start, start + n_block))
            out += z[:, n_others:].T @ z

    def _make_room(self, n_before, n):
        """Make sure that there is room for n columns, of which so many are there."""
        if n > len(self._kept):
            N = self._rows.n_rows
            size = min(max(n, ROOM, GROWTH * n_before), max(n, self._n_items // N))
            kept = np.empty((size, N))
            kept[:n_before] = self._kept[:n_before]
            self._kept = kept

    def _gather(self, columns, block):
        """Return these columns of a block of rows in a copy, (n_block, n)."""
        rows = self._rows
        z = columns_of(rows.X[block], columns).astype(np.float64, copy=False)
        z -= self._mean[columns]
        z *= self._scale[columns]
        if rows.weighted:
            z *= np.sqrt(rows.weight[block])[:, None]
        return z


def columns_of(X, columns):
    """Return some columns of X in a copy, in its memory layout."""
    if abs(X.strides[0]) < abs(X.strides[1]):
        return X.T.take(columns, axis=0).T
    return X.take(columns, axis=1)
