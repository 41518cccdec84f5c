"""Published statements: the rules repeat them, and would not if they were wrong."""

import numpy as np
import pytest

from surefoot.datasets import load
from surefoot.errors import DataError
from surefoot.rules import RULES
from surefoot.selfcheck import statements
from surefoot.selfcheck.algoperf import SCORES, TIMES, WORKLOADS
from surefoot.selfcheck.quickstart import loss_of_run


@pytest.mark.parametrize("one", [one for one in statements.STATEMENTS if one is not statements.counterexample])
def test_a_statement_holds(one):
    found = one()
    assert found.holds, found
    assert all((found.title, found.setting, found.source))


def test_adam_goes_the_wrong_way_and_amsgrad_the_right_one():
    """In a tenth of the steps; all of them, ten times as strict, are part of `test_published.py`'s whole check."""
    found = statements.counterexample(cycles=200, near=0.2)
    assert found.holds, found
    assert not statements.counterexample(cycles=3).holds


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_rule_that_is_wrong_is_caught(monkeypatch):
    """Momentum that looks ahead cannot bear such a rate, and AMSGrad that forgets is Adam."""
    monkeypatch.setitem(statements.RULES, "momentum", RULES["nesterov"])
    assert not statements.heavy_ball().holds
    monkeypatch.setitem(statements.RULES, "amsgrad", RULES["adam"])
    assert [one.holds for one in statements.counterexample(200, 0.2).figures] == [True, False]


def test_a_figure_that_is_no_number_holds_nothing():
    assert not statements.Figure("x", "1", float("nan"), 0.0, 2.0).holds


def test_the_scores_are_of_the_times():
    assert list(TIMES) == list(SCORES)
    assert len(WORKLOADS) == 9
    assert sum(np.isfinite([*TIMES["schedule_free_adamw_v2"].values()])) == 6, "as the source counts its targets"


@pytest.mark.slow
def test_the_quickstart_in_its_smallest_form():
    """One epoch over a tenth of the images: the loss has begun to fall from ln 10, as far as it does in torch."""
    try:
        load("fashion-mnist")
    except DataError as error:
        pytest.skip(str(error))
    assert loss_of_run(0, epochs=1, images=6000) == pytest.approx(2.28, abs=0.02)
