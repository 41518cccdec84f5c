"""What every page that Surefoot writes is made with: its template, its files as text, and JSON inside it.

Names that a user gave reach a page through Jinja's escaping, or as JSON that cannot end its script element.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

TEMPLATES = ("surefoot.report", "templates")


@cache
def template(name: str, package: str = TEMPLATES[0], folder: str = TEMPLATES[1]) -> Template:
    """A template of a package, which may include those of the report, such as its style sheet."""
    loader = ChoiceLoader([PackageLoader(package, folder), PackageLoader(*TEMPLATES)])
    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=loader)
    made.filters["unbroken"] = unbroken
    made.filters["number"] = lambda value: f"{value:f}".rstrip("0").rstrip(".")
    return made.get_template(name)


def source(name: str, package: str = TEMPLATES[0], folder: str = TEMPLATES[1]) -> str:
    """The text of a file that goes into a page as it is."""
    return files(package).joinpath(folder, name).read_text(encoding="utf-8")


def unbroken(text: str) -> str:
    """The text with spaces between a number and its unit that no line break may use."""
    return re.sub(r"(?<=\d) (?=[%A-Za-z])", "\u00a0", text)


def script_json(value: Any) -> Markup:
    """JSON for a script element: nothing in it can close the element or open a comment."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
