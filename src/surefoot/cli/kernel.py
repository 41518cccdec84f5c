"""`surefoot kernel`: the code that a rule becomes, to read or to take elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

from surefoot.arms.optimizer_text import parse_rule
from surefoot.cli.options import Json
from surefoot.cli.printing import print_json
from surefoot.compiler.emit.targets import emit
from surefoot.conventions import resolve


def kernel(
    rule: Annotated[str, typer.Argument(help='Rule with its options: "adam(eps=0.1)", my.py:rule.')],
    target: Annotated[str, typer.Option("--target", "-t", help="numba, triton, latex or js.")] = "numba",
    convention: Annotated[str, typer.Option(help="Form of the rule: torch, keras, optax or paper.")] = "torch",
    dtype: Annotated[str, typer.Option(help="Numbers of a kernel: float32, float64, bfloat16 or float16.")] = "float32",
    as_json: Json = False,
) -> None:
    """Print a rule as a kernel (CPU or GPU), a formula or a function in JavaScript.

    Example: surefoot kernel "adabound(final_lr=0.5)" --target latex
    """
    own, given = parse_rule(rule)
    made = emit(own, resolve(own, convention, given), target, dtype)
    if not as_json:
        typer.echo(made.text, nl=False)
        return
    result = {"rule": own.name, "target": target, "convention": convention}
    print_json({**result, "bytes_per_weight": made.bytes_per_weight, "text": made.text})
