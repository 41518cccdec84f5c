"""Stored results: `docs/data/STUDY.json` holds what a command printed, and the command."""

import json
from pathlib import Path

TASKS = ("logreg-digits", "mlp-mnist", "quadratic-deep")
"""Studies that learn from data; the others are functions of two weights, on which a difference of 1e-20 is one."""


def stored(data: Path, name: str) -> tuple[str, dict]:
    """Return a stored study: the command and its result."""
    found = json.loads((data / f"{name}.json").read_text(encoding="utf-8"))
    return found["command"], found["result"]


def figure(value: float, share: bool) -> str:
    """A number as it is read: a share in hundredths, another with four digits."""
    return f"{100 * value:.2f}" if share else f"{value:.4g}"


def interval(found: dict | None, share: bool, unit: str = "%") -> str:
    """A mean with its 95 % interval; the unit is that of a share."""
    if found is None:
        return "–"
    mean = figure(found["mean"], share) + (f" {unit}" if share else "")
    if found["low"] is None:
        return mean
    return f"{mean} [{figure(found['low'], share)}, {figure(found['high'], share)}]"
