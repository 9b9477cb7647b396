"""The moments of all rows of an exact stream, for each group of outputs.

The moments of two chunks can be merged (Chan, Golub & LeVeque, 1983). Outputs are in one group
as long as they are observed in the same rows; a chunk in which they are not splits the group,
and both parts continue from its moments.

Conventions: M features, D outputs, P = M + D columns, of X and Y side by side.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._base.arrays import same_values, take, to_host
from .._input.dataset import exponent_of
from .._rows.containers import rows_of
from .._rows.kernels import pack_upper, unpack_upper
from .._rows.moments import Moments


@dataclass(frozen=True)
class Learnt:
    """The moments of all rows so far; a value.

    Attributes
    ----------
    members : list of (outputs, Moments or None)
        The outputs of each group, an ndarray of int, and the moments of their rows, or None if
        they have not been observed yet.
    """

    members: list

    @classmethod
    def of_data(cls, data, *, centred, before=None):
        """Return the Learnt of a chunk, Data.

        Parameters
        ----------
        data : Data
        centred : bool, whether there is an intercept
        before : Learnt or None
            The Learnt of earlier rows. If these have more weight, the chunk is read with their
            shift and unit, which is cheaper.
        """
        members = []
        for outputs, weight in data.groups():
            outputs = np.arange(data.n_outputs)[outputs]
            origin = None if before is None else before.origin_of(outputs, weight, data)
            members.append((outputs, _moments(data, outputs, weight, centred, origin)))
        return cls(members)

    @classmethod
    def of_groups(cls, groups, data):
        """Return the Learnt of a fit to Data, given its Groups."""
        members = []
        for group in groups:
            outputs, moments = np.arange(data.n_outputs)[group.outputs], group.gathered
            moments = moments.on_host()
            if moments.products is None or moments.far_off_zero:
                moments = group.passes.rows.moments_near_mean()
            else:
                moments = moments.with_rounding_of_sums().near_its_mean()
            exponent = data.weight_exponent(outputs[0])
            members.append((outputs, moments._replace(exponent=exponent)))
        return cls(members)

    @property
    def n_outputs(self):
        """The number of outputs, D."""
        return sum(len(outputs) for outputs, _ in self.members)

    @property
    def n_features(self):
        """The number of features, or None if no output has been observed."""
        return next((m.n_features for _, m in self.members if m is not None), None)

    @cached_property
    def observed(self):
        """The outputs that have been observed, in order, an ndarray of int."""
        some = [outputs for outputs, moments in self.members if moments is not None]
        return np.sort(np.concatenate(some)) if some else np.empty(0, dtype=int)

    def origin_of(self, outputs, weight, data):
        """Return the (shift, unit) with which a chunk, Data, is read; None for its own.

        The outputs are observed in the same rows, which have these weights.
        """
        for known, moments in self.members:
            if moments is None or not same_values(known, outputs):
                continue
            if data.half_life is not None:
                moments = moments.faded(data.n_halvings(outputs))
            exponent, total = exponent_of(weight), float(data.n_rows)
            if weight is not None:
                total = float(np.ldexp(to_host(weight), -exponent).sum())
            if moments.outweighs(total, exponent):
                return moments.shift, moments.unit
        return None

    def merge(self, other, n_halvings=None):
        """Return the Learnt of the rows of both.

        Parameters
        ----------
        other : Learnt
        n_halvings : callable or None
            Called with outputs that are observed in the same rows of the other, it returns how
            many times the weight of the rows here is halved first, a float.
        """
        members = []
        for k, j, outputs in self._shared(other):
            before, now = self._part(k, outputs), other._part(j, outputs)
            if n_halvings is not None and before is not None:
                before = before.faded(n_halvings(outputs))
            members.append((outputs, _merged(before, now)))
        return Learnt(members)

    def _shared(self, other):
        """Yield the numbers of a group here and one in the other, and their common outputs."""
        if len(self.members) == len(other.members) == 1:
            yield 0, 0, self.members[0][0]
            return
        own, its = self._places(), other._places()
        for k, j in dict.fromkeys(zip(own.tolist(), its.tolist(), strict=True)):
            yield k, j, np.flatnonzero((own == k) & (its == j))

    def _places(self):
        """Return the number of the group that each output is in, (D,)."""
        places = np.empty(self.n_outputs, dtype=int)
        for k, (outputs, _) in enumerate(self.members):
            places[outputs] = k
        return places

    def _part(self, k, outputs):
        """Return the Moments of a group for some of its outputs, or None."""
        known, moments = self.members[k]
        if moments is None or len(known) == len(outputs):
            return moments
        return moments.of_outputs(np.searchsorted(known, outputs))

    def state(self, *, packed=False):
        """Return a list of dict of plain values and arrays, to be stored in a model.

        With ``packed``, only one triangle of X'X is stored.
        """
        members = []
        for outputs, moments in self.members:
            known = None
            if moments is not None:
                known = moments._asdict()
                if packed:
                    M, products = moments.n_features, known.pop("products")
                    known["triangle"] = np.empty(M * (M + 1) // 2)
                    pack_upper(products[:, :M], known["triangle"])
                    known["cross"] = products[:, M:].copy()
            members.append({"outputs": outputs, "moments": known})
        return members

    @classmethod
    def of_state(cls, state):
        """Return the Learnt of a list made by `state`."""
        members = []
        for member in state:
            known = member["moments"]
            if known is not None:
                known = dict(known)
                if "triangle" in known:
                    known["products"] = _unpacked(known.pop("triangle"), known.pop("cross"))
                known = Moments(**known)
            members.append((member["outputs"], known))
        return cls(members)


def _unpacked(triangle, cross):
    """Return the products of Moments, (M, P), given the upper triangle of X'X and X'Y."""
    M, D = cross.shape
    products = np.empty((M, M + D))
    unpack_upper(triangle, products[:, :M])
    products[:, M:] = cross
    return products


def _moments(data, outputs, weight, centred, origin):
    """Return the Moments of a chunk for some outputs; None if none of its rows has a weight."""
    if weight is not None and not (to_host(weight) > 0).any():
        return None
    Y = data.Y if len(outputs) == data.n_outputs else take(data.Y, outputs, axis=1)
    moments, exponent = _near_mean(data.X, Y, weight, centred, origin), exponent_of(weight)
    return moments._replace(exponent=exponent) if exponent else moments


def _near_mean(X, Y, weight, centred, origin):
    """Return the Moments of rows, relative to an origin if it is given and close to them."""
    if origin is not None:
        try:
            rows = rows_of(X, Y, weight, centred=centred, origin=origin)
            return rows.moments_near_mean()
        except ValueError:
            # In the unit of earlier rows, squares of values may overflow.
            pass
    return rows_of(X, Y, weight, centred=centred).moments_near_mean()


def _merged(moments, other):
    """Return the merged Moments of two groups of rows, either of which may be None."""
    if moments is None or other is None:
        return other if moments is None else moments
    moments, other = moments.in_one_frame(other)
    return moments.merge(other).near_its_mean()
