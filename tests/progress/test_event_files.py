"""TensorBoard's event files say what the store says, for every trial in a run of its own."""

import sys
from dataclasses import replace

import pytest
from tensorboardX.proto.event_pb2 import Event as Stored

from planned_run import plan
from surefoot.errors import UsageError
from surefoot.options import Options
from surefoot.progress.tensorboard import event_files, run_name
from surefoot.store import Epoch, Outcome
from surefoot.store.protocol import Metric
from surefoot.training import events


def scalars(folder):
    """Every scalar in the event files of a folder: (name, step, value)."""
    found = []
    for file in folder.glob("events.*"):
        content = file.read_bytes()
        while content:
            size = int.from_bytes(content[:8], "little")
            stored = Stored.FromString(content[12 : 12 + size])
            found += [(value.tag, stored.step, value.simple_value) for value in stored.summary.value]
            content = content[16 + size :]
    return found


@pytest.fixture(scope="module")
def trial():
    return plan("rosenbrock", Options(optimizers=("a/b=sgd(lr=0.1)",), only=True, epochs=2, device="cpu")).trials[0]


def test_epochs_and_the_test_are_written_at_their_steps(tmp_path, trial):
    steps = trial.protocol.steps_per_epoch
    with event_files(tmp_path) as observe:
        observe(trial, events.Started(trial.key, 0))
        for n in (1, 2):
            observe(trial, events.EpochDone(trial.key, Epoch(n, n / 8, 0.5 / n, 0.25 / n, 4.0, 2.0), (), b""))
        observe(trial, events.Finished(trial.key, Outcome(8.0, 16.0, 1.0, 1.0, 0.01, 0, 2)))
    (folder,) = (tmp_path / "rosenbrock").glob("*/*")
    assert folder == tmp_path / run_name(trial)
    assert "a_b" in folder.parts[-2]
    found = scalars(folder)
    assert ("train/loss", steps, 0.5) in found
    assert ("train/distance_to_minimum", 2 * steps, 0.125) in found
    assert ("validation/loss", 2 * steps, 4.0) in found
    assert ("test/loss", 2 * steps, 8.0) in found
    assert ("test/distance_to_minimum", 2 * steps, 16.0) in found


def test_a_users_metric_that_is_called_loss_takes_no_place_of_the_loss(tmp_path, trial):
    named = replace(trial, protocol=replace(trial.protocol, metric=Metric("loss", "max", share=False)))
    with event_files(tmp_path) as observe:
        observe(named, events.Started(named.key, 0))
        observe(named, events.Finished(named.key, Outcome(8.0, 16.0, 1.0, 1.0, 0.01, 0, 2)))
    (folder,) = (tmp_path / "rosenbrock").glob("*/*")
    assert {(name, value) for name, _, value in scalars(folder)} >= {("test/loss", 8.0), ("test/metric_loss", 16.0)}


@pytest.mark.parametrize(
    "last",
    [
        lambda key: events.Finished(key, Outcome(8.0, 16.0, 1.0, 1.0, 0.01, 0, 2)),
        lambda key: events.Diverged(key, "no"),
        lambda key: events.Failed(key, "no"),
    ],
)
def test_a_trials_file_is_closed_when_it_ends_and_no_later(tmp_path, trial, monkeypatch, last):
    closed = []
    monkeypatch.setattr("tensorboardX.SummaryWriter.close", lambda self: closed.append(self))
    with event_files(tmp_path) as observe:
        observe(trial, events.EpochDone(trial.key, Epoch(1, 0.1, 0.5, 0.25, 4.0, 2.0), (), b""))
        assert closed == []
        observe(trial, last(trial.key))
        assert len(closed) == 1
    assert len(closed) == 1


def test_without_the_library_the_install_line_is_the_error(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UsageError, match=r"pip install 'surefoot\[tensorboard\]'"), event_files(tmp_path):
        pass
