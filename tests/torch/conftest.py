"""What tests that put our optimizers beside torch's have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def product_in_double_precision(request: pytest.FixtureRequest) -> Iterator[None]:
    """torch keeps NAdam's product of momenta in the default kind of numbers, ours in float64 always: so both do."""
    import torch

    before = torch.get_default_dtype()
    if hasattr(request.node, "callspec") and request.node.callspec.params.get("name") == "NAdam":
        torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)
