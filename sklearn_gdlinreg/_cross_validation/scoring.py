"""Scores of predictions by a scorer of scikit-learn, output by output.

Conventions: N rows of a test, A alphas, D outputs; predictions are (N, A * D), all outputs of
the first alpha first.
"""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin


class _Predicted(RegressorMixin, BaseEstimator):
    """A fitted model that returns its input as predictions."""

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, X):
        """Return X."""
        return X


class Scorer:
    """A scorer, called with targets and predictions.

    Parameters
    ----------
    scorer : callable, ``scorer(estimator, X, y)``
    weighted : bool, whether it gets the weights of the rows

    A score that is undefined for a single test row is undefined for all alphas. It is computed
    once, so that there is one warning per output of a fold, and not one per alpha.
    """

    def __init__(self, scorer, weighted):
        self._scorer, self._weighted, self._model = scorer, weighted, _Predicted()
        self._undefined = set()

    def of_fold(self):
        """Return a scorer for the test rows of a new fold."""
        return Scorer(self._scorer, self._weighted)

    def __call__(self, Y, predictions, weight):
        """Return the score of each alpha and output, (A, D).

        Parameters
        ----------
        Y, predictions : ndarray of shape (N, D) and (N, A * D)
        weight : ndarray of shape (N,); rows without one are not counted
        """
        some = weight > 0
        options = {"sample_weight": weight[some]} if self._weighted else {}
        Y, predictions = Y[some], predictions[some]
        D, scores = Y.shape[1], np.full(predictions.shape[1], np.nan)
        for k, predicted in enumerate(predictions.T):
            if k % D not in self._undefined:
                scores[k] = self._scorer(self._model, predicted, Y[:, k % D], **options)
                if len(Y) == 1 and np.isnan(scores[k]):
                    self._undefined.add(k % D)
        return scores.reshape(-1, D)


def prediction_of_one(Y, predictions, weight):
    """Return the predictions for a single test row, (A, D), to be scored with the others."""
    return predictions.reshape(-1, Y.shape[1])
