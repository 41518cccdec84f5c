"""A constructor that is nothing but its signature, for people and their editors to read.

    @declared
    def __init__(self, params: Any, lr: float = 1e-3, **extras: Unpack[Extras]) -> None: ...

What the caller gave reaches `_start` apart from what he left out: of that the `convention` decides, and not the
signature, which shows the defaults of one of them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Any, TypeVar, cast

Init = TypeVar("Init", bound=Callable[..., None])


@dataclass(frozen=True)
class Call:
    """A call of a constructor.

    Attributes:
        given: what the caller gave of the arguments that the signature names.
        extras: what he gave beside them, by keyword.
        defaults: what the signature has for each argument that may be left out.
    """

    given: dict[str, Any]
    extras: dict[str, Any]
    defaults: Mapping[str, Any]


def declaring(*more: Parameter) -> Callable[[Init], Init]:
    """Return a decorator that makes a constructor from its signature and hands a `Call` to `self._start`.

    Args:
        more: arguments of every constructor, which follow those of their kind that it declares.
    """

    def declared(init: Init) -> Init:
        own = inspect.signature(init)
        *first, extras = own.parameters.values()
        following = [parameter for parameter in more if parameter.name not in own.parameters]
        signature = own.replace(parameters=[*sorted([*first, *following], key=lambda one: one.kind), extras])
        defaults = {p.name: p.default for p in signature.parameters.values() if p.default is not Parameter.empty}

        @functools.wraps(init)
        def wrapper(self: Any, *args: Any, **kwargs: Any) -> None:
            try:
                given = dict(signature.bind(self, *args, **kwargs).arguments)
            except TypeError as error:
                raise TypeError(f"{type(self).__name__}.__init__() is called with other arguments: {error}.") from None
            del given["self"]
            others = given.pop(extras.name, {})
            self._start(Call(given, others, defaults))

        made = cast(Any, wrapper)
        made.__signature__ = signature
        return cast(Init, made)

    return declared
