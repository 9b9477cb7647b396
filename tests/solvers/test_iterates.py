"""How far solvers may go, and what drives them."""

from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_gdlinreg._problem.certificate import Certificate
from sklearn_gdlinreg._problem.outputs import Groups
from sklearn_gdlinreg._solvers.iterates import (
    REASONS,
    Iterate,
    Limits,
    Patience,
    Solution,
    drive,
    side_by_side,
)


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
            yield Iterate(1.0 / (1 + limits.n_done), model=None)
        # The last one once more, as the data say.
        yield Iterate(0.5, model=None, measured=True)
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


def run_of(outputs, losses, measured, reason, engine):
    """Yield these losses of a group whose model has the number of the iterate everywhere."""

    def model(k):
        return np.full((3, len(outputs)), k), np.full(len(outputs), k)

    for k, loss in enumerate(losses):
        yield Iterate(loss, model=lambda k=k: model(k))
        if k == measured:
            yield Iterate(loss - 0.25, model=lambda k=k: model(k), measured=True)
    step = np.array(outputs) / 10.0
    last = losses[-1] if losses else 7.0
    n = len(losses)
    certificate = Certificate(step, step + 1.0, step + 2.0)
    return Solution(*model(n), last, step, n, reason, engine, certificate)


def follow(run):
    """Return what a solver yields, each with its b, and what it returns."""
    found = []
    while True:
        try:
            iterate = next(run)
        except StopIteration as end:
            return found, end.value
        some = None if iterate.measured else list(iterate.model()[1])
        found.append((iterate.loss, iterate.measured, some))


def test_solvers_of_groups_run_side_by_side():
    groups = Groups([SimpleNamespace(outputs=np.array(o)) for o in ([0, 2], [1])])
    found, solution = follow(
        side_by_side(
            groups,
            [
                run_of([0, 2], [5.0, 4.0, 3.0], 1, "tol", "moments+passes"),
                run_of([1], [1.0], None, "precision", "passes"),
            ],
        )
    )
    assert found == [
        (6.0, False, [0, 0, 0]),
        # The second group has ended, and stays where that was.
        (5.0, False, [1, 1, 1]),
        (4.75, True, None),
        (4.0, False, [2, 1, 2]),
    ]
    np.testing.assert_array_equal(solution.b, [3, 1, 3])
    np.testing.assert_array_equal(solution.W, [[3, 1, 3]] * 3)
    np.testing.assert_array_equal(solution.step, [0.0, 0.1, 0.2])
    assert (solution.loss, solution.n_updates) == (4.0, 3)
    assert (solution.reason, solution.engine) == ("precision", "moments+passes")
    np.testing.assert_array_equal(
        solution.certificate, [[0.0, 0.1, 0.2], [1.0, 1.1, 1.2], [2.0, 2.1, 2.2]]
    )


def test_what_is_measured_belongs_to_the_iteration_before():
    groups = Groups([SimpleNamespace(outputs=np.array(o)) for o in ([0], [1])])
    runs = [
        run_of([0], [50.0, 40.0, 30.0], None, "tol", "passes"),
        run_of([1], [5.0, 4.0, 3.0], 1, "tol", "passes"),
    ]
    found, _ = follow(side_by_side(groups, runs))
    losses = [(loss, measured) for loss, measured, _ in found]
    assert losses == [(55.0, False), (44.0, False), (43.75, True), (33.0, False)]


def test_a_group_that_makes_no_step_counts_with_its_loss():
    groups = Groups([SimpleNamespace(outputs=np.array(o)) for o in ([1], [0])])
    runs = [run_of([1], [], None, "tol", "passes"), run_of([0], [2.0], None, "tol", "passes")]
    found, solution = follow(side_by_side(groups, runs))
    assert found == [(9.0, False, [0, 0])]
    assert (solution.loss, solution.reason, solution.engine) == (9.0, "tol", "passes")


@pytest.mark.parametrize("first", range(len(REASONS)))
def test_of_many_reasons_the_worst_counts(first):
    groups = Groups([SimpleNamespace(outputs=np.array([d])) for d in range(len(REASONS))])
    reasons = [*REASONS[first:], *REASONS[-1:] * first]
    runs = [run_of([d], [1.0], None, reason, "passes") for d, reason in enumerate(reasons)]
    assert follow(side_by_side(groups, runs))[1].reason == REASONS[first]
