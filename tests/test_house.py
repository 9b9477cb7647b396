"""How the package is laid out: layers, sizes, nothing private of scikit-learn's."""

import ast
import re
from pathlib import Path

import pytest

import sklearn_gdlinreg

PACKAGE = Path(sklearn_gdlinreg.__file__).parent
# Each imports from itself and from those before it.
LAYERS = [
    ["_base"],
    ["_input.containers", "_input.checks"],
    ["_rows"],
    ["_problem"],
    ["_input"],
    ["_solvers"],
    ["_mini_batch", "_cross_validation"],
    ["_report", "skops"],
    ["_scoring"],
    ["_linear_model"],
    ["_stream"],
    ["_fit", "_exact_stream", "_partial_fit"],
    ["_penalty_path"],
    ["_regressor"],
    ["_regressor_cv", "dask"],
    ["onnx"],
    ["__init__"],
]
MODULES = sorted(PACKAGE.rglob("*.py"))
KERNELS = sorted(PACKAGE.rglob("*.p[yx][xd]"))


def name_of(path):
    """Return the name of a module within the package, with dots."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports(path):
    """Yield (module, name, level) of every import."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.module or "", alias.name, node.level
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, "", 0


def cimports(path):
    """Yield the same of every cimport in a kernel, of a module of this package."""
    for dots, module in re.findall(r"^from (\.+)(\S+) cimport", path.read_text("utf-8"), re.M):
        yield module, "", len(dots)


def imported(path):
    """Yield the names of the modules of this package that one imports."""
    own = path.relative_to(PACKAGE).parts
    for module, _, level in (imports if path.suffix == ".py" else cimports)(path):
        if level:
            yield ".".join([*own[: len(own) - level], module])


def layer(name):
    """Return the layer of a module: that of the longest name in LAYERS that it begins with."""
    found = [
        (len(known), i)
        for i, layer in enumerate(LAYERS)
        for known in layer
        if name == known or name.startswith(f"{known}.")
    ]
    return max(found)[1]


@pytest.mark.parametrize("path", [*MODULES, *KERNELS], ids=name_of)
def test_imports_go_one_way(path):
    for module in imported(path):
        assert layer(module) <= layer(name_of(path)), module


def test_no_module_imports_itself_by_way_of_others():
    graph = {name_of(path): set(imported(path)) for path in MODULES}

    def visit(name, on_the_way):
        assert name not in on_the_way, [*on_the_way, name]
        for module in graph.get(name, ()):
            if module in graph:
                visit(module, [*on_the_way, name])

    for name in graph:
        visit(name, [])


def test_the_top_of_the_package_is_short():
    assert len([path for path in PACKAGE.glob("*.py*") if path.is_file()]) <= 12


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_private_of_scikit_learn(path):
    for module, name, level in imports(path):
        # What must differ between its versions is in one place.
        if not level and module.startswith("sklearn") and name_of(path) != "_base.compat":
            assert not any(part.startswith("_") for part in [*module.split("."), name])


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_and_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 350
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[ast.get_docstring(node) is not None :]
            assert not body or body[-1].end_lineno - body[0].lineno < 40, node.name


def bodies_in_cython(text):
    """Yield the name of every function, and how many lines its body has, without a docstring.

    The signature ends with the first line that ends in a colon; the body is what is indented
    further than the signature, to its last line that is not empty.
    """
    lines = text.splitlines()
    for first, line in enumerate(lines):
        if not (match := re.match(r" *(?:def|cp?def)\b[^=]*?(\w+)\(", line)):
            continue
        start = first
        while not re.search(r":\s*(#.*)?$", lines[start]):
            start += 1
        start, indent = start + 1, len(line) - len(line.lstrip())
        stop = start
        while stop < len(lines) and re.match(rf" {{{indent + 1}}}|\s*$", lines[stop]):
            stop += 1
        body = "\n".join(lines[start:stop])
        yield (
            match[1],
            re.sub(r'\A\s*""".*?"""', "", body, flags=re.DOTALL).strip().count("\n") + 1,
        )


@pytest.mark.parametrize("path", KERNELS, ids=name_of)
def test_kernels_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 350
    for name, n_lines in bodies_in_cython(text):
        assert n_lines <= 60, name


@pytest.mark.parametrize("indent", ["", "    "])
@pytest.mark.parametrize(
    "signature",
    [
        "def f(x):",
        "cdef inline int f(x) except -1 nogil:",
        "cdef inline double* f(\n    double* x,    # IN   (n, 2): x\n) noexcept nogil:  # f",
        "cpdef double f(x):",
    ],
)
def test_lines_of_a_body_are_counted(signature, indent):
    body = ['"""Do f.', "", "Well.", '"""', "for i in x:", *["", "    x += 1"] * 30]
    lines = [*signature.splitlines(), *("    " + line if line else "" for line in body)]
    text = "\n".join(
        ["cdef int y = 1", *(indent + line if line else "" for line in lines), "", "g"]
    )
    assert list(bodies_in_cython(text)) == [("f", 61)]


def test_solvers_know_neither_estimators_nor_the_history():
    for path in MODULES:
        if name_of(path).startswith(("_solvers.", "_mini_batch.", "_cross_validation.")):
            modules = set(imported(path))
            above = ("_report", "_fit", "_partial_fit", "_regressor", "_linear_model", "dask")
            assert not [module for module in modules if module.startswith(above)], path


def test_no_other_module_builds_a_penalty_or_takes_it_apart():
    for path in MODULES:
        if name_of(path) != "_problem.penalty":
            assert not re.search(r"\bPenalty\(|\._l[12]\b", path.read_text("utf-8")), path


def test_one_loop_runs_groups_of_outputs():
    """Each other solver is given one group; what reads, joins and checks them is with Groups."""
    for path in MODULES:
        if name_of(path).startswith(("_solvers.", "_mini_batch.")):
            loops = re.findall(r"\bin groups\b", path.read_text("utf-8"))
            # The longest step by which no output diverges is one of all groups.
            assert len(loops) == (name_of(path) == "_solvers.learning_rate"), path
