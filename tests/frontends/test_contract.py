"""What every front-end must do, asked of all in the same words; the rule on NumPy in float64 has the answers.

What it must do with rules for matrices is asked in `test_matrix_front_ends.py`.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

import jax
import numpy as np
import pytest

from settings import ANY_SHAPE
from standing import STANDING
from surefoot.errors import UsageError
from surefoot.frontends.contract import Setup, exact
from surefoot.mathops import sqrt
from surefoot.rule import Slot, Step, rule
from surefoot.rules import cautious, lookahead
from surefoot.selfcheck.parity.grid import gradients, ulps
from surefoot.selfcheck.parity.grid import start as begin
from surefoot.selfcheck.parity.processes import FRONT_ENDS, driver
from surefoot.selfcheck.parity.result import BOUND
from together import counting, distant

pytestmark = [
    pytest.mark.usefixtures("kernel_cache"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn.t accept:DeprecationWarning"),  # Keras's saving
]

SCHEDULE = tuple(np.geomspace(0.02, 0.001, 20).tolist())
RESTART = 7


@rule(slots=(Slot("m"), Slot("v", positive=True), Slot("anchor", start="weight")), source="a test")
def pulled(g, state, t, *, lr=0.01, beta1=0.9, eps=1e-3):
    """A rule of the user's own: Adam's kind of step, corrected by the count, that remembers where it all began."""
    m = beta1 * state.m + (1 - beta1) * g
    v = 0.5 * state.v + 0.5 * g * g
    return Step(rate=lr / (1 - beta1**t) / (sqrt(v) + eps), direction=m, m=m, v=v, anchor=state.anchor)


@pytest.fixture(scope="module", params=["torch", "optax", "keras"])
def front_end(request):
    with jax.enable_x64(False) if request.param != "torch" else contextlib.nullcontext():  # as a user's process is
        yield driver(request.param)


def furthest(front_end, setups: list[Setup]) -> float:
    """Return the largest distance from the rule, in ulps a step."""
    starts = [begin(setup) for setup in setups]
    paths = front_end.drive(setups, starts, gradients())
    right = [exact(setup, start, gradients()) for setup, start in zip(setups, starts, strict=True)]
    return max(max(ulps(*one)) for one in zip(paths, right, starts, strict=True))


def every(front_end, rules=ANY_SHAPE, **options) -> list[Setup]:
    """Return the rules in the front-end's own convention."""
    return [Setup(name, front_end.framework, **options) for name in rules]


def test_every_rule(front_end):
    assert furthest(front_end, every(front_end)) < BOUND


def test_weight_decay(front_end):
    assert furthest(front_end, every(front_end, STANDING, weight_decay=0.1)) < BOUND


def test_a_schedule(front_end):
    """Also of the rules that ask how far it has come, whose state says what it is measured against."""
    assert furthest(front_end, every(front_end, STANDING, lr=SCHEDULE)) < BOUND


def test_the_state_survives_a_file(front_end):
    """By name, the count among it: a new optimizer goes on as if nothing had been.

    Every rule in another's convention, decaying and in a schedule.
    """
    other = {"torch": "keras", "keras": "optax", "optax": "torch"}[front_end.framework]
    told = {"lr": SCHEDULE, "weight_decay": 0.1, "restart": RESTART}
    assert furthest(front_end, [Setup(name, other, **told) for name in ANY_SHAPE]) < BOUND


def test_a_rule_of_the_users_own(front_end):
    own = Setup(pulled, front_end.framework, options={"eps": 1e-2}, restart=RESTART)
    assert furthest(front_end, [own, replace(own, weight_decay=0.1)]) < BOUND


GUESTS = [counting, distant, "cautious(adamw)", "lookahead(adam)", lookahead(counting), cautious(distant)]
"""Rules that keep numbers for a tensor and for all, sum over both, and stand around others."""


def test_numbers_sums_and_combinators(front_end):
    """In a schedule, decaying, and over a file."""
    told = {"lr": SCHEDULE, "weight_decay": 0.1, "restart": RESTART}
    assert furthest(front_end, [Setup(rule, front_end.framework, **told) for rule in GUESTS]) < BOUND


@pytest.mark.parametrize("given", ["adam", pulled], ids=["ours", "the user's"])
def test_an_unknown_option_is_refused_with_a_close_match(front_end, given):
    with pytest.raises(UsageError, match=r"unknown option of \w+ 'wieght_decay'. Did you mean 'weight_decay'\?"):
        furthest(front_end, [Setup(given, front_end.framework, options={"wieght_decay": 0.1})])


def test_the_questions_have_teeth(front_end):
    """A rate that stays and a state that is lost are far above the bound."""
    [asked], rows = every(front_end, ["adam"], lr=SCHEDULE), gradients()
    [stays] = front_end.drive([replace(asked, lr=SCHEDULE[0])], [begin(asked)], rows)
    [before] = front_end.drive([asked], [begin(asked)], rows[:RESTART])
    rest = replace(asked, lr=SCHEDULE[RESTART:])
    [lost] = front_end.drive([rest], [before[-1]], rows[RESTART:])
    right = exact(asked, begin(asked), rows)
    assert min(max(ulps(path, right, begin(asked))) for path in (stays, np.vstack([before, lost]))) > 10 * BOUND


def test_every_front_end_that_is_measured_is_asked():
    assert {name.partition("-")[0] for name in FRONT_ENDS} == {"torch", "optax", "keras"}
