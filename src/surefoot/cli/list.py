"""`surefoot list`: what there is to compare, on one screen; all of it on request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from textwrap import shorten, wrap
from typing import Annotated, Any

import typer

from surefoot.arms.arm import parse_rule
from surefoot.cli.options import Json
from surefoot.cli.printing import print_json
from surefoot.datasets import NAMES
from surefoot.design.studies import STUDIES
from surefoot.rule import AROUND, Rule
from surefoot.rules import RULES

WIDTH, MARGIN = 80, 17


def list_all(
    own: Annotated[list[str] | None, typer.Argument(help="Rules of your own, to list too: my.py:rule.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Each optimizer with its options, in whole words.")] = False,
    as_json: Json = False,
) -> None:
    """Show the studies, the optimizers and the data sets, or with `--all` every option.

    Example: surefoot list
    """
    rules = {**RULES, **{text: parse_rule(text)[0] for text in own or []}}
    studies = {name: study.summary for name, study in STUDIES.items()}
    data = dict.fromkeys(NAMES, "28 x 28 grey images in 10 classes")
    if as_json:
        whole = {name: {"summary": rule.doc, "options": _options(rule)} for name, rule in rules.items()}
        print_json({"studies": studies, "optimizers": whole, "data sets": data})
        return
    optimizers = _whole(rules) if everything else _folded(rules)
    for title, entries in (("Studies", studies.items()), ("Optimizers", optimizers), ("Data sets", data.items())):
        typer.echo(f"{title}:")
        for name, what in entries:
            _print(name, what, whole=everything)
    if not everything:
        typer.echo("surefoot list --all shows every optimizer with its options.")


def _print(name: str, what: str, *, whole: bool) -> None:
    room = WIDTH - MARGIN
    lines = wrap(what, room) if whole else [shorten(what, room, placeholder=" ...")]
    typer.echo(f"  {name:<{MARGIN - 3}} {lines[0]}")
    for line in lines[1:]:
        typer.echo(f"{'':{MARGIN}}{line}")


def _whole(rules: Mapping[str, Rule]) -> Iterator[tuple[str, str]]:
    """Every rule with its sentence, and below it its options."""
    for name, rule in rules.items():
        yield name, rule.doc
        yield "", ", ".join(f"{option}={value}" for option, value in _options(rule).items())


def _folded(rules: Mapping[str, Rule]) -> Iterator[tuple[str, str]]:
    """The first rule of each family with its sentence, and below it the names of its relatives."""
    for _, family in groupby(rules.items(), key=lambda one: one[1].family):
        (name, first), *others = family
        yield name, first.doc
        if others:
            yield "", f"and {', '.join(other for other, _ in others)}"


def _options(rule: Rule) -> dict[str, Any]:
    """The options that people set: the learning rate first, what stands around every rule last."""
    names = sorted(rule.defaults, key=lambda name: (name != "lr", name in AROUND))
    shown = {name: rule.defaults[name] for name in names}
    return {name: value for name, value in shown.items() if not isinstance(value, bool) and value is not None}
