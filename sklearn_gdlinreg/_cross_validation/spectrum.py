"""All ridge models of a path by one decomposition into eigenvectors.

With ``u = (x - mean) / sqrt(factor)``, H the mean of uu' and c that of u(y - mean), the minimum
for an alpha is at ``Q (L + alpha)^-1 Q'c``, where ``H = Q L Q'``. If there are fewer rows than
features, the products of rows, ``K = U L U'``, have the same eigenvalues L, and take less time.

Conventions: N rows, M features, D outputs, A alphas, R eigenvalues.
"""

import numpy as np
from scipy import sparse

from .._base.arrays import inverse_of
from .._base.threads import blas_of_one_thread

# For eigenvectors of smaller matrices, several threads of BLAS are slower than one.
SHARED = 300
# Rows are multiplied by eigenvectors in blocks of this many items, 8 MB.
BLOCK_ITEMS = 2**20


class Spectrum:
    """Base class of the decompositions of products of columns and of rows.

    Attributes
    ----------
    values : ndarray of shape (R,), the eigenvalues, not negative
    cross : ndarray of shape (R, D), Q'c or U'y
    centred : bool, whether there is an intercept
    mean, y_mean : ndarray of shape (M,) and (D,), zeros without an intercept
    """

    def __init__(self, coordinates):
        self.mean, self.y_mean = coordinates.mean
        self.centred = coordinates.centred

    def shrunk(self, alphas):
        """Return ``(L + alpha)^-1 cross``, (R, A * D): all outputs of the first alpha, ..."""
        both = inverse_of(self.values[:, None] + alphas)
        return (both[:, :, None] * self.cross[:, None, :]).reshape(len(both), -1)


class ColumnSpectrum(Spectrum):
    """The spectrum of the products of columns.

    A row of its basis is ``Q'u``. The residual of a fit to all rows is y minus the sum over the
    basis with ``1 / (L + alpha)``.

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
        return (self._Q @ self.shrunk(alphas)) / self._root[:, None]

    # One minus a leverage is inaccurate if it is below this.
    least_left = 1e-6

    def factor(self, values, alphas):
        """Return the factor of each direction of the basis."""
        return inverse_of(values + alphas)

    def residuals(self, sums, Y):
        """Return the residuals, (n, A, D), given the sums over the basis, and Y, (n, D)."""
        return (Y - self.y_mean)[:, None, :] - sums

    def left(self, squares, share, alphas):
        """Return one minus the leverages, (n, A), given the sums of squares over the basis.

        Parameters
        ----------
        squares, alphas : ndarray of shape (n, A), for each row
        share : ndarray of shape (n,), of the weight
        """
        return 1.0 - share[:, None] * (float(self.centred) + squares)

    def rows(self, X):
        """Yield slices of rows and their basis, (n, R), block by block."""
        Q = self._Q / self._root[:, None]
        n_block = max(1, BLOCK_ITEMS // len(Q))
        for start in range(0, X.shape[0], n_block):
            rows = slice(start, start + n_block)
            if sparse.issparse(X):
                yield rows, X[rows] @ Q - self.mean @ Q
            else:
                yield rows, (X[rows] - self.mean) @ Q


class RowSpectrum(Spectrum):
    """The spectrum of the products of rows, which all have a positive weight.

    A row of its basis is a row of U over the root of its share of the weight. The residual of a
    fit to all rows is the sum over the basis with ``alpha / (L + alpha)``, so that no digit is
    lost if the residual is small. The vector of the root weights, along which centred rows are
    zero, has its own eigenvalue among the others.

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
        self._root = np.sqrt(rows.weight / coordinates.weight)[:, None]
        self._of_root = np.einsum("nn->", K) / len(K)
        if self.centred:
            K += self._of_root * self._root * self._root.T
        self.values, self._U = _eigen(K)
        Y = (rows.targets() - coordinates.y_centre) / coordinates.y_unit
        self.cross = self._U.T @ (self._root * Y)

    def coefficients(self, alphas):
        """Return the W of the minimum for each alpha, (M, A * D)."""
        A = self._root * (self._U @ self.shrunk(alphas))
        sums = self._rows.combinations(A) - self._centre[:, None] * A.sum(axis=0)
        return sums / (self._unit * self._factor)[:, None]

    least_left = 0.0

    def factor(self, values, alphas):
        """Return the same as `ColumnSpectrum.factor`."""
        return alphas * inverse_of(values + alphas)

    def residuals(self, sums, Y):
        """Return the same as `ColumnSpectrum.residuals`."""
        return sums

    def left(self, squares, share, alphas):
        """Return the same as `ColumnSpectrum.left`."""
        of_root = float(self.centred) * self.factor(self._of_root, alphas)
        return share[:, None] * (squares - of_root)

    def rows(self, X):
        """Yield the same as `ColumnSpectrum.rows`; X has these rows."""
        yield slice(None), self._U / self._root


def _eigen(A):
    """Return the eigenvalues, not negative, and eigenvectors of A, its lower triangle."""
    n = len(A)
    with blas_of_one_thread(n**3 if n < SHARED else 0):
        values, vectors = np.linalg.eigh(A, UPLO="L")
    return np.maximum(values, 0.0), vectors
