"""Errors for a front-end's missing package, with the line that installs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needed(front_end: str, *packages: str) -> Iterator[None]:
    """Explain imports that fail, of packages that a front-end needs.

    Keras 3 imports its backend when it is itself imported, and says only that a module called tensorflow is missing: on
    a machine with torch or jax that is a question of one environment variable.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("surefoot"):
            raise
        said = f"surefoot.{front_end} needs {' and '.join(packages)}, and {missing.name} is not installed: "
        said += f"pip install 'surefoot[{front_end}]'"
        if front_end == "keras" and missing.name != "keras":
            said = (
                f"Keras's backend needs {missing.name}, which is not installed: install it, or choose a backend that "
                "is there before Keras is imported, as with the environment variable KERAS_BACKEND=jax or "
                "KERAS_BACKEND=torch"
            )
        raise ModuleNotFoundError(said, name=missing.name) from missing
