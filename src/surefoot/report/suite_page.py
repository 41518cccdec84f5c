"""The page of a suite: who is quick on how many studies, as a profile with its table, and where each report lies.

It draws one figure and has nothing to switch, so it is made like the page of a range test: no script, and the figure
as SVG.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from surefoot import __version__
from surefoot.analysis import SuiteSummary
from surefoot.files import write_whole
from surefoot.report.figure import svg
from surefoot.report.profile import over_problems
from surefoot.report.theme import Style, dark_partners, styles
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
    page = (
        _environment()
        .get_template("suite.html.j2")
        .render(
            verdicts=verdicts,
            table=suite_table(suite),
            notes=list(suite_notes(suite)),
            looks={look.label: look for look in looks},
            **_profile(suite, looks),
            dark=dark_partners(),
            version=__version__,
        )
    )
    return write_whole(path, page)


def _profile(suite: SuiteSummary, looks: Sequence[Style]) -> dict[str, object]:
    """The figure, drawn, and the table of the profiles; nothing where there are too few targets."""
    if suite.profiles is None:
        return {"figure": None, "drawn": "", "profile": None}
    figure = over_problems(suite.profiles, looks)
    return {"figure": figure, "drawn": svg(figure), "profile": profile_table(suite.profiles)}


def _environment() -> Environment:
    loader = PackageLoader("surefoot.report", "templates")
    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=loader)
    made.filters["unbroken"] = str
    return made
