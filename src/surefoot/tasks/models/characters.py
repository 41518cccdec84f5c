"""A text for a character-level language model: three contiguous parts in rows of equal length.

The parts are the first 80 %, the next 10 % and the last 10 % of the text, so that no row of one overlaps another, nor
stands between two of another. A character is its place in the sorted list of all that occur.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from surefoot.datasets.text import shakespeare
from surefoot.store.protocol import Metric
from surefoot.tasks.arrays import Arrays
from surefoot.tasks.builtin import BuiltIn
from surefoot.tasks.task import Splits

CONTEXT = 64
"""Characters in a model's context. A row has one more, the last target."""

VOCABULARY = 62
"""Kinds of characters in the text."""

SHARES = (0.8, 0.9)
"""The ends of the training and the validation part, as shares of the text."""


def character_task() -> BuiltIn:
    """Return the task of predicting Shakespeare's next character, judged by bits per character."""
    splits = Splits(*(Arrays(rows(part)) for part in parts(codes(shakespeare()))))
    metric = Metric("bits per character", "min", share=False)
    return BuiltIn("char-lm", "surefoot.tasks.models.char_lm", "shakespeare", splits, metric)


def codes(text: str) -> NDArray[np.uint8]:
    """Return the code of each character: its place among the sorted characters, at most 256."""
    letters = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    return np.unique(letters, return_inverse=True)[1].astype(np.uint8)


def parts(whole: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Cut the text into training, validation and test part."""
    return np.split(whole, [int(share * len(whole)) for share in SHARES])


def rows(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the rows of `CONTEXT` + 1 characters in a text, without overlap."""
    length = CONTEXT + 1
    count = len(part) // length
    return part[: count * length].reshape(count, length).copy()
