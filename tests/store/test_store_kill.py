"""A driver that is killed at any moment loses at most the epoch that it was saving, and never damages the store."""

import random
import sqlite3
import subprocess
import sys
import time

import pytest

from surefoot.store import Store

KILLS = 15
STEPS_PER_EPOCH = 3
WRITER = """
import sys
from surefoot.store import Epoch, Rates, Record, Store
from surefoot.store.protocol import Protocol

with Store(sys.argv[1]) as store:
    store.begin(Record("k1", "s", "l", "r", "c", {}, 0, Protocol()))
    last = (store.checkpoint("k1") or (0, b""))[0]
    print("going", flush=True)
    while True:
        last += 1
        rates = [Rates(3 * last + i, (0.1,)) for i in range(3)]
        store.save_epoch("k1", Epoch(last, last, 1.0, 1.0, 1.0, 1.0), rates, last.to_bytes(4) * 100_000)
        print(last, flush=True)
"""


def run_and_kill(path, epochs: int, seconds: float) -> int:
    """Let a writer save so many epochs and run on for so long, kill it, and return the last that it reported."""
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"going\n"
        reported = [writer.stdout.readline() for _ in range(epochs)]
        time.sleep(seconds)
        writer.kill()
        reported += writer.stdout.read().splitlines(keepends=True)
    return max((int(line) for line in reported if line.endswith(b"\n")), default=0)


def check_whole(path) -> int:
    """Check that the store is sound and its parts agree; return its last epoch."""
    with Store(path) as store:
        record, saved = store.record("k1"), store.checkpoint("k1")
    last, content = saved or (0, b"")
    assert record.status == "running"
    assert [epoch.epoch for epoch in record.epochs] == list(range(1, last + 1))
    assert [rates.step for rates in record.rates] == list(range(3, 3 + STEPS_PER_EPOCH * last))
    assert content == (last.to_bytes(4) * 100_000 if last else b"")
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    return last


def test_killed_again_and_again(tmp_path):
    path = tmp_path / "results.db"
    seed = random.randrange(2**32)
    delays = random.Random(seed)
    last = 0
    for kill in range(KILLS):
        reported = max(last, run_and_kill(path, kill % 3, delays.uniform(0, 0.02)))
        last = check_whole(path)
        assert reported <= last <= reported + 1, f"seed {seed}"
    assert last >= KILLS


CREATOR = "import sys; from surefoot.store import Store; print(flush=True); Store(sys.argv[1])"


@pytest.mark.parametrize("milliseconds", [0, 0.3, 1, 2, 4, 8])
def test_killed_while_the_store_is_made(tmp_path, milliseconds):
    path = tmp_path / "results.db"
    with subprocess.Popen([sys.executable, "-c", CREATOR, path], stdout=subprocess.PIPE) as creator:
        creator.stdout.readline()
        time.sleep(milliseconds / 1000)
        creator.kill()
    with Store(path) as store:
        assert store.records() == []
