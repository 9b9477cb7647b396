"""All ridges of a path by one decomposition into eigenvectors.

With ``u = (x - mean) / sqrt(factor)``, H the mean of uu' and c that of u(y - mean), the minimum
for an alpha is at ``Q (L + alpha)^-1 Q'c``, where ``H = Q L Q'``. Where there are fewer rows
than features, their products, ``K = U L U'``, have the same eigenvalues L, and take less time.

Conventions: N rows, M features, D outputs, A alphas, R eigenvalues.
"""

import numpy as np
from scipy import sparse

from .._base.arrays import inverse_of
from .._base.threads import blas_of_one_thread

# Threads of BLAS get in each other's way over eigenvectors of smaller matrices.
SHARED = 300
# Rows are multiplied by eigenvectors in blocks of so many items, 8 MB.
BLOCK_ITEMS = 2**20


class Spectrum:
    """What the decompositions of products of columns and of rows share.

    Attributes
    ----------
    values : ndarray of shape (R,), the eigenvalues, not negative
    cross : ndarray of shape (R, D), Q'c
    mean, y_mean : ndarray of shape (M,) and (D,), zeros without an intercept
    """

    def __init__(self, coordinates):
        self.mean, self.y_mean = coordinates.mean

    def shrunk(self, cross, alphas):
        """Return ``(L + alpha)^-1 cross``, (R, A * D): all outputs of the first alpha, ..."""
        both = self.values[:, None] + alphas
        return (inverse_of(both)[:, :, None] * cross[:, None, :]).reshape(len(cross), -1)


class ColumnSpectrum(Spectrum):
    """That of the products of columns.

    Parameters
    ----------
    moments : Moments, with products
    coordinates : Coordinates of these
    factor : array of shape (M,) or float, positive
    """

    def __init__(self, moments, coordinates, factor):
        super().__init__(coordinates)
        M, self._root = moments.n_features, np.sqrt(factor) * np.ones(moments.n_features)
        unit, y_unit = moments.unit[:M] * self._root, moments.unit[M:]
        H = moments.products[:, :M] / unit[:, None] / unit
        self.values, self._Q = _eigen(H)
        self.cross = self._Q.T @ (moments.products[:, M:] / unit[:, None] / y_unit)

    def coefficients(self, alphas):
        """Return the W of the minimum for each alpha, (M, A * D)."""
        return (self._Q @ self.shrunk(self.cross, alphas)) / self._root[:, None]

    def rows(self, X):
        """Yield slices of rows and their ``Q'u``, (n, R), block by block."""
        Q = self._Q / self._root[:, None]
        n_block = max(1, BLOCK_ITEMS // len(Q))
        for start in range(0, X.shape[0], n_block):
            rows = slice(start, start + n_block)
            if sparse.issparse(X):
                yield rows, X[rows] @ Q - self.mean @ Q
            else:
                yield rows, (X[rows] - self.mean) @ Q


class RowSpectrum(Spectrum):
    """That of the products of rows, which all have a positive weight.

    Parameters
    ----------
    rows : Rows
    coordinates : Coordinates of these
    factor : array of shape (M,) or float, positive
    """

    def __init__(self, rows, coordinates, factor):
        super().__init__(coordinates)
        M = rows.n_features
        self._rows, self._factor, self._centre = rows, factor, coordinates.centre
        self._unit = rows.unit[:M]
        scale = 1.0 / (self._unit * np.sqrt(factor))
        K = rows.products_of_rows(self._centre, scale) / coordinates.weight
        self.values, self._U = _eigen(K)
        self._root = np.sqrt(rows.weight / coordinates.weight)[:, None]
        Y = (rows.targets() - coordinates.y_centre) / coordinates.y_unit
        self._of_y = self._U.T @ (self._root * Y)
        self.cross = np.sqrt(self.values)[:, None] * self._of_y

    def coefficients(self, alphas):
        """Return the W of the minimum for each alpha, (M, A * D)."""
        A = self._root * (self._U @ self.shrunk(self._of_y, alphas))
        sums = self._rows.combinations(A) - self._centre[:, None] * A.sum(axis=0)
        return sums / (self._unit * self._factor)[:, None]

    def rows(self, X):
        """Yield what that of `ColumnSpectrum` does; X are these rows."""
        yield slice(None), self._U * np.sqrt(self.values) / self._root


def _eigen(A):
    """Return the eigenvalues, not negative, and eigenvectors of A, its lower triangle."""
    n = len(A)
    with blas_of_one_thread(n**3 if n < SHARED else 0):
        values, vectors = np.linalg.eigh(A, UPLO="L")
    return np.maximum(values, 0.0), vectors
