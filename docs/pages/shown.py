"""A command of `surefoot` with what it really prints: run when the site is built, shown as in a terminal."""

import contextlib
import io
import os
import shlex
from unittest.mock import patch

from docutils import nodes
from docutils.parsers.rst import Directive


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
