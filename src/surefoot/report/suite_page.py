"""The page of a suite: who is quick on how many studies, as a profile with its table, and where each report lies.

It draws one figure and has nothing to switch, so it is made like the page of a range test: no script, and the figure
as SVG.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from surefoot import __version__
from surefoot.analysis import SuiteSummary
from surefoot.files import write_whole
from surefoot.report.figure import svg
from surefoot.report.page import TEMPLATES
from surefoot.report.staircases import over_problems
from surefoot.report.theme import dark_partners, styles
from surefoot.webpage import template
from surefoot.words.suite import profile_table, suite_notes, suite_table


def write_suite_page(suite: SuiteSummary, verdicts: Mapping[str, str], path: str | Path) -> Path:
    """Write the page and return its path.

    Args:
        suite: what the studies say together.
        verdicts: the verdict of each study, by its name; its report lies beside the page, under that name.
        path: the file to write; an existing one is replaced.

    Raises:
        UsageError: a path that cannot be a file.
        SurefootError: the file cannot be written.
    """
    looks = styles(suite.optimizers, suite.tuned_from)
    figure = over_problems(suite.profiles, looks) if suite.profiles else None  # None: there are too few targets
    page = template("suite.html.j2", TEMPLATES).render(
        verdicts=verdicts,
        table=suite_table(suite),
        notes=list(suite_notes(suite)),
        looks={look.label: look for look in looks},
        figure=figure,
        drawn=svg(figure) if figure else "",
        profile=profile_table(suite.profiles) if suite.profiles else None,
        dark=dark_partners(),
        version=__version__,
    )
    return write_whole(path, page)
