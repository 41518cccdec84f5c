"""Public docstrings: the first sentence says in under 15 words what a thing is for."""

import importlib
import inspect
import re

import pytest

ROOMS = ("surefoot", "surefoot.torch", "surefoot.optax", "surefoot.keras", "surefoot.bridge", "surefoot.rules")
MOST = 14
ABSENT = ("whence", "told", "nobody", "of those that")


def parts(owner):
    """Yield the public methods and properties that a class of ours defines, each with its name."""
    for name, part in vars(owner).items():
        if isinstance(part, (classmethod, staticmethod)):
            part = part.__func__
        if not name.startswith("_") and (inspect.isfunction(part) or isinstance(part, property)):
            yield name, part


def described(room):
    """Return the docstring of each public thing of a room, by its name."""
    module = importlib.import_module(room)
    found = {room: module}
    for name in module.__all__:
        thing = getattr(module, name)
        if callable(thing):
            found[f"{room}.{name}"] = thing
        if inspect.isclass(thing) and thing.__module__.startswith("surefoot"):
            found |= {f"{room}.{name}.{part}": one for part, one in parts(thing)}
    return {name: inspect.getdoc(thing) or "" for name, thing in found.items()}


@pytest.mark.parametrize("room", ROOMS)
def test_the_first_sentence_of_a_public_docstring_is_short_and_plain(room):
    long = {}
    for name, text in described(room).items():
        first = re.split(r"(?<=[.:!?])\s", " ".join(text.split("\n\n")[0].split()))[0]
        if not first or len(first.split()) > MOST or any(re.search(rf"\b{word}\b", first) for word in ABSENT):
            long[name] = first
    assert long == {}
