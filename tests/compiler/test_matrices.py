"""Rules for matrices: traced with their sides, written as the papers do, and planned around what no kernel does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cached_kernels import run
from surefoot import mathops
from surefoot.compiler.emit import javascript, latex, mathml, numba, triton, unicode
from surefoot.compiler.graph import Node
from surefoot.compiler.kernel_plan import HOST, Plan, stages
from surefoot.compiler.trace import sums, trace
from surefoot.engines import kernels
from surefoot.errors import UsageError
from surefoot.mathops import cols, mean, orthogonalize, rows, sqrt, total
from surefoot.rule import Cols, Left, Number, Rows, Step, rule
from surefoot.rules.muon import muon
from surefoot.rules.polynomials import POLYNOMIALS
from surefoot.rules.soap import soap
from surefoot.update import update


@rule(slots=("m", Rows("v")), source="this test", shape="matrix")
def by_row(g, state, _t, *, lr=0.1, beta1=0.9, eps=1e-8):
    """Momentum, each row divided by the root of its own mean square."""
    m = beta1 * state.m + (1 - beta1) * g
    v = beta1 * state.v + (1 - beta1) * mean(m * m, axis=1)
    return Step(rate=lr / (sqrt(v) + eps), direction=m, m=m, v=v)


@rule(slots=(Left("l"), Cols("c")), source="this test", shape="matrix")
def turned(g, state, _t, *, lr=0.1):
    """Products on the left."""
    gram = state.l + g @ g.T
    return Step(rate=lr / rows(g), direction=gram @ g - state.c, l=gram, c=mean(g, axis=0))


@rule(slots=("m", Number("far")), source="this test", shape="matrix")
def twice(g, state, _t, *, lr=0.1, eps=1e-7):
    """Orthogonal matrices of orthogonal matrices, and a sum between."""
    first = orthogonalize(g, POLYNOMIALS["keller"][:2], eps)
    far = sqrt(total(first * first))
    second = orthogonalize(state.m + far * first, POLYNOMIALS["keller"], 2 * eps, floor=True)
    return Step(rate=lr * cols(g), direction=second, m=first, far=far)


def graph_of(own, **options):
    return trace(own, own.complete(options))


def value_of(node: Node, known: dict[str, Any]) -> Any:
    if node.op in ("array", "scalar"):
        return known[node.value]
    if node.op == "const":
        return node.value
    return HOST[node.op](*(value_of(arg, known) for arg in node.args))


def take(stage: Plan, known: dict[str, Any]) -> None:
    """Do what a stage does and then the host, and add it to what is known."""
    made = {name: value_of(node, known) for name, node in {**stage.outputs, **stage.numbers}.items()}
    made |= {name: value_of(node, known).sum() for name, node in stage.sums.items()}
    for name, what in stage.opaque.items():
        how = what.how
        made[name] = mathops.orthogonalize(
            made[name], how.coefficients, made[what.eps], floor=how.floor, products=how.products
        )
    known |= made


@pytest.mark.parametrize("own", [muon, twice])
def test_the_stages_one_after_the_other_are_the_rule(own):
    rng = np.random.default_rng(0)
    w, g, m = rng.normal(size=(3, 4, 6))
    hyper = own.complete({"weight_decay": 0.1})
    state = {"m": m, "far": 0.5} if own is twice else {"m": m}
    known: dict[str, Any] = {**hyper, "w": w, "g": g, "t": 3, "rows": 4.0, "cols": 6.0, "size": 24.0}
    known |= {f"state.{slot}": x for slot, x in state.items()}
    for stage in stages(trace(own, hyper)):
        take(stage, known)
    expected = update(own, w, g, state, 3, hyper)
    np.testing.assert_allclose(known["w"], expected.weight, rtol=1e-13)
    for slot, value in expected.state.items():
        np.testing.assert_allclose(known[f"state.{slot}"], value, rtol=1e-13)


@pytest.mark.usefixtures("kernel_cache")
@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (1, 40)])
def test_the_kernels_with_the_host_between_are_the_rule(shape):
    rng, hyper = np.random.default_rng(0), muon.complete({"weight_decay": 0.1})
    arrays = {name: rng.normal(size=shape).astype("float32") for name in ("w", "g", "state.m")}
    expected = update(muon, arrays["w"].copy(), arrays["g"], {"m": arrays["state.m"].copy()}, 1, hyper)
    arrays["matrix0"] = np.zeros(shape, "float32")
    values = {**hyper, "t": 1, "size": 40.0, "rows": float(shape[0]), "cols": float(shape[1])}
    for stage in stages(trace(muon, hyper)):
        scalars, made = stage.host_rows(values, 1)
        pointers = np.array([[arrays[name].ctypes.data for name in stage.arrays]])
        tables = np.array([[0, 0, 40, 0, 0]]), pointers, np.ones_like(pointers), scalars, np.zeros(1, np.int64)
        run(kernels.compiled(numba.emit(stage, "muon", "float32")), *tables, 0, 1)
        for name, what in stage.opaque.items():
            eps = float(made[what.eps])
            arrays[name][:] = mathops.orthogonalize(arrays[name], what.how.coefficients, eps)
    np.testing.assert_array_equal(arrays["w"], expected.weight)
    np.testing.assert_array_equal(arrays["state.m"], expected.state["m"])


def test_muon_is_a_stage_before_its_products_and_one_after():
    first, last = stages(graph_of(muon))
    assert (first.reads, [*first.outputs], first.by_tensor) == (("g", "state.m"), ["matrix0"], True)
    assert (last.reads, [*last.outputs], last.by_tensor) == (("w", "g", "state.m", "matrix0"), ["w", "state.m"], True)
    assert [(name, what.eps) for name, what in first.opaque.items()] == [("matrix0", "matrix0.eps")]
    assert not last.opaque


def test_what_goes_between_stages_is_in_the_numbers_that_are_computed_in():
    first, last = stages(graph_of(muon))
    kinds = {"w": "bfloat16", "g": "bfloat16", "state.m": "float16"}
    assert first.kinds(kinds) == {"g": "bfloat16", "state.m": "float16", "matrix0": "float32"}
    assert last.kinds(kinds)["matrix0"] == "float32"
    assert first.bytes_per_weight(kinds) == 2 + 2 + 4


def test_a_stages_eps_is_what_the_rule_makes_of_it():
    before = stages(graph_of(twice))[:-1]
    found = [stage.host_rows({"eps": 0.5, "total0": 1.0}, 1)[1] for stage in before]
    assert found == [{"matrix0.eps": 0.5}, {}, {"matrix1.eps": 1.0}]


@pytest.mark.parametrize("emit", [numba.emit, triton.emit])
def test_the_kernel_of_each_stage_is_written(emit):
    texts = [emit(stage, "muon", "float32") for stage in stages(graph_of(muon))]
    assert "Matrices for one step of muon in float32: 2 arrays read and 1 written" in texts[0]
    assert "new_w = w - c1 * matrix0" in texts[1]


@pytest.mark.parametrize(
    ("own", "reason"), [(by_row, "mean of each row or column"), (turned, r"multiplies matrices \(@\)")]
)
def test_what_no_stage_serves_is_said(own, reason):
    with pytest.raises(UsageError, match=f"{reason}.* cannot be compiled"):
        stages(graph_of(own))


def test_slots_of_other_shapes_have_sides_of_their_own():
    assert {name: node.sides for name, node in graph_of(by_row).outputs.items()} == {
        "w": ("rows", "cols"),
        "state.m": ("rows", "cols"),
        "state.v": ("rows", "1"),
    }
    assert graph_of(turned).outputs["state.l"].sides == ("rows", "rows")
    assert graph_of(turned).outputs["state.c"].sides == ("1", "cols")


def one(step):
    @rule(slots=(Rows("v"),), source="this test", shape="matrix")
    def own(g, state, _t, *, lr=0.1):
        """What `step` does."""
        return Step(rate=lr, direction=g, v=step(g, state.v))

    return own


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (lambda g, _: g, "'v' is rows x 1, and its new value is rows x cols; take a mean"),
        (lambda g, _: g + g.T, "takes the add of rows x cols and cols x rows, value by value; transpose"),
        (lambda g, v: v @ g, r"multiplies rows x 1 and rows x cols as matrices \(@\)"),
    ],
)
def test_sides_that_do_not_go_together(step, told):
    with pytest.raises(UsageError, match=f"rule own cannot be compiled: .*{told}"):
        graph_of(one(step))


def test_a_mean_keeps_its_axis_and_no_rule_can_say_otherwise():
    with pytest.raises(UsageError, match="unexpected keyword argument 'keepdims'"):
        graph_of(one(lambda g, _: mean(g, 1, keepdims=False)))


def test_a_size_is_that_of_the_array_at_hand():
    """Of the mean over what has a number for each row."""
    made = graph_of(one(lambda g, v: v + mean(mean(g * g, axis=1))))
    asked = {node.value for node in made.nodes if node.op == "scalar"}
    assert "rows" in asked
    assert "size" not in asked


def test_the_steps_of_weights_hang_together():
    assert sums(muon, muon.complete({}))


@pytest.mark.parametrize("coefficients", ["keller", POLYNOMIALS["keller"], ((2.0, -1.5, 0.5),)])
def test_a_polynomial_is_taken_as_it_is(coefficients):
    (what,) = stages(graph_of(muon, coefficients=coefficients))[0].opaque.values()
    assert what.how.coefficients == (POLYNOMIALS["keller"] if coefficients == "keller" else coefficients)


def test_muon_reads_as_in_the_paper():
    made = unicode.emit(graph_of(muon, weight_decay=0.1), muon.complete({"weight_decay": 0.1}))
    assert made.splitlines() == [
        "mₜ = μ mₜ₋₁ + gₜ",
        "Oₜ = NS₅(gₜ + μ mₜ)",
        "wₜ = wₜ₋₁ (1 − α λ) − α ϱ √max(rows, cols) Oₜ",
    ]


def test_muon_in_latex():
    options = {"nesterov": False, "buffer_mean": True, "scale": "original"}
    assert dict(latex.formulas(graph_of(muon, **options), muon.complete(options))) == {
        "m_t": r"\mu \, m_{t-1} + (1 - \mu) \, g_t",
        "O_t": r"\operatorname{NS}_{5}\left( m_t \right)",
        "w_t": r"w_{t-1} - \alpha \, \sqrt{\max\left( \frac{\mathrm{rows}}{\mathrm{cols}}, 1 \right)} \, O_t",
    }


def test_muon_in_mathml():
    _, middle, _ = mathml.emit(graph_of(muon, nesterov=False))
    assert "<msub><mi>NS</mi><mn>5</mn></msub><mrow><mo>(</mo>" in middle


def test_products_turns_and_means_in_letters():
    assert unicode.emit(graph_of(turned), turned.complete({})).splitlines() == [
        "lₜ = lₜ₋₁ + gₜ gₜᵀ",
        "cₜ = mean_cols(gₜ)",
        "wₜ = wₜ₋₁ − (α / rows) (lₜ gₜ − cₜ₋₁)",
    ]
    formulas = dict(latex.formulas(graph_of(turned), turned.complete({})))
    assert formulas["l_t"] == r"l_{t-1} + g_t \, g_t^{\top}"
    assert formulas["c_t"] == r"\operatorname{mean}_{\text{cols}}\left( g_t \right)"


def test_javascript_has_no_matrices():
    with pytest.raises(UsageError, match="JavaScript has no 'orthogonalize'"):
        javascript.emit(graph_of(muon), "muon")


def test_bases_are_drawn_when_they_are_due():
    made = unicode.emit(graph_of(soap), soap.complete({}))
    assert "Aₜ = eigenbasis(Lₜ, Aₜ₋₁) if (t − 1) mod p = 0 else Aₜ₋₁" in made.splitlines()
    assert "qₜ = Aₜ₋₁ (Aₜ₋₁ᵀ mₜ Bₜ₋₁ / (√vₜ + ε)) Bₜ₋₁ᵀ" in made.splitlines()  # a long product has its own line
    with pytest.raises(UsageError, match="cannot be compiled"):
        stages(graph_of(soap))
