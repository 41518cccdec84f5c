"""The playground: one HTML file that needs no network, no server and no other file.

The rules are in it as the JavaScript that the compiler writes, the surfaces as what their graphs give; nothing is
evaluated from text at run time, and a content security policy forbids the page to load anything. What is drawn is
drawn on canvas by the page's own files in `web/`, which are put one after the other here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from surefoot import __version__
from surefoot.conventions import FRAMEWORKS
from surefoot.explain.colours import DARK, LIGHT
from surefoot.explain.forms import Library
from surefoot.explain.path import GRID, SEED
from surefoot.explain.surfaces import SURFACES, Surface
from surefoot.files import write_whole
from surefoot.rule import Rule
from surefoot.rules import RULES

SCRIPTS = ("numbers.js", "walk.js", "map.js", "charts.js", "formula.js", "state.js", "racers.js", "main.js")

STEPS = (100, 200, 400, 1000, 3000)
"""How many steps a race may have."""

SECONDS, USUAL = (4, 10, 30), 10
"""How long it may take to play a race, and how long it takes."""

MOST = 8
"""How many may race."""

FIRST = ("sgd", "momentum", "adagrad", "adam", "adabound")
"""Who races when the page is opened."""


def write_page(path: str | Path, own: Sequence[Rule] = ()) -> Path:
    """Write the playground to an HTML file, whole or not at all, and return the file's path.

    Args:
        path: the file.
        own: rules of the user's, which race beside the built-in ones.

    Raises:
        UsageError: the path cannot be a file.
        SurefootError: the file cannot be written.
    """
    return write_whole(path, render(own))


def render(own: Sequence[Rule] = ()) -> str:
    """The text of the page."""
    library = Library()
    guests = {f"own{k}": rule for k, rule in enumerate(own)}
    rules = {
        name: {**library.rule(rule), "name": name, "title": rule.title} for name, rule in {**RULES, **guests}.items()
    }
    surfaces = {surface.name: _surface(surface, library) for surface in SURFACES.values()}
    data = {
        "rules": rules,
        "surfaces": surfaces,
        "formulas": list(library.formulas),
        "letters": list(library.letters),
        "conventions": [(name, {"paper": "the paper", "keras": "Keras"}.get(name, name)) for name in FRAMEWORKS],
        "first": next(iter(SURFACES)),
        "racers": (*FIRST, *guests)[-MOST:],
        "most": MOST,
        "steps": STEPS,
        "seconds": SECONDS,
        "usual": USUAL,
        "grid": GRID,
        "seed": SEED,
    }
    page: str = _template().render(
        light=LIGHT,
        dark=DARK,
        style=Markup(_source("style.css")),
        surfaces=SURFACES.values(),
        steps=STEPS,
        seconds=SECONDS,
        grid=GRID,
        data=_script_json(data),
        functions=Markup(",\n".join(library.functions)),
        script=Markup("\n".join(map(_source, SCRIPTS))),
        version=__version__,
    )
    return page


def _surface(surface: Surface, library: Library) -> dict[str, Any]:
    return {
        "title": surface.title,
        "about": surface.about,
        "start": surface.start,
        "window": surface.window,
        "minima": surface.minima,
        "knobs": [asdict(knob) for knob in surface.knobs],
        "noisy": surface.noisy,
        "function": library.functions.add(surface.javascript),
    }


def _script_json(value: Any) -> Markup:
    """JSON for a script element: nothing in it can close the element or open a comment."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _template() -> Any:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(_source)
    )
    environment.filters["number"] = lambda value: f"{value:f}".rstrip("0").rstrip(".")
    return environment.get_template("page.html.j2")


def _source(name: str) -> str:
    return files("surefoot.explain").joinpath("web", name).read_text(encoding="utf-8")
