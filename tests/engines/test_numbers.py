"""Slots that are one number for a tensor or for the optimizer, and sums over all tensors, by the CPU's kernels."""

from __future__ import annotations

import math
from unittest import mock

import numpy as np
import pytest
import torch

from half import check_bits
from kernel_cases import numbers
from summed import OnNumpy, Stepped, chained, check_run, joined, tensors, trusted
from surefoot import mathops
from surefoot.compiler.emit import latex, mathml, unicode
from surefoot.compiler.emit.targets import emit
from surefoot.compiler.kernel_plan import stages
from surefoot.compiler.trace import trace
from surefoot.engines import cpu, sums
from surefoot.engines.launch_tables import CHUNK, Launch
from surefoot.errors import UsageError
from surefoot.rule import WEIGHT, Number, Shared, Slot, Step, rule

pytestmark = pytest.mark.usefixtures("kernel_cache")


@rule(slots=("m", Slot("v", positive=True), Number("mu", start=1.0)), source="these tests")
def looking(g, state, t, *, lr=2e-3, beta1=0.9, beta2=0.99, eps=1e-8):
    """NAdam: the product of a schedule is a number of each tensor."""
    now, then = (beta1 * (1 - 0.5 * 0.96 ** (k * 0.004)) for k in (t, t + 1))
    mu = state.mu * now
    m = beta1 * state.m + (1 - beta1) * g
    v = beta2 * state.v + (1 - beta2) * g * g
    direction = then / (1 - mu * then) * m + (1 - now) / (1 - mu) * g
    return Step(rate=lr / (mathops.sqrt(v / (1 - beta2**t)) + eps), direction=direction, m=m, v=v, mu=mu)


@rule(
    slots=("m", Slot("v", positive=True), "s", Slot("w0", start=WEIGHT), Shared("d", start=1e-3), Shared("r")),
    source="these tests",
)
def guessing(g, w, state, _t, *, lr=1.0, beta1=0.9, beta2=0.99, eps=1e-8):
    """Prodigy: two sums over all tensors tell how far there is to go."""
    d, beta3 = state.d, mathops.sqrt(beta2)
    m = beta1 * state.m + (1 - beta1) * d * g
    v = beta2 * state.v + (1 - beta2) * d * d * g * g
    s = beta3 * state.s + d / 1e-3 * lr * d * g
    r = beta3 * state.r + d / 1e-3 * d * lr * mathops.total_all(g * (state.w0 - w))
    far = mathops.total_all(mathops.absolute(s))
    grown = mathops.where(far > 0, mathops.maximum(d, r / mathops.where(far > 0, far, 1.0)), d)
    return Step(rate=d * lr / (mathops.sqrt(v) + grown * eps), direction=m, m=m, v=v, s=s, w0=state.w0, d=grown, r=r)


@rule(slots=(Number("top"), Number("seen")), source="these tests")
def topped(g, state, t, *, lr=0.1):  # noqa: ARG001
    """A number from a sum of the tensor, and one that only counts."""
    top = mathops.maximum(state.top, mathops.mean(g * g))
    return Step(rate=lr / (mathops.sqrt(top) + 1e-8), direction=g, top=top, seen=state.seen + 1)


KINDS = [(guessing, torch.float32), (guessing, torch.float64), (guessing, torch.bfloat16)]
KINDS += [(looking, torch.float32), (topped, torch.float64), (joined, torch.bfloat16)]


@pytest.mark.parametrize(("own", "dtype"), KINDS)
def test_bit_for_bit_the_rule_given_the_same_sums(own, dtype):
    check_run(own, dtype)


def test_a_parameter_that_joins_late_starts_its_number():
    stepped = check_run(looking, torch.float64)
    products = [float(each["mu"]) for each in stepped.numbers]
    assert len(set(products)) == 2  # tensors 4 and 7 have made a step less
    assert products[4] == products[7] > products[0]


@pytest.mark.parametrize("own", [looking, guessing, joined])
def test_groups_of_other_numbers_and_forms(own):
    hypers = [{"lr": 0.5}, {"lr": 0.01, "weight_decay": 0.1}, {"maximize": True}]
    assert check_run(own, torch.float32, hypers=hypers).launches > 3


def test_sums_over_all_tensors_do_not_mind_how_many_launches_there_are():
    """The same numbers, all in one launch, and in one of double precision and one with gaps."""
    torch.manual_seed(0)
    plain = [torch.randn(40, 3, dtype=torch.float64).float() for _ in range(3)]
    found = []
    for apart in (False, True):
        memory = [torch.zeros(40, 6).t()[::2].t() if apart and k else torch.zeros(40, 3) for k in range(3)]
        weights = [m.copy_(w) for m, w in zip(memory, plain, strict=True)]
        weights[0] = weights[0].double() if apart else weights[0]
        stepped = Stepped(joined, weights)
        stepped.step([w.clone() for w in weights])
        found.append((stepped.launches, stepped.sums[0]["total_all0"]))
    (one, norm), (several, same) = found
    assert (one, several) == (1, 2)
    exact = math.fsum((torch.stack(plain) ** 2).double().flatten().tolist())
    assert abs(norm - exact) <= 1e-15 * exact
    assert abs(same - exact) <= 1e-7 * exact  # squares in float64


def test_a_step_that_is_not_taken_writes_no_number():
    stepped = Stepped(looking, tensors(torch.float32))
    step = stepped.prepared(tensors(torch.float32, seed=1))
    assert {float(each["mu"]) for each in stepped.numbers} == {1.0}
    step.begin(stepped.hypers)
    step.run()
    after = [float(each["mu"]) for each in stepped.numbers]
    step.run()  # once more, as after an interrupt
    assert after == [float(each["mu"]) for each in stepped.numbers] != [1.0] * len(after)


def test_shared_numbers_are_returned_and_none_is_without():
    stepped = Stepped(guessing, tensors(torch.float32))
    step = stepped.prepared(tensors(torch.float32, seed=1))
    assert step.shared.keys() == {"state.d", "state.r"}
    assert stepped.shared == {"d": 1e-3, "r": 0.0}
    assert Stepped(trusted, tensors(torch.float32)).prepared(tensors(torch.float32)).shared == {}


def test_a_rule_without_numbers_has_no_job_for_them():
    step = Stepped(trusted, tensors(torch.float32)).prepared(tensors(torch.float32))
    assert len(step._work._jobs) == 1 + len(step._launches)


def test_one_call_adds_up_over_processes():
    """It gets all sums of a stage, in the order of parameters, whatever launches they come from."""
    seen = []

    def twice(found, of):
        seen.append(of.tolist())
        found[np.isin(of, [0, 2])] *= 2.0

    stepped, alone = Stepped(trusted, tensors(torch.float32)), Stepped(trusted, tensors(torch.float32))
    stepped.step(tensors(torch.float32, seed=1), across=twice)
    alone.step(tensors(torch.float32, seed=1))
    assert seen == [sorted([*range(len(alone.weights))] * 2)]
    for k, (a, b) in enumerate(zip(stepped.sums, alone.sums, strict=True)):
        assert a == {name: x * (2 if k in (0, 2) else 1) for name, x in b.items()}


def test_the_size_of_a_shard_is_that_of_the_whole():
    add = Launch.add

    def of_a_shard(self, *args, **named):
        add(self, *args, **{**named, "size": 1000})

    stepped, w = Stepped(chained, [torch.ones(10)]), torch.ones(10)
    with mock.patch.object(Launch, "add", of_a_shard):
        stepped.step([torch.arange(10.0)])
    expected = (torch.arange(10.0) - 45 / 1000).square().sum()
    assert stepped.sums[0]["total1"] == pytest.approx(float(expected), rel=1e-6)
    assert not torch.equal(stepped.weights[0], w)


# What a rule cannot say


def made(new, slot):
    @rule(slots=(slot,), source="these tests")
    def wrong(g, state, t, *, lr=0.1):  # noqa: ARG001
        return Step(rate=lr, direction=g, **{slot.name: new(g, getattr(state, slot.name))})

    return wrong


@pytest.mark.parametrize(
    ("slot", "new", "told"),
    [
        (Number("mu"), lambda g, mu: mu + g, "differs from weight to weight; use total or mean"),
        (Shared("d"), lambda g, d: d + g, "differs from weight to weight; use total_all"),
        (Shared("d"), lambda g, d: d + mathops.total(g), "differs from tensor to tensor; use total_all"),
        (Shared("d"), lambda g, d: d + mathops.size(g), "differs from tensor to tensor"),
        (Shared("d"), lambda g, d: d + mathops.total_all(mathops.total(g)), "total_all of a number"),
        (Number("mu"), lambda _, mu: mu if mu else 1.0, "asks `if` about a value"),
    ],
)
def test_a_number_of_a_value_per_weight(slot, new, told):
    wrong = made(new, slot)
    with pytest.raises(UsageError, match=told):
        trace(wrong, wrong.complete({}))


def test_the_sum_of_a_number_is_itself():
    fine = made(lambda _, mu: mathops.total(mu) + mathops.mean(mu), Number("mu"))
    assert len(stages(trace(fine, fine.complete({})))) == 1


def test_groups_of_which_one_sums_over_all():
    @rule(source="these tests")
    def sometimes(g, state, t, *, lr=0.1, eps=0.0):  # noqa: ARG001
        return Step(rate=lr / mathops.total_all(g * g) if eps else lr, direction=g)

    stepped = Stepped(sometimes, tensors(torch.float32), [{}, {"eps": 1.0}])
    with pytest.raises(UsageError, match="has to be zero in all of them"):
        stepped.step(tensors(torch.float32))


def test_on_one_tensor_of_several():
    with pytest.raises(UsageError, match="runs on one of them"):
        mathops.total_all(torch.ones(3))
    assert mathops.total_all(np.arange(4.0)) == 6.0
    assert mathops.total_all(2.0) == 2.0


# Texts


def test_printed():
    hyper = looking.complete({})
    graph = trace(looking, hyper)
    assert r"{m^{\mathrm{u}}}_t &= {m^{\mathrm{u}}}_{t-1}" in latex.emit(graph, hyper).replace(
        "_t}", "}_t"
    ) or r"{m^{\mathrm{u}}_t}" in latex.emit(graph, hyper)
    assert "mᵘₜ" in unicode.emit(graph, hyper) or "muₜ" in unicode.emit(graph, hyper)
    assert any('data-v="s.mu"' in line for line in mathml.emit(graph))
    text = emit(looking, hyper, "js").text
    assert "state.mu * " in text
    assert "mu: state_mu" in text
    assert "state.mu" not in text[text.index("const {") : text.index("} = hyper")]
    of_all = trace(joined, joined.complete({}))
    assert r"\sum_{\text{all}}" in latex.emit(of_all, joined.complete({}))
    assert r"}{n}" in latex.emit(of_all, joined.complete({}))
    assert "∑ₐₗₗ" in unicode.emit(of_all, joined.complete({}))
    assert any("<mtext>all</mtext>" in line for line in mathml.emit(of_all))


# Teeth


def _stale(launch, values):
    """Take numbers as they were before the last step."""
    table = _scalars(launch, values)
    launch.new = {name: x * 0 + 1.0 for name, x in launch.new.items()}
    return table


_scalars, _add_up = Launch._scalars, sums.add_up


def _alone(launches, k, chunks, across):
    """Add up over the tensors of one launch only."""
    for launch, table in zip(launches, chunks, strict=True):
        _add_up([launch], k, [table], across)


def _first_row(launch, values):
    table = _scalars(launch, values)
    return table[:1].repeat(len(table), 0) if isinstance(table, np.ndarray) else table


FAULTS = {
    "numbers not kept": (looking, lambda: mock.patch.object(Launch, "_scalars", _stale)),
    "another tensor's numbers": (topped, lambda: mock.patch.object(Launch, "_scalars", _first_row)),
    "sums of one launch": (joined, lambda: mock.patch.object(cpu, "add_up", _alone)),
    "shared numbers not kept": (guessing, lambda: mock.patch.object(Launch, "_scalars", _stale)),
    "size of one": (topped, lambda: mock.patch.object(Launch, "_sizes", 1.0)),
}


@pytest.mark.parametrize(("own", "plant"), FAULTS.values(), ids=FAULTS)
def test_the_comparison_catches_a_fault(own, plant):
    with plant(), pytest.raises(AssertionError):
        check_run(own, torch.float32)


def test_threads_do_not_show(monkeypatch):
    monkeypatch.setattr(cpu.Pace, "shared", True)
    before, found = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            torch.manual_seed(0)
            stepped = Stepped(guessing, [torch.randn(9 * CHUNK + 5), torch.randn(3), torch.randn(4 * CHUNK).double()])
            for _ in range(3):
                stepped.step([torch.randn_like(w) for w in stepped.weights])
            found.append(stepped)
    finally:
        torch.set_num_threads(before)
    assert found[0].shared == found[1].shared
    for a, b in zip(found[0].weights, found[1].weights, strict=True):
        check_bits(numbers(a), numbers(b))
    OnNumpy(found[0])
