"""Configuration of Sphinx: `python -m sphinx -W --keep-going -b html docs docs/_build/html`."""

import re
import shutil
from importlib.metadata import metadata
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx_gallery.sorting import ExplicitOrder

project = author = "sklearn_gdlinreg"
project_copyright = "the sklearn_gdlinreg developers"
package = metadata("sklearn_gdlinreg")
version = release = package["Version"]
urls = dict(line.split(", ") for line in package.get_all("Project-URL"))

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "benchmarks/data"]
templates_path = ["_templates"]
default_role = "py:obj"
highlight_language = "text"
smartquotes = False

myst_enable_extensions = ["colon_fence", "dollarmath", "substitution"]
myst_substitutions = {
    "version": version,
    "source": f"[Source]({urls['Source']})",
    "issues": f"[Issues]({urls['Issues']})",
    "source_url": f"<{urls['Source']}>",
}
myst_heading_anchors = 3

numpydoc_show_class_members = False
# All but these: what is returned has a name, and not all need an example or related names.
numpydoc_validation_checks = {"all", "ES01", "EX01", "GL01", "RT02", "SA01", "SA04"}
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
autodoc_default_options = {
    "members": True,
    # What scikit-learn gives every estimator is not repeated for each.
    "inherited-members": "BaseEstimator",
    "exclude-members": "set_callbacks, set_fit_request, set_partial_fit_request, "
    "set_score_request, get_metadata_routing",
}
# Only the names that these pages link to, so that no network is needed.
intersphinx_mapping = {
    "sklearn": ("https://scikit-learn.org/stable", "scikit-learn.inv"),
}

# Examples save pictures where they run, so they run in a copy.
here = Path(__file__).parent
examples = here / "_build" / "examples"
shutil.rmtree(examples, ignore_errors=True)
shutil.copytree(here.parent / "examples", examples)
reading_order = (
    "quick_start", "unscaled", "loss_surface", "cars", "grid_search", "early_stopping",
    "masked_targets", "sparse_text", "mini_batches", "exact_streams", "stream_from_parquet",
    "merge_shards", "larger_than_memory",
)  # fmt: skip
sphinx_gallery_conf = {
    "examples_dirs": str(examples),
    "gallery_dirs": "auto_examples",
    "filename_pattern": "/plot_",
    "doc_module": ("sklearn_gdlinreg",),
    "reference_url": {"sklearn_gdlinreg": None},
    "backreferences_dir": "generated/examples",
    "image_scrapers": ("matplotlib",),
    "copyfile_regex": r".*\.gz",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "thumbnail_size": (640, 448),
    "show_signature": False,
    "write_computation_times": False,
    "within_subsection_order": ExplicitOrder([f"plot_{name}.py" for name in reading_order]),
}

# Browsers show MathML by themselves: neither a script nor a network is needed.
html_math_renderer = "mathml"

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_gdlinreg"
html_static_path = ["_static"]
html_css_files = ["style.css"]
# Pages without others below them have no list of these.
html_sidebars = {name: [] for name in ("contributing", "changelog")}
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "sklearn_gdlinreg"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "icon_links": [
        {"name": "Source", "url": urls["Source"], "icon": "fa-brands fa-github"},
    ],
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
copybutton_exclude = ".linenos, .gp, .go"


def link_examples(app, docname, source):
    """Lead links to the files of examples, which serve in the repository, to their pages."""
    link = re.compile(r"\((?:\.\./)+examples/(plot_\w+)\.py\)")
    text = source[0].replace("(../examples/README.rst)", "(/auto_examples/index.rst)")
    source[0] = link.sub(r"(/auto_examples/\1.rst)", text)


def render_math(self, node):
    """Write a formula as MathML."""
    is_block = isinstance(node, nodes.math_block)
    formula = tex2mathml(node.astext(), as_block=is_block)
    self.body.append(f'<div class="formula">{formula}</div>' if is_block else formula)
    raise nodes.SkipNode


def setup(app):
    """Connect what is here to Sphinx."""
    app.add_html_math_renderer("mathml", (render_math, None), (render_math, None))
    app.connect("source-read", link_examples)
