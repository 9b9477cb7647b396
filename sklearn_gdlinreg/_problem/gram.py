"""Half the Hessian of the features of working sets; it grows as new features are used.

Conventions: M features; H is that of the loss alone, without a penalty, in the coordinates of a
descent.
"""

import numpy as np

# The initial number of features that memory is allocated for (it is not touched before it is
# used), and the factor by which it grows.
ROOM, GROWTH = 1024, 2


class Gram:
    """Products of columns, computed once for each pair of features that is needed.

    Parameters
    ----------
    products : callable
        Called with new features, earlier features (ndarrays of int) and an array of shape
        (n_new, n_before + n_new), it writes the products of the new features with the earlier
        ones and with each other.
    n_features : int, M
    """

    def __init__(self, products, n_features):
        self._products, self._H = products, np.empty((0, 0))
        self.features = np.empty(0, dtype=np.intp)
        self._place = np.full(n_features, -1, dtype=np.intp)

    @classmethod
    def of_all(cls, H):
        """Return the Gram of all features for a known H, (M, M)."""
        gram = cls(None, len(H))
        gram._H, gram.features = H, np.arange(len(H))
        gram._place = gram.features
        return gram

    def require(self, features):
        """Compute the products of these features that are missing."""
        new = features[self._place[features] < 0]
        # Each feature once, in the order of first occurrence.
        new = new[np.sort(np.unique(new, return_index=True)[1])]
        if not len(new):
            return
        n_before = len(self.features)
        n = n_before + len(new)
        if n > len(self._H):
            size = min(max(n, ROOM, GROWTH * n_before), len(self._place))
            H = np.empty((size, size))
            H[:n_before, :n_before] = self._H[:n_before, :n_before]
            self._H = H
        self._products(new, self.features, self._H[n_before:n, :n])
        self._H[:n_before, n_before:n] = self._H[n_before:n, :n_before].T
        self._place[new] = np.arange(n_before, n)
        self.features = np.concatenate([self.features, new])

    def around(self, features):
        """Return the features, or all known features if these are a large share of them."""
        many = len(self.features) <= 2 * len(features) and (self._place[features] >= 0).all()
        return self.features if many else features

    def block(self, features):
        """Return H of these features, as a view if they are the first known ones."""
        place = self._place[features]
        n = len(place)
        if (place == np.arange(n)).all():
            return self._H[:n, :n]
        return self._H[place[:, None], place]
