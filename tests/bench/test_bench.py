"""The benchmark: sets, clock, shared memory, floor and contenders, each apart; what the command does is elsewhere."""

import ast
import math
import os
import signal
import statistics
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from surefoot.bench import first_step, memory
from surefoot.bench.arena import ALIGNMENT, DTYPES, Arena
from surefoot.bench.cases import CLIPPED, BenchCase, bytes_per_weight, case_names, find_case
from surefoot.bench.contenders import Contender, Stepper, start
from surefoot.bench.floor import floor, sweep_text
from surefoot.bench.line_up import CLASSES, contenders
from surefoot.bench.result import Measured, floor_of, rows
from surefoot.bench.run import BenchOptions, plan, run
from surefoot.bench.shapes import SETS, ParameterSet, find_set
from surefoot.bench.turns import BUDGET, FEWEST, TURN, Interrupt, spread, take_turns, turn_of
from surefoot.errors import UsageError
from surefoot.rules import RULES

pytestmark = pytest.mark.usefixtures("kernel_cache")

SHAPES = [(3, 5), (1,), (40,), (2, 3, 2)]


class Clock:
    """A clock that moves only when a step is done."""

    def __init__(self):
        self.now = 0.0
        self.calls = []

    def __call__(self):
        return self.now

    def step(self, name, seconds):
        def do():
            self.calls.append(name)
            self.now += seconds[0] if len(seconds) == 1 else seconds.pop(0)

        return do


# Parameter sets and cases


@pytest.mark.parametrize(
    ("name", "tensors", "weights"),
    [("cnn", 18, 432_138), ("resnet50", 161, 25_557_032), ("gpt2", 148, 124_439_808), ("tiny", 161, 644)],
)
def test_a_set_has_the_network_s_own_number_of_tensors_and_weights(name, tensors, weights):
    found = find_set(name)
    assert (len(found.shapes), found.weights) == (tensors, weights)


def test_sets_are_named_and_close_matches_too():
    assert list(SETS) == ["cnn", "resnet50", "gpt2", "tiny", "tiny10k"]
    with pytest.raises(UsageError, match="Did you mean 'resnet50'"):
        find_set("resnet5")


def test_the_networks_ends_are_where_they_should_be():
    resnet, gpt2 = find_set("resnet50").shapes, find_set("gpt2").shapes
    assert (resnet[0], resnet[-2:]) == ((64, 3, 7, 7), ((1000, 2048), (1000,)))
    assert (gpt2[:2], gpt2[-2:]) == (((50257, 768), (1024, 768)), ((768,), (768,)))
    assert gpt2.count((3072, 768)) == gpt2.count((768, 3072)) == gpt2.count((2304, 768)) == 12


BYTES = {
    "sgd": 12,
    "momentum": 20,
    "nesterov": 20,
    "adagrad": 20,
    "adadelta": 28,
    "rmsprop": 20,
    "adam": 28,
    "amsgrad": 36,
    "adamw": 28,
    "adabound": 28,
    "amsbound": 36,
    "lion": 20,
    "adamax": 28,
    "radam": 28,
    "adabelief": 28,
    "yogi": 28,
    "adopt": 28,
    "ademamix": 36,
    "adan": 44,
    **dict.fromkeys(("nadam", "nadamw", "adamc", "adamatan2"), 28),
    "signum": 20,
    "lars": 28,
    "stableadamw": 36,
    "lamb": 44,
    "schedule_free_sgd": 20,
    **dict.fromkeys(("schedule_free_adamw", "schedule_free_radam"), 28),
    "dadapt_sgd": 36,
    "dadapt_adam": 48,
    "prodigy": 52,
    **dict.fromkeys(("dog", "dowg"), 24),
    CLIPPED: 40,
}


@pytest.mark.parametrize("name", case_names())
def test_a_case_knows_the_bytes_it_has_to_move(name):
    case = find_case(name)
    assert bytes_per_weight(case.passes, 4) == 2 * bytes_per_weight(case.passes, 2) == BYTES[name]


def test_every_rule_is_a_case_and_the_composite_is_the_last():
    assert case_names() == (*(name for name, rule in RULES.items() if rule.shape == "any"), CLIPPED)
    with pytest.raises(UsageError, match="Did you mean 'adabound'"):
        find_case("adabond")
    with pytest.raises(UsageError, match=r"muon multiplies matrices, and takes no vectors.*benchmarks/muon\.py"):
        find_case("muon")


# The clock


def test_each_round_begins_with_another_contender():
    clock = Clock()
    turns = {name: turn_of(clock.step(name, [0.25])) for name in "abc"}
    take_turns(turns, {}, rounds=4, clock=clock)
    assert "".join(clock.calls[-12:]) == "abcbcacababc"  # before them, the warm-up


def test_the_median_and_the_quartiles_are_those_of_the_turns():
    clock, times = Clock(), {}
    seconds = [9.0, 9.0, 5.0, 1.0, 3.0, 4.0, 2.0]  # the first two warm up
    take_turns({"a": turn_of(clock.step("a", seconds))}, times, rounds=5, budget=math.inf, clock=clock)
    assert times["a"] == [5.0, 1.0, 3.0, 4.0, 2.0]
    found = spread(times["a"])
    assert (found.median, found.low, found.high, found.turns) == (3.0, 2.0, 4.0, 5)
    assert found.median == statistics.median(times["a"])


def test_a_single_time_is_its_own_spread():
    found = spread([2.5])
    assert (found.median, found.low, found.high, found.turns) == (2.5, 2.5, 2.5, 1)


def test_a_short_step_fills_its_turn_after_one_that_does_not_count():
    clock, times = Clock(), {}
    take_turns({"a": turn_of(clock.step("a", [TURN / 5]))}, times, rounds=3, clock=clock)
    assert len(clock.calls) == (1 + 1 + 2 + 4 + 8) + 3 * (1 + 8)
    assert times["a"] == pytest.approx([TURN / 5] * 3)


def test_who_has_used_up_the_budget_leaves_but_not_before_the_fewest_turns():
    clock, times = Clock(), {}
    turns = {"slow": turn_of(clock.step("slow", [BUDGET])), "fast": turn_of(clock.step("fast", [0.01]))}
    take_turns(turns, times, rounds=20, clock=clock)
    assert len(times["slow"]) == FEWEST
    assert len(times["fast"]) == 20


def test_tidying_up_is_not_timed_and_follows_every_step():
    clock, times = Clock(), {}
    turns = {"a": turn_of(clock.step("a", [TURN / 2]), clock.step("tidy", [1.0]))}
    take_turns(turns, times, rounds=2, clock=clock)
    assert times["a"] == pytest.approx([TURN / 2] * 2)
    assert clock.calls == ["a", "tidy"] * (len(clock.calls) // 2)


def test_what_was_timed_before_ctrl_c_is_kept():
    clock, times, left = Clock(), {}, [6]

    def between():
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    turns = {name: turn_of(clock.step(name, [0.25])) for name in "ab"}
    with pytest.raises(KeyboardInterrupt):
        take_turns(turns, times, rounds=9, clock=clock, between=between)
    assert times == {"a": [0.25], "b": [0.25] * 2}  # the second round begins with b


def test_ctrl_c_is_noted_once_and_raised_at_the_second():
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        interrupt.check()
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


# Memory


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_arena_has_the_shapes_and_every_tensor_is_aligned(dtype):
    arena = Arena(SHAPES, DTYPES[dtype])
    state = arena.slot("m")
    for tensors in (arena.parameters, arena.gradients, state):
        assert [tuple(x.shape) for x in tensors] == SHAPES
        assert all(x.is_contiguous() and x.dtype is DTYPES[dtype] for x in tensors)
        assert len({x.data_ptr() % ALIGNMENT for x in tensors}) == 1
    assert all(
        p.grad is not None and torch.equal(p.grad, g) for p, g in zip(arena.parameters, arena.gradients, strict=True)
    )
    assert arena.weights == 15 + 1 + 40 + 12
    assert arena.slot("m")[0].data_ptr() == state[0].data_ptr()
    assert arena.slot("v")[0].data_ptr() != state[0].data_ptr()


def test_the_gradients_are_the_same_each_time_and_come_back():
    one, other = Arena(SHAPES, torch.float32), Arena(SHAPES, torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(one.gradients, other.gradients, strict=True))
    assert not torch.equal(one.parameters[2], one.gradients[2])
    for g in one.gradients:
        g.zero_()
    renew = one.renew_gradients()
    for k in range(2):
        assert all(torch.equal(a, b) for a, b in zip(one.gradients, other.gradients, strict=True)), k
        one.gradients[2].add_(1)
        renew()


def test_a_set_that_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    cases = [find_case("adam"), find_case("amsgrad")]
    monkeypatch.setattr(memory, "available", lambda: 4_000_000_000)
    memory.check([find_set("cnn"), find_set("resnet50")], cases, 4, jax=True)
    with pytest.raises(UsageError, match=r"gpt2 needs about [89]\.\d GB of memory and 4.0 GB are free"):
        memory.check([find_set("gpt2")], cases, 4, jax=True)
    monkeypatch.setattr(memory, "available", lambda: 10_000_000_000)
    others = [find_case(name) for name in case_names() if name != "adan"]
    memory.check([find_set("gpt2")], others, 4, jax=True)
    with pytest.raises(UsageError, match=r"gpt2 needs about 11\.\d GB of memory and 10.0 GB are free"):
        memory.check([find_set("gpt2")], [find_case("adan")], 4, jax=True)  # it keeps four arrays


def test_a_container_s_limit_counts(tmp_path):
    assert memory._of_container(tmp_path) is None
    (tmp_path / "memory.current").write_text("300\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._of_container(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    assert memory._of_container(tmp_path) == 700
    assert memory.available() > 0


# The floor

PASSES = [((2, 1),), ((4, 3),), ((5, 4),), ((1, 0), (5, 4)), ((4, 2),)]


def bits(block):
    return block.view(torch.int64).clone()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("passes", PASSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_floor_reads_and_writes_every_byte_that_it_counts(passes, threads, dtype):
    arena = Arena([(7, 11), (130,)], DTYPES[dtype])
    reads, writes = passes[-1]
    blocks = arena.blocks(reads)
    for k, block in enumerate(blocks):
        block.view(torch.int64).random_(generator=torch.Generator().manual_seed(k))
    before = [bits(block) for block in blocks]
    floor(arena, passes, threads, mask=-1)(1, Clock())

    seen = torch.zeros_like(before[0])
    for block in before[writes:]:
        seen ^= block
    assert (seen != 0).all()
    for k, (block, old) in enumerate(zip(blocks, before, strict=True)):
        assert torch.equal(bits(block), old ^ seen if k < writes else old)


@pytest.mark.parametrize("passes", PASSES)
def test_the_benchmark_s_floor_leaves_everything_as_it_is(passes):
    arena = Arena(SHAPES, torch.float32)
    before = [bits(block) for block in arena.blocks(5)]
    floor(arena, passes, 2)(3, Clock())
    assert all(torch.equal(bits(block), old) for block, old in zip(arena.blocks(5), before, strict=True))


@pytest.mark.parametrize(("reads", "writes"), [(1, 0), (2, 1), (4, 3), (5, 4), (4, 2)])
def test_the_floor_s_text_has_as_many_loads_and_stores_as_a_rule_of_these_bytes(reads, writes):
    loop = next(node for node in ast.walk(ast.parse(sweep_text(reads, writes))) if isinstance(node, ast.For))
    places = [node for node in ast.walk(loop) if isinstance(node, ast.Subscript)]
    assert len([node for node in places if isinstance(node.ctx, ast.Load)]) == reads
    assert len([node for node in places if isinstance(node.ctx, ast.Store)]) == writes
    assert bytes_per_weight([(reads, writes)], 4) == 4 * (reads + writes)


def test_the_floor_goes_over_the_memory_that_the_contenders_use():
    arena = Arena(SHAPES, torch.float32)
    ready = start(next(one for one in contenders("adam") if one.name == "torch fused"), arena)
    addresses = {block.data_ptr() for block in arena.blocks(4)}
    assert addresses == {x[0].data_ptr() for x in (arena.parameters, arena.gradients)} | {
        arena.slot(name)[0].data_ptr() for name in ("exp_avg", "exp_avg_sq")
    }
    assert ready.state_bytes == 8


# Contenders


def installed(case, **options):
    return [one for one in contenders(case, **options) if one.available]


@pytest.mark.parametrize("case", case_names())
def test_every_contender_moves_the_weights_and_none_makes_them_extraordinary(case):
    for contender in installed(case):
        if contender.library == "optax":  # it has its own memory
            continue
        arena = Arena(SHAPES, torch.float32)
        before = arena.parameters[2].detach().clone()
        ready = start(contender, arena)
        for _ in range(100):
            ready.step()
            if ready.tidy:
                ready.tidy()
        assert not torch.equal(before, arena.parameters[2]), contender.name
        for block in arena.blocks(5):
            size = block.float().abs()
            ordinary = (size == 0) | ((size > torch.finfo(torch.float32).tiny) & (size < 1e4))
            assert ordinary.all(), contender.name


IN_TORCH = [name for name in case_names() if name in CLASSES and hasattr(torch.optim, CLASSES[name][0])]


@pytest.mark.parametrize("case", [*IN_TORCH, CLIPPED])
def test_torch_s_contenders_and_ours_do_the_same_thing(case):
    weights = {}
    for contender in installed(case):
        if contender.library in ("surefoot", "torch"):
            arena = Arena(SHAPES, torch.float32)
            ready = start(contender, arena)
            for _ in range(3):
                if ready.tidy:
                    ready.tidy()
                ready.step()
            weights[contender.name] = torch.cat([p.detach().flatten() for p in arena.parameters])
    first, *others = weights.values()
    assert len(others) >= 2
    for name, other in zip(list(weights)[1:], others, strict=True):
        torch.testing.assert_close(other, first, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize(
    ("case", "slots"), [("sgd", 0), ("momentum", 1), ("adam", 2), ("amsgrad", 3), ("adabound", 2), (CLIPPED, 2)]
)
def test_the_state_of_torch_optimizers_is_the_arena_s(case, slots):
    for contender in installed(case):
        if contender.library == "optax":
            continue
        arena, made = Arena(SHAPES, torch.float32), []
        start(replace(contender, make=partial(remembered, contender.make, made)), arena)
        own = made[0].optimizer.state[arena.parameters[0]]
        kept = [x for x in own.values() if isinstance(x, torch.Tensor) and x.shape == arena.parameters[0].shape]
        assert len(kept) == slots + (case == CLIPPED and contender.library == "surefoot")
        assert {x.data_ptr() for x in kept} < {block.data_ptr() for block in arena.blocks(9)}


def remembered(make, made, arena):
    made.append(make(arena))
    return made[-1]


@pytest.mark.parametrize(
    ("case", "contender", "bytes_kept"),
    [
        ("sgd", "torch fused", 0),
        ("adam", "optax jit", 8),
        ("amsbound", "surefoot cpu", 12),
        (CLIPPED, "surefoot cpu", 12),
    ],
)
def test_state_is_counted_in_bytes_a_weight(case, contender, bytes_kept):
    one = next(one for one in contenders(case) if one.name == contender)
    assert start(one, Arena(SHAPES, torch.float32)).state_bytes == bytes_kept


def test_who_writes_to_the_gradients_is_found_out():
    writers = {
        (case, one.name)
        for case in ("nesterov", "adam", CLIPPED)
        for one in installed(case)
        if one.library == "torch" and start(one, Arena([(100, 100)], torch.float32)).tidy
    }
    assert writers == {("nesterov", "torch foreach"), (CLIPPED, "torch fused, 3 calls")}


def test_ours_does_not_count_when_another_engine_ran():
    eager = next(one for one in contenders("adam") if one.name == "surefoot eager")
    with pytest.raises(UsageError, match="it runs on the eager engine"):
        start(replace(eager, engine="cpu"), Arena(SHAPES, torch.float32))


def test_torch_compile_is_there_on_request():
    assert "torch compiled" not in {one.name for one in contenders("adam")}
    assert "torch compiled" in {one.name for one in contenders("adam", compiled=True)}
    assert not [one for one in contenders("adabound", compiled=True) if one.library == "torch"]


# Figures


def timed(**medians):
    return [Measured(name, name.partition("_")[0], 8.0, [seconds]) for name, seconds in medians.items()]


def test_ratios_are_to_the_best_of_torch_and_to_the_floor_of_the_case():
    case = BenchCase("adam", "adam", ((4, 3),))
    found = rows(case, timed(surefoot_cpu=0.5, torch_a=2.0, torch_b=1.0, optax=0.1), [0.25], 1_000_000, 4)
    assert [row.x_best for row in found] == [0.5, 2.0, 1.0, 0.1]
    assert [row.x_floor for row in found] == [2.0, 8.0, 4.0, 0.4]
    assert found[0].gigabytes_per_second == pytest.approx(28e6 / 0.5 / 1e9)
    assert found[0].bytes_per_weight == 28


def test_without_torch_the_best_of_the_others_is_compared_with_and_without_others_nobody():
    case = BenchCase("adabound", "adabound", ((4, 3),))
    found = rows(case, timed(surefoot_cpu=0.5, pytorch_a=2.0, pytorch_b=1.0), [0.25], 10, 4)
    assert [row.x_best for row in found] == [0.5, 2.0, 1.0]
    assert [row.x_best for row in rows(case, timed(surefoot_cpu=0.5), [0.25], 10, 4)] == [None]


def test_the_floor_of_a_set_is_over_all_its_rounds():
    found = floor_of([3.0, 1.0, 2.0], weights=1000, moved=28)
    assert (found.seconds.median, found.seconds.turns) == (2.0, 3)
    assert found.gigabytes_per_second == pytest.approx(28_000 / 2.0 / 1e9)


# The whole run


def tiny(*cases, **options):
    planned = plan(BenchOptions(sets=("cnn",), cases=cases, rounds=2, **options))
    return replace(planned, sets=(ParameterSet("tiny", "four tensors", tuple(SHAPES)),))


def test_a_run_times_everyone_who_is_there():
    told = []
    result = run(tiny("adam", CLIPPED), told.append)
    assert told == ["tiny: adam", f"tiny: {CLIPPED}"]
    (entry,) = result.sets
    assert (entry.name, entry.tensors, entry.weights) == ("tiny", 4, 68)
    expected = {(name, one.name) for name in ("adam", CLIPPED) for one in installed(name)}
    assert {(row.case, row.contender) for row in entry.rows} == expected
    assert all(row.seconds.turns == 2 and 0 < row.seconds.low <= row.seconds.high for row in entry.rows)
    assert min(row.x_best for row in entry.rows if row.library == "torch") == 1.0
    assert entry.floor.seconds.turns == 4
    assert not result.interrupted


def test_bfloat16_is_timed_on_half_the_bytes():
    (entry,) = run(tiny("adam", dtype="bfloat16"), lambda _: None).sets
    assert {row.bytes_per_weight for row in entry.rows} == {14}
    assert {row.state_bytes for row in entry.rows} == {4.0}


def test_threads_are_put_back(monkeypatch):
    monkeypatch.setattr("surefoot.bench.run.contenders", lambda *_, **__: [])
    before = torch.get_num_threads()
    seen = []
    run(replace(tiny("sgd"), threads=before + 1), lambda _: seen.append(torch.get_num_threads()))
    assert (seen, torch.get_num_threads()) == ([before + 1], before)


def test_a_peer_that_fails_is_a_note_and_the_others_go_on(monkeypatch):
    def broken(_):
        raise RuntimeError("no compiler\nand more")

    added = Contender("torch broken", "torch", broken)
    fused = next(one for one in contenders("sgd") if one.name == "torch fused")
    monkeypatch.setattr("surefoot.bench.run.contenders", lambda *_, **__: [added, fused])
    result = run(tiny("sgd"), lambda _: None)
    assert "torch broken cannot do sgd here: no compiler" in result.notes
    assert [row.contender for row in result.sets[0].rows] == ["torch fused"]


def test_a_fault_of_ours_is_an_error(monkeypatch):
    def broken(_):
        raise TypeError("a bug")

    monkeypatch.setattr("surefoot.bench.run.contenders", lambda *_, **__: [Contender("ours", "surefoot", broken)])
    with pytest.raises(TypeError, match="a bug"):
        run(tiny("sgd"), lambda _: None)


def test_ctrl_c_leaves_what_was_measured():
    def observe(words):
        if words == "tiny: adam":
            os.kill(os.getpid(), signal.SIGINT)

    result = run(tiny("sgd", "adam", "rmsprop"), observe)
    assert result.interrupted
    assert {row.case for row in result.sets[0].rows} == {"sgd"}
    assert result.sets[0].floor is not None


@pytest.mark.parametrize(("load", "notes"), [(1.7, 1), (0.1, 0)])
def test_a_busy_machine_is_noted(monkeypatch, load, notes):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
    monkeypatch.setattr("surefoot.bench.run.contenders", lambda *_, **__: [])
    found = [note for note in run(tiny("sgd"), lambda _: None).notes if "busy" in note]
    assert len(found) == notes
    assert not found or "load 1.7, 2 cores" in found[0]


# The first step


def test_the_first_step_is_timed_twice_in_the_same_caches(monkeypatch):
    folders = []

    def process(*arguments):
        folder = arguments[-1]
        folders.append((folder, folder.exists()))
        return 2.0 if len(folders) == 1 else 0.5

    monkeypatch.setattr(first_step, "_process", process)
    (found,) = first_step.first_steps("adam", contenders("adam")[:1], "float32", 1)
    assert (found.empty_cache, found.cached) == (2.0, 0.5)
    assert folders[0] == folders[1] == (folders[0][0], True)
    assert not folders[0][0].exists()


def test_a_first_step_is_made_and_timed_in_this_process(monkeypatch):
    made = []
    one = Contender("mine", "torch", lambda arena: made.append(arena.shapes) or Stepper(lambda: made.append("step")))
    monkeypatch.setattr("surefoot.bench.line_up.contenders", lambda *_, **__: [one])
    monkeypatch.setattr("surefoot.bench.first_step.time", SimpleNamespace(perf_counter=iter([3.0, 5.5]).__next__))
    assert first_step._time_here("adam", "mine", "float32", torch.get_num_threads()) == 2.5
    assert made == [find_set("cnn").shapes, "step"]


def test_a_process_that_fails_says_why(tmp_path):
    with pytest.raises(first_step.SurefootError, match=r"first step of nobody \(adam\) could not be timed"):
        first_step._process("adam", "nobody", "float32", 1, tmp_path)


def test_a_stepper_needs_no_torch_optimizer():
    done = []
    ready = start(
        Contender("mine", "optax", lambda arena: Stepper(partial(done.append, arena), beside=3.0)),
        Arena(SHAPES, torch.float32),
    )
    assert (len(done), ready.state_bytes, ready.tidy) == (1, 3.0, None)
