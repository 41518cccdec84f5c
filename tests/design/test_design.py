"""The design: stored before the first trial, found again by the same command, and another one for any other."""

import pytest

from surefoot.arms.opt import Opt
from surefoot.comparison.ask import ask
from surefoot.options import Options
from surefoot.store import Store
from surefoot.store.design import Sizing

SMALL = {"train_size": 500, "device": "cpu", "epochs": 1, "only": True, "optimizers": ("adam", "sgd(lr=0.1)")}


def asked(**changes):
    return ask("article-tuned", Options(**{**SMALL, "trials": 4, "seeds": 2, **changes}))


def test_the_design_is_in_the_store_before_any_trial_and_says_everything(tmp_path):
    with Store(tmp_path / "r.sqlite") as store:
        planned = asked().prepare(store)
        assert store.records() == []
        (kept,) = store.designs("article-tuned")
    assert kept == planned.design
    assert (kept.measure, kept.tune) == ((0, 1), (1000, 1001, 1002))
    assert [one.label for one in kept.optimizers] == ["Adam", "SGD(lr=0.1)"]
    assert [(one.given, one.is_named) for one in kept.optimizers] == [({}, False), ({"lr": 0.1}, False)]
    assert kept.protocol == planned.protocol
    assert kept.protocol.epochs == 1
    assert len(kept.searches["Adam"].configurations) == 4
    assert kept.searches["Adam"].ranges == planned.tuning.spaces["Adam"].ranges
    assert kept.searches["Adam"].ranges.keys() == {"lr"}
    assert kept.sizing == Sizing(epochs=1, trials=4, seeds=2)
    assert kept.frozen.endswith("+00:00")


def test_the_trials_that_are_known_are_in_the_store_before_any_of_them_and_say_everything(tmp_path):
    with Store(tmp_path / "r.sqlite") as store:
        planned = asked().prepare(store)
        entered = store.planned(planned.design.hash)
    assert [one.key for one in entered] == [trial.key for trial in planned.beginning()]
    roles = [(one.label, one.seed, one.part.role, one.part.tuned_from, one.part.round) for one in entered]
    given = [(label, seed, "untuned", "", 0) for seed in (0, 1) for label in ("Adam", "SGD(lr=0.1)")]
    assert roles == given + 4 * [("Adam tuned", 1000, "tuning", "Adam", 0)]
    tried = [one.part.configuration for one in entered if one.part.tuned_from]
    assert tried == list(planned.design.searches["Adam"].configurations)


def test_the_same_command_goes_on_with_what_was_decided_first(tmp_path):
    with Store(tmp_path / "r.sqlite") as store:
        first = asked().prepare(store)
        lr = first.design.searches["Adam"].configurations[0]["lr"]
        for table, column in (("runs", "content"), ("run_trials", "configuration")):  # as another machine proposes it
            store._connection.execute(f"UPDATE {table} SET {column} = replace({column}, ?, '0.77')", (repr(lr),))
        again = asked().prepare(store)
        known = again.known(store)
    assert again.design.hash == first.design.hash
    rates = [[t.arm.hyper["lr"] for t in trials if t.part.tuned_from] for trials in (first.beginning(), known)]
    assert rates[1] == [t.arm.hyper["lr"] for t in again.tuning.first()]
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
    assert asked(**changes).hash != asked().hash


def test_an_option_that_is_given_its_default_is_not_searched_and_is_another_design():
    fixed = Opt("adam", lr=0.001, name="x").arm
    free = Opt("adam", name="x").arm
    assert fixed.hyper == free.hyper
    assert asked(optimizers=(fixed,)).hash != asked(optimizers=(free,)).hash


def test_the_number_of_workers_decides_nothing():
    assert asked(workers=1).hash == asked(workers=2).hash
