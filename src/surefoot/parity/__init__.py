"""The same rule in every framework: ours and their own, measured against the rule on NumPy in float64."""

from surefoot.parity.processes import FRONT_ENDS, run
from surefoot.parity.result import Finding, Result, Row

__all__ = ["FRONT_ENDS", "Finding", "Result", "Row", "run"]
