"""Steps that the device counts, captured and replayed, beside those of the host; run by `gpu_interpreter.py`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.utils._python_dispatch import TorchDispatchMode

from gpu_steps import CASES, case, give, make, parameters, tensors
from surefoot.engines import device_tables, engine_choice, gpu
from surefoot.errors import UsageError
from surefoot.torch.step_tables import StepTables
from torch_runs import params_of


class Graph(TorchDispatchMode):
    """A stand-in for a CUDA graph: what is put on the device while it is active is done again by `replay`.

    What the host does, to its own memory, is not; and the device may not be read.
    """

    READS = ("_local_scalar_dense", "is_nonzero", "equal", "item")

    def __init__(self) -> None:
        super().__init__()
        self.work: list[Callable[[], None]] = []
        self.paused = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        kind, name = func._schema.name.split("::")
        if kind == "aten" and not self.paused:  # the others are the profiler's
            assert name not in self.READS, f"the step reads a tensor: {name}"
            new = not any(made.alias_info for made in func._schema.returns)
            self.work.append(lambda: self._again(func, args, kwargs or {}, listed(out) if new else []))
        return out

    @staticmethod
    def _again(func: Any, args: Any, kwargs: Any, out: list[Tensor]) -> None:
        """Do an operation again; results in memory of their own go where those of the first time are."""
        made = func(*args, **kwargs)
        for x, y in zip(out, listed(made), strict=False):
            x.copy_(y)

    def _hosts_own(self, call: Callable[..., Any], *, recorded: bool) -> Callable[..., Any]:
        def wrapper(*args: Any) -> Any:
            self.paused += 1
            try:
                return call(*args)
            finally:
                self.paused -= 1
                if recorded:
                    self.work.append(lambda: call(*args))

        return wrapper

    def capture(self, optimizer: Any) -> None:
        """Do a step, and keep what it puts on the device."""
        with ExitStack() as stack:
            # a graph that is captured watches the stream; this stand-in watches the dispatcher
            stack.enter_context(mock.patch.object(engine_choice, "observed", return_value=False))
            for module in (gpu, device_tables):
                stack.enter_context(mock.patch.object(module, "capturing", return_value=True))
            stack.enter_context(mock.patch.object(gpu, "_start", self._hosts_own(gpu._start, recorded=True)))
            staged = self._hosts_own(device_tables.DeviceTables._staged, recorded=False)
            stack.enter_context(mock.patch.object(device_tables.DeviceTables, "_staged", lambda *args: staged(*args)))
            stack.enter_context(self)
            optimizer.step()

    def replay(self, optimizer: Any) -> None:
        """Do it again; autograd hears of it as little as of a CUDA graph."""
        steps = tuple(own["step"] for own in optimizer.state.values())
        with torch.no_grad(), torch.autograd._unsafe_preserve_version_counter(steps):
            for work in self.work:
                work()


def listed(out: Any) -> list[Tensor]:
    """What an operation returned, as a list."""
    return [] if out is None else [out] if isinstance(out, Tensor) else [*out]


def renew(params: list[Tensor], step: int) -> None:
    """New gradients in the same memory, as a captured backward pass leaves them."""
    for p, x in zip(params, tensors(params[0].dtype, seed=100 + step), strict=True):
        if p.grad is None:
            p.grad = torch.empty_like(p)
        p.grad.copy_(x)


def twins(name: str, dtype: torch.dtype = torch.float32, **options: Any) -> tuple[Any, Any]:
    """Two equal optimizers; the device counts the first one's steps, the host the other's."""
    return make(name, parameters(dtype), capturable=True, **options), make(name, parameters(dtype), **options)


def step_both(ours: Any, twin: Any, steps: int, captured: int, change: Callable[[int], None] = lambda _: None) -> None:
    """Step both on equal gradients; of ours one step is captured, and those after it are its replays.

    `change` is called before each step with its number.
    """
    graph = Graph()
    for k in range(steps):
        for optimizer in (ours, twin):
            renew(params_of(optimizer), k)
        change(k)
        twin.step()
        if k < captured:
            ours.step()
        elif k == captured:
            graph.capture(ours)
        else:
            graph.replay(ours)


def check_close(one: Any, other: Any, rtol: float = 0.0) -> None:
    for p, q in zip(params_of(one), params_of(other), strict=True):
        torch.testing.assert_close(p, q, rtol=rtol, atol=rtol)
        for name, x in one.state[p].items():
            torch.testing.assert_close(x, other.state[q][name], rtol=rtol, atol=rtol)


RULES = [("Adam", {}), ("Adam", {"amsgrad": True}), ("AdamW", {}), ("Adadelta", {}), ("RMSprop", {"momentum": 0.9})]
for _class, _options in [*RULES, ("AdaBound", {"gamma": 0.1}), ("AMSBound", {})]:

    def _captured(name: str = _class, options: dict[str, Any] = _options) -> None:
        """Powers may differ in float64's last digit, which a few steps carry on."""
        ours, twin = twins(name, torch.float64, **options)
        step_both(ours, twin, steps=7, captured=2)
        assert ours.engine == "gpu"
        check_close(ours, twin, rtol=1e-12)

    CASES[f"captured {_class} {_options}"] = _captured


@case
def captured_steps_round_at_random_anew() -> None:
    """Powers of two are exact on both: keys are the same, so all bits are."""
    ours, twin = twins("Adam", torch.bfloat16, betas=(0.5, 0.75), seed=3, lr=0.01)
    step_both(ours, twin, steps=5, captured=1)
    check_close(ours, twin)


@case
def a_replay_finds_its_own_gradients() -> None:
    """Two graphs take turns with steps of Python's, on gradients elsewhere and on those of either graph."""
    ours, twin = twins("RMSprop", lr=0.5)  # whose scalars are the same in each step
    places = [[torch.empty_like(p) for p in params_of(ours)] for _ in range(3)]
    graphs = [Graph(), Graph()]

    def step(how: Callable[[], Any], place: int, k: int) -> None:
        for p, q, g, x in zip(params_of(ours), params_of(twin), places[place], tensors(seed=300 + k), strict=True):
            p.grad, q.grad = g.copy_(x), g.clone()
        how()
        twin.step()
        check_close(ours, twin)

    step(ours.step, 2, 0)
    for k, graph in enumerate(graphs):
        step(lambda graph=graph: graph.capture(ours), k, k + 1)
    step(ours.step, 2, 3)  # tables that are laid out under a dispatch mode hold under one only
    turns = [(0, 0), (1, 1), (None, 2), (0, 0), (None, 2), (None, 1), (1, 1), (0, 0), (None, 1)]
    with mock.patch("surefoot.torch.stepping.StepTables", side_effect=StepTables) as layouts:
        for k, (graph, place) in enumerate(turns, start=4):
            step(ours.step if graph is None else lambda graph=graph: graphs[graph].replay(ours), place, k)
    assert not layouts.call_count


@case
def a_learning_rate_in_a_tensor_is_read_by_each_replay() -> None:
    ours, twin = twins("AdaBound", torch.float64)
    rate = torch.tensor(1e-3, dtype=torch.float64)
    ours.param_groups[0]["lr"] = rate

    def change(k: int) -> None:
        rate.fill_(1e-3 / (k + 1))
        twin.param_groups[0]["lr"] = 1e-3 / (k + 1)

    step_both(ours, twin, steps=6, captured=1, change=change)
    assert ours.engine == "gpu"
    check_close(ours, twin, rtol=1e-12)


@case
def scaling_and_clipping_are_captured() -> None:
    """A step with a gradient that is not finite is left out, its number too, and nobody reads whether it is."""
    ours, twin = twins("Adam", torch.float64, max_grad_norm=0.5)
    found, scale = torch.zeros(()), torch.tensor(4.0)
    ours.found_inf, ours.grad_scale = found, scale

    def change(k: int) -> None:
        found.fill_(float(k in (0, 3, 5)))
        scale.fill_(2.0**k)
        twin.found_inf, twin.grad_scale = found.clone(), scale.clone()

    step_both(ours, twin, steps=8, captured=2, change=change)
    assert {int(own["step"]) for own in ours.state.values()} == {5}
    check_close(ours, twin, rtol=1e-12)


@case
def a_step_that_the_host_counts_is_not_captured() -> None:
    optimizer = make("Adam")
    give(params_of(optimizer), 0)
    with mock.patch.object(gpu, "capturing", return_value=True), pytest.raises(UsageError, match="capturable=True"):
        optimizer.step()


@case
def a_parameter_that_no_kernel_steps_is_left_out_too() -> None:
    """Where the device counts and a parameter is a subclass of torch's, the eager engine asks whether it is to step."""

    class Odd(Tensor):
        pass

    odd = torch.nn.Parameter(torch.ones(3).as_subclass(Odd))
    params = [Parameter(torch.ones(3)), odd]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = make("Adam", params, capturable=True)
        for left_out in (True, False):
            for p in params:
                p.grad = torch.ones_like(p)
            optimizer.found_inf = torch.tensor(float(left_out))
            optimizer.step()
            assert all(bool((p == 1).all()) is left_out for p in params)
    assert optimizer.engine == "eager+gpu"
    assert {int(own["step"]) for own in optimizer.state.values()} == {1}
