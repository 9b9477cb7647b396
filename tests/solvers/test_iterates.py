"""How far solvers may go, and what drives them."""

import pytest

from sklearn_gdlinreg._solvers.iterates import Iterate, Limits, Patience, drive


def test_limits():
    limits = Limits(3, 1e-4)
    assert (limits.n_left, limits.watched, limits.n_iter_no_change) == (3, False, 1)
    limits.n_done = 2
    assert limits.n_left == 1
    limits.stopped = True
    assert limits.n_left == 0


def test_drive_counts_iterates_and_returns_what_the_solver_does():
    limits = Limits(4, 0.0)

    def solver():
        while limits.n_left:
            yield Iterate(1.0 / (1 + limits.n_done))
        # The last one once more, as the data say.
        yield Iterate(0.5, measured=True)
        return "end"

    assert drive(solver(), limits) == "end"
    assert limits.n_done == 4


@pytest.mark.parametrize(
    ("tol", "allowed", "losses", "runs_out"),
    [
        (0.0, 1, [3.0, 2.0, 1.0, 1.0], 3),
        (0.0, 2, [3.0, 3.0, 2.0, 2.0, 2.5], 4),
        # Slow improvements are none, each against the best one so far.
        (0.1, 2, [1.0, 0.95, 0.84, 0.8, 0.79], 4),
        (0.1, 2, [1.0, 0.95, 0.85, 0.84, 0.7], None),
        # A loss of zero can not be improved.
        (0.0, 3, [1.0, 0.0, 0.0, 0.0, 0.0], 4),
    ],
)
def test_patience(tol, allowed, losses, runs_out):
    patience = Patience(tol, allowed)
    told = [patience.see(loss) for loss in losses]
    first = told.index(True) if True in told else None
    assert first == runs_out
    assert patience.best == min(losses)
