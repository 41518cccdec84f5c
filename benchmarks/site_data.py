"""Run the studies that the site shows, and keep in docs/data what they found: `python benchmarks/site_data.py`.

Everything is what a command prints or stores; beside each result stands the command that repeats it. Name a part to run
only that: suite, rate-free, language, article, or keras-tensorflow, keras-jax and keras-torch, which need that of
`make test-frameworks`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

DATA = Path(__file__).parent.parent / "docs" / "data"
EXAMPLE = Path(__file__).parent.parent / "examples" / "mnist_keras.py"
SUREFOOT = Path(sys.executable).with_name("surefoot")
EFFORT = "--trials 8 --seeds 10 --json"
SUITE = f"surefoot compare --all-small {EFFORT}"
RATE_FREE = {
    "logreg-digits": (10,),
    "quadratic-deep --trials 8": (10,),
    "mlp-mnist --trials 8": (6, 10, 20),
}
"""Each small study that learns from data, and the seeds of it that are run, one number for each verdict."""

LANGUAGE = (
    f"surefoot compare char-lm --only -o muon -o soap -o adamw -o lion -o schedule_free_adamw --epochs 4 {EFFORT}"
)
"""Rules for matrices beside others on a small Transformer; about an hour on two cores."""

ARTICLE = "surefoot compare article --seeds 5 --json"


def printed(command: str, folder: Path) -> dict:
    """Run a command of `surefoot` in a folder and return the JSON that it prints."""
    done = subprocess.run([SUREFOOT, *command.split()[1:]], cwd=folder, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def keep(name: str, command: str, result: dict) -> None:
    """Store a result and its command."""
    text = json.dumps({"command": command, "result": result}, separators=(",", ":"))
    (DATA / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


def suite(folder: Path) -> None:
    """Run the suite, and then each of its studies, which is only read from the store."""
    together = printed(SUITE, folder)
    for study in together["studies"]:
        command = f"surefoot compare {study} {EFFORT}"
        keep(study, command, printed(command, folder))
    keep("all-small", SUITE, together)


def rate_free(folder: Path) -> None:
    """Run rate-free over each small study; keep what the page shows: the prices, and the settings behind them."""
    for asked, looks in RATE_FREE.items():
        commands = [f"surefoot compare rate-free {asked} --seeds {seeds} --json" for seeds in looks]
        *_, found = [printed(command, folder) for command in commands]
        settings = {row["label"]: row["hyper"] for row in found["rows"]}
        kept = {name: found[name] for name in ("study", "metric", "protocol", "price")}
        keep(found["study"], "\n".join(commands), {**kept, "settings": settings, "looks": looks})


def language(folder: Path) -> None:
    """Run the small language model."""
    keep("char-lm", LANGUAGE, printed(LANGUAGE, folder))


def article(folder: Path) -> None:
    """Run the tutorial's experiment and keep its store; its step times are those of the machine as busy as it is."""
    printed(ARTICLE, folder)
    shutil.copy(folder / "surefoot-results" / "results.sqlite", DATA / "article.sqlite")


def keras(backend: str, folder: Path) -> None:
    """Run the tutorial's script on a backend of Keras; needs the environment of `make test-frameworks`."""
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, EXAMPLE], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    result: dict[str, dict[str, float]] = {}
    for what, name, figure in re.findall(r"^Test (loss|accuracy) using (\w+): (\S+)$", done.stdout, re.MULTILINE):
        result.setdefault(name, {})[what] = float(figure)
    stored = DATA / "keras.json"
    others = json.loads(stored.read_text(encoding="utf-8"))["result"] if stored.exists() else {}
    keep("keras", "python examples/mnist_keras.py", {**others, backend: result})


BACKENDS = {f"keras-{name}": partial(keras, name) for name in ("tensorflow", "jax", "torch")}
PARTS = {"suite": suite, "rate-free": rate_free, "language": language, "article": article, **BACKENDS}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory() as name:
            PARTS[part](Path(name))
