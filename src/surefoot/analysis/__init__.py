"""Numbers to claims: rows with intervals, a target that discriminates, a verdict with ties. No framework, no files."""

from surefoot.analysis.arms import Arm, group
from surefoot.analysis.intervals import Interval
from surefoot.analysis.plain import plain
from surefoot.analysis.summary import Row, Summary, summarize
from surefoot.analysis.table import Table, pair_table, table, tuning_table
from surefoot.analysis.target import Reach
from surefoot.analysis.tuning import TuningRow, tunings
from surefoot.analysis.tuning_words import tuning_warnings
from surefoot.analysis.verdict import Pair, Verdict

__all__ = [
    "Arm",
    "Interval",
    "Pair",
    "Reach",
    "Row",
    "Summary",
    "Table",
    "TuningRow",
    "Verdict",
    "group",
    "pair_table",
    "plain",
    "summarize",
    "table",
    "tuning_table",
    "tuning_warnings",
    "tunings",
]
