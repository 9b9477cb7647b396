"""The streams of a model: one for all outputs, or one for each where they are missing.

Conventions: M features, D outputs; W (M, D), b (D,).
"""

from .._base.arrays import namespace
from .stream import features_of


class Streams:
    """What a model has learnt from chunks of rows.

    Parameters
    ----------
    members : list of Stream
        One for all outputs; or one for each, which learns from the rows where that is observed.

    Attributes
    ----------
    shown : (W, b) or None
        The model that users were shown last: one that differs is theirs, to go on from.
    """

    def __init__(self, members):
        self.members, self.shown = members, None
        self._before = []

    def _outputs(self, k):
        """Return the outputs of a member."""
        return slice(None) if len(self.members) == 1 else slice(k, k + 1)

    @staticmethod
    def _joined(parts):
        """Return the array of all outputs, its last axis."""
        parts = list(parts)
        return parts[0] if len(parts) == 1 else namespace(parts[0]).concat(parts, axis=-1)

    @property
    def n_features(self):
        """The number of features."""
        return self.members[0].n_features

    @property
    def t(self):
        """The most updates that an output was given."""
        return max(member.t for member in self.members)

    @property
    def schedules(self):
        """The Schedule of each member, or None for automatic steps."""
        return [member.schedule for member in self.members]

    def restart(self, W, b):
        """Go on from another model; what is known of the features stays."""
        for k, member in enumerate(self.members):
            member.restart(W[:, self._outputs(k)], b[self._outputs(k)])

    def successor(self, X):
        """Return streams that go on from here, to learn from a chunk, (n, M).

        They share the arrays, so that a chunk takes no time for features that it does not hold.
        These streams keep what it will change of them, and are lost but for `roll_back`.
        """
        columns = features_of(X)
        self._before = [
            (A, index, A[index].copy())
            for member in self.members
            for A, index in member.changed_in_place(columns)
        ]
        other = Streams([member.successor() for member in self.members])
        other.shown = self.shown
        return other

    def roll_back(self):
        """Undo what a successor has learnt; it must not be used any more."""
        for A, index, values in self._before:
            A[index] = values
        self._before = []

    def learn(self, data):
        """Make one pass over a chunk, Data; return the mean loss before each update."""
        if len(self.members) == 1:
            return self.members[0].learn(data.X, data.Y, data.output_weight(0))
        return sum(
            member.learn(data.X, data.Y[:, d : d + 1], data.output_weight(d))
            for d, member in enumerate(self.members)
        )

    def rates(self):
        """Return the last step of each output, (D,)."""
        return self._joined(member.rates() for member in self.members)

    def mean(self):
        """Return the means of X so far, (M, D), or zeros where they are not known."""
        return self._joined(member.mean() for member in self.members)

    def result(self):
        """Return W and b: the means of the tails, or the last ones."""
        W, b = zip(*(member.result() for member in self.members), strict=True)
        return self._joined(W), self._joined(b)
