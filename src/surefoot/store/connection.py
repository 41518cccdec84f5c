"""The SQLite connection of a store: one writer at a time, any number of readers.

Write-ahead logging lets readers and the writer not wait for each other; `synchronous = FULL` costs one flush per
epoch and keeps finished epochs through a power cut too. The lock against a second writer is an exclusive SQLite
transaction on an empty file `<path>.lock`: the system drops it with the process, forked workers do not inherit it,
and it works wherever SQLite does. Removing that file could let two writers in, so it stays.

Every failure of a store leaves as one `StoreError` that says what to do. SQLite's messages are short ("disk I/O
error"); its result code decides the advice. Besides `sqlite3.Error` this takes `OSError`, raised when the folder is
made, and the two errors that Python's sqlite3 raises for values that no database can hold.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from surefoot.errors import Argument, StoreError
from surefoot.store.schema import ELSEWHERE, VERSION, migrate, number, recognise

BUSY_SECONDS = 10.0
LOG_BYTES = 16 * 2**20  # what the write-ahead log is cut back to: room for two or three checkpoints
PRIMARY = 0xFF  # an extended result code carries its primary code in the low byte
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


def open_reader(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write. For an older store it is to a copy in memory.

    Raises `StoreError` if there is no store of a known version, `sqlite3.Error` or `OSError` if it cannot be opened.
    """
    if not path.exists():
        raise StoreError(f"there is no results store {path}. Run `surefoot compare` first, or {ELSEWHERE}.")
    # A reader too makes a file of shared memory next to the store. Where it may not, and no writer has left a log,
    # the store can be read as a file that does not change.
    frozen = not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists()
    address = f"{path.as_uri()}?{'immutable=1' if frozen else 'mode=ro'}"
    with _closed_on_error(_connect(address, uri=True)) as connection:
        version = recognise(connection, path)
        if version == 0:
            raise StoreError(f"the results store {path} is empty. Run `surefoot compare` first, or {ELSEWHERE}.")
        return connection if version == VERSION else _newer_copy(connection, version)


def open_writer(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """Return the only writing connection to a store, and the lock to close after it. A missing store is made.

    Raises `StoreError` if it is no store of a known version or another writer has it, else as `open_reader` does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _closed_on_error(_connect(str(path))) as connection:
        recognise(connection, path)  # before a lock is made next to another program's file
        with _closed_on_error(_connect(f"{path}.lock", timeout=0)) as lock:
            _hold(lock, path)
            _prepare(connection, path)
            return connection, lock


@contextmanager
def transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    """Run a block in a transaction of this kind: DEFERRED to read, IMMEDIATE to write. Any exception undoes it."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some failures, as of a full disk, have undone it already
            connection.execute("ROLLBACK")
        raise


def shrink(connection: sqlite3.Connection) -> None:
    """Give the space of dropped checkpoints back, once it is most of the file.

    A full disk and another program at the file are reasons to leave the file as it is, and harm nothing.
    """
    with suppress(sqlite3.Error):
        if number(connection, "freelist_count") > number(connection, "page_count") // 2:
            connection.execute("VACUUM")


@contextmanager
def as_store_error(doing: str, path: Path) -> Iterator[None]:
    """Turn what goes wrong inside the block into a `StoreError`: "cannot <doing> <path>: reason. Advice"."""
    try:
        yield
    except (sqlite3.Error, OSError, OverflowError, UnicodeEncodeError) as error:
        code = sqlite3.SQLITE_CANTOPEN if isinstance(error, OSError) else _code(error)
        raise StoreError(f"cannot {doing} {path}: {error}. {ADVICE.get(code, '')}".rstrip()) from error


def _connect(database: str, timeout: float = BUSY_SECONDS, uri: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(database, timeout=timeout, isolation_level=None, uri=uri)


def _hold(lock: sqlite3.Connection, path: Path) -> None:
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if _code(error) != sqlite3.SQLITE_BUSY:
            raise
        raise StoreError(
            f"another process is writing the results store {path}. Wait until it has ended, or give another file as ",
            Argument("store"),
            ". Reports and dry runs read this one meanwhile.",
        ) from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    version = recognise(connection, path)
    if version < VERSION:
        with transaction(connection, "IMMEDIATE"):
            migrate(connection, version)


def _newer_copy(connection: sqlite3.Connection, version: int) -> sqlite3.Connection:
    copy = _connect(":memory:")
    with closing(connection):
        connection.backup(copy)
    migrate(copy, version)
    return copy


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


def _code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) & PRIMARY
