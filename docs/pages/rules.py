"""A page for each rule, made of what the rule itself, its conventions and `surefoot explain` know."""

from pathlib import Path

from pages.markdown import fenced, html, table
from pages.picture import draw
from surefoot.compiler.emit import formula, mathml
from surefoot.conventions import FRAMEWORKS, convention, resolve
from surefoot.explain.differences import defaults, forms
from surefoot.explain.explanation import CALLED, STEPS, Explanation, tree
from surefoot.explain.surfaces import SURFACES
from surefoot.rules import RULES

CLASSES = {
    "momentum": ("SGD", ", momentum=0.9"),
    "nesterov": ("SGD", ", momentum=0.9, nesterov=True"),
    "amsgrad": ("Adam", ", amsgrad=True"),
    "lars": ("Lars", ""),
    "lamb": ("Lamb", ""),
    "schedule_free_sgd": ("SGDScheduleFree", ""),
    "schedule_free_adamw": ("AdamWScheduleFree", ""),
    "schedule_free_radam": ("RAdamScheduleFree", ""),
    "dadapt_sgd": ("DAdaptSGD", ""),
    "dadapt_adam": ("DAdaptAdam", ""),
}
"""The class of a rule that has none of its title, and the arguments that make it this rule."""

IN_KERAS = {
    "nadam": "Nadam",
    "schedule_free_sgd": "ScheduleFreeSGD",
    "schedule_free_adamw": "ScheduleFreeAdamW",
    "schedule_free_radam": "ScheduleFreeRAdam",
}
"""Keras's class, where it is called otherwise."""

SURFACE = "valley"


def pages() -> dict[str, str]:
    """Return the text of every page by its path."""
    return {"rules/index.md": _index(), **{f"rules/{name}.md": _page(name) for name in RULES}}


def _index() -> str:
    lines = "\n".join(f"{drawn}{rule.title}: {rule.about.adds}" for (rule,), drawn, _ in tree())
    names = "\n".join(RULES)
    return f"""# The rules

Each rule adds something to the one before it.

{fenced(lines)}

The same in a terminal: `surefoot explain`.

```{{toctree}}
:maxdepth: 1

{names}
```
"""


def _page(name: str) -> str:
    found = Explanation(RULES[name], "torch", resolve(name, "torch", {}))
    rule, about = found.rule, found.rule.about
    beyond = f" Beyond {rule.parent.title}, it {about.adds}." if rule.parent else ""
    parts = [
        f"# {rule.title}\n\n{rule.doc}{beyond}\n\nSource: {rule.source}.",
        f"## Formula\n\n{_formula(found)}",
        f"## Its numbers\n\n{_numbers(found)}",
        f"## What each framework means by it\n\n{_frameworks(name)}",
        f"## When to use it\n\n{_claims(about.use)}",
        f"## When not\n\n{_claims(about.avoid)}",
        f"## Cost\n\n{_cost(found)}",
        f"## A picture\n\n{_picture(found)}",
        f"## Code that runs\n\n{_code(name)}",
        f"## The rule itself\n\n{_source(name)}",
    ]
    return "\n\n".join(parts) + "\n"


def _formula(found: Explanation) -> str:
    lines = "\n".join(mathml.emit(found.graph, formula.zeros_of(found.hyper)))
    letters = "\n".join(f"- {letter}: {meaning}" for letter, meaning in found.signs)
    drawn = html(f'<div class="formula">{lines}</div>')
    return f"{found.meant} Every option is at its default.\n\n{drawn}\n\n{letters}"


def _numbers(found: Explanation) -> str:
    rows = []
    for letter in found.letters:
        sensible = "`{:g}` to `{:g}`".format(*letter.sensible) if letter.sensible else ""
        value = f"`{letter.name}`", f"`{letter.value:g}`"
        rows.append((letter.symbol, *value, letter.meaning, f"`{letter.legal}`", sensible))
    return table(("symbol", "name", "default", "meaning", "legal", "sensible"), rows)


def _frameworks(name: str) -> str:
    rows = []
    for line in (*defaults(name), *forms(name)):
        values = (line.values[framework] for framework in FRAMEWORKS)
        cells = (f"`{value}`" if value[:1].isdigit() else value or "–" for value in values)
        rows.append((f"**{line.about}**" if line.differs else line.about, *cells))
    notes = [
        f"- {CALLED[f].capitalize() if f == 'paper' else CALLED[f]}: {convention(name, f).note}."
        for f in FRAMEWORKS
        if convention(name, f).note
    ]
    head = ("", *(CALLED[f] for f in FRAMEWORKS))
    told = "Lines in bold differ. Choose another meaning with `convention=`; `surefoot explain {} --conventions` says "
    told = told.format(name) + "what copying a number from one framework to another costs."
    return "\n\n".join([table(head, rows), *(["\n".join(notes)] if notes else []), told])


def _claims(claims) -> str:
    return "\n".join(f"- {claim.text} ({claim.source})" for claim in claims)


def _cost(found: Explanation) -> str:
    cost = found.cost
    kept = f"{cost.state_bytes} bytes of state ({', '.join(cost.slots)})" if cost.slots else "no state"
    return (
        f"For each float32 weight: {kept}; one step moves {cost.moved_bytes:g} bytes of memory. "
        f"`surefoot explain {found.rule.name} --time` measures the step on your machine."
    )


def _picture(found: Explanation) -> str:
    surface = SURFACES[SURFACE]
    lr, path = found.walk(surface)
    changed = f", with {found.remark}" if found.remark else ""
    words = f"The path of {found.rule.title} on the surface {surface.title}, {STEPS} steps with lr={lr:g}"
    return (
        html(f'<div class="picture">{draw(surface, path, words)}</div>')
        + f"\n\n{words}: the best rate of a grid{changed}. It starts at the ring and ends at the dot. "
        "An illustration, not evidence: two weights say nothing about which optimizer is best for a network; see "
        "[how to choose](../../choose.md)." + _tried_on(found)
    )


def _tried_on(found: Explanation) -> str:
    """Return the link to the playground, where every rule is but those for matrices."""
    if found.rule.shape != "any":
        return ""
    link = f'<p><a href="{_playground(found)}">Try it with other numbers and surfaces in the playground.</a></p>'
    return f"\n\n{html(link)}"


def _playground(found: Explanation) -> str:
    """Return the address of the playground with this rule in it, beside the one that it builds on."""
    race = ",".join(f"{rule.name}~torch" for rule in (found.rule.parent, found.rule) if rule)
    return f"../../playground.html#surface={SURFACE}&amp;race={race}"


def _code(name: str) -> str:
    lr = "1.0" if RULES[name].defaults["lr"] == 1 else "0.01"
    parts = (("PyTorch", _in_torch), ("Keras 3", _in_keras), ("JAX, with optax", _in_optax))
    return "\n\n".join(f"{where}:\n\n{fenced(code(name, lr), 'python')}" for where, code in parts)


def _in_torch(name: str, lr: str) -> str:
    title, more = CLASSES.get(name, (RULES[name].title, ""))
    if _only_matrices(name):
        return f"""import torch
import surefoot.torch

model = torch.nn.Sequential(*(torch.nn.Linear(3, 3) for _ in range(3)))
optimizer = surefoot.torch.split(model, {name}=dict(lr={lr}), rest=dict(lr=0.001))
model(torch.ones(8, 3)).sum().backward()
optimizer.step()"""
    return f"""import torch
import surefoot.torch

model = torch.nn.Linear(3, 1)
optimizer = surefoot.torch.{title}(model.parameters(), lr={lr}{more})
model(torch.ones(8, 3)).sum().backward()
optimizer.step()"""


def _in_keras(name: str, lr: str) -> str:
    title, more = CLASSES.get(name, (RULES[name].title, ""))
    made = f"{IN_KERAS.get(name, title)}("
    return f"""import surefoot.keras

optimizer = surefoot.keras.{made}learning_rate={lr}{more})"""


def _in_optax(name: str, lr: str) -> str:
    shape = "(3, 2)" if RULES[name].shape == "matrix" else "3"
    return f"""import jax.numpy as jnp
import surefoot.optax

transformation = surefoot.optax.{name}({lr})
weights = jnp.ones({shape})
updates, state = transformation.update(jnp.ones({shape}), transformation.init(weights), weights)"""


def _only_matrices(name: str) -> bool:
    """Return whether a rule has none for what is no matrix."""
    return RULES[name].shape == "matrix" and RULES[name].vector is None


def _source(name: str) -> str:
    file = f"{RULES[name].function.__module__.replace('.', '/')}.py"
    path = Path("..") / ".." / ".." / "src" / file
    return (
        "This is the whole of it. Every kernel, formula and picture on this site is made from this function.\n\n"
        f"```{{literalinclude}} {path.as_posix()}\n:language: python\n```"
    )
