"""Leave-one-out of all ridges in closed form, from one decomposition of all rows.

Row i has the share p_i of the weight. Without it, the penalty of an alpha is that of
``alpha_i = alpha (1 - p_i)`` with it; and with the residual e_i and the leverage h_i of that
fit, the error of the model that has not seen the row is ``e_i / (1 - h_i)`` (Allen, 1974;
Golub, Heath and Wahba, 1979). Here::

    h_i = p_i (1 + u_i' (H + alpha_i)^-1 u_i)

without the 1 if there is no intercept; u and H are those of `spectrum`.
"""

import numpy as np

# Errors lose digits where one less the leverage is below this.
LEAST_LEFT = 1e-6


def errors_left_out(spectrum, X, Y, weight, alphas, *, centred):
    """Return the error of each row by the models that have not seen it, and which are sure.

    Parameters
    ----------
    spectrum : ColumnSpectrum or RowSpectrum, of all these rows
    X, Y : of shape (N, M) and (N, D)
    weight : ndarray of shape (N,), all positive
    alphas : ndarray of shape (A,)
    centred : bool, whether there is an intercept

    Returns
    -------
    errors : ndarray of shape (N, A, D), target less prediction
    sure : ndarray of shape (N,), bool
    """
    share = weight / weight.sum()
    N, A, D = len(share), len(alphas), Y.shape[1]
    errors, left = np.empty((N, A, D)), np.empty((N, A))
    alike = (weight == weight[0]).all()
    solve = _of_one_share if alike else _of_each_share
    for rows, T in spectrum.rows(X):
        explained, length = solve(spectrum, T, share[rows], alphas)
        left[rows] = 1.0 - share[rows, None] * (float(centred) + length)
        errors[rows] = (Y[rows] - spectrum.y_mean)[:, None, :] - explained
    sure = (left > LEAST_LEFT).all(axis=1)
    return errors / np.where(sure[:, None], left, 1.0)[:, :, None], sure


def _of_one_share(spectrum, T, share, alphas):
    """Return what a fit explains of each row, (n, A, D), and ``u'(H + alpha)^-1 u``, (n, A)."""
    alphas = alphas * (1.0 - share[0])
    explained = T @ spectrum.shrunk(spectrum.cross, alphas)
    length = T**2 @ (1.0 / (spectrum.values[:, None] + alphas))
    return explained.reshape(len(T), len(alphas), -1), length


def _of_each_share(spectrum, T, share, alphas):
    """Return what `_of_one_share` does where each row has a share of its own."""
    explained = np.empty((len(T), len(alphas), spectrum.cross.shape[1]))
    length = np.empty((len(T), len(alphas)))
    for a, alpha in enumerate(alphas):
        shrunk = T / (spectrum.values + alpha * (1.0 - share)[:, None])
        explained[:, a], length[:, a] = shrunk @ spectrum.cross, (shrunk * T).sum(axis=1)
    return explained, length
