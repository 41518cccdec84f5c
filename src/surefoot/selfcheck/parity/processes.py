"""All front-ends that are installed, two at a time, each in a process of its own.

A process has one backend of Keras, and jax one set of options.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from typing import Any

from surefoot.errors import UsageError, unknown
from surefoot.frontends.contract import FrontEnd
from surefoot.selfcheck.parity.findings import PACKAGES, findings
from surefoot.selfcheck.parity.grid import distances
from surefoot.selfcheck.parity.result import Distance, Flaw, ParityResult

FRONT_ENDS: dict[str, tuple[str, ...]] = {
    "torch": ("torch",),
    "optax": ("jax", "optax"),
    "keras-jax": ("keras", "jax"),
    "keras-torch": ("keras", "torch"),
    "keras-tensorflow": ("keras", "tensorflow"),
}
"""The packages that each front-end needs."""

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "0"}


def run(front_ends: Sequence[str] = tuple(FRONT_ENDS), observe: Callable[[str], object] = str) -> ParityResult:
    """Measure front-ends on the CPU. Those whose frameworks are not installed are named in `missing`.

    Args:
        front_ends: names of `FRONT_ENDS`.
        observe: function that takes a line for each one that is measured.

    Raises:
        UsageError: an unknown front-end.
    """
    for name in front_ends:
        if name not in FRONT_ENDS:
            raise unknown("front-end", name, FRONT_ENDS)
    missing = {name: words for name in front_ends if (words := _lacking(FRONT_ENDS[name]))}
    there = [name for name in front_ends if name not in missing]

    def observed(name: str) -> dict[str, Any]:
        measured = _measure(name)
        observe(f"{name}: {len(measured['rows'])} figures")
        return measured

    with ThreadPoolExecutor(2) as pool:
        measured = list(pool.map(observed, there))
    beside = {package: how for name in there for package, how in PACKAGES.get(name, {}).items()}
    missing |= {package: f"not installed ({how})" for package, how in beside.items() if find_spec(package) is None}
    packages = {"numpy", *beside.keys() - missing.keys(), *(package for name in there for package in FRONT_ENDS[name])}
    return ParityResult(
        tuple(Distance(**row) for one in measured for row in one["rows"]),
        tuple(Flaw(**finding) for one in measured for finding in one["findings"]),
        {package: _version(package) for package in sorted(packages)},
        missing,
    )


def driver(name: str) -> FrontEnd:
    """Return the front-end of a name. Its framework is loaded here."""
    framework = name.partition("-")[0]
    made: FrontEnd = getattr(import_module(f"surefoot.selfcheck.parity.drive_{framework}"), framework.capitalize())()
    return made


def measure(name: str) -> None:
    """Measure a front-end in this process. The last line that is printed is one JSON object."""
    front_end = driver(name)
    content = {"rows": [*distances(front_end)], "findings": [*findings(front_end)]}
    print(json.dumps(content, default=asdict), flush=True)


def _version(package: str) -> str:
    """Return the version of what is installed; TensorFlow's has many names, and a file on the path has none."""
    names = packages_distributions().get(package)
    return version(names[0]) if names else "from its source"


def _lacking(packages: Sequence[str]) -> str:
    """Return which packages are to be installed; empty if all are there."""
    lacking = [package for package in packages if find_spec(package) is None]
    return f"not installed: {', '.join(lacking)} (pip install {' '.join(lacking)})" if lacking else ""


def _measure(name: str) -> dict[str, Any]:
    backend = {"KERAS_BACKEND": name.partition("-")[2]} if "-" in name else {}
    command = [sys.executable, "-c", f"import {__name__} as own; own.measure({name!r})"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **_QUIET, **backend}, check=False)
    if done.returncode:
        raise UsageError(f"{name} could not be measured; its process said:\n{done.stderr[-2000:]}")
    content: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return content
