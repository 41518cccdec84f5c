"""The command line with what it really prints, run when the site is built: any command, and the help of every one."""

import contextlib
import io
import os
import shlex
from unittest.mock import patch

import typer
from docutils import nodes
from docutils.parsers.rst import Directive

from pages.markdown import fenced


def printed(command: str) -> str:
    """Run `surefoot COMMAND` in this process and return its standard output.

    Raises:
        RuntimeError: it ended with another exit code than 0.
    """
    from surefoot.cli.app import app

    output = io.StringIO()
    with contextlib.redirect_stdout(output), patch.dict(os.environ, COLUMNS="80", TERM="dumb", NO_COLOR="1"):
        try:
            app(shlex.split(command), prog_name="surefoot")
        except SystemExit as end:
            if end.code:
                raise RuntimeError(f"surefoot {command} ended with {end.code}") from end
    return output.getvalue()


class Surefoot(Directive):
    """``{surefoot} kernel adam --target latex``: the command, and below it what it prints."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return the block."""
        command = self.arguments[0]
        text = f"$ surefoot {command}\n{printed(command)}"
        return [nodes.literal_block(text, text.rstrip(), language="text")]


def commands() -> list[str]:
    """Return the names of the commands, in the order of `surefoot --help`."""
    from surefoot.cli.app import app

    return list(typer.main.get_command(app).commands)


def page() -> str:
    """Return the page."""
    parts = [
        "# Command line",
        "Made from the help texts of the commands.",
        fenced(printed("--help")),
    ]
    for name in commands():
        parts += [f"## surefoot {name}", fenced(printed(f"{name} --help"))]
    return "\n\n".join(parts) + "\n"
