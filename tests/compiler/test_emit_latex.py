"""The formulas say what the rule computes, in the paper's letters, and are LaTeX."""

import operator
import re
from typing import Any

import numpy as np
import pytest

from settings import SETTINGS
from surefoot import mathops
from surefoot.compiler.emit.latex import emit, formulas, symbol
from surefoot.compiler.emit.tidy import tidy
from surefoot.compiler.graph import COLS, ONE, ROWS, SIZE, Graph, Node
from surefoot.compiler.kernel_plan import HOST
from surefoot.compiler.trace import trace
from surefoot.conventions import resolve, shown
from surefoot.hyperparameters import HYPERPARAMETERS
from surefoot.rules import RULES


def settings_of(name):
    """The settings of a rule: every convention, with what may surround it."""
    found = [setting for setting in SETTINGS if setting.rule is RULES[name]]
    assert found
    return found


def formula(name, framework="torch", **options):
    hyper = shown(name, framework, {"lr": 0.01, **options})
    return dict(formulas(trace(RULES[name], hyper), hyper))


def test_adam_is_the_papers():
    assert formula("adam") == {
        "m_t": r"\beta_1 \, m_{t-1} + (1 - \beta_1) \, g_t",
        "v_t": r"\beta_2 \, v_{t-1} + (1 - \beta_2) \, g_t^{2}",
        "r_t": r"\frac{\alpha}{(1 - \beta_1^{t}) \, \left( \sqrt{\frac{v_t}{1 - \beta_2^{t}}} + \varepsilon \right)}",
        "w_t": r"w_{t-1} - r_t \, m_t",
    }


def test_adabound_clips_its_rate():
    rate = formula("adabound", "paper")["r_t"]
    assert rate == (
        r"\frac{\min\left( \max\left( \frac{\alpha}{\sqrt{v_t} + \varepsilon}, "
        r"{\alpha^*} \, \left( 1 - \frac{1}{\gamma \, t + 1} \right) \right), "
        r"{\alpha^*} \, \left( 1 + \frac{1}{\gamma \, t} \right) \right)}{\sqrt{t}}"
    )


def test_adadelta_has_one_name_for_its_ratio():
    assert formula("adadelta")["d_t"] == r"\frac{u_{t-1} + \varepsilon}{v_t + \varepsilon}"
    assert formula("adadelta")["r_t"] == r"\alpha \, \sqrt{d_t}"


def test_what_surrounds_the_gradient_has_a_line_of_its_own():
    made = formula("adam", weight_decay=0.1, maximize=True)
    assert made[r"\tilde{g}_t"] == r"-g_t + \lambda \, w_{t-1}"
    assert made["v_t"].endswith(r"\tilde{g}_t^{2}")


def test_a_limit_by_value_and_a_factor_surround_the_gradient():
    hyper = {**resolve("adam", "torch", {"max_grad_value": 0.5}), "gradient_factor": 0.1}
    made = dict(formulas(trace(RULES["adam"], hyper), hyper))
    assert made[r"\tilde{g}_t"] == r"\min\left( \max\left( g_t \, \kappa, -c \right), c \right)"
    assert made["m_t"].endswith(r"\tilde{g}_t")


def test_the_average_of_the_weights_follows_the_weights():
    hyper = {**resolve("sgd", "torch", {}), "ema": 0.9}
    assert formulas(trace(RULES["sgd"], hyper), hyper) == [
        ("w_t", r"w_{t-1} - \alpha \, g_t"),
        (r"\bar{w}_t", r"\bar{w}_{t-1} + (1 - \delta) \, (w_t - \bar{w}_{t-1})"),
    ]


def test_what_is_not_in_use_is_absent():
    text = "".join(formula("adam").values())
    assert not any(symbol(name) in text.split() for name in ("gradient_factor", "max_grad_value", "ema"))


def test_what_is_zero_is_left_out():
    assert formula("momentum")["b_t"] == r"\mu \, b_{t-1} + g_t"
    damped = formula("momentum", dampening=0.5)["b_t"]
    assert r"\begin{cases} g_t & \text{if } t = 1 \\ (1 - \tau) \, g_t & \text{otherwise} \end{cases}" in damped
    assert r"\eta" not in formula("adagrad")["r_t"]
    assert r"1 + (t - 1) \, \eta" in formula("adagrad", lr_decay=0.1)["r_t"]


def test_a_maximum_has_its_own_letter():
    assert formula("amsgrad")[r"{v^{\mathrm{max}}_t}"] == r"\max\left( {v^{\mathrm{max}}_{t-1}}, v_t \right)"


def test_every_hyperparameter_has_a_symbol_in_latex():
    for name, described in HYPERPARAMETERS.items():
        assert symbol(name).isascii()
        assert bool(symbol(name)) is not bool(described.switch or described.words)


@pytest.mark.parametrize("name", RULES)
def test_the_text_is_latex_with_a_line_for_each_slot_and_the_weight_last(name):
    for setting in settings_of(name):
        graph = trace(setting.rule, setting.hyper)
        text = emit(graph, setting.hyper)
        assert text.startswith("\\begin{aligned}\n"), setting
        assert text.count("{") == text.count("}"), setting
        assert text.count(r"\left(") == text.count(r"\right)"), setting
        assert not re.search(r"\^\{[^{}]*\}\^|\^\*\^|None|nan|\b1\.0\b", text), setting
        left = [name for name, _ in formulas(graph, setting.hyper)]
        assert len(left) == len(set(left)) >= len(graph.outputs), setting
        assert left[left.index("w_t") + 1 :] == ([r"\bar{w}_t"] if setting.hyper["ema"] else []), setting


W = np.array([[1.5, -0.5, 0.7], [-1.2, 0.4, 0.9]])
G = np.array([[0.5, -2.0, 0.3], [1.1, -0.6, 0.8]])
"""Weights that are a matrix, which a rule for any arrangement may step too."""

SIDES = {ROWS: 2, COLS: 3, ONE: 1}

WHOLE = {
    **HOST,
    **dict.fromkeys(("total", "total_all"), np.sum),
    "matmul": operator.matmul,
    "transpose": np.transpose,
    "eigenbasis": mathops.eigenbasis,
}
"""Operations on the weights of the only tensor."""


def kept(node: Node) -> np.ndarray:
    """Some state: no two values are the same, and a square matrix is symmetric."""
    high, wide = (SIDES[side] for side in node.sides)
    first = np.add.outer(np.arange(high), np.arange(wide))
    return 0.3 + 0.1 * first + np.eye(high, wide) * (node.sides[0] == node.sides[1])


def value_of(node: Node, args: list[Any]) -> Any:
    if node.op == "const":
        return node.value
    if node.op == "mean":
        return mathops.mean(*args, axis=1 if node.value == ROWS else 0)
    if node.op == "orthogonalize":
        x, eps = args
        return mathops.orthogonalize(
            x, node.value.coefficients, eps, floor=node.value.floor, products=node.value.products
        )
    return WHOLE[node.op](*args)


def evaluate(graph: Graph, values: dict) -> dict:
    known: dict = {}
    for node in graph.nodes:
        given = node.op in ("array", "scalar")
        known[node] = values[node.value] if given else value_of(node, [known[arg] for arg in node.args])
    return {name: known[node] for name, node in graph.outputs.items()}


@pytest.mark.parametrize("name", RULES)
def test_the_tidy_formula_has_the_same_value(name):
    for setting in settings_of(name):
        check_tidy(setting)


def check_tidy(setting):
    graph = trace(setting.rule, setting.hyper)
    numbers = {name: float(value) for name, value in setting.hyper.items() if isinstance(value, float)}
    values = {node.value: kept(node) for node in graph.nodes if node.op == "array"}
    values |= {node.value: 0.8 for node in graph.nodes if node.op == "scalar" and node.value.startswith("state.")}
    values |= {SIZE: 6.0, ROWS: 2.0, COLS: 3.0, "g": G, "w": W, **numbers}
    short = tidy(graph, {name for name, value in numbers.items() if value == 0})
    for t in (1, 7):
        ours, theirs = evaluate(short, {**values, "t": t}), evaluate(graph, {**values, "t": t})
        for name, value in theirs.items():
            np.testing.assert_allclose(ours[name], value, rtol=1e-13, err_msg=f"{setting}: {name}")


def test_tidying_leaves_the_rate_whole():
    hyper = resolve("adadelta", "torch", {})
    graph = tidy(trace(RULES["adadelta"], hyper), ())
    assert graph.rate in graph.outputs["w"].args[1].args
