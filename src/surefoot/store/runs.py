"""Which stored trials belong together: those that ran under one protocol, each setting under one name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count
from typing import Any

from surefoot.errors import StoreError
from surefoot.store.records import Design, Record

NOTED = frozenset({"chance"})
"""What a protocol notes for readers and what decides no number: the metric of guessing."""


def newest_run(records: Sequence[Record], study: str) -> list[Record]:
    """Return the records that share the protocol of the newest one; others would not compare with them.

    Raises:
        StoreError: the store has no trial of this study.
    """
    if not records:
        raise StoreError(f"the store has no trial of study {study!r}. Run `surefoot compare {study}` first.")
    protocol = decides(records[-1].protocol)
    return [record for record in records if decides(record.protocol) == protocol]


def newest_design(designs: Sequence[Design], records: Sequence[Record]) -> Design | None:
    """Return the design under which these records were made last; None if it is not in the store."""
    protocol = decides(records[-1].protocol)
    return next((one for one in reversed(designs) if decides(one.content["protocol"]) == protocol), None)


def decides(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the numbers of a trial: all but what is noted for readers."""
    return {name: value for name, value in protocol.items() if name not in NOTED}


def one_name_each(records: Sequence[Record]) -> list[Record]:
    """Return the records with one name for each setting: the newest that the user gave it.

    Runs at different times may have named one setting twice, or given one name to two settings: then the older setting
    gets a number after it. Trials that tuned stay together, under the newest name of what they chose.
    """
    names: dict[str, str] = {}
    for record in reversed(records):
        if record.purpose == "measure" and _setting(record) not in names:
            names[_setting(record)] = _free(record.label, names.values())
    searches = _searches(records, names)
    return [
        replace(record, label=searches[record.label] if record.purpose == "tune" else names[_setting(record)])
        for record in records
    ]


def _searches(records: Sequence[Record], names: Mapping[str, str]) -> dict[str, str]:
    """Return the new name of each label of tuning trials; `names` has the settings, the newest first."""
    tried: dict[str, set[str]] = {}
    for record in records:
        if record.purpose == "tune":
            tried.setdefault(record.label, set()).add(_setting(record))
    return {
        label: next((name for setting, name in names.items() if setting in settings), label)
        for label, settings in tried.items()
    }


def _free(label: str, taken: Collection[str]) -> str:
    numbered = (f"{label} ({number})" for number in count(2))
    return next(name for name in chain([label], numbered) if name not in taken)


def _setting(record: Record) -> str:
    return f"{record.rule} {sorted(record.hyper.items())}"
