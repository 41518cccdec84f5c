"""Known faults are planted in rules, and the comparison that `test_rules` makes has to catch each one.

`FAULTS` lists the fault, the rule it sits in and the case that must fail. The same case passes with the same rule
rebuilt without a fault, so what fails is the fault and not the rebuilding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cases import CASES, STEPS, TOLERANCE
from surefoot.combinator import combinator
from surefoot.mathops import total
from surefoot.rule import WEIGHT, Rule, Step
from surefoot.rules import COMBINATORS, RULES, adamw, rule_of

Function = Callable[..., Step]
Fault = Callable[[Function], Function]


def _none(f: Function) -> Function:
    return lambda *arrays, **h: f(*arrays, **h)


def _sign_flipped(f: Function) -> Function:
    def faulty(g: Any, state: Any, t: Any, **h: Any) -> Step:
        step = f(g, state, t, **h)
        return Step(rate=-step.rate, direction=step.direction, move=-step.move, **step.state)

    return faulty


def _rate_off(f: Function) -> Function:
    def faulty(g: Any, state: Any, t: Any, **h: Any) -> Step:
        step = f(g, state, t, **h)
        return Step(rate=step.rate, direction=step.direction, move=step.move * (1 + 1e-11), **step.state)

    return faulty


def _read_after_write(slot: str) -> Fault:
    """Use the slot's new value where the old one is meant; what is stored stays right."""

    def plant(f: Function) -> Function:
        def faulty(*arrays: Any, **h: Any) -> Step:
            *first, state, t = arrays
            right = f(*arrays, **h)
            wrong = f(*first, SimpleNamespace(**{**vars(state), slot: right.state[slot]}), t, **h)
            return Step(rate=wrong.rate, direction=wrong.direction, move=wrong.move, **right.state)

        return faulty

    return plant


def _given(**changed: Any) -> Fault:
    """Run the rule with hyperparameters other than those asked for."""
    return lambda f: lambda *arrays, **h: f(*arrays, **{**h, **changed})


def _flipped(switch: str) -> Fault:
    return lambda f: lambda *arrays, **h: f(*arrays, **{**h, switch: not h[switch]})


def _betas_swapped(f: Function) -> Function:
    return lambda g, state, t, **h: f(g, state, t, **{**h, "beta1": h["beta2"], "beta2": h["beta1"]})


def _t_late(f: Function) -> Function:
    return lambda g, state, t, **h: f(g, state, t + 1, **h)


def _max_dropped(f: Function) -> Function:
    return lambda g, state, t, **h: f(g, SimpleNamespace(m=state.m, v=state.v, vmax=0 * state.v), t, **h)


def _adam_eps_inside(_: Function) -> Function:
    def faulty(g: Any, state: Any, t: Any, *, lr: float, beta1: float, beta2: float, eps: float, **h: Any) -> Step:  # noqa: ARG001
        m, v = beta1 * state.m + (1 - beta1) * g, beta2 * state.v + (1 - beta2) * g * g
        root = np.sqrt(v / (1 - beta2**t) + eps)
        return Step(rate=lr / (1 - beta1**t) / root, direction=m, m=m, v=v)

    return faulty


def _lion_sign_of_zero(_: Function) -> Function:
    """Write the sign as a choice of two: what was never in a gradient moves."""

    def faulty(g: Any, state: Any, t: Any, *, lr: float, beta1: float, beta2: float) -> Step:  # noqa: ARG001
        direction = np.where(beta1 * state.m + (1 - beta1) * g > 0, 1.0, -1.0)
        return Step(rate=lr, direction=direction, m=beta2 * state.m + (1 - beta2) * g)

    return faulty


def _adabelief_old_mean(f: Function) -> Function:
    """Take the distance from the mean before this gradient."""

    def faulty(g: Any, state: Any, t: Any, *, beta1: float, **h: Any) -> Step:
        right = f(g, state, t, beta1=beta1, **h)
        wrong = f(g + (1 - beta1) / beta1 * (g - state.m), state, t, beta1=beta1, **h)  # g - m_t is now g - m_{t-1}
        return Step(rate=wrong.rate, direction=right.direction, m=right.direction, s=wrong.state["s"])

    return faulty


def _yogi_as_adam(_: Function) -> Function:
    return lambda g, state, t, *, initial_accumulator, **h: RULES["adam"](g, state, t, **h)  # noqa: ARG005


def _adopt_divided_after(f: Function) -> Function:
    """Divide by the mean square after this gradient, as Adam does."""

    def faulty(g: Any, state: Any, t: Any, **h: Any) -> Step:
        v = f(g, state, t, **h).state["v"]
        wrong = f(g, SimpleNamespace(m=state.m, v=v), t, **h)
        return Step(rate=wrong.rate, direction=wrong.direction, decay=wrong.decay, m=wrong.direction, v=v)

    return faulty


def _always_decays(f: Function) -> Function:
    def faulty(*arrays: Any, **h: Any) -> Step:
        step = f(*arrays, **h)
        return Step(rate=step.rate, direction=step.direction, **step.state)

    return faulty


def _adan_first_difference(f: Function) -> Function:
    """Take the first gradient for a difference from zero."""
    return lambda g, state, t, **h: f(g, state, np.maximum(t, 2) if t == 1 else t, **h)


def _looked_ahead(slot: str) -> Fault:
    """Use the slot's new value for everything else that the rule keeps."""

    def plant(f: Function) -> Function:
        def faulty(*arrays: Any, **h: Any) -> Step:
            *first, state, t = arrays
            new = f(*arrays, **h).state[slot]
            return f(*first, SimpleNamespace(**{**vars(state), slot: new}), t, **h).keeping(**{slot: new})

        return faulty

    return plant


def _kept(**values: float) -> Fault:
    """Take slots for these numbers at every step, whatever was kept."""

    def plant(f: Function) -> Function:
        return lambda *arrays, **h: f(*arrays[:-2], SimpleNamespace(**{**vars(arrays[-2]), **values}), arrays[-1], **h)

    return plant


def _each_tensor_alone(f: Function) -> Function:
    """Add up over each tensor where the sum is over all of them."""
    alone = {**f.__globals__, "total_all": total}
    return FunctionType(f.__code__, alone, f.__name__, f.__defaults__, f.__closure__)


def _averaged_with_the_newest(f: Function) -> Function:
    """Average with z after its step, into which the step would go twice."""

    def faulty(g: Any, w: Any, state: Any, t: Any, **h: Any) -> Step:
        step = f(g, w, state, t, **h)
        c = step.state["h"] ** 2 / step.state["W"]
        return step.moving(step.move + c * (state.z - step.state["z"]))

    return faulty


def _quotient(f: Function) -> Function:
    """Divide, where an angle belongs."""

    def faulty(g: Any, state: Any, t: Any, **h: Any) -> Step:
        step = f(g, state, t, **h)
        return Step(rate=step.rate, direction=np.tan(step.direction), **step.state)

    return faulty


def _unstarted_weights(rule: Rule) -> Rule:
    slots = tuple(replace(slot, start=0.0) if slot.start == WEIGHT else slot for slot in rule.slots)
    return replace(rule, slots=slots)


def _unevaluated(rule: Rule) -> Rule:
    return replace(rule, evaluate=None)


def _weights_before_decay(f: Function) -> Function:
    """Measure the weights as they were."""

    def faulty(g: Any, w: Any, state: Any, t: Any, **h: Any) -> Step:
        return f(g, w / (1 - h["lr"] * h["weight_decay"]), state, t, **h)

    return faulty


@combinator(source="a fault")
def _not_lengthened(step: Step, g: Any, state: Any, t: Any) -> Step:  # noqa: ARG001
    """Move only weights whose step agrees with their gradient, and no farther."""
    return step.scaled(np.where(step.move * g > 0, 1.0, 0.0))


@combinator(source="a fault", slots=("gprev",), defaults=COMBINATORS["mars"].defaults)
def _not_cut(g: Any, state: Any, t: Any, *, beta1: float, mars_scale: float = 0.025) -> Any:  # noqa: ARG001
    """Correct gradients by their change, and leave their length as it is."""
    return g + mars_scale * beta1 / (1 - beta1) * (g - state.gprev), {"gprev": g}


def _pulled_early(rule: Rule) -> Rule:
    after = rule.after
    assert after is not None
    return replace(rule, after=lambda w, state, t, hyper: after(w, state, t + 1, hyper))


def _pinned(**values: Any) -> Callable[[Rule], Rule]:
    return lambda rule: replace(rule, pinned={**rule.pinned, **values})


def _function(fault: Fault) -> Callable[[Rule], Rule]:
    return lambda rule: replace(rule, function=fault(rule.function))


def _unstarted(rule: Rule) -> Rule:
    return replace(rule, slots=tuple(replace(slot, start=0.0) for slot in rule.slots))


ADAM, ADAMW = "adam-torch-decay=0.0", "adamw-torch-decay=0.1"
AMS_BOUND = "amsbound-torch-adabound.AdaBound-amsbound=True-decay=0.0"
SCHEDULED_BOUND = (
    "adabound-torch-adabound.AdaBound-betas[0]=0.8,betas[1]=0.95,final_lr=0.01,gamma=0.01,eps=1e-06,"
    "amsbound=False-decay=0.1-scheduled"
)
HEAVY_KERAS = "sgd-keras-momentum=0.9-decay=0.1-scheduled"
LAMB, STABLE = "lamb-torch-paper.lamb-decay=0.1", "stableadamw-torch-paper.stable_adamw-decay=0.1"
LOOKAHEAD = "lookahead(adamw)-torch-paper.lookahead_adam-decay=0.1"
NADAM, GROKFAST = "nadam-torch-decay=0.0", "grokfast(adamw)-torch-paper.grokfast-decay=0.0"
MARS, CORRECTED = "mars(adamw)-torch-paper.mars-decay=0.0", "adamc-torch-paper.adam_decayed-decay=corrected"
DAMPED = "sgd-torch-momentum=0.9,dampening=0.5-decay=0.0"

FAULTS: dict[str, tuple[Callable[[Rule], Rule], str]] = {
    "bias correction dropped": (_function(_given(bias_correction=False)), ADAM),
    "move's sign flipped": (_function(_sign_flipped), ADAM),
    "move's sign flipped, gradient descent": (_function(_sign_flipped), "sgd-torch-decay=0.0"),
    "eleventh digit of the move wrong": (_function(_rate_off), ADAM),
    "momentum read after write": (_function(_read_after_write("m")), ADAM),
    "past steps read after write": (_function(_read_after_write("u")), "adadelta-torch-decay=0.0"),
    "sum of squares read after write": (_function(_read_after_write("s")), "adagrad-torch-decay=0.0"),
    "buffer read after write": (_function(_read_after_write("b")), DAMPED),
    "betas swapped": (_function(_betas_swapped), ADAM),
    "eps moved inside the root": (_function(_adam_eps_inside), ADAM),
    "eps moved inside the root, rmsprop": (_function(_flipped("eps_inside")), "rmsprop-torch-decay=0.0"),
    "eps added before the bias is corrected": (_function(_flipped("eps_hat")), ADAM),
    "eps added after the bias is corrected": (_function(_flipped("eps_hat")), "adam-keras-decay=0.0"),
    "decay coupled instead of decoupled": (_pinned(decoupled=False), ADAMW),
    "decay decoupled instead of coupled": (_pinned(decoupled=True), "adam-torch-decay=0.1"),
    "decay dropped": (_pinned(weight_decay=0.0), "sgd-torch-decay=0.1"),
    "decay multiplied by the rate": (_pinned(decay_by_lr=True), "adamw-paper-decay=0.001-scheduled"),
    "maximize ignored": (_pinned(maximize=False), "adam-torch-maximize=True-decay=0.0"),
    "t one late": (_function(_t_late), ADAM),
    "t one late, rate decay": (_function(_t_late), "adagrad-torch-lr_decay=0.01-decay=0.0"),
    "t one late, bounds": (_function(_t_late), AMS_BOUND),
    "first gradient dampened": (_function(_t_late), DAMPED),
    "maximum dropped": (_function(_max_dropped), "amsgrad-torch-amsgrad=True-decay=0.0"),
    "maximum dropped, amsbound": (_function(_max_dropped), AMS_BOUND),
    "maximum over the wrong moment": (
        _function(_flipped("amsgrad_corrected")),
        "amsgrad-optax-learning_rate=0.001",
    ),
    "bounds not scaled by the schedule": (_function(_given(base_lr=None)), SCHEDULED_BOUND),
    "rate not divided by sqrt(t)": (_function(_given(sqrt_t=False)), "adabound-paper-eps=1e-08"),
    "buffer of gradients instead of steps": (_function(_flipped("lr_in_buffer")), HEAVY_KERAS),
    "look-ahead dropped": (_function(_given(nesterov=False)), "sgd-torch-momentum=0.8,nesterov=True-decay=0.0"),
    "mean not taken off": (_function(_given(centered=False)), "rmsprop-torch-centered=True-decay=0.0"),
    "sign of zero": (_function(_lion_sign_of_zero), "lion-paper"),
    "step and memory mixed alike": (_function(_betas_swapped), "lion-paper"),
    "decay coupled, sign": (_pinned(decoupled=False), "lion-keras-decay=0.1"),
    "eps added to the maximum": (_function(_flipped("eps_in_max")), "adamax-torch-decay=0.0"),
    "eps added before the maximum": (_function(_flipped("eps_in_max")), "adamax-keras-decay=0.0"),
    "maximum read after write": (_function(_read_after_write("u")), "adamax-optax-learning_rate=0.001"),
    "rectified too early": (_function(_given(threshold=4.5)), "radam-torch-decay=0.0"),
    "rectified too late": (_function(_given(threshold=5.0)), "radam-paper-eps=1e-08"),
    "eps added before the bias is corrected, radam": (
        _function(_flipped("eps_hat")),
        "radam-optax-learning_rate=0.001",
    ),
    "distance from the old mean": (_function(_adabelief_old_mean), "adabelief-paper"),
    "eps missing under the root": (_function(_given(eps_root=0.0, eps_twice=False)), "adabelief-paper"),
    "mean square that forgets as Adam's": (_function(_yogi_as_adam), "yogi-paper"),
    "moments start at zero": (_unstarted, "yogi-optax-learning_rate=0.01"),
    "divided by the mean square after the gradient": (
        _function(_adopt_divided_after),
        "adopt-optax-learning_rate=0.001",
    ),
    "nothing cut off": (_function(_given(clipped=False)), "adopt-optax-learning_rate=0.001"),
    "first step decays": (_function(_always_decays), "adopt-keras-paper.adopt-clip=True,decouple=True-decay=0.1"),
    "slow mean read after write": (
        _function(_read_after_write("n")),
        "ademamix-optax-learning_rate=0.001-decay=0.0",
    ),
    "slow mean's weight": (_function(_given(mix=2.0)), "ademamix-paper-decay=0.0"),
    "first difference": (_function(_adan_first_difference), "adan-paper-decay=0.0"),
    "difference from this gradient": (_function(_read_after_write("p")), "adan-paper-decay=0.0"),
    "decay not proximal": (_pinned(decay=None), "adan-paper-decay=0.1"),
    "averaged with the newest": (_function(_averaged_with_the_newest), "schedule_free_sgd-paper-decay=0.0"),
    "newest weights start at zero": (_unstarted, "schedule_free_sgd-paper-decay=0.1"),
    "largest rate forgotten": (
        _function(_kept(h=0.0)),
        "schedule_free_adamw-paper-warmup=30.0,r=1.0,p=1.0,β=0.95,β₂=0.99,ε=1e-06-decay=0.1-scheduled",
    ),
    "warm-up weighs as much": (
        _function(_given(rate_power=0.0)),
        "schedule_free_sgd-paper-warmup=30.0,r=1.0,p=1.0,β=0.95-decay=0.0",
    ),
    "decay of the training weights only": (_pinned(decay=None), "schedule_free_adamw-paper-decay=0.1"),
    "training weights evaluated": (
        _unevaluated,
        "schedule_free_adamw-paper-decay=0.0-evaluated",
    ),
    "moves before the mean square is known": (
        _function(_given(silent=False)),
        "schedule_free_radam-paper-decay=0.0",
    ),
    "the step takes the new guess": (_function(_read_after_write("d")), "prodigy-paper-decay=0.0"),
    "the guess is each tensor's": (_function(_each_tensor_alone), "prodigy-paper-decay=0.0"),
    "the first weights are zero": (_unstarted_weights, "prodigy-paper-d0=0.01-decay=0.1-started"),
    "decay at the learning rate": (_function(_always_decays), "prodigy-paper-decay=0.1"),
    "gradients compared with themselves": (
        _function(_looked_ahead("s")),
        "dadapt_adam-paper-growth_rate=1.02,use_bias_correction=True-decay=0.0",
    ),
    "the first gradient is the newest": (_function(_kept(G=0.0)), "dadapt_sgd-paper-decayed_start=True-decay=0.0"),
    "largest distance forgotten": (_function(_kept(r=0.0)), "dog-paper-decay=0.0"),
    "distance is each tensor's": (_function(_each_tensor_alone), "dowg-paper-decay=0.0"),
    "momentum does not warm up": (_function(_given(warming=False)), NADAM),
    "product of momenta read after write": (_function(_read_after_write("p")), NADAM),
    "corrected for the step to come": (_function(_flipped("ahead")), "nadamw-torch-paper.nadamw_timm-decay=0.0"),
    "corrected for this step": (_function(_flipped("ahead")), "nadam-optax-learning_rate=0.001"),
    "sign of the gradient itself": (_function(_given(beta1=0.0)), "signum-paper"),
    "quotient, not angle": (_function(_quotient), "adamatan2-torch-paper.adam_atan2-lr=0.001-decay=0.0"),
    "decay not corrected": (_pinned(decay=None), f"{CORRECTED}-decay=0.1-scheduled"),
    "decay left out of the step's length": (_pinned(decay="before"), LAMB),
    "decay in the step's length": (_pinned(decay="inside"), "lamb-keras-decay=0.1"),
    "length of the weights before decay": (_function(_weights_before_decay), "lamb-keras-decay=0.1"),
    "lengths added": (_function(_flipped("trust_apart")), "lars-optax-learning_rate=1.0-decay=0.1"),
    "sum's length": (_function(_flipped("trust_apart")), "lars-paper-paper.lars-decay=0.1"),
    "rate outside of the velocity": (
        _function(_flipped("lr_in_buffer")),
        "lars-paper-paper.lars-decay=0.1-scheduled",
    ),
    "rate not cut": (_function(_given(clip_rms=1e9)), STABLE),
    "decay's rate not cut": (_pinned(decay="before"), STABLE),
    "steps not lengthened": (
        lambda _: _not_lengthened(adamw),
        "cautious(adamw)-torch-paper.cautious_adamw_timm-decay=0.0",
    ),
    "gradient not cut to the length 1": (lambda _: _not_cut(adamw), MARS),
    "change from this gradient": (_function(_read_after_write("gprev")), MARS),
    "slow mean starts at zero": (_function(_adan_first_difference), GROKFAST),
    "slow weights start at zero": (_unstarted, LOOKAHEAD),
    "pulled one step early": (_pulled_early, LOOKAHEAD),
    "evaluated with the fast weights": (lambda rule: replace(rule, evaluate=None), f"{LOOKAHEAD}-evaluated"),
    "accumulator starts at zero": (_unstarted, "adagrad-keras-decay=0.0"),
}

_BY_ID = {str(case): case for case in (replace(case, steps=STEPS) for case in CASES)}


@cache
def _inputs(case_id: str) -> tuple[np.ndarray, np.ndarray]:
    return _BY_ID[case_id].given()


@cache
def _theirs(case_id: str) -> np.ndarray:
    return _BY_ID[case_id].theirs(*_inputs(case_id))


def error(case_id: str, change: Callable[[Rule], Rule]) -> float:
    """Return the error of a case of which the rule is changed; of all that have one case the oracle runs once."""
    case = _BY_ID[case_id]
    return case.judged(case.ours(*_inputs(case_id), change(rule_of(case.rule))), _theirs(case_id))


@pytest.mark.parametrize(("make_faulty", "case_id"), FAULTS.values(), ids=FAULTS.keys())
def test_comparison_catches_fault(make_faulty, case_id):
    assert not error(case_id, make_faulty) <= TOLERANCE


@pytest.mark.parametrize("case_id", sorted({case_id for _, case_id in FAULTS.values()}))
def test_comparison_passes_the_rule_rebuilt_without_fault(case_id):
    assert error(case_id, _function(_none)) <= TOLERANCE


def test_comparison_catches_not_a_number():
    late = _function(lambda f: lambda g, state, t, **h: f(g * np.nan if t == STEPS - 50 else g, state, t, **h))

    assert error(ADAM, late) == np.inf
