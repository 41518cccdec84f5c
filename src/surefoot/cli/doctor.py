"""`surefoot doctor`: shows what works on this machine, for a report of a problem."""

from __future__ import annotations

import typer

from surefoot.cli.options import Json
from surefoot.cli.printing import print_json
from surefoot.doctor import as_text, examine


def doctor(as_json: Json = False) -> None:
    """Print versions, devices, threads, compilers and the kernel cache, and take one step on each device.

    Example: surefoot doctor
    """
    found = examine()
    if as_json:
        print_json(found)
        return
    typer.echo(as_text(found))
