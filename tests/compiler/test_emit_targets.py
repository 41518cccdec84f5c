"""Every rule in every convention can be written for every target, and parentheses mean what the graph means."""

import random
import re
from dataclasses import replace

import numpy as np
import pytest

from settings import SETTINGS
from surefoot.compiler.emit import javascript, latex, numba, triton, walk
from surefoot.compiler.emit.targets import TARGETS, emit
from surefoot.compiler.graph import SUMS, Graph
from surefoot.compiler.kernel_plan import HOST, HOST_ONLY, OPAQUE, SIZES, WHOLE_ONLY
from surefoot.errors import UsageError
from surefoot.rule import Rule, Step, rule

TABLES = {
    "numba": numba.LANGUAGE.table,
    "triton float32": triton.FLOAT32.table,
    "triton float64": triton.FLOAT64.table,
    "javascript": javascript.LANGUAGE.table,
    "latex": latex.LANGUAGE.table,
    "comments": walk.PYTHON.table,
}


@pytest.mark.parametrize("target", TABLES)
def test_every_table_has_every_operation_and_no_other(target):
    """But for what is done with whole tensors: kernels have it between stages, JavaScript has loops for sums."""
    kernel = target.startswith(("numba", "triton"))
    whole = {*SUMS, *OPAQUE, *WHOLE_ONLY} if target == "latex" else set()
    assert set(TABLES[target]) == set(HOST) - (HOST_ONLY.keys() if kernel else set()) | whole


NO_LOOP = ("normuon", "adafactor", "soap")
"""Rules that take means of rows and columns or multiply matrices: what no loop over weights does, but formulas say."""


def refused(rule: Rule, target: str) -> bool:
    """Whether a target has no form of a rule: JavaScript has no matrices, kernels only what stages make of them."""
    return target != "latex" and (rule.name in NO_LOOP or (target == "js" and rule.shape == "matrix"))


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_every_rule_is_written_for_every_target(setting):
    """Formulas and scripts do not depend on the kind of numbers."""
    for target in TARGETS:
        if refused(setting.rule, target):
            with pytest.raises(UsageError, match=r"JavaScript has no|cannot be compiled"):
                emit(setting.rule, setting.hyper, target)
            continue
        kernel = target in ("numba", "triton")
        for dtype in SIZES if kernel and setting.framework == "torch" else ["bfloat16"]:
            made = emit(setting.rule, setting.hyper, target, dtype)
            assert made.text.endswith("\n")
            assert made.text.count("(") == made.text.count(")")
            if kernel:
                compile(made.text, target, "exec")
                assert dtype in made.text
                assert sum(map(int, re.findall(r", (\d+) bytes a weight", made.text))) == made.bytes_per_weight


def test_an_unknown_target_names_the_close_one():
    with pytest.raises(UsageError, match="Did you mean 'numba'"):
        emit(SETTINGS[0].rule, SETTINGS[0].hyper, "numbas")
    with pytest.raises(UsageError, match=r"unknown dtype 'bfloat61'\. Did you mean 'bfloat16'"):
        emit(SETTINGS[0].rule, SETTINGS[0].hyper, "numba", "bfloat61")


@rule(source="this test")
def squares(g, _state, _t, *, lr=0.1):
    return Step(rate=lr, direction=g**2)


def test_a_power_of_a_weight_is_a_formula_but_no_kernel():
    hyper = squares.complete({})
    assert "g_t^{2}" in emit(squares, hyper, "latex").text
    assert "Math.pow(g, 2)" in emit(squares, hyper, "js").text
    for target in ("numba", "triton"):
        with pytest.raises(UsageError, match="multiply"):
            emit(squares, hyper, target)


@rule(source="this test", slots=("w", "x0", "g"))
def confusing(g, state, _t, *, lr=0.1):
    return Step(rate=lr, direction=g + state.w, w=state.g * g, x0=state.w, g=state.x0)


def test_slots_may_have_any_name():
    hyper = confusing.complete({})
    script = emit(confusing, hyper, "js").text
    assert "return { w: w_new, rate: lr, state: { w: state_w, x0: state.w, g: state.x0 } };" in script
    kernel = emit(confusing, hyper, "triton").text
    assert kernel.index("state_w = tl.load(at_state_w") < kernel.index("tl.store(at_state_x0, state_w,")


COMPARISONS = ("eq", "ne", "lt", "gt", "le", "ge")


def random_node(graph, rng, depth):
    """Return an expression on a, b and small numbers."""
    if depth == 0 or rng.random() < 0.1:
        return rng.choice(
            [graph.add("scalar", value="a"), graph.add("scalar", value="b"), graph.add("const", value=-2.0)]
        )
    op = rng.choice(
        ["add", "sub", "sub", "mul", "truediv", "truediv", "neg", "pow", "sqrt", "maximum", "where", "sign"]
    )
    inner = [random_node(graph, rng, depth - 1) for _ in range({"neg": 1, "sqrt": 1, "sign": 1}.get(op, 2))]
    if op == "where":
        condition = graph.add(rng.choice(COMPARISONS), *(random_node(graph, rng, depth - 1) for _ in range(2)))
        return graph.add(op, condition, *inner)
    return graph.add(op, *inner)


def evaluate(node, values):
    if node.op in walk.LEAVES:
        return node.value if node.op == "const" else values[node.value]
    number = HOST[node.op](*(evaluate(arg, values) for arg in node.args))
    if isinstance(number, complex):
        raise ArithmeticError("a root of a negative number")
    return number


def test_parentheses_stand_where_they_must():
    """Random expressions, written as Python and run, give the very number that the graph gives."""
    python = replace(walk.PYTHON, number=repr)
    rng, equal = random.Random(5), 0
    values = {"a": 0.7, "b": 1.3}
    known = {"sqrt": HOST["sqrt"], "max": HOST["maximum"], "sign": HOST["sign"], **values}
    for _ in range(3000):
        node = random_node(Graph(), rng, 4)
        try:
            with np.errstate(all="raise"):
                number = evaluate(node, values)
        except (ArithmeticError, ValueError, TypeError):  # of a negative number's root, for one
            continue
        text = walk.write(node, {}, python)
        assert eval(text, {}, known) == number, text
        equal += 1
    assert equal > 1000


def test_parentheses_stand_nowhere_else():
    graph = Graph()
    a, b, c = (graph.add("scalar", value=name) for name in "abc")

    def text(node):
        return walk.write(node, {}, walk.PYTHON)

    assert text(graph.add("add", graph.add("mul", a, b), c)) == "a * b + c"
    assert text(graph.add("sub", graph.add("sub", a, b), c)) == "a - b - c"
    assert text(graph.add("sub", a, graph.add("sub", b, c))) == "a - (b - c)"
    assert text(graph.add("add", a, graph.add("add", b, c))) == "a + (b + c)"  # another number than a + b + c
    assert text(graph.add("truediv", a, graph.add("pow", b, c))) == "a / b**c"
    assert text(graph.add("mul", a, graph.add("neg", b))) == "a * -b"
