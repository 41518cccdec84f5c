"""Explanations as plain text in 80 columns, without colour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap

from surefoot.about import Claim
from surefoot.compiler.emit import unicode
from surefoot.conventions import FRAMEWORKS, convention
from surefoot.explain.differences import SCALES, STEPS, ConventionLine, Drift, defaults, drifts, forms, spellings
from surefoot.explain.explanation import LARGE, Cost, Explanation, Letter, plain, tree
from surefoot.explain.explanation import STEPS as WALK
from surefoot.explain.path import GRID, plot
from surefoot.explain.surfaces import SURFACES
from surefoot.rule import Rule
from surefoot.rules import COMBINATORS, is_built_in

WIDTH = 80


def family(*, whole: bool) -> str:
    """Return the rules as a tree, each with its addition to its parent. Unless `whole`, leaves share a line."""
    lines = ["The family: what each rule adds to the one before.", ""]
    for rules, drawn, below in tree(fold=not whole):
        first, *others = rules
        if others:
            lines += _indented(drawn, ", ".join(rule.title for rule in rules), below, WIDTH)
        else:
            lines += _indented(f"{drawn + first.title:<26} ", first.about.adds, below, WIDTH)
    lines += ["", "Around any rule, as in cautious(adamw):", ""]
    for name, combinator in COMBINATORS.items():
        lines += _indented(f"{name:<26} ", combinator.about.adds, "", WIDTH)
    lines += ["", "surefoot explain adam      one of them: formula, numbers, cost, when to use it"]
    lines += [] if whole else ["surefoot explain --all     this tree with a sentence for every rule"]
    lines += ["surefoot explain --web     those without sums in motion, as an offline page"]
    return "\n".join(lines)


def explanation(one: Explanation, surface: str, times: Sequence[str] = ()) -> str:
    """Return everything about a rule, the table of conventions and drift left to `conventions`.

    Args:
        one: the rule.
        surface: where its walk is drawn.
        times: what was measured of its step, a line each; empty if nothing was.
    """
    about = one.rule.about
    parts = [
        _head(one),
        _section("Formula", one.unicode(WIDTH - 2).rstrip("\n").split("\n")),
        _section("Numbers", _letters(one.letters)),
        _section("Letters", _signs(one.signs)),
        _section("Defaults that differ", _differences(one)),
        *([_section("When to use it", _claims(about.use))] if about.use else []),
        *([_section("When not", _claims(about.avoid))] if about.avoid else []),
        _section("Cost", _cost(one, times)),
        _section(*_walk(one, surface)),
    ]
    return "\n\n".join(parts)


def conventions(rule: Rule) -> str:
    """Return the differences between frameworks, and the cost of copying numbers across."""
    lines = [f"{rule.title}: what each framework means by it", ""]
    lines += _table(defaults(rule))
    if changed := forms(rule):
        lines += ["", *_table(changed)]
    lines += ["", "Spelled otherwise than here:"]
    for framework, names in spellings(rule).items():
        text = ", ".join(f"{ours}: {theirs}" for ours, theirs in names.items())
        lines += _indented(f"  {framework:<6} ", text) if names else []
    noted = ((framework, convention(rule, framework)) for framework in FRAMEWORKS)
    notes = [
        line  # a note that a framework has no such rule names the framework itself
        for framework, meaning in noted
        if meaning.note
        for line in _indented(
            f"{framework:<6} " if meaning.call or framework == "paper" else "",
            ": ".join(filter(None, (meaning.call, meaning.note))),
        )
    ]
    lines += ["", *notes] if notes else []
    return "\n".join([*lines, "", *_drift(rule)])


def _head(one: Explanation) -> str:
    rule, adds = one.rule, one.rule.about.adds
    parent = f"Beyond {rule.parent.title}, it {adds}." if rule.parent and adds else ""
    parts = [
        f"{rule.title}: {plain(rule.doc)}",
        parent,
        f"Paper: {rule.source}.",
        one.meant if is_built_in(rule) else "",
    ]
    return "\n".join(line for part in parts if part for line in wrap(part, WIDTH))


def _section(title: str, lines: Iterable[str]) -> str:
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)])


def _letters(letters: Sequence[Letter]) -> Iterator[str]:
    name_width = max((len(letter.name) for letter in letters), default=0)
    for letter in letters:
        head = f"{letter.symbol:<3} {letter.name:<{name_width}} {letter.value:<7g} "
        sensible = f"; sensible: {letter.sensible[0]:g} to {letter.sensible[1]:g}" if letter.sensible else ""
        text = f"{letter.meaning}; {letter.legal.replace('x', letter.symbol)}{sensible}"
        yield from _indented(head, text)


def _signs(signs: Sequence[tuple[str, str]]) -> Iterator[str]:
    width = max(unicode.columns(sign) for sign, _ in signs)
    for sign, text in signs:
        yield from _indented(sign + " " * (width - unicode.columns(sign) + 1), text)


def _indented(head: str, text: str, below: str = "", width: int = WIDTH - 2) -> list[str]:
    parts = wrap(text, width - len(head))
    return [head + parts[0], *(f"{below:<{len(head)}}{part}" for part in parts[1:])]


def _differences(one: Explanation) -> list[str]:
    if not one.differences:
        return ["none: all agree"]
    more = wrap(f"{one.command} --conventions shows all, and what copying costs", WIDTH - 2)
    return [*_table(one.differences, WIDTH - 2), "", *more]


def _table(lines: Sequence[ConventionLine], width: int = WIDTH) -> list[str]:
    """Return a table with a column for each framework. A * marks lines on which they differ."""
    columns = [max(9, len(framework) + 2) for framework in FRAMEWORKS]
    first = width - sum(columns)
    made = [" " * first + "".join(f"{name:>{w}}" for name, w in zip(FRAMEWORKS, columns, strict=True))]
    for line in lines:
        *above, last = wrap(f"{'* ' if line.differs else '  '}{line.about}", first - 2, subsequent_indent="  ")
        cells = (line.values[name] or "-" for name in FRAMEWORKS)
        made += [*above, f"{last:<{first}}" + "".join(f"{v:>{w}}" for v, w in zip(cells, columns, strict=True))]
    return made


def _claims(claims: Sequence[Claim]) -> list[str]:
    return [line for claim in claims for line in _indented("- ", f"{claim.text} ({claim.source})")]


def _cost(one: Explanation, times: Sequence[str]) -> list[str]:
    cost = one.cost
    kept = f"{cost.state_bytes} bytes of state ({', '.join(cost.slots)})" if cost.slots else "no state"
    again = f"step time: not measured here; {one.command} --time does"
    return [
        *wrap(f"for each float32 weight: {kept}; a step moves {cost.moved_bytes:g} bytes", WIDTH - 2),
        *(line for text in _of_matrices(cost) for line in wrap(text, WIDTH - 2)),
        *(times or [again]),
    ]


def _of_matrices(cost: Cost) -> Iterator[str]:
    """Yield what matrices cost besides."""
    if cost.beside:
        yield f"for each matrix also {', '.join(f'{slot} ({sides})' for slot, sides in cost.beside.items())}"
    if cost.products:
        yield (
            f"products: for each weight of a square matrix of n rows {cost.products:g} n operations, "
            f"{cost.products * LARGE:,.0f} where n is {LARGE}; forward and backward pass take 6 for each weight and "
            "example"
        )
    if cost.decomposes:
        yield "eigenvectors besides, at some steps"


def _walk(one: Explanation, surface: str) -> tuple[str, list[str]]:
    ground = SURFACES[surface]
    lr, path = one.walk(ground)
    turned = ", ".join(f"{knob.meaning.split(':')[0]} {knob.value:g}" for knob in ground.knobs if knob.value)
    title = f"{WALK} steps on: {ground.title}{f' ({turned})' if turned else ''}"
    legend = f"○ start   ● end, loss {path.losses[-1]:.2g}   × minimum   dots: bands of equal height"
    edge = ", the end of the range" if lr in (GRID[0], GRID[-1]) else ""
    best = f"lr {lr:g}{edge}: the best of {len(GRID)} on this walk. An illustration, not evidence."
    remark = f"With {one.remark}." if one.remark else ""
    return title, [
        *plot(ground, path).split("\n"),
        legend,
        *wrap(best, WIDTH - 2),
        *wrap(remark, WIDTH - 2),
    ]


def _drift(rule: Rule) -> Iterator[str]:
    found = [one for one in drifts(rule) if any(one.shares)]
    if not found:
        yield "Numbers can be copied: without weight decay all formulas compute the same."
        return
    yield from wrap(
        f"Copying the numbers of one into the formula of another: how far the weights are apart after {STEPS:,} steps "
        "on the same gradients, as a share of the way they have come, by the gradients' size.",
        WIDTH,
    )
    yield ""
    yield f"{'numbers of':<11}{'in the formula of':<24}" + "".join(f"{scale:>9g}" for scale in SCALES)
    for (source, shares), targets in _grouped(found).items():
        yield f"{source:<11}{', '.join(targets):<24}" + "".join(f"{share(value):>9}" for value in shares)


def _grouped(found: Sequence[Drift]) -> dict[tuple[str, tuple[float, ...]], list[str]]:
    """Return the targets that make the same of a source's numbers together."""
    groups: dict[tuple[str, tuple[float, ...]], list[str]] = {}
    for one in found:
        groups.setdefault((one.source, one.shares), []).append(one.target)
    return groups


def share(value: float) -> str:
    """Return a share as a percentage with two digits that count."""
    percent = 100 * value
    if percent == 0:
        return "0"
    if not percent < 1000:  # the two walk away from each other
        return ">1000 %"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %" if percent >= 0.01 else "<0.01 %"


def times_of(seconds: Mapping[str, float], what: str, notes: Sequence[str]) -> list[str]:
    """Return lines about measured step times: contender, milliseconds, and remarks."""
    rows = (f"  {name:<24} {1e3 * time:.3f} ms" for name, time in seconds.items())
    remarks = (line for note in notes for line in _indented("  note: ", note))
    return [f"step time on {what}, measured now:", *rows, *remarks]
