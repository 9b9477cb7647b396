"""Leave-one-out of ridge models in closed form, from one decomposition of all rows.

Row i has the share p_i of the weight. A fit without this row and with the penalty alpha
corresponds to a fit with the row and with ``alpha_i = alpha (1 - p_i)``. With the residual e_i
and the leverage h_i of the latter, the error of the model without the row is ``e_i / (1 - h_i)``
(Allen, 1974; Golub, Heath and Wahba, 1979). Here::

    h_i = p_i (1 + u_i' (H + alpha_i)^-1 u_i)

without the 1 if there is no intercept. u and H are those of `spectrum`.
"""

import numpy as np


def errors_left_out(spectrum, X, Y, weight, alphas):
    """Return the error of each row by the models without it, and which errors are accurate.

    Parameters
    ----------
    spectrum : ColumnSpectrum or RowSpectrum, of all these rows
    X, Y : of shape (N, M) and (N, D)
    weight : ndarray of shape (N,), all positive
    alphas : ndarray of shape (A,)

    Returns
    -------
    errors : ndarray of shape (N, A, D), target minus prediction
    sure : ndarray of shape (N,), bool
    """
    share = weight / weight.sum()
    N, A, D = len(share), len(alphas), Y.shape[1]
    errors, sure = np.empty((N, A, D)), np.empty(N, dtype=bool)
    sums_over = _of_one_share if (weight == weight[0]).all() else _of_each_share
    for rows, basis in spectrum.rows(X):
        own = alphas * (1.0 - share[rows, None])
        sums, squares = sums_over(spectrum, basis, own)
        left = spectrum.left(squares, share[rows], own)
        sure[rows] = (left > spectrum.least_left).all(axis=1)
        left = np.where(sure[rows, None], left, 1.0)
        errors[rows] = spectrum.residuals(sums, Y[rows]) / left[:, :, None]
    return errors, sure


def _of_one_share(spectrum, basis, alphas):
    """Return the sums over a basis, (n, A, D), and of its squares, (n, A), for equal rows."""
    factor = spectrum.factor(spectrum.values[:, None], alphas[0])
    both = factor[:, :, None] * spectrum.cross[:, None, :]
    sums = basis @ both.reshape(len(both), -1)
    return sums.reshape(len(basis), *both.shape[1:]), basis**2 @ factor


def _of_each_share(spectrum, basis, alphas):
    """Return the same as `_of_one_share` if each row has its own alphas, (n, A)."""
    sums = np.empty((*alphas.shape, spectrum.cross.shape[1]))
    squares = np.empty(alphas.shape)
    for a, own in enumerate(alphas.T):
        shrunk = basis * spectrum.factor(spectrum.values, own[:, None])
        sums[:, a], squares[:, a] = shrunk @ spectrum.cross, (shrunk * basis).sum(axis=1)
    return sums, squares
