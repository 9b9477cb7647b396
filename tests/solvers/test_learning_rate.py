"""Schedules as formulas, and the longest stable step against all eigenvalues."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse

from sklearn_gdlinreg._input.dataset import Data
from sklearn_gdlinreg._problem.loss import Loss
from sklearn_gdlinreg._problem.penalty import Penalty
from sklearn_gdlinreg._problem.reading import read_groups
from sklearn_gdlinreg._solvers.learning_rate import (
    Momentum,
    Schedule,
    largest_stable_step,
    longest_stable_step,
)

FORMULAS = {
    "constant": lambda t: 1.0,
    "invscaling": lambda t: 1.0 / np.sqrt(t + 1.0),
    "callable": lambda t: 1.0 / (1.0 + t),
}


def schedule_of(spec, learning_rate=0.3, tol=0.0, patience=2):
    spec = FORMULAS[spec] if spec == "callable" else spec
    return Schedule(spec, learning_rate, tol=tol, n_iter_no_change=patience)


@pytest.mark.parametrize("spec", FORMULAS)
def test_rates_are_those_of_the_formula(spec):
    expected = 0.3 * FORMULAS[spec](np.arange(7.0)) * np.ones(7)
    one_by_one, many = schedule_of(spec), schedule_of(spec)
    rates = [one_by_one.update(t, 1.0) for t in range(7)]
    np.testing.assert_allclose(rates, expected, rtol=1e-15)
    rates = np.concatenate([many.updates(0, 3), many.updates(3, 4)])
    np.testing.assert_allclose(rates, expected, rtol=1e-15)
    assert one_by_one.rate == many.rate == rates[-1]


def test_adaptive_rates_are_cut_where_the_loss_does_not_fall():
    schedule = schedule_of("adaptive", tol=0.1)
    losses = [1.0, 0.95, 0.8, 0.79, 0.78, 0.77, 0.76]
    # 0.95 is no improvement, but 0.8 is; then two in a row that are none cut the rate.
    cuts = [1, 1, 1, 1, 5, 5, 25]
    rates = [schedule.update(t, loss) for t, loss in enumerate(losses)]
    np.testing.assert_allclose(rates, 0.3 / np.array(cuts), rtol=1e-15)
    np.testing.assert_array_equal(schedule.updates(0, 3), [schedule.rate] * 3)


def test_adaptive_rates_end():
    schedule = schedule_of("adaptive", patience=1)
    rates = []
    while (rate := schedule.update(len(rates), 1.0)) is not None:
        rates.append(rate)
    # 5 ** 8 is the last power of it below a million; the first loss is an improvement.
    np.testing.assert_allclose(rates, 0.3 / 5.0 ** np.arange(9), rtol=1e-14)


@pytest.mark.parametrize("factor", [2, Fraction(1, 2), np.float32(0.25), 0.0])
def test_factors_of_a_callable(factor):
    schedule = Schedule(lambda t: factor, 0.5, tol=0.0, n_iter_no_change=1)
    assert schedule.update(0, 1.0) == 0.5 * float(factor)
    assert schedule.largest_factor == float(factor)


@pytest.mark.parametrize("factor", [None, "1", -1.0, np.inf, np.nan, 10**400, 1j])
def test_factors_that_are_none(factor):
    schedule = Schedule(lambda t: factor, 0.5, tol=0.0, n_iter_no_change=1)
    with pytest.raises(ValueError, match=r"in the range \[0.0, inf\).* for t=3"):
        schedule.updates(3, 1)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(("N", "M", "alpha"), [(50, 6, 0.0), (50, 6, [0.0, 0.7]), (40, 90, 0.1)])
def test_the_longest_stable_step(make_data, rng, container, N, M, alpha, fit_intercept):
    X, Y = make_data(N, M, 2, decades=1.0)
    weight = rng.uniform(0.5, 2.0, N)
    # Half the Hessian of the loss in (W, b), of the output whose penalty is largest.
    rows = np.append(X, np.ones((N, 1)), axis=1)[:, : M + fit_intercept]
    half = rows.T @ (weight[:, None] * rows) / weight.sum()
    half[range(M), range(M)] += np.max(alpha)
    expected = 1.0 / np.linalg.eigvalsh(half)[-1]

    data = Data(container(X), Y, weight, None)
    groups = read_groups(
        data, Penalty.of(alpha, 0.0, False, 2),
        fit_intercept=fit_intercept, raw=True, n_steps=10**6,
    )  # fmt: skip
    (group,) = groups
    for supplier in filter(None, (group.moments, group.passes)):
        for momentum, longer in [
            (Momentum(), 1.0),
            (Momentum(0.9), 1.9),
            (Momentum(0.9, nesterov=True), 1.9 / 2.8),
        ]:
            step = largest_stable_step(Loss(group, supplier), momentum)
            assert step == pytest.approx(longer * expected, rel=1e-9)
    assert longest_stable_step(groups, Momentum()) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_stable_up_to_the_factor(momentum, nesterov):
    """The spectral radius of the update is 1 at the longest step, and more beyond."""
    longest = (1 + momentum) / (1 + 2 * momentum * nesterov)
    for step, stable in [(0.999 * longest, True), (1.001 * longest, False)]:
        # On the loss w ** 2 the gradient is 2 w; the state is (w, velocity).
        velocity, move = Momentum(momentum, nesterov).change(
            np.array([0.0, 1.0]), np.array([-2.0 * step, 0.0])
        )
        update = np.array([np.array([1.0, 0.0]) + move, velocity])
        assert (np.abs(np.linalg.eigvals(update)).max() < 1.0) == stable
