"""Kernels with a byte of state a weight: the oracle's bits, at every edge. Which slots promise never to be negative."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from half import EXTREME
from settings import ANY_SHAPE, FUSED, SURROUNDED, Setting, run, setting
from summed import OnNumpy, Stepped
from surefoot.compiler.emit import numba as emit_numba
from surefoot.compiler.emit import triton
from surefoot.compiler.kernel_plan import BLOCK, plan, stages
from surefoot.compiler.trace import trace
from surefoot.engines import float8, kernels
from surefoot.engines.blocks import SMALLEST
from surefoot.engines.launch_tables import CHUNK
from surefoot.errors import UsageError
from surefoot.rule import Slot, Step, rule
from surefoot.rules import RULES

pytestmark = pytest.mark.usefixtures("kernel_cache")

# The kernel, bit for bit


def check_kernel(setting: Setting, n: int, kind: str = "float32", seed: int | None = 5, steps: int = 4) -> None:
    rng = np.random.default_rng(n)
    start = torch.tensor(rng.normal(size=n).astype(np.float32)).to(getattr(torch, kind))
    stepped = Stepped(setting.rule, [start], [setting.hyper], blocks=True, seed=seed)
    beside = OnNumpy(stepped)
    beside.check()
    for t in range(1, steps + 1):
        g = (rng.normal(size=n) * 10.0 ** rng.uniform(-6, 0, n)).astype(np.float32)
        if t == 3:
            g[: len(EXTREME)] = rng.permutation(EXTREME)[:n]
        stepped.step([torch.tensor(g)])
        beside.step([torch.tensor(g)])


SIZES = [1, 255, 256, 257, SMALLEST + 1, CHUNK - 1, CHUNK, CHUNK + 1]


@pytest.mark.parametrize("n", SIZES)
def test_the_kernel_at_the_edges_of_blocks_and_chunks(n):
    check_kernel(setting("adam"), n, steps=3)


KEEPING = [name for name in ANY_SHAPE if RULES[name].slots and name != "sgd"]


def kept(name: str) -> tuple:
    """What a rule keeps, slot by slot, and the number of its kernel's passes over memory."""
    own = setting(name)
    starts = own.rule.starts(own.hyper)
    slots = sorted((slot.per, slot.positive, str(starts[slot.name])) for slot in own.rule.active(own.hyper))
    return slots, len(stages(trace(own.rule, own.hyper)))


KEPT = {str(kept(name)): name for name in reversed(KEEPING)}
"""The first rule of those that keep the same: what codes and blocks do knows nothing of a rule's formula."""


@pytest.mark.parametrize("name", KEPT.values())
def test_the_kernel_of_every_kind_of_state(name):
    check_kernel(setting(name, weight_decay=0.1), 700, seed=7)


@pytest.mark.parametrize("name", ["momentum", "adam", "adadelta", "lamb", "prodigy"])
def test_the_kernel_that_rounds_to_nearest(name):
    """Slots of either sign and positive ones, after sums, and beside copies of the weights."""
    check_kernel(setting(name, weight_decay=0.1), 700, seed=None)


CASES = [
    ("adamw", SURROUNDED, "float32"),
    ("adamw", {"amsgrad": True}, "bfloat16"),
    ("rmsprop", {"centered": True, "momentum": 0.9}, "float64"),
    ("adagrad", {"initial_accumulator": 0.1}, "float32"),
    ("adam", {}, "float16"),
]


@pytest.mark.parametrize(("name", "options", "kind"), CASES, ids=str)
def test_the_kernel_with_everything_around_and_other_weights(name, options, kind):
    check_kernel(setting(name, **options), 700, kind)


def test_chunks_are_whole_blocks():
    assert CHUNK % BLOCK == 0


@rule(slots=("one", Slot("two", positive=True), Slot("n", start="initial_accumulator")), source="this test")
def shuffles(g, state, _t, *, lr=0.1, initial_accumulator=-2.0):  # noqa: ARG001
    """One slot takes another's old value, below zero too where it promised not to; one is only read."""
    return Step(rate=lr, direction=g * state.n, one=g, two=state.one)


class Own(Setting):
    """A rule that no convention knows."""

    @property
    def hyper(self):
        return self.rule.complete({})


def test_slots_that_take_others_values():
    check_kernel(Own(shuffles, "torch", {}), 300)


def test_every_loop_is_vectorized():
    """As many weights at once as 32-bit numbers fit, random bits and codes too."""
    made = plan(trace(RULES["adam"], setting("adam").hyper))
    kinds = {"w": "float32", "g": "float32", "state.m": "signed8", "state.v": "positive8"}
    names: dict = {}
    exec(emit_numba.emit(made, "adam", kinds, stochastic=True), names)
    kernel = numba.njit(nogil=True, error_model="numpy")(names["step"])
    kernel.compile(kernels.SIGNATURE)
    (text,) = kernel.inspect_llvm().values()
    assert re.search(r"call <\d+ x float> @llvm.sqrt", text)
    assert re.search(r"store <\d+ x i8>", text)
    wide = Counter(re.findall(r"(?:mul|lshr|shl|add)(?: nuw| nsw)* <\d+ x (i\d+)>", text))
    assert wide["i32"] > 20
    assert "extractelement <16 x i8>" not in text  # codes that are written one by one


def test_machine_code_is_kept_for_these_codes_only(monkeypatch, tmp_path):
    before = kernels._fingerprint("")
    other = tmp_path / "float8.py"
    other.write_text(Path(float8.__file__).read_text() + "# changed\n")
    monkeypatch.setattr(float8, "__file__", str(other))
    assert kernels._fingerprint("") != before


def test_there_is_no_gpu_kernel_and_it_says_so():
    made = plan(trace(RULES["momentum"], setting("momentum").hyper))
    with pytest.raises(UsageError, match="engine='eager'"):
        triton.emit(made, "momentum", {"w": "float32", "g": "float32", "state.b": "signed8"})


def test_bytes_that_a_step_moves():
    made = plan(trace(RULES["adam"], setting("adam").hyper))
    kinds = {"w": "float32", "g": "float32", "state.m": "signed8", "state.v": "positive8"}
    assert made.bytes_per_weight(kinds) == 3 * 4 + 2 * 2 * (1 + 4 / 256)


# Slots that are never negative


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    scale=st.sampled_from([1e-20, 1e-3, 1.0, 1e15]),
    dtype=st.sampled_from(["float32", "float64"]),
    setting=st.sampled_from(FUSED),
)
def test_slots_that_promise_it_are_never_negative(seed, scale, dtype, setting):
    rng = np.random.default_rng(seed)
    gradients = (rng.normal(size=(20, 50)) * rng.choice([scale, 0.0], (20, 1))).astype(dtype)
    with np.errstate(over="ignore"):
        _, _, state = run(setting, rng.normal(size=50).astype(dtype), gradients)
    for slot in setting.rule.positive & state.keys():
        assert not (state[slot] < 0).any()


def test_other_slots_go_below_zero():
    """No slot could have promised more than it does."""
    gradients = np.random.default_rng(0).normal(size=(20, 50))
    seen = set()
    for each in FUSED:
        _, _, state = run(each, gradients[0], gradients)
        for slot in state.keys() - each.rule.positive - each.rule.numbers(each.hyper) - {"ema"}:
            assert (state[slot] < 0).any(), f"{each}: {slot}"
            seen.add((each.rule.name, slot))
    assert {("adam", "m"), ("rmsprop", "a"), ("rmsprop", "b"), ("momentum", "b")} <= seen


def test_which_slots_promise_it():
    assert {name: set(own.positive) for name, own in RULES.items()} == {
        **{name: set() for name in ("sgd", "momentum", "nesterov", "lion", "lars", "signum")},
        **{name: set() for name in ("schedule_free_sgd", "dadapt_sgd", "dog", "dowg")},
        **{
            name: {"v", "vmax"}
            for name in ("adam", "amsgrad", "adamw", "adamc", "adabound", "amsbound", "stableadamw", "lamb")
        },
        "muon": set(),
        "normuon": {"v"},
        "adafactor": {"R", "C"},
        "soap": {"v"},
        "adagrad": {"s"},
        "adadelta": {"v", "u"},
        **{
            name: {"v"}
            for name in ("rmsprop", "nadam", "nadamw", "radam", "yogi", "adopt", "ademamix", "adan", "adamatan2")
        },
        **{name: {"v"} for name in ("schedule_free_adamw", "schedule_free_radam", "dadapt_adam", "prodigy")},
        "adamax": {"u"},
        "adabelief": {"s"},
    }
