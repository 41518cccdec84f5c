"""Rules that sum over tensors or keep numbers, stepped by the CPU's kernels on tables made by hand, beside NumPy.

`Stepped` is the kernels' side, as a front-end would lay it out; `OnNumpy` runs the rule itself, gives it the very sums
that the kernels found, and compares each of them with `math.fsum`. Arrays and numbers must then be equal bit for bit.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

import numba
import numpy as np
import torch
from torch import Tensor

from eight_bits import decode, encode
from half import check_bits, stored
from kernel_cases import numbers
from surefoot import mathops
from surefoot.compiler.graph import SUMS, Node, needed
from surefoot.compiler.kernel_plan import COMPUTE
from surefoot.compiler.trace import Symbol, SymbolOps, trace
from surefoot.engines import kernel_choice, pointers
from surefoot.engines.blocks import Blocks
from surefoot.engines.cpu import NativeStep
from surefoot.engines.fits import fit
from surefoot.engines.jobs import Counts
from surefoot.engines.launch_tables import Launch
from surefoot.engines.rounding import key
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
    """Some tensors and what is kept for them, stepped together by kernels.

    Args:
        own: any rule.
        weights: the tensors.
        hypers: of each group; the tensors take turns.
        blocks: keep state in 8 bits, but for what starts as the weights.
        seed: of random rounding; to nearest if None. Tensors are then contiguous.
    """

    def __init__(
        self,
        own: Rule,
        weights: Sequence[Tensor],
        hypers: Sequence[Mapping[str, Any]] = ({},),
        *,
        blocks: bool = False,
        seed: int | None = None,
    ) -> None:
        self.rule, self.weights, self.t, self.seed = own, [*weights], [0] * len(weights), seed
        self.hypers = [own.complete(each) for each in hypers]
        slots, starts = own.active(self.hypers[0]), own.starts(self.hypers[0])
        self.state = [
            {s.name: self._begun(s.name, w, starts[s.name], blocks) for s in slots if s.per == "weight"}
            for w in weights
        ]
        self.numbers = [
            {s.name: torch.tensor(starts[s.name], dtype=torch.float64) for s in slots if s.per == "tensor"}
            for _ in weights
        ]
        self.shared = {s.name: float(starts[s.name]) for s in slots if s.per == "optimizer"}
        self.sums: list[dict[str, float]] = []

    def _begun(self, slot: str, w: Tensor, start: Any, blocks: bool) -> Tensor | Blocks:
        if blocks and start is not WEIGHT:
            return Blocks.full(w, start, positive=slot in self.rule.positive)
        x = w.to(torch.float32) if slot == "ema" and blocks else w
        return x.clone() if start is WEIGHT else torch.full_like(x, start)

    def group(self, k: int) -> int:
        """The group of a tensor: they take turns."""
        return k % len(self.hypers)

    def prepared(self, gradients: Sequence[Tensor | None], **how: Any) -> NativeStep:
        """Return the step that these gradients ask for; nothing is written yet."""
        self._launches: dict[kernel_choice.Kernel, Launch] = {}
        self._places: list[tuple[Launch, int] | None] = []
        counts = []
        for k, (w, g) in enumerate(zip(self.weights, gradients, strict=True)):
            if g is None:
                self._places.append(None)
                continue
            self.t[k] += 1
            shown = fit(w, g, self.state[k])
            assert not isinstance(shown, str), shown
            form, stochastic = kernel_choice.form(self.hypers[self.group(k)]), self.seed is not None
            kernel = kernel_choice.kernel(
                "cpu", self.rule, form, shown.kinds, stochastic=stochastic, strided=shown.strided
            )
            launch = self._launches.setdefault(kernel, Launch(kernel, self.seed or 0))
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
    """What the rule itself makes of the same tensors; state in 8 bits as its oracle has it."""

    def __init__(self, stepped: Stepped) -> None:
        self.stepped, self._positive = stepped, stepped.rule.positive
        self.weights = [numbers(w) for w in stepped.weights]
        self.state = [{name: self._begun(name, x) for name, x in each.items()} for each in stepped.state]
        self.numbers = [{name: float(x) for name, x in each.items()} for each in stepped.numbers]
        self.shared = dict(stepped.shared)

    def _begun(self, slot: str, x: Tensor | Blocks) -> Any:
        if not isinstance(x, Blocks):
            return numbers(x)
        start = self.stepped.rule.starts(self.stepped.hypers[0])[slot]
        return encode(np.full(x.shape, start, np.float32), slot in self._positive)

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
        np.testing.assert_equal(self.stepped.shared, self.shared)
        self.check()

    def check(self) -> None:
        """Compare all that is kept of each tensor, bit by bit."""
        for k, w in enumerate(self.stepped.weights):
            check_bits(numbers(w), self.weights[k], f"weights of tensor {k}")
            for name, x in self.stepped.state[k].items():
                expected = self.state[k][name]
                pairs = zip((x.codes, x.scales), expected, strict=True) if isinstance(x, Blocks) else [(x, expected)]
                for found, wanted in pairs:
                    check_bits(numbers(found), wanted, f"{name} of tensor {k}")
            np.testing.assert_equal({name: float(x) for name, x in self.stepped.numbers[k].items()}, self.numbers[k])

    def _step(self, k: int, g: Tensor, shared: dict[str, float], everywhere: dict[str, list[np.ndarray]]) -> None:
        kind = _kind(self.stepped.weights[k])
        compute, hyper = COMPUTE[kind], self.stepped.hypers[self.stepped.group(k)]
        names = _names_of_sums(self.stepped.rule, kernel_choice.form(hyper))
        summed = _Summed(names, self.stepped.sums[k], everywhere)
        arrays = {name: np.atleast_1d(self._read(name, x)).astype(compute) for name, x in self.state[k].items()}
        state = {**arrays, **self.numbers[k], **shared}
        with np.errstate(all="ignore"), mock.patch.object(mathops, "namespace_of", return_value=summed):
            weight, gradient = (np.atleast_1d(x).astype(compute) for x in (self.weights[k], numbers(g)))
            made = update(self.stepped.rule, weight, gradient, state, float(self.stepped.t[k]), hyper)
        assert summed.all_asked_for
        seed, t = self.stepped.seed, self.stepped.t[k]
        random = None if seed is None else key(seed, k, t)
        self.weights[k] = self._written("w", self.stepped.weights[k], made.weight, random, 0)
        place = 0
        for name, x in made.state.items():
            if name in self.numbers[k]:
                assert type(x) is float
                self.numbers[k][name] = x
            elif name in shared:
                self.shared.setdefault(name, x)  # of groups whose settings make it differ, the first
            elif x is not arrays[name]:
                place += 1
                self.state[k][name] = self._written(name, self.stepped.state[k][name], x, random, place)

    def _read(self, slot: str, x: Any) -> np.ndarray:
        return decode(*x, slot in self._positive) if isinstance(x, tuple) else x

    def _written(self, name: str, like: Tensor | Blocks, x: Any, random: int | None, place: int) -> Any:
        """Return what memory holds once `x` was written: the `place`-th array of those that a step writes."""
        with np.errstate(over="ignore"):
            if isinstance(like, Blocks):
                return encode(np.asarray(x, np.float32), name in self._positive, key=random, k=place)
            return stored(np.asarray(x), _kind(like), np.arange(like.numel()), random, place).reshape(like.shape)


class _Summed:
    """NumPy as `mathops` sees it, with the sums that kernels found, and their arc tangent.

    Args:
        names: of the sums that a rule asks for, in its order.
        sums: what the kernels found for a tensor.
        everywhere: what is added up over all tensors, by the sum's name; each tensor adds its part.
    """

    def __init__(
        self, names: Sequence[str], sums: Mapping[str, float], everywhere: dict[str, list[np.ndarray]]
    ) -> None:
        self._names, self._sums, self._everywhere = iter(names), sums, everywhere
        self._added: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def total(self, x: np.ndarray) -> float:
        """Return the sum of a tensor."""
        name = next(self._names)
        if name not in self._sums:  # the rule makes no use of it
            return float(x.sum())
        check_sum(self._sums[name], x)
        return self._sums[name]

    def total_all(self, x: np.ndarray) -> float:
        """Return the sum of all tensors."""
        name = next(self._names)
        if name not in self._added:
            self._added.add(name)
            self._everywhere.setdefault(name, []).append(x)
        return self._sums[name]

    def arctan2(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the angle as kernels compute it; `test_atan2.py` compares that with the exact one."""
        y, x = (np.ascontiguousarray(each) for each in np.broadcast_arrays(y, x))
        found = np.empty_like(y)
        _angles(y.ravel(), x.ravel(), found.ravel())
        return found

    @property
    def all_asked_for(self) -> bool:
        """Whether the rule has asked for every sum."""
        return next(self._names, None) is None


@functools.cache
def _names_of_sums(own: Rule, form: kernel_choice.Form) -> list[str]:
    """Return the kernels' name of each sum that a rule asks for, in its order: one that it asks for twice is one.

    One that it makes no use of has none.
    """
    asked: list[Node] = []

    def noting(op: str) -> Any:
        of = getattr(SymbolOps, op)

        def note(x: Symbol) -> Symbol:
            made: Symbol = of(x)
            asked.extend([made.node] if x.node.per_weight else [])
            return made

        return mock.patch.object(SymbolOps, op, note)

    with noting("total"), noting("total_all"):
        graph = trace(own, dict(form))
    used = needed(graph.results)
    known = {op: [node for node in graph.nodes if node.op == op and node in used] for op in SUMS}
    return [f"{node.op}{known[node.op].index(node)}" if node in used else "" for node in asked]


@numba.njit(error_model="numpy")
def _angles(y: Any, x: Any, found: Any) -> None:
    for k in range(len(y)):
        found[k] = pointers.atan2(y[k], x[k])


def _kind(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")


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
