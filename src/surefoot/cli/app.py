"""The command line as Typer sees it: the subcommands and what they share.

Subcommands import what they need when they run, so that `surefoot --help` loads no framework and answers at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

import surefoot
from surefoot.cli.bench import bench
from surefoot.cli.check import check
from surefoot.cli.compare import compare
from surefoot.cli.explain import explain
from surefoot.cli.kernel import kernel
from surefoot.cli.list import list_all
from surefoot.cli.lr_find import lr_find
from surefoot.cli.report import report
from surefoot.cli.try_out import try_out

app = typer.Typer(
    help="Adaptive optimizers for deep learning: explained, verified and compared fairly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("compare")(compare)
app.command("try")(try_out)
app.command("report")(report)
app.command("list")(list_all)
app.command("explain")(explain)
app.command("lr-find")(lr_find)
app.command("kernel")(kernel)
app.command("bench")(bench)
app.command("check")(check)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"surefoot {surefoot.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass
