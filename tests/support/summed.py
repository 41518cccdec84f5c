"""Rules that sum over tensors or keep numbers, stepped by the CPU's kernels on tables made by hand, beside NumPy.

`Stepped` is the kernels' side, as a front-end would lay it out; `OnNumpy` runs the rule itself, gives it the very sums
that the kernels found, and compares each of them with `math.fsum`. Arrays and numbers must then be equal bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from half import check_bits, stored
from kernel_cases import numbers
from surefoot import mathops
from surefoot.compiler.plan import COMPUTE
from surefoot.engines import kernel_choice as choice
from surefoot.engines.cpu import NativeStep
from surefoot.engines.fits import fit
from surefoot.engines.jobs import Counts
from surefoot.engines.launch import Launch
from surefoot.rule import WEIGHT, Rule, Step, rule
from surefoot.update import update

DIGITS = 1e-15
"""How far a sum may be from the exact one, relative to the sum of sizes."""


@rule(slots=("m", "v"), source="these tests")
def trusted(g, w, state, t, *, lr=0.01, beta1=0.9, beta2=0.99, eps=1e-6):
    """Adam whose step is as long, tensor by tensor, as the weights are: two sums that need no other."""
    m = beta1 * state.m + (1 - beta1) * g
    v = beta2 * state.v + (1 - beta2) * g * g
    u = m / (1 - beta1**t) / (mathops.sqrt(v / (1 - beta2**t)) + eps) + 0.1 * w
    far, step = mathops.sqrt(mathops.total(w * w)), mathops.sqrt(mathops.total(u * u))
    trust = mathops.where(far * step > 0, far / mathops.where(step > 0, step, 1.0), 1.0)
    return Step(rate=lr * trust, direction=u, m=m, v=v)


@rule(slots=("m",), source="these tests")
def chained(g, state, t, *, lr=0.01, beta1=0.9):
    """Three stages: the sign of a mean, a power of a mean square, a mean that needs both."""
    around = g - mathops.mean(g)
    m = beta1 * state.m + (1 - beta1) * around / (mathops.mean(around * around) ** 0.5 + 1e-8)
    share = mathops.mean(mathops.where(m * g > 0, 1.0, 0.0))
    return Step(rate=lr * t / (share + mathops.atan2(share, 0.3) + 0.5), direction=m * mathops.size(g) ** 0.25, m=m)


@rule(source="these tests")
def joined(g, state, t, *, lr=0.1):  # noqa: ARG001
    """The gradient, by its mean and by the joint norm of all."""
    norm = mathops.sqrt(mathops.total_all(g * g))
    return Step(rate=lr / mathops.maximum(norm, 1.0), direction=g - mathops.mean(g))


class Stepped:
    """Some tensors and what is kept for them, stepped together by kernels."""

    def __init__(self, own: Rule, weights: Sequence[Tensor], hypers: Sequence[Mapping[str, Any]] = ({},)) -> None:
        self.rule, self.weights, self.t = own, [*weights], [0] * len(weights)
        self.hypers = [own.complete(each) for each in hypers]
        slots, starts = own.active({}), own.starts({})
        self.state = [
            {
                s.name: w.clone() if starts[s.name] is WEIGHT else torch.full_like(w, starts[s.name])
                for s in slots
                if s.per == "weight"
            }
            for w in weights
        ]
        self.numbers = [
            {s.name: torch.tensor(starts[s.name], dtype=torch.float64) for s in slots if s.per == "tensor"}
            for _ in weights
        ]
        self.shared = {s.name: float(starts[s.name]) for s in slots if s.per == "optimizer"}
        self.sums: list[dict[str, float]] = []

    def group(self, k: int) -> int:
        """The group of a tensor: they take turns."""
        return k % len(self.hypers)

    def prepared(self, gradients: Sequence[Tensor | None], **how: Any) -> NativeStep:
        """Return the step that these gradients ask for; nothing is written yet."""
        self._launches: dict[choice.Kernel, Launch] = {}
        self._places: list[tuple[Launch, int] | None] = []
        counts = []
        for k, (w, g) in enumerate(zip(self.weights, gradients, strict=True)):
            if g is None:
                self._places.append(None)
                continue
            self.t[k] += 1
            shown = fit(w, g, self.state[k])
            assert not isinstance(shown, str), shown
            form = choice.form(self.hypers[self.group(k)])
            kernel = choice.kernel("cpu", self.rule, form, shown.kinds, stochastic=False, strided=shown.strided)
            launch = self._launches.setdefault(kernel, Launch(kernel, 0))
            named = {f"state.{name}": x for name, x in self.numbers[k].items()}
            self._places.append((launch, launch.parameters))
            launch.add(shown.arrays, shown.runs, self.group(k), float(self.t[k]), k, numbers=named)
            counts.append(torch.tensor(float(self.t[k]) - 1))
        step = NativeStep([*self._launches.values()], Counts(counts), **how)
        shared = {f"state.{name}": x for name, x in self.shared.items()}
        step.begin([{**each, **shared} for each in self.hypers])
        return step

    def step(self, gradients: Sequence[Tensor | None], **how: Any) -> None:
        """Take a step."""
        step = self.prepared(gradients, **how)
        self.sums = [{} if at is None else _at(*at) for at in self._places]
        step.run()
        self.shared |= {name.removeprefix("state."): x for name, x in step.shared.items()}

    @property
    def launches(self) -> int:
        """How many kernels the last step took, stages of sums apart."""
        return len(self._launches)


def _at(launch: Launch, place: int) -> dict[str, float]:
    return {name: float(x[place]) if isinstance(x, np.ndarray) else x for name, x in launch.sums.items()}


class OnNumpy:
    """What the rule itself makes of the same tensors."""

    def __init__(self, stepped: Stepped) -> None:
        self.stepped = stepped
        self.weights = [numbers(w) for w in stepped.weights]
        self.state = [{name: numbers(x) for name, x in each.items()} for each in stepped.state]
        self.numbers = [{name: float(x) for name, x in each.items()} for each in stepped.numbers]
        self.shared = dict(stepped.shared)

    def step(self, gradients: Sequence[Tensor | None]) -> None:
        """Take the step that the kernels have just taken, and compare."""
        everywhere: dict[str, list[np.ndarray]] = {}
        shared = dict(self.shared)
        self.shared = {}
        for k, g in enumerate(gradients):
            if g is not None:
                self._step(k, g, shared, everywhere)
        for name, parts in everywhere.items():
            found = next(sums[name] for sums in self.stepped.sums if sums)
            check_sum(found, np.concatenate([x.ravel() for x in parts]))
        assert self.shared == self.stepped.shared
        for k, w in enumerate(self.stepped.weights):
            check_bits(numbers(w), self.weights[k], f"weights of tensor {k}")
            for name, x in self.stepped.state[k].items():
                check_bits(numbers(x), self.state[k][name], f"{name} of tensor {k}")
            assert {name: float(x) for name, x in self.stepped.numbers[k].items()} == self.numbers[k]

    def _step(self, k: int, g: Tensor, shared: dict[str, float], everywhere: dict[str, list[np.ndarray]]) -> None:
        own, kind = self.stepped.rule, str(g.dtype).removeprefix("torch.")
        kind = str(self.stepped.weights[k].dtype).removeprefix("torch.")
        sums, seen = self.stepped.sums[k], {"total": 0, "total_all": 0}

        def summed(op: str, x: np.ndarray) -> float:
            name = f"{op}{seen[op]}"
            seen[op] += 1
            if op == "total":
                check_sum(sums[name], x)
            else:
                everywhere.setdefault(name, []).append(x)
            return sums[name]

        compute = COMPUTE[kind]
        state = {name: x.astype(compute) for name, x in self.state[k].items()} | self.numbers[k] | shared
        with ExitStack() as stack:
            stack.enter_context(np.errstate(all="ignore"))
            for op in seen:
                stack.enter_context(mock.patch.object(mathops, op, lambda x, op=op: summed(op, x)))
            hyper = self.stepped.hypers[self.stepped.group(k)]
            weight, gradient = self.weights[k].astype(compute), numbers(g).astype(compute)
            made = update(own, weight, gradient, state, float(self.stepped.t[k]), hyper)
        self.weights[k] = stored(np.asarray(made.weight), kind).reshape(self.weights[k].shape)
        for name, x in made.state.items():
            if name in self.numbers[k]:
                assert type(x) is float
                self.numbers[k][name] = x
            elif name in shared:
                self.shared.setdefault(name, x)  # of groups whose settings make it differ, the first
            else:
                self.state[k][name] = stored(np.asarray(x), kind).reshape(self.state[k][name].shape)


def check_sum(found: float, x: np.ndarray) -> None:
    """Compare a sum with the exact one."""
    exact = [float(each) for each in x.ravel()]
    if all(map(math.isfinite, exact)):
        assert abs(found - math.fsum(exact)) <= DIGITS * math.fsum(map(abs, exact))
    else:
        assert not math.isfinite(found)


SHAPES = [(5, 3), (7,), (), (0,), (64,), (200, 173), (2, 3, 4, 4)]


def tensors(dtype: torch.dtype, seed: int = 0) -> list[Tensor]:
    """Tensors of no number, of one, of many chunks; the last two in pieces and with neighbours that are apart."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    return [*(drawn(*shape) for shape in SHAPES), drawn(9, 5, 8)[:, :3, 1:], drawn(40, 3)[::2, 1]]


def check_run(own: Rule, dtype: torch.dtype, steps: int = 4, hypers: Sequence[Mapping[str, Any]] = ({},)) -> Stepped:
    """Step tensors, of which some join late, one has gradients of zeros at first, by kernels and by the rule."""
    stepped = Stepped(own, tensors(dtype), hypers)
    beside = OnNumpy(stepped)
    for k in range(steps):
        gradients: list[Tensor | None] = [*tensors(dtype, seed=100 + k)]
        if k == 0:
            gradients[0] = torch.zeros_like(stepped.weights[0])
            gradients[4] = gradients[7] = None
        stepped.step(gradients)
        beside.step(gradients)
    return stepped
