"""Whole files: each is written to a temporary neighbour, flushed to disk, then moved into place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from surefoot.errors import SurefootError, UsageError


def write_whole(path: str | Path, content: str | bytes) -> Path:
    """Write the content to the path and return the resolved path. A missing folder is made.

    Whatever stops the write (a read-only folder, a full disk), the file at `path` stays as it was and no other file is
    left. Raises UsageError when the path cannot be a file, SurefootError when the system refuses.
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    with _temporary(path) as (temporary, target):
        _write_durably(temporary, data)
        temporary.replace(target)
    return target


def check_writable(path: str | Path) -> None:
    """Raise the error of `write_whole` at this path before hours are spent on the content."""
    with _temporary(path) as (temporary, _):
        _write_durably(temporary, b"")


@contextmanager
def _temporary(path: str | Path) -> Iterator[tuple[Path, Path]]:
    """Yield a path beside the target, and the target. No temporary file stays."""
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        raise UsageError(f"cannot write {target}: it is not a regular file. Give the path of a file.")
    temporary = target.with_name(f".surefoot-{token_hex(6)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary, target
    except OSError as error:
        raise SurefootError(
            f"cannot write {target}: {error.strerror or error}. Nothing was changed; free some space, or choose a "
            "folder that you may write to."
        ) from error
    finally:
        _remove(temporary)


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # the folder vanished or is read-only: then there is no temporary file either
