"""Which stored trials belong together: those that ran under one protocol, each setting under one name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import chain, count

from surefoot.errors import StoreError
from surefoot.store.records import Record


def newest_run(records: Sequence[Record], study: str) -> list[Record]:
    """Return the records that share the protocol of the newest one; others would not compare with them.

    Raises:
        StoreError: the store has no trial of this study.
    """
    if not records:
        raise StoreError(f"the store has no trial of study {study!r}. Run `surefoot compare {study}` first.")
    protocol = dict(records[-1].protocol)
    return [record for record in records if dict(record.protocol) == protocol]


def one_name_each(records: Sequence[Record]) -> list[Record]:
    """Return the records with one name for each setting: the newest that the user gave it.

    Runs at different times may have named one setting twice, or given one name to two settings: then the older setting
    gets a number after it.
    """
    names: dict[str, str] = {}
    for record in reversed(records):
        if record.purpose == "measure" and _setting(record) not in names:
            names[_setting(record)] = _free(record.label, names.values())
    return [replace(record, label=names.get(_setting(record), record.label)) for record in records]


def _free(label: str, taken: Collection[str]) -> str:
    numbered = (f"{label} ({number})" for number in count(2))
    return next(name for name in chain([label], numbered) if name not in taken)


def _setting(record: Record) -> str:
    return f"{record.rule} {sorted(record.hyper.items())}"
