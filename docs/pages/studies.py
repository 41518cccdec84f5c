"""How to choose: answers read off our own stored studies, with their intervals, and nothing else.

A sentence here says what a number means, never what somebody thinks.
"""

from pathlib import Path

from pages import language, rate_free
from pages.markdown import fenced, table
from pages.results import TASKS, figure, interval, stored

STUDIES = (*TASKS, "rosenbrock", "beale", "booth", "zakharov")
SUITE = "all-small"
RIVALS = (("Adam tuned", "Momentum tuned"), ("Adam tuned", "AdaBound tuned"), ("Adam tuned", "SGD tuned"))


def page(data: Path) -> str:
    """Return the answers, to be included in a page."""
    results = {name: stored(data, name)[1] for name in STUDIES}
    command, suite = stored(data, SUITE)
    parts = [
        f"## Do I have to tune?\n\n{rate_free.answer(data)}",
        f"## Do Muon and SOAP pay?\n\n{language.section(data)}",
        f"## All small studies\n\nAll figures below come from one command:\n\n{fenced(command, 'console')}",
        f"## Does tuning matter more than the choice?\n\n{_tuning(results)}",
        f"## Adam, or something else?\n\n{_rivals(results)}",
        f"## Which one is quick?\n\n{_suite(suite)}",
        f"## How wide is the range of good learning rates?\n\n{_rates(results)}",
        "## Every study\n",
        *(f"### {name}\n\n{_study(result)}" for name, result in results.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _tuning(results: dict) -> str:
    rows = [
        (name, row["defaults"], str(row["trials"]), interval(row["gain"], results[name]["metric"]["share"], "points"))
        for name in TASKS
        for row in results[name]["tuning"]
    ]
    spans = "\n".join(f"- {name}: {_spans(results[name])}" for name in TASKS)
    return (
        f"How far the best and the worst of the four optimizers are apart, by their mean test results:\n\n{spans}\n\n"
        "Trials beyond the 8 that were planned come from widening the space, for all alike. "
        "Gain: by how much the tuned setting's test result is better than the defaults', paired by seed, with its "
        "95 % interval. An interval that contains zero means that no gain was found. Defaults are torch's.\n\n"
        + table(("study", "optimizer", "trials", "gain"), rows)
    )


def _spans(result: dict) -> str:
    """How far apart the means are, with defaults and tuned."""
    share = result["metric"]["share"]
    unit = " points" if share else ""

    def span(labels: list[str]) -> str:
        means = [row["test_metric"]["mean"] for row in result["rows"] if row["label"] in labels]
        return figure(max(means) - min(means), share) + unit

    tuned = span([row["label"] for row in result["tuning"]])
    return f"{span([row['defaults'] for row in result['tuning']])} with their defaults, {tuned} tuned."


def _compared(result: dict, a: str, b: str) -> list[dict]:
    """The comparison of two optimizers, where there is one."""
    return [found for found in result["comparisons"] if {found["a"], found["b"]} == {a, b}]


def _apart(results: dict, rival: str) -> str:
    """On which tasks tuned Adam and a rival differ clearly."""
    names = [name for name in TASKS for c in _compared(results[name], "Adam tuned", rival) if c["p"] <= 0.05]
    told = f"a clear difference on {', '.join(names)}" if names else "a tie on all"
    return f"- Adam and {rival.removesuffix(' tuned')}: {told}."


def _rivals(results: dict) -> str:
    rows = [
        (name, f"{a} – {b}", *_difference(found, a, results[name]))
        for name in TASKS
        for a, b in RIVALS
        for found in _compared(results[name], a, b)
    ]
    answers = "\n".join(_apart(results, rival) for _, rival in RIVALS)
    return (
        f"Tuned, on {len(TASKS)} tasks that learn from data:\n\n{answers}\n\n"
        "Each optimizer was tuned in equally many trials, and measured with 10 seeds that tuning had not seen. "
        "The difference is that of the test results, with its 95 % interval; p has Holm's correction over all pairs "
        "of tuned optimizers. Where p is above 0.05, the two tie.\n\n"
        + table(("study", "pair", "difference", "p", "result"), rows)
    )


def _difference(found: dict, a: str, result: dict) -> tuple[str, str, str]:
    sign, difference = 1 if found["a"] == a else -1, found["difference"]
    low, high = sorted(sign * difference[key] for key in ("low", "high"))
    shown = {"mean": sign * difference["mean"], "low": low, "high": high}
    told = "a tie" if found["p"] > 0.05 else f"{found['better']} better"
    return interval(shown, result["metric"]["share"], "points"), f"{found['p']:.2g}", told


def _suite(suite: dict) -> str:
    score = suite["algoperf"]
    order = sorted(suite["optimizers"], key=lambda label: -score[label])
    rows = [
        (label, f"{score[label]:.3f}", *(_time(suite, label, name) for name in suite["targets"])) for label in order
    ]
    return (
        "Median epochs over 10 seeds to a target that each study's results set. The score is AlgoPerf's: 1 is the "
        "quickest to every target, 0 takes four times as long or never gets there.\n\n"
        + table(("optimizer", "score", *suite["targets"]), rows)
    )


def _time(suite: dict, label: str, name: str) -> str:
    epochs = suite["times"][label].get(name)
    return "not reached" if epochs is None else f"{epochs:g}"


def _rates(results: dict) -> str:
    rows = [
        (name, row["defaults"], f"{row['good_rates']['share'] * row['good_rates']['decades']:.1f}")
        for name, result in results.items()
        for row in result["tuning"]
        if row["good_rates"] and result["metric"]["share"]
    ]
    return (
        "Decades of the learning rate, among those tried, that are nearest to a trial within 1 point of the best "
        "validation accuracy. Wider is easier to tune. Each figure rests on about ten trials: read it as rough.\n\n"
        + table(("study", "optimizer", "decades"), rows)
    )


def _study(result: dict) -> str:
    share = result["metric"]["share"]
    rows = [
        (
            row["label"],
            f"{row['hyper']['lr']:.3g}",
            interval(row["test_metric"], share),
            f"{row['diverged']} of {len(row['seeds'])}",
        )
        for row in result["rows"]
    ]
    head = ("optimizer", "lr", f"test {result['metric']['name']}, 95 % interval", "diverged")
    return f"{table(head, rows)}\n\n{result['verdict']['text']}"
