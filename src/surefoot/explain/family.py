"""The rules as a family: what each adds to the one before, when to use it and when not (`guide.toml`)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Claim:
    """Something said about a rule, and who says so."""

    text: str
    source: str


@dataclass(frozen=True)
class Kin:
    """A rule's place in the family.

    Attributes:
        title: what people call it.
        parent: the rule that it builds on; empty for the first.
        adds: what it adds to that.
        use, avoid: what speaks for it and against it.
    """

    title: str
    parent: str
    adds: str
    use: tuple[Claim, ...]
    avoid: tuple[Claim, ...]


def _read() -> dict[str, Kin]:
    table = tomllib.loads(files("surefoot.explain").joinpath("guide.toml").read_text(encoding="utf-8"))
    return {
        name: Kin(
            title=entry["title"],
            parent=entry.get("parent", ""),
            adds=entry["adds"],
            use=tuple(Claim(**claim) for claim in entry["use"]),
            avoid=tuple(Claim(**claim) for claim in entry["avoid"]),
        )
        for name, entry in table.items()
    }


KIN = _read()
"""Every rule's place, by its name."""


def tree(parent: str = "", trunk: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield each rule below `parent`, depth first: its name, the branch before it, and what goes on below it."""
    children = [name for name, kin in KIN.items() if kin.parent == parent]
    for name in children:
        last = name == children[-1]
        branch, below = ("", "") if not parent else ("└─ " if last else "├─ ", "   " if last else "│  ")
        yield name, trunk + branch, trunk + below
        yield from tree(name, trunk + below)
