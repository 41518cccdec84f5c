"""`surefoot.compare_suite`: several studies one after the other, and what they show together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Generic, TypeVar

from surefoot.analysis import SuiteSummary, summarize_suite
from surefoot.comparison.ask import ask
from surefoot.comparison.request import Request
from surefoot.design.studies import STUDIES
from surefoot.options import Options
from surefoot.result import Result
from surefoot.study import Study, run
from surefoot.words import Table
from surefoot.words.suite import suite_json, suite_table

PAGE = "all-small.html"


def compare_suite(studies: Sequence[str] | None = None, **options: Any) -> Suite[Study]:
    """Run several built-in studies and judge them together. Each has its own optimizers unless you give others.

    Args:
        studies: their names; every small one by default.
        options: as in `surefoot.compare`, for every study alike.

    Raises:
        UsageError: one of the studies cannot take the options; nothing has run then.

    Example:
        >>> print(surefoot.compare_suite(optimizers=["sgd", "adam"], seeds=5).table())
    """
    asked = Options(**options)
    return Suite({request.name: run(request, asked) for request in ask_suite(studies, asked)})


def ask_suite(studies: Sequence[str] | None, options: Options) -> list[Request]:
    """Read every option for each of the studies, before any of them runs."""
    small = [study.name for study in STUDIES.values() if study.small]
    return [ask(name, options) for name in (small if studies is None else studies)]


Has = TypeVar("Has", bound=Result, covariant=True)


@dataclass(frozen=True)
class Suite(Generic[Has]):
    """Several finished comparisons.

    Attributes:
        studies: each of them, by its name.
    """

    studies: Mapping[str, Has]

    @cached_property
    def summary(self) -> SuiteSummary:
        """All numbers of all studies together."""
        return summarize_suite({name: study.summary for name, study in self.studies.items()})

    @property
    def verdicts(self) -> dict[str, str]:
        """What the seeds allow to say in each study."""
        return {name: study.verdict for name, study in self.studies.items()}

    def table(self) -> Table:
        """Return the table over all studies, a row for each optimizer; print it."""
        return suite_table(self.summary)

    def to_json(self) -> dict[str, Any]:
        """Return all of it for `json.dumps`, as the command prints it with --json."""
        return suite_json(self.summary)

    def report(self, folder: str | PathLike[str]) -> Path:
        """Write a report for each study and a page over all of them. Returns that page's path."""
        from surefoot.report.page import write_suite_page  # loads all that draws, after the training

        for name, study in self.studies.items():
            study.report(Path(folder) / f"{name}.html")
        return write_suite_page(self.summary, self.verdicts, Path(folder) / PAGE)
