"""Sdist and wheel: they build without the repository, and each extra brings what its part needs, and no less."""

import os
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError

import pytest

from installs import TRIES, brought, built, install, link, run
from paths import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    return built(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def installed(archives, tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    install(archives[1], folder)
    return folder


def test_the_wheel_has_every_file_of_the_package_and_the_mark_of_types(archives):
    files = [path for path in (ROOT / "src").rglob("*") if path.is_file() and path.parent.name != "__pycache__"]
    wanted = {path.relative_to(ROOT / "src").as_posix() for path in files}
    names = {name for name in zipfile.ZipFile(archives[1]).namelist() if ".dist-info/" not in name}
    assert "surefoot/py.typed" in names
    assert wanted - names == set()


def test_the_sdist_has_the_tests_and_what_they_need(archives):
    with tarfile.open(archives[0]) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    wanted = {"README.md", "CHANGELOG.md", "CITATION.cff", "SECURITY.md", "Makefile", "requirements.lock"}
    assert wanted | {"tests/conftest.py", "docs/conf.py", "benchmarks/pictures.py", "examples/compare.ipynb"} <= names
    assert [name for name in names if name.startswith((".git/", "docs/_site", "docs/generated"))] == []


@pytest.mark.parametrize("extra", [pytest.param(one, id=one or "plain") for one in TRIES])
def test_an_extra_brings_all_that_its_part_needs(extra, installed, tmp_path):
    try:
        packages = brought(installed, extra)
    except PackageNotFoundError as missing:
        if extra == "ray":
            pytest.skip(f"{missing} is not installed here; `make packages` tries it too")
        raise
    place = tmp_path / "site"
    place.mkdir()
    link(packages, place)
    kernels = {"XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"]}  # the suite's, where compiled ones are kept
    done = run([sys.executable, "-S"], TRIES[extra], tmp_path, PYTHONPATH=f"{installed}:{place}", **kernels)
    assert done.returncode == 0, done.stderr


def test_every_extra_is_tried():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(project["optional-dependencies"]) == set(TRIES) - {""}
