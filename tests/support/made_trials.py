"""An executor that trains nothing: every trial ends at once with figures that only its key decides.

Whole comparisons, from the command to the page, then take milliseconds, so that properties can be tried on many.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from surefoot.comparison import driver as plan
from surefoot.store import Epoch, Outcome
from surefoot.training.events import EpochDone, Finished, Started


class Made:
    """Ends trials in the order in which they are given."""

    def run(self, trials, *_, **__):
        for trial in trials:
            luck = random.Random(trial.key)
            yield Started(trial.key, 0, {"machine": "made"})
            for number in range(1, trial.protocol.epochs + 1):
                loss, metric, seen, unseen = (luck.uniform(0.1, 0.9) for _ in range(4))
                yield EpochDone(trial.key, Epoch(number, float(number), loss, metric, seen, unseen), (), b"")
            tested = (float("nan"),) * 2 if trial.purpose == "tune" else (luck.random(), luck.random())
            yield Finished(trial.key, Outcome(*tested, luck.random(), luck.random(), 0.001, 100, 100, "made"))


@pytest.fixture(scope="module")
def made_trials() -> Iterator[None]:
    """Every comparison of this file has its trials made, and not trained."""

    @contextmanager
    def opened(*_):
        yield Made()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "open_executor", opened)
        yield
