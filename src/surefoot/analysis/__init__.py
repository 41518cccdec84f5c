"""Numbers to claims: rows with intervals, a target that discriminates, a verdict with ties. No sentences, no files.

| file | concept |
| --- | --- |
| `summary.py` | everything that can be said about a study, computed once per command |
| `result_row.py` | the results of one optimizer over its seeds |
| `suite_summary.py` | several studies at once |
| `settings.py` | one optimizer setting with its trials over seeds |
| `scale.py` | the better direction of a metric, and its smallest step |
| `target.py` | targets that tell trials apart, and when each optimizer reached them |
| `families.py` | the pairs that a question tests together |
| `pairwise.py` | every two of a family compared, seeds that diverged included |
| `closeness.py` | whether two optimizers are equal within a margin, or one is not worse by it |
| `verdict.py` | what the seeds allow to claim |
| `interim.py` | what planned looks have decided so far: which arms leave, and whether the run may stop |
| `ranks.py` | the same optimizers by steps, by seconds and by tuning cost |
| `doubts.py` | reasons to doubt a ranking |
| `tuning.py` | how each optimizer was tuned, and what that gained |
| `configurations.py` | what a search tried and chose |
| `rate_free.py` | what optimizers lose and save without tuning |
| `forecast.py` | what earlier trials tell about a study that has not run |
| `published.py` | published figures, as data |
"""

from surefoot.analysis.result_row import ResultRow
from surefoot.analysis.settings import Setting, group
from surefoot.analysis.suite_summary import SuiteSummary, summarize_suite
from surefoot.analysis.summary import Summary, summarize
from surefoot.analysis.target import SeedProfiles
from surefoot.analysis.tuning import TuningRow, tunings

__all__ = [
    "ResultRow",
    "SeedProfiles",
    "Setting",
    "SuiteSummary",
    "Summary",
    "TuningRow",
    "group",
    "summarize",
    "summarize_suite",
    "tunings",
]
