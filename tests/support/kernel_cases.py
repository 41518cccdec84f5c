"""A kernel on tables that are laid out by hand, against the rule on NumPy: the comparison of every generated kernel.

A case has several tensors in chunks, one of them with a row of scalars and weights' numbers of its own, each in the
midst of other memory that no kernel may touch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from half import EXTREME, check_bits, stored
from settings import Setting
from surefoot.compiler.plan import COMPUTE, Kinds, Plan, plan
from surefoot.compiler.trace import trace
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
        """Plan the kernel."""
        self.plan: Plan = plan(trace(self.setting.rule, self.setting.hyper))
        self.each = self.plan.kinds(self.kinds)

    def __str__(self) -> str:
        kinds = self.kinds if isinstance(self.kinds, str) else "-".join(f"{a}={kind}" for a, kind in self.kinds.items())
        strides = [f"{array}:{stride}" for array, stride in self.strides.items()]
        return "-".join([str(self.setting), kinds, *strides, *(["stochastic"] if self.stochastic else [])])

    def text(self, emit: Callable[..., str]) -> str:
        """Return the kernel's text."""
        return emit(self.plan, "rule", self.kinds, stochastic=self.stochastic, strided=bool(self.strides))

    def check(self, kernel: Kernel, chunk: int) -> None:
        """Take a few steps with the kernel and with the rule; all arrays must be the same after each of them."""
        rng = np.random.default_rng(3)
        now = [self._begin(np.concatenate([rng.normal(size=n), EXTREME])[-n:]) for n in SIZES]
        memory = [{name: self._place(name, value) for name, value in arrays.items()} for arrays in now]
        for t in range(1, STEPS + 1):
            gradients = [self._place("g", self._gradient(rng, n)) for n in SIZES]
            before = [numbers(g) for g in gradients]
            self._kernel_step(kernel, chunk, t, [{**m, "g": g} for m, g in zip(memory, gradients, strict=True)])
            now = [self._rule_step(k, t, arrays, g) for k, (arrays, g) in enumerate(zip(now, before, strict=True))]
            for found, expected in zip(memory, now, strict=True):
                for name, value in expected.items():
                    check_bits(numbers(found[name]), value, f"{name} after step {t}")
                    assert is_alone(found[name]), f"{name}: written beside its array in step {t}"

    def _begin(self, weight: np.ndarray) -> dict[str, np.ndarray]:
        state = self.setting.begin(weight)
        arrays = {"w": weight, **{f"state.{slot}": value for slot, value in state.items()}}
        return {name: stored(value, self.each[name]) for name, value in arrays.items()}

    def _gradient(self, rng: np.random.Generator, n: int) -> np.ndarray:
        made = rng.normal(size=n) * rng.choice([1.0, 1e-4, 1e-8, 0.0], n)
        made[: len(EXTREME)] = rng.permutation(EXTREME)[:n]
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

    def _kernel_step(self, kernel: Kernel, chunk: int, t: int, arrays: list[dict[str, Tensor]]) -> None:
        chunks = [
            (k, i, min(chunk, n - i), ROWS[k], NUMBERS[k] + i) for k, n in enumerate(SIZES) for i in range(0, n, chunk)
        ]
        found = [[each[name] for name in self.plan.arrays] for each in arrays]
        scalars = [self.plan.host({**self.setting.hyper, "t": t + late}) for late in (0, LATE)]
        kernel(
            np.array(chunks),
            np.array([[x.data_ptr() for x in each] for each in found]),
            np.array([[x.stride(0) for x in each] for each in found]),
            np.array(scalars),
            np.array(KEYS),
        )

    def _rule_step(self, k: int, t: int, arrays: dict[str, np.ndarray], gradient: np.ndarray) -> dict[str, np.ndarray]:
        """Run the rule itself in the precision of the policy, and round what it returns."""
        compute = COMPUTE[self.each["w"]]
        state = {name.removeprefix("state."): x.astype(compute) for name, x in arrays.items()}
        weight, count = state.pop("w"), t + LATE * ROWS[k]
        with np.errstate(all="ignore"):
            made = update(self.setting.rule, weight, gradient.astype(compute), state, count, self.setting.hyper)
        new = {"w": made.weight, **{f"state.{slot}": value for slot, value in made.state.items()}}
        at, key = NUMBERS[k] + np.arange(SIZES[k]), KEYS[k] if self.stochastic else None
        return {
            name: stored(new[name], self.each[name], at, key, list(new).index(name)) if name in new else old
            for name, old in arrays.items()
        }


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
