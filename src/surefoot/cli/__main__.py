"""Where the command `surefoot` starts and ends: every error of Surefoot's becomes one message and exit code 2."""

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line; the exit code is 2 for an error of the user's or the machine's, 130 for Ctrl-C."""
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _run() -> None:
    from surefoot.cli.app import app
    from surefoot.errors import SurefootError

    try:
        app(prog_name="surefoot")
    except SurefootError as error:
        print(f"surefoot: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
