"""Tests that run on each of Keras's backends: one process has one backend, so each backend has a process here.

`@on_each_backend` makes three tests of a function, whose body runs in the backend's process; what it raises is raised
here. TensorFlow's carry the marker `frameworks`, which `make test` deselects and `make test-frameworks` selects.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import multiprocessing
import os
import sys
import threading
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from give_back import give_back, has_grown

BACKENDS = ("jax", "torch", "tensorflow")


def on_each_backend(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test, which knows Keras as it is on one backend, on all of them."""
    return on(*BACKENDS)(test)


def on(*backends: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test on some of the backends."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        return pytest.mark.parametrize("backend", [_marked(name) for name in backends])(_there(test))

    return decorate


def on_each_backend_with(
    argument: str, values: Iterable[Any], *, on_jax: Collection[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test with each value on each backend, but on JAX with a few: it compiles each model for a second.

    For what an optimizer does around the rule, which is written once for all backends and for all rules.
    """
    pairs = [(name, value) for value in values for name in BACKENDS if name != "jax" or value in on_jax]

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        cases = [_marked(name, value) for name, value in pairs]
        return pytest.mark.parametrize(("backend", argument), cases, ids=str)(_there(test))

    return decorate


def _there(test: Callable[..., None]) -> Callable[..., None]:
    """Make a test that runs in the process of its argument `backend`."""

    @functools.wraps(test)
    def run(backend: str, **arguments: Any) -> None:
        process(backend).submit(_call, test.__module__, test.__name__, arguments).result()

    backend = inspect.Parameter("backend", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run.__signature__ = inspect.Signature([backend, *inspect.signature(test).parameters.values()])
    return run


def _marked(backend: str, *values: Any) -> Any:
    return pytest.param(backend, *values, marks=[pytest.mark.frameworks] if backend == "tensorflow" else [])


_SLOW_CODE = "jax_disable_most_optimizations"
_PROCESSES: dict[str, ProcessPoolExecutor] = {}


def process(backend: str) -> ProcessPoolExecutor:
    """Return the process of a backend, which lives until `close`."""
    if backend not in _PROCESSES:
        context = multiprocessing.get_context("spawn")
        _PROCESSES[backend] = ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(backend,))
    return _PROCESSES[backend]


def close() -> None:
    """End every backend's process."""
    while _PROCESSES:
        _PROCESSES.popitem()[1].shutdown()


@functools.cache
def used_in(file: Path) -> bool:
    """Tell whether a test file needs the backends' processes."""
    return "keras_backends" in file.read_text(encoding="utf-8")


def _begin(backend: str) -> None:
    """Be a user's process: this backend, float32, and no warning left unread."""
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    os.environ.update(KERAS_BACKEND=backend, JAX_ENABLE_X64="0", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
    import keras  # noqa: F401  its imports, and those of the backend, warn of things that are not ours

    if backend == "jax":
        import jax

        jax.config.update(_SLOW_CODE, True)
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache")
    warnings.filterwarnings("ignore", message="__array__ implementation doesn.t accept", category=DeprecationWarning)


def _end_with_the_run() -> None:
    """End when the process of the tests does, also if that is killed, as pytest-xdist's are at Ctrl-C."""
    run = multiprocessing.parent_process()
    assert run is not None
    run.join()
    os._exit(1)


@contextmanager
def optimized() -> Iterator[None]:
    """Have JAX compile as it does for its users; for most tests it makes slower code in half the time."""
    jax = sys.modules.get("jax")
    if jax is None:
        yield
        return
    jax.config.update(_SLOW_CODE, False)
    try:
        yield
    finally:
        jax.config.update(_SLOW_CODE, True)


def _call(module: str, name: str, arguments: dict[str, Any]) -> None:
    import keras

    if has_grown():
        give_back()
    test = getattr(importlib.import_module(module), name).__wrapped__
    policy = keras.config.dtype_policy()
    keras.utils.set_random_seed(0)
    try:
        test(**arguments)
    except pytest.fail.Exception as failed:  # which knows no way back to the other process
        raise AssertionError(str(failed)) from None
    finally:
        keras.config.set_dtype_policy(policy)
        keras.utils.clear_session(free_memory=False)
