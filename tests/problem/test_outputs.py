"""Groups of outputs: apart and together again."""

from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_gdlinreg._problem.outputs import Groups, alike

each_grouping = pytest.mark.parametrize(
    "outputs",
    [[slice(None)], [[0, 1, 2, 3, 4]], [[3, 0], [4, 1, 2]], [[1], [4], [0], [2, 3]]],
    ids=str,
)


def groups_of(outputs):
    outputs = [o if isinstance(o, slice) else np.array(o) for o in outputs]
    return Groups([SimpleNamespace(outputs=o) for o in outputs])


@each_grouping
@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5)])
def test_split_and_join(rng, outputs, shape):
    groups, A = groups_of(outputs), rng.standard_normal(shape)
    parts = groups.split(A)
    assert len(parts) == len(groups) == len(list(groups))
    for part, group in zip(parts, groups, strict=True):
        np.testing.assert_array_equal(part, A[..., group.outputs])
    np.testing.assert_array_equal(groups.join(parts), A)
    np.testing.assert_array_equal(groups.join(iter(parts)), A)


@each_grouping
def test_models_are_joined(rng, outputs):
    groups, W, b = groups_of(outputs), rng.standard_normal((3, 5)), rng.standard_normal(5)
    models = list(zip(groups.split(W), groups.split(b), strict=True))
    for found, expected in zip(groups.join_models(models), (W, b), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["00", "00", "00"], None),
        (["01"], None),
        (["01", "10", "01", "11", "10"], [[0, 2], [1, 4], [3]]),
        # Marks that differ in the last of many rows.
        (["0" * 40 + "1", "0" * 41, "0" * 40 + "1"], [[0, 2], [1]]),
    ],
)
@pytest.mark.parametrize("n_marks", [1, 2])
def test_outputs_are_alike_where_all_marks_are(columns, expected, n_marks):
    marks = np.array([[mark == "1" for mark in column] for column in columns]).T
    found = alike(*np.array_split(marks, n_marks))
    if expected is None:
        assert found == [slice(None)]
    else:
        assert [list(group) for group in found] == expected
