"""Both sides of the article's study from one command: `surefoot compare article` and the same script in Keras.

Each side runs as its user runs it, one after the other on an otherwise idle machine: Surefoot as worker processes of
one thread each, Keras on TensorFlow with every core it takes. The time of a study is that of the whole command,
imports, data, evaluation and report included. Surefoot's has AdaBound too, which Keras lacks, so the ratio is per
optimizer; "train s" is the time in training steps alone, ours with another trial beside it. The floor is what the
arithmetic of a step needs at the fastest matrix product measured here.

    python benchmarks/article.py --keras-python PYTHON    (an environment as benchmarks/keras_article.py says)
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from surefoot.tasks.models.fast_article import Dense

HERE = Path(__file__).parent
BATCH_SIZE = 250
MATRIX = 2048
ALSO = {"sgd": "sgd=sgd(lr=0.01, momentum=0.9)", "rmsprop": "rmsprop=rmsprop(lr=0.001)"}


def timed(command: list[str]) -> float:
    """Run a command to its end, its messages going to the terminal's error stream; its seconds."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=sys.stderr)
    return time.perf_counter() - start


def run_ours(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the study in a store of its own."""
    command = [sys.executable, "-m", "surefoot.cli", "compare", "article", "--epochs", str(args.epochs), "--json"]
    command += ["--store", str(folder / "ours.sqlite"), "--report", str(folder / "report.html")]
    command += ["--train-size", str(args.train_size)] if args.train_size else []
    command += [word for text in ALSO.values() for word in ("-o", text)] if args.all else []
    start = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return {"seconds": time.perf_counter() - start, "rows": ours(json.loads(done.stdout))}


def ours(summary: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The figures of the table from what `surefoot compare --json` prints, by optimizer."""
    return {
        row["rule"]: {
            "test_loss": row["test_loss"]["mean"],
            "test_metric": row["test_metric"]["mean"],
            "train_seconds": row["train_seconds"],
            "step_milliseconds": 1000 * row["step_seconds"],
        }
        for row in summary["rows"]
        if row["n"]
    }


def run_keras(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the Keras script with the Python of its own environment."""
    result = folder / "keras.json"
    command = [args.keras_python, str(HERE / "keras_article.py"), "--epochs", str(args.epochs), "--json", str(result)]
    command += ["--train-size", str(args.train_size)] if args.train_size else []
    names = ("adagrad", "adadelta", "adam", *ALSO) if args.all else ()
    command += [word for name in names for word in ("-o", name)]
    seconds = timed(command)
    report = json.loads(result.read_text())
    return {"seconds": seconds, "rows": {row["optimizer"]: row for row in report["results"]}}


def gflop_per_step() -> float:
    """Billions of operations of one training step: forward, and as much again for each of the two gradients.

    The first convolution has no gradient at its input. What is not a matrix product (under 2 %) is left out.
    """
    first, *rest = 26 * 26 * 32 * (9 * 1), 11 * 11 * 64 * (9 * 32), 1600 * 256, 256 * 10
    return 2 * BATCH_SIZE * (2 * first + 3 * sum(rest)) / 1e9


def gflops(product: Callable[[torch.Tensor], object], threads: int) -> float:
    """Billions of operations a second of the product of two square matrices, median over two seconds."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    a, seconds = torch.rand(MATRIX, MATRIX), []
    product(a)
    while sum(seconds) < 2:
        start = time.perf_counter()
        product(a)
        seconds.append(time.perf_counter() - start)
    torch.set_num_threads(before)
    return 2 * MATRIX**3 / statistics.median(seconds) / 1e9


@torch.no_grad()
def floor() -> dict[str, float]:
    """Measured rates in GFLOP/s, and the milliseconds that a step's arithmetic needs on one core at the fastest."""
    dense = Dense(MATRIX, MATRIX, bias=False)
    rates = {
        "torch_mm_1_thread": gflops(lambda a: torch.mm(a, a), 1),
        "torch_mm_2_threads": gflops(lambda a: torch.mm(a, a), 2),
        "onednn_1_thread": gflops(dense, 1),
        "onednn_2_threads": gflops(dense, 2),
    }
    fastest = max(rates["torch_mm_1_thread"], rates["onednn_1_thread"])
    return {"gflop_per_step": gflop_per_step(), **rates, "floor_milliseconds": 1000 * gflop_per_step() / fastest}


def print_floor(measured: dict[str, float]) -> None:
    print(f"Arithmetic of one step of {BATCH_SIZE} images: {measured['gflop_per_step']:.2f} GFLOP")
    print(f"Matrix product, GFLOP/s on 1 and 2 threads, {MATRIX} x {MATRIX}:")
    for name, label in (("torch_mm", "torch.mm"), ("onednn", "oneDNN")):
        print(f"  {label:<9}{measured[f'{name}_1_thread']:>6.0f}{measured[f'{name}_2_threads']:>6.0f}")
    print(f"Floor of a step on one core: {measured['floor_milliseconds']:.1f} ms")


def print_sides(mine: dict[str, Any], theirs: dict[str, Any] | None, floor_milliseconds: float) -> None:
    print(f"\n{'':10} {'Surefoot':^33}   {'Keras on TensorFlow':^33}")
    heads = f"{'loss':>7} {'accuracy':>9} {'ms/step':>8} {'train s':>7}"
    print(f"{'':10} {heads}   {heads}")
    for name, row in mine["rows"].items():
        other = theirs["rows"].get(name) if theirs else None
        print(f"{name:10} {cells(row)}   {cells(other) if other else '-'}")
    step = statistics.median(row["step_milliseconds"] for row in mine["rows"].values())
    print(f"\nOur step, median: {step:.1f} ms, {step / floor_milliseconds:.2f} x the floor")
    print(f"Whole study: Surefoot {mine['seconds']:.1f} s for {len(mine['rows'])} optimizers", end="")
    if theirs:
        print(f", Keras {theirs['seconds']:.1f} s for {len(theirs['rows'])}")
        print(f"Per optimizer, Surefoot is {ratio(mine, theirs):.2f} x as fast", end="")
    print()


def cells(row: dict[str, float]) -> str:
    result = f"{row['test_loss']:7.4f} {row['test_metric']:9.4f}"
    return f"{result} {row['step_milliseconds']:8.1f} {row['train_seconds']:7.1f}"


def ratio(mine: dict[str, Any], theirs: dict[str, Any]) -> float:
    """Seconds of the whole command per optimizer, theirs over ours."""
    return (theirs["seconds"] / len(theirs["rows"])) / (mine["seconds"] / len(mine["rows"]))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Surefoot and Keras side by side on the article's study.")
    parser.add_argument("--keras-python", help="the Python that has TensorFlow and Keras; without it, ours alone")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--train-size", type=int, help="use only the first training images")
    parser.add_argument("--all", action="store_true", help=f"also {', '.join(ALSO)}")
    parser.add_argument("--floor", action="store_true", help="measure the floor only")
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    figures: dict[str, Any] = {"cores": os.cpu_count(), "floor": floor()}
    print_floor(figures["floor"])
    if args.floor:
        return keep(figures, args.json)
    with tempfile.TemporaryDirectory() as name:
        for side, run in (("surefoot", run_ours), ("keras", run_keras)):
            figures[side] = run(args, Path(name)) if side == "surefoot" or args.keras_python else None
            keep(figures, args.json)  # minutes of work: kept before anything is made of it
    print_sides(figures["surefoot"], figures["keras"], figures["floor"]["floor_milliseconds"])
    return None


def keep(figures: dict[str, Any], file: Path | None) -> None:
    if file:
        file.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
