"""The entry point of `surefoot`. An error becomes one message and exit code 2; Ctrl-C becomes 130.

After Ctrl-C nothing is left to tidy up, because workers end with their driver. So the process ends without Python's
shutdown, which a second Ctrl-C would interrupt with a traceback. Under `python -m`, the shutdown turns 130 into a
death by signal when Ctrl-C came while Python ran code from text, as every dataclass does when it is made.
"""

import contextlib
import os
import sys
from pathlib import Path
from typing import NoReturn

from surefoot.cli import INTERRUPTED
from surefoot.cli.flags import message
from surefoot.errors import SurefootError


def main() -> None:
    """Run the command line. The exit code is 2 for an error and 130 for Ctrl-C."""
    try:
        _run()
    except KeyboardInterrupt:
        _end_at_once()
    except SystemExit as end:  # Typer has turned Ctrl-C into one
        if end.code == INTERRUPTED:
            _end_at_once()
        raise


def _run() -> None:
    sys.path.append(str(Path.cwd()))  # as with `python -m`, so that module:name is found here too
    try:
        from surefoot.cli.app import app  # needs a package that may be missing

        app(prog_name="surefoot")
    except ModuleNotFoundError as error:  # the optimizers alone need fewer packages than the command line
        print(f"surefoot: {error.name} is not installed; run: pip install 'surefoot[compare]'", file=sys.stderr)
        sys.exit(2)
    except (SurefootError, OSError) as error:  # the system's own refusals, such as a full disk behind standard output
        print(f"surefoot: {message(error)}", file=sys.stderr)
        sys.exit(2)


def _end_at_once() -> NoReturn:
    with contextlib.suppress(OSError, AttributeError):  # closed, full, or None
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
