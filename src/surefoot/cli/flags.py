"""Flags of the library's arguments: their names with dashes, with a few exceptions."""

from __future__ import annotations

from surefoot.errors import Argument, SurefootError

FLAGS = {"optimizers": "-o", "columns": "--column"}


def flag(name: str) -> str:
    """Return the flag of an argument."""
    return FLAGS.get(name, f"--{name.replace('_', '-')}")


def message(error: SurefootError | OSError) -> str:
    """Return what an error says, with the flags of the arguments that it names."""
    parts = error.args if isinstance(error, SurefootError) else (str(error),)
    return "".join(flag(part) if isinstance(part, Argument) else str(part) for part in parts)
