"""The examples of own training loops: each learns, with a rule and where it can with another library's class."""

import math
import os
import subprocess
import sys
from functools import cache

import pytest

from own_loop_examples import BETTER, EXAMPLES, events_of
from paths import ROOT
from surefoot.errors import TrialError
from surefoot.training.events import EpochDone, Finished

FRAMEWORKS = ("with_accelerate", "with_lightning", "with_trainer")
ELSEWHERE = ("with_jax", "with_flax", "with_keras")
HERE = sorted(EXAMPLES.keys() - {*FRAMEWORKS})


pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn.t accept:DeprecationWarning")  # Keras's


def test_every_example_is_on_the_page():
    page = (ROOT / "docs" / "own-training.md").read_text(encoding="utf-8")
    assert all(f"examples/own_training/{name}.py" in page for name in EXAMPLES)


@cache
def uninterrupted(name):
    return events_of(name)


@pytest.mark.usefixtures("one_thread", "kernel_cache")
@pytest.mark.parametrize("name", HERE)
def test_an_example_learns(name):
    events = uninterrupted(name)
    first, *_, last = [one.epoch.validation_metric for one in events if isinstance(one, EpochDone)]
    assert (last > first) if name in BETTER else (last < first)
    outcome = events[-1].outcome
    assert math.isfinite(outcome.test_metric)
    assert outcome.parameters > 0
    numbers = 8 if name in ("with_jax", "with_flax") else 4  # these tests have JAX in 64 bits
    assert outcome.optimizer_bytes in (2 * 4 * outcome.parameters, 2 * numbers * outcome.parameters)


@pytest.mark.usefixtures("one_thread", "kernel_cache")
@pytest.mark.parametrize("name", sorted({*HERE} - {"with_keras"}))
def test_an_example_that_is_stopped_ends_as_one_that_is_not(name):
    whole = uninterrupted(name)
    rest = events_of(name, checkpoint=whole[2].checkpoint)
    assert [one.epoch.epoch for one in rest if isinstance(one, EpochDone)] == [3, 4]
    ends = [events[-1].outcome.test_metric for events in (whole, rest)]
    assert ends[0] == ends[1]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_class_of_torch_is_refused_by_its_name_where_the_training_is_not_torchs(name):
    with pytest.raises(TrialError, match=r"NAdam is a class of torch's kind, and this training is in (JAX|Keras)"):
        events_of(name, optimizer="torch.optim.NAdam", purpose="try")


@pytest.mark.usefixtures("one_thread", "kernel_cache")
@pytest.mark.parametrize("name", ELSEWHERE)
def test_weights_to_evaluate_with_are_asked_for(name):
    assert isinstance(events_of(name, optimizer="schedule_free_adamw(lr=0.01)", epochs=1)[-1], Finished)


@pytest.mark.usefixtures("one_thread", "kernel_cache")
@pytest.mark.parametrize("name", sorted({*HERE} - {*ELSEWHERE}))
def test_a_class_of_another_library_is_compared_too(name):
    assert isinstance(events_of(name, optimizer="torch.optim.NAdam", epochs=1)[-1], Finished)


ONE_TRIAL = """
import sys
sys.path[:0] = {path!r}
from own_loop_examples import events_of
assert type(events_of({name!r}, purpose="try")[-1]).__name__ == "TryOutPassed"
events = events_of({name!r})
print(events[1].epoch.validation_metric > events[4].epoch.validation_metric, type(events[-1]).__name__)
"""


@pytest.mark.frameworks
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_an_example_in_another_framework_learns(name, tmp_path):
    script = ONE_TRIAL.format(path=[str(ROOT / place) for place in ("src", "tests/support")], name=name)
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "True Finished"
