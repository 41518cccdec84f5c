"""`surefoot try`: whether every optimizer works on a task, before anything is trained."""

from __future__ import annotations

from typing import Any

import typer

from surefoot.cli.options import Json, Study, takes
from surefoot.cli.printing import print_json
from surefoot.compare_call import try_out as tried


@takes("optimizers", "better", "batch_size", "schedule", "workers", "device")
def try_out(
    study: Study = "article",
    as_json: Json = False,
    **given: Any,
) -> None:
    """Build, step, evaluate, save and load each optimizer on the task's model, and say what does not work.

    Example: surefoot try article -o torch.optim.NAdam
    """
    found = tried(study, **{**given, "optimizers": given["optimizers"] or None})
    if as_json:
        print_json(found)
    else:
        for label, reason in found.items():
            typer.echo(f"{label}: {f'does not work: {reason}' if reason else 'works'}")
    if any(found.values()):
        raise typer.Exit(1)
