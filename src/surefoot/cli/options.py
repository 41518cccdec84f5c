"""The library's options as flags, with their types, defaults and help."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import typer

from surefoot.arms.user_code import in_file
from surefoot.cli.flags import flag
from surefoot.errors import UsageError
from surefoot.options import STORE, Options
from surefoot.training.function_task import is_training_function
from surefoot.workers.runner import Runner

Command = TypeVar("Command", bound=Callable[..., None])

RESULTS = Path(STORE).parent
Study = Annotated[str, typer.Argument(help="Name of a study (`surefoot list`), or your own task: FILE.py:NAME.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]


def _help(one: Field[Any]) -> str:
    """Return the help of an option, as a sentence."""
    text = str(one.metadata["help"])
    return text[0].upper() + text[1:]


MarginFlag = Annotated[str | None, typer.Option("--margin", help=_help(Options.__dataclass_fields__["margin"]))]

OWN: dict[str, tuple[Any, Any]] = {
    "optimizers": (
        Annotated[
            list[str] | None,
            typer.Option(
                "--optimizer", "-o", help='Optimizer, may be given again: -o adam -o "fast=sgd(lr=0.1)" -o my.py:rule.'
            ),
        ],
        None,
    ),
    "only": (Annotated[bool, typer.Option("--only", help="Compare the optimizers given with -o alone.")], False),
}
"""Flags that take something else than their option, and their defaults."""


def takes(*names: str) -> Callable[[Command], Command]:
    """Give a command a flag for each of these options, or for all of them."""

    def with_flags(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True)
        first, *rest = [one for one in own.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        known: dict[str, tuple[Field[Any], type]] = {one.name: (one, Options) for one in fields(Options)}
        wanted = [known[name] for name in names or known if name != "runner"]
        wanted += [(one, Runner) for one in fields(Runner)] if not names else []
        flags = [_parameter(one, get_type_hints(owner)[one.name]) for one, owner in wanted]
        made = [first, *flags, *rest]
        command.__signature__ = own.replace(parameters=made)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in made}
        return command

    return with_flags


def _parameter(one: Field[Any], hint: Any) -> inspect.Parameter:
    """Return an option as a Typer parameter. Where text is allowed, its type is text."""
    name = one.metadata.get("flag", one.name)
    optional = type(None) in get_args(hint)
    kind: Any = (str | None if optional else str) if str in get_args(hint) else hint
    made = (Annotated[kind, typer.Option(flag(name), help=_help(one))], one.default)
    annotation, default = OWN.get(name, made)
    keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Parameter(name, keyword, default=default, annotation=annotation)


def options(given: dict[str, Any]) -> Options:
    """Return the options that a command was given."""
    runner = {
        one.name: given.pop(name) for one in fields(Runner) if (name := one.metadata.get("flag", one.name)) in given
    }
    optimizers = tuple(given.pop("optimizers", None) or ())
    return Options(optimizers=optimizers, runner=Runner(**runner), **given)


def refuse_function(study: str, why: str) -> None:
    """Raise `UsageError` for a training function before anything is asked of it that the command has no flag for."""
    if ".py:" in study and is_training_function(in_file(study)):
        raise UsageError(why)
