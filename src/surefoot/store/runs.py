"""Which stored trials belong together: those that ran under one protocol."""

from __future__ import annotations

from collections.abc import Sequence

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
