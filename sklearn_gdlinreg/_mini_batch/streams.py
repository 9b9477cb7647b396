"""The streams of a model: one for all outputs, or one per output if targets may be missing.

Conventions: M features, D outputs; W (M, D), b (D,).
"""

from .._base.arrays import namespace
from .stream import features_of


class Streams:
    """The state of a model that is fitted to chunks of rows in mini-batches.

    Parameters
    ----------
    members : list of Stream
        One for all outputs, or one per output, for the rows in which it is observed.

    Attributes
    ----------
    shown : (W, b) or None
        The model that was last returned to the user. If the model of the estimator differs, the
        user has changed it, and the streams continue from it.
    """

    def __init__(self, members):
        self.members, self.shown = members, None
        self._before = []

    def _outputs(self, k):
        """Return the outputs of a member."""
        return slice(None) if len(self.members) == 1 else slice(k, k + 1)

    @staticmethod
    def _joined(parts):
        """Return the array of all outputs, which are its last axis."""
        parts = list(parts)
        return parts[0] if len(parts) == 1 else namespace(parts[0]).concat(parts, axis=-1)

    @property
    def n_features(self):
        """The number of features."""
        return self.members[0].n_features

    @property
    def t(self):
        """The largest number of updates of an output."""
        return max(member.t for member in self.members)

    @property
    def schedules(self):
        """The Schedule of each member, or None for automatic steps."""
        return [member.schedule for member in self.members]

    def restart(self, W, b):
        """Continue from another model; the moments of the features are kept."""
        for k, member in enumerate(self.members):
            member.restart(W[:, self._outputs(k)], b[self._outputs(k)])

    def successor(self, X):
        """Return streams that continue from these with a chunk, (n, M).

        They share the arrays, so that a chunk takes no time for features that it does not have.
        These streams keep the values that it will change, and are only valid after `roll_back`.
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
        """Undo the updates of a successor, which must not be used any more."""
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
        """Return the means of X so far, (M, D), with zeros where they are not known."""
        return self._joined(member.mean() for member in self.members)

    def result(self):
        """Return W and b: the means of the tails, or the last ones."""
        W, b = zip(*(member.result() for member in self.members), strict=True)
        return self._joined(W), self._joined(b)
