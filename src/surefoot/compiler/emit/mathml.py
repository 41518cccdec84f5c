"""A rule as MathML, which browsers draw without a library. `formula.py` chooses the lines.

Every symbol says in `data-v` what it stands for (`h.lr`, `s.m` before the step, `n.m` after it, `g`, `w`, `rate`,
`t`, `i.d` in between), so that a page can put the numbers of a step in the places of the letters.
"""

from __future__ import annotations

from collections.abc import Collection
from html import escape

from surefoot.compiler.emit import formula, walk
from surefoot.compiler.emit.walk import ATOM, CHOICE, COMPARISON, POWER, PRODUCT, SIGN, SUM, Language, Spelling
from surefoot.compiler.graph import Graph
from surefoot.hyperparameters import HYPERPARAMETERS

_BELOW = dict(zip("₀₁₂₃", "0123", strict=True))


def _marked(element: str, what: str) -> str:
    """Return an element marked with its meaning."""
    return element.replace(">", f' data-v="{escape(what)}">', 1)


def symbol(name: str) -> str:
    """Return a hyperparameter's symbol; `t` stands for itself."""
    if name not in HYPERPARAMETERS:
        return _marked(f"<mi>{escape(name)}</mi>", name)
    letter, rest = HYPERPARAMETERS[name].symbol[0], HYPERPARAMETERS[name].symbol[1:]
    element = f"<mi>{letter}</mi>"
    if rest:
        below = _BELOW.get(rest[0])
        mark = f"<mn>{below}</mn>" if below else f"<mo>{rest[0]}</mo>"
        element = f"<msub>{element}{mark}</msub>" if below else f"<msup>{element}{mark}</msup>"
    return _marked(element, f"h.{name}")


def _scalar(name: str) -> str:
    """Return a number: a hyperparameter, the step count, a tensor's size, or a number of the last step."""
    if name in formula.SIZES:
        return _marked(f"<mi>{formula.SIZES[name]}</mi>", name)
    return _array(name) if name.startswith("state.") else symbol(name)


def _array(name: str) -> str:
    if name in ("g", "w"):
        return _marked(f"<msub><mi>{name}</mi>{_when('t' if name == 'g' else '')}</msub>", name)
    return _slot(name, "", f"s.{name.removeprefix('state.')}")


def _after(name: str) -> str:
    if name == "w":
        return _marked(f"<msub><mi>w</mi>{_when('t')}</msub>", "n.w")
    return _slot(name, "t", f"n.{name.removeprefix('state.')}")


def _slot(name: str, when: str, what: str) -> str:
    """Return a slot at a step: by its first letter, the rest above it."""
    name = name.removeprefix("state.")
    if name == "ema":
        return _marked(f"<msub><mover><mi>w</mi><mo>¯</mo></mover>{_when(when)}</msub>", what)
    if len(name) == 1:
        return _marked(f"<msub><mi>{name}</mi>{_when(when)}</msub>", what)
    return _marked(f"<msubsup><mi>{name[0]}</mi>{_when(when)}<mtext>{name[1:]}</mtext></msubsup>", what)


def _when(when: str) -> str:
    return "<mi>t</mi>" if when else "<mrow><mi>t</mi><mo>−</mo><mn>1</mn></mrow>"


def _between(letter: str) -> str:
    base = "<mover><mi>g</mi><mo>~</mo></mover>" if letter == formula.GRADIENT else f"<mi>{letter}</mi>"
    return _marked(f"<msub>{base}<mi>t</mi></msub>", f"i.{letter}")


_CASES = (
    "<mrow><mo>{{</mo><mtable columnalign='left'><mtr><mtd>{1}</mtd><mtd><mtext>if </mtext>{0}</mtd></mtr>"
    "<mtr><mtd>{2}</mtd><mtd><mtext>otherwise</mtext></mtd></mtr></mtable></mrow>"
)

LANGUAGE = Language(
    "MathML",
    {
        "add": Spelling("{}<mo>+</mo>{}", SUM, (SUM, PRODUCT)),
        "total": Spelling('<mo>∑</mo><mrow class="sum">{}</mrow>', PRODUCT, (PRODUCT,)),
        "total_all": Spelling(
            '<msub><mo>∑</mo><mtext>all</mtext></msub><mrow class="sum">{}</mrow>', PRODUCT, (PRODUCT,)
        ),
        "sub": Spelling("{}<mo>−</mo>{}", SUM, (SUM, PRODUCT)),
        "mul": Spelling("{}<mspace width='0.17em'/>{}", PRODUCT, (PRODUCT, PRODUCT)),
        "truediv": Spelling("<mfrac><mrow>{}</mrow><mrow>{}</mrow></mfrac>", SIGN, (CHOICE, CHOICE)),
        "neg": Spelling("<mo>−</mo>{}", SUM, (PRODUCT,)),
        "pow": Spelling("<msup><mrow>{}</mrow><mrow>{}</mrow></msup>", POWER, (ATOM, CHOICE)),
        "sqrt": Spelling("<msqrt><mrow>{}</mrow></msqrt>"),
        "maximum": Spelling("<mi>max</mi><mrow><mo>(</mo>{}<mo>,</mo>{}<mo>)</mo></mrow>"),
        "minimum": Spelling("<mi>min</mi><mrow><mo>(</mo>{}<mo>,</mo>{}<mo>)</mo></mrow>"),
        "sign": Spelling("<mi>sign</mi><mrow><mo>(</mo>{}<mo>)</mo></mrow>"),
        "atan2": Spelling("<mi>atan2</mi><mrow><mo>(</mo>{}<mo>,</mo>{}<mo>)</mo></mrow>"),
        "abs": Spelling("<mrow><mo>|</mo>{}<mo>|</mo></mrow>"),
        "matmul": Spelling("{}<mspace width='0.17em'/>{}", PRODUCT, (PRODUCT, SIGN)),
        "transpose": Spelling("<msup><mrow>{}</mrow><mo>⊤</mo></msup>", POWER, (ATOM,)),
        "mean": Spelling("<msub><mi>mean</mi><mi>{value}</mi></msub><mrow><mo>(</mo>{}<mo>)</mo></mrow>"),
        "eigenbasis": Spelling("<mi>eigenbasis</mi><mrow><mo>(</mo>{}<mo>,</mo>{}<mo>)</mo></mrow>"),
        "orthogonalize": Spelling("<msub><mi>NS</mi><mn>{value.steps}</mn></msub><mrow><mo>(</mo>{}<mo>)</mo></mrow>"),
        "mod": Spelling("{}<mo>mod</mo>{}", PRODUCT, (PRODUCT, SIGN)),
        "where": Spelling(_CASES, PRODUCT, (COMPARISON, CHOICE, CHOICE)),
        **walk.compared("=", "≠", "&lt;", "&gt;", "≤", "≥", pattern="{{}}<mo>{}</mo>{{}}"),
    },
    number="<mn>{:g}</mn>".format,
    scalar=_scalar,
    array=_array,
    parentheses="<mrow><mo>(</mo>{}<mo>)</mo></mrow>".format,
)

NOTATION = formula.Notation(
    LANGUAGE, after=_after, rate=_marked("<msub><mi>r</mi><mi>t</mi></msub>", "rate"), between=_between
)


def emit(graph: Graph, zeros: Collection[str] = ()) -> list[str]:
    """Return one `math` element for each line, in the order in which they are computed.

    Args:
        graph: the update.
        zeros: the hyperparameters that are zero: they are left out.
    """
    return [
        f'<math display="block"><mrow>{left}<mo>=</mo>{right}</mrow></math>'
        for left, right in formula.formulas(graph, zeros, NOTATION)
    ]
