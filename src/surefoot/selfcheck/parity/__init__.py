"""The same rule in every framework: ours and their own, measured against the rule on NumPy in float64.

| file | concept |
| --- | --- |
| `grid.py` | which optimizers run, on which gradients, and how far each is from the rule |
| `drive_torch.py`, `drive_optax.py`, `drive_keras.py` | a framework runs them, as `frontends/contract.py` asks |
| `findings.py` | what goes wrong elsewhere, with ours beside it |
| `limits.py` | where a front-end differs from its framework, and why |
| `result.py` | what was measured, and the bound |
| `processes.py` | each front-end in a process of its own |
"""

from surefoot.selfcheck.parity.processes import FRONT_ENDS, run
from surefoot.selfcheck.parity.result import Distance, Flaw, ParityResult

__all__ = ["FRONT_ENDS", "Distance", "Flaw", "ParityResult", "run"]
