"""The call of `surefoot.compare` that repeats a study which no command line can: with ranges or code of the user's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from surefoot.analysis import Arm
from surefoot.report.given import class_of, is_imported, name_of, names_itself, options_of, ranges_of, untuned
from surefoot.store.records import Design

RANGES = {"log": "log", "uniform": "uniform", "1 - log": "one_minus"}
"""How a design writes a kind of range, and what makes one."""


def python_call(task: str, arms: Sequence[Arm], design: Design | None) -> str:
    """The call in Python, after the imports that it takes; `task` is the line of its first argument."""
    protocol = arms[0].trials[0].protocol
    given: dict[str, Any] = {"seeds": max(len(arm.trials) for arm in arms)}
    given |= {name: protocol[name] for name in ("epochs", "batch_size", "schedule", "device") if name in protocol}
    if design:
        given["trials"] = design.content["sizing"]["trials"]
    elif len(untuned(arms)) == len(arms):
        given["trials"] = 0
    lines = [
        task,
        "optimizers=[",
        *(f"    {_optimizer(arm, arms, design)}," for arm in untuned(arms)),
        "],",
        ", ".join(f"{name}={value!r}" for name, value in given.items()) + ",",
    ]
    return "\n".join([*_imports(arms), "surefoot.compare(", *(f"    {line}" for line in lines), ")"])


def is_local(arm: Arm) -> bool:
    """Whether the optimizer is a class of the script that was run, which has no name elsewhere."""
    rule = arm.trials[0].rule
    return rule.startswith("__main__.") or "<locals>" in rule


def _imports(arms: Sequence[Arm]) -> list[str]:
    """How the classes of libraries come by their names: `torch.optim.nadam` is hidden, and only imported from."""
    classes = [arm.trials[0] for arm in untuned(arms) if is_imported(arm.trials[0]) and not is_local(arm)]
    return sorted({f"from {name_of(one).removesuffix('.' + class_of(one))} import {class_of(one)}" for one in classes})


def _optimizer(arm: Arm, arms: Sequence[Arm], design: Design | None) -> str:
    record, options = arm.trials[0], options_of(arm, arms, design)
    what = class_of(record) if is_imported(record) else repr(name_of(record))
    ranges = {name: _range(text) for name, text in ranges_of(arm.label, design).items()}
    words = [what]
    words += [] if names_itself(record, options) else [f"name={record.label!r}"]
    words += [f"convention={record.convention!r}"] if record.convention not in ("", "torch") else []
    words += [f"{name}={text}" for name, text in {**{n: repr(v) for n, v in options.items()}, **ranges}.items()]
    return f"surefoot.Opt({', '.join(words)})"


def _range(text: str) -> str:
    """A range as a call: "log 0.0001..0.1" is `surefoot.log(0.0001, 0.1)`."""
    kind, _, ends = text.rpartition(" ")
    low, high = ends.split("..")
    return f"surefoot.{RANGES[kind]}({low}, {high})"
