"""`surefoot list`: what there is to compare, on one screen; all of it on request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from textwrap import fill, wrap
from typing import Annotated, Any

import typer

from surefoot.arms.optimizer_text import parse_rule
from surefoot.cli.options import Json
from surefoot.cli.printing import print_json
from surefoot.datasets import NAMES
from surefoot.design.studies import RATE_FREE, STUDIES
from surefoot.rule import WRAPPER_OPTIONS, Rule
from surefoot.rules import COMBINATORS, RULES

WIDTH, MARGIN = 80, 17
ROOM = WIDTH - MARGIN

IMAGES = "28 x 28 grey images in 10 classes"


def list_all(
    own: Annotated[list[str] | None, typer.Argument(help="Rules of your own, to list too: my.py:rule.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Each optimizer with its options, in whole words.")] = False,
    as_json: Json = False,
) -> None:
    """Show the studies, the optimizers and the data sets, or with `--all` every option.

    Example: surefoot list
    """
    rules = {**RULES, **{text: parse_rule(text)[0] for text in own or []}}
    studies = {name: study.summary for name, study in STUDIES.items()} | {RATE_FREE.name: RATE_FREE.summary}
    data = dict.fromkeys(NAMES, IMAGES)
    around = {name: one.doc for name, one in COMBINATORS.items()}
    if as_json:
        whole = {name: {"summary": rule.doc, "options": _options(rule)} for name, rule in rules.items()}
        print_json({"studies": studies, "optimizers": whole, "combinators": around, "data sets": data})
        return
    if everything:
        _print("Studies", studies.items())
        _print("Optimizers", _whole(rules))
        _print("Combinators, as in cautious(adamw)", around.items())
        _print("Data sets", data.items())
        return
    _print("Studies", ((name, _cut(what, r"[,;:](?= )")) for name, what in studies.items()))
    _print("Optimizers", _folded(_by_parents(rules)))
    typer.echo(fill(f"Combinators, as in cautious(adamw): {', '.join(around)}", WIDTH, subsequent_indent="  "))
    typer.echo(fill(f"Data sets of {IMAGES}: {', '.join(data)}", WIDTH, subsequent_indent="  "))
    typer.echo("surefoot list --all shows every optimizer with its options.")


def _print(title: str, entries: Iterable[tuple[str, str]]) -> None:
    typer.echo(f"{title}:")
    for name, what in entries:
        lines = wrap(what, ROOM)
        typer.echo(f"  {name:<{MARGIN - 3}} {lines[0]}")
        for line in lines[1:]:
            typer.echo(f"{'':{MARGIN}}{line}")


def _cut(what: str, mark: str) -> str:
    """Return a text up to the last such mark that fits in a line; as it is, if there is none or all of it fits."""
    ends = [found.start() for found in re.finditer(mark, what) if found.start() <= ROOM]
    return what[: ends[-1]] if ends and len(what) > ROOM else what


def _whole(rules: Mapping[str, Rule]) -> Iterator[tuple[str, str]]:
    """Yield every rule with its sentence, then its options."""
    for name, rule in rules.items():
        yield name, rule.doc
        yield "", ", ".join(f"{option}={value}" for option, value in _options(rule).items())


def _folded(entries: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the first rule of each family with its sentence, then the names of the others."""
    families: dict[str, list[tuple[str, str]]] = {}
    for family, name, what in entries:
        families.setdefault(family, []).append((name, what))
    for first, *others in families.values():
        yield first[0], _cut(first[1], r"(?<=\.) ")
        if others:
            yield "", f"and {', '.join(name for name, _ in others)}"


def _by_parents(rules: Mapping[str, Rule]) -> Iterator[tuple[str, str, str]]:
    """Yield family, name and sentence of each rule: a rule that others build on, then those others."""
    parents = {name: rule.parent.name if rule.parent is not None else "" for name, rule in rules.items()}
    heads = {name for name, parent in parents.items() if rules[name].name in parents.values() or parent not in rules}
    for name in sorted(rules, key=lambda name: name not in heads):
        yield name if name in heads else parents[name], name, rules[name].doc


def _options(rule: Rule) -> dict[str, Any]:
    """Return the options that people set: the learning rate first, options of every rule last."""
    names = sorted(rule.defaults, key=lambda name: (name != "lr", name in WRAPPER_OPTIONS))
    shown = {name: rule.defaults[name] for name in names}
    return {name: value for name, value in shown.items() if not isinstance(value, bool) and value is not None}
