"""Streams of outputs that are observed in different rows."""

from .._base.arrays import namespace
from .._input.dataset import Data


class Streams:
    """A Stream for each output, which learns from the rows where that is observed."""

    def __init__(self, members):
        self.members, self.shown = members, None

    @property
    def n_features(self):
        """The number of features."""
        return self.members[0].n_features

    def restart(self, W, b):
        """Go on from another model; what is known of the features stays."""
        for d, member in enumerate(self.members):
            member.restart(W[:, d : d + 1], b[d : d + 1])

    @property
    def t(self):
        """The most updates that an output was given."""
        return max(member.t for member in self.members)

    def snapshot(self):
        """Return a copy that learns on its own; what never changes is shared."""
        other = Streams([member.snapshot() for member in self.members])
        other.shown = self.shown
        return other

    def learn(self, data):
        """Make one pass over a chunk; return the mean loss before each update."""
        return sum(
            stream.learn(Data(data.X, data.Y[:, d : d + 1], data.output_weight(d), None))
            for d, stream in enumerate(self.members)
        )

    def rates(self):
        """Return the last step of each output, (D,)."""
        rates = [member.rates() for member in self.members]
        return namespace(rates[0]).concat(rates)

    def centre(self):
        """Return the means of X so far, (M, D)."""
        centres = [member.centre() for member in self.members]
        return namespace(centres[0]).concat(centres, axis=1)

    def result(self):
        """Return W and b: the means of the tails, or the last ones."""
        W, b = zip(*(member.result() for member in self.members), strict=True)
        xp = namespace(b[0])
        return xp.concat(W, axis=1), xp.concat(b)
