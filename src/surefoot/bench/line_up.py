"""Who is there to time, case by case, and who could be."""

from __future__ import annotations

from surefoot.bench.cases import case_names
from surefoot.bench.contenders import Contender
from surefoot.bench.other_peers import INSTALL, optax_peers, pytorch_optimizer_peers
from surefoot.bench.ours import ours
from surefoot.bench.torch_peers import torch_peers


def contenders(case: str, *, compiled: bool = False) -> list[Contender]:
    """Return everyone who does a case, ours first, also those whose library is absent.

    Args:
        case: the case's name.
        compiled: also torch.compile.
    """
    return [
        *ours(case),
        *torch_peers(case, compiled=compiled),
        *pytorch_optimizer_peers(case),
        *optax_peers(case),
    ]


def absent() -> dict[str, str]:
    """Return the libraries that could be timed but are not installed, and how to add each."""
    missing = {one.library for name in case_names() for one in contenders(name) if not one.available}
    return {library: how for library, how in INSTALL.items() if library in missing}
