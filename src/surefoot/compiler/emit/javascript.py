"""A rule as a JavaScript function on one weight, in float64, for pages that show it at work.

Everything is computed inside, also what a kernel leaves to the host. JavaScript's numbers are IEEE float64 and nothing
is reordered, so every operation but two gives NumPy's very bits; `Math.pow` and `Math.atan2` may be one unit in the
last place off, which the language allows.
"""

from __future__ import annotations

import re

from surefoot.compiler.emit import walk
from surefoot.compiler.emit.walk import CHOICE, COMPARISON, INFIX, LEAVES, PRODUCT, SIGN, SUM, Language, Spelling, write
from surefoot.compiler.graph import SIZE, Graph, needed


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

_TEXT = """\
// One step of {title} for one weight, in float64.
// w: the weight; g: its gradient; state: {{ {slots} }} before the step; t: the number of the step, from 1.
{made_for}function step(w, g, state, t, hyper) {{
{body}
}}
"""


def emit(graph: Graph, title: str) -> str:
    """Return the text of a function `step(w, g, state, t, hyper)` that returns `{ w, rate, state }`.

    `hyper` has the numbers under our names; switches, and whether a number that the rule asked about is zero, are
    fixed in the text.

    Args:
        graph: the update.
        title: the rule's name, for the comment; any text.
    """
    assert graph.rate is not None  # set by trace, with the outputs
    # `state_m` is the new value, where `state.m` is that before the step
    results = {**graph.outputs, **graph.numbers}  # a number of a tensor is one more slot of its only weight
    new_names = {name: "w_new" if name == "w" else name.replace(".", "_") for name in results}
    roots = {**{new_names[name]: node for name, node in results.items()}, "rate": graph.rate}
    used = needed(roots.values())
    nodes = [node for node in graph.nodes if node in used]
    made, names = walk.lines((node for node in nodes if node.op not in LEAVES), roots, {}, LANGUAGE)
    scalars = [node.value for node in nodes if node.op == "scalar"]
    hyper = ", ".join(name for name in scalars if name not in ("t", SIZE) and not name.startswith("state."))
    new = {name: write(node, names, LANGUAGE) for name, node in results.items()}
    weight = new.pop("w")
    rate = "rate" if names.get(graph.rate) == "rate" else f"rate: {write(graph.rate, names, LANGUAGE)}"
    state = ", ".join(f"{name.removeprefix('state.')}: {text}" for name, text in new.items())
    body = [
        f"const {{ {hyper} }} = hyper;" if hyper else "",
        *(f"const {name} = {text};" for name, text in made),
        f"return {{ w: {weight}, {rate}, state: {{ {state} }} }};",
    ]
    answers = ", ".join(f"{name} {'above' if truth else 'equal to'} 0" for name, truth in graph.assumed.items())
    return _TEXT.format(
        title=re.sub(r"\W", "_", title),
        slots=", ".join(name.removeprefix("state.") for name in new),
        made_for=f"// Made for {answers}.\n" if answers else "",
        body="\n".join(f"  {line}" for line in body if line),
    )
