"""How a study is repeated: by a command where there is one that runs, else by a call in Python.

A command names data sets, tasks and optimizers; it cannot name what a script of the user's defines, nor give a range.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from surefoot.analysis import Arm
from surefoot.datasets import NAMES
from surefoot.report.given import name_of, options_of, ranges_of, untuned
from surefoot.report.python_call import is_local, python_call
from surefoot.store.records import Design

OWN_CODE = (
    "This study has code of its own ({what}), which this page does not hold: run again the script that made it. Its "
    "call of Surefoot is:"
)
OWN_TASK = "...,  # the task, or model= and data=, of {name!r}"
OWN_RANGES = "In Python, as a command line gives no ranges:"


@dataclass(frozen=True)
class Repeat:
    """What to run, whether it is a command line, and what is to be said before it, if anything."""

    text: str
    is_command: bool = True
    words: str = ""


def repeat(arms: Sequence[Arm], design: Design | None = None) -> Repeat:
    """What trains the same arms again, made from what the records hold."""
    first = arms[0].trials[0]
    has_own_task, local = bool(first.protocol.get("fingerprint")), [arm.label for arm in untuned(arms) if is_local(arm)]
    own = [*([first.study] if has_own_task else []), *local]
    if not own and not any(ranges_of(arm.label, design) for arm in arms):
        return Repeat(command(arms, design))
    task = OWN_TASK.format(name=first.study) if has_own_task else f"{first.study!r},"
    words = OWN_CODE.format(what=", ".join(own)) if own else OWN_RANGES
    return Repeat(python_call(task, arms, design), is_command=False, words=words)


def command(arms: Sequence[Arm], design: Design | None = None) -> str:
    """The command line of a study that has nothing of the user's own.

    Records hold every trial of a search; how many were planned before it was extended is in the design.
    """
    first, given = arms[0].trials[0], untuned(arms)
    words = ["surefoot", "compare", first.study, "--only"]
    for arm in given:
        words += ["-o", _optimizer(arm, arms, design)]
    words += ["--seeds", str(max(len(arm.trials) for arm in arms))]
    for name in ("epochs", "batch_size", "schedule", "device"):
        words += [f"--{name.replace('_', '-')}", str(first.protocol[name])] if name in first.protocol else []
    words += _data(first.protocol)
    if design:
        words += ["--trials", str(design.content["sizing"]["trials"])]
    unknown = " --trials ...  # as many as were planned" if len(given) < len(arms) and not design else ""
    return shlex.join(words) + unknown


def _data(protocol: Mapping[str, Any]) -> list[str]:
    """The options for the data, which only tasks on one of our data sets of images take."""
    if protocol.get("dataset") not in NAMES:
        return []
    used = protocol["train_size"] + protocol["validation_size"]
    return ["--dataset", protocol["dataset"], "--train-size", str(used)]


def _optimizer(arm: Arm, arms: Sequence[Arm], design: Design | None) -> str:
    """The optimizer as `-o` reads it: its name where the syntax can hold it, and the options that it was given."""
    record = arm.trials[0]
    options = ", ".join(f"{name}={value!r}" for name, value in options_of(arm, arms, design).items())
    call = f"{name_of(record)}({options})"
    return call if set("=(),") & set(record.label) or not record.label.strip() else f"{record.label}={call}"
