"""Compiled kernels: from text to a function, kept on disk for the next process.

The text is the key: its file is named by the hash of the text and of the versions of what compiles it, and Numba itself
keeps the machine code beside it, for each kind of processor; a checksum tells if that is damaged. Whatever fails around
the cache (no space, a read-only home, a package in a zip file, which has no source files) costs a compilation and
never a step: the kernel is compiled in memory, once in each process, and a warning says so once.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numba

from surefoot.compiler import arctan
from surefoot.engines import float8, pointers
from surefoot.engines.uninterrupted import uninterrupted
from surefoot.errors import SurefootWarning
from surefoot.files import write_whole

_CALLED = (pointers, float8, arctan)
"""The modules that go into machine code beside a kernel's text."""

SIGNATURE = "void(int64[:,::1], int64[:,::1], int64[:,::1], float64[:,::1], int64[::1], int64, int64)"

# LLVM vectorizes a loop over many arrays only if it may check that they do not overlap: at most 8 pairs, unless told.
llvm.set_option("surefoot", "-runtime-memory-check-threshold=128")


def cache_folder() -> Path:
    """Return the folder of this user's compiled kernels; it may not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "surefoot" / "kernels"


@functools.lru_cache(maxsize=1024)
def compiled(text: str, signature: str = SIGNATURE) -> Any:
    """Return the compiled function `step` of a module's text, by default with a kernel's signature."""
    kernel, reason = uninterrupted(lambda: _compiled(text, signature))
    if reason:
        _say_once(reason)
    return kernel


def _compiled(text: str, signature: str) -> tuple[Any, str]:
    """Return the function, and why it cannot be kept on disk, if so."""
    try:
        return _from_disk(text, signature, "kernel_" + _fingerprint(text)), ""
    except Exception as error:  # if it is the text that cannot be compiled, the next lines say so
        name = "kernel_" + hashlib.sha256(text.encode()).hexdigest()[:24]
        kernel = _dispatcher(text, name, f"<{name}>", cache=False)
        kernel.compile(signature)
        return kernel, str(error) or type(error).__name__


def address(kernel: Any) -> int:
    """Return the address of a compiled function, for a call from native code."""
    (made,) = uninterrupted(lambda: [*kernel.overloads.values()])  # a Ctrl-C in it would come out as a KeyError
    place: int = made.library.get_pointer_to_function(made.fndesc.llvm_cfunc_wrapper_name)
    return place


def _fingerprint(text: str) -> str:
    """Return a hash of everything that decides the machine code except the processor, which Numba checks."""
    versions = sys.implementation.cache_tag, numba.__version__, llvmlite.__version__
    files = [*(str(module.__file__) for module in _CALLED), __file__]
    sources = [Path(file).read_text(encoding="utf-8") for file in files]
    return hashlib.sha256(repr((text, sources, versions)).encode()).hexdigest()[:24]


def _from_disk(text: str, signature: str, name: str) -> Any:
    path = cache_folder() / f"{name}.py"
    _keep(path, text.encode())
    kernel = _dispatcher(text, name, str(path), cache=True)
    seal = Path(kernel.stats.cache_path) / f"{name}.sha256"
    if not seal.exists() or seal.read_bytes() != _digest(seal):
        for damaged in _code(seal):
            damaged.unlink(missing_ok=True)
    kernel.compile(signature)
    _keep(seal, _digest(seal))
    return kernel


def _dispatcher(text: str, name: str, file: str, *, cache: bool) -> Any:
    module = types.ModuleType(name)
    sys.modules[name] = module  # Numba imports it by name when it loads the machine code
    exec(compile(text, file, "exec"), module.__dict__)
    # error_model: a division by zero is inf or NaN, as in NumPy. No fastmath: nothing is reordered or
    # contracted. Contraction would buy 0 to 3 % in cache (200,000 weights), and in memory nothing above the noise.
    # Native code calls a kernel (`address`): without Python's own way in, compiling takes a quarter less time.
    return numba.njit(nogil=True, error_model="numpy", cache=cache, no_cpython_wrapper=True)(module.step)


def _code(seal: Path) -> list[Path]:
    """Return the files in which Numba keeps the machine code that a seal is for."""
    return sorted(seal.parent.glob(f"{seal.stem}.step-*.nb[ic]"))


def _digest(seal: Path) -> bytes:
    """Return the checksum of the machine code. Numba runs damaged code without a check."""
    digest = hashlib.sha256()
    for path in _code(seal):
        with contextlib.suppress(FileNotFoundError):  # another process has just taken it for damaged
            digest.update(path.read_bytes())
    return digest.hexdigest().encode()


def _keep(path: Path, content: bytes) -> None:
    """Write a file unless it has this content. A newer source would make Numba compile again."""
    if not path.exists() or path.read_bytes() != content:
        write_whole(path, content)


_said: list[str] = []


def _say_once(reason: str) -> None:
    """Warn of the first kernel that cannot be kept. Later ones are no news."""
    if _said:
        return
    _said.append(reason)
    warnings.warn(
        f"compiled kernels cannot be kept on disk ({reason}); they are compiled anew in each process, which takes "
        "about a second. Set XDG_CACHE_HOME to a folder that can be written.",
        SurefootWarning,
        stacklevel=4,
    )
