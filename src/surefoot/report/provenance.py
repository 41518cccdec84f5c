"""Where the numbers come from: the protocol in words, settings and machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from surefoot.analysis import Setting
from surefoot.store.design import Design
from surefoot.store.protocol import Protocol
from surefoot.store.records import Record
from surefoot.values import is_whole
from surefoot.words import Written
from surefoot.words.looks import SPENDING, plan_text
from surefoot.words.numbers import duration, join

TOLD = {
    "task",
    "dataset",
    "train_size",
    "validation_size",
    "test_size",
    "epochs",
    "batch_size",
    "device",
    "evaluate_every",
}


def protocol_in_words(protocol: Protocol) -> str:
    """Return up to three sentences about the entries of `TOLD`. `other_protocol` has the rest."""
    known = {key: _number(value) for key, value in protocol.content.items() if key in TOLD}
    what = " on ".join(str(known[key]) for key in ("task", "dataset") if key in known)
    parts = [
        f"{known[key]} {name}"
        for key, name in (("train_size", "training"), ("validation_size", "validation"), ("test_size", "test"))
        if key in known
    ]
    known |= (
        {"steps": _number(protocol.steps), "every": _number(protocol.evaluate_every)} if protocol.evaluate_every else {}
    )
    sentences = [f"Task: {what}." if what else "", f"Examples: {', '.join(parts)}." if parts else "", _effort(known)]
    return " ".join(sentence for sentence in sentences if sentence)


def other_protocol(protocol: Protocol) -> list[tuple[str, str]]:
    """Return the protocol's remaining entries as name and text."""
    return [(key.replace("_", " "), _entry(key, protocol)) for key in protocol.content if key not in TOLD]


def settings(arm: Setting) -> list[str]:
    """Return the hyperparameters of an arm as "name = value", the learning rate first."""
    hyper = sorted(arm.trials[0].hyper.items(), key=lambda item: item[0] != "lr")
    return [f"{name} = {value}" for name, value in hyper]


def environment(records: Sequence[Record]) -> list[tuple[str, str]]:
    """Return each fact about machine, versions and engine, with all the values that the trials have."""
    facts: dict[str, dict[str, None]] = {}
    for record in records:
        engine = {"engine": record.outcome.engine} if record.outcome and record.outcome.engine else {}
        for name, value in {**record.environment, **engine}.items():
            facts.setdefault(str(name), {})[str(value)] = None
    return [(name.replace("_", " "), "; ".join(values)) for name, values in facts.items()]


def design_facts(design: Design) -> list[tuple[str, str]]:
    """Return what was decided before the first trial, as name and text."""
    seconds, sizing = design.budget.seconds, design.sizing
    some = 0 < len(design.searches) < len(design.optimizers)
    tuned = join(list(design.searches)) if some else "each"
    each = f"{_number(sizing.trials)} tuning trials of {tuned}, {_number(sizing.seeds)} seeds"
    facts = {
        "hash": design.hash,
        "frozen": _utc(design.frozen),
        "planned": f"{design.protocol.unit.amount(sizing.epochs)}, {each}" + (" at most" if seconds else ""),
        "question": design.looks.question.text if design.looks.question.kind != "best" else "",
        "planned looks": _looks(design),
        "margin": Written(design.protocol.metric).margin(design.margin) if design.margin else "",
        "budget": duration(seconds) if seconds else "",
        "time taken": duration(design.seconds) if design.seconds else "",
    }
    return [(name, text) for name, text in facts.items() if text]


def _looks(design: Design) -> str:
    """Return the planned looks, how they share the 5 %, and when each was taken."""
    taken = [f"{seeds} seeds on {_utc(when)}" for seeds, when in design.looked.items()]
    planned = f"{plan_text(design.looks)[:-1]}, spending: {SPENDING[design.looks.spending]}" if design.looks.at else ""
    return "; ".join([planned, *taken]) if planned else ""


def _utc(when: str) -> str:
    """Return an instant in ISO 8601 as people read it: in UTC, to the second."""
    return f"{when[:19].replace('T', ' ')} UTC" if when else ""


def _length(known: Mapping[str, str]) -> str:
    if "steps" in known:
        return f"{known['steps']} steps, with an evaluation every {known['every']},"
    return f"{known['epochs']} epoch{'' if known['epochs'] == '1' else 's'}" if "epochs" in known else ""


def _effort(known: Mapping[str, str]) -> str:
    parts = [
        _length(known),
        f"in batches of {known['batch_size']}" if "batch_size" in known else "",
        f"on {known['device']}" if "device" in known else "",
    ]
    text = " ".join(part for part in parts if part)
    return f"Trained for {text}." if text else ""


def _entry(key: str, protocol: Protocol) -> str:
    """Return an entry as text: the metric in words, and the score of guessing as the metric is written."""
    metric = protocol.metric
    if key == "metric":
        return f"{metric.title}, {'higher' if metric.better == 'max' else 'lower'} is better"
    if key == "chance":
        return Written(metric).value(protocol.content[key])
    if key == "recipe":
        return f"{protocol.recipe.text}, the same for all optimizers"
    return _number(protocol.content[key])


def _number(value: Any) -> str:
    return f"{value:,}" if is_whole(value) else str(value)
