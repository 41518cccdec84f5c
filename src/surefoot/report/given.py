"""Which options and ranges an optimizer was given, as far as records and design tell.

Records hold every hyperparameter decoded. One of our rules was given what differs from its convention. What a class of
the user's was given is in its name, `MyOpt(lr=0.01)`, if it has no other; else every value is written, which comes to
the same. What tuning searched was never given: written down, it would be fixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from surefoot.analysis import Arm
from surefoot.analysis.arms import defaults_of
from surefoot.conventions import resolve
from surefoot.errors import UsageError
from surefoot.store.ranges import GIVEN_BY_USER
from surefoot.store.records import Design, Record


def untuned(arms: Sequence[Arm]) -> list[Arm]:
    """The arms as they were given: without those that tuning made of others."""
    labels = [arm.label for arm in arms]
    return [arm for arm in arms if not defaults_of(arm.label, labels)]


def is_imported(record: Record) -> bool:
    """Whether the rule is a class of some library, under its full name."""
    return "." in name_of(record)


def ranges_of(label: str, design: Design | None) -> dict[str, str]:
    """The ranges that the user gave this optimizer, as the design has them: "log 0.0001..0.1"."""
    search = _search(label, design)
    return {
        name: text for name, text in search.get("ranges", {}).items() if search["sources"].get(name) == GIVEN_BY_USER
    }


def options_of(arm: Arm, arms: Sequence[Arm], design: Design | None) -> dict[str, Any]:
    """The options that this optimizer was given, or values that come to the same."""
    record, searched = arm.trials[0], _searched(arm, arms, design)
    told = _in_the_name(record) if is_imported(record) else _unlike_the_convention(record)
    return {name: value for name, value in told.items() if name not in searched}


def name_of(record: Record) -> str:
    """The name of a rule, or the full name of a class, without what tells its code from another."""
    return record.rule.partition("@")[0]


def class_of(record: Record) -> str:
    """The name of a class without its module."""
    return name_of(record).rpartition(".")[2]


def names_itself(record: Record, options: Mapping[str, Any]) -> bool:
    """Whether a class with these options is called as it is in the results, without being given a name."""
    written = ", ".join(f"{name}={value}" for name, value in options.items())
    return is_imported(record) and record.label == (f"{class_of(record)}({written})" if written else class_of(record))


def _in_the_name(record: Record) -> dict[str, Any]:
    told = {name: value for name, value in record.hyper.items() if f"{name}={value}" in record.label}
    return told if names_itself(record, told) else {n: value for n, value in record.hyper.items() if value is not None}


def _unlike_the_convention(record: Record) -> dict[str, Any]:
    """The options that are not their convention's default; every option of a rule that this version does not know."""
    try:
        defaults = resolve(record.rule, record.convention, {})
    except UsageError:
        return dict(record.hyper)
    return {n: value for n, value in record.hyper.items() if n not in defaults or defaults[n] != value}


def _search(label: str, design: Design | None) -> Mapping[str, Any]:
    found: Mapping[str, Any] = design.content.get("search", {}).get(label, {}) if design else {}
    return found


def _searched(arm: Arm, arms: Sequence[Arm], design: Design | None) -> set[str]:
    """What was searched: as designed, else what differs in its tuned self."""
    labels, hyper = [other.label for other in arms], arm.trials[0].hyper
    chosen = [other.trials[0].hyper for other in arms if defaults_of(other.label, labels) == arm.label]
    found = {name for tuned in chosen for name, value in tuned.items() if value != hyper.get(name)}
    return found | set(_search(arm.label, design).get("ranges", {}))
