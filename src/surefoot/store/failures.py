"""The border between SQLite and Surefoot: every failure of a store leaves as one `StoreError` that says what to do.

SQLite's messages are short ("disk I/O error"); its result code decides the advice. Besides `sqlite3.Error` the border
takes `OSError`, raised when the folder is made, and the two errors that Python's sqlite3 raises for values that no
database can hold.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from surefoot.errors import StoreError

PRIMARY = 0xFF  # an extended result code carries its primary code in the low byte
ELSEWHERE = "give another file as the store"
ADVICE = {
    sqlite3.SQLITE_FULL: f"Free some space, or {ELSEWHERE}, and run again; finished epochs are kept.",
    sqlite3.SQLITE_IOERR: f"Check the disk, or {ELSEWHERE}, and run again; finished epochs are kept.",
    sqlite3.SQLITE_READONLY: f"Allow writing to the file and its folder, or {ELSEWHERE}.",
    sqlite3.SQLITE_PERM: f"Allow access to the file and its folder, or {ELSEWHERE}.",
    sqlite3.SQLITE_CANTOPEN: f"Check that the folder exists and can be written to, or {ELSEWHERE}.",
    sqlite3.SQLITE_BUSY: f"Another program holds it: end that program and run again, or {ELSEWHERE}.",
    sqlite3.SQLITE_NOTADB: f"The file is not a results store; it was left as it is: {ELSEWHERE}.",
    sqlite3.SQLITE_CORRUPT: f"The file is damaged: bring back a copy, or {ELSEWHERE}.",
}


@contextmanager
def as_store_error(doing: str, path: Path) -> Iterator[None]:
    """Turn what goes wrong inside the block into a `StoreError`: "cannot <doing> <path>: reason. Advice"."""
    try:
        yield
    except (sqlite3.Error, OSError, OverflowError, UnicodeEncodeError) as error:
        code = sqlite3.SQLITE_CANTOPEN if isinstance(error, OSError) else _code(error)
        raise StoreError(f"cannot {doing} {path}: {error}. {ADVICE.get(code, '')}".rstrip()) from error


def is_busy(error: sqlite3.Error) -> bool:
    """Whether SQLite gave up because another connection holds the lock."""
    return _code(error) == sqlite3.SQLITE_BUSY


def _code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) & PRIMARY
