"""The commands as Typer sees them, each loaded when it is called.

So `surefoot --help` loads no framework and answers at once, and the imports of a command stand at the top of its file.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from surefoot import __version__

COMMANDS = {
    "compare": ("compare:compare", "Train every optimizer of a study and compare them."),
    "try": ("try_out:try_out", "Say whether every optimizer works on a task; train nothing."),
    "groups": ("groups:groups", "Say what a model's parameters are, and which rule steps which."),
    "report": ("report:report", "Write the report of the newest run of a study from the store."),
    "judge": ("judge:judge", "Say which optimizer is best, from scores that you have already."),
    "list": ("list:list_all", "Show the studies, the optimizers and the data sets."),
    "explain": ("explain:explain", "Explain a rule: formula, numbers, defaults, cost, when to use it."),
    "lr-find": ("lr_find:lr_find", "Show at which learning rates the loss falls and where it diverges."),
    "kernel": ("kernel:kernel", "Print a rule as a kernel (CPU or GPU), a formula or JavaScript."),
    "bench": ("bench:bench", "Time one step of each rule on each engine, beside other libraries."),
    "check": ("check:check", "Test what Surefoot promises: published runs, error rates, parity."),
    "doctor": ("doctor:doctor", "Say what runs on this machine, for a report of a problem."),
}
"""Module, function and one line of help of each command."""

SETTINGS: dict[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class Commands(MutableMapping[str, Any]):
    """The commands by name. Each is loaded when it is asked for."""

    def __getitem__(self, name: str) -> Any:
        module, function = COMMANDS[name][0].split(":")
        alone = typer.Typer(**SETTINGS)
        alone.command(name)(getattr(import_module(f"surefoot.cli.{module}"), function))
        return typer.main.get_command(alone)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __setitem__(self, name: str, command: Any) -> None:
        raise NotImplementedError

    def __delitem__(self, name: str) -> None:
        raise NotImplementedError


class Lazy(TyperGroup):
    """A group that lists its commands without loading them."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": None})
        self.commands = Commands()

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the list that stands in `surefoot --help`."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])


app = typer.Typer(
    cls=Lazy,
    help="Adaptive optimizers for deep learning: explained, verified and compared fairly.",
    no_args_is_help=True,
    **SETTINGS,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"surefoot {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass
