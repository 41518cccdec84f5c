"""The tables of a launch on the device, where they stay from step to step.

What has changed is sent again, through pinned memory, which the device reads by itself: the host never waits. While a
CUDA graph is captured nothing is sent yet, and each replay sends again; so what a later step would change gets memory
of the graph's own, in which every replay finds it as it was.
"""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

_REPLAYED: list[Tensor] = []
"""Memory of captured graphs. Nothing reports the end of a graph, so it stays."""


def capturing(device: torch.device) -> bool:
    """Return whether the device's current stream is being captured."""
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


class DeviceTables:
    """Tables on one device. `counted`: it counts the steps, so that graphs may be captured."""

    def __init__(self, device: torch.device, *, counted: bool) -> None:
        self._device, self._counted = device, counted
        self._there: dict[str, Tensor] = {}
        self._sent: dict[str, bytes] = {}
        self._spare: dict[str, Tensor] = {}

    def fixed(self, name: str, table: NDArray[Any]) -> Tensor:
        """Return a table that never changes; it is sent once."""
        if name not in self._there:
            if capturing(self._device):
                return self._captured(name, table)
            self._there[name] = self._send(self._staged(table))
        if capturing(self._device):
            _REPLAYED.append(self._there[name])
        return self._there[name]

    def changing(self, name: str, table: NDArray[Any]) -> Tensor:
        """Return a table; it is sent if it is not what lies there."""
        if capturing(self._device):
            return self._captured(name, table)
        content = table.tobytes()
        if self._sent.get(name) != content:
            self._there[name] = self._send(self._staged(table), self._there.get(name))
            self._sent[name] = content
        if self._counted and name not in self._spare:
            self._spare[name] = self._staged(table)
        return self._there[name]

    def _captured(self, name: str, table: NDArray[Any]) -> Tensor:
        """Return a table for every replay, from reserved memory: older torch cannot pin any while capturing."""
        source = self._staged(table, self._spare.pop(name, None))
        _REPLAYED.append(source)
        return self._send(source)

    def _send(self, source: Tensor, to: Tensor | None = None) -> Tensor:
        to = torch.empty(source.shape, dtype=source.dtype, device=self._device) if to is None else to
        return to.copy_(source, non_blocking=True)

    def _staged(self, table: NDArray[Any], to: Tensor | None = None) -> Tensor:
        """Return a copy in pinned memory. Torch reuses it only after the device has read it."""
        host, pin = torch.from_numpy(table), self._device.type != "cpu"
        to = torch.empty(host.shape, dtype=host.dtype, pin_memory=pin) if to is None else to
        return to.copy_(host)
