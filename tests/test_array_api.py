"""Arrays of other libraries than NumPy, by scikit-learn's array_api_dispatch."""

import itertools
import warnings

import numpy as np
import pytest
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

from sklearn_gdlinreg import GDLinearRegression, GDLinearRegressionCV, _fit
from sklearn_gdlinreg._base import arrays
from sklearn_gdlinreg._base.compat import ARRAY_API
from sklearn_gdlinreg._rows import array as array_rows

strict = pytest.importorskip("array_api_strict")
try:
    import torch
except ImportError:
    torch = None


class Library:
    """An array library, a device and a type of float.

    Where ``away``, the device stands for one whose memory is not that of the host.
    """

    def __init__(self, xp, device, dtype, *, away=False):
        self.xp, self.device, self.dtype, self.away = xp, device, dtype, away

    def __call__(self, A):
        """Return an ndarray as an array of this kind."""
        if A is None:
            return None
        return self.xp.asarray(A.astype(self.dtype), device=self.device)

    def __repr__(self):
        name = "array_api_strict" if self.xp is strict else "torch"
        return f"{name}-{self.device}-{self.dtype}" + "-away" * self.away

    def owns(self, A):
        """Whether an array is of this library, on this device, of this type."""
        place = A.device if self.xp is strict else A.device.type
        return place == self.device and A.dtype == getattr(self.xp, self.dtype)

    def fit(self, model, X, y, sample_weight=None, method="fit"):
        """Return the model fitted to ndarrays as arrays of this kind, whatever it warns of."""
        with config_context(array_api_dispatch=True), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return getattr(model, method)(self(X), self(y), self(sample_weight))


def is_host(A):
    return isinstance(A, np.ndarray | np.generic)


def as_tensor(A):
    return torch.asarray(A)


needs_dispatch = pytest.mark.skipif(not ARRAY_API, reason="needs scikit-learn 1.9")
needs_torch = pytest.mark.skipif(
    torch is None, reason="needs PyTorch, which the extra test-all installs"
)
STRICT = [
    Library(strict, strict.Device("CPU_DEVICE"), "float64"),
    Library(strict, strict.Device("device1"), "float64", away=True),
    Library(strict, strict.Device("device1"), "float32", away=True),
]
TORCH = [
    Library(torch, "cpu", dtype, away=away)
    for away in (False, True)
    for dtype in ("float64", "float32")
]
slow = pytest.mark.slow
# Those of PyTorch are skipped without it. One that follows the standard to the letter is enough
# for a quick look.
LIBRARIES = [
    *STRICT[:2],
    pytest.param(STRICT[2], marks=slow),
    *(pytest.param(library, marks=[needs_torch, slow]) for library in TORCH),
]
FLOAT64 = [*LIBRARIES[:2], *LIBRARIES[3::2]]
FLOAT32 = LIBRARIES[2::2]
each_library = pytest.mark.parametrize("library", LIBRARIES, ids=repr)
tensors = pytest.param(as_tensor, marks=needs_torch)

FACTOR = [0.0, 2.0, 1.0, 0.5, 1.0, 3.0, 0.0]
SIGNS = [True, False, False, True, False, True, False]
FULL = [
    {},
    {"alpha": 0.1},
    {"alpha": [0.1, 0.2, 0.3]},
    {"fit_intercept": False},
    {"alpha": 0.05, "l1_ratio": 0.5},
    {"positive": True},
    {"alpha": 0.1, "penalty_factor": FACTOR},
    {"alpha": 0.05, "l1_ratio": 0.5, "penalty_factor": FACTOR, "positive": SIGNS},
    {"learning_rate": 1e-7, "max_iter": 30, "tol": 0},
    {"learning_rate": 1e-7, "max_iter": 30, "tol": 0, "alpha": 0.1, "l1_ratio": 0.3},
    {"early_stopping": True},
]
BATCHES = [
    {"batch_size": 32, "max_iter": 20},
    {"batch_size": 32, "max_iter": 20, "shuffle": False, "fit_intercept": False, "alpha": 0.1},
    {"batch_size": 32, "max_iter": 20, "alpha": 0.05, "l1_ratio": 0.5},
    {"batch_size": 10, "max_iter": 20, "positive": True, "average": False},
    {"batch_size": 32, "max_iter": 20, "alpha": 0.05, "l1_ratio": 0.5}
    | {"penalty_factor": FACTOR, "positive": SIGNS},
    {"batch_size": 10, "learning_rate": 1e-7, "alpha": 0.1, "l1_ratio": 0.3, "max_iter": 5}
    | {"penalty_factor": FACTOR, "positive": SIGNS},
    {"batch_size": 10, "learning_rate": 1e-7, "max_iter": 5, "tol": 0},
    {"batch_size": 10, "learning_rate": 1e-7, "momentum": 0.5, "max_iter": 5, "tol": 0},
    {"batch_size": 9, "learning_rate": 1e-7, "momentum": 0.5, "nesterov": True, "max_iter": 5},
    {"batch_size": 10, "learning_rate": 1e-7, "alpha": 0.1, "l1_ratio": 0.3, "max_iter": 5},
    {"batch_size": 32, "early_stopping": True, "schedule": "adaptive", "learning_rate": 1e-7}
    | {"max_iter": 10},
]
TARGETS = [pytest.param("vector", marks=slow), "weighted", pytest.param("masked", marks=slow)]


@pytest.fixture(autouse=True)
def memory_of_devices(request, monkeypatch):
    """Let a library that is away be read where it is, though its memory is that of the host."""
    library = (
        request.node.callspec.params.get("library")
        if hasattr(request.node, "callspec")
        else None
    )
    if library is not None and library.away:
        monkeypatch.setattr(arrays, "on_host", lambda A: False)


@pytest.fixture
def problem(make_data, rng):
    """Return a maker of X, y and sample_weight, and of what goes with them."""

    def make(targets):
        X, Y = make_data(300, 7, 3)
        sample_weight = rng.integers(0, 3, 300).astype(float)
        if targets == "vector":
            return X, Y[:, 0], None
        if targets == "masked":
            Y[:30, 1] = Y[rng.uniform(size=Y.shape) < 0.05] = np.nan
        return X, Y, sample_weight

    return make


def to_numpy(A):
    return np.asarray(arrays.to_host(A))


def assert_same(library, model, expected):
    """Assert the same model, to what the type of float holds."""
    rtol = 1e-8 if library.dtype == "float64" else 1e-4
    scale = np.abs(expected.coef_).max(axis=-1, keepdims=True)
    assert np.abs(to_numpy(model.coef_) - expected.coef_).max() <= rtol * scale.max()
    np.testing.assert_allclose(
        to_numpy(model.intercept_), expected.intercept_, rtol=100 * rtol, atol=100 * rtol
    )
    by_sets = (expected.alpha and expected.l1_ratio) or expected.positive
    if library.dtype == "float64" and (not by_sets or expected.batch_size):
        # In float32 another order of sums may need a pass, or a step, more or less; working sets
        # are for arrays in the memory of the host.
        assert model.engine_ == expected.engine_
        assert abs(model.n_iter_ - expected.n_iter_) <= 1 + 0.1 * expected.n_iter_
    assert model.n_features_in_ == expected.n_features_in_


@needs_dispatch
@each_library
@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize("parameters", FULL + BATCHES, ids=str)
def test_the_same_answer(library, targets, parameters, problem):
    X, y, sample_weight = problem(targets)
    if y.ndim == 1 and np.ndim(parameters.get("alpha", 0.0)):
        parameters = {"alpha": 0.1}
    parameters = {"random_state": 0, **parameters}
    if targets == "masked":
        parameters["missing_targets"] = "ignore"
    expected = GDLinearRegression(**parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        expected.fit(X.astype(library.dtype), y.astype(library.dtype), sample_weight)
    model = library.fit(GDLinearRegression(**parameters), X, y, sample_weight)
    assert_same(library, model, expected)


@needs_dispatch
@each_library
@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"shuffle": False},
        {"fit_intercept": False},
        {"alpha": 0.05, "l1_ratio": 0.5},
        {"learning_rate": 1e-7, "momentum": 0.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("batch_size", [None, 64])
def test_the_same_stream(library, targets, parameters, batch_size, problem):
    X, y, sample_weight = problem(targets)
    parameters = {"random_state": 0, "batch_size": batch_size, **parameters}
    if targets == "masked":
        parameters["missing_targets"] = "ignore"
    model, expected = GDLinearRegression(**parameters), GDLinearRegression(**parameters)
    for rows in (slice(0, 100), slice(100, 300)):
        part = X[rows], y[rows], None if sample_weight is None else sample_weight[rows]
        library.fit(model, *part, method="partial_fit")
        expected.partial_fit(*(None if A is None else A.astype(library.dtype) for A in part))
    assert_same(library, model, expected)
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-3)


@needs_dispatch
@each_library
@pytest.mark.parametrize("batch_size", [None, 32])
@pytest.mark.parametrize("targets", ["vector", "weighted"])
def test_all_that_is_fitted_is_where_x_is(library, batch_size, targets, problem):
    X, y, sample_weight = problem(targets)
    model = GDLinearRegression(batch_size=batch_size, random_state=0)
    library.fit(model, X, y, sample_weight)
    with config_context(array_api_dispatch=True):
        prediction, score = model.predict(library(X)), model.score(library(X), library(y))
    for array in (model.coef_, model.intercept_, prediction):
        assert library.owns(array)
    assert model.coef_.shape == (7,) if y.ndim == 1 else (3, 7)
    assert prediction.shape == y.shape
    assert type(score) is float
    assert score > 0.5
    for name in ("optimality_", "n_iter_", "loss_curve_"):
        value = getattr(model, name)
        assert type(value[0] if isinstance(value, list) else value) in (int, float)
    if y.ndim == 1:
        assert type(model.learning_rate_) is float


@needs_dispatch
@each_library
def test_score_counts_what_is_observed(library, problem):
    X, y, sample_weight = problem("masked")
    model = library.fit(GDLinearRegression(missing_targets="ignore"), X, y)
    expected = GDLinearRegression(missing_targets="ignore").fit(X, y).score(X, y, sample_weight)
    with config_context(array_api_dispatch=True):
        for target in (library(y), y):
            score = model.score(library(X), target, library(sample_weight))
            assert score == pytest.approx(expected, rel=1e-5)


@needs_dispatch
@each_library
@pytest.mark.parametrize("other", [np.asarray, tensors, strict.asarray, list])
def test_targets_and_weights_follow(library, other, problem):
    X, y, sample_weight = problem("weighted")
    expected = library.fit(GDLinearRegression(), X, y, sample_weight)
    with config_context(array_api_dispatch=True):
        model = GDLinearRegression().fit(library(X), other(y), other(sample_weight))
    assert library.owns(model.coef_)
    np.testing.assert_allclose(to_numpy(model.coef_), to_numpy(expected.coef_), rtol=1e-3)


@needs_dispatch
@pytest.mark.parametrize("other", [tensors, strict.asarray])
def test_targets_follow_numpy_and_sparse_features(other, problem):
    sparse = pytest.importorskip("scipy.sparse")
    X, y, sample_weight = problem("weighted")
    expected = GDLinearRegression().fit(X, y, sample_weight)
    with config_context(array_api_dispatch=True):
        for features in (X, sparse.csr_array(X), X.tolist()):
            model = GDLinearRegression().fit(features, other(y), other(sample_weight))
            assert is_host(model.coef_)
            np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)


@needs_dispatch
@each_library
def test_other_libraries_are_told(library, problem):
    X, y, _ = problem("vector")
    model = library.fit(GDLinearRegression(warm_start=True), X, y)
    before = dict(vars(model))
    # Of another library; without PyTorch, on another device of the same.
    other = next(x for x in [*TORCH[: torch is not None], *STRICT] if x.device != library.device)
    with config_context(array_api_dispatch=True):
        for call in (
            lambda: model.predict(other(X)),
            lambda: model.predict(X),
            lambda: model.partial_fit(other(X), other(y)),
            lambda: model.fit(other(X), other(y)),
        ):
            with pytest.raises(ValueError, match="must use the same namespace and the same"):
                call()
    with pytest.raises(ValueError, match="Set array_api_dispatch=True"):
        model.predict(X)
    with pytest.raises(ValueError, match="Set array_api_dispatch=True"):
        model.partial_fit(X, y)
    assert vars(model) == before


@pytest.mark.slow
@needs_dispatch
@each_library
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("options", [{"alpha": 0.1}, {"alpha": 1e-3, "positive": True}])
def test_rare_features_are_penalised_alike(library, method, options, rng):
    X = np.eye(40)[rng.integers(0, 40, 800)]
    Y = X @ rng.standard_normal((40, 2)) + 0.3 * rng.standard_normal((800, 2))
    options = {"batch_size": 4, "max_iter": 3, "tol": 0, "random_state": 0, **options}
    model, expected = GDLinearRegression(**options), GDLinearRegression(**options)
    library.fit(model, X, Y, method=method)
    getattr(expected, method)(X.astype(library.dtype), Y.astype(library.dtype))
    tolerance = 1e-10 if library.dtype == "float64" else 1e-5
    np.testing.assert_allclose(arrays.to_host(model.coef_), expected.coef_, atol=tolerance)


@needs_dispatch
@each_library
def test_a_moved_model_predicts_but_its_stream_stays_on_a_device(library, problem):
    X, y, _ = problem("vector")
    model = library.fit(GDLinearRegression(batch_size=64), X, y, method="partial_fit")
    model.coef_, model.intercept_ = to_numpy(model.coef_), to_numpy(model.intercept_)
    assert is_host(model.predict(X))
    before = dict(vars(model))
    if not library.away:
        X, y = X.astype(library.dtype), y.astype(library.dtype)
        assert is_host(model.partial_fit(X, y).coef_)
        return
    with pytest.raises(ValueError, match="partial_fit needs arrays with the library and"):
        model.partial_fit(X, y)
    assert vars(model) == before


@needs_dispatch
@each_library
def test_a_moved_model_goes_on_exactly_where_it_is(library, problem):
    X, y, _ = problem("vector")
    X, y = X.astype(library.dtype), y.astype(library.dtype)
    model = library.fit(GDLinearRegression(), X[:100], y[:100], method="partial_fit")
    expected = library.fit(GDLinearRegression(), X, y)
    model.coef_, model.intercept_ = to_numpy(model.coef_), to_numpy(model.intercept_)
    model.partial_fit(X[100:], y[100:])
    assert is_host(model.coef_)
    np.testing.assert_allclose(model.coef_, to_numpy(expected.coef_), rtol=1e-3)


@needs_dispatch
@each_library
@pytest.mark.parametrize("fresh", [False, True])
def test_models_of_one_library_merge(library, fresh, problem):
    X, y, _ = problem("vector")
    parts = [
        library.fit(GDLinearRegression(), X[rows], y[rows], method=method)
        for rows, method in ((slice(0, 100), "fit"), (slice(100, 300), "partial_fit"))
    ]
    parts = [GDLinearRegression(), *parts] if fresh else parts
    expected = library.fit(GDLinearRegression(), X, y)
    model = parts[0].merge(*parts[1:])
    assert library.owns(model.coef_)
    np.testing.assert_allclose(to_numpy(model.coef_), to_numpy(expected.coef_), rtol=1e-3)


@needs_dispatch
@each_library
def test_validation_rows_are_where_x_is(library, problem):
    X, y, _ = problem("vector")
    model = GDLinearRegression(early_stopping=True)
    with config_context(array_api_dispatch=True):
        model.fit(library(X), library(y), X_val=library(X), y_val=y)
        assert library.owns(model.coef_)
        with pytest.raises(ValueError, match="X_val and y_val must have the array library"):
            model.fit(library(X), library(y), X_val=X, y_val=y)


@needs_dispatch
@each_library
def test_a_start_is_taken_from_any_library(library, problem):
    X, y, _ = problem("weighted")
    first = library.fit(GDLinearRegression(), X, y)
    with config_context(array_api_dispatch=True):
        for coef in (first.coef_, to_numpy(first.coef_)):
            model = GDLinearRegression(tol=1e-4).fit(library(X), library(y), coef_init=coef)
            assert model.n_iter_ < first.n_iter_


@needs_dispatch
@pytest.mark.parametrize("name", ["X", "y", "weights"])
@each_library
def test_bad_input_is_told(library, name, problem):
    X, y, sample_weight = problem("weighted")
    match = {"X": "X contains NaN", "y": "y contains infinity", "weights": "Negative values"}
    if name == "X":
        X[250, 3] = np.nan
    elif name == "y":
        y[250, 1] = np.inf
    else:
        sample_weight[7] = -1.0
    for method, parameters in itertools.product(
        ("fit", "partial_fit"), ({}, {"batch_size": 32})
    ):
        model = GDLinearRegression(**parameters)
        with pytest.raises(ValueError, match=match[name]):
            library.fit(model, X, y, sample_weight, method=method)
        assert not hasattr(model, "coef_")


@pytest.mark.slow
@needs_dispatch
@pytest.mark.parametrize("way", ["plain", "metric", "proximal"])
@pytest.mark.parametrize("shape", [(300, 20), (30, 60)])
def test_only_numbers_leave_the_device(monkeypatch, make_data, plain_steps, way, shape):
    """But for what meets a factor, which is kept on the host: (M, D) or (N, D) a step."""
    sizes, descending = [], []
    parameters = {"alpha": 0.01, "l1_ratio": 0.5} if way == "proximal" else {}
    if way == "plain":
        plain_steps()
    side_by_side, move_to = _fit.side_by_side, arrays.move_to

    def watched_steps(*arguments):
        descending.append(True)
        result = yield from side_by_side(*arguments)
        descending.clear()
        return result

    def watched_move(A, **options):
        if descending:
            sizes.append(A.size)
        return move_to(A, **options)

    monkeypatch.setattr(_fit, "side_by_side", watched_steps)
    monkeypatch.setattr(arrays, "move_to", watched_move)
    # Nothing else leaves this device: whatever tries to is an error of its library.
    library = STRICT[2]
    model = library.fit(GDLinearRegression(**parameters), *make_data(*shape, 2))
    met = [size for size in sizes if size > 3]
    assert len(sizes) - len(met) <= 3 * model.n_iter_ + 3
    if way == "metric":
        # There are two outputs.
        assert set(met) == {2 * min(shape)}
        assert len(met) <= model.n_iter_ + 1
    else:
        assert not met


@needs_dispatch
@pytest.mark.parametrize("library", FLOAT32, ids=repr)
@pytest.mark.parametrize("n_features", [20, 3000])
def test_float32_holds_five_digits(library, make_data, n_features):
    X, Y = make_data(10_000 if n_features == 20 else 200, n_features, 2, offset=50.0)
    X, Y = X.astype(np.float32), Y.astype(np.float32)
    expected = GDLinearRegression(tol=1e-9).fit(X.astype(float), Y.astype(float))
    model = library.fit(GDLinearRegression(tol=1e-9), X, Y)
    spread = X.std(axis=0, dtype=float)
    error = (to_numpy(model.coef_) - expected.coef_) * spread
    assert np.abs(error).max() <= 1e-5 * np.abs(expected.coef_ * spread).max()


@needs_dispatch
@each_library
def test_blocks_of_rows_add_up(library, monkeypatch, make_data, rng):
    X, Y = make_data(1000, 5, 2)
    sample_weight = rng.uniform(size=1000)
    monkeypatch.setattr(array_rows, "BLOCK_ITEMS", 300)
    for parameters in ({}, {"batch_size": 50, "random_state": 0}):
        expected = GDLinearRegression(**parameters).fit(
            X.astype(library.dtype), Y.astype(library.dtype), sample_weight
        )
        model = library.fit(GDLinearRegression(**parameters), X, Y, sample_weight)
        assert_same(library, model, expected)


@needs_dispatch
@needs_torch
def test_tensors_that_record_derivatives(problem):
    X, y, sample_weight = problem("weighted")
    X, y, sample_weight = (
        torch.asarray(A).requires_grad_() * 1.0 for A in (X, y, sample_weight)
    )
    with config_context(array_api_dispatch=True):
        model = GDLinearRegression().fit(X, y, sample_weight)
        assert not model.predict(X).requires_grad
        assert not model.coef_.requires_grad


@needs_dispatch
@needs_torch
def test_a_start_that_records_derivatives(problem):
    X, y, _ = problem("vector")
    X, y, coef = (torch.asarray(A).requires_grad_() * 1.0 for A in (X, y, np.ones(7)))
    start = {"coef_init": coef, "intercept_init": coef[0]}
    with config_context(array_api_dispatch=True):
        model = GDLinearRegression(learning_rate=1e-7, max_iter=3, tol=0).fit(X, y, **start)
        assert not model.coef_.requires_grad


@needs_dispatch
@each_library
def test_complex_input_is_told(library, problem):
    X, y, sample_weight = problem("weighted")
    X, y, sample_weight = map(library, (X, y, sample_weight))

    def to_complex(A):
        return library.xp.asarray(A, dtype=library.xp.complex128)

    with config_context(array_api_dispatch=True):
        model = GDLinearRegression().fit(X, y)
        for call in (
            lambda: model.predict(to_complex(X)),
            lambda: GDLinearRegression().fit(to_complex(X), y),
            lambda: GDLinearRegression().fit(X, to_complex(y)),
            lambda: GDLinearRegression().fit(X, y, to_complex(sample_weight)),
            lambda: GDLinearRegression().fit(X, y, coef_init=to_complex(model.coef_)),
        ):
            with pytest.raises(ValueError, match="Complex data not supported"):
                call()


@needs_dispatch
@each_library
def test_types_of_float_that_meet(library, problem):
    X, y, _ = problem("vector")
    expected = GDLinearRegression().fit(X.astype(library.dtype), y.astype(library.dtype))
    model = library.fit(GDLinearRegression(), X, y)
    for dtype in ("float32", "float64"):
        other = X.astype(dtype)
        with config_context(array_api_dispatch=True):
            prediction = model.predict(library.xp.asarray(other, device=library.device))
        ours = to_numpy(prediction)
        theirs = expected.predict(other)
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


@needs_dispatch
@each_library
def test_sparsify_is_told_and_densify_keeps_the_library(library, problem):
    X, y, _ = problem("vector")
    model = library.fit(GDLinearRegression(), X, y)
    before = model.coef_
    with pytest.raises(TypeError, match=r"sparsify makes coef_ a SciPy matrix.*(torch|strict)"):
        model.sparsify()
    assert model.densify().coef_ is before


@needs_dispatch
@pytest.mark.parametrize("library", FLOAT64, ids=repr)
def test_in_a_pipeline_and_a_grid_search(library, problem):
    X, y, _ = problem("vector")
    pipeline = make_pipeline(StandardScaler(), GDLinearRegression())
    grid = {"gdlinearregression__alpha": [0.0, 10.0]}
    expected = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    # StandardScaler divides zero by zero, of which PyTorch does not warn.
    with config_context(array_api_dispatch=True), np.errstate(invalid="ignore"):
        search = GridSearchCV(pipeline, grid, cv=3).fit(library(X), library(y))
        assert library.owns(search.predict(library(X)))
    assert search.best_params_ == expected.best_params_ == {"gdlinearregression__alpha": 0.0}
    np.testing.assert_allclose(search.best_score_, expected.best_score_)


@needs_dispatch
def test_what_is_not_supported_is_told(problem):
    X, y, _ = problem("vector")
    library = STRICT[0]
    with config_context(array_api_dispatch=True):
        with pytest.raises(ValueError, match="GDLinearRegressionCV accepts NumPy arrays"):
            GDLinearRegressionCV().fit(library(X), library(y))
        narrow = strict.Device("no_float64")
        X, y = (strict.asarray(A.astype("float32"), device=narrow) for A in (X, y))
        with pytest.raises(ValueError, match="which has no float64"):
            GDLinearRegression().fit(X, y)


@needs_dispatch
@each_library
@pytest.mark.parametrize("batch_size", [None, 32])
def test_a_step_that_is_too_long_is_told(library, batch_size, problem):
    X, y, _ = problem("vector")
    model = GDLinearRegression(learning_rate=1.0, batch_size=batch_size)
    with pytest.raises(ValueError, match="learning_rate=1 makes the loss grow without bound"):
        library.fit(model, X, y)


@pytest.mark.skipif(ARRAY_API, reason="scikit-learn 1.9 has it")
def test_older_scikit_learn_is_told(problem):
    X, y, _ = problem("vector")
    match = "needs scikit-learn 1.9"
    with config_context(array_api_dispatch=True), pytest.raises(ValueError, match=match):
        GDLinearRegression().fit(strict.asarray(X), strict.asarray(y))


@needs_dispatch
@each_library
@pytest.mark.parametrize("check_sample_weight", [False, True])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"alpha": 0.01, "tol": 1e-8},
        {"alpha": 0.01, "l1_ratio": 0.5, "tol": 1e-7},
        {"batch_size": 16, "max_iter": 5, "tol": 0},
    ],
    ids=str,
)
def test_scikit_learns_check_of_values(library, check_sample_weight, parameters):
    device = str(library.device).rpartition("('")[2].rstrip("')")
    estimator_checks.check_array_api_input_and_values(
        "GDLinearRegression",
        GDLinearRegression(**parameters),
        library.xp.__name__,
        device_name=device,
        dtype_name=library.dtype,
        check_sample_weight=check_sample_weight,
    )
