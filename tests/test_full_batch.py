"""The automatic descent: the answer, its certificate, and how it ends."""

import numpy as np
import pytest
from libraries import dispatch, in_each_library, in_strict, in_torch
from scipy import sparse
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, Ridge

from sklearn_gdlinreg import GDLinearRegression
from sklearn_gdlinreg._base import threads
from sklearn_gdlinreg._problem import loss as oracle
from sklearn_gdlinreg._problem import reading
from sklearn_gdlinreg._problem.certificate import optimality
from sklearn_gdlinreg._problem.penalty import Penalty
from sklearn_gdlinreg._problem.quadratic import ByPasses
from sklearn_gdlinreg._problem.reading import read
from sklearn_gdlinreg._solvers import conjugate_directions


def standardised(X, Y, sample_weight=None, fit_intercept=True):
    """Return X~, Y~, the mean and the scale, weighted; by rows times the root weight."""
    s = np.ones(len(X)) if sample_weight is None else sample_weight
    mean = np.average(X, axis=0, weights=s) * fit_intercept
    scale = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=s))
    y_mean = np.average(Y, axis=0, weights=s) * fit_intercept
    root = np.sqrt(s / s.sum())[:, None]
    return root * (X - mean) / scale, root * (Y - y_mean), mean, scale, y_mean


def closed_form(X, Y, **options):
    """Return the least-squares W and b, smallest in standardised coordinates."""
    Z, Yc, mean, scale, y_mean = standardised(X, Y, **options)
    W = np.linalg.lstsq(Z, Yc, rcond=1e-13)[0] / scale[:, None]
    return W, y_mean - mean @ W


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("N", "M"), [(300, 12), (13, 12), (40, 200), (5, 60)])
def test_equals_closed_form(make_data, rng, N, M, weighted, fit_intercept):
    X, Y = make_data(N, M)
    weight = rng.uniform(0.5, 2, N) if weighted else None
    W, b = closed_form(X, Y, sample_weight=weight, fit_intercept=fit_intercept)
    model = GDLinearRegression(fit_intercept=fit_intercept, tol=1e-12).fit(X, Y, weight)
    scale = X.std(axis=0)
    np.testing.assert_allclose(model.coef_ * scale, W.T * scale, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(X @ model.coef_.T + model.intercept_, X @ W + b, atol=1e-7)
    assert model.stop_reason_ == "tol"


@pytest.mark.parametrize("decades", [1, 3])
def test_known_answer_from_chosen_singular_values(rng, decades):
    U = np.linalg.qr(rng.standard_normal((120, 20)) - 0.0)[0]
    U -= U.mean(axis=0)
    X = U @ np.diag(np.logspace(0, -decades, 20)) @ np.linalg.qr(rng.random((20, 20)))[0]
    W = rng.standard_normal((20, 2))
    model = GDLinearRegression().fit(X, X @ W + 3.0)
    np.testing.assert_allclose(model.coef_.T, W, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(model.intercept_, 3.0)


@pytest.mark.parametrize("alpha", [1e-6, 1e-2, 10.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("N", "M"), [(300, 12), (40, 200)])
def test_l2_penalty_equals_ridge(make_data, alpha, fit_intercept, N, M):
    X, Y = make_data(N, M, decades=1.0)
    model = GDLinearRegression(alpha=alpha, fit_intercept=fit_intercept, tol=1e-10)
    ridge = Ridge(alpha=N * alpha, fit_intercept=fit_intercept, solver="svd").fit(X, Y)
    model.fit(X, Y)
    np.testing.assert_allclose(model.coef_, ridge.coef_, rtol=1e-6, atol=1e-8)
    if fit_intercept:
        np.testing.assert_allclose(model.intercept_, ridge.intercept_, rtol=1e-6, atol=1e-8)


def test_outputs_at_once_equal_outputs_one_by_one(make_data):
    X, Y = make_data(D=4)
    Y[:, 2] = 7.0
    together = GDLinearRegression().fit(X, Y)
    for j in range(4):
        alone = GDLinearRegression().fit(X, Y[:, j])
        np.testing.assert_allclose(alone.coef_, together.coef_[j], rtol=1e-9, atol=1e-12)
        assert alone.intercept_ == pytest.approx(together.intercept_[j])


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_integer_weights_are_repeated_rows(make_data, rng, container):
    X, Y = make_data()
    weight = rng.integers(0, 4, len(X))
    weighted = GDLinearRegression().fit(container(X), Y, weight)
    rows = np.repeat(np.arange(len(X)), weight)
    repeated = GDLinearRegression().fit(container(X[rows]), Y[rows])
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(weighted.intercept_, repeated.intercept_, rtol=1e-9)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("N", [200, 9])
def test_repeated_features_share_their_coefficient(make_data, container, N):
    """Of many minimisers, the smallest in standardised coordinates; a constant says nothing."""
    X, Y = make_data(N, decades=1.0)
    A = np.hstack([X, 7 * X[:, :4], np.ones((N, 1))])
    W, b = closed_form(A[:, :-1], Y)
    model = GDLinearRegression().fit(container(A), Y)
    np.testing.assert_allclose(model.coef_[:, :-1].T, W, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(model.intercept_, b, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(model.coef_[:, -1], 0.0)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("learning_rate", ["auto", 1e-3])
def test_zero_weights_are_removed_rows(make_data, rng, container, learning_rate):
    X, Y = make_data(decades=1.0)
    weight = rng.uniform(0.5, 2, len(X)) * (rng.random(len(X)) < 0.6)
    kept = weight > 0
    X[~kept], Y[~kept] = 1e6, -1e6
    options = {"learning_rate": learning_rate, "alpha": 0.1}
    if learning_rate != "auto":
        options |= {"tol": 0, "max_iter": 20}
    weighted = GDLinearRegression(**options).fit(container(X), Y, weight)
    removed = GDLinearRegression(**options).fit(container(X[kept]), Y[kept], weight[kept])
    np.testing.assert_allclose(weighted.coef_, removed.coef_, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(weighted.intercept_, removed.intercept_, rtol=1e-8)


@pytest.mark.parametrize("factor", [1e-100, 1e-6, 3.0, 1e100])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_only_ratios_of_weights_matter(make_data, rng, container, factor):
    X, Y = make_data(decades=1.0)
    weight = rng.uniform(0.5, 2, len(X))
    plain = GDLinearRegression(alpha=0.1).fit(container(X), Y, weight)
    model = GDLinearRegression(alpha=0.1).fit(container(X), Y, weight * factor)
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-8, atol=1e-12)
    assert model.loss_curve_[-1] == pytest.approx(plain.loss_curve_[-1], rel=1e-10)


@pytest.mark.parametrize("factor", [1e-150, 1e-20, 1e3, 1e100])
def test_units_of_a_feature_change_nothing(make_data, factor):
    X, Y = make_data()
    scaled = X.copy()
    scaled[:, 3] *= factor
    plain, model = (GDLinearRegression().fit(A, Y) for A in (X, scaled))
    np.testing.assert_allclose(model.coef_[:, 3] * factor, plain.coef_[:, 3], rtol=1e-9)
    np.testing.assert_allclose(model.predict(scaled), plain.predict(X), rtol=1e-9)


@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_offset_costs_no_digits(make_data, offset):
    X, Y = make_data(decades=0.0, offset=0.0)
    X = np.round(X, 0) + np.round(X * 2**20) / 2**20  # the sum with the shift is exact
    shift = offset * np.arange(1, 9)
    plain, model = (GDLinearRegression().fit(A, Y) for A in (X, X + shift))
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-11)


@pytest.mark.parametrize("shape", [(200, 8), (40, 100)])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_units_of_all_features_change_nothing(make_data, rng, container, shape):
    X, Y = make_data(*shape, decades=0.0)
    unit = 10.0 ** rng.uniform(-100, 100, shape[1])
    plain, model = (GDLinearRegression().fit(container(A), Y) for A in (X, X * unit))
    spread = np.abs(plain.coef_).max()
    np.testing.assert_allclose(model.coef_ * unit, plain.coef_, atol=1e-6 * spread)
    np.testing.assert_allclose(model.predict(X * unit), plain.predict(X), atol=1e-6)


@pytest.mark.parametrize("offset", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("shape", [(200, 8), (60, 150)])
def test_sparse_with_an_offset_reaches_the_optimum(make_data, offset, shape):
    """As near as its certificate says; the intercept takes the offset in full."""
    X, Y = make_data(*shape, decades=0.0, offset=0.0)
    X += offset * np.linspace(0.5, 1, shape[1])
    dense = GDLinearRegression(alpha=0.01, tol=1e-12).fit(X, Y)
    model = GDLinearRegression(alpha=0.01).fit(sparse.csr_array(X), Y)
    Xc, Yc = X - X.mean(axis=0), Y - Y.mean(axis=0)
    excess = np.divide(
        *(oracle.loss(Xc, Yc, m.coef_.T, 0.0, alpha=0.01) for m in (model, dense))
    )
    scale = np.sqrt(X.var(axis=0) + 0.01)
    H = (Xc.T @ Xc / len(X) + 0.01 * np.eye(shape[1])) / np.outer(scale, scale)
    assert excess - 1 <= model.tol**2 / np.linalg.eigvalsh(H)[0] + 1e-12
    np.testing.assert_allclose((model.predict(X) - Y).mean(axis=0), 0.0, atol=1e-7)


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_units_of_y(make_data, scale):
    X, Y = make_data()
    plain = GDLinearRegression().fit(X, Y)
    with np.errstate(over="ignore", under="ignore"):
        model = GDLinearRegression().fit(X, Y * scale)
    np.testing.assert_allclose(model.coef_ / scale, plain.coef_, rtol=1e-9)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-6])
def test_optimality_is_what_it_says(make_data, alpha, tol):
    X, Y = make_data(600, 150)
    model = GDLinearRegression(alpha=alpha, tol=tol).fit(X, Y)
    mean, variance = X.mean(axis=0), X.var(axis=0)
    R = Y - Y.mean(axis=0) - (X - mean) @ model.coef_.T
    G = (X - mean).T @ R / len(X) - alpha * model.coef_.T
    losses = (R**2).mean(axis=0) + alpha * (model.coef_**2).sum(axis=1)
    expected = np.linalg.norm(G / np.sqrt(variance + alpha)[:, None], axis=0)
    assert model.optimality_ == pytest.approx((expected / np.sqrt(losses)).max(), rel=1e-3)
    assert model.optimality_ <= tol
    least = np.linalg.eigvalsh(np.corrcoef(X.T))[0]
    best = GDLinearRegression(alpha=alpha, tol=1e-13).fit(X, Y)
    excess = model.loss_curve_[-1] / best.loss_curve_[-1] - 1
    assert excess <= 3 * tol**2 / least


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("shape", [(300, 40), (60, 150)])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_optimality_short_of_the_optimum(
    make_data, rng, plain_steps, container, shape, fit_intercept
):
    """After a few steps, weighted, by either engine: it is that of the data and the answer."""
    X, Y = make_data(*shape, decades=1.0)
    weight = rng.uniform(0, 2, len(X))
    plain_steps()
    model = GDLinearRegression(max_iter=3, fit_intercept=fit_intercept)
    with pytest.warns(ConvergenceWarning, match=r"optimality .* is above tol"):
        model.fit(container(X), Y, weight)
    Z, yc, _, scale, _ = standardised(X, Y, weight, fit_intercept)
    residual = yc - Z @ (model.coef_.T * scale[:, None])
    expected = np.linalg.norm(Z.T @ residual, axis=0) / np.linalg.norm(residual, axis=0)
    left = np.linalg.norm(residual, axis=0) / np.linalg.norm(yc, axis=0)
    assert model.optimality_ == pytest.approx(np.minimum(expected, left).max(), rel=1e-8)
    loss = oracle.loss(X, Y, model.coef_.T, model.intercept_, weight)
    assert model.loss_curve_[-1] == pytest.approx(loss, rel=1e-8)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_loss_curve(make_data, container):
    X, Y = make_data(600, 60)
    model = GDLinearRegression(alpha=0.01).fit(container(X), Y)
    assert len(model.loss_curve_) == model.n_iter_ == model.t_
    assert all(np.diff(model.loss_curve_) <= 1e-12 * model.loss_curve_[0])
    loss = oracle.loss(X, Y, model.coef_.T, model.intercept_, alpha=0.01)
    assert model.loss_curve_[-1] == pytest.approx(loss, rel=1e-10)


@pytest.mark.parametrize("n_steps", [1, 2, 5])
def test_max_iter_warns_and_says_what_to_change(make_data, plain_steps, n_steps):
    plain_steps()
    X, Y = make_data(M=30)
    model = GDLinearRegression(max_iter=n_steps)
    with pytest.warns(ConvergenceWarning, match=rf"max_iter={n_steps}.*Increase max_iter") as w:
        model.fit(X, Y)
    assert w[0].filename == __file__
    assert model.n_iter_ == n_steps
    assert model.stop_reason_ == "max_iter"
    assert model.optimality_ > model.tol


def test_first_step_is_exact(make_data, plain_steps):
    """The first move is along the gradient, and no longer or shorter one is better."""
    X, Y = make_data()
    Z, Yc, *_ = standardised(X, Y)
    G = Z.T @ Yc
    step = (G * G).sum(axis=0) / ((Z @ G) ** 2).sum(axis=0)
    plain_steps()
    with pytest.warns(ConvergenceWarning):
        model = GDLinearRegression(max_iter=1).fit(X, Y)
    np.testing.assert_allclose(model.coef_.T * X.std(axis=0)[:, None], step * G, rtol=1e-10)
    np.testing.assert_allclose(model.learning_rate_, step / 2)


def test_first_step_in_the_metric_of_the_curvature(make_data):
    """There the loss is a sphere: the exact step has length 1, and is the last."""
    X, y = make_data(D=1)
    model = GDLinearRegression(max_iter=1).fit(X, y[:, 0])
    W, b = closed_form(X, y)
    np.testing.assert_allclose(model.coef_, W[:, 0], rtol=1e-9)
    assert model.intercept_ == pytest.approx(b[0])
    assert model.learning_rate_ == pytest.approx(0.5)
    assert model.stop_reason_ == "tol"


@pytest.mark.parametrize("plain", [False, True])
def test_warm_start_and_init(make_data, plain_steps, plain):
    X, Y = make_data(600, 100)
    if plain:
        plain_steps()
    model = GDLinearRegression(warm_start=True).fit(X, Y)
    n_cold = model.n_iter_
    assert model.fit(X, Y).n_iter_ == 0 < n_cold
    again = GDLinearRegression().fit(
        X, Y, coef_init=model.coef_, intercept_init=model.intercept_
    )
    assert again.n_iter_ == 0
    assert (n_cold > 3) == plain
    np.testing.assert_allclose(again.coef_, model.coef_, rtol=1e-9)
    far = GDLinearRegression().fit(X, Y, coef_init=1e3 * np.ones_like(model.coef_))
    np.testing.assert_allclose(far.predict(X), model.predict(X), atol=1e-4)


@pytest.mark.parametrize("seed", range(8))
def test_losses_fall_where_moments_lose_digits(seed):
    """What moments say of the loss is put right once the data say otherwise."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-9, -3, 82)
    X, y = x[:, None] ** np.arange(1, 9), np.cos(x) + 0.01 * rng.standard_normal(82)
    model = GDLinearRegression().fit(X, y)
    assert model.engine_ == "moments+passes"
    assert len(model.loss_curve_) == model.n_iter_
    assert all(np.diff(model.loss_curve_) <= 1e-8 * model.loss_curve_[-1])


def test_collinear_features_reach_the_optimum_by_passes(rng):
    """Powers of one variable: moments lose every digit of the smallest direction."""
    x = rng.uniform(-9, -3, 82)
    X = x[:, None] ** np.arange(1, 9)
    y = np.cos(x) + 0.01 * rng.standard_normal(82)
    model = GDLinearRegression().fit(X, y)
    Z, yc, *_ = standardised(X, y[:, None])
    best = ((yc - Z @ np.linalg.lstsq(Z, yc, rcond=0)[0]) ** 2).sum()
    assert model.engine_ == "moments+passes"
    assert model.loss_curve_[-1] <= best * (1 + 1e-6)
    assert len(model.loss_curve_) == model.n_iter_
    # Before 1.9 the peer drops no direction, and is level but for rounding.
    assert LinearRegression().fit(X, y).score(X, y) < model.score(X, y) + 1e-12


def test_cheaper_engine_runs(make_data, plain_steps):
    assert GDLinearRegression().fit(*make_data(500, 10)).engine_ == "moments"
    assert GDLinearRegression().fit(*make_data(30, 400)).engine_ == "dual"
    wide = sparse.random(300, 5000, density=0.01, format="csr", random_state=0)
    model = GDLinearRegression(alpha=1e-3).fit(wide, np.arange(300.0))
    assert model.engine_ == "passes"
    plain_steps()
    assert GDLinearRegression().fit(*make_data(30, 400)).engine_ == "passes"


@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("alpha", [0.3, [0.3, 0.0, 1.2]])
def test_moments_and_passes_agree(make_data, rng, container, raw, fit_intercept, alpha):
    X, Y = make_data(decades=1.0)
    group = read(
        container(X), Y, rng.uniform(0, 2, len(X)),
        penalty=Penalty.of(alpha, 0.0, False, 3), fit_intercept=fit_intercept, raw=raw,
        n_steps=10**6,
    )  # fmt: skip
    coordinates, moments, passes = group.coordinates, group.moments, group.passes
    precise = ByPasses(passes.rows, coordinates, precise=True)
    V = rng.standard_normal((8, 3))
    for other in (passes, precise):
        for ask in ("gradient", "curvature"):
            for mine, theirs in zip(
                getattr(moments, ask)(V), getattr(other, ask)(V), strict=True
            ):
                np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-11)
    G, losses = passes.gradient(V)
    assert (optimality(V, G, losses, coordinates) > 0).all()


def test_many_threads_agree_with_one(make_data, monkeypatch):
    X, Y = make_data(4000, 40)
    models = []
    for n_threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", n_threads)
        monkeypatch.setattr(threads, "WORK_OF_A_THREAD", 1000)
        models.append(GDLinearRegression().fit(X, Y))
    np.testing.assert_allclose(models[0].coef_, models[1].coef_, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"alpha": 1.0, "l1_ratio": 0.5}, {"alpha": 1.0, "positive": True}],
    ids=["smooth", "elastic-net", "positive"],
)
@pytest.mark.parametrize(
    ("shape", "engine"),
    [((300, 60), "moments"), ((60, 900), "passes")],
    ids=["moments", "passes"],
)
def test_long_descents_keep_only_the_last_move(
    make_data, monkeypatch, plain_steps, shape, engine, options
):
    """With room for no more; by either supplier, in as many iterations but for rounding."""
    # Planted: 0.9 of the component along the last move is taken off, or forget does nothing.
    X, Y = make_data(*shape, decades=1.0)
    plain_steps()
    options = {"max_iter": 20_000, "tol": 1e-8, **options}
    kept = GDLinearRegression(**options).fit(X, Y)
    met, direction = [], conjugate_directions.LastDirection.direction

    def watched(move, *args, **kwargs):
        met.append(move)
        return direction(move, *args, **kwargs)

    monkeypatch.setattr(conjugate_directions.LastDirection, "direction", watched)
    monkeypatch.setattr(conjugate_directions, "KEPT_ITEMS", 0)
    model = GDLinearRegression(**options).fit(X, Y)
    assert len(met) > 10
    assert model.engine_.startswith(engine)
    assert model.n_iter_ < 2 * kept.n_iter_ + 10
    assert model.optimality_ <= model.tol
    scale = X.std(axis=0)
    np.testing.assert_allclose(model.coef_ * scale, kept.coef_ * scale, rtol=1e-4, atol=1e-4)


def test_what_is_within_tol_is_not_short_of_it():
    X, y = make_classification(n_samples=30, n_features=10, random_state=42)
    # Two features are sums of others, to the rounding of float32.
    model = GDLinearRegression(tol=1e-8).fit(X.astype(np.float32).astype(float), y)
    assert model.optimality_ <= 1e-8
    assert model.stop_reason_ == "tol"


def correlated(rng, n_rows, n_features):
    """Return features that are each correlated with the one before."""
    X = rng.standard_normal((n_rows, n_features))
    for j in range(1, n_features):
        X[:, j] += 2.0 * X[:, j - 1] / 3.0
    return X * np.geomspace(1e-3, 1e3, n_features) + 10.0


@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_one_step_in_the_metric_of_the_curvature(rng, container, dtype, weighted, alpha):
    X = correlated(rng, 800, 150).astype(dtype)
    Y = (X / X.std(axis=0) @ rng.standard_normal((150, 2))).astype(dtype)
    Y += rng.standard_normal(Y.shape).astype(dtype)
    weight = rng.uniform(0.5, 2.0, 800) if weighted else None
    model = GDLinearRegression(alpha=alpha).fit(container(X), Y, weight)
    assert model.n_iter_ <= 3
    assert model.engine_ == "moments"
    s = np.ones(800) if weight is None else weight
    X, Y = X.astype(float), Y.astype(float)
    Xc, Yc = X - s @ X / s.sum(), Y - s @ Y / s.sum()
    H = Xc.T @ (s[:, None] * Xc) / s.sum() + alpha * np.eye(150)
    unit = np.sqrt(np.diag(H))
    scaled = np.linalg.solve(
        H / np.outer(unit, unit), Xc.T @ (s[:, None] * Yc) / s.sum() / unit[:, None]
    )
    # Sparse moments of features far off zero lose digits; what is left is within tol.
    sparse_or_float32 = container is sparse.csr_array or dtype == np.float32
    rtol = 1e-4 if sparse_or_float32 else 1e-9
    np.testing.assert_allclose(model.coef_.T * unit[:, None], scaled, rtol=rtol, atol=rtol)


def test_who_looks_at_the_way_is_shown_one(rng, make_data):
    X, Y = correlated(rng, 800, 150), rng.standard_normal((800, 2))
    plain = GDLinearRegression(early_stopping=True, n_iter_no_change=50, random_state=0)
    assert plain.fit(X, Y).n_iter_ > 3


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_each_output_has_the_metric_of_its_own_penalty(rng, monkeypatch, dtype):
    X, Y = correlated(rng, 800, 150).astype(dtype), rng.standard_normal((800, 2)).astype(dtype)
    model = GDLinearRegression(alpha=[0.1, 0.2]).fit(X, Y)
    assert model.n_iter_ <= 3
    for d, alpha in enumerate((0.1, 0.2)):
        alone = GDLinearRegression(alpha=alpha).fit(X, Y[:, d])
        size = np.abs(alone.coef_ * X.std(axis=0)).max()
        error = (model.coef_[d] - alone.coef_) * X.std(axis=0)
        assert np.abs(error).max() <= (1e-8 if dtype == np.float64 else 1e-4) * size
    # No memory for their factors.
    monkeypatch.setattr(reading, "ITEMS_OF_FACTORS", 2 * 150**2 - 1)
    plain = GDLinearRegression(alpha=[0.1, 0.2]).fit(X, Y)
    assert plain.n_iter_ > 3
    np.testing.assert_allclose(plain.predict(X), model.predict(X), atol=1e-3)


@pytest.mark.parametrize(("n_rows", "repeated"), [(400, 0), (400, 30), (120, 0), (120, 30)])
def test_the_smallest_answer_where_there_are_many(rng, n_rows, repeated):
    X = correlated(rng, n_rows, 150)
    X = np.append(X, X[:, :repeated], axis=1)
    Y = rng.standard_normal((n_rows, 2))
    Z, yc, _, scale, _ = standardised(X, Y)
    model = GDLinearRegression(tol=1e-10).fit(X, Y)
    assert model.n_iter_ <= 10
    assert model.engine_ == ("dual" if n_rows < 150 else "moments")
    expected = np.linalg.pinv(Z, rcond=1e-8) @ yc
    rtol = 1e-8 * np.abs(expected).max()
    np.testing.assert_allclose(model.coef_.T * scale[:, None], expected, atol=rtol)


@pytest.mark.parametrize("apart", [1e-2, 1e-3, 1e-5])
def test_nearly_repeated_features(rng, apart):
    X = correlated(rng, 600, 150)
    X = np.append(
        X, X[:, :20] + apart * X[:, :20].std(axis=0) * rng.standard_normal((600, 20)), axis=1
    )
    Y = X[:, :2] / X[:, :2].std(axis=0) + rng.standard_normal((600, 2))
    model = GDLinearRegression().fit(X, Y)
    assert model.stop_reason_ == "tol"
    Z, yc, *_ = standardised(X, Y)
    best = ((yc - Z @ np.linalg.lstsq(Z, yc, rcond=None)[0]) ** 2).sum(axis=0)
    error = ((Y - model.predict(X)) ** 2).mean(axis=0)
    # `lstsq` itself loses digits where they are closest.
    np.testing.assert_allclose(error, best, rtol=1e-8 if apart == 1e-5 else 1e-10)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_rounding_along_directions_without_curvature_makes_no_moves(container, seed):
    """Repeated features in units of their own; sparse ones are centred by algebra."""
    rng = np.random.default_rng(seed)
    X = correlated(rng, 600, 150)
    X = np.append(X, X[:, :30] * 10.0 ** rng.integers(-6, 7, 30), axis=1)
    Y = rng.standard_normal((600, 2))
    weight = rng.uniform(0.0, 2.0, 600)
    model = GDLinearRegression(tol=1e-10).fit(container(X), Y, weight)
    assert model.stop_reason_ == "tol"
    assert model.n_iter_ <= 20
    residual = Y - model.predict(X)
    mean = weight @ X / weight.sum()
    Z = (X - mean) / np.sqrt(weight @ (X - mean) ** 2 / weight.sum())
    correlation = Z.T @ (weight[:, None] * residual) / weight.sum()
    assert np.linalg.norm(correlation, axis=0).max() < 1e-9


# In the metric of a factor, whatever the container -------------------------------------------


def fitted(container, X, Y, weight=None, **options):
    """Return the estimator, its arrays those of NumPy."""
    model = GDLinearRegression(**options)
    if container not in (in_strict, in_torch):
        return model.fit(container(X), Y, weight)
    weight = None if weight is None else container(weight)
    with dispatch():
        model.fit(container(X), container(Y), weight)
    model.coef_, model.intercept_ = np.asarray(model.coef_), np.asarray(model.intercept_)
    return model


def solution(X, Y, weight, fit_intercept, alpha):
    """Return W: the ridge of an alpha, or the smallest without one, by an SVD, and the scale."""
    Z, Yc, _, scale, _ = standardised(X, Y, weight, fit_intercept)
    unit = np.sqrt(scale**2 + alpha)
    A = Z * scale / unit
    if alpha == 0.0:
        return np.linalg.pinv(A, rcond=1e-8) @ Yc / unit[:, None], unit
    # Rows of the penalty, whose targets are zero.
    A = np.vstack([A, np.diag(np.sqrt(alpha) / unit)])
    Yc = np.vstack([Yc, np.zeros((len(unit), Yc.shape[1]))])
    return np.linalg.lstsq(A, Yc, rcond=None)[0] / unit[:, None], unit


def assert_optimal(model, X, Y, weight, fit_intercept, alpha, rtol):
    """Assert the answer, and that the certificate is what the answer says."""
    X, Y = X.astype(float), Y.astype(float)
    W, unit = solution(X, Y, weight, fit_intercept, alpha)
    found = model.coef_.T.astype(float)
    error = np.abs((found - W) * unit[:, None]).max()
    assert error <= rtol * np.abs(W * unit[:, None]).max()
    s = np.ones(len(X)) if weight is None else weight
    s = s / s.sum()
    Xc, Yc = X - s @ X * fit_intercept, Y - s @ Y * fit_intercept
    R = Yc - Xc @ found
    G = (Xc.T @ (s[:, None] * R) - alpha * found) / unit[:, None]
    losses = s @ R**2 + alpha * (found**2).sum(axis=0)
    # Where nothing is left to fit, there is nothing to say.
    optimality = np.linalg.norm(G, axis=0) / np.sqrt(np.maximum(losses, 1e-300))
    left = np.sqrt(losses / (s @ Yc**2))
    optimality = np.minimum(optimality, left).max()
    assert model.optimality_ == pytest.approx(optimality, rel=1e-3, abs=1e-9)


@in_each_library
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 1e-2, 1.0])
@pytest.mark.parametrize("shape", [(1, 2), (20, 20), (20, 90), (40, 300)])
def test_wide_data(make_data, rng, container, dtype, weighted, fit_intercept, alpha, shape):
    X, Y = (A.astype(dtype) for A in make_data(*shape, 2, decades=0.5, offset=1.0))
    weight = rng.uniform(0.5, 2.0, len(X)) if weighted else None
    options = {"alpha": alpha, "fit_intercept": fit_intercept}
    if shape[0] == 1 and fit_intercept:
        model = fitted(container, X, Y, weight, **options)
        np.testing.assert_array_equal(model.coef_, 0.0)
        np.testing.assert_allclose(model.intercept_, Y[0], rtol=1e-6)
        return
    tol = 1e-9 if dtype == np.float64 else 1e-6
    model = fitted(container, X, Y, weight, tol=tol, **options)
    assert model.engine_ == "dual"
    assert model.n_iter_ <= 5
    # Without a penalty all is fitted, and float32 holds what is left of the loss no longer.
    if alpha or dtype == np.float64:
        rtol = 1e-6 if dtype == np.float64 else 1e-3
        assert_optimal(model, X, Y, weight, fit_intercept, alpha, rtol)
    else:
        np.testing.assert_allclose(X @ model.coef_.T + model.intercept_, Y, atol=1e-3)


@pytest.mark.parametrize("alpha", [1e-7, 1e-5, 1e-3])
def test_wide_data_whose_penalty_is_below_what_a_factor_holds(make_data, alpha):
    """A few more steps make up for the entries that are raised, or for none."""
    X, Y = make_data(70, 700, 2, decades=0.5, offset=1.0)
    model = GDLinearRegression(alpha=alpha, tol=1e-8).fit(X, Y)
    assert model.stop_reason_ == "tol"
    assert model.engine_ == "dual"
    assert model.n_iter_ <= 20
    assert_optimal(model, X, Y, None, True, alpha, 1e-3)


@in_each_library
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("repeated", ["rows", "features", "both"])
def test_wide_data_that_repeat_themselves(make_data, container, alpha, repeated):
    X, Y = make_data(30, 80, 3, decades=0.5, offset=1.0)
    if repeated != "rows":
        X[:, 60:] = 3.0 * X[:, :20]
    if repeated != "features":
        # What is said twice of a row need not agree.
        X[20:] = X[:10]
    model = fitted(container, X, Y, alpha=alpha, tol=1e-9)
    assert model.engine_ == "dual"
    assert model.n_iter_ <= 6
    assert model.stop_reason_ == "tol"
    assert_optimal(model, X, Y, None, True, alpha, 1e-7)


@in_each_library
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("M", [1, 2, 5, 40, 150])
def test_one_step_whatever_the_number_of_features(make_data, rng, container, dtype, alpha, M):
    X, Y = (A.astype(dtype) for A in make_data(600, M, 2, decades=1.0))
    weight = rng.uniform(0.5, 2.0, 600)
    for s in (None, weight):
        tol = 1e-9 if dtype == np.float64 else 1e-4
        model = fitted(container, X, Y, s, alpha=alpha, tol=tol)
        assert model.engine_ == "moments"
        assert model.n_iter_ <= 3
        assert_optimal(model, X, Y, s, True, alpha, 1e-8 if dtype == np.float64 else 1e-3)
