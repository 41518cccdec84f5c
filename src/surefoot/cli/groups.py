"""`surefoot groups`: lists a model's parameters and the rule that steps each, before training."""

from __future__ import annotations

from typing import Any

import typer

from surefoot.cli.options import Json, Study, refuse_function, takes
from surefoot.cli.printing import print_json
from surefoot.compare_call import asked
from surefoot.comparison.groups import OWN_MODEL, described, outlined


@takes("optimizers", "batch_size", "train_size")
def groups(
    study: Study = "article",
    as_json: Json = False,
    **given: Any,
) -> None:
    """Print the role of each parameter of a model, and why; with -o also who steps it, rate and decay.

    Example: surefoot groups my.py:task -o "lion(rest=adamw)"
    """
    refuse_function(study, OWN_MODEL)
    request, _ = asked(study, **{**given, "optimizers": given["optimizers"] or ["adamw"]})
    found = described(request) if given["optimizers"] else {request.name: outlined(request)}
    if as_json:
        print_json({label: one.to_json() for label, one in found.items()})
        return
    typer.echo("\n\n".join(f"{label}: {one}" for label, one in found.items()))
