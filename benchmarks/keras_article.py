"""The tutorial's comparison as a Keras script: the other side of `surefoot compare article`.

Same data, model, protocol, options and initial accumulators, written the way a Keras user writes it (`fit`,
`evaluate`), with all the cores that TensorFlow takes. AdaBound is left out: Keras 3 does not have it. It runs in an
environment of its own; the data comes from this checkout's `surefoot.datasets`, which needs NumPy only:

    pip install tensorflow-cpu keras
    python benchmarks/keras_article.py --json keras.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.append(str(Path(__file__).parents[1] / "src"))

import keras  # the backend must be chosen before this import
from keras import layers, optimizers

from surefoot.datasets import load

BATCH_SIZE = 250
VALIDATION_SPLIT = 0.2
PIXEL_MAX = 255

OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "adagrad": lambda: optimizers.Adagrad(0.001, initial_accumulator_value=0.1, epsilon=1e-7),
    "adadelta": lambda: optimizers.Adadelta(0.001, rho=0.95, epsilon=1e-7),
    "adam": lambda: optimizers.Adam(0.01),
    "sgd": lambda: optimizers.SGD(0.01, momentum=0.9),
    "rmsprop": lambda: optimizers.RMSprop(0.001),
}
TUTORIAL = ("adagrad", "adadelta", "adam")


class StepTimer(keras.callbacks.Callback):
    """Times the training steps as `fit` runs them; the first ones, which trace and compile, are in the list too."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.start = 0.0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.seconds.append(time.perf_counter() - self.start)


def build_model() -> keras.Model:
    """The tutorial's network, with Keras's own defaults."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def images_and_labels(train_size: int | None) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Training and test pairs, pixels in 0..1 with a channel axis; `train_size` keeps the first images."""
    data = load("mnist")
    train = slice(train_size)
    return (
        (data.train_images[train, ..., None].astype("float32") / PIXEL_MAX, data.train_labels[train]),
        (data.test_images[..., None].astype("float32") / PIXEL_MAX, data.test_labels),
    )


def run(name: str, epochs: int, seed: int, train: tuple[Any, Any], test: tuple[Any, Any]) -> dict[str, Any]:
    """Train and test one optimizer from scratch; the seconds are those a user waits, building and tests included."""
    start = time.perf_counter()
    keras.utils.set_random_seed(seed)
    model, timer = build_model(), StepTimer()
    model.compile(optimizer=OPTIMIZERS[name](), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        *train, batch_size=BATCH_SIZE, epochs=epochs, validation_split=VALIDATION_SPLIT, callbacks=[timer], verbose=0
    ).history
    loss, accuracy = model.evaluate(*test, batch_size=BATCH_SIZE, verbose=0)
    return {
        "optimizer": name,
        "test_loss": loss,
        "test_metric": accuracy,
        "step_milliseconds": 1000 * statistics.median(timer.seconds),
        "train_seconds": sum(timer.seconds),
        "seconds": time.perf_counter() - start,
        "validation_accuracy": history["val_accuracy"],
    }


def runs(names: list[str], args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One result per optimizer, printed as it comes."""
    train, test = images_and_labels(args.train_size)
    for name in names:
        result = run(name, args.epochs, args.seed, train, test)
        print(f"Test loss using {name}: {result['test_loss']:.4f}")
        print(f"Test accuracy using {name}: {result['test_metric']:.4f}")
        print(f"  {result['step_milliseconds']:.1f} ms per step, {result['seconds']:.1f} s in all", flush=True)
        yield result


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The tutorial's comparison in Keras 3 on TensorFlow.")
    parser.add_argument(
        "-o", "--optimizer", action="append", choices=OPTIMIZERS, help=f"default: {', '.join(TUTORIAL)}"
    )
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--train-size", type=int, default=None, help="use only the first images of the training set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    results = list(runs(args.optimizer or list(TUTORIAL), args))
    report = {
        "versions": {
            "python": platform.python_version(),
            "keras": keras.__version__,
            keras.backend.backend(): getattr(__import__(keras.backend.backend()), "__version__", ""),
        },
        "epochs": args.epochs,
        "train_size": args.train_size,
        "seed": args.seed,
        "seconds": sum(result["seconds"] for result in results),
        "results": results,
    }
    print(f"{report['seconds']:.1f} s for {len(results)} optimizers")
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
