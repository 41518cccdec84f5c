"""Compiled kernels on disk: found again, safe beside other processes, never trusted when damaged."""

import compileall
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cached_kernels import anew, from_disk, run, text_of
from paths import SUPPORT
from surefoot.engines import kernels, pointers
from surefoot.errors import SurefootWarning

PACKAGE = Path(pointers.__file__).parents[1]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kernels, "_said", [])
    return tmp_path / "surefoot" / "kernels"


@pytest.fixture(scope="module")
def compiled_once(tmp_path_factory):
    """A cache that holds one kernel."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        anew()
    return folder


@pytest.fixture
def filled(compiled_once, cache):
    """A cache of this test's own that holds one kernel."""
    shutil.copytree(compiled_once / "surefoot", cache.parent, dirs_exist_ok=True)
    return cache


def check_works(kernel) -> None:
    """One step of gradient descent at rate 0.5."""
    w, g = np.ones(3), np.arange(3.0)
    addresses = np.array([[w.ctypes.data, g.ctypes.data]])
    strides, keys = np.ones_like(addresses), np.zeros(1, np.int64)
    run(kernel, np.array([[0, 0, 3, 0, 0]]), addresses, strides, np.array([[0.5]]), keys, 0, 1)
    assert w.tolist() == [1.0, 0.5, 0.0]


def code(cache: Path, suffix: str) -> Path:
    """The one file of compiled code with this suffix."""
    (path,) = cache.rglob(f"*{suffix}")
    return path


@pytest.mark.usefixtures("cache")
def test_found_again():
    first, second = anew(), anew()
    assert not from_disk(first)
    assert from_disk(second)
    check_works(first)
    check_works(second)


def test_the_source_lies_beside_the_code_and_can_be_read(cache):
    anew()
    (source,) = cache.glob("*.py")
    assert source.read_text() == text_of()
    assert not list(cache.rglob("*.tmp"))


CHILD = """
import cached_kernels as t
kernel = t.anew()
print(t.from_disk(kernel))
"""


def child(**environment: str) -> subprocess.Popen:
    path = os.pathsep.join([str(SUPPORT), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {**os.environ, "PYTHONPATH": path, **environment}
    command = [sys.executable, "-W", "error", "-c", CHILD]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.usefixtures("cache")
def test_two_processes_at_once_and_another_one():
    """Neither fails, and what they leave is whole: at the latest, one process later all is found."""
    for done in [child(), child()]:
        _, errors = done.communicate(timeout=600)
        assert done.returncode == 0, errors
    anew()
    assert from_disk(anew())
    output, errors = child().communicate(timeout=600)
    assert output == "True\n", errors


def truncate(content: bytes) -> bytes:
    return content[: len(content) // 2]


def empty(_: bytes) -> bytes:
    return b""


def noise(content: bytes) -> bytes:
    return np.random.default_rng(0).bytes(len(content))


def flip(content: bytes) -> bytes:
    """One byte other, in the middle: in machine code no reader can tell."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


DAMAGES = [
    *((suffix, damage) for suffix in (".nbi", ".nbc") for damage in (truncate, empty, noise, flip)),
    *((suffix, damage) for suffix in (".py", ".sha256") for damage in (truncate, noise)),
]


def check_recovers(cache: Path) -> None:
    check_works(anew())
    assert from_disk(anew())
    assert code(cache, ".py").read_text() == text_of()


def test_the_copied_cache_is_whole(filled):
    assert from_disk(anew())
    check_recovers(filled)


@pytest.mark.parametrize(("suffix", "damage"), DAMAGES)
def test_damaged_files_are_made_anew(filled, suffix: str, damage: Callable[[bytes], bytes]):
    path = code(filled, suffix)
    path.write_bytes(damage(path.read_bytes()))
    check_recovers(filled)
    assert path.read_bytes() != damage(path.read_bytes())


@pytest.mark.parametrize("suffix", [".nbi", ".nbc", ".sha256", ".py"])
def test_missing_files_are_made_anew(filled, suffix):
    code(filled, suffix).unlink()
    check_recovers(filled)


def test_damaged_code_is_never_run(filled):
    """A byte that is other in machine code is no error to any reader: only the checksum tells."""
    path = code(filled, ".nbc")
    path.write_bytes(flip(path.read_bytes()))
    assert not from_disk(anew())


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    """A file is where the folder should be: one warning, and every kernel works all the same."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(kernels, "_said", [])
    with pytest.warns(SurefootWarning, match="cannot be kept on disk.*Set XDG_CACHE_HOME"):
        check_works(anew())
    anew(text_of("momentum"))  # a second warning would be an error


@pytest.mark.usefixtures("cache")
def test_a_full_disk(monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", full)
    with pytest.warns(SurefootWarning, match="No space left"):
        check_works(anew())


@pytest.mark.usefixtures("cache")
def test_no_home(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.warns(SurefootWarning, match="home directory"):
        check_works(anew())


@pytest.mark.usefixtures("cache")
def test_other_versions_have_other_files(monkeypatch, tmp_path):
    """What a kernel imports is compiled into it, so a change there must not leave the old code in use."""
    names = {kernels._fingerprint(text_of())}
    monkeypatch.setattr(kernels.numba, "__version__", "0.0.1")
    names.add(kernels._fingerprint(text_of()))
    other = tmp_path / "pointers.py"
    other.write_text(Path(pointers.__file__).read_text() + "# changed\n")
    monkeypatch.setattr(pointers, "__file__", str(other))
    names.add(kernels._fingerprint(text_of()))
    names.add(kernels._fingerprint(text_of("adam")))
    assert len(names) == 4


@pytest.mark.usefixtures("cache")
def test_no_warning_when_all_is_well():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        anew()
        anew()


WITHOUT_SOURCES = """
import warnings, torch, surefoot.torch
p = torch.nn.Parameter(torch.ones(3))
p.grad = torch.ones(3)
optimizer = surefoot.torch.SGD([p], lr=0.5)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    optimizer.step()
print(optimizer.engine, p.tolist(), ["cannot be kept on disk" in str(each.message) for each in said])
"""


def zipped(folder: Path) -> Path:
    """The package in a zip file."""
    return Path(shutil.make_archive(str(folder / "package"), "zip", PACKAGE.parent, PACKAGE.name))


def without_sources(folder: Path) -> Path:
    """The package as machines without its source files have it."""
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    assert compileall.compile_dir(folder, legacy=True, quiet=1)
    for source in folder.rglob("*.py"):
        source.unlink()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("packed", [zipped, without_sources])
def test_a_package_without_source_files_steps(packed, tmp_path):
    """Nothing tells when a kernel on disk is out of date, so none is kept; that is worth a word, and no more."""
    env = {**os.environ, "PYTHONPATH": str(packed(tmp_path)), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", WITHOUT_SOURCES], env=env, capture_output=True, text=True, timeout=600)
    assert done.stdout == "cpu [0.5, 0.5, 0.5] [True]\n", done.stderr
