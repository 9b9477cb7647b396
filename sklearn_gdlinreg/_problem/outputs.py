"""Groups of outputs, each of which is a problem of its own.

A group has the outputs that are observed in the same rows and whose penalties are of one kind,
smooth or not. Its weights are zero in the rows in which it is not observed. The groups descend
side by side, each in its own coordinates, as it would alone.

Conventions: M features, D outputs; outputs are the last axis of every array.
"""

from dataclasses import dataclass

import numpy as np

from .._base.arrays import namespace, take, to_host
from .certificate import Certificate, certify


@dataclass(frozen=True)
class Group:
    """Outputs that are solved for together, and their problem.

    Attributes
    ----------
    outputs : ndarray of int, or slice(None) for all
    penalty : Penalty, of these outputs
    coordinates : Coordinates
    moments : ByMoments, of all rows or of a sample; None if only passes are made
    passes : ByPasses
    metric : Plain, or the Factor in whose metric an automatic descent of a smooth penalty runs
    gathered : Moments, with or without products; None if they are kept elsewhere
    with_all_rows : callable or None
        If the metric is that of a sample, it returns the Group with the metric of all rows.
    by_sets : bool
        Whether a penalty that is not smooth is solved for by working sets, if products of
        columns can be computed.
    """

    outputs: object
    penalty: object
    coordinates: object
    moments: object
    passes: object
    metric: object
    gathered: object = None
    with_all_rows: object = None
    by_sets: bool = False


class Groups:
    """The groups of all outputs; iterating gives each Group.

    Parameters
    ----------
    members : list of Group
    """

    def __init__(self, members):
        self.members = members
        outputs = [group.outputs for group in members]
        self._order = np.argsort(np.concatenate(outputs)) if len(outputs) > 1 else slice(None)

    def __iter__(self):
        return iter(self.members)

    def __len__(self):
        return len(self.members)

    @property
    def n_features(self):
        """The number of features, M."""
        return self.members[0].coordinates.scale.shape[0]

    def split(self, A):
        """Return the part of an array for each group."""
        if len(self.members) == 1:
            return [A]
        return [take(A, group.outputs, axis=-1) for group in self.members]

    def join(self, parts):
        """Return the array of all outputs from the parts of the groups."""
        parts = list(parts)
        if len(parts) == 1:
            return parts[0]
        return take(namespace(parts[0]).concat(parts, axis=-1), self._order, axis=-1)

    def join_models(self, models):
        """Return the W and b of all groups."""
        W, b = zip(*models, strict=True)
        return self.join(W), self.join(b)

    def certify(self, W, b):
        """Return the Certificate of a model (W, b), (M, D) and (D,), of all outputs."""
        parts = zip(self, self.split(W), self.split(b), strict=True)
        return self.join_certificates(
            [certify(W, b, group.coordinates, group.passes) for group, W, b in parts]
        )

    def join_certificates(self, found):
        """Return the Certificate of all outputs from those of the groups."""
        return Certificate(*(self.join(values) for values in zip(*found, strict=True)))

    @property
    def mean(self):
        """The means of X in the rows of each output, (M, D); zeros without an intercept."""
        return self._for_each_output([group.coordinates.mean[0] for group in self])

    @property
    def deviation(self):
        """The standard deviations of X in the rows of each output, (M, D)."""
        coordinates = [group.coordinates for group in self]
        return self._for_each_output(
            [c.deviation / c.unit[: c.deviation.shape[0]] for c in coordinates]
        )

    @property
    def coefficient_unit(self):
        """The deviation of each output over the least nonzero deviation of X, (D,)."""
        xp = namespace(self.null_loss)
        least = xp.min(xp.where(self.deviation > 0, self.deviation, xp.inf), axis=0)
        return xp.sqrt(self.null_loss) / least

    def _for_each_output(self, columns):
        """Return an array (M, D) of the columns, (M,), of the groups."""
        xp = namespace(columns[0])
        lengths = [group.coordinates.y_centre.shape[0] for group in self]
        parts = zip(columns, lengths, strict=True)
        return self.join([xp.broadcast_to(c[:, None], (c.shape[0], n)) for c, n in parts])

    def known_features(self):
        """Return the moments of the features, once for all outputs or for each output.

        They are kept with a model, so that a stream can continue from them.

        Returns
        -------
        known : tuple of ndarray of shape (M + 1, 3), float32
            For `_mini_batch.coordinates.moments_of_known`; empty if they overflow float32.
        """
        with np.errstate(over="ignore"):
            found = [known_of(group.coordinates, group.passes.rows) for group in self]
        if not np.isfinite(found).all():
            return ()
        if len(found) == 1:
            return tuple(found)
        outputs = [np.full(len(group.outputs), k) for k, group in enumerate(self)]
        return tuple(found[k] for k in self.join(outputs))

    def best_intercept(self, W):
        """Return the b of the least loss for coefficients W, (M, D)."""
        parts = zip(self, self.split(W), strict=True)
        return self.join([group.coordinates.best_intercept(part) for group, part in parts])

    @property
    def null_loss(self):
        """The loss of predicting the mean, or zero without an intercept, (D,)."""
        return self.join(g.coordinates.null_loss * g.coordinates.loss_unit for g in self)

    @property
    def y_mean(self):
        """The mean of each output, (D,), in its unit; zeros without an intercept."""
        return self.join(group.coordinates.mean[1] for group in self)


def known_of(c, rows):
    """Return mean, deviation and density of the features, and last the number of rows.

    It is an ndarray of shape (M + 1, 3), float32.
    """
    M = rows.n_features
    known = np.empty((M + 1, 3), np.float32)
    known[:M, 0] = to_host(c.mean[0])
    known[:M, 1] = to_host(c.deviation / c.unit[:M])
    known[:M, 2] = rows.known_density()
    known[M] = np.count_nonzero(to_host(rows.weight))
    return known


def alike(*marks):
    """Return the outputs of each group: those that have the same marks.

    Parameters
    ----------
    *marks : array of shape (n, D), bool

    Returns
    -------
    outputs : list of ndarray of int, or [slice(None)]
    """
    members = {}
    columns = np.concatenate([to_host(mark) for mark in marks])
    for d, column in enumerate(np.packbits(columns, axis=0).T):
        members.setdefault(column.tobytes(), []).append(d)
    return [slice(None)] if len(members) == 1 else list(map(np.array, members.values()))
