"""The store: what goes in comes out, nothing but a store is touched, and each failure is one clear `StoreError`."""

import dataclasses
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surefoot.errors import StoreError
from surefoot.store import RATE_QUANTILES, Epoch, Outcome, Rates, Record, Store, schema
from surefoot.store.protocol import Metric, Protocol
from surefoot.store.schema import APPLICATION_ID, VERSION

QUANTILES = tuple(0.001 * q for q in RATE_QUANTILES)
OUTCOME = Outcome(0.085, 0.98, 0.01, 0.99, 0.14, 3_464_272, 432_266)
MEBI = 2**20


def trial(key="k1", study="article", **changed) -> Record:
    record = Record(key, study, "Adam", "adam", "keras", {"lr": 0.01}, 0, Protocol(epochs=5), {"python": "3.11"})
    return dataclasses.replace(record, **changed)


def epoch(number: int) -> Epoch:
    return Epoch(number, 12.5 * number, 0.5 / number, 0.9, 0.6 / number, 0.85)


def rates(number: int) -> list[Rates]:
    return [Rates(2 * number, QUANTILES), Rates(2 * number + 1, QUANTILES, 0.01, 0.2)]


def save(store: Store, key: str, *epochs: int, checkpoint: bytes = b"weights") -> None:
    for number in epochs:
        store.save_epoch(key, epoch(number), rates(number), checkpoint)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.db"


@pytest.fixture
def store(path):
    with Store(path) as opened:
        yield opened


# Round trip


def test_a_trial_from_begin_to_finish(store):
    record = trial()
    store.begin(record)
    assert store.record("k1") == record
    assert store.checkpoint("k1") is None
    save(store, "k1", 1)
    save(store, "k1", 2, checkpoint=b"later weights")
    assert store.checkpoint("k1") == (2, b"later weights")
    store.finish("k1", OUTCOME)
    assert store.checkpoint("k1") is None
    assert store.record("k1") == dataclasses.replace(
        record, status="finished", epochs=(epoch(1), epoch(2)), rates=(*rates(1), *rates(2)), outcome=OUTCOME
    )


@pytest.mark.parametrize(("method", "status"), [("diverge", "diverged"), ("fail", "failed")])
def test_other_ends_keep_epochs_and_reason_but_no_checkpoint(store, method, status):
    store.begin(trial())
    save(store, "k1", 1)
    getattr(store, method)("k1", "the loss became NaN in step 301")
    found = store.record("k1")
    assert (found.status, found.reason) == (status, "the loss became NaN in step 301")
    assert found.epochs == (epoch(1),)
    assert found.outcome is None
    assert store.checkpoint("k1") is None


def test_begin_again_goes_on_from_the_checkpoint(store):
    store.begin(trial())
    save(store, "k1", 1, 2)
    store.begin(trial(environment={"python": "3.12"}))
    assert store.checkpoint("k1") == (2, b"weights")
    save(store, "k1", 3)
    found = store.record("k1")
    assert found.epochs == (epoch(1), epoch(2), epoch(3))
    assert found.environment == {"python": "3.12"}


@pytest.mark.parametrize("end", [lambda s: s.fail("k1", "killed"), lambda s: s.finish("k1", OUTCOME)])
def test_begin_without_a_checkpoint_starts_anew(store, end):
    store.begin(trial())
    save(store, "k1", 1, 2)
    end(store)
    store.begin(trial())
    assert store.record("k1") == trial()
    save(store, "k1", 1)
    assert store.record("k1").epochs == (epoch(1),)


def test_records_in_order_of_first_begin_and_by_study(store):
    for key, study in (("z", "one"), ("a", "two"), ("m", "one")):
        store.begin(trial(key, study))
    store.begin(trial("z", "one"))
    assert [record.key for record in store.records()] == ["z", "a", "m"]
    assert [record.key for record in store.records("one")] == ["z", "m"]
    assert store.records("three") == []
    assert store.record("none") is None


def test_curves_go_to_their_own_trial(store):
    store.begin(trial("a"))
    store.begin(trial("b", "two"))
    save(store, "b", 1)
    save(store, "a", 1, 2)
    store.finish("b", OUTCOME)
    a, b = store.records()
    assert (len(a.epochs), len(a.rates), a.outcome) == (2, 4, None)
    assert (len(b.epochs), len(b.rates), b.outcome) == (1, 2, OUTCOME)
    assert store.records("two") == [b]


def test_statuses_of_the_known_keys(store):
    for key in "abc":
        store.begin(trial(key))
    store.diverge("b", "NaN")
    assert store.statuses(["a", "b", "unknown"]) == {"a": "running", "b": "diverged"}
    assert store.statuses([]) == {}


def test_a_trial_that_was_not_begun(store):
    for call in (
        lambda: store.finish("k9", OUTCOME),
        lambda: store.diverge("k9", "x"),
        lambda: save(store, "k9", 1),
    ):
        with pytest.raises(StoreError, match=r"no trial 'k9'. Enter it with Store\.begin"):
            call()


def test_nan_and_infinity_stay_apart_from_nothing(store):
    store.begin(trial(hyper={"clip": math.inf, "none": None}))
    store.save_epoch("k1", Epoch(1, 1.0, math.nan, 0.1, math.inf, -math.inf), [Rates(1, (math.nan,), math.nan)], b"")
    store.finish("k1", dataclasses.replace(OUTCOME, test_loss=math.nan))
    found = store.record("k1")
    assert found.hyper == {"clip": math.inf, "none": None}
    assert math.isnan(found.epochs[0].train_loss)
    assert (found.epochs[0].validation_loss, found.epochs[0].validation_metric) == (math.inf, -math.inf)
    assert math.isnan(found.rates[0].quantiles[0])
    assert math.isnan(found.rates[0].lower)
    assert found.rates[0].upper is None
    assert math.isnan(found.outcome.test_loss)


def test_what_was_written_is_there_after_opening_again(path):
    with Store(path) as store:
        store.begin(trial())
        save(store, "k1", 1)
        written = store.records()
    with Store(path) as store:
        assert store.records() == written
        assert store.checkpoint("k1") == (1, b"weights")


NUMBER = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf])
TEXT = st.text()
MAPPING = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | NUMBER | TEXT | st.lists(NUMBER))
EPOCHS = st.lists(st.tuples(*[NUMBER] * 5), max_size=3).map(lambda all_: [Epoch(i, *x) for i, x in enumerate(all_, 1)])
RATES = st.builds(Rates, st.just(1), st.tuples(*[NUMBER] * len(RATE_QUANTILES)), st.none() | NUMBER, st.none() | NUMBER)
BIG = st.integers(0, 2**63 - 1)
PROTOCOLS = st.builds(
    Protocol,
    TEXT,
    TEXT,
    *[st.integers()] * 5,
    device=TEXT,
    drop_last=st.booleans(),
    metric=st.builds(Metric, TEXT, st.sampled_from(["max", "min"]), st.booleans(), st.booleans()),
    fingerprint=TEXT,
    chance=st.none() | NUMBER,
)


def same(a: object, b: object) -> bool:
    """Equality in which NaN equals NaN and 0.0 equals -0.0."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    texts=st.tuples(*[TEXT] * 4),
    hyper=MAPPING,
    protocol=PROTOCOLS,
    environment=MAPPING,
    seed=BIG,
    epochs=EPOCHS,
    each=RATES,
    outcome=st.none() | st.builds(Outcome, *[NUMBER] * 5, BIG, BIG),
    checkpoint=st.binary(max_size=9000),
)
def test_any_record_comes_back_as_it_was(
    store, texts, hyper, protocol, environment, seed, epochs, each, outcome, checkpoint
):
    key = f"{len(store.records())} {texts[0]}"
    record = Record(key, *texts, hyper=hyper, seed=seed, protocol=protocol, environment=environment)
    store.begin(record)
    for finished in epochs:
        store.save_epoch(key, finished, [dataclasses.replace(each, step=finished.epoch)], checkpoint)
    assert store.checkpoint(key) == ((len(epochs), checkpoint) if epochs else None)
    if outcome is not None:
        store.finish(key, outcome)
    expected = dataclasses.replace(
        record,
        status="running" if outcome is None else "finished",
        epochs=tuple(epochs),
        rates=tuple(dataclasses.replace(each, step=finished.epoch) for finished in epochs),
        outcome=outcome,
    )
    assert same(dataclasses.asdict(store.record(key)), dataclasses.asdict(expected))


@pytest.mark.parametrize("wrong", [{"label": "\udcff"}, {"seed": 2**63}])
def test_a_value_that_no_database_holds(store, wrong):
    with pytest.raises(StoreError, match="cannot write the results store"):
        store.begin(trial(**wrong))
    assert store.records() == []


# Size and speed


def test_replaced_checkpoints_do_not_make_the_file_grow(store, path):
    log = Path(f"{path}-wal")
    store.begin(trial())
    for number in range(1, 51):
        save(store, "k1", number, checkpoint=os.urandom(MEBI))
    assert path.stat().st_size < 4 * MEBI
    assert log.stat().st_size < 20 * MEBI
    before = path.stat().st_size
    store.finish("k1", OUTCOME)
    store.begin(trial("k2"))
    save(store, "k2", 1, checkpoint=os.urandom(MEBI))
    assert path.stat().st_size <= before


def finished(path, epochs: int) -> None:
    with Store(path) as store:
        store.begin(trial())
        save(store, "k1", *range(1, epochs + 1), checkpoint=os.urandom(MEBI))
        store.finish("k1", OUTCOME)


def test_a_closed_store_holds_no_space_of_checkpoints(path):
    finished(path, 3)
    assert path.stat().st_size < MEBI // 10
    with Store(path, readonly=True) as store:
        assert len(store.record("k1").epochs) == 3


def test_a_store_that_somebody_reads_closes_with_its_space(path):
    finished(path, 1)
    with sqlite3.connect(path, isolation_level=None) as reader, Store(path) as store:
        store.begin(trial("k2"))
        save(store, "k2", 1, checkpoint=os.urandom(MEBI))
        store.finish("k2", OUTCOME)
        reader.execute("BEGIN")
        assert len(reader.execute("SELECT * FROM trials").fetchall()) == 2
        store.close()
        assert len(reader.execute("SELECT * FROM epochs").fetchall()) == 2
    reader.close()
    finished(path, 2)
    assert path.stat().st_size < MEBI // 10


def test_a_busy_reader_lets_the_log_grow_only_for_a_while(store, path):
    log = Path(f"{path}-wal")
    store.begin(trial())
    with sqlite3.connect(path, isolation_level=None) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM trials").fetchall()
        for number in range(1, 31):
            save(store, "k1", number, checkpoint=os.urandom(MEBI))
        assert log.stat().st_size > 20 * MEBI
        reader.execute("COMMIT")
    reader.close()
    save(store, "k1", 31, 32, checkpoint=os.urandom(MEBI))
    assert log.stat().st_size < 20 * MEBI


def test_ten_thousand_trials_load_with_few_queries(store):
    finished = "SELECT 1 + value, 1.0, 1.0, 1.0, 1.0, 1.0 FROM json_each('[0, 1, 2]')"
    with store._writing() as connection:
        for number in range(10_000):
            connection.execute(
                "INSERT INTO trials SELECT ?, ?, 's', 'l', 'r', 'c', '{\"lr\": 0.1}', 0, '{}', '{}', 'running', '',"
                " 'measure'",
                (number, f"k{number}"),
            )
        connection.execute(f"INSERT INTO epochs SELECT id, e.* FROM trials, ({finished}) e")
    statements: list[str] = []
    thousands: list[None] = []
    store._connection.set_trace_callback(statements.append)
    store._connection.set_progress_handler(lambda: thousands.append(None), 1000)
    found = store.records("s")
    store._connection.set_progress_handler(None, 0)
    assert len(found) == 10_000
    assert all(len(record.epochs) == 3 for record in found)
    assert len(statements) < 10
    assert len(thousands) < 4 * len(found), "more than a hundred of SQLite's instructions for each of the rows"


# Readers and writers


def test_a_reader_reads_while_the_writer_writes(store, path):
    store.begin(trial())
    with Store(path, readonly=True) as reader:
        assert reader.records() == [trial()]
        save(store, "k1", 1)
        assert reader.record("k1").epochs == (epoch(1),)
        with pytest.raises(StoreError, match="readonly"):
            reader.begin(trial("k2"))


def test_a_second_writer_is_refused_until_the_first_ends(path):
    with Store(path) as store:
        with pytest.raises(StoreError, match=r"another process is writing .*results\.db\. Wait .*as store\."):
            Store(path)
        store.begin(trial())
    with Store(path) as store:
        assert store.records() == [trial()]


HOLD = """
import multiprocessing, sys, time
from surefoot.store import Store
if __name__ == "__main__":
    store = Store(sys.argv[1])
    multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,)).start()
    print("open", flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_killed_writer_frees_the_store_even_if_its_workers_live_on(path):
    driver = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert driver.stdout.readline() == b"open\n"
        with pytest.raises(StoreError, match="another process"):
            Store(path)
        driver.kill()
        driver.wait()
        Store(path).close()
    finally:
        os.killpg(driver.pid, 9)  # the orphaned worker, in the session that this test made
        driver.wait()
        driver.stdout.close()


def test_another_programs_write_lock_is_waited_for_then_told(store, path):
    store._connection.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"locked\. Another program holds it"):
        store.begin(trial())
    other.close()
    store.begin(trial())


# Files that are no store, and failures


def listing(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def database(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("readonly", [False, True])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda p: p.write_text("# My notes\n" * 500),
            r"not a database\. The file is not a results store.*as the store",
        ),
        (lambda p: database(p, "CREATE TABLE mine (x)"), r"database of another program.*left as it is.*as the store"),
        (lambda p: database(p, "PRAGMA application_id = 7"), "database of another program"),
        (
            lambda p: database(p, f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {VERSION + 1}"),
            rf"of version {VERSION + 1}; this Surefoot knows up to version {VERSION}\. Upgrade surefoot.*as the store",
        ),
        (lambda p: database(p, f"PRAGMA application_id = {APPLICATION_ID}", "PRAGMA user_version = -1"), "version -1"),
        (lambda p: p.mkdir(), "cannot open the results store"),
    ],
    ids=["text", "other tables", "other application", "newer", "unknown version", "folder"],
)
def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path, path, make, message, readonly):
    make(path)
    before = None if path.is_dir() else listing(tmp_path)
    with pytest.raises(StoreError, match=message) as caught:
        Store(path, readonly=readonly)
    assert str(path) in str(caught.value)
    if before is not None:
        assert listing(tmp_path) == before


def test_reading_what_is_not_there(path):
    with pytest.raises(StoreError, match=r"there is no results store .*Run `surefoot compare` first"):
        Store(path, readonly=True)
    path.touch()
    with pytest.raises(StoreError, match="is empty"):
        Store(path, readonly=True)
    assert path.stat().st_size == 0


def test_an_empty_file_becomes_a_store(path):
    path.touch()
    Store(path).close()
    Store(path, readonly=True).close()


def test_making_the_tables_is_all_or_nothing(path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (schema.VERSION_1 + "; out of order",))
        with pytest.raises(StoreError, match="syntax error"):
            Store(path)
    with Store(path) as store:
        store.begin(trial())


def test_a_store_of_the_first_version_is_read_and_then_goes_on(path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (schema.VERSION_1,))
        patch.setattr(schema, "VERSION", 1)
        Store(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute(
            "INSERT INTO trials VALUES (1, 'k1', 'article', 'A', 'adam', 'keras', '{}', 0, '{}', '{}', 'finished', '')"
        )
        old.execute("INSERT INTO outcomes VALUES (1, 0.085, 0.98, 0.01, 0.99, 0.14, 3464272, 432266)")
    with Store(path, readonly=True) as reader:
        assert reader.records()[0].outcome == OUTCOME
    with Store(path) as store:
        store.begin(trial("k2"))
        store.finish("k2", dataclasses.replace(OUTCOME, engine="cpu"))
        assert [record.outcome.engine for record in store.records()] == ["", "cpu"]


def test_the_folder_is_made_or_the_error_says_why_not(tmp_path):
    Store(tmp_path / "new" / "folder" / "a.db").close()
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "a.db", Path("/proc/surefoot/a.db")):
        with pytest.raises(StoreError, match=r"cannot open the results store .*a\.db: .*as the store"):
            Store(place)


def test_names_with_signs_that_mean_something_in_a_uri(tmp_path):
    path = tmp_path / "what? 100% #1 é.db"
    with Store(path) as store:
        store.begin(trial())
    with Store(path, readonly=True) as reader:
        assert len(reader.records()) == 1


def test_a_full_disk_keeps_what_was_saved(store):
    store.begin(trial())
    save(store, "k1", 1)
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match=r"full\. Free some space, or give another file as the store"):
        save(store, "k1", 2, checkpoint=os.urandom(MEBI))
    assert store.record("k1").epochs == (epoch(1),)
    assert store.checkpoint("k1") == (1, b"weights")
    store._connection.execute("PRAGMA max_page_count = 1000000")
    save(store, "k1", 2, checkpoint=os.urandom(MEBI))
    assert len(store.record("k1").epochs) == 2


LIMITED = """
import resource, sys
from surefoot.store import Epoch, Store, Record
from surefoot.store.protocol import Protocol
from surefoot.errors import StoreError
store = Store(sys.argv[1])
store.begin(Record("k1", "s", "l", "r", "c", {}, 0, Protocol()))
store.save_epoch("k1", Epoch(1, 1, 1, 1, 1, 1), [], b"small")
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    store.save_epoch("k1", Epoch(2, 1, 1, 1, 1, 1), [], bytes(2**20))
except StoreError as error:
    print(error)
"""


def test_a_write_that_the_system_refuses(path):
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", LIMITED, path], capture_output=True, text=True, check=True)
    assert "cannot write the results store" in done.stdout
    assert "finished epochs are kept" in done.stdout
    with Store(path) as store:
        assert store.checkpoint("k1") == (1, b"small")


def test_a_damaged_store(path):
    with Store(path) as store:
        store.begin(trial())
        save(store, "k1", *range(1, 200))
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with Store(path) as store, pytest.raises(StoreError, match=r"malformed\. The file is damaged"):
        store.records()


def test_a_closed_store(path):
    store = Store(path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed database"):
        store.records()


UNPRIVILEGED = """
import os, sys
import urllib.parse  # pathlib of Python 3.13 imports it late, when Python itself may be out of this user's reach
from surefoot.errors import StoreError
from surefoot.store import Store
if os.geteuid() == 0:
    os.setuid(65534)
with Store(sys.argv[1] + "/a.db", readonly=True) as reader:
    print(reader.record("k1").status)
for path in ("/a.db", "/b.db", "/new/c.db"):
    try:
        with Store(sys.argv[1] + path) as store:
            store.fail("k1", "")
    except StoreError as error:
        print(error)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of another kind")
def test_a_folder_without_write_permission_can_be_read():
    folder = Path(tempfile.mkdtemp())  # tmp_path cannot be entered by another user
    try:
        with Store(folder / "a.db") as store:
            store.begin(trial())
        folder.chmod(0o555)
        (folder / "a.db").chmod(0o444)
        done = subprocess.run([sys.executable, "-c", UNPRIVILEGED, folder], capture_output=True, text=True, check=True)
        status, *errors = done.stdout.splitlines()
        assert status == "running"
        assert len(errors) == 3
        assert all(str(folder) in error and "as the store" in error for error in errors)
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
