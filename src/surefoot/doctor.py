"""The facts for a report of a problem: versions, devices, compilers, threads, kernel cache, test steps.

Nothing is taken for granted: a package that is broken is a finding here, and no error. So every import is tried, and
`python -m surefoot.doctor` needs nothing but Python, where the command line is not installed.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import surefoot
from surefoot.machine import memory, processor, usable_cores

BESIDE = ("llvmlite", "triton", "jaxlib", "tensorflow")
"""Packages that Surefoot does not ask for by name, and that decide what runs."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_WAIT_POLICY")
SETTINGS = ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", "KERAS_BACKEND", "TRITON_INTERPRET", "XDG_CACHE_HOME")
"""Variables of the environment that change what runs."""

ENGINES = {
    "cpu": "a kernel that Numba compiled",
    "gpu": "a kernel that Triton compiled",
    "eager": "the rule itself, without a kernel",
}
"""What computed a step, by the engine."""

Facts = dict[str, Any]


def examine() -> dict[str, Facts]:
    """Find out what runs here, and whether it works.

    Returns:
        Sections by name, each with its facts by name. What fails is a text that begins with "failed".
    """
    sections: dict[str, Callable[[], Facts]] = {
        "Surefoot": _surefoot,
        "Machine": _machine,
        "Packages": _packages,
        "Devices": _devices,
        "Threads": _threads,
        "Compilers": _compilers,
        "One step": _steps,
        "Kernel cache": _kernel_cache,  # with the kernel of that step
    }
    return {name: section() for name, section in sections.items()}


def as_text(found: dict[str, Facts]) -> str:
    """Write what was found as lines, to be pasted into a report."""
    lines = []
    for section, facts in found.items():
        lines.append(f"{section}:")
        lines += [f"  {name:<18} {value}" for name, value in facts.items()]
    return "\n".join(lines)


def _tried(look: Callable[[], Any]) -> Any:
    """Return what `look` finds, or the reason why it cannot."""
    try:
        return look()
    except ModuleNotFoundError as error:
        return f"{(error.name or 'a package').partition('.')[0]} is not installed"
    except Exception as error:  # a broken package may raise anything
        return " ".join(f"failed: {type(error).__name__}: {error}".split())[:300]


def _surefoot() -> Facts:
    return {"version": surefoot.__version__, "from": _without_home(Path(surefoot.__file__).parent)}


def _without_home(path: Path) -> str:
    """Write a path without the user's name."""
    return str(path).replace(str(Path.home()), "~", 1)


def _machine() -> Facts:
    return {
        "system": platform.platform(),
        "processor": processor(),
        "cores": f"{usable_cores()} of {os.cpu_count()}",
        "memory": memory(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _packages() -> Facts:
    """Return the version of every package that Surefoot or one of its extras asks for."""
    asked = (re.match(r"[\w.-]+", text) for text in _requirements())
    names = {found[0]: None for found in asked if found and found[0] != "surefoot"}
    return {name: _version(name) for name in sorted({**names, **dict.fromkeys(BESIDE)}, key=str.lower)}


def _requirements() -> list[str]:
    try:
        return requires("surefoot") or []
    except PackageNotFoundError:  # run from its source
        return ["numba", "numpy"]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _devices() -> Facts:
    return {
        "torch": _tried(lambda: _torch_devices(import_module("torch"))),
        "jax": _tried(lambda: ", ".join(map(str, import_module("jax").devices()))),
        "keras": _keras(),
        **_set(SETTINGS),
    }


def _keras() -> str:
    found: str = _tried(lambda: f"backend {import_module('keras').backend.backend()}")
    missing = found == "tensorflow is not installed"  # the backend that Keras takes unless it is told
    return f"backend {found}; KERAS_BACKEND=torch or jax sets another" if missing else found


def _torch_devices(torch: Any) -> str:
    cuda = torch.cuda
    names = [f"{cuda.get_device_name(i)} (CUDA {torch.version.cuda})" for i in range(cuda.device_count())]
    return ", ".join(["cpu", *(["mps"] if torch.backends.mps.is_available() else []), *names])


def _threads() -> Facts:
    return {
        "torch": _tried(lambda: import_module("torch").get_num_threads()),
        "numba": _tried(lambda: import_module("numba").config.NUMBA_NUM_THREADS),
        **_set(THREADS),
    }


def _set(names: tuple[str, ...]) -> Facts:
    return {name: os.environ[name] for name in names if name in os.environ}


def _compilers() -> Facts:
    found = next((name for name in (os.environ.get("CC"), "cc", "gcc", "clang") if name and shutil.which(name)), None)
    return {
        "LLVM": _tried(lambda: ".".join(map(str, import_module("llvmlite.binding").llvm_version_info))),
        "LLVM's target": _tried(lambda: import_module("llvmlite.binding").get_host_cpu_name()),
        "C compiler": found or "none found (Triton needs one)",
        "Triton": _tried(_triton),
    }


def _triton() -> str:
    if not _gpu():
        return "not tried: torch sees no GPU"
    return import_module("surefoot.engines.triton_setup").unusable("cuda") or "works"


def _kernel_cache() -> Facts:
    found = _tried(lambda: _cache(import_module("surefoot.engines.kernels").cache_folder()))
    return found if isinstance(found, dict) else {"folder": found}


def _cache(folder: Path) -> Facts:
    files = [path for path in folder.rglob("*") if path.is_file()]
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return {
        "folder": _without_home(folder),
        "writable": "yes" if os.access(there, os.W_OK) else f"no: {_without_home(there)} is read-only",
        "kernels": sum(path.suffix == ".sha256" for path in files),
        "size": f"{sum(path.stat().st_size for path in files) / 2**20:.1f} MiB",
    }


def _steps() -> Facts:
    """Take one step of Adam on each of torch's devices. A result unlike the formula's is a failure."""
    return {device: _tried(partial(_step, device)) for device in ("cpu", *(["cuda"] if _gpu() else []))}


def _gpu() -> bool:
    return _tried(lambda: import_module("torch").cuda.is_available()) is True


def _step(device: str) -> str:
    torch = import_module("torch")
    weights = torch.nn.Parameter(torch.ones(1000, device=device))
    optimizer = import_module("surefoot.torch").Adam([weights], lr=0.25, eps=0.0)
    weights.grad = torch.full_like(weights, 2.0)
    optimizer.step()
    ran = f"{ENGINES[optimizer.engine]} (engine {optimizer.engine})"
    right = bool((weights - 0.75).abs().max() < 1e-6)
    return f"right, by {ran}" if right else f"failed: {ran} gives {weights[0].item()}, not 0.75"


if __name__ == "__main__":
    sys.stdout.write(as_text(examine()) + "\n")
