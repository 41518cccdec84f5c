"""Showing the playground: a server on this machine only, for browsers that will not open files."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from surefoot.errors import Argument, UsageError


class _Quiet(SimpleHTTPRequestHandler):
    """Serves one file, whatever is asked for, and says nothing."""

    def __init__(self, *args: Any, page: Path, **kwargs: Any) -> None:
        self._page = page
        super().__init__(*args, directory=str(page.parent), **kwargs)

    def translate_path(self, path: str) -> str:  # noqa: ARG002  nothing else is served
        return str(self._page)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def server_of(page: Path, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of this page on 127.0.0.1; port 0 takes any that is free.

    Raises:
        UsageError: the port is not to be had.
    """
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, page=page))
    except OSError as error:
        raise UsageError(
            Argument("port"), f" {port} cannot be served on: {error.strerror}; leave it out to take a free one."
        ) from error


def serve(page: Path, port: int, tell: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C, and open it in the browser if there is one."""
    with server_of(page, port) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        tell(f"Playground at {address} (Ctrl-C ends it)")
        webbrowser.open(address)
        server.serve_forever()
