"""`surefoot list`: what there is to compare."""

from __future__ import annotations

from typing import Any

import typer

from surefoot.cli.compare import Json


def list_all(as_json: Json = False) -> None:
    """Show the studies, the optimizers with their options, and the data sets.

    Example: surefoot list
    """
    contents = _contents()
    if as_json:
        import json

        typer.echo(json.dumps(contents, indent=2, ensure_ascii=False))
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


def _contents() -> dict[str, dict[str, Any]]:
    from surefoot.comparison.studies import STUDIES
    from surefoot.datasets import NAMES
    from surefoot.rules import RULES

    return {
        "studies": {name: study.summary for name, study in STUDIES.items()},
        "optimizers": {rule.name: {"summary": rule.doc, "options": _shown(rule.defaults)} for rule in RULES.values()},
        "data sets": dict.fromkeys(NAMES, "28 x 28 grey images in 10 classes"),
    }


def _shown(defaults: Any) -> dict[str, Any]:
    return {name: value for name, value in defaults.items() if not isinstance(value, bool) and value is not None}
