"""How the package is laid out: layers, sizes, nothing private of scikit-learn's."""

import ast
from pathlib import Path

import pytest

import sklearn_gdlinreg

PACKAGE = Path(sklearn_gdlinreg.__file__).parent
LAYERS = [
    {"_kernels", "_rule", "_dense_epochs", "_sparse_epochs", "_compat", "_display", "_history"}
    | {"_inputs", "_threads", "skops"},
    {"_arrays"},
    {"_equations", "_validation", "_rows", "_penalty", "_moves", "_epochs", "_steps"},
    {"_score"},
    {"_certificate", "_model", "_coefficient_path", "_dense_rows", "_sparse_rows"},
    {"_array_rows", "_finish", "_groups"},
    {"_quadratic", "_visits"},
    {"_reading"},
    {"_dask_rows"},
    {"_data", "_proximal", "_textbook", "_dense_walk", "_sparse_walk"},
    {"_array_walk"},
    {"_walks"},
    {"_full_batch"},
    {"_mini_batch", "_folds", "_dask_data"},
    {"_stream", "_streams"},
    {"_descend"},
    {"_regressor"},
    {"_cv", "dask"},
    {"onnx"},
    {"__init__"},
]
MODULES = sorted(PACKAGE.glob("*.py"))


def imports(path):
    """Yield (module, name, level) of every import."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.module or "", alias.name, node.level
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, "", 0


def layer(name):
    return next(i for i, modules in enumerate(LAYERS) if name in modules)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_leaves_never_import_upward(path):
    for module, _, level in imports(path):
        if level:
            assert layer(module) < layer(path.stem)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_nothing_private_of_scikit_learn(path):
    for module, name, level in imports(path):
        # What must differ between its versions is in one place.
        if not level and module.startswith("sklearn") and path.stem != "_compat":
            assert not any(part.startswith("_") for part in [*module.split("."), name])


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_modules_and_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 350
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[ast.get_docstring(node) is not None :]
            assert not body or body[-1].end_lineno - body[0].lineno < 40, node.name


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.p[yx][xd]")), ids=lambda path: path.name)
def test_kernels_are_short(path):
    assert path.read_text(encoding="utf-8").count("\n") <= 350
