"""Every exception and warning that Surefoot raises, and the helpers that check and match names.

A user's mistake is a `UsageError`, which is also a `ValueError`, so that code written for torch or NumPy catches
it. What went wrong outside the program (a damaged file, a full disk, another version's store) has a class of its
own. The command line turns any `SurefootError` into one message and exit code 2. A run that diverges is a result,
not an exception.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from difflib import SequenceMatcher
from unicodedata import category


class Argument(str):
    """An argument's Python name in a message. The command line shows its flag instead."""


class SurefootError(Exception):
    """Base of all of Surefoot's exceptions; its text says what was given, what was expected and what to do.

    The text may come in parts, of which each `Argument` is the name of one.
    """

    def __str__(self) -> str:
        return "".join(map(str, self.args))


class UsageError(SurefootError, ValueError):
    """An argument, option or file content that the user gave cannot be used."""


class DataError(SurefootError):
    """A data set is missing, damaged or cannot be downloaded."""


class StoreError(SurefootError):
    """A results store cannot be opened, read or written."""


class TrialError(SurefootError):
    """A trial could not be run: its worker kept dying, or its code raised."""


class SurefootWarning(UserWarning):
    """Something works, but not as the user may think."""


def kind_of(value: object) -> str:
    """Return what a value is, in words: "an int", "a list"."""
    name = type(value).__name__
    return f"{'an' if name.startswith(('a', 'e', 'i', 'o', 'ndarray')) else 'a'} {name}"


def one_line(what: str, given: object) -> str:
    """Return a name that a user gave; `UsageError` unless it is words on one line. Nothing and None are no name."""
    if given is None:
        return ""
    if not isinstance(given, str) or given.isspace() or any(category(one) in _BREAKS for one in given):
        raise UsageError(what, f" is {given!r}; give words on one line, as they head rows and columns.")
    return given


_BREAKS = ("Cc", "Zl", "Zp")
"""Unicode's categories of control characters, and of what separates lines and paragraphs."""


def unknown(kind: str, given: object, known: Iterable[str]) -> UsageError:
    """Return the error for an unknown name, with close matches or the whole list.

    The order of `known` decides between matches that are equally close. A set has none, and is sorted.
    """
    names = sorted(known) if isinstance(known, Set) else list(known)
    close = _close(str(given).lower().replace("-", "_"), names)
    hint = f"Did you mean {' or '.join(map(repr, close))}?" if close else f"Known: {', '.join(sorted(names))}."
    return UsageError(f"unknown {kind} {given!r}. {hint}")


def _close(given: str, names: Sequence[str]) -> list[str]:
    """Return the three closest names: of the same letters, then with the same beginning, then the most similar.

    Of names that are equally close the first in the list comes first.
    """
    plain = {name: name.lower().replace("-", "_") for name in names}
    alike = {name: SequenceMatcher(None, plain[name], given).ratio() for name in names}
    begin = {name for name in names if len(given) > 2 and plain[name].startswith(given)}
    close = [name for name in names if alike[name] >= 0.6 or name in begin]
    return sorted(close, key=lambda name: (sorted(plain[name]) != sorted(given), name not in begin, -alike[name]))[:3]
