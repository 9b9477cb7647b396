"""Fitted models through skops, with the types that are declared, and on from there."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gdlinreg import GDLinearRegression, GDLinearRegressionCV
from sklearn_gdlinreg._mini_batch.update_rule import Rule
from sklearn_gdlinreg.skops import TRUSTED_TYPES

skops = pytest.importorskip("skops.io")
from skops.io.exceptions import UntrustedTypesFoundException  # noqa: E402


def with_missing(Y):
    Y = Y.copy()
    Y[::3, 0] = np.nan
    return Y


def distributed(X, Y):
    da = pytest.importorskip("dask.array")
    from sklearn_gdlinreg.dask import DaskGDLinearRegression

    return DaskGDLinearRegression(alpha=0.1).fit(da.from_array(X, chunks=(50, 5)), Y)


FITTED = {
    "full batch": lambda X, Y: GDLinearRegression(alpha=[0.1, 0.2]).fit(X, Y),
    "one output": lambda X, Y: GDLinearRegression().fit(X, Y[:, 0]),
    "float32": lambda X, Y: GDLinearRegression().fit(X.astype(np.float32), Y),
    "names": lambda X, Y: GDLinearRegression().fit(pd.DataFrame(X, columns=list("abcde")), Y),
    "mini-batch": lambda X, Y: GDLinearRegression(batch_size=8, random_state=0).fit(X, Y),
    "early stopping": lambda X, Y: GDLinearRegression(early_stopping=True, random_state=0).fit(
        X, Y
    ),
    "exact stream": lambda X, Y: GDLinearRegression().partial_fit(X, Y),
    "merged": lambda X, Y: GDLinearRegression().merge(GDLinearRegression().fit(X, Y)),
    "masked": lambda X, Y: GDLinearRegression(missing_targets="ignore").fit(X, with_missing(Y)),
    "warm start": lambda X, Y: GDLinearRegression(warm_start=True).fit(X, Y),
    "sparsified": lambda X, Y: (
        GDLinearRegression(alpha=0.1, l1_ratio=1.0).fit(X, Y[:, 0]).sparsify()
    ),
    "cross-validated": lambda X, Y: GDLinearRegressionCV(cv=3, alphas=5).fit(X, Y),
    "pipeline": lambda X, Y: make_pipeline(StandardScaler(), GDLinearRegression()).fit(X, Y),
    "dask": distributed,
}
BY_THE_BOOK = {"learning_rate": 1e-3}
STREAMS = {
    "automatic": {},
    "penalty": {"alpha": 0.1, "l1_ratio": 0.5},
    "positive": {"positive": True},
    "factors": {
        "alpha": 0.1,
        "penalty_factor": np.array([0.0, 2.0, 1.0, 0.5, 1.0]),
        "positive": np.array([True, False, False, True, False]),
    },
    "textbook": {**BY_THE_BOOK, "momentum": 0.5, "nesterov": True, "average": True},
    "schedule": {**BY_THE_BOOK, "schedule": "invscaling"},
    "lazy": {**BY_THE_BOOK, "alpha": 0.1, "l1_ratio": 0.5},
    "masked": {"missing_targets": "ignore"},
    "exact": {"batch_size": None},
    "exact, penalty": {"batch_size": None, "alpha": 0.1, "l1_ratio": 0.5},
    "exact, masked": {"batch_size": None, "missing_targets": "ignore"},
    "exact, half-life": {"batch_size": None, "half_life": 30.0},
}
CONTAINERS = [np.asarray, sparse.csr_array]


@pytest.fixture
def data(make_data):
    return make_data(200, 5, 2, decades=0.5, offset=1.0)


def streamed(options, container, X, Y):
    model = GDLinearRegression(**{"batch_size": 8, "random_state": 0, **options})
    return model.partial_fit(container(X[:100]), Y[:100])


def through_skops(model):
    return skops.loads(skops.dumps(model), trusted=TRUSTED_TYPES)


def assert_same_values(found, expected):
    """Assert that values are the same, in lists and dicts, too."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert_same_values(found[key], value)
    elif isinstance(expected, list):
        for one, other in zip(found, expected, strict=True):
            assert_same_values(one, other)
    else:
        np.testing.assert_array_equal(found, expected)


def final(model):
    return model[-1] if hasattr(model, "steps") else model


@pytest.mark.parametrize("fit", FITTED.values(), ids=FITTED)
def test_predicts_the_same_bits(data, fit):
    model = fit(*data)
    again = through_skops(model)
    X = data[0]
    if hasattr(model, "feature_names_in_"):
        X = pd.DataFrame(X, columns=model.feature_names_in_)
    np.testing.assert_array_equal(again.predict(X), model.predict(X), strict=True)
    assert repr(again) == repr(model)
    for name, value in vars(final(model)).items():
        if name.endswith("_") and not sparse.issparse(value):
            assert_same_values(vars(final(again))[name], value)


@pytest.mark.parametrize(
    "model",
    [
        GDLinearRegression(batch_size=8, random_state=np.random.RandomState(0), max_iter=20),
        GDLinearRegression(warm_start=True, tol=1e-3),
    ],
)
def test_fits_again_from_where_it_was(data, model):
    X, Y = data
    again = through_skops(model.fit(X, Y))
    for each in (model, again):
        each.fit(X[:150], Y[:150])
    np.testing.assert_array_equal(again.coef_, model.coef_, strict=True)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("options", STREAMS.values(), ids=STREAMS)
def test_streams_go_on_as_if_uninterrupted(data, container, options):
    X, Y = data
    Y = with_missing(Y) if "missing_targets" in options else Y
    model = streamed(options, container, X, Y)
    again = through_skops(model)
    np.testing.assert_array_equal(again.predict(X), model.predict(X), strict=True)
    # The other kind of rows comes as well: a walk is left for another one.
    for chunk in (container(X[100:150]), container(X[150:]), X, sparse.csr_array(X)):
        for each in (model, again):
            each.partial_fit(chunk, Y[: chunk.shape[0]])
    np.testing.assert_array_equal(again.coef_, model.coef_, strict=True)
    np.testing.assert_array_equal(again.intercept_, model.intercept_, strict=True)
    assert again.loss_curve_ == model.loss_curve_


def test_types_declared_are_those_there_are(data):
    models = [fit(*data) for fit in FITTED.values()]
    models += [streamed(o, c, *data) for o in STREAMS.values() for c in CONTAINERS]
    found = {name for m in models for name in skops.get_untrusted_types(data=skops.dumps(m))}
    assert found == set(TRUSTED_TYPES)


def test_a_model_without_a_stream_needs_its_own_type_only(data):
    exact = streamed({"batch_size": None}, np.asarray, *data)
    for model in (GDLinearRegression().fit(*data), exact):
        saved = skops.dumps(model)
        assert skops.loads(saved, trusted=[GDLinearRegression]).n_features_in_ == 5
    saved = skops.dumps(streamed({}, np.asarray, *data))
    with pytest.raises(UntrustedTypesFoundException, match="Stream"):
        skops.loads(saved, trusted=[GDLinearRegression])


def halved(t):
    return 0.5


def test_a_schedule_of_ones_own_is_named(data):
    model = streamed({**BY_THE_BOOK, "schedule": halved}, np.asarray, *data)
    saved = skops.dumps(model)
    own = set(skops.get_untrusted_types(data=saved)) - set(TRUSTED_TYPES)
    assert own == {f"{__name__}.halved"}
    again = skops.loads(saved, trusted=[*TRUSTED_TYPES, *own])
    assert again.schedule is halved


@pytest.mark.parametrize("name", [
    "divisor", "proximal", "positive", "lazy", "cautious", "running", "least_l2", "momentum",
    "nesterov",
])  # fmt: skip
def test_rules_are_made_again_as_they_were(name):
    rule = Rule(batch_size=3, **{name: 1})
    again = pickle.loads(pickle.dumps(rule))
    assert getattr(again, name) == 1
    assert again.__reduce__() == rule.__reduce__()
    assert sum(again.__reduce__()[1]) == 4
