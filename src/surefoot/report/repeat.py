"""The way to repeat a study: a command where one can say it, else a call in Python.

A command names data sets, tasks and optimizers. It cannot name what a user's script defines, nor give a range.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from surefoot.datasets import NAMES
from surefoot.design.studies import RATE_FREE
from surefoot.options import Options
from surefoot.search.proposals import TUNING_SEEDS
from surefoot.store.design import Design, Optimizer
from surefoot.store.looks import LookPlan

OWN_CODE = (
    "This study has code of its own ({what}), which this page does not hold: run again the script that made it. Its "
    "call of Surefoot is:"
)
OWN_TASK = "...,  # the task, or model= and data=, of {name!r}{recipe}"
OWN_LOOP = "train=...,  # the training function of {name!r}"
ONLY_PYTHON = "In Python, as a command line cannot say all of it:"


@dataclass(frozen=True)
class Repeat:
    """The text to run, whether it is a command, and the words before it."""

    text: str
    is_command: bool = True
    words: str = ""


def repeat(design: Design) -> Repeat:
    """Return the command or the call that asks for the same study again."""
    design = _as_asked(design)
    task = [design.study] if design.protocol.fingerprint else []
    own = [*task, *(one.label for one in design.optimizers if one.is_local or one.functions)]
    if not own and all(_is_text(one, design) for one in design.optimizers):
        return Repeat(shlex.join(_command(design)))
    words = OWN_CODE.format(what=", ".join(own)) if own else ONLY_PYTHON
    return Repeat("\n".join(_call(design)), is_command=False, words=words)


def _as_asked(design: Design) -> Design:
    """Return the design without what the price of not tuning adds: a prefix of the name, and the last optimizers."""
    if not design.over:
        return design
    own = (one for one in design.optimizers if not one.range_test and one.label not in design.searches)
    return replace(design, study=design.over, optimizers=tuple(own))


def _is_text(one: Optimizer, design: Design) -> bool:
    """Return whether `-o` can say it: no ranges, the study's convention, a name that its syntax can hold."""
    named = one.label if one.is_named else "x"
    readable = named == named.strip() != "" and not set("=(),") & set(named)
    return readable and not one.ranges and one.convention in ("", design.convention or one.convention)


def _options(design: Design) -> dict[str, Any]:
    """Return every option that decides the numbers, by its name in Python.

    Where a clock chose the size, these are its choices: another machine's clock would choose otherwise.
    """
    protocol = design.protocol
    used = {"train_size": protocol.train_size + protocol.validation_size}
    margin = design.margin and design.margin.given(share=protocol.metric.share)
    kept = {**vars(protocol), **vars(design.sizing), **used, **_looks(design.looks), "steps": protocol.steps}
    kept |= {"margin": margin, "tune_seeds": len(design.tune) if len(design.tune) not in (0, TUNING_SEEDS) else None}
    own_data = protocol.dataset not in NAMES or protocol.fingerprint
    left_out = {"dataset", "train_size"} if own_data else set()
    left_out |= {"batch_size"} if protocol.own_loop else set()
    left_out |= {"epochs"} if protocol.evaluate_every else {"steps", "evaluate_every"}
    names = [one.name for one in fields(Options) if one.metadata.get("decides") and one.name not in left_out]
    return {name: kept[name] for name in names if kept.get(name) is not None}


def _looks(plan: LookPlan) -> dict[str, str]:
    """Return the options of planned looks and their question, where they differ from the defaults."""
    said = {"looks": ",".join(map(str, plan.at)), "spending": plan.spending, "question": plan.question.text}
    plain = {"looks": "", "spending": LookPlan().spending, "question": LookPlan().question.text}
    return {name: text for name, text in said.items() if text != plain[name]}


def _command(design: Design) -> Iterator[str]:
    yield from ("surefoot", "compare", *([RATE_FREE.name] if design.over else []), design.study, "--only")
    for one in design.optimizers:
        call = f"{_name(one)}({', '.join(f'{name}={value!r}' for name, value in one.given.items())})"
        yield from ("-o", f"{one.label}={call}" if one.is_named else call)
    for name, value in _options(design).items():
        yield from (f"--{name.replace('_', '-')}", str(value))


def _call(design: Design) -> Iterator[str]:
    """Yield the lines of the call in Python, after the imports that it needs."""
    classes = [one for one in design.optimizers if one.is_imported and not (one.is_local or one.reference)]
    yield from sorted({f"from {one.name.rpartition('.')[0]} import {one.short_name}" for one in classes})
    yield f"surefoot.{'rate_free' if design.over else 'compare'}("
    yield from (f"    {line}" for line in _what(design))
    yield "    optimizers=["
    yield from (f"        {_optimizer(one)}," for one in design.optimizers)
    yield "    ],"
    yield from ("    only=True,",) if design.over else ()
    yield f"    {', '.join(f'{name}={value!r}' for name, value in _options(design).items())},"
    yield ")"


def _what(design: Design) -> Iterator[str]:
    """Yield the arguments that say what is trained."""
    protocol = design.protocol
    if protocol.own_loop:
        yield OWN_LOOP.format(name=design.study)
        yield f"name={design.study!r}, metric={protocol.metric.name!r}, better={protocol.metric.better!r},"
    else:
        yield _task(design)


def _task(design: Design) -> str:
    """Return the first argument of the call. A task of the user's gets a placeholder, with how it takes its steps."""
    if not design.protocol.fingerprint:
        return f"{design.study!r},"
    recipe = design.protocol.recipe.text
    return OWN_TASK.format(name=design.study, recipe=f", with {recipe}" if recipe else "")


def _name(one: Optimizer) -> str:
    """Return where a user's own rule stands; for any other optimizer its name."""
    return one.reference or one.name


def _optimizer(one: Optimizer) -> str:
    words = [repr(_name(one)) if one.reference or not one.is_imported else one.short_name]
    words += [f"name={one.label!r}"] if one.is_named else []
    words += [f"convention={one.convention!r}"] if one.convention not in ("", "torch") else []
    words += [f"{name}={one.functions.get(name) or repr(value)}" for name, value in one.given.items()]
    words += [f"{name}=surefoot.{at.kind}({at.low!r}, {at.high!r})" for name, at in one.ranges.items()]
    return f"surefoot.Opt({', '.join(words)})"
