"""Models that take in what others have learnt."""

import itertools
import pickle

import numpy as np
import pytest
from exact_streams import IGNORE, OPTIONS, assert_near, with_missing

from sklearn_gdlinreg import GDLinearRegression


@pytest.fixture
def data(make_data):
    return make_data(300, 6, 3, decades=4.0, offset=30.0)


def shards(X, Y, n_shards=4, options=None):
    parts = np.array_split(np.arange(len(X)), n_shards)
    made = itertools.cycle(["partial_fit", "fit"])
    return [getattr(GDLinearRegression(**options or {}), next(made))(X[p], Y[p]) for p in parts]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2)])
def test_shards_merge(data, options, order):
    X, Y = data
    a, b, c, d = (shards(X, Y, options=options)[k] for k in order)
    before = [pickle.dumps(model) for model in (b, c, d)]
    expected = GDLinearRegression(**options).fit(X, Y)
    fresh = GDLinearRegression(**options).merge(a, b, c, d)
    nested = GDLinearRegression(**options).merge(GDLinearRegression(**options).merge(d, a), b)
    for model in (fresh, nested.merge(c), a.merge(b, c, d)):
        assert_near(model, expected, X)
        assert model.engine_ == "moments"
        assert model.stop_reason_ == "tol"
    assert [pickle.dumps(model) for model in (b, c, d)] == before
    twice = GDLinearRegression(**options).fit(np.r_[X, X], np.r_[Y, Y])
    assert_near(fresh.partial_fit(X, Y), twice, X)


@pytest.mark.parametrize("pattern", ["split", "late", "apart"])
def test_shards_with_missing_targets_merge(data, pattern):
    X, Y = data[0], with_missing(data[1], pattern)
    parts = [GDLinearRegression(**IGNORE).partial_fit(X[k::3], Y[k::3]) for k in range(3)]
    parts += [GDLinearRegression(**IGNORE).partial_fit(X[:0:-1], Y[:0:-1])]
    expected = GDLinearRegression(**IGNORE).fit(np.r_[X, X[1:]], np.r_[Y, Y[1:]])
    assert_near(GDLinearRegression(verbose=0, **IGNORE).merge(*parts), expected, X)


BEYOND_MERGING = {
    "no other": (lambda X, Y: (), TypeError, "merge needs at least one other model"),
    "another kind": (lambda X, Y: [object()], TypeError, "merge accepts models of GDLinear"),
    "nothing learnt": (
        lambda X, Y: [GDLinearRegression()], ValueError, "Call fit or partial_fit before merge: "
    ),
    "features": (
        lambda X, Y: [learnt(X.iloc[:, :5].to_numpy(), Y)], ValueError,
        r"same number.* shape \(3, 6\)\. Got \(3, 5\)",
    ),
    "outputs": (
        lambda X, Y: [learnt(X, Y[:, :2])], ValueError,
        r"same number.* shape \(3, 6\)\. Got \(2, 6\)",
    ),
    "names": (
        lambda X, Y: [learnt(X.rename(columns={"a": "z"}), Y)], ValueError,
        "All models must have the same feature names",
    ),
    "batches": (
        lambda X, Y: [learnt(X, Y, batch_size=16)], ValueError,
        r"merge needs batch_size=None\. Got 16 for model 0",
    ),
    "half-life": (
        lambda X, Y: [learnt(X, Y, half_life=9.0)], ValueError,
        r"merge needs half_life=None\. Got 9\.0 for model 0",
    ),
    "learning rate": (
        lambda X, Y: [learnt(X, Y, learning_rate=1e-9)], ValueError,
        r'merge needs learning_rate="auto"\. Got 1e-09 for model 0',
    ),
    **{
        name: (
            lambda X, Y, name=name, value=value: [learnt(X, Y, **{name: value})], ValueError,
            f"{name} must be that of the model that merge is called on.*for model 0",
        )
        for name, value in [
            ("alpha", 0.1), ("l1_ratio", 0.5), ("fit_intercept", False), ("positive", True),
            ("positive", [True] * 6), ("alpha", [0.0, 0.0, 0.1]),
            ("penalty_factor", [1.0, 2.0, 0.0, 1.0, 1.0, 1.0]),
        ]
    },
}  # fmt: skip


def learnt(X, Y, **options):
    return GDLinearRegression(**options).partial_fit(X, Y)


@pytest.mark.parametrize("case", BEYOND_MERGING.values(), ids=BEYOND_MERGING)
@pytest.mark.parametrize("begun_by", ["partial_fit", "merge"])
def test_models_that_do_not_merge(data, begun_by, case):
    others, error, match = case
    X, Y = data
    X = pytest.importorskip("pandas").DataFrame(X, columns=list("abcdef"))
    model = learnt(X, Y)
    if begun_by == "merge":
        model = GDLinearRegression().merge(model)
    others = others(X, Y)
    before = pickle.dumps((model, others))
    with pytest.raises(error, match=match):
        model.merge(*others)
    # One that goes with the model comes first, and is not taken in.
    if others:
        with pytest.raises(error, match=match.replace("model 0", "model 1")):
            model.merge(learnt(X, Y), *others)
    assert pickle.dumps((model, others)) == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"positive": True}, {"positive": [True] * 6}),
        ({"positive": np.zeros(6, dtype=bool)}, {}),
        ({"alpha": 0.5, "penalty_factor": np.ones(6)}, {"alpha": [0.5, 0.5, 0.5]}),
    ],
)
def test_values_that_are_written_in_another_way_are_the_same(data, one, other):
    X, Y = data
    expected = GDLinearRegression(**one).fit(X, Y)
    for options in ((one, other), (other, one)):
        first, second = (GDLinearRegression(**own) for own in options)
        assert_near(first.fit(X[::2], Y[::2]).merge(second.fit(X[1::2], Y[1::2])), expected, X)


@pytest.mark.parametrize(
    ("option", "match"),
    [({"half_life": 9.0}, "half_life=None"), ({"batch_size": 9}, "batch_size=None")],
    ids=str,
)
def test_a_model_that_takes_in_none(data, option, match):
    model = GDLinearRegression(**option)
    with pytest.raises(ValueError, match=f"merge needs {match}.*the model that merge is called"):
        model.merge(GDLinearRegression().fit(*data))
    assert not hasattr(model, "coef_")


def test_what_merge_reports_of_calls(data):
    X, Y = data
    model = GDLinearRegression().fit(X, Y).merge(GDLinearRegression().fit(X, Y))
    assert model.n_iter_ == len(model.loss_curve_)
