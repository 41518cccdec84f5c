"""The playground: one HTML file that needs no network, no server and no other file.

The rules are in it as the JavaScript that the compiler writes, the surfaces as what their graphs give; nothing is
evaluated from text at run time, and a content security policy forbids the page to load anything. What is drawn is
drawn on canvas by the page's own files in `web/`, which are put one after the other here.

Text keeps a contrast of 4.5 to what is behind it, and the racers' lines 3 to every band of the map (WCAG 2.2, AA); a
test computes both. Each racer has a number besides, so that nothing depends on colour alone.
"""

from __future__ import annotations

import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from markupsafe import Markup

from surefoot import __version__
from surefoot.conventions import FRAMEWORKS
from surefoot.errors import Argument, UsageError
from surefoot.explain.explanation import CALLED
from surefoot.explain.path import GRID, SEED
from surefoot.explain.playground_forms import Library
from surefoot.explain.surfaces import SURFACES
from surefoot.files import write_whole
from surefoot.rule import Rule
from surefoot.rules import RULES, adamw, cautious, grokfast, lookahead, mars
from surefoot.rules.polynomials import POLYNOMIALS
from surefoot.webpage import script_json, source, template

WEB = ("surefoot.explain", "web")
SCRIPTS = (
    "numbers.js",
    "walk.js",
    "map.js",
    "charts.js",
    "formula.js",
    "state.js",
    "racers.js",
    "matrix.js",
    "main.js",
)

STEPS = (100, 200, 400, 1000, 3000)
"""The choices of a race's number of steps."""

SECONDS, USUAL = (4, 10, 30), 10
"""The choices of a race's duration in seconds, and the usual one."""

MOST = 8
"""The most racers."""

FIRST = ("sgd", "momentum", "adagrad", "adam", "adabound")
"""The racers when the page opens."""

_RACERS = ("#0067a6", "#b84300", "#00704f", "#a32a78", "#1f2329", "#5b47b8", "#7d5a00", "#7a3f24")
_RACERS_DARK = ("#62b4f4", "#ff9550", "#35d0a2", "#f394cf", "#f2f2f2", "#b3a6ff", "#f2d24a", "#d6a588")

LIGHT = {
    "text": "#23262d",
    "muted": "#545a67",
    "line": "#dfe3ea",
    "edge": "#858c9a",
    "page": "#f3f5f8",
    "card": "#ffffff",
    "accent": "#0067a6",
    "badge": "#ffffff",
    "low": "#ffffff",
    "high": "#ccd7e4",
    "step": "-7",
    "band": "rgb(0 103 166 / 14%)",
    **{f"racer{k}": colour for k, colour in enumerate(_RACERS)},
}

DARK = {
    "text": "#e8eaee",
    "muted": "#abb1be",
    "line": "#343945",
    "edge": "#7d8594",
    "page": "#121419",
    "card": "#1b1e25",
    "accent": "#62b4f4",
    "badge": "#121419",
    "low": "#0f1116",
    "high": "#343e4d",
    "step": "7",
    "band": "rgb(98 180 244 / 18%)",
    **{f"racer{k}": colour for k, colour in enumerate(_RACERS_DARK)},
}


def write_page(path: str | Path, own: Sequence[Rule] = ()) -> Path:
    """Write the playground to an HTML file, whole or not at all, and return the file's path.

    Args:
        path: the file.
        own: rules of the user's, which race beside the built-in ones.

    Raises:
        UsageError: the path cannot be a file; a rule is for matrices.
        SurefootError: the file cannot be written.
    """
    return write_whole(path, render(own))


def render(own: Sequence[Rule] = ()) -> str:
    """Return the text of the page."""
    for rule in own:
        if rule.shape == "matrix":
            raise UsageError(f"{rule.name} steps matrices, and a racer of the playground is two weights; leave it out.")
    library = Library()
    guests = {f"own{k}": rule for k, rule in enumerate(own)}
    rules = {
        name: {**library.rule(rule), "name": name, "title": rule.title} for name, rule in {**played(), **guests}.items()
    }
    surfaces = {
        surface.name: {
            "title": surface.title,
            "about": surface.about,
            "start": surface.start,
            "window": surface.window,
            "minima": surface.minima,
            "knobs": [asdict(knob) for knob in surface.knobs],
            "noisy": surface.noisy,
            "function": library.functions.add(surface.javascript),
        }
        for surface in SURFACES.values()
    }
    data = {
        "rules": rules,
        "surfaces": surfaces,
        "formulas": list(library.formulas),
        "letters": list(library.letters),
        "conventions": [(name, CALLED[name]) for name in FRAMEWORKS],
        "first": next(iter(SURFACES)),
        "racers": (*FIRST, *guests)[-MOST:],
        "most": MOST,
        "steps": STEPS,
        "seconds": SECONDS,
        "usual": USUAL,
        "grid": GRID,
        "seed": SEED,
        "polynomials": POLYNOMIALS,
    }
    page: str = template("page.html.j2", WEB).render(
        light=LIGHT,
        dark=DARK,
        style=Markup(source("style.css", WEB)),
        surfaces=SURFACES.values(),
        steps=STEPS,
        seconds=SECONDS,
        grid=GRID,
        data=script_json(data),
        functions=Markup(",\n".join(library.functions)),
        script=Markup("\n".join(source(name, WEB) for name in SCRIPTS)),
        version=__version__,
    )
    return page


def played() -> dict[str, Rule]:
    """Return the possible racers by name: every rule, and each combinator around AdamW that no rule has.

    A racer is two weights on a surface, which are no matrix.
    """
    alone = [rule for rule in RULES.values() if rule.shape == "any"]
    combined = [around(adamw) for around in (mars, grokfast, cautious, lookahead)]
    return {rule.name: rule for rule in (*alone, *combined)}


def server_of(page: Path, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of this page on 127.0.0.1; port 0 takes any that is free.

    Raises:
        UsageError: the port is not to be had.
    """
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, page=page))
    except OSError as error:
        raise UsageError(
            Argument("port"), f" {port} cannot be served on: {error.strerror}; leave it out to take a free one."
        ) from error


def serve(page: Path, port: int, tell: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C, and open it in the browser if there is one."""
    with server_of(page, port) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        tell(f"Playground at {address} (Ctrl-C ends it)")
        webbrowser.open(address)
        server.serve_forever()


class _Quiet(SimpleHTTPRequestHandler):
    """Serves one file, whatever is asked for, and says nothing."""

    def __init__(self, *args: Any, page: Path, **kwargs: Any) -> None:
        self._page = page
        super().__init__(*args, directory=str(page.parent), **kwargs)

    def translate_path(self, path: str) -> str:  # noqa: ARG002  nothing else is served
        return str(self._page)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
