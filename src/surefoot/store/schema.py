"""The tables of a store, their version, and the marks of a store's file.

SQLite keeps two numbers in the file's header for this purpose: `application_id` says "a Surefoot store",
`user_version` which tables it has. Both are written in the transaction that makes the tables, so a file is a whole
store of one version or, killed before that, an empty file that the next run fills. Version n is reached by
`MIGRATIONS[n - 1]`; a published migration is never edited.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from surefoot.errors import StoreError
from surefoot.store.old_runs import relate

APPLICATION_ID = int.from_bytes(b"Sure")
ELSEWHERE = "give another file as the store"

VERSION_1 = """
CREATE TABLE trials (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    study TEXT NOT NULL,
    label TEXT NOT NULL,
    rule TEXT NOT NULL,
    convention TEXT NOT NULL,
    hyper TEXT NOT NULL,
    seed INTEGER NOT NULL,
    protocol TEXT NOT NULL,
    environment TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('running', 'finished', 'diverged', 'failed')),
    reason TEXT NOT NULL
);
CREATE INDEX trials_by_study ON trials (study);
CREATE TABLE epochs (
    trial INTEGER NOT NULL REFERENCES trials,
    epoch INTEGER NOT NULL,
    seconds REAL,
    train_loss REAL,
    train_accuracy REAL,
    validation_loss REAL,
    validation_accuracy REAL,
    PRIMARY KEY (trial, epoch)
) WITHOUT ROWID;
CREATE TABLE rates (
    trial INTEGER NOT NULL REFERENCES trials,
    step INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    quantiles TEXT NOT NULL,
    bounds TEXT NOT NULL,
    PRIMARY KEY (trial, step)
) WITHOUT ROWID;
CREATE TABLE outcomes (
    trial INTEGER PRIMARY KEY REFERENCES trials,
    test_loss REAL,
    test_accuracy REAL,
    train_loss REAL,
    train_accuracy REAL,
    step_seconds REAL,
    optimizer_bytes INTEGER NOT NULL,
    parameters INTEGER NOT NULL
);
CREATE TABLE checkpoints (
    trial INTEGER PRIMARY KEY REFERENCES trials,
    epoch INTEGER NOT NULL,
    data BLOB NOT NULL
);
"""

VERSION_2 = """
ALTER TABLE outcomes ADD COLUMN engine TEXT NOT NULL DEFAULT '';
ALTER TABLE trials ADD COLUMN purpose TEXT NOT NULL DEFAULT 'measure'
"""

VERSION_3 = """
ALTER TABLE epochs RENAME COLUMN train_accuracy TO train_metric;
ALTER TABLE epochs RENAME COLUMN validation_accuracy TO validation_metric;
ALTER TABLE outcomes RENAME COLUMN test_accuracy TO test_metric;
ALTER TABLE outcomes RENAME COLUMN train_accuracy TO train_metric;
CREATE TABLE designs (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    study TEXT NOT NULL,
    content TEXT NOT NULL,
    frozen TEXT NOT NULL,
    seconds REAL NOT NULL DEFAULT 0
)
"""

VERSION_4 = """
ALTER TABLE designs RENAME TO runs;
ALTER TABLE runs ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET used = id;
CREATE TABLE run_trials (
    run INTEGER NOT NULL REFERENCES runs,
    place INTEGER NOT NULL,
    key TEXT NOT NULL,
    label TEXT NOT NULL,
    seed INTEGER NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('untuned', 'tuning', 'final', 'measured')),
    tuned_from TEXT NOT NULL,
    configuration TEXT NOT NULL,
    round INTEGER NOT NULL,
    PRIMARY KEY (run, place)
) WITHOUT ROWID
"""

VERSION_5 = """
ALTER TABLE outcomes ADD COLUMN gradients REAL NOT NULL DEFAULT 1;
ALTER TABLE outcomes ADD COLUMN others TEXT NOT NULL DEFAULT '{}'
"""

VERSION_6 = """
CREATE TABLE looks (
    run INTEGER NOT NULL REFERENCES runs,
    seeds INTEGER NOT NULL,
    taken TEXT NOT NULL,
    PRIMARY KEY (run, seeds)
) WITHOUT ROWID
"""

VERSION_7 = """
UPDATE runs SET content = json_set(content, '$.over', substr(study, length('rate-free-') + 1))
WHERE substr(study, 1, length('rate-free-')) = 'rate-free-' AND json_extract(content, '$.protocol.task') IS NOT study;
UPDATE runs SET content = json_set(content, (
    SELECT one.fullkey || '.range_test' FROM json_each(content, '$.optimizers') AS one
    WHERE json_extract(one.value, '$.label') = 'AdamW(schedule=cosine) at lr-find''s centre'
), 1000)
WHERE json_extract(content, '$.over') IS NOT NULL AND content LIKE '%at lr-find''s centre%'
"""

MIGRATIONS = (VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5, VERSION_6, VERSION_7)
VERSION = len(MIGRATIONS)


def recognise(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the store at `path`, 0 for an empty file. Reads only.

    Raises:
        StoreError: the file is another program's database, or a store of a version that this program does not know.
    """
    application, version = number(connection, "application_id"), number(connection, "user_version")
    if application == APPLICATION_ID and 1 <= version <= VERSION:
        return version
    if application == APPLICATION_ID:
        raise StoreError(
            f"{path} is a Surefoot store of version {version}; this Surefoot knows up to version {VERSION}. "
            f"Upgrade surefoot, or {ELSEWHERE}."
        )
    if application or version or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreError(
            f"{path} is the SQLite database of another program; it was left as it is. "
            f"Expected a Surefoot store, an empty file or none: {ELSEWHERE}."
        )
    return 0


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring the store from `version` to `VERSION`, inside the caller's transaction."""
    for script in MIGRATIONS[version:]:
        for statement in script.split(";"):  # executescript would commit first
            connection.execute(statement)
        if script is VERSION_4:
            relate(connection)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def number(connection: sqlite3.Connection, pragma: str) -> int:
    """Return the value of one of SQLite's pragmas."""
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
