"""The examples of tasks: each learns, with every optimizer that it names."""

import importlib.util

import pytest

from paths import ROOT
from surefoot.comparison.ask import ask
from surefoot.design.trial import Trial
from surefoot.options import Options
from surefoot.training.events import EpochDone, Finished
from surefoot.training.loop import Training

FOLDER = ROOT / "examples" / "own_task"
EPOCHS = {"closures": 60, "images": 5}
GRADIENTS = {"SAM": 2, "LBFGS": 5}


def module_of(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_on_the_page():
    page = (ROOT / "docs" / "own-task.md").read_text(encoding="utf-8")
    assert {path.stem for path in FOLDER.glob("*.py")} == EPOCHS.keys()
    assert all(f"examples/own_task/{name}.py" in page for name in EPOCHS)


@pytest.mark.usefixtures("one_thread", "kernel_cache")
@pytest.mark.parametrize("name", EPOCHS)
def test_an_example_learns_with_each_of_its_optimizers(name):
    module = module_of(name)
    (task,) = (one for one in vars(module).values() if type(one).__name__ == "CustomTask")
    options = Options(optimizers=module.optimizers, epochs=EPOCHS[name], device="cpu", workers=1)
    request = ask(task, options)
    assert len(request.arms) == len(module.optimizers)
    for arm in request.arms:
        heard = []
        training = Training(Trial(name, arm, 0, request.protocol), task, heard.append)
        training.run(None)
        epochs = [event.epoch.train_loss for event in heard if isinstance(event, EpochDone)]
        assert isinstance(heard[-1], Finished)
        assert epochs[-1] < epochs[0], arm.label
        assert heard[-1].outcome.test_metric > task.chance + 0.1, arm.label
        each = next((count for label, count in GRADIENTS.items() if arm.label.startswith(label)), 1)
        assert heard[-1].outcome.gradients == pytest.approx(each, rel=0.35)
