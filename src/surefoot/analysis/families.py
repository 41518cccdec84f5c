"""Which optimizers are tested against which: the families that share one correction for several comparisons.

A study with tuned optimizers asks three questions: which is best when tuned, which is best with its defaults, and what
tuning gains each. Each question is a family with a correction of its own, so that a false finding is as rare in each as
is promised; to test a tuned one against another's defaults would only cost the questions that matter their power. A
setting that has no tuned counterpart is as its user wants it: it is compared with the tuned as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

Family = Literal["all", "tuned", "untuned", "gain"]


def families(labels: Sequence[str], own: Mapping[str, str]) -> dict[Family, list[tuple[str, str]]]:
    """The pairs that are tested, by family: all of them where nothing is tuned; no pair is in two families.

    `own` has for each tuned label the untuned one of the same optimizer.
    """
    own = {tuned: untuned for tuned, untuned in own.items() if {tuned, untuned} <= set(labels)}
    if not own:
        return {"all": list(combinations(labels, 2))}
    final = list(combinations([label for label in labels if label not in own.values()], 2))
    given = list(combinations([label for label in labels if label not in own], 2))
    return {"tuned": final, "untuned": [pair for pair in given if pair not in final], "gain": list(own.items())}
