"""A short hash of a user's optimizer or rule, so that editing it makes its trials run again.

What runs counts, not how it is written: the bytecode of its methods with its constants and defaults, and each function,
class and plain value of the user's that they name; of an installed library, the version. Not seen is what code finds
only when it runs, such as a file that it reads. Another Python compiles to another
bytecode, so after an upgrade a class of the user's is trained anew; that is the safe side.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache, partial
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from surefoot.rule import Rule

PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...))
METHODS = (FunctionType, staticmethod, classmethod, property)

PLACE = re.compile(r" at 0x[0-9a-fA-F]+")
"""The address in an object's default text, which differs from process to process."""

Seen = dict[Any, Any]
"""The objects read so far, for references may form circles. Kept alive, so that no other gets an `id` of theirs."""


def code_of(make: Any) -> str:
    """Return the version of a class's library, or eight digits for the user's own code."""
    module = make.__module__
    return _version(module) if _installed(module) else digest(make)


def digest(thing: Any) -> str:
    """Return eight digits of what a thing consists of, the same in every process."""
    return hashlib.sha256("\n".join(_parts(thing, {})).encode()).hexdigest()[:8]


def written(thing: Any, write: Callable[[Any], str] = str) -> str:
    """Return how a thing is written in every process alike.

    Python writes a set in an order, and some objects with a place in memory, that change from process to process: a set
    is sorted, and what the object consists of stands for its place, and for an object that has a set in it.
    """
    match thing:
        case set() | frozenset():
            return f"{{{', '.join(sorted(written(part, repr) for part in thing))}}}"
        case dict():
            pairs = (f"{written(name, repr)}: {written(value, repr)}" for name, value in thing.items())
            return f"{{{', '.join(pairs)}}}"
        case list() | tuple():
            parts = ", ".join(written(part, repr) for part in thing)
            return f"[{parts}]" if isinstance(thing, list) else f"({parts}{',' * (len(thing) == 1)})"
    if _holds_set(thing, {}):
        return f"{type(thing).__name__} {digest(thing)}"
    text, places = PLACE.subn("", write(thing))
    return f"{text} {digest((thing, getattr(thing, '__dict__', None)))}" if places else text


def _holds_set(thing: Any, seen: Seen) -> bool:
    """Return whether a set of several is in an object, which then writes itself in another order in each process.

    Not looked into is what has a state: of a model, its numbers are no part of what it is as an option.
    """
    if id(thing) in seen or isinstance(thing, type) or hasattr(thing, "state_dict"):
        return False
    seen[id(thing)] = thing
    if isinstance(thing, set | frozenset) and len(thing) > 1:
        return True
    return any(_holds_set(part, seen) for part in _contained(thing))


def _installed(module: str) -> bool:
    """Return whether a module is Python's, ours, or an installed package's."""
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return (
        top in sys.stdlib_module_names
        or top == "surefoot"
        or not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)
    )


def _version(module: str) -> str:
    """Return the version of a module's package; empty if pip does not know it."""
    return ",".join(sorted({version(name) for name in _packages().get(module.partition(".")[0], ())}))


_packages = cache(packages_distributions)  # for it takes 0.2 s


def _parts(thing: Any, seen: Seen) -> Iterator[str]:
    """Yield the contents of a thing as texts, in a fixed order."""
    thing = _within(thing)
    if isinstance(thing, PLAIN):
        yield repr(thing)
        return
    yield f"{type(thing).__name__} {getattr(thing, '__qualname__', '')}"
    if id(thing) in seen:
        return
    seen[id(thing)] = thing
    if isinstance(thing, type):
        yield from _class(thing, seen)
    elif isinstance(thing, FunctionType):
        yield from _function(thing, seen)
    elif isinstance(thing, Rule):
        yield from _rule(thing, seen)
    elif hasattr(type(thing), "__array__"):
        yield from _array(thing, seen)
    elif isinstance(thing, set | frozenset):
        yield from sorted("".join(_parts(part, {**seen})) for part in thing)
    else:
        for part in _contained(thing):
            yield from _parts(part, seen)


def _holds_data(thing: Any) -> bool:
    """Return whether it is an array, a tensor, or a library's object with some: a data set, a loader or a model."""
    made = type(thing)
    return hasattr(made, "__array__") or made.__module__.startswith(("torch.utils.data", "torch.nn"))


def _array(thing: Any, seen: Seen) -> Iterator[str]:
    """Yield a short hash of an array or a tensor; nothing for one without numbers, as a meta tensor."""
    with suppress(Exception):
        if hasattr(thing, "detach"):
            thing = thing.detach().cpu()
            thing = (thing.float() if str(thing.dtype) == "torch.bfloat16" else thing).numpy()  # which lacks bfloat16
        array = np.ascontiguousarray(thing)
        if array.dtype == object:
            yield from _parts(array.tolist(), seen)
        else:
            yield f"{array.dtype} {array.shape} {hashlib.sha256(array.data).hexdigest()}"


def _within(thing: Any) -> Any:
    """Return the user's function inside a library's wrapper, as `torch.no_grad` and torch optimizers have it.

    Torch wraps `step` when the first optimizer of a class is made: the code is the same before and after.
    """
    while isinstance(thing, FunctionType) and _library(thing) and hasattr(thing, "__wrapped__"):
        thing = thing.__wrapped__
    return thing


def _library(function: FunctionType) -> bool:
    return _installed(function.__globals__.get("__name__", ""))


def _contained(thing: Any) -> Iterator[Any]:
    """Yield the contents of a container, a method or an object of a user's class."""
    match thing:
        case tuple() | list():
            yield from thing
        case Mapping():
            yield from (part for item in thing.items() for part in item)
        case property():
            yield from (thing.fget, thing.fset)
        case staticmethod() | classmethod():
            yield thing.__func__
        case MethodType():
            yield from (thing.__func__, thing.__self__)
        case partial():
            yield from (thing.func, thing.args, thing.keywords)
        case _ if _holds_data(thing):
            yield from (type(thing).__qualname__, getattr(thing, "__dict__", {}))
        case _ if not _installed(type(thing).__module__):
            yield from (type(thing), getattr(thing, "__dict__", {}))
            yield from (getattr(thing, name, None) for name in _slots(type(thing)))


def _slots(made: type) -> Iterator[str]:
    """Yield the attributes of objects that have no `__dict__`, as of a dataclass with slots."""
    for base in made.__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            is_private = name.startswith("__") and not name.endswith("__")
            yield f"_{base.__name__.lstrip('_')}{name}" if is_private else name


def _class(made: type, seen: Seen) -> Iterator[str]:
    """Yield the members of a class, own and inherited, without its docstring and the like."""
    for base in made.__mro__:
        if _installed(base.__module__):
            yield f"{base.__module__}.{base.__qualname__} {_version(base.__module__)}"
            continue
        for name, value in sorted(vars(base).items()):
            if isinstance(value, METHODS) or not name.startswith("__"):
                yield name
                yield from _parts(value, seen)


def _rule(rule: Rule, seen: Seen) -> Iterator[str]:
    """Yield what decides a rule's numbers: its function, and the arguments of a library's function."""
    function: Any = rule.function
    slots = [(slot.name, slot.when, slot.start, slot.positive) for slot in rule.slots]
    for part in (function, slots, dict(rule.defaults), dict(rule.pinned)):
        yield from _parts(part, seen)
    if _library(function):
        yield f"{function.__module__} {_version(function.__module__)}"
        yield from _closure(function, seen)


def _function(function: FunctionType, seen: Seen) -> Iterator[str]:
    if _library(function):
        return
    yield from _code(function.__code__, seen)
    yield from _parts(function.__defaults__, seen)
    yield from _parts(function.__kwdefaults__, seen)
    yield from _named(function.__globals__, frozenset(_names(function.__code__)), seen)
    yield from _closure(function, seen)


def _closure(function: FunctionType, seen: Seen) -> Iterator[str]:
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # a name that has no value yet
            yield from _parts(cell.cell_contents, seen)


def _code(code: CodeType, seen: Seen) -> Iterator[str]:
    yield f"{code.co_code.hex()} {code.co_names}"
    for constant in code.co_consts:
        yield from _code(constant, seen) if isinstance(constant, CodeType) else _parts(constant, seen)


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names that code uses, with those of inner functions."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _named(space: Mapping[str, Any], names: frozenset[str], seen: Seen) -> Iterator[str]:
    """Yield the things behind names in a module, and in the user's modules that it imports."""
    for name in sorted(names & space.keys()):
        thing = space[name]
        module = getattr(thing, "__name__" if isinstance(thing, ModuleType) else "__module__", None) or ""
        library = _installed(module) and not isinstance(thing, Rule) and not _holds_data(thing)
        yield f"{name} {getattr(thing, '__qualname__', '')}"
        if not isinstance(thing, ModuleType):
            yield from () if library else _parts(thing, seen)
        elif not library and (id(thing), names) not in seen:
            seen[id(thing), names] = thing
            yield from _named(vars(thing), names, seen)
