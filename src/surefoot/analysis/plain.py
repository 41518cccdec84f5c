"""Any of our data as what JSON knows: the one place where NaN, mappings and dataclasses are flattened.

JSON has no NaN or infinity; browsers refuse a page that writes them. They become null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any

from surefoot.store.protocol import Metric, Protocol


def plain(value: Any) -> Any:
    """The value as dicts, lists, strings, numbers, booleans and None; anything unknown as its text."""
    if isinstance(value, str | bool | int | None):
        return value
    if isinstance(value, float):
        return float(value) if isfinite(value) else None
    if isinstance(value, Metric):
        return value.to_json()
    if isinstance(value, Protocol):
        return plain(value.content)
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return str(value)
