"""Which targets are chosen, and the traces that they are chosen from."""

from dataclasses import replace

import pytest

from samples import diverged, running, trial
from surefoot.analysis import group
from surefoot.analysis.scale import Scale
from surefoot.analysis.target import choose_targets, traces, traces_by_clock
from surefoot.errors import UsageError
from surefoot.statistics.survival import time_to_target
from surefoot.store.protocol import Protocol


def test_no_target_is_chosen_that_is_refused():
    records = [trial(label, seed=seed) for label in ("Adam", "Adadelta") for seed in range(3)]
    arms = group([*records[:5], diverged(records[5], 2)])
    everything = {arm.label: traces(arm) for arm in arms}
    _, chosen = choose_targets(traces_by_clock(arms), Scale())
    assert chosen == (0.97, 0.98)
    for target in chosen:
        assert time_to_target(everything, target)


def test_traces_of_an_arm_on_three_clocks():
    record = trial(epochs=3)
    (arm,) = group([record, diverged(replace(record, seed=1, key="b"), 2), running(replace(record, seed=2, key="c"))])
    by_epoch = traces(arm)
    assert {seed: one.diverged for seed, one in by_epoch.items()} == {0: False, 1: True}
    assert (by_epoch[0].clock, by_epoch[1].clock) == ((1, 2, 3), (1, 2))
    assert by_epoch[0].values == tuple(epoch.validation_metric for epoch in record.epochs)
    assert traces(arm, "steps")[0].clock == (192, 384, 576)
    assert traces(arm, "seconds")[0].clock == tuple(epoch.seconds for epoch in record.epochs)


def test_an_incomplete_batch_is_a_step():
    record = trial(epochs=1)
    (arm,) = group([replace(record, protocol=replace(record.protocol, train_size=251))])
    assert traces(arm, "steps")[0].clock == (2,)


def test_steps_that_the_protocol_does_not_tell_are_refused():
    (arm,) = group([replace(trial(), protocol=Protocol())])
    assert "steps" not in traces_by_clock([arm])
    with pytest.raises(UsageError, match="steps are unknown"):
        traces(arm, "steps")
