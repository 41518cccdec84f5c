"""Do rules for matrices pay? The stored study of a small language model, step by step and second by second."""

from pathlib import Path

from pages.markdown import fenced, table
from pages.results import figure, interval, stored

STUDY = "char-lm"


def section(data: Path) -> str:
    """Return the results of the tuned optimizers, best first, the verdict and what it says of larger models."""
    command, result = stored(data, STUDY)
    return "\n\n".join(
        (_setting(result), _tuned(result), result["verdict"]["text"], _larger(), fenced(command, "console"))
    )


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
    pairs = [(rows[one["label"]], rows[one["defaults"]]) for one in result["tuning"]]
    quickest = min(row["step_seconds"] for row, _ in pairs)
    lines = [
        (
            untuned["label"],
            f"{row['hyper']['lr']:.3g}",
            interval(row["test_metric"], share=False),
            figure(untuned["test_metric"]["mean"], share=False),
            _reached(row),
            f"{row['step_seconds'] / quickest:.2f}",
        )
        for row, untuned in sorted(pairs, key=lambda pair: pair[0]["test_metric"]["mean"])
    ]
    target = f"{result['target']:g}"
    head = ("tuned", "lr", "test bits per character", "with its defaults", f"epochs to {target}", "time of a step")
    return (
        f"{table(head, lines)}\n\n"
        f"Epochs: the median until {target} bits on the validation part, which is evaluated once an epoch. Time of a "
        f"step: as a multiple of the quickest. Muon's scale is meant to share AdamW's learning rate; here its best one "
        f"is {_rate(rows, 'Muon tuned') / _rate(rows, 'AdamW tuned'):.0f} times AdamW's."
    )


def _rate(rows: dict, label: str) -> float:
    return rows[label]["hyper"]["lr"]


def _reached(row: dict) -> str:
    reach = row["reach"]
    return "not reached" if reach["epochs"] is None else f"{reach['epochs']:g} ({reach['reached']} of {reach['of']})"


def _larger() -> str:
    return (
        "Do not expect as much of a large model. A study that tuned ten optimizers found matrix rules the fastest: 1.4 "
        "times as fast as AdamW at 0.1 billion weights, but only 1.1 times at 1.2 billion ([Wen et al. "
        "2025](https://arxiv.org/abs/2509.02046)).\n\nOne command found all of this:"
    )
