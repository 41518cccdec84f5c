"""A text cut for a character-level language model: three contiguous parts, each in rows of equal length.

The parts are the first 80 %, the next 10 % and the last 10 % of the text, so that no row of one overlaps another, nor
stands between two of another. A character is its place in the sorted list of all that occur.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from surefoot.datasets.text import shakespeare
from surefoot.store.records import Metric
from surefoot.tasks.arrays import Arrays
from surefoot.tasks.builtin import BuiltIn
from surefoot.tasks.task import Splits

CONTEXT = 64
"""Characters that a model sees; a row has one more, the last to be told."""

VOCABULARY = 62
"""Kinds of characters in the text."""

SHARES = (0.8, 0.9)
"""Where the training part and the validation part end."""


def character_task() -> BuiltIn:
    """Tell the next character of Shakespeare's; judged by bits per character."""
    splits = Splits(*(Arrays(rows(part)) for part in parts(codes(shakespeare()))))
    metric = Metric("bits per character", "min", share=False)
    return BuiltIn("char-lm", "surefoot.tasks.models.char_lm", "shakespeare", splits, metric)


def codes(text: str) -> NDArray[np.uint8]:
    """Each character's place among the sorted kinds of characters of the text; at most 256 kinds."""
    letters = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    return np.unique(letters, return_inverse=True)[1].astype(np.uint8)


def parts(whole: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Cut the text into training, validation and test part."""
    return np.split(whole, [int(share * len(whole)) for share in SHARES])


def rows(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As many rows of `CONTEXT` + 1 characters as fit, without overlap."""
    length = CONTEXT + 1
    count = len(part) // length
    return part[: count * length].reshape(count, length).copy()
