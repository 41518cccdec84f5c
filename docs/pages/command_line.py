"""The reference of the command line: what `surefoot COMMAND --help` prints, for every command there is."""

import typer

from pages.markdown import fenced
from pages.shown import printed


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
