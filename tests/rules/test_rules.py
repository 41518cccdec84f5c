"""Every rule in every convention against independent implementations in float64: the table is in `cases.py`."""

from __future__ import annotations

import pytest

from cases import CASES, TOLERANCE


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule_equals_independent_implementation(case):
    assert case.error() <= TOLERANCE
