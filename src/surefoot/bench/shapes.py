"""The parameter sets of the benchmark: shapes of three networks, and many tensors of four weights.

A step's time depends on how many tensors there are and how large, not on what the network computes, so no library of
models is needed. The shapes are generated as the networks are built; the article's are taken from its own model. Of
tiny tensors nothing is timed but what a step costs before it moves anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import prod

from surefoot.errors import unknown

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ParameterSet:
    """The parameters of a network: its name, its kind, and the shape of each tensor."""

    name: str
    summary: str
    shapes: tuple[Shape, ...]

    @property
    def weights(self) -> int:
        """The number of weights in all tensors."""
        return sum(prod(shape) for shape in self.shapes)


def _cnn() -> Iterator[Shape]:
    from surefoot.tasks.models.article import make_model  # imports torch

    for parameter in make_model(0).parameters():
        yield tuple(parameter.shape)


def _resnet50() -> Iterator[Shape]:
    yield from _convolution(3, 64, 7)
    inputs = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            yield from _convolution(inputs, width, 1)
            yield from _convolution(width, width, 3)
            yield from _convolution(width, 4 * width, 1)
            if block == 0:  # the shortcut changes its size
                yield from _convolution(inputs, 4 * width, 1)
            inputs = 4 * width
    yield from _linear(inputs, 1000)


def _convolution(inputs: int, outputs: int, size: int) -> Iterator[Shape]:
    """Yield a convolution without bias, and the scale and shift of the batch norm behind it."""
    yield from ((outputs, inputs, size, size), (outputs,), (outputs,))


def _linear(inputs: int, outputs: int) -> Iterator[Shape]:
    yield from ((outputs, inputs), (outputs,))


def _gpt2(width: int = 768, blocks: int = 12, vocabulary: int = 50257, context: int = 1024) -> Iterator[Shape]:
    yield vocabulary, width  # the head is the same tensor
    yield context, width
    for _ in range(blocks):
        for inputs, outputs in ((width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)):
            if outputs in (3 * width, 4 * width):  # a layer norm before attention, and one before the two dense layers
                yield from ((width,), (width,))
            yield from _linear(inputs, outputs)
    yield from ((width,), (width,))


_NETWORKS: dict[str, tuple[str, Callable[[], Iterable[Shape]]]] = {
    "cnn": ("the article's convolutional network", _cnn),
    "resnet50": ("ResNet-50 for ImageNet", _resnet50),
    "gpt2": ("GPT-2 small, its head tied to the embedding", _gpt2),
    "tiny": ("161 tensors, as many as ResNet-50 has, of four weights each", lambda: [(4,)] * 161),
    "tiny10k": ("10,000 tensors of four weights", lambda: [(4,)] * 10_000),
}

SETS = {name: summary for name, (summary, _) in _NETWORKS.items()}
"""The parameter sets and what each is."""


def find_set(name: str) -> ParameterSet:
    """Return a parameter set; `UsageError` with the close matches if there is none of that name."""
    if name not in _NETWORKS:
        raise unknown("parameter set", name, _NETWORKS)
    summary, make = _NETWORKS[name]
    return ParameterSet(name, summary, tuple(make()))
