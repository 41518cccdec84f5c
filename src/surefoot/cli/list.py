"""`surefoot list`: what there is to compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from surefoot.arms.arm import parse_rule
from surefoot.cli.options import Json
from surefoot.cli.printing import print_json
from surefoot.datasets import NAMES
from surefoot.design.studies import STUDIES
from surefoot.rules import RULES


def list_all(
    own: Annotated[list[str] | None, typer.Argument(help="Rules of your own, to list too: my.py:rule.")] = None,
    as_json: Json = False,
) -> None:
    """Show the studies, the optimizers with their options, and the data sets.

    Example: surefoot list
    """
    contents = _contents(own or [])
    if as_json:
        print_json(contents)
        return
    for title, entries in contents.items():
        typer.echo(f"{title.capitalize()}:")
        for name, what in entries.items():
            typer.echo(f"  {name:<14} {_text(what)}")


def _text(what: Any) -> str:
    if isinstance(what, str):
        return what
    options = ", ".join(f"{name}={value}" for name, value in what["options"].items())
    return f"{what['summary']}\n{'':17}{options}"


def _contents(own: Sequence[str]) -> dict[str, dict[str, Any]]:
    rules = {**RULES, **{text: parse_rule(text)[0] for text in own}}
    return {
        "studies": {name: study.summary for name, study in STUDIES.items()},
        "optimizers": {name: {"summary": rule.doc, "options": _shown(rule.defaults)} for name, rule in rules.items()},
        "data sets": dict.fromkeys(NAMES, "28 x 28 grey images in 10 classes"),
    }


def _shown(defaults: Any) -> dict[str, Any]:
    return {name: value for name, value in defaults.items() if not isinstance(value, bool) and value is not None}
