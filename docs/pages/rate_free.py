"""The price of not tuning: the stored results of the study rate-free over each small study, and nothing else."""

from pathlib import Path

from pages.markdown import fenced, table
from pages.results import figure, interval, stored

STUDIES = ("logreg-digits", "mlp-mnist", "quadratic-deep")
"""Those over which it was run."""

CENTRE = "AdamW(schedule=cosine) at lr-find's centre"
DEFAULTS = "AdamW(schedule=cosine)"

CLAIMS = ("not worse", "open", "worse")


def page(data: Path) -> str:
    """Return the results over all studies, and then each of them, to be included in a page."""
    results = {name: stored(data, f"rate-free-{name}") for name in STUDIES}
    parts = [f"## All studies together\n\n{_together({name: result for name, (_, result) in results.items()})}"]
    parts += [f"## {name}\n\n{_study(command, result)}" for name, (command, result) in results.items()]
    return "\n\n".join(parts) + "\n"


def answer(data: Path) -> str:
    """Return what came near to tuned AdamW without tuning, for the page on choosing."""
    results = {name: stored(data, f"rate-free-{name}")[1] for name in STUDIES}
    rows = [(name, margin(result), *(_names(result, claim) for claim in CLAIMS)) for name, result in results.items()]
    costs = ", ".join(f"{result['price']['trainings']:g} on {name}" for name, result in results.items())
    return (
        "Each optimizer ran with its defaults, on every seed, beside tuned AdamW. The table says which lose less "
        "than the margin (not worse), which lose more (worse), and for which the seeds cannot tell (open). An untuned "
        f"optimizer takes one training. Tuning took {costs}. [All figures](rate-free.md).\n\n"
        f"{_everywhere(results)}\n\n" + table(("study", "margin", *CLAIMS), rows)
    )


def _names(result: dict, claim: str) -> str:
    return ", ".join(row["label"] for row in result["price"]["rows"] if row["claim"] == claim) or "–"


def _together(results: dict) -> str:
    prices = {name: {row["label"]: row for row in result["price"]["rows"]} for name, result in results.items()}
    labels = list(next(iter(prices.values())))
    rows = [(label, *(_claimed(results[name], prices[name][label]) for name in results)) for label in labels]
    counts = "\n".join(f"- {name}: {_counted(result)}" for name, result in results.items())
    parts = (
        _everywhere(results),
        counts,
        "In brackets: how much better tuned AdamW is, in the mean.",
        table(("optimizer", *results), rows),
    )
    return "\n\n".join(parts)


def _counted(result: dict) -> str:
    """How many optimizers are on which side of the margin."""
    rows = result["price"]["rows"]
    counts = ", ".join(f"{sum(row['claim'] == claim for row in rows)} {claim}" for claim in CLAIMS)
    trainings = f"{result['price']['trainings']:g} trainings"
    return f"{counts}, of {len(rows)} optimizers, at a margin of {margin(result)}. Tuning took {trainings}."


def _everywhere(results: dict) -> str:
    """Which optimizers are not worse on any study."""
    found = [[row["label"] for row in one["price"]["rows"] if row["claim"] == "not worse"] for one in results.values()]
    always = [label for label in found[0] if all(label in labels for labels in found)]
    return f"Not worse on all {len(results)} studies: {', '.join(always) or 'none'}."


def _claimed(result: dict, row: dict) -> str:
    return f"{row['claim']} ({_lost(result, row['lost']['mean'])})"


def _lost(result: dict, value: float) -> str:
    share = result["metric"]["share"]
    return f"{figure(value, share)} points" if share else figure(value, share)


def margin(result: dict) -> str:
    """The margin as people read it."""
    found = result["price"]["margin"]
    number = f"{100 * found['size']:g}"
    return f"{number} %" if found["relative"] else f"{number} points"


def _study(command: str, result: dict) -> str:
    price, share, name = result["price"], result["metric"]["share"], result["metric"]["name"]
    rows = [
        (
            row["label"],
            f"{row['trainings']:.1f}",
            f"{row['saved']:.1f}",
            interval(row["score"], share),
            interval(row["lost"], share, "points"),
            row["claim"],
        )
        for row in price["rows"]
    ]
    last = (price["tuned"], f"{price['trainings']:.1f}", "–", interval(price["score"], share), "–", "tuned")
    head = ("optimizer", "trainings", "saved", f"test {name}", "lost", f"at {margin(result)}")
    return f"{fenced(command, 'console')}\n\n{_setting(result)}\n\n{table(head, [*rows, last])}"


def _setting(result: dict) -> str:
    price, protocol, settings = result["price"], result["protocol"], result["settings"]
    steps = protocol["epochs"] * -(-protocol["train_size"] // protocol["batch_size"])
    if protocol.get("drop_last"):
        steps = protocol["epochs"] * (protocol["train_size"] // protocol["batch_size"])
    *before, seeds = map(str, result["looks"])
    looks = f" (verdicts at {', '.join(before)} and {seeds}, which the claims count)" if before else ""
    rates = (
        f"The learning rate of AdamW is {settings[DEFAULTS]['lr']:.3g} by default, {settings[CENTRE]['lr']:.3g} at the "
        f"centre that `lr-find` found, and {settings[price['tuned']]['lr']:.3g} as tuned."
    )
    lost = [f"{row['label']} on {row['diverged']}" for row in price["rows"] if row["diverged"]]
    diverged = f"Seeds that diverged: {', '.join(lost)}." if lost else "No seed diverged."
    return f"{seeds} seeds{looks}, trainings of {steps:,} steps. {rates} {diverged}"
