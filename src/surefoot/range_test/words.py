"""Sentences about a range test: what it is, what it is not, and what it has shown."""

from __future__ import annotations

from surefoot.range_test.window import LEVEL_DECADES, SMOOTHING, RangeFinding, Window
from surefoot.words.numbers import seeds

DRAWN = (
    f"Each seed's curve is the running median of its training loss over {SMOOTHING:g} decades of learning rate. Line: "
    "mean over seeds, as far as every seed goes. Band: lowest to highest seed. Losses above the frame are not drawn."
)

IS_NOT = (
    "What it is not: the best rate, or a comparison of optimizers. Each rate is used for one step, by weights that "
    "lower rates have trained. With more steps the loss falls earlier. A whole training, a schedule or weight decay "
    "may want another rate. So the test centres a search, and tuning decides. In a comparison take the windows of all "
    "optimizers from this test, with the same number of steps, or of none."
)

TO_USE = 'To search a window, give it in Python, as in surefoot.Opt("adam", lr=surefoot.log(1e-4, 1e-1)).'

REASONS = {
    "no fall": (
        "no window: at no rate that every seed survives does the loss fall by more than seeds differ. More steps or "
        "seeds may show one."
    ),
    "falls from the start": (
        f"no window: the loss falls within the lowest {'decade' if LEVEL_DECADES == 1 else 'decades'} of rates. "
        "Either something else than the learning rate moves the weights, or the task learns at any rate."
    ),
    "never lost": (
        "no window: training diverges at no rate, so the test shows no upper end. Something else than the learning "
        "rate limits the steps (in AdaBound its bounds, final_lr)."
    ),
}


def what_it_is(count: int, steps: int, rates: tuple[float, float], width: float) -> str:
    """Return a sentence on what was done: seeds, steps, rates and the width of the search."""
    return (
        f"What it is: a short training on each of {seeds(count)} (those that tune, not those that measure), whose "
        f"learning rate rises from {rates[0]:g} to {rates[1]:g} in {steps} steps. It shows at which rate the "
        f"loss starts to fall and at which it diverges, and so where to centre a search of {width:g} decades."
    )


def result(found: RangeFinding) -> str:
    """Return what the test of one optimizer shows, without its name."""
    if found.window is None:
        stays = f" A search takes {_range(*found.own)} without this test." if found.own else ""
        return REASONS[found.reason or "no fall"] + stays
    one = found.window
    parts = [
        f"search lr from {_range(one.low, one.high, ' to ')}, centred on {one.centre:.2g}.",
        f"The loss falls from {one.falls:.2g} on, and the first of {seeds(len(found.curve.seeds))} diverges at "
        f"{one.lost:.2g}.",
        _robustness(one),
    ]
    if found.own:
        parts.append(f"Without this test a search takes {_range(*found.own)}.")
    return " ".join(parts)


def _robustness(one: Window) -> str:
    if one.centres is None:
        return "Without one of the seeds there is no window at all: run more seeds before you rely on it."
    low, high = (f"{centre:.2g}" for centre in one.centres)
    return (
        f"Leaving out any one seed puts the centre {f'between {low} and {high}' if low != high else f'at {low} too'}."
    )


def _range(low: float, high: float, between: str = "..") -> str:
    return f"{low:.2g}{between}{high:.2g}"
