"""The schema of `--json`, made from the types of what is written: `python docs/pages/schema.py` writes it anew."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from surefoot.analysis import SuiteSummary, Summary
from surefoot.analysis.interim import Interim
from surefoot.analysis.rate_free import Prices
from surefoot.analysis.verdict import Pair, Verdict
from surefoot.store.looks import LookPlan
from surefoot.store.protocol import Metric, Protocol
from surefoot.words.as_json import CLAIMS, NUMBERS

FILE = Path(__file__).parents[1] / "schema" / "result.schema.json"

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TEXTS: Schema = {"type": "array", "items": TEXT}
NUMBER: Schema = {"type": ["number", "null"]}
"""A number that is not finite is null."""

PLAIN: dict[Any, Schema] = {str: TEXT, bool: {"type": "boolean"}, int: {"type": "integer"}, float: NUMBER, Any: {}}

CELL = {
    "description": "A cell of the table: words, or a number with its bounds.",
    "anyOf": [
        TEXT,
        {
            "type": "object",
            "properties": {"value": NUMBER, "low": NUMBER, "high": NUMBER, "unit": TEXT, "note": TEXT},
            "required": ["value", "low", "high", "unit", "note"],
            "additionalProperties": False,
        },
    ],
}

PLANNED = {
    "description": "What the search of an optimizer was planned to try.",
    "type": "object",
    "properties": {
        "trials": {"type": "integer"},
        "ranges": {"type": "object", "additionalProperties": TEXT},
        "sources": {"type": "object", "additionalProperties": TEXT},
    },
    "required": ["trials", "ranges", "sources"],
    "additionalProperties": False,
}


class Definitions:
    """The types that were met, each defined once."""

    def __init__(self) -> None:
        self.made: dict[str, Schema] = {}

    def of(self, kind: Any) -> Schema:
        """Return the schema of a type."""
        origin, parts = get_origin(kind), get_args(kind)
        if kind in PLAIN:
            return PLAIN[kind]
        if origin is Literal:
            return {"enum": list(parts)}
        if origin in (Union, UnionType):
            return self._either(parts)
        if origin in (tuple, list, Sequence):
            return {"type": "array", "items": self.of(parts[0])}
        if origin in (dict, Mapping):
            return {"type": "object", "additionalProperties": self.of(parts[1])}
        if is_dataclass(kind) and isinstance(kind, type):
            return self._named(kind)
        raise TypeError(f"{kind} has no schema; say in docs/pages/schema.py what it becomes.")

    def members(self, kind: type, names: Sequence[str]) -> dict[str, Schema]:
        """Return the schema of some members of a dataclass, by their names."""
        hints = get_type_hints(kind)
        return {name: self.of(hints[name]) for name in names}

    def _either(self, parts: Sequence[Any]) -> Schema:
        some = [self.of(part) for part in parts if part is not NoneType]
        if some == [NUMBER]:
            return NUMBER
        return {"anyOf": [*some, {"type": "null"}]} if NoneType in parts else {"anyOf": some}

    def _named(self, kind: type) -> Schema:
        name = kind.__name__
        if name not in self.made:
            self.made[name] = {}  # a type may have itself
            names = [one.name for one in fields(kind)]  # type: ignore[arg-type]
            members = self.members(kind, names)
            needed = names
            if kind is Pair:
                members |= {"answer": self.of(get_type_hints(Pair.answer.fget)["return"])}
                needed = [*members]
            if kind is Metric:  # `is_loss` is left out where name and direction tell it
                needed = [name for name in names if name != "is_loss"]
            if kind is Protocol:  # what stands at its oldest value is left out
                members, needed = {"version": PLAIN[int], **members, "recipe": {"type": "object"}}, ["version"]
            self.made[name] = {"description": _first_sentence(kind), **_object(members, needed)}
        return {"$ref": f"#/$defs/{name}"}


def schema() -> Schema:
    """Return the schema of what `compare`, `report` and `judge` print with `--json`."""
    known = Definitions()
    verdict = known.members(Verdict, (*CLAIMS, "pairs")) | {"sentences": TEXTS, "text": TEXT}
    result = known.members(Summary, [name for name in NUMBERS if name != "ranks"])
    looks = {"planned": known.of(LookPlan), **known.members(Interim, [one.name for one in fields(Interim)])}
    result |= {
        "looks": {"anyOf": [_object(looks, list(looks)), {"type": "null"}]},
        "ranks": known.of(get_type_hints(Summary.ranks.func)["return"]),
        "verdict": {"description": "What the seeds allow to say.", **_object(verdict, list(verdict))},
        "notes": TEXTS,
        "warnings": TEXTS,
        "tuning": known.of(get_type_hints(Summary)["tuning"]),
        "table": {"type": "array", "items": {"type": "object", "additionalProperties": CELL}},
        "planned": {"type": "object", "additionalProperties": PLANNED},
    }
    suite = known.members(SuiteSummary, [one.name for one in fields(SuiteSummary)])
    suite["without"] = {"type": "object", "additionalProperties": TEXT}
    known.made["Result"] = {
        "description": "One study, or the scores of one task.",
        **_object(result | {"price": known.of(Prices), "store": TEXT, "report": TEXT}, list(result)),
    }
    known.made["Suite"] = {
        "description": "Several studies, or the scores of several tasks.",
        **_object(suite | {"reports": TEXT}, list(suite)),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What surefoot compare, report and judge print with --json",
        "anyOf": [{"$ref": "#/$defs/Result"}, {"$ref": "#/$defs/Suite"}],
        "$defs": dict(sorted(known.made.items())),
    }


def _object(members: Mapping[str, Schema], needed: Sequence[str]) -> Schema:
    return {"type": "object", "properties": dict(members), "required": list(needed), "additionalProperties": False}


def _first_sentence(kind: type) -> str:
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())


def text() -> str:
    """Return the file."""
    return json.dumps(schema(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"{FILE}\n")
