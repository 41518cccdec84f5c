"""A tuned study: what the results so far ask for, and that no seed and no test image is used twice."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from planned_run import plan
from surefoot.analysis import summarize
from surefoot.errors import UsageError
from surefoot.options import Options
from surefoot.search.proposals import FIRST_TUNING_SEED
from surefoot.store import Epoch, Outcome, Store
from surefoot.words import notes
from surefoot.words.tuning import ledger

OUTCOME = Outcome(math.nan, math.nan, 0.1, 0.9, 0.01, 100, 100)


def study(**options):
    """Two optimizers, four trials each, three measuring seeds."""
    given = {"optimizers": ("adam", "slow=sgd(lr=0.1)", "momentum"), "only": True, "seeds": 3, "trials": 4, **options}
    return plan("article-tuned", Options(device="cpu", **given))


def ended(trial, accuracy: float, status: str = "finished"):
    """The record of a trial that ended with this validation accuracy."""
    epochs = (Epoch(1, 1.0, 0.5, 0.8, 0.4, accuracy),)
    return replace(trial.record({}), status=status, epochs=epochs, outcome=OUTCOME)


def hill(trial, best: float = 1e-3) -> float:
    """An accuracy that is best at one learning rate."""
    return 0.9 - 0.1 * abs(math.log10(trial.arm.hyper["lr"] / best))


def play(planned, accuracy=hill):
    """Run the study with made results; returns the records by key, and the rounds that were asked for."""
    records, rounds = {}, []
    while todo := [t for t in [*planned.trials, *planned.tuning.known(records)] if t.key not in records]:
        rounds.append(todo)
        records |= {trial.key: ended(trial, accuracy(trial)) for trial in todo}
    return records, rounds


def test_defaults_and_tuning_first_then_what_tuning_chose():
    records, rounds = play(study(), lambda trial: hill(trial, {"adam": 1e-3, "momentum": 5e-3}.get(trial.arm.rule, 1)))
    first, *_, last = rounds
    assert {t.purpose for t in first} == {"measure", "tune"}
    assert {t.arm.label for t in last} == {"Adam tuned", "Momentum tuned"}, "slow has nothing left to tune"
    assert {t.purpose for t in last} == {"measure"}
    tried = {
        r.hyper["lr"]: r.epochs[-1].validation_metric
        for r in records.values()
        if r.purpose == "tune" and r.rule == "adam"
    }  # the same on all seeds
    assert {t.arm.hyper["lr"] for t in last if t.arm.rule == "adam"} == {max(tried, key=tried.__getitem__)}


def test_every_optimizer_gets_as_many_trials():
    """Also where only one of them had its best at an edge."""
    records, _ = play(study(), lambda trial: hill(trial, 10.0 if trial.arm.rule == "adam" else 5e-3))
    count = {
        rule: sum(r.purpose == "tune" and r.rule == rule for r in records.values()) for rule in ("adam", "momentum")
    }
    assert count["adam"] == count["momentum"] == 8 + 3 * 2


def test_tuning_and_measuring_share_no_seed():
    records, _ = play(study())
    seeds = {purpose: {r.seed for r in records.values() if r.purpose == purpose} for purpose in ("tune", "measure")}
    assert seeds == {"measure": {0, 1, 2}, "tune": {FIRST_TUNING_SEED + place for place in range(3)}}


def lucky_once(trial, lucky, status="finished"):
    """The lowest learning rate has the best value on the first tuning seed, and on no other one."""
    if trial.purpose == "measure" or trial.arm.hyper["lr"] != lucky[trial.arm.rule]:
        return ended(trial, hill(trial))
    return ended(trial, 0.99) if trial.seed == FIRST_TUNING_SEED else ended(trial, 0.5, status)


@pytest.mark.parametrize("status", ["finished", "diverged"])
def test_luck_on_one_tuning_seed_does_not_choose(status):
    """DeepOBS#42: a tuner that uses one seed for each setting takes luck for skill."""
    planned, records = study(trials=8), {}
    first, rules = planned.tuning.known({}), ("adam", "momentum")
    lucky = {rule: min(t.arm.hyper["lr"] for t in first if t.arm.rule == rule) for rule in rules}
    while todo := [t for t in planned.tuning.known(records) if t.key not in records]:
        records |= {trial.key: lucky_once(trial, lucky, status) for trial in todo}
    for rule in rules:
        mine = [r for r in records.values() if r.rule == rule]
        again = {r.hyper["lr"] for r in mine if r.seed == FIRST_TUNING_SEED + 1}
        assert len(again) == 3
        assert lucky[rule] in again, "the best of the first seed is run again, like two others"
        assert again == {r.hyper["lr"] for r in mine if r.seed == FIRST_TUNING_SEED + 2}
        (chosen,) = {r.hyper["lr"] for r in mine if r.purpose == "measure"}
        assert chosen in again - {lucky[rule]}


def test_one_configuration_leaves_nothing_to_choose_and_is_not_run_again():
    known = study(trials=1).tuning.known({})
    records = {t.key: ended(t, hill(t)) for t in known}
    assert {t.seed for t in study(trials=1).tuning.known(records) if t.purpose == "tune"} == {FIRST_TUNING_SEED}


def test_a_result_that_is_missing_holds_the_choice_back():
    planned = study()
    todo = [*planned.trials, *planned.tuning.known({})]
    records = {t.key: ended(t, hill(t)) for t in todo}
    late = next(t for t in todo if t.purpose == "tune")
    records[late.key] = replace(records[late.key], status="running")
    assert all(t.purpose == "tune" for t in planned.tuning.known(records))


def test_what_diverged_is_not_chosen():
    planned = study()

    def made(trial):
        return ended(trial, 0.99, "diverged") if trial.arm.hyper["lr"] > 1e-3 else ended(trial, hill(trial))

    records = {}
    while todo := [t for t in planned.tuning.known(records) if t.key not in records]:
        records |= {trial.key: made(trial) for trial in todo}
    assert all(r.status == "finished" for r in records.values() if r.label == "Adam tuned" and r.purpose == "measure")


def test_the_order_in_which_trials_finish_does_not_show():
    records, _ = play(study())
    backwards = dict(reversed(records.items()))
    planned = study()
    assert planned.tuning.known(records) == planned.tuning.known(backwards)


def test_a_negative_number_of_trials():
    with pytest.raises(UsageError, match="trials is -1"):
        study(trials=-1)


@pytest.mark.usefixtures("workers_here")
def test_a_whole_tuned_study(tmp_path):
    """Trained for real, tiny: resumed it trains nothing, tuning saw no test image, and all are summarized."""
    from surefoot.analysis import summarize

    small = {"epochs": 1, "seeds": 2, "trials": 2, "train_size": 1000}
    planned = plan("logreg-digits", Options(("adam", "momentum"), only=True, device="cpu", **small))
    seen = []
    with Store(tmp_path / "r.sqlite") as store:
        records = planned.run(store, lambda trial, event: seen.append((trial, event)))
        assert planned.standing(store)[1] == []
        again = planned.run(store, lambda *_: pytest.fail("trained again"))
    assert again == records
    tuning = [r for r in records if r.purpose == "tune"]
    assert tuning
    assert all(math.isnan(r.outcome.test_metric) for r in tuning)
    rows = summarize(records).rows
    assert {row.label for row in rows} == {"Adam", "Momentum", "Adam tuned", "Momentum tuned"}
    assert all(row.n == 2 for row in rows)


def noisy(trial):
    """An accuracy that is best at one learning rate, with the luck of a seed and of a trial."""
    luck = math.sin(trial.seed) + 0.1 * math.sin(1e4 * trial.arm.hyper["lr"] * trial.seed)
    return hill(trial) + 1e-4 * luck


def finals(records, rule="adam"):
    """The seeds of the finalists of a rule, by learning rate, besides the first."""
    seeds: dict[float, set[int]] = {}
    for one in records.values():
        if one.part.role == "final" and one.rule == rule:
            seeds.setdefault(one.hyper["lr"], set()).add(one.seed)
    return seeds


def test_three_tuning_seeds_are_run_at_once_as_ever():
    _, rounds = play(study(trials=8))
    again = [todo for todo in rounds if any(t.part.role == "final" for t in todo)]
    assert [len({t.seed for t in todo}) for todo in again] == [2]
    assert study(trials=8).design.hash == study(trials=8, tune_seeds=3).design.hash
    assert study(trials=8).design.hash != study(trials=8, tune_seeds=8).design.hash


def test_finalists_race_in_rounds_of_one_seed_and_who_is_behind_is_dropped():
    """The best of each is clearly ahead, so after a few seeds the others are out, and it is measured."""
    planned = study(trials=8, tune_seeds=10)
    assert planned.design.tune == tuple(range(1000, 1010))
    records, rounds = play(planned, noisy)
    racing = [todo for todo in rounds if any(t.part.role == "final" for t in todo)]
    assert [len({t.seed for t in todo}) for todo in racing] == [2] + [1] * (len(racing) - 1)
    seeds = finals(records)
    assert len(seeds) == 3
    assert 2 <= min(map(len, seeds.values())) < 9
    best = max(seeds, key=lambda lr: -abs(math.log10(lr / 1e-3)))
    assert len(seeds[best]) == max(map(len, seeds.values()))
    assert {t.arm.hyper["lr"] for t in rounds[-1] if t.arm.rule == "adam"} == {best}


def test_a_race_of_equals_runs_to_its_end_for_all_alike():
    records, rounds = play(study(trials=8, tune_seeds=6), lambda trial: 0.9 + 1e-4 * math.sin(trial.seed))
    assert all(len(seeds) == 5 for rule in ("adam", "momentum") for seeds in finals(records, rule).values())
    assert len([todo for todo in rounds if any(t.part.role == "final" for t in todo)]) == 4


def test_a_race_follows_from_stored_results_whatever_their_order_and_wherever_it_was_stopped():
    planned = study(trials=8, tune_seeds=8)
    records, _ = play(planned, noisy)
    whole = planned.tuning.known(records)
    assert planned.tuning.known(dict(reversed(records.items()))) == whole
    for stop in range(0, len(whole), 7):
        begun = {trial.key: records[trial.key] for trial in whole[:stop]}
        known = planned.tuning.known(begun)
        assert known == whole[: len(known)]
        assert len(known) >= stop


def test_a_finalist_that_diverges_is_out_of_the_race():
    planned, records = study(trials=8, tune_seeds=6), {}
    first, rules = planned.tuning.known({}), ("adam", "momentum")
    lucky = {rule: min(t.arm.hyper["lr"] for t in first if t.arm.rule == rule) for rule in rules}
    while todo := [t for t in planned.tuning.known(records) if t.key not in records]:
        records |= {trial.key: lucky_once(trial, lucky, "diverged") for trial in todo}
    for rule in rules:
        assert finals(records, rule)[lucky[rule]] == {FIRST_TUNING_SEED + 1, FIRST_TUNING_SEED + 2}
        (chosen,) = {r.hyper["lr"] for r in records.values() if r.rule == rule and r.part.role == "measured"}
        assert chosen != lucky[rule]


def test_every_elimination_stands_in_the_ledger():
    planned = study(trials=8, tune_seeds=10)
    records, _ = play(planned, noisy)
    summary = summarize([*records.values()], planned.design)
    (adam, _) = summary.tuning
    seeds = {lr: len(found) for lr, found in finals(records).items()}
    chosen = next(one.chosen for one in adam.searched if one.name == "lr")
    assert adam.race == 10
    assert {one.values["lr"]: one.after for one in adam.eliminated} == {
        lr: 1 + run for lr, run in seeds.items() if lr != chosen
    }
    assert adam.best == next(one.metric for one in adam.tried if one.chosen)
    ((_, trials, *_), _) = ledger(summary).texts
    assert "best 3 raced on 10 seeds at most" in trials
    assert all(f"lr {one.values['lr']:.3g} dropped after {one.after}" in trials for one in adam.eliminated)
    assert "its best 3 raced on seeds 1001 to 10" in notes(summary)[0]


def test_without_a_race_the_ledger_is_as_it_was():
    planned = study(trials=8)
    records, _ = play(planned, noisy)
    summary = summarize([*records.values()], planned.design)
    assert [(row.race, row.eliminated) for row in summary.tuning] == [(None, ())] * 2
    assert "best 3 on 3 seeds" in ledger(summary).texts[0][1]
