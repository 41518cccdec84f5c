"""Optimizer and seed in the name of a run, for exports that have them nowhere else.

Nothing is guessed: a name that does not fit the pattern is an error that shows both.
"""

from __future__ import annotations

import re

from surefoot.errors import Argument, UsageError

ORDINARY = re.compile(r"(?P<optimizer>.+?)[-_ /.,]+(?:seed|s)[-_ =]*(?P<seed>\d+)", re.IGNORECASE)
"""The ordinary names, such as `adam-seed3`, `adam_s3` and `adam/seed=3`."""

PARTS = {"optimizer": "(?P<optimizer>.+)", "seed": r"(?P<seed>\d+)", "task": "(?P<task>.+?)"}


def read_run(name: str, pattern: str | None, where: str) -> dict[str, str]:
    """Return the optimizer, the seed and any task in the name of a run.

    Args:
        name: name of the run.
        pattern: pattern such as `{task}-{optimizer}-{seed}`; None takes the optimizer, then `seed` or `s` and the seed.
        where: the place that an error names.

    Raises:
        UsageError: the name does not fit the pattern, or the pattern lacks a part.
    """
    found = (ORDINARY if pattern is None else _compiled(pattern)).fullmatch(name.strip())
    if found is None:
        expected = pattern or "OPTIMIZER-seedNUMBER"
        raise UsageError(
            f"{where}: the run {name!r} does not read as {expected}; give ",
            Argument("runs"),
            ", such as '{optimizer}_{seed}'.",
        )
    return found.groupdict()


def _compiled(pattern: str) -> re.Pattern[str]:
    if not {"optimizer", "seed"} <= {name for name in PARTS if f"{{{name}}}" in pattern}:
        raise UsageError(Argument("runs"), f" is {pattern!r}; expected {{optimizer}} and {{seed}} in it.")
    text = re.escape(pattern)
    for name, part in PARTS.items():
        text = text.replace(re.escape(f"{{{name}}}"), part, 1)
    return re.compile(text)
