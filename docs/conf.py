"""Sphinx builds the site: `python -m sphinx -W docs docs/_site`.

Sphinx, because its search and its pages work from a folder without a server, and because Furo loads nothing from the
network: no fonts, no scripts. Formulas are MathML, which browsers draw by themselves. Pages about rules, the command
line, the studies and the article are written anew by `pages` before each build, so they cannot be out of date.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("KERAS_BACKEND", "jax")

from pages import command_line, write_pages

import surefoot

project = "Surefoot"
author = "The Surefoot developers"
copyright = "the Surefoot developers"
version = release = surefoot.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
included = ["generated/studies.md", "generated/rate-free.md", "generated/article.md", "generated/keras.md"]
exclude_patterns = ["_site", "pages", "data", *included]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "Surefoot"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["generated/extra", "schema"]
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # a page opened from a folder cannot fetch the others

default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = True

write_pages(Path(__file__).parent)


def setup(app):
    """Add the directive that shows a command and what it prints."""
    app.add_directive("surefoot", command_line.Surefoot)
