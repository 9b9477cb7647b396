"""Outputs that are observed in different rows: each group of them has rows of its own.

A group holds the outputs that are missing in the same rows. It is a problem of its own, with
weights of zero where it is not observed; the groups descend side by side, in the coordinates
and by the supplier of each.

Conventions: M features, D outputs; outputs are the last axis of every array.
"""

import numpy as np

from ._arrays import moved, namespace, take, to_host
from ._penalty import Proximal
from ._quadratic import Scores
from ._reading import read


class Groups:
    """Which outputs belong together.

    Parameters
    ----------
    outputs : list of ndarray of int, or [slice(None)]
    """

    def __init__(self, outputs):
        self.outputs = outputs
        self._order = np.argsort(np.concatenate(outputs)) if len(outputs) > 1 else slice(None)

    def split(self, A):
        """Return the part of an array that each group has."""
        return [take(A, outputs, axis=-1) for outputs in self.outputs]

    def join(self, parts):
        """Return the array of which these are the parts."""
        return take(namespace(parts[0]).concat(parts, axis=-1), self._order, axis=-1)

    def join_models(self, models):
        """Return the W and b of all groups."""
        W, b = zip(*models, strict=True)
        return self.join(W), self.join(b)


ALL = Groups([slice(None)])


def groups_of(coordinates):
    """Return the groups of coordinates; one of all outputs where they are not grouped."""
    return getattr(coordinates, "groups", ALL)


class GroupedCoordinates(Scores):
    """The `Coordinates` of each group, ``members``; as one."""

    def __init__(self, groups, members):
        self.groups, self.members = groups, members
        for name in ("null_loss", "y_noise", "loss_unit"):
            setattr(self, name, groups.join([getattr(c, name) for c in members]))
        self.rank = min(c.rank for c in members)
        self.proximal = None
        if members[0].proximal is not None:
            thresholds = groups.join([c.proximal.threshold for c in members])
            self.proximal = Proximal(thresholds, members[0].proximal.positive)

    def to_model(self, V):
        """Return W, (M, D), and b, (D,), in the units of X and Y."""
        parts = zip(self.members, self.groups.split(V), strict=True)
        return self.groups.join_models([c.to_model(V) for c, V in parts])

    def from_model(self, W):
        """Return the V of coefficients W, (M, D), in the units of X and Y."""
        parts = zip(self.members, self.groups.split(W), strict=True)
        return self.groups.join([c.from_model(W) for c, W in parts])


class GroupedSupplier:
    """The Moments or Passes of each group, ``members``; as one, where the data ``like`` are."""

    def __init__(self, groups, members, like):
        self.groups, self.members, self._like = groups, members, like
        self.name = members[0].name
        n_outputs = [member.shape[1] for member in members]
        self.shape = (members[0].shape[0], sum(n_outputs))
        # That of an output: each is descended as far as it would be alone.
        self.work = max(member.work / member.shape[1] for member in members)
        self.flat = max(member.flat for member in members)
        noise = [np.full(n, m.noise) for n, m in zip(n_outputs, members, strict=True)]
        self.noise = moved(groups.join(noise), like)

    def _join(self, results):
        """Join the (M, D) and the (D,) arrays that each group returns."""
        columns, numbers = zip(*results, strict=True)
        return self.groups.join(columns), self.groups.join(numbers)

    def gradient(self, V):
        """Return the half gradient at V, (M, D), and the losses, (D,)."""
        parts = zip(self.members, self.groups.split(V), strict=True)
        return self._join([member.gradient(V) for member, V in parts])

    def curvature(self, P):
        """Return H P, (M, D), and the curvatures p' H p of its columns, (D,)."""
        parts = zip(self.members, self.groups.split(P), strict=True)
        return self._join([member.curvature(P) for member, P in parts])

    def precise(self):
        """Return the same with gradients in the widest float there is."""
        members = [member.precise() for member in self.members]
        return GroupedSupplier(self.groups, members, self._like)


def group(observed):
    """Return the Groups of outputs, given where Y is observed, (N, D), bool."""
    members = {}
    for d, rows in enumerate(np.packbits(to_host(observed), axis=0).T):
        members.setdefault(rows.tobytes(), []).append(d)
    return Groups(list(map(np.array, members.values())))


def read_groups(X, Y, groups, *, penalty, **options):
    """Look at the rows that each group of outputs is observed in; as `_reading.read`.

    Parameters
    ----------
    Y : ndarray of shape (N, D), finite, of any values where it is not observed
    groups : list of (outputs, weight)
        As `Data.groups` gives them; the weight is that of `_reading.read`.
    """
    if len(groups) == 1:
        return read(X, Y, groups[0][1], penalty=penalty, **options)
    problems = [
        read(
            X, take(Y, outputs, axis=1), weight,
            penalty=penalty.of_outputs(outputs), **options,
        )
        for outputs, weight in groups
    ]  # fmt: skip
    return as_one([outputs for outputs, _ in groups], problems, Y)


def as_one(outputs, problems, like):
    """Return the coordinates, moments and passes of groups of outputs, each as one.

    Parameters
    ----------
    outputs : list of ndarray of int
    problems : list of what `_reading.read` returns
    like : array
        Where they are.
    """
    coordinates, moments, passes = zip(*problems, strict=True)
    groups = Groups(outputs)
    return (
        GroupedCoordinates(groups, coordinates),
        None if None in moments else GroupedSupplier(groups, moments, like),
        GroupedSupplier(groups, passes, like),
    )
