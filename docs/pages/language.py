"""Do rules for matrices pay? The stored study of a small language model, step by step and second by second."""

from pathlib import Path

from pages.markdown import fenced, table
from pages.results import figure, interval, stored

STUDY = "char-lm"


def section(data: Path) -> str:
    """Return the results of the tuned optimizers, best first, the verdict and what it says of larger models."""
    command, result = stored(data, STUDY)
    return "\n\n".join((_setting(result), _tuned(result), result["verdict"]["text"], _larger(), fenced(command, "console")))


def _setting(result: dict) -> str:
    protocol, rows = result["protocol"], result["rows"]
    steps = protocol["epochs"] * -(-protocol["train_size"] // protocol["batch_size"])
    return (
        f"Muon and SOAP treat a weight matrix as a matrix. Here they train a small Transformer "
        f"({rows[0]['parameters']:,} weights) to tell the next character of Shakespeare, in {steps:,} steps of "
        f"{protocol['batch_size']} rows. Each optimizer is tuned by its learning rate, then measured with "
        f"{len(rows[0]['seeds'])} seeds. Fewer bits per character are better."
    )


def _tuned(result: dict) -> str:
    rows = {row["label"]: row for row in result["rows"]}
    tuned = sorted((rows[one["label"]] for one in result["tuning"]), key=lambda row: row["test_metric"]["mean"])
    untuned = {one["label"]: rows[one["defaults"]] for one in result["tuning"]}
    fastest = min(row["step_seconds"] for row in tuned)
    lines = [
        (
            row["label"],
            f"{row['hyper']['lr']:.3g}",
            interval(row["test_metric"], share=False),
            figure(untuned[row["label"]]["test_metric"]["mean"], share=False),
            _reached(row),
            f"{row['step_seconds'] / fastest:.2f}",
        )
        for row in tuned
    ]
    target = f"{result['target']:g}"
    head = ("optimizer", "lr", "test bits per character", "with its defaults", f"epochs to {target}", "time of a step")
    return (
        f"{table(head, lines)}\n\n"
        f"Epochs: the median until {target} bits on the validation part, an evaluation an epoch. Time of a step: as a "
        "multiple of the quickest."
    )


def _reached(row: dict) -> str:
    reach = row["reach"]
    return "not reached" if reach["epochs"] is None else f"{reach['epochs']:g} ({reach['reached']} of {reach['of']})"


def _larger() -> str:
    return (
        "Do not expect as much of a large model. A study that tuned ten optimizers found matrix rules the fastest: 1.4 "
        "times as fast as AdamW at 0.1 billion weights, but only 1.1 times at 1.2 billion ([Wen et al. "
        "2025](https://arxiv.org/abs/2509.02046)).\n\nOne command found all of this:"
    )
