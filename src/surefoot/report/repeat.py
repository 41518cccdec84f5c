"""The way to repeat a study: a command where one can say it, else a call in Python.

A command names data sets, tasks and optimizers. It cannot name what a user's script defines, nor give a range, nor an
object. Whether it can say an optimizer is found out by reading what it would say.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Any

from surefoot.arms.optimizer_text import named_calls
from surefoot.arms.user_code import import_of
from surefoot.datasets import NAMES
from surefoot.design.studies import RATE_FREE
from surefoot.errors import UsageError
from surefoot.options import Options
from surefoot.search.proposals import TUNING_SEEDS
from surefoot.store.design import Design, Optimizer
from surefoot.store.looks import LookPlan
from surefoot.values import free_name

OWN_CODE = (
    "This study has code of its own ({what}), which this page does not hold: run again the script that made it. Its "
    "call of Surefoot is:"
)
OWN_TASK = "...,  # the task, or model= and data=, of {name!r}{recipe}"
OWN_LOOP = "train=...,  # the training function of {name!r}"
ONLY_PYTHON = "In Python, as a command line cannot say all of it:"

Imports = Mapping[tuple[str, str], str]
"""The name in the call of what is imported, by its module and its name there."""


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
    own = [*task, *(one.label for one in design.optimizers if one.has_own_code)]
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
    """Return whether `-o` can say it: no ranges, no objects, the study's convention, and what is read is the same."""
    if one.ranges or one.code or one.convention not in ("", design.convention or one.convention):
        return False
    try:
        name, calls = named_calls(_text(one))
    except UsageError:
        return False
    read = [(one.reference or call.called, call.given) for call in calls]
    return name == (one.label if one.is_named else "") and read == [(_name(one), dict(one.given))]


def _text(one: Optimizer) -> str:
    """Return an optimizer as `-o` takes it. Options stand behind the rule that another one is made of."""
    begin, inner, _ = _name(one).rpartition(")")
    options = ", ".join(f"{name}={value!r}" for name, value in one.given.items())
    call = f"{begin}{', ' * bool(options)}{options})" if inner else f"{_name(one)}({options})"
    return f"{one.label}={call}" if one.is_named else call


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
        yield from ("-o", _text(one))
    for name, value in _options(design).items():
        yield from (f"--{name.replace('_', '-')}", str(value))


def _call(design: Design) -> Iterator[str]:
    """Yield the lines of the call in Python, after the imports that it needs."""
    names = _imports(design.optimizers)
    for (module, name), here in names.items():
        yield f"from {module} import {name}{'' if here == name else f' as {here}'}"
    yield f"surefoot.{'rate_free' if design.over else 'compare'}("
    yield from (f"    {line}" for line in _what(design))
    yield "    optimizers=["
    yield from (f"        {_optimizer(one, names)}," for one in design.optimizers)
    yield "    ],"
    yield from ("    only=True,",) if design.over else ()
    yield f"    {', '.join(f'{name}={value!r}' for name, value in _options(design).items())},"
    yield ")"


def _imports(optimizers: Sequence[Optimizer]) -> Imports:
    """Return what the call imports. Of two that are called the same, the second gets a number."""
    classes = [one for one in optimizers if one.is_imported and not one.reference]
    found = {_class(one) for one in classes if not one.is_local}
    found |= {import_of(place)[:2] for one in optimizers for place in one.code.values() if place}
    names: dict[tuple[str, str], str] = {}
    for module, name in sorted(found):
        taken = {*names.values(), *(one.short_name for one in classes if one.is_local)}
        names[module, name] = free_name(name, taken, "{}{}")
    return names


def _class(one: Optimizer) -> tuple[str, str]:
    """Return the module of an optimizer's class, and its name there."""
    module, _, name = one.name.rpartition(".")
    return module, name


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


def _optimizer(one: Optimizer, names: Imports) -> str:
    is_text = one.reference or not one.is_imported
    words = [repr(_name(one)) if is_text else names.get(_class(one), one.short_name)]
    words += [f"name={one.label!r}"] if one.is_named else []
    words += [f"convention={one.convention!r}"] if one.convention not in ("", "torch") else []
    words += [f"{name}={one.functions.get(name) or _value(one, name, names)}" for name in one.given]
    words += [f"{name}=surefoot.{at.kind}({at.low!r}, {at.high!r})" for name, at in one.ranges.items()]
    return f"surefoot.Opt({', '.join(words)})"


def _value(one: Optimizer, name: str, names: Imports) -> str:
    """Return an option's value in Python: an object by its name, or three dots for one that no module has."""
    if name not in one.code:
        return _written(one.given[name])
    if not one.code[name]:
        return "..."
    module, top, rest = import_of(one.code[name])
    return f"{names[module, top]}{rest}"


def _written(value: Any) -> str:
    """Return a plain value in Python, which has no word for an infinite number."""
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name!r}: {_written(item)}' for name, item in value.items())}}}"
    return f"float({str(value)!r})" if isinstance(value, float) and not isfinite(value) else repr(value)
