"""Whole optimizers on the GPU engine, beside the rule itself on NumPy; run by `gpu_interpreter.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

import surefoot.torch
from half import check_bits, stored
from kernel_cases import numbers
from summed import chained, joined, trusted
from surefoot.compiler.kernel_plan import COMPUTE
from surefoot.engines import gpu
from surefoot.engines.device_tables import DeviceTables
from surefoot.engines.rounding import key, memory_numbers
from surefoot.mathops import atan2
from surefoot.rule import WEIGHT, Rule, Step, rule
from surefoot.rules import RULES
from surefoot.torch import RuleOptimizer
from surefoot.torch.step_tables import StepTables
from surefoot.update import update
from torch_runs import CASES as TORCH_CASES
from torch_runs import IDS, params_of

CASES: dict[str, Callable[[], None]] = {}


def case(check: Callable[[], None]) -> Callable[[], None]:
    """Make a function a case, by its name."""
    CASES[check.__name__] = check
    return check


def tensors(dtype: torch.dtype = torch.float32, seed: int = 0) -> list[Tensor]:
    """Tensors of several chunks, of one number and of none, dense in every order, and with gaps."""
    torch.manual_seed(seed)
    big = torch.randn(40, 3).to(dtype)
    return [
        torch.randn(gpu.BLOCK + 476).to(dtype),
        torch.randn(()).to(dtype),
        torch.empty(0, 3, dtype=dtype),
        torch.randn(2, 3, 4, 4).to(dtype, memory_format=torch.channels_last),
        torch.randn(4, 6).to(dtype).t(),
        big[::2, 1],
    ]


def parameters(dtype: torch.dtype = torch.float32) -> list[Parameter]:
    return [Parameter(x) for x in tensors(dtype)]


def give(params: list[Tensor], step: int) -> None:
    """New gradients, elsewhere in memory than the last ones, and one of them in another order."""
    keep = [p.grad for p in params]
    for p, x in zip(params, tensors(params[0].dtype, seed=100 + step), strict=True):
        p.grad = x.to(p.dtype).contiguous() if p.dim() == 4 and step == 1 else x.to(p.dtype)
    del keep


def make(name: str, params: Any = None, **options: Any) -> Any:
    return getattr(surefoot.torch, name)(parameters() if params is None else params, engine="gpu", **options)


class OnNumpy:
    """What the rule makes of an optimizer's parameters, in the precision of the policy; made before its first step."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.steps = [0] * len(params_of(optimizer))
        self.now = [{"w": numbers(p)} for p in params_of(optimizer)]

    def step(self) -> None:
        """Take the step that the optimizer is about to take."""
        groups = [(group, p) for group in self.optimizer.param_groups for p in group["params"]]
        for k, (group, p) in enumerate(groups):
            if p.grad is not None:
                self.steps[k] += 1
                self.now[k] = self._stepped(k, p, self.optimizer._settings(group))

    def _stepped(self, k: int, p: Tensor, settings: Any) -> dict[str, np.ndarray]:
        own, options = self.optimizer.rule, self.optimizer.options
        compute = COMPUTE[kind(p)]
        alone = own.numbers(settings.hyper)
        before = {
            slot: np.full(() if slot in alone else p.shape, 0.0 if at is WEIGHT else at)
            for slot, at in settings.starts.items()
        }
        state = {
            slot: float(self.now[k].get(slot, x)) if slot in alone else self.now[k].get(slot, x).astype(compute)
            for slot, x in before.items()
        }
        hyper = {name: float(x) if isinstance(x, Tensor) else x for name, x in settings.hyper.items()}
        weight, gradient = self.now[k]["w"].astype(compute), numbers(p.grad).astype(compute)
        with np.errstate(all="ignore"):
            made = update(own, weight, gradient, state, self.steps[k], hyper)
        random = key(options.seed, k, self.steps[k]) if options.stochastic_rounding else None
        at, kinds = memory_numbers(p.detach()).numpy(), options.state_dtype
        new = {"w": made.weight, **{slot: x for slot, x in made.state.items() if slot not in alone}}
        return {slot: np.float64(made.state[slot]) for slot in alone} | {
            name: stored(np.asarray(x), kind(p) if name == "w" or kinds is None else kind(kinds), at, random, j)
            for j, (name, x) in enumerate(new.items())
        }

    def check(self) -> None:
        """Compare weights and state bit by bit."""
        for k, p in enumerate(params_of(self.optimizer)):
            for name, expected in self.now[k].items():
                found = p if name == "w" else self.optimizer.state[p][self.optimizer._state_name(name)]
                check_bits(numbers(found), expected, f"{name} of parameter {k} after {self.steps[k]} steps")


def kind(x: Any) -> str:
    return str(x.dtype if isinstance(x, Tensor) else x).removeprefix("torch.")


def check_run(optimizer: Any, steps: int = 4) -> None:
    """Step an optimizer and the rule on NumPy; all bits must be the same after each step."""
    assert optimizer.engine == "gpu"
    twin = OnNumpy(optimizer)
    for k in range(steps):
        give(params_of(optimizer), k)
        twin.step()
        optimizer.step()
        twin.check()
    assert optimizer.engine == "gpu"


# Numbers

for _name, (_class, _options) in zip(IDS, TORCH_CASES, strict=True):
    CASES[_name] = lambda c=_class, o=_options: check_run(make(c, **o))

KINDS = {
    "float64": {"dtype": torch.float64},
    "bfloat16": {"dtype": torch.bfloat16, "seed": 5},
    "bfloat16 to nearest": {"dtype": torch.bfloat16, "stochastic_rounding": False},
    "float16": {"dtype": torch.float16},
    "bfloat16 state": {"dtype": torch.float32, "state_dtype": torch.bfloat16},
}
for _name, _options in KINDS.items():
    CASES[_name] = lambda o=_options: check_run(
        make("AdaBound", parameters(o["dtype"]), **{name: x for name, x in o.items() if name != "dtype"})
    )


@case
def amsbound() -> None:
    check_run(make("AMSBound", lr=0.1))


@case
def a_rule_of_ones_own_name() -> None:
    check_run(RuleOptimizer(parameters(), "nesterov", convention="keras", learning_rate=0.1, engine="gpu"))


@case
def clipping_and_averaging() -> None:
    optimizer = make("SGD", lr=0.1, max_grad_value=0.5, ema=0.9, momentum=0.9)
    for p in params_of(optimizer):
        optimizer.state[p]["ema"] = p.detach().clone()  # as the engine itself starts it
    twin = OnNumpy(optimizer)
    for now, p in zip(twin.now, params_of(optimizer), strict=True):
        now["ema"] = numbers(p)
    for k in range(3):
        give(params_of(optimizer), k)
        twin.step()
        optimizer.step()
        twin.check()


# What changes between steps


@case
def groups_frozen_parameters_and_schedules() -> None:
    """Groups of other numbers, a parameter that joins late, a rate that changes: other rows, one kernel."""
    first, second = parameters(), [Parameter(x) for x in tensors(seed=1)]
    optimizer = make("AdaBound", [{"params": first}, {"params": second, "lr": 0.1, "weight_decay": 0.1}])

    def change(o: Any, k: int) -> None:
        if k < 2:
            second[0].grad = None
        o.param_groups[0]["lr"] = 0.01 * (k + 1)

    twin = OnNumpy(optimizer)
    for k in range(5):
        give(first, k)
        give(second, k + 50)
        change(optimizer, k)
        twin.step()
        optimizer.step()
        twin.check()
    assert [int(optimizer.state[p]["step"]) for p in (first[0], second[0])] == [5, 3]


@case
def weights_that_share_memory_move_one_after_the_other() -> None:
    memory = torch.zeros(3 * gpu.BLOCK)
    parts = [Parameter(memory[: 2 * gpu.BLOCK]), Parameter(memory[gpu.BLOCK :])]
    optimizer = make("SGD", parts, lr=1.0)
    for p in parts:
        p.grad = torch.ones_like(p)
    with mock.patch.object(gpu, "_start", side_effect=gpu._start) as launched:
        optimizer.step()
    assert launched.call_count == 2
    assert memory.view(3, -1).eq(torch.tensor([-1.0, -2.0, -1.0])[:, None]).all()


@case
def angles_are_those_of_the_cpu_s_kernel() -> None:
    @rule(slots=("m",), source="this test")
    def angular(g, state, t, *, lr=0.1, beta1=0.9):  # noqa: ARG001
        m = beta1 * state.m + (1 - beta1) * g
        return Step(rate=lr, direction=atan2(m, g), m=m)

    for dtype in (torch.float32, torch.float64):
        both = [RuleOptimizer(parameters(dtype), angular, engine=engine) for engine in ("gpu", "cpu")]
        for k in range(3):
            for optimizer in both:
                give(params_of(optimizer), k)
                optimizer.step()
        assert [optimizer.engine for optimizer in both] == ["gpu", "cpu"]
        for p, q in zip(*map(params_of, both), strict=True):
            check_bits(numbers(p), numbers(q), f"weights in {dtype}")


# Sums over whole tensors

SUMMED = [*((trusted, kind) for kind in (torch.float32, torch.float64, torch.bfloat16)), (chained, torch.float64)]
SUMMED += [(joined, torch.bfloat16)]
NUMBERED = [(RULES[name], torch.float32) for name in ("nadam", "schedule_free_adamw", "prodigy")]
"""Numbers of a tensor, such that a sum makes, and such of all tensors beside copies of the weights."""

for _rule, _dtype in (*SUMMED, *NUMBERED):

    def _summed(own: Rule = _rule, dtype: torch.dtype = _dtype) -> None:
        """Step as the CPU's kernels do, up to the order in which chunks are added."""
        ends = []
        for engine in ("gpu", "cpu"):
            optimizer = RuleOptimizer(parameters(dtype), own, engine=engine, stochastic_rounding=False)
            for k in range(3):
                give(params_of(optimizer), k)
                optimizer.step()
            assert optimizer.engine == engine
            ends.append([numbers(p) for p in params_of(optimizer)])
        for found, expected in zip(*ends, strict=True):
            eps = max(torch.finfo(dtype).eps, 2.0**-50)
            np.testing.assert_allclose(found, expected, rtol=2 * eps, atol=2 * eps)

    CASES[f"sums of {_rule.name} in {_dtype}"] = _summed


@case
def stages_of_all_launches_come_before_the_next() -> None:
    """A sum over all tensors is that of four launches: of two kinds, each dense and with gaps."""
    params = [*parameters(), *parameters(torch.float64)]
    optimizer = RuleOptimizer(params, joined, engine="gpu", lr=1.0)
    give(params[:6], 0)
    give(params[6:], 1)
    norm = float(np.sqrt(sum((numbers(p.grad).astype(float) ** 2).sum() for p in params)))
    before = [numbers(p) for p in params]
    assert counted(optimizer)[0] == 8
    for p, w in zip(params, before, strict=True):
        g = numbers(p.grad).astype(float)
        np.testing.assert_allclose(numbers(p), w - (g - (g.mean() if g.size else 0)) / norm, rtol=1e-5, atol=1e-6)


# Launches and tables


def counted(optimizer: Any, change: Callable[[], None] = lambda: None) -> tuple[int, int, int]:
    """How many launches, tables sent and new layouts another step takes, after a change."""
    change()
    with (
        mock.patch.object(gpu, "_start", side_effect=gpu._start) as launched,
        mock.patch.object(DeviceTables, "_send", autospec=True, side_effect=DeviceTables._send) as sent,
        mock.patch("surefoot.torch.stepping.StepTables", side_effect=StepTables) as layouts,
    ):
        optimizer.step()
    return launched.call_count, sent.call_count, layouts.call_count


@case
def one_launch_for_all_tensors() -> None:
    params = [Parameter(torch.randn(n)) for n in (3, 2000, 1, 0, 7)]
    optimizer = make("Adam", params)
    for p in params:
        p.grad = torch.randn_like(p)
    assert counted(optimizer) == (1, 5, 1)
    assert counted(optimizer) == (1, 1, 0)  # Adam's scalars depend on the step


@case
def one_launch_for_each_kernel() -> None:
    optimizer = make("Adam", [*parameters(), *parameters(torch.bfloat16)])
    give(params_of(optimizer)[:6], 0)
    give(params_of(optimizer)[6:], 0)
    assert counted(optimizer)[0] == 4  # float32 and bfloat16, each dense and with gaps


@case
def nothing_to_step_is_no_launch() -> None:
    optimizer = make("Adam", [Parameter(torch.empty(0))])
    params_of(optimizer)[0].grad = torch.empty(0)
    assert counted(optimizer)[0] == 0


@case
def only_what_has_changed_is_sent() -> None:
    params = [Parameter(torch.randn(5)), Parameter(torch.randn(3))]
    optimizer = make("SGD", params, lr=0.5)
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer.step()
    assert counted(optimizer) == (1, 0, 0)

    def faster() -> None:
        optimizer.param_groups[0]["lr"] = 0.25

    def elsewhere() -> None:
        params[1].grad = torch.full_like(params[1], 2.0)

    before = params[1].detach().clone()
    assert counted(optimizer, faster) == (1, 1, 0)
    assert counted(optimizer, elsewhere) == (1, 1, 0)
    assert torch.equal(params[1], before - 0.25 - 0.5)


@case
def rounding_at_random_needs_new_keys() -> None:
    p = Parameter(torch.ones(64, dtype=torch.bfloat16))
    p.grad = torch.full_like(p, 1e-3)
    optimizer = make("SGD", [p], lr=1.0)
    optimizer.step()
    assert counted(optimizer) == (1, 1, 0)
    assert p.unique().numel() > 1
