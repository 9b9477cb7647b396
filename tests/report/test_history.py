"""The record of a descent, following solvers that are made up."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklearn_gdlinreg._report.history import ADVICE, History, Validation
from sklearn_gdlinreg._solvers.iterates import LEAST_TOL, Iterate, Patience


def solver(history, losses, measured=None, reason="max_iter"):
    """Yield these losses as long as iterations are left; return how many there were."""
    for n, loss in enumerate(losses):
        if not history.limits.n_left:
            return SimpleNamespace(n_updates=n, reason=reason)
        yield Iterate(loss, model=lambda n=n: (np.full((2, 1), n), np.zeros(1)))
    if measured is not None:
        yield Iterate(measured, model=None, measured=True)
    return SimpleNamespace(n_updates=len(losses), reason=reason)


def history_of(max_iter=10, tol=1e-4, **options):
    return History(max_iter=max_iter, tol=tol, **options)


def told_at_the_end(history):
    """Return what a history warns of, or None."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history.end()
    assert [warning.category for warning in caught] == [ConvergenceWarning] * len(caught)
    return str(caught[0].message) if caught else None


def test_follow_records_and_returns_what_the_solver_does():
    history = history_of(tol=0.5)
    assert history.follow(solver(history, [3.0, 2.0, 1.0], measured=0.5)).n_updates == 3
    # The last is measured once more; that is no iteration.
    assert history.losses == [3.0, 2.0, 0.5]
    assert history.limits.n_done == 3
    assert (history.limits.tol, history.limits.watched) == (0.5, False)


def test_a_measured_loss_of_no_iteration_is_not_recorded():
    history = history_of()
    history.follow(solver(history, [], measured=1.0))
    assert history.losses == []


def test_no_more_iterations_than_are_allowed():
    history = history_of(max_iter=2)
    assert history.follow(solver(history, [3.0, 2.0, 1.0])).n_updates == 2
    assert history.losses == [3.0, 2.0]
    assert history.stop_reason == "max_iter"


def test_the_first_reason_counts():
    history = history_of()
    history.stop("tol")
    history.stop("precision")
    assert history.stop_reason == "tol"
    assert history.limits.n_left == 0


def test_a_callback_is_told_of_each_model_and_may_stop():
    models = []

    def callback(model):
        models.append(int(model()[0][0, 0]))
        assert model() is model()
        return len(models) == 3

    history = history_of(callback=callback)
    assert history.follow(solver(history, [5.0, 4.0, 3.0, 2.0, 1.0])).n_updates == 3
    assert models == [0, 1, 2]
    assert history.stop_reason == "callback"


def test_validation_keeps_the_best_model_and_stops_when_patience_runs_out():
    losses = [4.0, 2.0, 3.0, 2.0, 1.0]
    validation = Validation(lambda W, b: losses[int(W[0, 0])], Patience(0.0, 2))
    history = history_of(validation=validation, callback=lambda model: len(history.losses) == 4)
    assert history.limits.watched
    history.follow(solver(history, [5.0, 4.0, 3.0, 2.0, 1.0]))
    # Both stop it here, patience first.
    assert history.stop_reason == "early_stopping"
    assert validation.losses == losses[:4]
    # The first of two that are as good.
    np.testing.assert_array_equal(validation.model[0], np.full((2, 1), 1))


@pytest.mark.parametrize(
    ("options", "stop", "optimality", "reason"),
    [
        # A reason must be true of the model that is returned.
        ({}, "tol", 1e-5, "tol"),
        ({}, "tol", 1e-3, "precision"),
        (
            {"validation": Validation(lambda W, b: 1.0, Patience(0.0, 5))},
            "tol",
            1e-3,
            "early_stopping",
        ),
        ({}, "max_iter", 1e-5, "tol"),
        ({}, "max_iter", 1e-3, "max_iter"),
        ({"kind": "epochs"}, "no_change", 1e-5, "tol"),
        ({"kind": "epochs"}, "no_change", 1e-3, "no_change"),
        # With tol=0 all iterations are asked for.
        ({"tol": 0.0}, "max_iter", 0.0, "max_iter"),
        ({"tol": 0.0}, "tol", LEAST_TOL, "tol"),
        ({}, "callback", 1e-5, "callback"),
        ({}, "precision", 1e-5, "precision"),
    ],
)
def test_the_reason_is_true_of_the_certificate(options, stop, optimality, reason):
    history = history_of(**options)
    history.follow(solver(history, [3.0, 2.0], reason=stop))
    history.certified(1.5, optimality, 1e-16)
    assert history.stop_reason == reason
    assert (history.losses, history.optimality) == ([3.0, 1.5], optimality)


SHORT = "Stopped at max_iter=10: optimality 1.00e-02 is above tol=0.0001. "
EPOCHS = SHORT[:-2] + ", and the loss was still improving over n_iter_no_change"


@pytest.mark.parametrize(
    ("kind", "stop", "tol", "optimality", "expected"),
    [
        ("exact", "max_iter", 1e-4, 1e-2, SHORT + ADVICE["exact"]),
        ("textbook", "max_iter", 1e-4, 1e-2, SHORT + ADVICE["textbook"]),
        ("epochs", "max_iter", 1e-4, 1e-2, EPOCHS),
        ("epochs", "no_change", 1e-4, 1e-2, None),
        ("exact", "tol", 1e-4, 1e-5, None),
        ("exact", "callback", 1e-4, 1e-2, None),
        ("exact", "early_stopping", 1e-4, 1e-2, None),
        # All iterations were asked for, and of exact steps every digit.
        ("exact", "max_iter", 0.0, 1e-2, "Stopped at max_iter=10: optimality 1.00e-02"),
        ("textbook", "max_iter", 0.0, 1e-2, None),
        ("epochs", "max_iter", 0.0, 1e-2, None),
        ("exact", "precision", 1e-4, 1e-2, "Rounding errors stopped the descent"),
        # What rounding to the type of the model makes, and no more.
        ("exact", "precision", 1e-6, 100 * 1e-7, None),
        ("exact", "precision", 1e-6, 200 * 1e-7, "Rounding errors stopped the descent"),
        ("exact", "precision", 0.0, 1e-5, None),
        ("exact", "precision", 0.0, 1e-3, "Rounding errors stopped the descent"),
        ("textbook", "learning_rate", 1e-4, 1e-2, "The adaptive learning rate became too"),
        ("epochs", "learning_rate", 1e-4, 1e-2, None),
    ],
)
def test_what_is_told_at_the_end(kind, stop, tol, optimality, expected):
    history = history_of(tol=tol, kind=kind)
    history.stop(stop)
    history.certified(1.0, optimality, 1e-7)
    told = told_at_the_end(history)
    assert told is None if expected is None else told.startswith(expected)


def test_what_rounding_to_float32_cost_is_no_fault_of_the_descent():
    history = history_of()
    history.stop("tol")
    history.certified(1.0, 1e-2, 1e-7)
    assert history.stop_reason == "precision"
    assert told_at_the_end(history) is None


@pytest.mark.parametrize("stop", ["tol", "max_iter"])
def test_faults_are_told_too(stop):
    history = history_of()
    history.stop(stop)
    history.certified(1.0, 1e-5 if stop == "tol" else 1e-2, 1e-16)
    history.faults.append("It is worse than a constant.")
    told = told_at_the_end(history)
    assert told.endswith("It is worse than a constant.")
    assert told.startswith("Stopped") == (stop == "max_iter")


@pytest.mark.parametrize(
    ("verbose", "n_iter", "shown"),
    [
        (0, 5, []),
        (1, 7, range(1, 8)),
        (1, 45, [*range(1, 20), 20, 30, 40, 45]),
        (1, 310, [*range(1, 20), *range(20, 200, 10), 200, 300, 310]),
        (2, 45, range(1, 46)),
    ],
)
def test_the_lines_that_are_printed(capsys, verbose, n_iter, shown):
    history = history_of(max_iter=1000, verbose=verbose)
    history.follow(solver(history, np.linspace(2.0, 1.0, n_iter), reason="callback"))
    history.end()
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[1]) for line in lines] == list(shown)
    assert len({line.index("loss") for line in lines}) <= 1


@pytest.mark.parametrize("kind", ADVICE)
def test_a_line(capsys, kind):
    validation = Validation(lambda W, b: 0.25, Patience(0.0, 5))
    history = history_of(verbose=1, kind=kind, validation=validation)
    history.follow(solver(history, [2.5], reason="callback"))
    history.end()
    unit = "Epoch" if kind == "epochs" else "Iteration"
    expected = f"{unit}       1  loss 2.500000000e+00  validation loss 2.500000000e-01\n"
    assert capsys.readouterr().out == expected
