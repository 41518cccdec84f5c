"""What each extra must be able to do, and how to try it: in an environment of links here, or in a real one.

`python tests/support/installs.py dist` builds sdist and wheel into a folder and installs the wheel with each extra
into an environment of its own, from the package index: minutes and gigabytes. A test does the same in seconds: Python
without its site-packages, and a folder of links to those packages that the extra brings.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

from paths import ROOT

PLAIN = """
import numpy as np, surefoot
from surefoot.compiler.emit.targets import emit
from surefoot.conventions import resolve
from surefoot.engines.kernels import compiled
from surefoot.rules import adam
from surefoot.update import update
hyper = adam.complete(dict(lr=0.25, eps=0.0))
weight, state, _ = update(adam, np.ones(3), np.full(3, 2.0), dict(m=np.zeros(3), v=np.zeros(3)), 1, hyper)
assert abs(weight - 0.75).max() < 1e-12
assert compiled(emit(adam, resolve(adam, "torch", {}), "numba", "float32").text) is not None
import surefoot.doctor
assert surefoot.doctor.examine()["Packages"]["numba"] != "not installed"
"""

TORCH = """
import torch, surefoot.torch
weight = torch.nn.Parameter(torch.ones(3))
optimizer = surefoot.torch.Adam([weight], lr=0.25, eps=0.0)
weight.grad = torch.full_like(weight, 2.0)
optimizer.step()
assert optimizer.engine == "cpu"
assert abs(weight - 0.75).max() < 1e-6
"""

OPTAX = """
import jax.numpy as jnp, optax, surefoot.optax
optimizer = surefoot.optax.adabound(1e-2)
weight = jnp.ones(3)
change, _ = optimizer.update(jnp.ones(3), optimizer.init(weight), weight)
assert float(abs(optax.apply_updates(weight, change) - 0.99).max()) < 1e-6
"""

KERAS = """
import keras, surefoot.keras
weight = keras.Variable([1.0, 1.0])
surefoot.keras.Adam(learning_rate=0.25, epsilon=0.0).apply([keras.ops.convert_to_tensor([2.0, 2.0])], [weight])
assert abs(keras.ops.convert_to_numpy(weight) - 0.75).max() < 1e-6
"""

COMPARE = """
import surefoot
study = surefoot.compare("booth", optimizers=["sgd", "adam"], trials=0, seeds=1, epochs=1, workers=1, device="cpu")
assert len(study.records) == 2
assert "Content-Security-Policy" in study.report("page.html").read_text()
"""

RAY = """
import surefoot
runner = surefoot.Runner("ray")
study = surefoot.compare("booth", optimizers=["sgd"], trials=0, seeds=1, epochs=1, runner=runner, workers=1)
assert len(study.records) == 1
"""

TENSORBOARD = """
import pathlib, surefoot
surefoot.compare("booth", optimizers=["sgd"], trials=0, seeds=1, epochs=1, workers=1, device="cpu", logdir="events")
assert list(pathlib.Path("events").rglob("events.out.tfevents.*"))
"""

GUARD = "if __name__ == '__main__':\n"
"""Workers import the script that started them."""

TRIES = {
    "": PLAIN,
    "torch": TORCH,
    "optax": OPTAX,
    "keras": KERAS,
    "compare": COMPARE,
    "ray": RAY,
    "tensorboard": TENSORBOARD,
}
"""What must run after `pip install surefoot[EXTRA]`."""

BACKEND = {"keras": ["jax"]}
"""What a user brings to an extra: Keras needs one of its backends, and any will do."""


def built(folder: Path) -> tuple[Path, Path]:
    """Build the sdist, and the wheel from it, in an unpacked copy without the repository; return both."""
    hatch = [sys.executable, "-m", "hatchling", "build", "-d", folder, "-t"]
    subprocess.run([*hatch, "sdist"], cwd=ROOT, check=True, capture_output=True)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as packed:
        packed.extractall(folder, filter="data")
    subprocess.run([*hatch, "wheel"], cwd=folder / sdist.name.removesuffix(".tar.gz"), check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


def install(wheel: Path, folder: Path) -> None:
    """Install the wheel alone into a folder."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*pip, "--target", folder, wheel], check=True, capture_output=True)


def brought(installed: Path, extra: str) -> set[str]:
    """Return what the installed wheel asks for with this extra, and all that those packages ask for in turn.

    Raises:
        PackageNotFoundError: one of them is not in this environment.
    """
    (info,) = installed.glob("surefoot-*.dist-info")
    asked = [*_asked(Distribution.at(info), {extra}), *map(Requirement, BACKEND.get(extra, []))]
    found: set[str] = set()
    while asked:
        one = asked.pop()
        name = re.sub(r"[-_.]+", "-", one.name).lower()
        if name != "surefoot" and name not in found:
            found.add(name)
            asked += _asked(distribution(name), one.extras)
        elif name == "surefoot":
            asked += _asked(Distribution.at(info), one.extras)
    return found


def _asked(package: Distribution, extras: set[str]) -> list[Requirement]:
    every = [Requirement(text) for text in package.requires or []]
    return [one for one in every if not one.marker or any(one.marker.evaluate({"extra": e}) for e in extras | {""})]


def link(names: set[str], folder: Path) -> None:
    """Link to all that these packages have installed."""
    for name in names:
        package = distribution(name)
        tops = {path.parts[0] for path in package.files or [] if path.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            place = folder / top
            if not place.exists():
                place.symlink_to(package.locate_file(top))


def run(python: list[str], code: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a text as a script, in a folder of its own and with its own caches."""
    script = folder / "script.py"
    script.write_text(GUARD + "".join(f"    {line}\n" for line in code.strip().splitlines()), encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    made = {**clean, "KERAS_BACKEND": "jax", "XDG_CACHE_HOME": str(folder / "cache"), **variables}
    return subprocess.run([*python, script], cwd=folder, env=made, capture_output=True, text=True, check=False)


def main() -> None:
    """Try every extra in a real environment, and say how it went."""
    failed, kept = [], Path(sys.argv[1])
    kept.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sdist, wheel = (Path(shutil.copy(one, kept)).resolve() for one in built(folder))
        print(sdist, wheel, sep="\n")
        for extra, code in TRIES.items():
            here = folder / f"with-{extra}"
            subprocess.run([sys.executable, "-m", "venv", here], check=True)
            wanted = [f"{wheel}[{extra}]" if extra else str(wheel), *BACKEND.get(extra, [])]
            subprocess.run([here / "bin" / "pip", "install", "--quiet", *wanted], check=True)
            done = run([here / "bin" / "python"], code, here)
            print(f"surefoot[{extra}]" if extra else "surefoot", "works" if not done.returncode else done.stderr)
            failed += [extra] * bool(done.returncode)
            shutil.rmtree(here)  # with torch's CUDA build it is 6 GB
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
