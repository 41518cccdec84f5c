"""A store that an older version made opens, gives the results that it gave, and goes on.

`stores/version3.sqlite` was made before a store knew which trials a run has, by two tuned studies of one epoch, and
`stores/version3.json` is what `surefoot report --json` then printed of them, in the words of today.
"""

import json
import shutil
from pathlib import Path

import pytest

import surefoot
from made_trials import made_trials
from paths import STORES
from surefoot.cli.__main__ import main  # noqa: F401  the command is run by a fixture
from surefoot.store import Store
from surefoot.store.ranges import log
from surefoot.store.schema import VERSION

__all__ = ["made_trials"]

PRINTED = json.loads((STORES / "version3.json").read_text(encoding="utf-8"))


@pytest.fixture
def old(tmp_path):
    return Path(shutil.copy(STORES / "version3.sqlite", tmp_path / "old.sqlite"))


def known_then(found, then):
    """What was printed now, without entries that came later."""
    if isinstance(then, dict):
        return {name: known_then(found[name], value) for name, value in then.items()}
    if isinstance(then, list):
        assert len(found) == len(then)
        return [known_then(*both) for both in zip(found, then, strict=True)]
    return found


@pytest.mark.parametrize("study", sorted(PRINTED))
def test_its_reports_are_as_they_were(surefoot_command, old, study):
    before = old.read_bytes()
    code, out, err = surefoot_command("report", study, "--store", old, "--json")
    assert code == 0, err
    assert known_then(json.loads(out), PRINTED[study]) == PRINTED[study]
    assert old.read_bytes() == before, "reading it changed it"


def test_opened_for_writing_it_has_the_relation(old):
    with Store(old) as store:
        designs = {design.study: design for design in store.designs()}
        parts = [(one.label, one.part.role, one.part.tuned_from) for one in store.planned(designs["beale"].hash)]
        (version,) = store._connection.execute("PRAGMA user_version").fetchone()
    assert version == VERSION
    assert designs["beale"].optimizers[0].ranges == {"lr": log(1e-4, 1e-2)}
    assert set(parts) == {
        *((label, "untuned", "") for label in ("mine", "Momentum")),
        *(
            (f"{label} tuned", role, label)
            for label in ("mine", "Momentum")
            for role in ("tuning", "final", "measured")
        ),
    }


@pytest.mark.usefixtures("made_trials")
def test_the_same_call_goes_on_with_its_run_and_trains_nothing(old):
    with Store(old, readonly=True) as store:
        hashes = [design.hash for design in store.designs("booth")]
        before = {record.key: record for record in store.records("booth")}
    study = surefoot.compare(
        "booth", optimizers=["adam", "sgd(lr=0.01)"], trials=2, seeds=2, epochs=1, device="cpu", store=old
    )
    assert [study.plan.design.hash] == hashes
    after = {record.key: record for record in study.records}
    assert after.keys() == before.keys()
    assert {key: repr(one.outcome) for key, one in after.items()} == {k: repr(one.outcome) for k, one in before.items()}
