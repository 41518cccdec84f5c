"""Numbers to claims: rows with intervals, a target that discriminates, a verdict with ties. No sentences, no files.

| file | concept |
| --- | --- |
| `summary.py` | everything that is said of a study, computed once a command |
| `settings.py` | one optimizer setting with its trials over seeds, by how they ended |
| `traces.py`, `curve_area.py` | one figure of one trial over time, and the area under it |
| `target.py`, `survival.py` | targets that tell trials apart, and who reached them when |
| `scale.py`, `divergence.py` | which way a metric is better, and what a seed counts that diverged |
| `verdict.py`, `pairwise.py`, `families.py` | what the seeds allow to claim, pair by pair, within which correction |
| `doubts.py`, `inclusion.py` | reasons to doubt a ranking |
| `tuning.py`, `configurations.py` | what was tried, and what was chosen |
| `learning_rates.py`, `robustness.py` | how much of what was tried was good, and what an optimizer forgives |
| `suite_summary.py`, `seed_profiles.py` | several studies at once, or one over its seeds |
| `forecast.py` | what earlier trials tell about a study that has not run |
| `published.py` | published figures, as data |
| `plain.py` | any of our data as what JSON knows |
"""

from surefoot.analysis.pairwise import Comparison
from surefoot.analysis.plain import plain
from surefoot.analysis.scale import Scale
from surefoot.analysis.seed_profiles import SeedProfiles
from surefoot.analysis.settings import Arm, group
from surefoot.analysis.suite_summary import SuiteSummary, summarize_suite
from surefoot.analysis.summary import Row, Summary, summarize
from surefoot.analysis.target import Arrivals, Reach
from surefoot.analysis.tuning import TuningRow, tunings
from surefoot.analysis.verdict import Pair, Verdict
from surefoot.statistics.intervals import Interval

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
