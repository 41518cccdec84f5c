"""A rule as a JavaScript function in float64 for web pages: of one weight, or of a whole tensor.

A rule that adds up over a tensor is a function of all its weights, with a loop for each stage of sums
(`kernel_plan.py`). They are all the weights that there are, so that a sum over all tensors is the same.

Everything is computed inside, also what a kernel leaves to the host. JavaScript's numbers are IEEE float64 and nothing
is reordered, so every operation but two gives NumPy's very bits; `Math.pow` and `Math.atan2` may be one unit in the
last place off, which the language allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from surefoot.compiler.emit import walk
from surefoot.compiler.emit.walk import CHOICE, COMPARISON, INFIX, LEAVES, PRODUCT, SIGN, SUM, Language, Spelling, write
from surefoot.compiler.graph import SIZE, SUMS, Graph, Node, needed
from surefoot.compiler.kernel_plan import Plan, stages
from surefoot.errors import UsageError


def _number(value: float) -> str:
    return repr(value).removesuffix(".0").replace("inf", "Infinity").replace("nan", "NaN")


LANGUAGE = Language(
    "JavaScript",
    {
        **INFIX,
        **walk.called(pow="Math.pow", sqrt="Math.sqrt", maximum="Math.max", minimum="Math.min", abs="Math.abs"),
        **walk.called(atan2="Math.atan2"),
        "where": Spelling("{} ? {} : {}", CHOICE, (COMPARISON, COMPARISON, CHOICE)),
        "sign": Spelling("Math.sign({}) + 0", SUM),
        "mod": Spelling("{} % {}", PRODUCT, (PRODUCT, SIGN)),
        **walk.compared("===", "!=="),
    },
    number=_number,
    scalar=lambda name: "1" if name == SIZE else name,  # of a tensor of one weight
)
"""`Math.max` and `Math.min` let NaN win, as NumPy's do."""

_AMONG = replace(
    LANGUAGE,
    array=lambda name: f"state[i].{name.removeprefix('state.')}" if name.startswith("state.") else f"{name}[i]",
    scalar=lambda name: "w.length" if name == SIZE else name.replace("state.", "state[0]."),
)
"""Weight `i` among all of a tensor. Each has its own state, with the numbers for all in it."""

_TEXT = """\
// One step of {title} for {whom}, in float64.
// {arguments} {{ {slots} }} before the step; t: the number of the step, from 1.
{made_for}function step(w, g, state, t, hyper) {{
{body}
}}
"""

_ONE = {"whom": "one weight", "arguments": "w: the weight; g: its gradient; state:"}
_ALL = {"whom": "all weights of a tensor", "arguments": "w: the weights; g: their gradients; state: of each"}

Answer = Callable[[Mapping[str, str]], str]
"""Makes of each result's text, by its name, what a function returns of a weight."""


def emit(graph: Graph, title: str) -> str:
    """Return the text of a function `step(w, g, state, t, hyper)` that returns `{ w, rate, state }`.

    Of a rule that adds up over a tensor, `w`, `g` and `state` are arrays of all weights, and so is what it returns.
    `hyper` has the numbers under our names; switches, and whether a number that the rule asked about is zero, are
    fixed in the text.

    Args:
        graph: the update.
        title: the rule's name, for the comment; any text.
    """
    assert graph.rate is not None  # set by trace, with the outputs
    # `state_m` is the new value, where `state.m` is that before the step
    results = {**graph.outputs, **graph.numbers}  # a number of a tensor is one more slot of each weight
    names = {name: "w_new" if name == "w" else name.replace(".", "_") for name in results}
    slots = {name.removeprefix("state."): new for name, new in names.items() if name != "w"}

    def answer(texts: Mapping[str, str]) -> str:
        state = ", ".join(f"{slot}: {texts[new]}" for slot, new in slots.items())
        rate = "rate" if texts["rate"] == "rate" else f"rate: {texts['rate']}"
        return f"{{ w: {texts['w_new']}, {rate}, state: {{ {state} }} }}"

    roots = {**{names[name]: node for name, node in results.items()}, "rate": graph.rate}
    answers = ", ".join(f"{name} {'above' if truth else 'equal to'} 0" for name, truth in graph.assumed.items())
    return _TEXT.format(
        **(_ALL if adds_up(roots.values()) else _ONE),
        title=re.sub(r"\W", "_", title),
        slots=", ".join(slots),
        made_for=f"// Made for {answers}.\n" if answers else "",
        body="\n".join(f"  {line}" for line in body(graph, roots, answer)),
    )


def adds_up(nodes: Iterable[Node]) -> bool:
    """Return whether a value depends on sums over a tensor, so that a function needs all weights."""
    return any(node.op in SUMS for node in needed(nodes))


def body(graph: Graph, results: Mapping[str, Node], answer: Answer, *, together: bool | None = None) -> list[str]:
    """Return the lines of a function `(w, g, state, t, hyper)`.

    Args:
        graph: what the results are parts of.
        results: what is computed, by name.
        answer: what is returned of them.
        together: whether it is of all weights of a tensor; if that is needed, by default.
    """
    used = needed(results.values())
    nodes = [node for node in graph.nodes if node in used]
    scalars = [node.value for node in nodes if node.op == "scalar"]
    hyper = ", ".join(name for name in scalars if name not in ("t", SIZE) and not name.startswith("state."))
    given = [f"const {{ {hyper} }} = hyper;"] if hyper else []
    if adds_up(used) if together is None else together:
        return [*given, *_of_all(replace(graph, outputs=dict(results), numbers={}), answer)]
    lines, names = _lines(nodes, results, LANGUAGE)
    texts = {name: write(node, names, LANGUAGE) for name, node in results.items()}
    return [*given, *lines.values(), f"return {answer(texts)};"]


def _of_all(graph: Graph, answer: Answer) -> list[str]:
    """Return the lines that add up, stage by stage, and those of each weight."""
    *before, last = stages(graph, kernel=False)
    for stage in before:
        if stage.opaque:
            raise UsageError("JavaScript has no 'orthogonalize'.")
    made: list[str] = []
    for stage in before:
        host, each, names = _split(stage, {})
        added = [f"{name} += {write(node, names, _AMONG)};" for name, node in stage.sums.items()]
        loop = ["for (let i = 0; i < w.length; i++) {", *_indented([*each, *added]), "}"]
        made += [f"let {', '.join(f'{name} = 0' for name in stage.sums)};"]
        made += ["{", *_indented([*host, *loop]), "}"] if host else loop
    host, each, names = _split(last, last.outputs)
    texts = {name: write(node, names, _AMONG) for name, node in last.outputs.items()}
    return [*made, *host, "return w.map((_, i) => {", *_indented([*each, f"return {answer(texts)};"]), "});"]


def _split(stage: Plan, roots: Mapping[str, Node]) -> tuple[list[str], list[str], dict[Node, str]]:
    """Return a stage's lines that are equal for all weights, the other lines, and all names."""
    lines, names = _lines((*stage.scalars, *stage.loop), roots, _AMONG)
    host = [line for node, line in lines.items() if not node.per_weight]
    return host, [line for node, line in lines.items() if node.per_weight], names


def _lines(
    nodes: Iterable[Node], roots: Mapping[str, Node], language: Language
) -> tuple[dict[Node, str], dict[Node, str]]:
    """Return the line of each node that has one, in order, and all names."""
    made, names = walk.lines((node for node in nodes if node.op not in LEAVES), roots, {}, language)
    of = {name: node for node, name in names.items()}
    return {of[name]: f"const {name} = {text};" for name, text in made}, names


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]
