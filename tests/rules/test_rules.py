"""Every rule in every convention against independent implementations in float64: the table is in `cases.py`.

Those against optax's own optimizers stand in `tests/optax/test_optax_equality.py`: one run of optax judges the rule and
`surefoot.optax`.
"""

from __future__ import annotations

import pytest

from cases import CASES, TOLERANCE


@pytest.mark.parametrize("case", [case for case in CASES if not case.by_optax], ids=str)
def test_rule_equals_independent_implementation(case):
    assert case.error() <= TOLERANCE
