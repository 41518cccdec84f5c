"""The locks that `make` installs from: one for comparing, and one for all that the tests need besides."""

import re
import tomllib

import pytest

from paths import ROOT


def pinned(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {line.split("==")[0].lower().replace("_", "-"): line for line in lines if not line.startswith("#")}


def test_both_locks_pin_the_same_versions():
    compare, everything = pinned("requirements-compare.lock"), pinned("requirements.lock")
    assert {name: line for name, line in compare.items() if everything.get(name) != line} == {}


def test_comparing_needs_no_framework_but_torch_and_no_tool_of_the_tests():
    assert not {"jax", "keras", "optax", "sphinx", "playwright", "pytest", "mypy"} & set(
        pinned("requirements-compare.lock")
    )


@pytest.mark.parametrize("extra", ["torch", "compare"])
def test_the_lock_has_all_that_the_package_asks_for(extra):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"][extra]]
    names = {re.match(r"[\w-]+", one)[0].lower() for one in wanted} - {"surefoot"}
    assert names - set(pinned("requirements-compare.lock")) == set()
