"""`surefoot explain`: shows a rule from the code that runs, in the terminal or as a page."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from surefoot.arms.optimizer_text import parse_rule
from surefoot.cli.options import RESULTS, Json
from surefoot.cli.printing import print_json
from surefoot.conventions import shown
from surefoot.errors import Argument, UsageError, unknown
from surefoot.explain import terminal
from surefoot.explain.differences import SCALES, STEPS, drifts
from surefoot.explain.explanation import Explanation, family_json
from surefoot.explain.page import serve as serve_page
from surefoot.explain.page import write_page
from surefoot.explain.surfaces import SURFACES
from surefoot.rules import is_built_in


def explain(
    rule: Annotated[
        str | None, typer.Argument(help='Rule: adabound, "adam(beta1=0.5)", my.py:rule. Default: all.')
    ] = None,
    convention: Annotated[str, typer.Option(help="Form of the rule: torch, keras, optax or paper.")] = "torch",
    conventions: Annotated[
        bool, typer.Option("--conventions", help="Where frameworks differ, and what copying numbers costs.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="The family with a sentence for every rule.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Print the formula in LaTeX, and nothing else.")] = False,
    surface: Annotated[str, typer.Option(help="Surface to walk on: valley, rosenbrock, beale, ...")] = "valley",
    time: Annotated[bool, typer.Option("--time", help="Measure its step on this machine too; takes seconds.")] = False,
    web: Annotated[bool, typer.Option("--web", help="Write the playground, one offline page.")] = False,
    out: Annotated[Path, typer.Option(help="File for the playground.")] = RESULTS / "playground.html",
    serve: Annotated[bool, typer.Option("--serve", help="Write it, serve it on this machine and open it.")] = False,
    port: Annotated[int, typer.Option(help="Port to serve it on; 0: any.", min=0, max=65535)] = 0,
    as_json: Json = False,
) -> None:
    """Explain a rule: formula, numbers, defaults, cost, when to use it. Without a rule: the whole family.

    Example: surefoot explain adabound
    """
    if web or serve:
        _page(rule, out, port, serve=serve, as_json=as_json)
    elif rule is None:
        print_json({"family": family_json()}) if as_json else typer.echo(terminal.family(whole=everything))
    else:
        _rule(rule, convention, surface, conventions=conventions, latex=latex, time=time, as_json=as_json)


def _page(rule: str | None, out: Path, port: int, *, serve: bool, as_json: bool) -> None:
    own = [parse_rule(rule)] if rule and ":" in rule else []
    if (rule and not own) or any(given for _, given in own):
        raise UsageError(
            f"the playground has every rule but those for matrices; leave {rule!r} out (its file is named with ",
            Argument("out"),
            " FILE).",
        )
    path = write_page(out, [found for found, _ in own])
    if as_json:
        print_json({"path": str(path)})
    elif not serve:
        typer.echo(f"Playground: {path}")
    if serve:
        serve_page(path, port, partial(typer.echo, err=as_json))


def _rule(
    text: str, framework: str, surface: str, *, conventions: bool, latex: bool, time: bool, as_json: bool
) -> None:
    if surface not in SURFACES:
        raise unknown("surface", surface, SURFACES)
    one = _explanation(text, framework)
    times, notes = _times(one.called or one.rule.name) if time else ({}, [])
    if as_json:
        measured = {"step_seconds": times, "step_notes": notes} if time else {}
        print_json({**_json(one, surface, conventions=conventions), **measured})
    elif latex:
        typer.echo(one.latex, nl=False)
    elif conventions:
        typer.echo(terminal.conventions(one.rule))
    else:
        typer.echo(terminal.explanation(one, surface, terminal.times_of(times, PARAMETERS, notes) if times else ()))


def _explanation(text: str, framework: str) -> Explanation:
    rule, given = parse_rule(text)
    called = "" if is_built_in(rule) else text.partition("(")[0].strip()
    return Explanation(rule, framework, shown(rule, framework, given), called)


PARAMETERS = "the article's network, float32"


def _times(case: str) -> tuple[dict[str, float], list[str]]:
    """Return the median seconds of a step by contender, and the benchmark's remarks."""
    from surefoot.bench.run import BenchOptions, plan, run  # loads torch, which nothing else here needs

    result = run(plan(BenchOptions(sets=("cnn",), cases=(case,))), lambda _: None)
    return {row.contender: row.seconds.median for entry in result.sets for row in entry.rows}, result.notes


def _json(one: Explanation, surface: str, *, conventions: bool) -> dict[str, object]:
    made = one.to_json(surface)
    if conventions:
        rows = [asdict(drift) for drift in drifts(one.rule)]
        made["drift"] = {"steps": STEPS, "scales": SCALES, "rows": rows}
    return made
