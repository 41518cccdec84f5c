"""`Store`: the results of studies in one SQLite file, with one writer and any number of readers.

A finished epoch is one transaction (its figures, its rates, the checkpoint to go on from), so a process that is killed
at any moment loses at most the epoch that it was computing. A checkpoint is kept only while its trial runs: each
replaces the one before, and the space is used again, and given back when the store is closed.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any

from surefoot.errors import StoreError
from surefoot.store import rows
from surefoot.store.connection import as_store_error, open_reader, open_writer, shrink, transaction
from surefoot.store.design import COLUMNS, Design, Planned, TrialPart
from surefoot.store.records import Epoch, Outcome, Rates, Record, Status

BEGIN = """
INSERT INTO trials (key, study, label, rule, convention, hyper, seed, purpose, protocol, environment, status, reason)
VALUES (:key, :study, :label, :rule, :convention, :hyper, :seed, :purpose, :protocol, :environment, 'running', '')
ON CONFLICT (key) DO UPDATE SET status = 'running', reason = '', environment = excluded.environment
"""

LAST_EPOCHS = (
    "(SELECT * FROM epochs WHERE epoch = (SELECT max(epoch) FROM epochs AS own WHERE own.trial = epochs.trial))"
)

FREEZE = """
INSERT INTO runs (hash, study, content, frozen, seconds, used) VALUES (?, ?, ?, ?, ?, (SELECT count(*) FROM runs))
ON CONFLICT (hash) DO NOTHING
"""

USE = "UPDATE runs SET used = (SELECT max(used) + 1 FROM runs) WHERE hash = ?"

THE_RUN = "(SELECT id FROM runs WHERE hash = ?)"

LOOKED = "(SELECT json_group_object(seeds, taken) FROM looks WHERE run = runs.id) AS looked"

IN_THE_RUN = f"key IN (SELECT key FROM run_trials WHERE run = {THE_RUN})"

RUN = f"""
SELECT id, {", ".join(f"trials.{name}" for name in rows.TRIAL)},
    run_trials.label, role, tuned_from, configuration, round
FROM run_trials JOIN trials USING (key) WHERE run = {THE_RUN} ORDER BY place
"""


class Store:
    """A file of trials. Open it for writing in the process that drives a study, read-only everywhere else.

    Use it as a context manager, only in the thread that opened it, and not in a forked child. Every method raises
    `StoreError` when SQLite reports a failure (full disk, damaged file, a read-only store); what was saved stays.

    Args:
        path: the file. For writing, it and its folder are made if they are missing.
        readonly: read an existing store, even while another process writes it.

    Raises:
        StoreError: the file is not a store that this version knows, or another process writes it.

    Example:
        >>> with Store("results.db") as store:  # doctest: +SKIP
        ...     store.begin(record)
        ...     store.save_epoch(record.key, epoch, rates, checkpoint)
        ...     store.finish(record.key, outcome)
    """

    def __init__(self, path: str | os.PathLike[str], *, readonly: bool = False) -> None:
        self.path = Path(path).absolute()
        self._lock: sqlite3.Connection | None = None
        with as_store_error("open the results store", self.path):
            if readonly:
                self._connection = open_reader(self.path)
            else:
                self._connection, self._lock = open_writer(self.path)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let the next writer in; a second call does nothing."""
        with as_store_error("close the results store", self.path):
            if self._lock is not None:
                shrink(self._connection)
            self._connection.close()
            if self._lock is not None:
                self._lock.close()

    def begin(self, record: Record) -> None:
        """Enter the trial if it is new and set it running. Without a checkpoint it starts anew.

        A trial that is there keeps its identity and place; its environment becomes this record's.
        """
        with self._writing() as connection:
            connection.execute(BEGIN, rows.trial_row(record))
            trial = self._trial(record.key)
            saved = connection.execute("SELECT epoch FROM checkpoints WHERE trial = ?", (trial,)).fetchone()
            last = saved[0] if saved else 0
            connection.execute("DELETE FROM epochs WHERE trial = ? AND epoch > ?", (trial, last))
            connection.execute("DELETE FROM rates WHERE trial = ? AND epoch > ?", (trial, last))
            connection.execute("DELETE FROM outcomes WHERE trial = ?", (trial,))

    def save_epoch(self, key: str, epoch: Epoch, rates: Sequence[Rates], checkpoint: bytes | None) -> None:
        """Save a finished epoch with its rates and the trial's new checkpoint: all or nothing."""
        with self._writing() as connection:
            trial = self._trial(key)
            connection.execute("INSERT INTO epochs VALUES (?, ?, ?, ?, ?, ?, ?)", (trial, *astuple(epoch)))
            found = [rows.rates_row(trial, epoch.epoch, each) for each in rates]
            connection.executemany("INSERT INTO rates VALUES (?, ?, ?, ?, ?)", found)
            if checkpoint is not None:
                connection.execute("REPLACE INTO checkpoints VALUES (?, ?, ?)", (trial, epoch.epoch, checkpoint))

    def finish(self, key: str, outcome: Outcome) -> None:
        """End a trial after its last epoch and drop its checkpoint."""
        with self._writing() as connection:
            trial = self._end(key, "finished", "")
            row = (trial, *astuple(outcome)[:-1], json.dumps(dict(outcome.others)))
            connection.execute(f"INSERT INTO outcomes VALUES ({', '.join('?' * len(row))})", row)

    def diverge(self, key: str, reason: str) -> None:
        """End a trial whose numbers ran away, which is a result; the epochs before stay."""
        with self._writing():
            self._end(key, "diverged", reason)

    def fail(self, key: str, reason: str) -> None:
        """End a trial that could not be run; `begin` starts it anew."""
        with self._writing():
            self._end(key, "failed", reason)

    def freeze(self, design: Design) -> Design:
        """Enter a run if it is new and make it the latest. Returns its design as first stored."""
        with self._writing() as connection:
            content = json.dumps(design.to_json())
            connection.execute(FREEZE, (design.hash, design.study, content, design.frozen, design.seconds))
            connection.execute(USE, (design.hash,))
        return self._designs("WHERE hash = ?", design.hash)[0]

    def design(self, hash_: str) -> Design | None:
        """Return the design of this hash, or None."""
        found = self._designs("WHERE hash = ?", hash_)
        return found[0] if found else None

    def designs(self, study: str | None = None) -> list[Design]:
        """Return the designs of all runs, or of one study, the latest at the end."""
        return self._designs("") if study is None else self._designs("WHERE study = ?", study)

    def spend(self, hash_: str, seconds: float) -> None:
        """Set the time that running a design has taken so far."""
        with self._writing() as connection:
            connection.execute("UPDATE runs SET seconds = ? WHERE hash = ?", (seconds, hash_))

    def look(self, hash_: str, seeds: Iterable[int], at: str) -> None:
        """Note a look at a run with this many seeds, and its time. A look that is noted already stays."""
        with self._writing() as connection:
            rows_ = [(hash_, one, at) for one in seeds]
            connection.executemany(f"INSERT OR IGNORE INTO looks VALUES ({THE_RUN}, ?, ?)", rows_)

    def plan(self, hash_: str, trials: Iterable[Planned], after: int) -> None:
        """Enter the planned trials of the rounds after this one, in order. They replace earlier ones."""
        with self._writing() as connection:
            connection.execute(f"DELETE FROM run_trials WHERE run = {THE_RUN} AND round > ?", (hash_, after))
            count = f"SELECT count(*) FROM run_trials WHERE run = {THE_RUN}"
            (kept,) = connection.execute(count, (hash_,)).fetchone()
            planned = [(hash_, *rows.planned_row(place, one)) for place, one in enumerate(trials, kept)]
            connection.executemany(f"INSERT INTO run_trials VALUES ({THE_RUN}, ?, ?, ?, ?, ?, ?, ?, ?)", planned)

    def planned(self, hash_: str) -> list[Planned]:
        """Return the planned trials of a run, in the order in which they start, begun or not."""
        design = self.design(hash_)
        searches = design.searches if design else {}
        query = f"SELECT {rows.PLANNED} FROM run_trials WHERE run = {THE_RUN} ORDER BY place"
        return [rows.planned(row, searches) for row in self._rows(query, hash_)]

    def run(self, design: Design, *, curves: bool = True) -> list[Record]:
        """Return the trials of a run that have begun, in its order and under its labels."""
        stored = self.design(design.hash)
        with self._reading():
            found = self._columns(RUN, rows.OF_A_RUN, IN_THE_RUN, [design.hash], curves=curves)
            earlier = self._rows(rows.EARLIER.format(run=THE_RUN), design.hash, design.hash)
            judged = rows.looks_by_key(earlier, self._rows(rows.RUNS.format(run=THE_RUN), design.hash))
        found |= {
            "study": [design.study] * len(found["key"]),
            "label": found["name"],
            "part": rows.parts(found, stored.searches if stored else {}),
            "judged": [judged.get(key, frozenset()) for key in found["key"]],
        }
        return rows.records(found)

    def checkpoint(self, key: str) -> tuple[int, bytes] | None:
        """Return the last epoch and the checkpoint of a trial that has not ended; None without one."""
        query = "SELECT epoch, data FROM checkpoints WHERE trial = (SELECT id FROM trials WHERE key = ?)"
        found: list[Any] = self._rows(query, key)
        return found[0] if found else None

    def record(self, key: str) -> Record | None:
        """Return the trial of this key with its curves, or None."""
        found = self._read("key = ?", key)
        return found[0] if found else None

    def records(self, study: str | None = None, *, curves: bool = True) -> list[Record]:
        """Return all trials, or those of one study, in the order in which they first began.

        Without `curves` each has its last epoch only and no rates: ten times as quick.
        """
        where, values = ("TRUE", ()) if study is None else ("study = ?", (study,))
        return self._read(where, *values, curves=curves)

    def statuses(self, keys: Iterable[str]) -> dict[str, Status]:
        """Return the status of each of these trials that the store has. No curves are read."""
        wanted = set(keys)
        return {key: status for key, status in self._rows("SELECT key, status FROM trials") if key in wanted}

    def _designs(self, where: str, *values: str) -> list[Design]:
        query = f"SELECT content, {LOOKED}, {', '.join(COLUMNS)} FROM runs {where} ORDER BY used"
        found = [
            (row[0], rows.looked(row[1]), zip(COLUMNS, row[2:], strict=True)) for row in self._rows(query, *values)
        ]
        return [Design.from_json(json.loads(content), **dict(kept), looked=looked) for content, looked, kept in found]

    def _rows(self, query: str, *values: Any) -> list[rows.Row]:
        with as_store_error("read the results store", self.path):
            return self._connection.execute(query, values).fetchall()

    def _read(self, where: str, *values: str, curves: bool = True) -> list[Record]:
        query = f"SELECT id, {', '.join(rows.TRIAL)} FROM trials WHERE {where} ORDER BY id"
        with self._reading():
            found = self._columns(query, ("id", *rows.TRIAL), where, values, curves=curves)
        count = len(found["key"])
        return rows.records(found | {"part": [TrialPart()] * count, "judged": [frozenset()] * count})

    def _columns(
        self, query: str, names: Sequence[str], where: str, values: Sequence[str], *, curves: bool
    ) -> rows.Columns:
        """Return the trials of a query with their epochs, rates and outcomes, column by column."""

        def select(what: str, order: str) -> list[rows.Row]:
            return self._rows(f"{what} WHERE trial IN (SELECT id FROM trials WHERE {where}) ORDER BY {order}", *values)

        found = rows.columns(self._rows(query, *values), names)
        epochs = rows.epochs_by_trial(select(f"SELECT * FROM {'epochs' if curves else LAST_EPOCHS}", "trial, epoch"))
        lines = select("SELECT trial, step, quantiles, bounds FROM rates", "trial, step") if curves else []
        rates, outcomes = rows.rates_by_trial(lines), rows.outcomes_by_trial(select("SELECT * FROM outcomes", "trial"))
        return found | {
            "epochs": [epochs.get(trial, ()) for trial in found["id"]],
            "rates": [rates.get(trial, ()) for trial in found["id"]],
            "outcome": [outcomes.get(trial) for trial in found["id"]],
        }

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with as_store_error("read the results store", self.path), transaction(self._connection, "DEFERRED"):
            yield

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with as_store_error("write the results store", self.path), transaction(self._connection, "IMMEDIATE"):
            yield self._connection

    def _trial(self, key: str) -> int:
        row = self._connection.execute("SELECT id FROM trials WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise StoreError(f"{self.path} has no trial {key!r}. Enter it with Store.begin first.")
        return int(row[0])

    def _end(self, key: str, status: Status, reason: str) -> int:
        trial = self._trial(key)
        self._connection.execute("UPDATE trials SET status = ?, reason = ? WHERE id = ?", (status, reason, trial))
        self._connection.execute("DELETE FROM checkpoints WHERE trial = ?", (trial,))
        return trial
