"""What holds for every problem, on small random ones of every kind.

``pytest tests/test_properties.py --examples 500`` tries more of them.
"""

import warnings
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from reference import textbook, textbook_batches
from scipy import sparse
from scipy.optimize import nnls
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, LinearRegression

from sklearn_gdlinreg import GDLinearRegression
from sklearn_gdlinreg._problem import loss as oracle

pytestmark = pytest.mark.slow
hypothesis = pytest.importorskip("hypothesis")
from hypothesis import assume, given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

# Sizes that float64 does not resolve; times the rounding of the data, those that are flat.
RESOLVED, FLAT = 1e-13, 4.0


@dataclass(frozen=True)
class Problem:
    """Rows, weights, and what they are kept in; X and Y are float64 of the same values."""

    X: np.ndarray
    Y: np.ndarray
    weight: np.ndarray | None
    dtype: str
    container: str
    fit_intercept: bool
    told: dict

    def __repr__(self):
        return f"Problem({self.told})"

    @property
    def s(self):
        return np.ones(len(self.X)) if self.weight is None else self.weight

    def rows(self, rows):
        weight = None if self.weight is None else self.weight[rows]
        return replace(self, X=self.X[rows], Y=self.Y[rows], weight=weight)

    def kept(self):
        """Return X and Y as they are handed to fit."""
        X = self.X.astype(self.dtype)
        X = sparse.csr_array(X) if self.container == "csr" else np.asarray(X, order="C")
        return X, self.Y.astype(self.dtype)

    def fit(self, **options):
        """Return a fitted model, whether it warns or not; stop_reason_ says so, too."""
        model = GDLinearRegression(fit_intercept=self.fit_intercept, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(*self.kept(), self.weight)

    def standardised(self):
        """Return the root of the weights, Z, Y about its mean and the deviations of X.

        Features that are the same in all rows are zeros in Z.
        """
        s = (self.s / self.s.sum()).astype(np.longdouble)
        A = np.hstack([self.X, self.Y]).astype(np.longdouble)
        A -= s @ A * self.fit_intercept
        seen = self.X[self.s > 0]
        same = (seen == (seen[:1] if self.fit_intercept else 0.0)).all(axis=0)
        M = self.X.shape[1]
        deviation = np.where(same, 1.0, np.sqrt(s @ A[:, :M] ** 2))
        return (
            np.sqrt(s)[:, None],
            np.where(same, 0.0, A[:, :M] / deviation),
            A[:, M:],
            deviation,
        )

    def curvatures(self):
        """Return the SVD of root * Z, below which size each direction is flat, and root * Y."""
        root, Z, Y, deviation = self.standardised()
        U, sizes, V = np.linalg.svd((root * Z).astype(float), full_matrices=False)
        s = self.s / self.s.sum()
        unit = np.finfo(self.dtype).eps / 2
        about = unit * np.sqrt(s @ (self.X / deviation.astype(float)) ** 2)
        flat = np.maximum(FLAT * np.sqrt(V**2 @ about**2), RESOLVED * sizes[0])
        return U, sizes, V, flat, (root * Y).astype(float)

    def least_losses(self):
        """Return the losses of the closed form but for directions that are flat, (D,)."""
        U, sizes, _, flat, Y = self.curvatures()
        U = U[:, sizes > flat]
        return ((Y - U @ (U.T @ Y)) ** 2).sum(axis=0)

    @property
    def clear(self):
        """Whether it can be told which directions are flat, and none is nearly."""
        _, sizes, _, flat, _ = self.curvatures()
        return not ((sizes > flat / 1e4) & (sizes < 1e-4)).any() and (flat < 1e-6).all()

    def unique(self, options):
        """Whether each output has one answer that rounding does not decide, (D,).

        Of many minimisers the smallest is the answer, but where the penalty has no gradient.
        """
        _, sizes, *_ = self.curvatures()
        alpha, l1_ratio = options.get("alpha", 0.0), options.get("l1_ratio", 0.0)
        smooth = np.multiply(alpha, l1_ratio) == 0.0
        curved = np.multiply(alpha, 1.0 - l1_ratio) > 0.0
        full = (sizes > 1e-4).sum() == (self.standardised()[1] != 0).any(axis=0).sum()
        one = full | curved | (smooth & (not options.get("positive", False)))
        return np.broadcast_to(self.clear & one, self.Y.shape[1:])

    def variances(self):
        root, _, Y, _ = self.standardised()
        return ((root * Y) ** 2).sum(axis=0).astype(float)

    def residual(self, model):
        """Return what the model misses, in the widest float there is, (N, D)."""
        W = np.atleast_2d(model.coef_).T.astype(np.longdouble)
        return self.Y - self.X.astype(np.longdouble) @ W - np.asarray(model.intercept_)

    def losses(self, model):
        s = (self.s / self.s.sum()).astype(np.longdouble)
        return (s @ self.residual(model) ** 2).astype(float)


def columns(rng, shape, kind):
    """Return features before they get offsets and units."""
    if kind == "normal":
        return rng.standard_normal(shape)
    ends = (-3, 4) if kind == "integers" else (0, 2)
    return rng.integers(*ends, shape).astype(float)


@st.composite
def problems(
    draw, dtypes=("float64",), largest_offset=1e6, decades=120, least_rows=1,
    weights=("none", "integers", "real"), collinear=("no", "sum", "opposed", "duplicate"),
):  # fmt: skip
    """Draw a Problem: hypothesis draws what kind it is of, and the seed its numbers."""
    offsets = [offset for offset in (0.0, 1.0, 1e3, 1e6) if offset <= largest_offset]
    told = {
        "N": draw(st.integers(least_rows, 30)),
        "M": draw(st.integers(1, 8)),
        "D": draw(st.integers(1, 3)),
        "seed": draw(st.integers(0, 2**16)),
        "kind": draw(st.sampled_from(["normal", "integers", "bits"])),
        "collinear": draw(st.sampled_from(collinear)),
        "constant": draw(st.booleans()),
        "offset": draw(st.sampled_from(offsets)),
        "decades": draw(st.sampled_from([0, min(decades, 3), decades])),
        "noise": draw(st.sampled_from([0.0, 1e-2, 1.0, 30.0])),
        "weights": draw(st.sampled_from(weights)),
        "dtype": draw(st.sampled_from(dtypes)),
        "container": draw(st.sampled_from(["dense", "csr"])),
        "fit_intercept": draw(st.sampled_from([True, True, False])),
    }
    return make_problem(told)


@st.composite
def problems_and(draw, all_options, **kinds):
    """Draw a Problem and options; with a penalty, features of alike units."""
    options = draw(st.sampled_from(all_options))
    problem = draw(problems(**(kinds | {"decades": 0} if options else kinds)))
    # Off zero without an intercept, tol says little of directions that hardly curve.
    assume(not options or problem.fit_intercept or problem.told["offset"] <= 1.0)
    return problem, options


def make_problem(told):
    N, M, D = told["N"], told["M"], told["D"]
    rng = np.random.default_rng(told["seed"])
    E = columns(rng, (N, M), told["kind"])
    if M > 1:
        if told["collinear"] == "sum":
            E[:, -1] = E[:, :-1].sum(axis=1)
        elif told["collinear"] == "opposed":
            E[:, 1] = -3 * E[:, 0]
        elif told["collinear"] == "duplicate":
            E[:, -1] = E[:, 0]
    if told["constant"] and M > 2:
        E[:, 2] = 1.0
    Y = E @ rng.integers(-3, 4, (M, D)) + 2.0 + told["noise"] * rng.standard_normal((N, D))
    most = min(told["decades"], 12 if told["dtype"] == "float32" else 120)
    unit = 10.0 ** rng.integers(-most, most + 1, M)
    X = (E + told["offset"] * rng.integers(1, 3, M)) * unit
    weight = None
    if told["weights"] != "none":
        weight = rng.integers(0, 4, N).astype(float)
        weight[rng.integers(N)] = 1.0
        weight *= 1.0 if told["weights"] == "integers" else rng.uniform(0.5, 2.0, N)
    X, Y = (A.astype(told["dtype"]).astype(float) for A in (X, Y))
    more = (told[name] for name in ("dtype", "container", "fit_intercept"))
    return Problem(X, Y, weight, *more, told)


BOTH = ("float32", "float64")
PENALTIES = [
    {},
    {"alpha": 0.1},
    {"alpha": [0.3, 0.0, 0.05]},
    {"alpha": 0.1, "l1_ratio": 0.5},
    {"alpha": [0.0, 0.2, 0.1], "l1_ratio": 1.0},
    {"positive": True},
]


def of_outputs(options, D):
    """Return the options with as many alphas as there are outputs."""
    alpha = options.get("alpha", 0.0)
    return {**options, "alpha": np.array(alpha[:D]) if isinstance(alpha, list) else alpha}


def of_output(options, d):
    alpha = options.get("alpha", 0.0)
    return {**options, "alpha": alpha[d] if isinstance(alpha, list) else alpha}


def assert_same_model(problem, model, other, options=None, tolerance=1e-6):
    """Compare predictions on the rows, and coefficients where there is one answer.

    Both to this times the deviation of Y, or what the largest part of a prediction rounds to.
    """
    X, deviation = problem.X[problem.s > 0], problem.standardised()[3].astype(float)
    got, coef = (np.atleast_2d(m.coef_).astype(float) for m in (model, other))
    size = np.sqrt(problem.variances()) + np.finfo(float).tiny
    parts = np.abs(X).max(axis=0) * np.abs(coef)
    atol = tolerance * size + 1e-13 * (parts.sum(axis=1) + np.abs(other.intercept_))
    apart = X @ got.T + model.intercept_ - X @ coef.T - other.intercept_
    assert (np.abs(apart) <= atol).all()
    apart = np.abs(got - coef) * deviation - 1e-10 * parts
    assert (apart.max(axis=1) <= 100 * tolerance * size)[problem.unique(options or {})].all()


def stacked(models):
    """Return what has the coefficients of all models."""
    return SimpleNamespace(
        coef_=np.vstack([m.coef_ for m in models]),
        intercept_=np.concatenate([m.intercept_ for m in models]),
    )


@given(problems(largest_offset=1.0, decades=1), st.sampled_from(PENALTIES), st.integers(1, 9))
def test_gradients_equal_finite_differences(problem, options, seed):
    # Planted: the gradient by W lacks its factor 2, that by b the weights.
    rng, (M, D) = np.random.default_rng(seed), (problem.X.shape[1], problem.Y.shape[1])
    W, b = rng.uniform(1.0, 2.0, (M, D)), rng.standard_normal(D)
    options = of_outputs(options, D)
    alpha, l1_ratio = np.asarray(options["alpha"]), options.get("l1_ratio", 0.0)
    X, Y = problem.kept()
    table = {"sample_weight": problem.weight, "alpha": alpha, "l1_ratio": l1_ratio}
    by_W, by_b = oracle.gradients(X, Y, W, b, **table)
    by_W = by_W + 2 * alpha * l1_ratio * np.sign(W)

    def slope(W_step, b_step):
        ends = [oracle.loss(X, Y, W + k * W_step, b + k * b_step, **table) for k in (1, -1)]
        return (ends[0] - ends[1]) / 2

    # The loss is quadratic where no sign changes: no step is too long.
    atol = 1e-10 * oracle.loss(X, Y, W, b, **table)
    for index in np.ndindex(M, D):
        step = np.zeros((M, D))
        step[index] = 0.5
        assert 2 * slope(step, 0.0) == pytest.approx(by_W[index], rel=1e-9, abs=atol)
    for d in range(D):
        assert slope(0.0, np.eye(D)[d]) == pytest.approx(by_b[d], rel=1e-9, abs=atol)


@given(problems())
def test_the_loss_is_that_of_the_closed_form(problem):
    # Planted: passes do not centre the gradient; the shift does not reach the intercept.
    model = problem.fit()
    least, variances = problem.least_losses(), problem.variances()
    # What is left of an exact fit: coefficients and the intercept are rounded.
    parts = np.abs(problem.X).max(axis=0) * np.abs(model.coef_)
    rounding = np.finfo(float).eps * (parts.sum(axis=1) + np.abs(model.intercept_))
    noise = 100 * rounding**2 + 1e-12 * variances
    assert (problem.losses(model) <= (1 + 1e-6) * least + noise).all()


@given(problems())
def test_an_l2_penalty_gives_the_closed_form(problem):
    # Planted: passes take the penalty off the gradient once and a half.
    root, Z, Y, _ = problem.standardised()
    U, sizes, V = np.linalg.svd((root * Z).astype(float), full_matrices=False)
    for alpha in (1e-3, 1.0):
        # In units of each feature the penalty is another one: that of Z where these are one.
        scaled = replace(problem, X=np.asarray(Z, dtype=float))
        W = V.T @ ((sizes / (sizes**2 + alpha))[:, None] * (U.T @ (root * Y).astype(float)))
        model = scaled.fit(alpha=alpha)
        size = np.sqrt(problem.variances())[:, None] + 1e-300
        np.testing.assert_allclose(model.coef_ / size, W.T / size, rtol=1e-6, atol=1e-6)


@given(problems(dtypes=("float32",), largest_offset=1e6))
def test_a_float32_model_is_as_good_as_the_peers(problem):
    # Planted: the true gradient is asked of float32 moments; the intercept lacks the shift.
    X, Y = problem.kept()
    model = problem.fit()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = LinearRegression(fit_intercept=problem.fit_intercept)
        peer.fit(problem.X.astype("float32"), Y, problem.weight)
    s = problem.s / problem.s.sum()
    variances, least = s @ (problem.Y - s @ problem.Y) ** 2, problem.least_losses()
    for d in np.flatnonzero(variances > 0):
        ours, theirs = (
            s @ (problem.Y[:, d] - m.predict(A).astype(float)[:, d]) ** 2 / variances[d]
            for m, A in ((model, X), (peer, problem.X.astype("float32")))
        )
        # The peer takes flat directions, too, where its own rounding lets it.
        assert ours <= max(theirs, least[d] / variances[d]) + 0.02
    assert np.isfinite(model.coef_).all()


STEPS = [
    {},
    {"schedule": "invscaling"},
    {"momentum": 0.7},
    {"momentum": 0.7, "nesterov": True},
]


@given(
    problems(largest_offset=1e3, decades=1), st.sampled_from(PENALTIES),
    st.sampled_from(STEPS), st.sampled_from([0.05, 0.3, 0.6]), st.integers(1, 12),
)  # fmt: skip
def test_the_textbooks_descent_is_the_plain_loop(problem, penalty, step, share, n_steps):
    # Planted: momentum is 1, whatever is asked for; Nesterov's is as the plain one.
    X, Y = problem.kept()
    D, s = Y.shape[1], problem.s / problem.s.sum()
    options = {**of_outputs(penalty, D), **step}
    A = np.hstack([problem.X, np.ones((len(Y), 1))])
    rate = share / (np.linalg.norm(A.T @ (s[:, None] * A), 2) + np.max(options["alpha"]))
    W, b, losses = textbook(
        X, problem.Y, rate, n_steps, sample_weight=problem.weight,
        fit_intercept=problem.fit_intercept, **options,
    )  # fmt: skip
    assume(np.isfinite(losses).all() and max(losses) < 1e3 * losses[0] + 1)
    model = problem.fit(learning_rate=rate, max_iter=n_steps, tol=0, **options)
    size = max(np.abs(W).max(), np.abs(b).max())
    np.testing.assert_allclose(model.coef_.T, W, rtol=1e-8, atol=1e-10 * size)
    np.testing.assert_allclose(model.intercept_, b, rtol=1e-8, atol=1e-10 * size)
    # Where nothing moves any more the descent may end.
    n = model.n_iter_
    assert n == n_steps or losses[n] == losses[-1]
    assert model.loss_curve_ == pytest.approx(losses[1 : n + 1], rel=1e-6, abs=1e-10 * losses[0])


@given(
    problems(largest_offset=1.0, decades=1), st.sampled_from(PENALTIES), st.sampled_from(STEPS),
    st.integers(1, 40), st.integers(1, 3),
)  # fmt: skip
def test_mini_batches_are_the_plain_loop(problem, penalty, step, batch_size, n_epochs):
    # Planted: the factor 2 of the gradient is lost; the L2 penalty is proximal.
    X, Y = problem.kept()
    n_rows, D = int((problem.s > 0).sum()), Y.shape[1]
    options = {**of_outputs(penalty, D), **step}
    longest = ((problem.X**2).sum(axis=1) + 1).max() * problem.s.max() / problem.s.mean()
    rate = 0.1 / (4 * longest + np.max(options["alpha"]))
    iterates = textbook_batches(
        X, problem.Y, rate, n_epochs, batch_size, sample_weight=problem.weight,
        fit_intercept=problem.fit_intercept, **options,
    )  # fmt: skip
    model = problem.fit(
        learning_rate=rate, batch_size=batch_size, max_iter=n_epochs, tol=0, shuffle=False,
        average=False, **options,
    )  # fmt: skip
    W, b = iterates[-1]
    size = max(np.abs(W).max(), np.abs(b).max())
    np.testing.assert_allclose(model.coef_.T, W, rtol=1e-8, atol=1e-10 * size)
    np.testing.assert_allclose(model.intercept_, b, rtol=1e-8, atol=1e-10 * size)
    if batch_size < len(Y):
        assert model.t_ == n_epochs * -(-n_rows // batch_size)


@given(problems_and(PENALTIES))
def test_outputs_at_once_are_outputs_one_by_one(case):
    # Planted: the first alpha is that of all outputs; the first step is that of all.
    problem, options = case
    D = problem.Y.shape[1]
    together = problem.fit(**of_outputs(options, D))
    alone = [
        replace(problem, Y=problem.Y[:, d : d + 1]).fit(**of_output(options, d))
        for d in range(D)
    ]
    assert_same_model(problem, together, stacked(alone), of_outputs(options, D))


@given(problems_and([{}, PENALTIES[1], PENALTIES[3]], weights=["integers"]))
def test_integer_weights_are_repeated_rows(case):
    # Planted: moments take weights for their roots; the mean of sparse data's y forgets them.
    problem, options = case
    rows = np.repeat(np.arange(len(problem.X)), problem.s.astype(int))
    repeated = replace(problem, X=problem.X[rows], Y=problem.Y[rows], weight=None)
    other = repeated.fit(**options)
    assert_same_model(problem, problem.fit(**options), other, options)


@given(
    problems_and(
        [{}, PENALTIES[1], PENALTIES[5], {"batch_size": 4}], weights=["integers", "real"]
    )
)
def test_rows_without_weight_are_removed_rows(case):
    # Planted: the mean and variance of sparse X are those of all rows.
    problem, options = case
    assume((problem.s == 0).any())
    rows = problem.s > 0
    if "batch_size" in options:
        assume(problem.told["offset"] <= 1.0 and rows.sum() > 4)
        options = {**options, "max_iter": 3, "tol": 0, "random_state": 0}
    junk = replace(
        problem, X=np.where(rows[:, None], problem.X, 1e3 * np.abs(problem.X).max(axis=0))
    )
    other = problem.rows(rows).fit(**options)
    assert_same_model(problem, junk.fit(**options), other, options)


@given(problems(decades=3), st.integers(0, 99), st.sampled_from([20, 110]))
def test_units_of_features_and_of_y_change_nothing(problem, seed, decades):
    # Planted: descent runs in the units of X; tiny variances are taken for none.
    rng, (M, D) = np.random.default_rng(seed), (problem.X.shape[1], problem.Y.shape[1])
    unit = 10.0 ** rng.integers(-decades, decades + 1, M)
    y_unit = 10.0 ** rng.integers(-20, 21, D)
    scaled = replace(problem, X=problem.X * unit, Y=problem.Y * y_unit)
    model, plain = scaled.fit(), problem.fit()
    model.coef_ = model.coef_ * unit / y_unit[:, None]
    model.intercept_ = model.intercept_ / y_unit
    assert_same_model(problem, model, plain)


@given(problems(largest_offset=1e3, decades=3, collinear=["opposed", "sum", "duplicate"]))
def test_positive_coefficients_reach_the_least_loss(problem):
    # Planted: the proximal map leaves negative coefficients as they are.
    root, Z, Y, deviation = problem.standardised()
    model = problem.fit(positive=True)
    Z, Y = (root * Z).astype(float), (root * Y).astype(float)
    # A ridge of next to nothing keeps the peer from making use of what rounding leaves of
    # opposed columns.
    Z = np.concatenate([Z, 1e-5 * np.eye(Z.shape[1])])
    solutions = [nnls(Z, np.append(y, np.zeros(Z.shape[1]))) for y in Y.T]
    least = np.array([missed**2 for _, missed in solutions])
    assert (problem.losses(model) <= least + 1e-6 * problem.variances() + 1e-20).all()
    assert (model.coef_ >= 0).all()
    moderate = 1e3 * np.sqrt(problem.variances()) + 10 * max(v.max() for v, _ in solutions)
    assert (model.coef_ * deviation <= moderate[:, None]).all()


@given(
    problems(largest_offset=1.0, decades=1), st.sampled_from([0.1, 0.5, 1.0]),
    st.sampled_from([1e-3, 1e-2, 0.3]),
)  # fmt: skip
def test_the_elastic_nets_objective_is_the_peers(problem, l1_ratio, alpha):
    # Planted: the L1 threshold is doubled; it is in the units of Z.
    model = problem.fit(alpha=alpha, l1_ratio=l1_ratio, max_iter=20_000)
    peer = ElasticNet(
        alpha, l1_ratio=l1_ratio, fit_intercept=problem.fit_intercept, tol=1e-14, max_iter=50_000
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer.fit(problem.X, problem.Y, problem.weight)
    ours, theirs = (
        problem.losses(m)
        + alpha * (2 * l1_ratio * np.abs(C).sum(axis=1) + (1 - l1_ratio) * (C**2).sum(axis=1))
        for m, C in ((m, np.atleast_2d(m.coef_)) for m in (model, peer))
    )
    scale = 1e-12 * (problem.variances() + 1e-3)
    assert (ours <= theirs * (1 + 1e-6) + scale).all()
    if model.loss_curve_:
        assert model.loss_curve_[-1] == pytest.approx(ours.sum(), rel=1e-6, abs=scale.sum())


@given(problems(dtypes=BOTH), st.sampled_from([1, 2, 1000]), st.sampled_from([1e-2, 1e-6, 0]))
def test_the_certificate_is_that_of_the_model(problem, max_iter, tol):
    # Planted: optimality, or the last loss, is that of the point before the last descent.
    model = problem.fit(max_iter=max_iter, tol=tol)
    root, Z, _, _ = problem.standardised()
    losses, residual = problem.losses(model), problem.residual(model)
    residual = residual - (root**2 * residual).sum(axis=0) * problem.fit_intercept
    tiny = np.finfo(float).tiny
    deviation = np.sqrt(problem.variances()) + tiny
    rms = np.sqrt((root**2 * residual**2).sum(axis=0)).astype(float) + tiny
    # What rounding of the intercept adds belongs to the residual of an exact fit only.
    whole = np.sqrt(losses).astype(float) + tiny
    correlation = np.linalg.norm((Z.T @ (root**2 * residual)).astype(float), axis=0) / rms
    # What sums in float64 leave of a residual that is zero, in each output.
    parts = np.abs(problem.X).max(axis=0) * np.abs(model.coef_.astype(float))
    rounding = 8 * np.finfo(float).eps * (parts.sum(axis=1) + np.abs(problem.Y).max(axis=0))
    if model.loss_curve_:
        noise = (100 * rounding**2 + rounding * rms).sum() + tiny
        assert model.loss_curve_[-1] == pytest.approx(losses.sum(), rel=1e-6, abs=noise)
    exact = rms <= 10 * rounding
    own = np.minimum(correlation, whole / deviation)
    slack = np.where(exact, 10 * rounding / deviation, 10 * rounding / rms).max() + 1e-15
    least = np.where(exact, 0.0, own).max()
    assert least * (1 - 1e-3) - slack <= model.optimality_ <= own.max() * (1 + 1e-3) + slack
    if model.stop_reason_ == "tol" and tol:
        within = np.minimum(correlation - 10 * rounding / rms, whole / deviation) <= 1.01 * tol
        assert (exact | within).all()


@given(problems(dtypes=BOTH), st.sampled_from([{}, *PENALTIES[1:], {"batch_size": 4}]))
def test_inputs_are_unchanged_and_a_seed_gives_the_same_bits(problem, options):
    # Planted: y is centred in place; the generator is not seeded by random_state.
    options = of_outputs(options, problem.Y.shape[1])
    model = GDLinearRegression(random_state=0, max_iter=20, **options)
    X, Y = problem.kept()
    weight = None if problem.weight is None else problem.weight.copy()
    before = [A.copy() for A in (X, Y)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        first = model.fit(X, Y, weight)
        answers = first.coef_.copy(), np.copy(first.intercept_)
        second = GDLinearRegression(random_state=0, max_iter=20, **options).fit(*before, weight)
    np.testing.assert_array_equal(answers[0], second.coef_)
    np.testing.assert_array_equal(answers[1], second.intercept_)
    again = problem.kept()
    for now, then in ((X, again[0]), (Y, again[1])):
        now, then = (A.toarray() if sparse.issparse(A) else A for A in (now, then))
        np.testing.assert_array_equal(now, then)
    if weight is not None:
        np.testing.assert_array_equal(weight, problem.weight)


@given(problems_and(PENALTIES, least_rows=4, decades=3), st.integers(0, 99))
def test_missing_targets_leave_each_output_as_if_alone(case, seed):
    # Planted: outputs take the alphas of the first; sample_weight is lost where y is masked.
    problem, options = case
    (N, D), rng = problem.Y.shape, np.random.default_rng(seed)
    missing = rng.random((N, D)) < 0.4
    missing[:, -1] = missing[:, 0]
    missing[np.flatnonzero(problem.s)[0]] = False
    X, _ = problem.kept()
    Y = np.where(missing, np.nan, problem.Y)
    model = GDLinearRegression(
        missing_targets="ignore", fit_intercept=problem.fit_intercept,
        **of_outputs(options, D),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, Y, problem.weight)
    for d in range(D):
        own = replace(problem, Y=problem.Y[:, d : d + 1]).rows(~missing[:, d])
        mine = SimpleNamespace(
            coef_=model.coef_[d : d + 1], intercept_=model.intercept_[d : d + 1]
        )
        options_of_own = of_output(options, d)
        assert_same_model(own, mine, own.fit(**options_of_own), options_of_own)


@given(problems_and(PENALTIES, dtypes=BOTH))
def test_dense_and_sparse_give_the_same_answer(case):
    # Planted: sparse moments of X and y lack the product of the means.
    problem, options = case
    assume(problem.dtype == "float64" or problem.told["offset"] <= 1.0)
    options = of_outputs(options, problem.Y.shape[1])
    dense, csr = (
        replace(problem, container=container).fit(**options) for container in ("dense", "csr")
    )
    tolerance = 1e-4 if problem.dtype == "float32" else 1e-6
    assert_same_model(problem, csr, dense, options, tolerance)
