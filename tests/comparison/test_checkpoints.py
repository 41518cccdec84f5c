"""Checkpoints outside the store: a trial goes on from them, they go with it, and the store names no missing one."""

from dataclasses import replace

import pytest

from line_task import line, numbers, serial, trials
from samples import DESIGN
from surefoot.comparison.checkpoints import Checkpoints
from surefoot.comparison.driver import Run
from surefoot.errors import StoreError, UsageError
from surefoot.store import Store
from surefoot.store.design import Budget
from surefoot.training.events import EpochDone
from surefoot.workers.runner import Runner


class StopError(Exception):
    """The driver is stopped here."""


pytestmark = pytest.mark.usefixtures("workers_here")


def run(store, url, stop_after=None):
    heard = []

    def observe(_, event):
        heard.append(event)
        if isinstance(event, EpochDone) and event.epoch.epoch == stop_after:
            raise StopError

    every = tuple(trials("adam(lr=0.1)"))
    design = replace(DESIGN, study="line", protocol=every[0].protocol, budget=Budget())
    planned = Run(design, every, line(), 1, runner=Runner(checkpoints=url))
    with Store(store) as results:
        planned.run(results, observe)
    return heard


@pytest.fixture(params=["folder", "file", "memory"])
def files(request, tmp_path):
    """A place for checkpoints and the names of the files in it."""
    fsspec = pytest.importorskip("fsspec")
    folder = tmp_path / "checkpoints"
    url = {"folder": str(folder), "file": f"file://{folder}", "memory": f"memory://{tmp_path}"}[request.param]
    system, root = fsspec.core.url_to_fs(url)
    return url, lambda: [path.rpartition("/")[2] for path in system.ls(root, detail=False)]


def test_a_trial_goes_on_from_its_file_and_ends_bit_equal(files, tmp_path):
    url, names = files
    (trial,) = trials("adam(lr=0.1)")
    with pytest.raises(StopError):
        run(tmp_path / "r.sqlite", url, stop_after=2)
    assert names() == [f"{trial.key}-2.pt"]
    with Store(tmp_path / "r.sqlite", readonly=True) as store:
        assert store.checkpoint(trial.key) == (2, b"")
    heard = run(tmp_path / "r.sqlite", url)
    assert heard[0].epoch == 2
    whole = numbers(serial([trial]))[trial.key]
    assert numbers(heard)[trial.key] == {3: whole[3], "end": whole["end"]}
    assert names() == []


def test_a_driver_killed_between_the_file_and_the_store_goes_on_from_the_epoch_before(files, tmp_path, monkeypatch):
    url, names = files
    (trial,) = trials("adam(lr=0.1)")
    saved, original = [], Store.save_epoch

    def save_epoch(self, *arguments):
        saved.append(arguments)
        if len(saved) == 2:
            raise StopError
        original(self, *arguments)

    monkeypatch.setattr(Store, "save_epoch", save_epoch)
    with pytest.raises(StopError):
        run(tmp_path / "r.sqlite", url)
    assert sorted(names()) == [f"{trial.key}-1.pt", f"{trial.key}-2.pt"]
    heard = run(tmp_path / "r.sqlite", url)
    assert heard[0].epoch == 1
    assert numbers(heard)[trial.key]["end"] == numbers(serial([trial]))[trial.key]["end"]
    assert names() == []


def test_without_the_folder_the_message_says_what_to_give(files, tmp_path):
    with pytest.raises(StopError):
        run(tmp_path / "r.sqlite", files[0], stop_after=1)
    with pytest.raises(StoreError, match="give the folder that has it as checkpoints"):
        run(tmp_path / "r.sqlite", None)


def test_a_folder_that_cannot_be_is_one_message(tmp_path):
    pytest.importorskip("fsspec")
    (tmp_path / "file").write_text("")
    with Store(tmp_path / "r.sqlite") as store:
        with pytest.raises(StoreError, match=r"cannot make the checkpoints in .*file/below.* see checkpoints"):
            Checkpoints(store, str(tmp_path / "file" / "below"))
        with pytest.raises(UsageError, match="checkpoints cannot be kept in nowhere://x: Protocol not known"):
            Checkpoints(store, "nowhere://x")
