"""Kernels that are not on disk yet are compiled in a process of their own, and loaded from there.

LLVM and Numba keep some two megabytes of each kernel that they compile for as long as the process lives, and a quarter
of one of a kernel that they load; the tests have about a thousand. The maker compiles the first of those that call the
same functions of ours, so that it has these, and forks for each of the others: what that leaves behind ends with the
fork. What cannot be compiled, or forked, is left to the process that asks.
"""

from __future__ import annotations

import ast
import gc
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any
from unittest import mock

_LOCK = Lock()
_MAKER: list[subprocess.Popen[bytes]] = []


@contextmanager
def made_elsewhere(home: Path) -> Iterator[None]:
    """Have the kernels of a cache compiled in the maker's process, which lives until `close`."""
    from surefoot.engines import kernels

    here, owner = kernels._compiled, os.getpid()

    def compiled(text: str, signature: str) -> Any:
        if os.environ.get("XDG_CACHE_HOME") == str(home) and os.getpid() == owner:
            make(text, signature)
        return here(text, signature)

    with mock.patch.object(kernels, "_compiled", compiled if hasattr(os, "fork") else here):
        yield


def make(text: str, signature: str) -> None:
    """Have a kernel on disk, where that can be."""
    from surefoot.engines import kernels

    if (kernels.cache_folder() / f"kernel_{kernels._fingerprint(text)}.py").exists():
        return
    with _LOCK:
        if not _MAKER:
            command = [sys.executable, str(Path(__file__))]
            _MAKER.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        stdin, stdout = _MAKER[0].stdin, _MAKER[0].stdout
        assert stdin is not None
        assert stdout is not None
        pickle.dump((text, signature), stdin)
        stdin.flush()
        stdout.read(1)


def close() -> None:
    """End the maker: its input has ended."""
    while _MAKER:
        maker = _MAKER.pop()
        maker.communicate()


def be_the_maker() -> None:
    """Compile what comes in, here if it calls what nothing before did, else in a fork, and say so."""
    from surefoot.engines import kernels

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    known: set[str] = set()
    while True:
        try:
            text, signature = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        imports = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom)]
        called = {name.name for node in imports for name in node.names}
        if not called <= known:
            known |= called
            with suppress(Exception):
                kernels._compiled(text, signature)
        elif child := os.fork():
            os.waitpid(child, 0)
        else:
            gc.disable()  # a fork ends before it has much to collect
            try:
                kernels._compiled(text, signature)
            finally:
                os._exit(0)
        sys.stdout.buffer.write(b".")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    be_the_maker()
