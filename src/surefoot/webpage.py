"""The making of every page: its template, its files as text, and JSON inside it.

A folder of templates is a package and a folder in it, such as `("a.package", "web")`.

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

Folder = tuple[str, str]


@cache
def template(name: str, *folders: Folder) -> Template:
    """Return a template from the first folder that has it. It may include others from any of them."""
    loader = ChoiceLoader([PackageLoader(*folder) for folder in folders])
    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=loader)
    made.filters["unbroken"] = unbroken
    made.filters["number"] = lambda value: f"{value:f}".rstrip("0").rstrip(".")
    return made.get_template(name)


def source(name: str, folder: Folder) -> str:
    """Return the text of a file that goes into a page as it is."""
    return files(folder[0]).joinpath(folder[1], name).read_text(encoding="utf-8")


def unbroken(text: str) -> str:
    """Return the text with unbreakable spaces between a number and its unit."""
    return re.sub(r"(?<=\d) (?=[%A-Za-z])", "\u00a0", text)


def script_json(value: Any) -> Markup:
    """Return JSON for a script element: nothing in it can close the element or open a comment."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
