"""A kernel on tables that are laid out by hand, against the rule on NumPy: the comparison of every generated kernel.

A case has several tensors in chunks, one of them with a row of scalars and weights' numbers of its own, each in the
midst of other memory that no kernel may touch. A rule that adds up tensors has a kernel for each stage of sums; the
rule is given the very sums that these found, each of which must be the exact one to its last digits. Its angles are
those of the kernels' own formula, which `test_atan2` judges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import numba
import numpy as np
import torch
from torch import Tensor

from half import EXTREME, check_bits, stored
from settings import Setting
from surefoot import mathops
from surefoot.bundle import Bundle, members
from surefoot.compiler.graph import SIZE
from surefoot.compiler.kernel_plan import COMPUTE, Kinds, Plan, stages
from surefoot.compiler.trace import trace
from surefoot.engines import pointers
from surefoot.update import update

SIZES = (29, 1, 40)
KEYS = (0xDEADBEEF, 7, 2**32 - 1)
ROWS, NUMBERS = (0, 0, 1), (0, 0, 2**32 - 20)
"""Of each tensor: row of scalars, and the number of its first weight for random rounding."""

LATE = 2
"""How many steps more the last tensor has made."""

AROUND, FILL = 5, 0.5
"""Numbers before and after each tensor, and what they are."""

STEPS = 3

DIGITS = 1e-15
"""How far a sum may be from the exact one, relative to the sum of sizes."""

LARGE = 1e4
"""What a sum over a tensor cannot have in it: all of the tensor would become infinite, or NaN."""

Kernel = Callable[..., Any]
"""Called with the tables: chunks, pointers, strides, scalars and keys."""


@dataclass
class Case:
    """A setting, the kinds of its arrays, and in which of them neighbours are apart, and how far."""

    setting: Setting
    kinds: Kinds
    stochastic: bool = False
    strides: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Plan the kernels."""
        self.stages = stages(trace(self.setting.rule, self.setting.hyper))
        self.plan: Plan = self.stages[-1]
        self.each = {name: kind for stage in self.stages for name, kind in stage.kinds(self.kinds).items()}

    def __str__(self) -> str:
        kinds = self.kinds if isinstance(self.kinds, str) else "-".join(f"{a}={kind}" for a, kind in self.kinds.items())
        strides = [f"{array}:{stride}" for array, stride in self.strides.items()]
        return "-".join([str(self.setting), kinds, *strides, *(["stochastic"] if self.stochastic else [])])

    def text(self, emit: Callable[..., str]) -> str:
        """Return the text of the kernel that updates."""
        return self.texts(emit)[-1]

    def texts(self, emit: Callable[..., str]) -> list[str]:
        """Return the text of each stage's kernel."""
        return [
            emit(stage, "rule", self.kinds, stochastic=self.stochastic and not stage.sums, strided=bool(self.strides))
            for stage in self.stages
        ]

    def check(self, kernels: Sequence[Kernel], chunk: int, steps: Sequence[int] = range(1, STEPS + 1)) -> None:
        """Take these steps with the kernels and with the rule; all arrays must be the same after each of them."""
        rng = np.random.default_rng(3)
        now = [self._begin(np.concatenate([rng.normal(size=n), self._extreme])[-n:]) for n in SIZES]
        memory = [{name: self._place(name, value) for name, value in arrays.items()} for arrays in now]
        starts, numbered = self.setting.rule.starts(self.setting.hyper), self.setting.rule.numbers(self.setting.hyper)
        kept = [{slot: float(starts[slot]) for slot in numbered} for _ in SIZES]
        for t in steps:
            gradients = [self._place("g", self._gradient(rng, n)) for n in SIZES]
            before = [numbers(g) for g in gradients]
            given = [{**m, "g": g} for m, g in zip(memory, gradients, strict=True)]
            sums, found_kept = self._kernel_step(kernels, chunk, t, given, kept)
            now, kept = self._rule_step(t, now, before, kept, sums)
            for found, expected in zip(memory, now, strict=True):
                for name, value in expected.items():
                    check_bits(numbers(found[name]), value, f"{name} after step {t}")
                    assert is_alone(found[name]), f"{name}: written beside its array in step {t}"
            assert found_kept == kept

    @property
    def _extreme(self) -> np.ndarray:
        return EXTREME[abs(EXTREME) < LARGE] if len(self.stages) > 1 else EXTREME

    def _begin(self, weight: np.ndarray) -> dict[str, np.ndarray]:
        state, numbered = self.setting.begin(weight), self.setting.rule.numbers(self.setting.hyper)
        arrays = {"w": weight, **{f"state.{slot}": x for slot, x in state.items() if slot not in numbered}}
        return {name: stored(value, self.each[name]) for name, value in arrays.items()}

    def _gradient(self, rng: np.random.Generator, n: int) -> np.ndarray:
        made = rng.normal(size=n) * rng.choice([1.0, 1e-4, 1e-8, 0.0], n)
        made[: len(self._extreme)] = rng.permutation(self._extreme)[:n]
        return stored(made, self.each.get("g", "float32"))

    def _place(self, name: str, value: np.ndarray) -> Tensor:
        """Put numbers into memory, others between and around them; a stride of 0 has room for one."""
        stride = self.strides.get(name, 1)
        kind = getattr(torch, self.each.get(name, "float32"))
        memory = torch.full((len(value) * max(stride, 1) + 2 * AROUND,), FILL, dtype=kind)
        placed = memory.as_strided((len(value),), (stride,), AROUND)
        memory.as_strided((len(value) if stride else 1,), (stride or 1,), AROUND).copy_(
            torch.tensor(value if stride else value[-1:])
        )
        return placed

    def _kernel_step(
        self,
        kernels: Sequence[Kernel],
        chunk: int,
        t: int,
        arrays: list[dict[str, Tensor]],
        kept: list[dict[str, float]],
    ) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
        """Run the stages one after the other; return each tensor's own sums, and the numbers that are kept."""
        sums: list[dict[str, float]] = [{} for _ in SIZES]
        known: list[dict[str, Any]] = [
            {SIZE: float(n), **{f"state.{slot}": x for slot, x in own.items()}}
            for n, own in zip(SIZES, kept, strict=True)
        ]
        for stage, kernel in zip(self.stages, kernels, strict=True):
            rows, made = self._rows(stage, t, known)
            at = range(len(SIZES)) if stage.by_tensor else ROWS
            chunks = np.array(
                [
                    (k, i, min(chunk, n - i), at[k], NUMBERS[k] + i)
                    for k, n in enumerate(SIZES)
                    for i in range(0, n, chunk)
                ]
            )
            found = [[each[name] for name in stage.arrays] for each in arrays]
            summed = np.full((len(chunks), len(stage.sums)), np.nan)
            kernel(
                chunks,
                np.array([[x.data_ptr() for x in each] for each in found]),
                np.array([[x.stride(0) for x in each] for each in found]),
                rows,
                np.array([summed.ctypes.data] if stage.sums else KEYS),
            )
            for column, name in enumerate(stage.sums):
                parts = [math.fsum(summed[chunks[:, 0] == k, column]) for k in range(len(SIZES))]
                for k, part in enumerate(parts):
                    sums[k][name] = part
                    known[k][name] = sum(parts[1:], parts[0]) if name in stage.everywhere else part
        shared = self.setting.rule.shared
        return sums, [{slot: made[0 if slot in shared else k][slot] for slot in own} for k, own in enumerate(kept)]

    def _rows(self, stage: Plan, t: int, known: list[dict[str, Any]]) -> tuple[np.ndarray, list[dict[str, float]]]:
        """Return a stage's scalars, and the numbers of each tensor after it, as those before where they stay."""
        made = []
        for own, row in zip(known, ROWS, strict=True):
            values = {**self.setting.hyper, **own, "t": t + LATE * row}
            alone = stage.by_tensor or stage.numbers
            made.append(stage.host_rows(values, 1) if alone else (np.array([stage.host(values)]), {}))
        table = np.concatenate([table for table, _ in made])
        kept = [
            {name.removeprefix("state."): float(new.get(name, x)) for name, x in own.items()}
            for own, (_, new) in zip(known, made, strict=True)
        ]
        return table if stage.by_tensor else table[[0, 2]], kept

    def _rule_step(
        self,
        t: int,
        arrays: list[dict[str, np.ndarray]],
        gradients: list[np.ndarray],
        kept: list[dict[str, float]],
        sums: list[dict[str, float]],
    ) -> tuple[list[dict[str, np.ndarray]], list[dict[str, float]]]:
        """Run the rule itself on all tensors in the precision of the policy, and round what it returns."""
        compute, shared, hyper = COMPUTE[self.each["w"]], self.setting.rule.shared, self.setting.hyper
        names = {name: Bundle(each[name].astype(compute) for each in arrays) for name in arrays[0]}
        state = {slot: kept[0][slot] if slot in shared else Bundle(own[slot] for own in kept) for slot in kept[0]}
        state |= {name.removeprefix("state."): x for name, x in names.items() if name != "w"}
        count = Bundle(float(t + LATE * row) for row in ROWS)
        known = [x for own in sums for x in own.values()]
        ours = {"total": lambda x: sums_found(x, known), "atan2": angles}
        with np.errstate(all="ignore"), mock.patch.multiple(mathops, **ours):
            g = Bundle(gradient.astype(compute) for gradient in gradients)
            made = update(self.setting.rule, names["w"], g, state, count, hyper)
        n, order = len(SIZES), [*self.plan.outputs]
        new = {"w": members(made.weight, n), **{f"state.{slot}": members(x, n) for slot, x in made.state.items()}}
        rounded = [
            {
                name: stored(
                    new[name][k],
                    self.each[name],
                    NUMBERS[k] + np.arange(SIZES[k]),
                    KEYS[k] if self.stochastic else None,
                    order.index(name) if name in order else 0,
                )
                for name in names
            }
            for k in range(n)
        ]
        numbered = {slot: members(made.state[slot], n) for slot in kept[0]}
        return rounded, [{slot: x[0 if slot in shared else k] for slot, x in numbered.items()} for k in range(n)]


def sums_found(x: Any, known: Sequence[float]) -> Any:
    """Return what a kernel found for the sum over an array, which must be the exact one but for its last digits."""
    if isinstance(x, Bundle):
        return Bundle(sums_found(each, known) for each in x.members)
    parts = x.ravel().tolist()
    exact = math.fsum(parts)
    found = min(known, key=lambda each: abs(each - exact))
    assert abs(found - exact) <= DIGITS * math.fsum(map(abs, parts)), f"no kernel found {exact}, but {known}"
    return found


@numba.njit(error_model="numpy")
def _angles(y: Any, x: Any, found: Any) -> None:
    for i in range(len(y)):
        found[i] = pointers.atan2(y[i], x[i])


def angles(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the angles that kernels compute."""
    found = np.empty_like(y)
    _angles(y, x, found)
    return found


def numbers(x: Tensor) -> np.ndarray:
    """Return a tensor's numbers in NumPy; half precision as float32."""
    x = x.detach()
    return (x if x.dtype == torch.float64 else x.float()).numpy().copy()


def is_alone(placed: Tensor) -> bool:
    """Tell whether everything around and between is as it was."""
    size = placed.untyped_storage().nbytes() // placed.element_size()
    memory = placed.as_strided((size,), (1,), 0).clone()
    memory.as_strided(placed.shape, placed.stride(), placed.storage_offset()).fill_(FILL)
    return bool((memory == FILL).all())
