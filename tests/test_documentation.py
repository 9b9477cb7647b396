"""What the documentation shows is what the package does: all of its Python runs."""

import doctest
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from sklearn.exceptions import ConvergenceWarning

import sklearn_gdlinreg
from sklearn_gdlinreg._report.display import X_LABELS
from sklearn_gdlinreg._report.loss_curve import REASONS

matplotlib = pytest.importorskip("matplotlib")
pytest.importorskip("dask.array")

ROOT = Path(__file__).parents[1]
PACKAGE = Path(sklearn_gdlinreg.__file__).parent
CONTRIBUTING = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
# A comment right above a block says why it does not run here, or what it needs to run.
BLOCK = re.compile(
    r"(?:<!-- Needs (\w+)\. -->\n|(-->\n))?^```(?:python|pycon)\n(.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks_of(page):
    """Return the blocks of Python that run here.

    Each comes with the number of its first line, and the library that it needs, or None.
    """
    text = page.read_text(encoding="utf-8")
    return [
        (text.count("\n", 0, match.start(3)), match[3], match[1])
        for match in BLOCK.finditer(text)
        if not match[2] and (match[1] is None or importlib.util.find_spec(match[1]))
    ]


def public_names():
    names = {name: getattr(sklearn_gdlinreg, name) for name in sklearn_gdlinreg.__all__}
    from sklearn_gdlinreg.dask import DaskGDLinearRegression

    return {**names, "DaskGDLinearRegression": DaskGDLinearRegression}


PAGES = [
    page
    for page in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    if "_build" not in page.parts and blocks_of(page)
]
DOCSTRINGS = [
    test
    for name, value in public_names().items()
    for test in doctest.DocTestFinder().find(value, name)
    if test.examples
]


@pytest.fixture(autouse=True)
def as_a_reader(monkeypatch, tmp_path):
    """Print warnings of convergence, where a reader would see them; keep pictures off screen."""
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("always", ConvergenceWarning)
        warnings.showwarning = lambda message, category, *_: print(
            f"{category.__name__}: {message}"
        )
        yield


def run(test):
    assert doctest.DocTestRunner(optionflags=OPTIONS).run(test, clear_globs=False).failed == 0


def run_block(block, page, line, names):
    if ">>> " in block:
        test = doctest.DocTestParser().get_doctest(block, names, page.name, page, line)
        # The parser copies the names; a page goes on with those of its blocks before.
        test.globs = names
        run(test)
    else:
        exec(compile("\n" * line + block, page, "exec"), names)


@pytest.mark.parametrize(
    "page",
    # That of Dask takes as long as all the others together.
    [
        pytest.param(page, marks=pytest.mark.slow if page.name == "dask.md" else ())
        for page in PAGES
    ],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_page(page):
    names = {"__name__": "__main__"}
    for line, block, library in blocks_of(page):
        with warnings.catch_warnings():
            if library is not None:
                # What another library warns of is not ours.
                warnings.simplefilter("ignore")
            run_block(block, page, line, names)


@pytest.mark.parametrize("test", DOCSTRINGS, ids=lambda test: test.name)
def test_docstring(test):
    run(test)


def test_contributing_has_every_module():
    section = CONTRIBUTING.split("### The package")[1].split("\n## ")[0]
    found, folder = set(), ""
    for line in section.splitlines():
        if heading := re.match(r"`(\w+/)`, ", line):
            folder = heading[1]
        elif entry := re.match(r"- ((?:`\w+\.\w+`(?:, )?)+): ", line):
            found.update(folder + name for name in re.findall(r"`(.*?)`", entry[1]))
    modules = {
        path.relative_to(PACKAGE).as_posix()
        for path in [
            *PACKAGE.rglob("*.py"),
            *PACKAGE.rglob("*.pyx"),
            # The others are parts of the .pyx file beside them.
            *(p for p in PACKAGE.rglob("*.pxd") if not p.with_suffix(".pyx").exists()),
        ]
    }
    rooms = {f"{path.parent.name}/__init__.py" for path in PACKAGE.glob("*/__init__.py")}
    assert found == modules - rooms


def test_what_a_change_needs_is_where_the_page_says():
    """Each name in a paragraph is in one of the files that the paragraph names."""
    section = CONTRIBUTING.split("## Where a change goes")[1].split("\n## ")[0]
    paragraphs = [part for part in section.split("\n\n") if part.startswith("**")]
    assert len(paragraphs) == 5
    for paragraph in paragraphs:
        marked = re.findall(r"`([^`]+)`", paragraph.replace("\n", " "))
        files = [PACKAGE / name for name in marked if name.endswith((".py", ".pyx", ".pxd"))]
        text = "".join(path.read_text(encoding="utf-8") for path in files)
        for name in marked:
            for part in [] if "/" in name or name.endswith((".py", ".pxd")) else name.split("."):
                assert re.search(rf"\b{part}\b", text), (name, paragraph)


def test_formulas_are_written_as_docutils_reads_them():
    """It takes 12 for one number, and an index of an accent for one below it."""
    for page in ROOT.glob("docs/*.md"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"frac ?\d\d|\\(hat|tilde|bar) ?(\w|\{\w\})\}?_", text), page


def test_stopping_lists_every_reason_and_engine():
    page = (ROOT / "docs" / "stopping.md").read_text(encoding="utf-8")
    for value in [*REASONS, *X_LABELS, "moments", "passes", "dual", "sample"]:
        assert f'\n| `"{value}"`' in page, value


@pytest.mark.slow
def test_the_recipe_for_a_schedule(tmp_path):
    """Apply the edits that the page shows to a copy, and run the tests that they change."""
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name)
    shutil.copytree(ROOT / "tests", tmp_path / "tests")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    edits = re.findall(
        r"^```diff\n--- (.*?)\n(.*?)^```$", CONTRIBUTING, re.DOTALL | re.MULTILINE
    )
    assert edits
    for name, lines in edits:
        lines = lines.splitlines(keepends=True)
        old, new = ("".join(x[1:] for x in lines if x[0] in " " + sign) for sign in "-+")
        path = tmp_path / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new), encoding="utf-8")
    tests = [
        "test_textbook.py::test_each_iterate_is_the_plain_loops",
        "test_mini_batch.py::test_textbook_is_the_plain_loop",
        "test_stream.py::test_textbook_is_the_plain_loop",
        "test_validation.py::test_parameters",
    ]
    command = [sys.executable, "-m", "pytest", "-q", *(f"tests/{test}" for test in tests)]
    subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=True
    )
