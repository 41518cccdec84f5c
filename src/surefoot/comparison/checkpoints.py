"""Checkpoints: in the store, in a folder or under any URL that fsspec knows.

In the store a checkpoint is part of its epoch's transaction. A file of its own is written whole before that
transaction, and the one before it is removed after it: a driver that is killed in between leaves a file that is
not used and that the same epoch, done again, replaces. So the store never names a file that is not whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from surefoot.errors import Argument, StoreError, UsageError
from surefoot.store import Store
from surefoot.training.events import EpochDone


class Checkpoints:
    """The checkpoints of a store's trials.

    Args:
        store: which trials there are, and the epoch after which each goes on.
        url: a folder or a URL such as `s3://bucket/folder`; None keeps them in the store.

    Raises:
        UsageError: fsspec or what it needs for this URL is not installed.
    """

    def __init__(self, store: Store, url: str | None = None) -> None:
        self._store, self._url = store, url
        self._last: dict[str, int] = {}
        if url is None:
            return
        try:
            import fsspec

            self._files, root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise UsageError(
                f"checkpoints in {url} need {error.name or error}: pip install 'surefoot[ray]', and the package of "
                "fsspec's that knows this kind of URL."
            ) from error
        except ValueError as error:
            raise UsageError(f"checkpoints cannot be kept in {url}: {error}; give a folder or a URL.") from error
        self._root = root.rstrip("/")
        with self._as_store_error("make"):
            self._files.makedirs(root, exist_ok=True)

    def load(self, key: str) -> bytes | None:
        """Return the last checkpoint of a trial, or None; `StoreError` if it cannot be read."""
        epoch, content = self._store.checkpoint(key) or (0, None)
        if content or content is None:
            return content
        if self._url is None:
            raise StoreError(
                f"the checkpoint of {key} is not in the store: give the folder that has it as ",
                Argument("checkpoints"),
                ".",
            )
        self._last[key] = epoch
        with self._as_store_error("read"):
            found: bytes = self._files.cat_file(self._path(key, epoch))
        return found

    def save(self, done: EpochDone) -> None:
        """Save an epoch and its checkpoint, then drop the checkpoint before it."""
        key, epoch = done.key, done.epoch.epoch
        if done.checkpoint is None:
            self._store.save_epoch(key, done.epoch, done.rates, None)
            return
        if self._url is not None:
            with self._as_store_error("write"):
                self._files.pipe_file(self._path(key, epoch), done.checkpoint)
        self._store.save_epoch(key, done.epoch, done.rates, done.checkpoint if self._url is None else b"")
        self.drop(key)
        self._last[key] = epoch

    def drop(self, key: str) -> None:
        """Remove the file of a trial that has ended, or has a newer one."""
        last = self._last.pop(key, None)
        if last is not None and self._url is not None:
            with suppress(OSError):
                self._files.rm_file(self._path(key, last))

    def _path(self, key: str, epoch: int) -> str:
        return f"{self._root}/{key}-{epoch}.pt"

    @contextmanager
    def _as_store_error(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"cannot {doing} the checkpoints in {self._url}: {error}; see ", Argument("checkpoints"), "."
            ) from error
