"""Names of the user's own code: `my.py:task` in a file, `torch.optim.NAdam` or `module:calm` in a library."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
from contextlib import suppress
from enum import Enum
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from surefoot.errors import UsageError, unknown


def in_file(text: str) -> Any:
    """Return the object that `FILE.py:NAME` names. The file is run, with its folder on the path.

    Worker processes get its functions whole, so they need not find the file.

    Raises:
        UsageError: no such file or name, a file with the name of another module, or one that raises an error.
    """
    path, _, name = text.rpartition(":")
    if text.endswith(".py"):
        raise UsageError(f"{text!r} names a file and no task in it; {_how(Path(text))}.")
    if not path.endswith(".py") or not name:
        raise UsageError(f"{text!r} names no object in a file; write it as my.py:task.")
    module = _module(Path(path))
    if not hasattr(module, name):
        raise unknown(f"name in {path}", name, [public for public in vars(module) if not public.startswith("_")])
    return getattr(module, name)


def imported(dotted: str) -> Any:
    """Return the object of a full name such as `torch.optim.NAdam`; `UsageError` if there is none."""
    parent, _, name = dotted.rpartition(".")
    try:
        return getattr(importlib.import_module(parent), name)
    except ImportError as error:
        raise UsageError(f"{dotted!r} cannot be imported: {error}; is the library installed?") from error
    except AttributeError:
        raise unknown(f"name in {parent}", name, dir(importlib.import_module(parent))) from None


def referred(reference: str) -> Any:
    """Return what stands under `my.py:calm` or `module:calm`."""
    path, _, name = reference.rpartition(":")
    return in_file(reference) if path.endswith(".py") else imported(f"{path}.{name}")


def reference_of(value: Any) -> str:
    """Return `module:name` of a class, a function or a constant; empty if no module has it under a name."""
    module: str
    if isinstance(value, Enum):
        module, name = type(value).__module__, f"{type(value).__qualname__}.{value.name}"
    elif hasattr(value, "__qualname__"):
        module, name = getattr(value, "__module__", None) or "", value.__qualname__
    else:
        module, _, name = repr(value).rpartition(".")  # as torch writes its types, torch.float32
    with suppress(AttributeError):
        if module != "__main__" and attrgetter(name)(sys.modules.get(module)) is value:
            return f"{module}:{name}"
    return ""


def import_of(reference: str) -> tuple[str, str, str]:
    """Return the module of an object, the name that it is imported by, and the way from there: `.CALM` of a `Kind`."""
    module, _, path = reference.partition(":")
    name, dot, rest = path.partition(".")
    return module, name, f"{dot}{rest}"


def without_references(text: str) -> tuple[str, dict[str, str]]:
    """Return a text with each `my.py:calm` replaced by a plain name, and the meaning of each."""
    references: dict[str, str] = {}

    def named(found: re.Match[str]) -> str:
        name = f"reference{len(references)}"
        references[name] = found["reference"].strip()
        return f"{found['before']}{name}"

    return _REFERENCE.sub(named, text), references


_REFERENCE = re.compile(r"(?P<before>(?:^|,)\s*)(?P<reference>[^,()=\[\]{}'\"]+:[A-Za-z_]\w*)\s*(?=[,(]|$)")
"""A file or a module, and a name in it, where a call may begin."""


def _how(path: Path) -> str:
    """Return how to write a task in a file, with the file's own tasks. The file is read, not run."""
    if not path.is_file():
        return "there is no such file either; write it as my.py:task"
    with suppress(SyntaxError, ValueError):
        lines = [line for line in ast.parse(path.read_bytes()).body if isinstance(line, ast.Assign)]
        calls = [(line.targets[0], line.value.func) for line in lines if isinstance(line.value, ast.Call)]
        made = [ast.unparse(name) for name, called in calls if ast.unparse(called).rpartition(".")[2] == "task"]
        return f"write it as {' or '.join(f'{path}:{name}' for name in made or ['NAME'])}"
    return f"write it as {path}:NAME"


def _module(path: Path) -> ModuleType:
    import cloudpickle

    if not path.is_file():
        raise UsageError(f"there is no file {path}; give the path of a Python file, as in my.py:task.")
    found = sys.modules.get(path.stem)
    if found is not None and Path(getattr(found, "__file__", None) or "").resolve() == path.resolve():
        return found
    if path.stem in sys.stdlib_module_names or (
        found is not None and path.stem not in cloudpickle.list_registry_pickle_by_value()
    ):
        raise UsageError(
            f"{path} has the name of another module, {path.stem}, which other code would then get instead of it; "
            "rename the file."
        )
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[path.stem]
        raise UsageError(f"{path} raises {type(error).__name__}: {error}; see that `python {path}` runs.") from error
    cloudpickle.register_pickle_by_value(module)
    return module
