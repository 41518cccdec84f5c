"""`surefoot.optax` and the rule on NumPy against optax itself, and each other: float64, relative error below 1e-12."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
import pytest

pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import surefoot.optax  # noqa: E402
from cases import CASES, LONG, TENSORS, TOLERANCE, Case, make_gradients, make_start, relative_error  # noqa: E402
from optax_runs import run, run_apart, schedule  # noqa: E402
from reference import run as run_numpy  # noqa: E402
from settings import ANY_SHAPE, OPTIONS, needs  # noqa: E402
from surefoot.conventions import FRAMEWORKS, shown  # noqa: E402
from surefoot.rules import RULES  # noqa: E402

THEIRS = [case for case in CASES if case.by_optax]
COUPLED = {case.rule: case for case in THEIRS if case.decay is None and not case.scheduled}
"""The last case of each rule to which optax gives no weight decay."""


def _key(case: Case) -> tuple[str, int]:
    return case.rule, case.steps


GROUPS = [list(group) for _, group in groupby(sorted(THEIRS, key=_key), _key)]


def _ours(case: Case, **more: Any) -> Any:
    return _make(getattr(surefoot.optax, case.rule), case, {}, more)


def _theirs(case: Case, **more: Any) -> Any:
    return _make(attrgetter(case.oracle.removeprefix("optax."))(optax), case, case.extra, more)


def _make(factory: Any, case: Case, extra: Any, more: Any) -> Any:
    options = {**case.options, **extra, **more}
    if case.decay is not None:
        options["weight_decay"] = case.decay
    if case.scheduled:
        options["learning_rate"] = schedule(case._rates())
    return factory(**options)


Job = tuple[Any, Any, Any]
"""An optimizer, where it starts, and its gradients."""


def _jobs(make: Any, rule: str, gradients: np.ndarray, start: np.ndarray, several: bool) -> list[Job]:
    """Return what runs a rule on the weights: of `TENSORS` each by itself if it sees several tensors, in three.

    One that adds up a tensor sees each of `TENSORS` as one (`several`), any other all weights.
    """
    if RULES[rule].shared:
        return [(make(), *(np.split(x[..., part], 3, axis=-1) for x in (start, gradients))) for part in TENSORS]
    cut = [part.start for part in TENSORS[1:]] if several else []
    return [(make(), *(np.split(x, cut, axis=-1) for x in (start, gradients)))]


def _paths(batches: Sequence[list[Job]]) -> list[np.ndarray]:
    """Return the weights after each step of each batch of jobs, in one row a step; one compilation serves all."""
    made = iter(run_apart([job for batch in batches for job in batch]))
    return [np.concatenate([next(made) for _ in batch], axis=1) for batch in batches]


@pytest.mark.parametrize("cases", GROUPS, ids=lambda cases: f"{cases[0].rule}-{cases[0].steps}")
def test_optimizer_and_rule_are_equal_to_optax(cases):
    """Options, weight decay where optax has it, schedules; gradients from 1 to 1e-8; up to 10,000 steps."""
    given, batches = [case.given() for case in cases], []
    for case, inputs in zip(cases, given, strict=True):
        batches += [_jobs(partial(make, case), case.rule, *inputs, case.tensors) for make in (_ours, _theirs)]
    paths = _paths(batches)
    for case, inputs, ours, theirs in zip(cases, given, paths[::2], paths[1::2], strict=True):
        assert case.judged(ours, theirs) < TOLERANCE, str(case)
        assert case.judged(case.ours(*inputs), theirs) <= TOLERANCE, f"the rule on NumPy: {case}"


@pytest.mark.parametrize("rule", COUPLED)
def test_weight_decay_is_what_optax_adds_to_the_gradient(rule):
    """At a rate at which no weight comes near zero, where a divided gradient is a sign and any rounding a new path.

    To the step, if the rule says so.
    """
    start, case = make_start(0.1), COUPLED[rule]
    theirs = [optax.add_decayed_weights(0.1), _theirs(case, learning_rate=1e-4)]
    if RULES[rule].pinned.get("decoupled"):
        theirs = [theirs[1], optax.add_decayed_weights(-1e-4 * 0.1)]
    jobs = [(_ours(case, learning_rate=1e-4, weight_decay=0.1), start), (optax.chain(*theirs), start)]
    assert relative_error(*run(jobs, make_gradients(300, True)), start, 100) < TOLERANCE


FAR = {"d0": 1e-2}
"""A first guess of the distance with which D-Adaptation SGD stands decay, as in `cases`."""


def _lr(rule: str) -> float:
    return RULES[rule].defaults["lr"] if RULES[rule].shared else 0.01


def _told(rule: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield conventions and options of a rule, of those that come to the same hyperparameters the first.

    Of what stands around a rule, of those that decay alike the first.
    """
    around: dict[str, Any] = {"weight_decay": 0.1, "maximize": True, "max_grad_value": 0.5}
    if RULES[rule].shared:  # a rate that grows makes the decay grow
        around["weight_decay"] = 1e-3
    if rule == "dadapt_sgd":
        around |= FAR
    seen: list[Any] = []
    for framework in FRAMEWORKS:
        for form in ({}, around, *OPTIONS.get(rule, [])):
            options = {"lr": _lr(rule), **needs(rule, framework), **form}
            means = shown(rule, framework, options)
            told = [means[word] for word in ("decoupled", "decay", "decay_by_lr")] if form is around else means
            if told not in seen:
                seen.append(told)
                yield framework, options


def _on_numpy(rule: str, framework: str, options: Any, gradients: np.ndarray, start: np.ndarray) -> np.ndarray:
    parts = TENSORS if RULES[rule].shared else (slice(None),)
    ran = [run_numpy(rule, framework, options, gradients[:, part], start[part]) for part in parts]
    return np.concatenate(ran, axis=1)


def _start_and_gradients(
    rule: str, framework: str, steps: int, form: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Return where a rule starts, and gradients with which it gets somewhere: of several tensors as in `cases`."""
    decay = form.get("weight_decay")
    if not RULES[rule].shared:
        return make_start(decay), make_gradients(steps, True)
    way: dict[str, Any] = {"options": FAR, "extra": {"decayed_start": True}, "started": True} if "d0" in form else {}
    if rule in ("prodigy", "dadapt_adam"):
        means = shown(rule, framework, form)
        way["extra"] = {"decay": "decoupled" if means["decoupled"] else "coupled"}
        way["options"] = {"use_bias_correction": means["bias_correction"]}
    case = Case(rule, "paper", decay=decay, steps=steps, **way)
    start = make_start(case.begun)
    return start, case._followed(start) * (-1 if form.get("maximize") else 1)


@pytest.mark.parametrize("rule", ANY_SHAPE)
def test_equal_to_the_rule_on_numpy(rule):
    """In every convention, with the options that change the rule's form, decay, and climbing."""
    told, batches = list(_told(rule)), []
    given = [_start_and_gradients(rule, framework, 300, form) for framework, form in told]
    for (framework, form), (start, gradients) in zip(told, given, strict=True):
        make = partial(getattr(surefoot.optax, rule), **form, convention=framework)
        batches.append(_jobs(make, rule, gradients, start, several=False))
    for (framework, form), (start, gradients), path in zip(told, given, _paths(batches), strict=True):
        expected = _on_numpy(rule, framework, form, gradients, start)
        first = 100 if start.any() else 1
        assert relative_error(path, expected, start, first) < TOLERANCE, (framework, form)


def _long() -> Iterator[str]:
    """Yield a rule of each formula that optax does not do for so long above; of those for several tensors the first."""
    done = {RULES[case.rule].family for case in THEIRS if case.steps == LONG}
    for name in ANY_SHAPE:
        rule = RULES[name]
        if rule.family not in done and not (rule.shared and "several" in done):
            done |= {rule.family, *(["several"] if rule.shared else [])}
            yield name


@pytest.mark.parametrize("rule", list(_long()))
def test_many_steps_equal_the_rule_on_numpy(rule):
    (start, gradients), options = (
        _start_and_gradients(rule, "optax", LONG, {}),
        {"lr": _lr(rule), **needs(rule, "optax")},
    )
    expected = _on_numpy(rule, "optax", options, gradients, start)
    make = partial(getattr(surefoot.optax, rule), **options)
    (made,) = _paths([_jobs(make, rule, gradients, start, several=False)])
    assert relative_error(made, expected, start, 1) < TOLERANCE


@pytest.mark.parametrize("rule", ["adabound", "amsbound"])
@pytest.mark.parametrize("first", [0.0, 1e-3], ids=["from zero", "from the base"])
def test_a_schedule_moves_the_bounds(rule, first):
    """The learning rate that the bounds are measured against is the first one, or no scaling where that is zero."""
    gradients, start = make_gradients(300, True), make_start(None)
    rates = 1e-3 * np.linspace(1, 0, 300) if first else np.minimum(np.arange(300) / 100, 1) * 1e-3
    expected = run_numpy(rule, "optax", {"lr": first}, gradients, start, rates)
    (made,) = run([(getattr(surefoot.optax, rule)(schedule(rates)), start)], gradients)
    assert relative_error(made, expected, start, 1) < TOLERANCE
