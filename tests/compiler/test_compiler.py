"""The compiler: what a rule is traced to, what is computed where, and the text that comes out."""

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from paths import GOLDEN
from surefoot.compiler.emit.numba import emit
from surefoot.compiler.graph import Graph
from surefoot.compiler.kernel_plan import COMPUTE, HALF, SIZES, Plan, plan, stages
from surefoot.compiler.trace import trace
from surefoot.conventions import FRAMEWORKS, shown
from surefoot.errors import UsageError
from surefoot.mathops import clip, maximum, sqrt, where
from surefoot.rule import Rule, Slot, Step, rule
from surefoot.rules import RULES

pytestmark = pytest.mark.usefixtures("kernel_cache")

LOOPED = [name for name, rule in RULES.items() if rule.shape == "any" or name == "muon"]
"""Rules that stages can do: other rules for matrices take means of rows or multiply, which `test_emit_targets` has."""

BOTH = [(name, framework) for name in RULES for framework in FRAMEWORKS]


def hyper_of(name: str, framework: str = "torch", **options) -> dict:
    return RULES[name].complete(shown(name, framework, {"lr": 1e-3, **options}))


def traced(name: str, framework: str = "torch", **options) -> Graph:
    return trace(RULES[name], hyper_of(name, framework, **options))


def planned(name: str, framework: str = "torch", **options) -> Plan:
    return plan(traced(name, framework, **options))


def text_of(own: Rule, dtype: str = "float32", **hyper) -> str:
    return emit(plan(trace(own, own.complete(hyper))), own.name, dtype)


def written(node) -> str:
    """A node as one line of text, every operation in brackets."""
    if node.op in ("array", "scalar", "const"):
        return str(node.value)
    return f"{node.op}({', '.join(map(written, node.args))})"


# Trace


@rule(source="this test")
def asks_weight(g, _state, _t, *, lr=0.1):
    return Step(rate=lr if g > 0 else 2 * lr, direction=g)


@rule(source="this test")
def asks_time(g, _state, t, *, lr=0.1):
    return Step(rate=lr if t == 1 else 2 * lr, direction=g)


@rule(source="this test")
def asks_not_time(g, _state, t, *, lr=0.1):
    return Step(rate=lr if t != 1 else 2 * lr, direction=g)


@rule(source="this test")
def asks_size(g, _state, _t, *, momentum=0.1):
    return Step(rate=1.0 if momentum > 0.5 else 2.0, direction=g)


@pytest.mark.parametrize("own", [asks_weight, asks_time, asks_not_time, asks_size], ids=lambda own: own.name)
def test_an_if_about_a_value_points_to_where(own):
    with pytest.raises(UsageError, match=rf"{own.name} cannot be compiled: .*write where\(condition, a, b\)"):
        trace(own, own.defaults)


@rule(source="this test")
def foreign(g, _state, _t, *, lr=0.1):
    return Step(rate=lr, direction=np.sign(g))


@rule(source="this test")
def method(g, _state, _t, *, lr=0.1):
    return Step(rate=lr, direction=g.sign())


@pytest.mark.parametrize("own", [foreign, method], ids=lambda own: own.name)
def test_what_cannot_be_traced_is_said(own):
    with pytest.raises(UsageError, match=f"rule {own.name} cannot be compiled"):
        trace(own, own.defaults)


def test_powers_of_weights_are_refused():
    @rule(source="this test")
    def power(g, _state, _t, *, lr=0.1):
        return Step(rate=lr, direction=g**2)

    with pytest.raises(UsageError, match="power cannot be compiled; multiply"):
        plan(trace(power, power.defaults))


@pytest.mark.parametrize(("name", "framework"), BOTH)
def test_equal_operations_are_one_node(name, framework):
    nodes = traced(name, framework, weight_decay=0.1).nodes
    assert len({(node.op, node.args, repr(node.value)) for node in nodes}) == len(nodes)


def test_a_value_written_twice_is_computed_once():
    @rule(source="this test")
    def twice(g, _state, _t, *, lr=0.1):
        return Step(rate=lr, direction=g * g + g * g)

    graph = trace(twice, twice.defaults)
    assert [node.op for node in graph.nodes if node.per_weight].count("mul") == 2  # g * g, and the rate times it


@pytest.mark.parametrize("name", RULES)
def test_arguments_come_before_what_uses_them(name):
    nodes = traced(name, weight_decay=0.1).nodes
    place = {node: k for k, node in enumerate(nodes)}
    assert all(place[arg] < place[node] for node in nodes for arg in node.args)


def test_zero_or_not_is_specialised_and_noted():
    without, some = traced("sgd"), traced("sgd", momentum=0.9, weight_decay=0.1)
    assert without.assumed == {"weight_decay": False, "momentum": False, "ema": False}
    assert some.assumed == {"weight_decay": True, "momentum": True, "ema": False}
    assert without.outputs.keys() == {"w"}
    assert some.outputs.keys() == {"w", "state.b"}
    assert written(without.outputs["w"]) == "sub(w, mul(lr, g))"


def test_other_values_make_the_same_graph():
    one = planned("adam", lr=1e-3, weight_decay=0.1)
    other = planned("adam", lr=5.0, weight_decay=0.7, beta1=0.5)
    assert emit(one, "adam", "float32") == emit(other, "adam", "float32")


def test_switches_are_fixed_in_the_graph():
    plain, hat = traced("adam"), traced("adam", "keras")
    assert written(plain.outputs["w"]) != written(hat.outputs["w"])
    assert not {node.value for node in hat.nodes if node.op == "scalar"} & {"eps_hat", "decoupled", "maximize"}
    assert written(traced("sgd", maximize=True).outputs["w"]) == "sub(w, mul(lr, neg(g)))"


def test_a_scheduled_rate_that_started_at_zero():
    """`schedule` asks whether lr is zero only if base_lr is: two graphs of which each is right for its numbers."""
    warm = trace(RULES["adabound"], {**hyper_of("adabound"), "base_lr": 0.0})
    usual = trace(RULES["adabound"], {**hyper_of("adabound"), "base_lr": 0.5})
    assert warm.assumed["lr"] is True
    assert "lr" not in usual.assumed


# Plan


def host_value(made: Plan, text: str, values: dict) -> float:
    """What the host computes for the node that reads `text`."""
    return dict(zip(map(written, made.hoisted), made.host(values), strict=True))[text]


def test_bias_corrections_are_hoisted_in_float64():
    made, hyper = planned("adam"), {**hyper_of("adam"), "t": 7.0}
    root = host_value(made, "sqrt(sub(1.0, pow(beta2, t)))", hyper)
    assert root == math.sqrt(1 - 0.999**7)
    assert root != float(np.float32(root))
    assert host_value(made, "truediv(lr, sub(1.0, pow(beta1, t)))", hyper) == 1e-3 / (1 - 0.9**7)


@pytest.mark.parametrize(("name", "framework"), [case for case in BOTH if case[0] in LOOPED])
def test_everything_without_a_weight_is_hoisted(name, framework):
    made = planned(name, framework, weight_decay=0.1)
    for node in made.loop:
        assert any(arg.per_weight for arg in node.args)
    for node in made.hoisted:
        assert not node.per_weight
    assert set(made.hoisted) <= set(made.scalars)


def test_any_kind_of_number_is_float64_on_the_host():
    hyper = hyper_of("adam")
    given = {**hyper, "lr": np.float32(1e-3), "beta2": np.float64(0.999), "t": 7}
    assert planned("adam").host(given) == planned("adam").host({**hyper, "lr": float(np.float32(1e-3)), "t": 7.0})
    assert all(type(value) is float for value in planned("adam").host(given))


def test_order_of_operations_is_the_authors():
    @rule(slots=("s",), source="this test")
    def order(g, state, t, *, lr=0.1, beta1=0.5):
        left = state.s + g + beta1
        right = beta1 + (g + state.s)
        return Step(rate=lr, direction=left - right + 2.0 * beta1 * g * t, s=left)

    graph = trace(order, order.defaults)
    assert written(graph.outputs["state.s"]) == "add(add(state.s, g), beta1)"
    assert written(graph.outputs["w"]) == (
        "sub(w, mul(lr, add(sub(add(add(state.s, g), beta1), add(beta1, add(g, state.s))), "
        "mul(mul(mul(2.0, beta1), g), t))))"
    )


BYTES = {
    ("sgd", ()): 12,
    ("momentum", ()): 20,
    ("nesterov", ()): 20,
    ("adagrad", ()): 20,
    ("adadelta", ()): 28,
    ("rmsprop", ()): 20,
    ("rmsprop", ("centered",)): 28,
    ("adam", ()): 28,
    ("amsgrad", ()): 36,
    ("adamw", ()): 28,
    ("adabound", ()): 28,
    ("amsbound", ()): 36,
}


@pytest.mark.parametrize(("case", "expected"), BYTES.items(), ids=str)
def test_bytes_per_weight(case, expected):
    """Read weight, gradient and each slot; write weight and each slot."""
    made = planned(case[0], **dict.fromkeys(case[1], True))
    assert made.bytes_per_weight() == expected
    assert made.bytes_per_weight("float64") == 2 * expected
    assert made.bytes_per_weight("bfloat16") == made.bytes_per_weight("float16") == expected // 2


def test_arrays_may_be_of_different_kinds():
    kinds = {"w": "float32", "g": "float64", "state.m": "bfloat16", "state.v": "float16", "state.other": "float32"}
    assert planned("adam").bytes_per_weight(kinds) == 2 * 4 + 8 + 2 * 2 + 2 * 2
    assert list(planned("adam").kinds(kinds)) == ["w", "g", "state.m", "state.v"]
    text = emit(planned("adam"), "adam", kinds)
    assert text.startswith('"""One step of adam in float32 (g: float64, state_m: bfloat16, state_v: float16): 4 arrays')


def test_the_order_of_outputs_is_that_of_the_rule():
    """The random bits of an array follow from its place."""
    assert list(planned("amsgrad").outputs) == ["w", "state.m", "state.v", "state.vmax"]
    around = {**hyper_of("adam"), "ema": 0.9}
    assert list(plan(trace(RULES["adam"], around)).outputs) == ["w", "state.m", "state.v", "state.ema"]


def test_half_precision_is_computed_in_single():
    assert all(COMPUTE[kind] == ("float64" if kind == "float64" else "float32") for kind in SIZES)
    assert set(HALF) == {kind for kind, size in SIZES.items() if size == 2}


def test_what_stands_around_a_rule_is_absent_where_it_is_none():
    plain = plan(traced("adam"))
    assert not {"gradient_factor", "max_grad_value", "ema"} & {node.value for node in (*plain.scalars, *plain.loop)}
    assert plain.arrays == ("w", "g", "state.m", "state.v")
    around = {**hyper_of("adam"), "gradient_factor": 0.0, "max_grad_value": 0.5, "ema": 0.9}
    made = trace(RULES["adam"], around)
    assert "mul(g, gradient_factor)" in written(made.outputs["state.m"])  # a factor of zero is in use: None is not
    assert "minimum(maximum(" in written(made.outputs["state.m"])
    assert written(made.outputs["state.ema"]).startswith("add(state.ema, mul(sub(1.0, ema), sub(sub(w,")


def test_every_array_is_listed_once_and_weight_and_gradient_come_first():
    assert planned("amsgrad").arrays == ("w", "g", "state.m", "state.v", "state.vmax")


def test_a_slot_that_is_only_read_is_an_array_too():
    @rule(slots=(Slot("s", start="initial_accumulator"),), source="this test")
    def reads(g, state, _t, *, initial_accumulator=2.0):  # noqa: ARG001
        return Step(rate=state.s, direction=g)

    made = plan(trace(reads, reads.defaults))
    assert made.arrays == ("w", "g", "state.s")
    assert made.bytes_per_weight() == 16
    assert "at_state_s = array_float32(" in text_of(reads)
    assert "at_state_s[i] = " not in text_of(reads)


@pytest.mark.parametrize(("a", "b"), [(1.0, 2.0), (float("nan"), 1.0), (1.0, float("nan"))])
def test_nan_wins_on_the_host(a, b):
    @rule(source="this test")
    def bounds(g, _state, _t, *, lr=0.1, eps=0.2):
        return Step(rate=maximum(lr, eps), direction=clip(lr, None, eps) * g)

    made = plan(trace(bounds, bounds.defaults))
    values = {"lr": a, "eps": b, "t": 1.0}
    np.testing.assert_equal(host_value(made, "maximum(lr, eps)", values), float(np.maximum(a, b)))
    np.testing.assert_equal(host_value(made, "minimum(lr, eps)", values), float(np.minimum(a, b)))


# Text


@pytest.mark.parametrize(
    ("name", "framework", "kind"),
    [
        *((name, framework, "bfloat16") for name, framework in BOTH if name in LOOPED),
        *((name, "torch", kind) for name in LOOPED for kind in SIZES if kind != "bfloat16"),
    ],
)
def test_text_of_every_rule_is_python(name, framework, kind):
    """Each stage's, of every convention in the kind that may be rounded at random, of torch's in all."""
    for made in stages(traced(name, framework, weight_decay=0.1)):
        check_text(made, name, kind)
        check_text(made, name, kind, stochastic=not made.sums, strided=True)


def check_text(made: Plan, name: str, kind: str, stochastic: bool = False, strided: bool = False) -> None:
    text = emit(made, name, kind, stochastic=stochastic, strided=strided)
    compile(text, name, "exec")
    assert max(map(len, text.splitlines())) <= 120
    for array in made.arrays:
        reads = (array in made.reads) * (1 + bool(made.sums))  # sums go on after the last whole row of lanes
        assert text.count(f" at_{array.replace('.', '_')} = array_") == 1
        assert text.count(f" {array.replace('.', '_')} = ") == reads
    assert ("strides[" in text) is strided
    assert ("keys[tensor]" in text) is stochastic
    assert text.count("array_float64(keys[0]") == bool(made.sums)
    kept = made.outputs.keys() - made.scratch  # what lives for a step alone is in float32
    assert ("random_bits(" in text) is (stochastic and kind == "bfloat16" and bool(kept))


def test_text_of_adabound():
    """Golden: read it when it changes, then write it anew from `emit`."""
    made = planned("adabound")
    assert emit(made, "adabound", "float32") == (GOLDEN / "adabound_numba.txt").read_text("utf-8")
    half = dict.fromkeys(made.arrays, "bfloat16") | {"state.v": "float32"}
    text = emit(made, "adabound", half, stochastic=True, strided=True)
    assert text == (GOLDEN / "adabound_numba_bfloat16.txt").read_text("utf-8")


def test_each_array_is_written_once_and_after_every_calculation():
    lines = [line.strip() for line in emit(planned("amsbound"), "amsbound", "float64").splitlines()]
    body = lines[lines.index("for i in range(count):") + 1 :]
    reads = [line.split(" = ")[0] for line in body if " = at_" in line]
    writes = [line.split("[")[0] for line in body if line.startswith("at_")]
    assert reads == ["w", "g", "state_m", "state_v", "state_vmax"]
    assert writes == ["at_w", "at_state_m", "at_state_v", "at_state_vmax"]
    assert body[: len(reads)] == [line for line in body if " = at_" in line]
    assert body[-len(writes) :] == [line for line in body if line.startswith("at_")]


AWKWARD = (
    "w",
    "g",
    "x1",
    "c0",
    "i",
    "c",
    "row",
    "start",
    "key",
    "sqrt",
    "array",
    "float32",
    "scalars",
    "state_w",
    "at_w",
)


def test_names_do_not_collide_with_slots():
    """A slot may have the name of anything in the text, of the weight and of the gradient."""

    @rule(slots=AWKWARD, source="this test")
    def awkward(g, state, _t, *, lr=0.1):
        new = {name: k + getattr(state, name) * g for k, name in enumerate(AWKWARD)}
        return Step(rate=lr, direction=sqrt(state.w), **new)

    made = plan(trace(awkward, awkward.defaults))
    assert len(made.arrays) == len(set(made.arrays)) == 2 + len(AWKWARD)
    text = emit(made, "awkward", "bfloat16", stochastic=True, strided=True)
    names = [line.split(" = ")[0].strip() for line in text.splitlines() if " = " in line]
    given = [name for name in names if "[" not in name]
    assert len(set(given)) == len(given) > 4 * len(made.arrays)
    assert not set(given) & {"i", "c", "row", "start", "count", "tensor", "sqrt", "array_half", "float32", "scalars"}


def test_only_what_is_called_is_imported():
    @rule(source="this test")
    def rooted(g, _state, t, *, lr=0.1):
        return Step(rate=lr / sqrt(t), direction=g)

    text = text_of(rooted)
    assert "# lr / sqrt(t)" in text
    assert "from math" not in text
    assert "from surefoot.engines.pointers import array_float32\n" in text


def test_a_title_is_only_a_title():
    text = text_of(replace(RULES["sgd"], name='no"""; import os\n"""'))
    assert "import os" not in text
    compile(text, "sgd", "exec")


@pytest.mark.parametrize("op", ["==", "!=", "<", ">", "<=", ">="])
def test_comparisons(op):
    @rule(source="this test")
    def compares(g, _state, t, *, lr=0.1, eps=0.0):
        at = {"==": g == eps, "!=": g != eps, "<": g < eps, ">": g > eps, "<=": g <= eps, ">=": g >= eps}[op]
        return Step(rate=where(t != 1, lr, 2.0), direction=where(at, g, -g))

    assert f" {op} c" in text_of(compares)
    made = plan(trace(compares, compares.defaults))
    assert host_value(made, "where(ne(t, 1.0), lr, 2.0)", {"lr": 0.5, "eps": 0.0, "t": 1}) == 2.0


def test_the_compiler_needs_no_compiler():
    code = (
        "import sys, surefoot; assert not any(m.startswith(('surefoot.comp', 'surefoot.eng')) for m in sys.modules)\n"
        "import surefoot.compiler.emit.numba, surefoot.compiler.kernel_plan, surefoot.compiler.trace\n"
        "print(sorted({'torch', 'numba', 'llvmlite'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
