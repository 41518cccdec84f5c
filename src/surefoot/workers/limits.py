"""What a trial may use: time, which the driver watches, and memory, which its worker watches itself.

Memory is what the process has for itself alone, as the system counts it: arrays that all workers share are not in it,
the libraries' own (about 0.3 GB with torch) are. A limit on address space would be simpler and wrong: torch and CUDA
reserve far more than they use.
"""

from __future__ import annotations

import importlib.util
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from surefoot.errors import UsageError

LOOKS_SECONDS = 0.1


@dataclass(frozen=True)
class Limits:
    """The most that one trial may use, None for as much as it likes: `seconds` of wall clock, `memory` in bytes."""

    seconds: float | None = None
    memory: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("trial_timeout", self.seconds), ("trial_memory", self.memory)):
            if value is not None and not value > 0:
                raise UsageError(f"{name} is {value}; give a number above 0.")
        if self.memory and importlib.util.find_spec("psutil") is None:
            raise UsageError("trial_memory needs the package psutil: pip install psutil.")


def watch_memory(limit: int, over: Callable[[str], None]) -> None:
    """Look at this process's memory from now on, and call `over` with the reason when it is above the limit."""

    def look() -> None:
        while private_memory() <= limit:
            time.sleep(LOOKS_SECONDS)
        over(f"used more than {in_words(limit)} of memory")

    threading.Thread(target=look, daemon=True).start()


def private_memory() -> int:
    """Return the bytes that this process has for itself alone."""
    import psutil  # in extra `compare`; needed where memory is limited

    found = psutil.Process().memory_info()
    return int(found.rss - getattr(found, "shared", 0))  # where the system tells what is shared


def parse_bytes(text: str) -> int:
    """Return the bytes that `4GB`, `1.5 GB`, `500MB` or `2GiB` stands for; `UsageError` for other text."""
    found = re.fullmatch(r"\s*([\d.]+)\s*([kmgt]?)(i?)b?\s*", text.lower())
    try:
        number, unit, binary = found.groups() if found else ("", "", "")
        return int(float(number) * (1024 if binary else 1000) ** (" kmgt".index(unit) if unit else 0))
    except ValueError:
        raise UsageError(f"{text!r} is no amount of memory; write it as 4GB or 500MB.") from None


def in_words(size: int) -> str:
    """Return a number of bytes as people say it: 1.5 GB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} bytes"
