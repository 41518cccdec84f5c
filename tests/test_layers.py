"""The house: arrows point one way, the front door is light, and files stay small."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from paths import ROOT, TESTS

SOURCE = ROOT / "src" / "surefoot"

LAYERS = [
    "errors",
    "files",
    "machine",
    "webpage",
    "values",
    "arrays",
    "mathops",
    "bundle",
    "about",
    "hyperparameters",
    "rule",
    "update",
    "combinator",
    "rules",
    "conventions",
    "frontends",
    "compiler",
    "engines",
    "torch",
    "optax",
    "keras",
    "bridge",
    "store",
    "datasets",
    "tasks",
    "statistics",
    "search",
    "arms",
    "design",
    "training",
    "workers",
    "options",
    "analysis",
    "words",
    "report",
    "result",
    "comparison",
    "progress",
    "study",
    "compare_call",
    "suite",
    "scores",
    "explain",
    "range_test",
    "rate_free_price",
    "selfcheck",
    "bench",
    "doctor",
    "cli",
]
"""From the ground up: a file imports from its own layer and from those before it, also by a module's name as text."""

EXCEPTIONS = {
    ("compiler", "engines"): "the text of a kernel imports it; the compiler does not",
    ("rule", "explain"): "a notebook asks a rule for its page, which is made only then",
}

MODULE = re.compile(r"surefoot(\.[a-z0-9_]+)+")
"""A module of ours in a string, as `import_module` takes it."""

FRAMEWORKS = {"torch", "jax", "keras", "optax", "tensorflow"}


def layer(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@cache
def imports(path: Path) -> set[str]:
    """Every module that the file imports, wherever the statement stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
        elif isinstance(node, ast.Constant) and MODULE.fullmatch(str(node.value)):
            found.add(node.value)
    return found


FILES = sorted(path for path in SOURCE.rglob("*.py") if path.parent != SOURCE or path.name != "__init__.py")


@cache
def ours() -> list[tuple[Path, str]]:
    """Each file with each module of ours that it imports."""
    return [(path, module) for path in FILES for module in sorted(imports(path)) if module.startswith("surefoot.")]


def test_imports_point_down():
    for path, module in ours():
        own, other = layer(path), module.split(".")[1]
        allowed = (own, other) in EXCEPTIONS or LAYERS.index(other) <= LAYERS.index(own)
        assert allowed, f"{path} imports {module}, which stands above it"


def test_frameworks_are_imported_only_where_they_belong():
    for path in FILES:
        used = {module.split(".")[0] for module in imports(path)} & FRAMEWORKS
        allowed = (
            {"torch"}
            if layer(path) in ("engines", "torch", "tasks", "training", "workers", "range_test", "bench")
            else set()
        )
        if layer(path) == "optax":
            allowed = {"jax", "optax"}
        if layer(path) == "keras":
            allowed = {"keras"}
        if layer(path) in ("bridge", "selfcheck"):
            allowed = {"torch", "jax", "optax", "keras"}
        assert used <= allowed, path


def test_every_folder_of_the_house_is_a_layer():
    assert {layer(path) for path in FILES} == set(LAYERS)


ROOMS = sorted(room for room in {path.parent for path in FILES} if len(list(room.glob("*.py"))) > 6)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(SOURCE)))
def test_a_room_of_more_than_five_files_has_a_map(room):
    listed = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
    missing = [path.name for path in room.glob("[a-z]*.py") if f"`{path.name}`" not in listed]
    gone = [name for name in re.findall(r"`([a-z0-9_]+\.py)`", listed) if not (room / name).exists()]
    assert (missing, gone) == ([], [])


def test_a_file_holds_one_concept():
    assert [path for path in FILES if len(path.read_text(encoding="utf-8").splitlines()) > 400] == []


def test_every_module_of_ours_that_is_imported_exists():
    """Also one that is imported only when a command runs; a text that ends with _ is the beginning of a name."""
    for path, module in ours():
        place = SOURCE.parent / module.replace(".", "/")
        assert module.endswith("_") or place.with_suffix(".py").exists() or place.exists(), f"{path}: {module}"


A_TEST = re.compile(r"^\s*(?:from|import) (?:test_\w+|conftest)\b", re.MULTILINE)


def test_no_test_imports_a_test():
    """Also not in the text of a script that a test runs; what two tests need stands in tests/support."""
    found = {path.name: A_TEST.findall(path.read_text(encoding="utf-8")) for path in TESTS.rglob("*.py")}
    assert {name: imports for name, imports in found.items() if imports} == {}


@pytest.mark.parametrize(
    "command",
    [
        "import surefoot",
        "import surefoot.bridge, surefoot.frontends.lookup",
        "import sys; sys.argv = ['surefoot', '--help']; main()",
    ],
)
def test_the_front_door_loads_no_framework(command):
    heavy = FRAMEWORKS | {"numpy", "scipy", "altair", "vl_convert", "rich.progress"}
    if "bridge" in command:  # whose neutral form is NumPy's arrays
        heavy -= {"numpy"}
    code = (
        "import sys, atexit\nfrom surefoot.cli.__main__ import main\n"
        f"atexit.register(lambda: print('LOADED', sorted({heavy!r} & set(sys.modules))))\n{command}"
    )
    if command.startswith("import surefoot"):
        code = code.replace("from surefoot.cli.__main__ import main\n", "")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "LOADED []" in done.stdout


@pytest.mark.parametrize(
    ("command", "missing", "extra"),
    [
        ("import surefoot.torch", "torch", "torch"),
        ("import surefoot.optax", "jax", "optax"),
        ("import surefoot.optax", "optax", "optax"),
        ("import surefoot.keras", "keras", "keras"),
        ("from surefoot.bridge import from_torch", "torch", "torch"),
        ("from surefoot.bridge import to_optax", "jax", "optax"),
        ("from surefoot.bridge import to_keras", "keras", "keras"),
        ("from surefoot import compare", "scipy", "compare"),
        ("import surefoot; surefoot.report", "vl_convert", "compare"),
    ],
)
def test_a_missing_framework_is_named_with_what_installs_it(command, missing, extra):
    code = f"import sys\nsys.modules[{missing!r}] = None\n{command}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(f"pip install 'surefoot[{extra}]'"), done.stderr


def test_the_map_of_the_house_has_every_room():
    listed = ast.get_docstring(ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert [room for room in LAYERS if not any(f"`{room}{end}`" in listed for end in ("/", ".py"))] == []


def test_no_two_classes_have_one_name():
    """But for those that are one thing in two frameworks."""
    rooms = defaultdict(set)
    for path in FILES:
        if layer(path) not in ("torch", "keras"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    rooms[node.name].add(path)
    assert {name: paths for name, paths in rooms.items() if len(paths) > 1} == {}
