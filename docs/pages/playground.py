"""The playground beside the pages: the very file that `surefoot explain --web` writes."""

from pathlib import Path


def write(path: Path) -> None:
    """Write it."""
    from surefoot.explain.page import write_page

    write_page(path)
