"""The word that the eager engine steps what a kernel was to be expected for; whoever says it does so once."""

from __future__ import annotations

import warnings

from surefoot.errors import SurefootWarning


def eager_instead(who: str, reason: str) -> None:
    """Warn that something runs on the eager engine, and why: `who` with its verb, such as "a parameter runs"."""
    warnings.warn(f"{who} on the eager engine, which is slower: {reason}", SurefootWarning, stacklevel=3)
