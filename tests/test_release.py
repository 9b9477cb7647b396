"""What several files say of a release: versions of the package, Python and scikit-learn."""

import importlib
import re
import tomllib
from pathlib import Path

import pytest

import sklearn_gdlinreg

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]


def test_the_version_is_in_one_place():
    # Another one is that of an installation that has gone stale.
    assert sklearn_gdlinreg.__version__ == PROJECT["version"]
    citation = (ROOT / ".github" / "CITATION.cff").read_text(encoding="utf-8")
    assert not re.search("^(version|date-released):", citation, re.MULTILINE)
    for field, name in (("repository-code", "Source"), ("url", "Documentation")):
        assert f"\n{field}: {PROJECT['urls'][name]}\n" in citation


@pytest.fixture
def pythons():
    """Return the versions of Python that the package says it supports, oldest first."""
    python = "Programming Language :: Python :: 3."
    minors = sorted(int(c.removeprefix(python)) for c in PROJECT["classifiers"] if python in c)
    return [f"3.{minor}" for minor in minors]


def test_wheels_are_built_for_every_supported_python(pythons):
    assert PROJECT["requires-python"] == f">={pythons[0]}"
    builds = PYPROJECT["tool"]["cibuildwheel"]["build"]
    assert builds == [f"cp{python.replace('.', '')}-*" for python in pythons]


def test_the_oldest_and_newest_python_are_tested(pythons):
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert f'python: ["{pythons[0]}", "{pythons[-1]}"]' in workflow


def test_the_oldest_scikit_learn_is_tested():
    oldest = next(d for d in PROJECT["dependencies"] if d.startswith("scikit-learn"))
    assert oldest.replace(">=", "==") + ".0" in (ROOT / ".ci" / "wheel").read_text(
        encoding="utf-8"
    )


def test_links_of_the_readme_lead_somewhere():
    """On a code host as on the package index: none is relative, and each page has a source."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not re.search(r"\]\((?!https)", text)
    targets = dict(re.findall(r"^\[([^\]]+)\]: (\S+)$", text, re.MULTILINE))
    prose = re.sub(r"```.*?```|!\[.*?\](?=\[)", "", text, flags=re.DOTALL)
    assert set(re.findall(r"\[([^\]]+)\]", prose)) == targets.keys()
    pages = PROJECT["urls"]["Documentation"]
    sources = {
        "_images/excess.png": "benchmarks/excess.png",
        "auto_examples/index.html": "../examples/README.rst",
    }
    for target in targets.values():
        if target.startswith(pages):
            name = target.removeprefix(pages)
            path = ROOT / "docs" / sources.get(name, name.replace(".html", ".md"))
            assert path.is_file(), target
        else:
            assert target in PROJECT["urls"].values()


@pytest.mark.parametrize(
    "name", ["GDLinearRegression", "GDLinearRegressionCV", "dask.DaskGDLinearRegression"]
)
def test_every_repr_leads_to_a_page_of_the_documentation(name):
    module, _, class_name = f"sklearn_gdlinreg.{name}".rpartition(".")
    if "dask" in name:
        pytest.importorskip("dask.array")
    estimator = getattr(importlib.import_module(module), class_name)()
    page = f"generated/sklearn_gdlinreg.{name}.html"
    assert estimator._get_doc_link() == PROJECT["urls"]["Documentation"] + page
    assert class_name in (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
