"""Numbers to claims: rows with intervals, a target that discriminates, a verdict with ties. No sentences, no files."""

from surefoot.analysis.arms import Arm, group
from surefoot.analysis.intervals import Interval
from surefoot.analysis.pairwise import Comparison
from surefoot.analysis.plain import plain
from surefoot.analysis.scale import Scale
from surefoot.analysis.seed_profiles import SeedProfiles
from surefoot.analysis.suite_summary import SuiteSummary, summarize_suite
from surefoot.analysis.summary import Row, Summary, summarize
from surefoot.analysis.target import Arrivals, Reach
from surefoot.analysis.tuning import TuningRow, tunings
from surefoot.analysis.verdict import Pair, Verdict

__all__ = [
    "Arm",
    "Arrivals",
    "Comparison",
    "Interval",
    "Pair",
    "Reach",
    "Row",
    "Scale",
    "SeedProfiles",
    "SuiteSummary",
    "Summary",
    "TuningRow",
    "Verdict",
    "group",
    "plain",
    "summarize",
    "summarize_suite",
    "tunings",
]
