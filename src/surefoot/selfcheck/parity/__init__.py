"""The same rule in every framework: ours and their own, measured against the rule on NumPy in float64.

| file | concept |
| --- | --- |
| `cases.py` | What is compared |
| `findings.py` | What goes wrong elsewhere, measured where it shows best, with ours beside it |
| `front.py` | What a front-end has to do to be measured |
| `limits.py` | Where a front-end knowingly differs from its framework |
| `measure.py` | How far a front-end's weights are from the rule's |
| `processes.py` | All front-ends that are installed, each in its own process, two at a time |
| `result.py` | What was measured |
| `worker.py` | One front-end measured in a process of its own |
"""

from surefoot.selfcheck.parity.processes import FRONT_ENDS, run
from surefoot.selfcheck.parity.result import Finding, Result, Row

__all__ = ["FRONT_ENDS", "Finding", "Result", "Row", "run"]
