"""The design: stored before the first trial, found again by the same command, and another one for any other."""

import copy
import json

import pytest

from surefoot.comparison.planning import Options, ask
from surefoot.store import Store

SMALL = {"train_size": 500, "device": "cpu", "epochs": 1, "only": True, "optimizers": ("adam", "sgd(lr=0.1)")}


def asked(**changes):
    return ask("article-tuned", Options(**{**SMALL, "trials": 4, "seeds": 2, **changes}))


def test_the_design_is_in_the_store_before_any_trial_and_says_everything(tmp_path):
    with Store(tmp_path / "r.sqlite") as store:
        planned = asked().prepare(store)
        assert store.records() == []
        (kept,) = store.designs("article-tuned")
    assert kept == planned.design
    content = kept.content
    assert content["seeds"] == {"measure": [0, 1], "tune": [1000, 1001, 1002]}
    assert [one["label"] for one in content["optimizers"]] == ["Adam", "SGD(lr=0.1)"]
    assert content["protocol"]["epochs"] == 1
    assert content["finalists"] == 3
    assert len(content["search"]["Adam"]["configurations"]) == 4
    assert content["search"]["Adam"]["ranges"].keys() == {"lr"}
    assert content["sizing"] == {"epochs": 1, "trials": 4, "seeds": 2}
    assert kept.frozen.endswith("+00:00")


def test_the_same_command_goes_on_with_what_was_decided_first(tmp_path):
    with Store(tmp_path / "r.sqlite") as store:
        first = asked().prepare(store)
        content = copy.deepcopy(dict(first.design.content))
        content["search"]["Adam"]["configurations"][0]["lr"] = 0.77  # as another machine might have proposed it
        store._connection.execute("UPDATE designs SET content = ?", (json.dumps(content),))
        again = asked().prepare(store)
    assert again.design.hash == first.design.hash
    rates = [[trial.arm.hyper["lr"] for trial in plan.tuning.known({})] for plan in (first, again)]
    assert rates[1][0] == 0.77 != rates[0][0]
    assert rates[1][1:] == rates[0][1:]


@pytest.mark.parametrize(
    "changes",
    [
        {"trials": 5},
        {"seeds": 3},
        {"epochs": 2},
        {"train_size": 600},
        {"schedule": "cosine"},
        {"optimizers": ("adam", "sgd(lr=0.2)")},
        {"optimizers": ("adam",)},
        {"budget": "20min", "trials": None},
    ],
)
def test_another_decision_is_another_design(changes):
    assert asked(**changes).design({}).hash != asked().design({}).hash


def test_the_number_of_workers_decides_nothing():
    assert asked(workers=1).design({}).hash == asked(workers=2).design({}).hash
