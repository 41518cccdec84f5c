"""A rule that needs a sum over a whole tensor, such as a norm, as stages that run one after the other.

Each sum is a stage: a kernel writes what is to be summed, and the host adds it up, once for each tensor. To the next
stage the sum is one scalar more, `total0`, `total1` and so on; the last stage is the update itself. A rule without
sums is one stage.
"""

from __future__ import annotations

from surefoot.compiler.graph import Graph, Node, needed
from surefoot.compiler.plan import Plan, plan


def stages(graph: Graph) -> tuple[Plan, ...]:
    """Return the plan of each sum, whose one output is `total0`, `total1` and so on, and last that of the update.

    Raises:
        UsageError: a stage cannot be planned.
    """
    used = needed(graph.outputs.values())
    totals = [node for node in graph.nodes if node.op == "total" and node in used]
    sums = [_stage(graph, {f"total{k}": node.args[0]}, totals[:k]) for k, node in enumerate(totals)]
    return tuple(plan(stage) for stage in (*sums, _stage(graph, graph.outputs, totals)))


def _stage(graph: Graph, outputs: dict[str, Node], totals: list[Node]) -> Graph:
    """Return the part of a graph that makes these outputs, in which the sums so far are scalars."""
    if not totals and outputs is graph.outputs:
        return graph
    part, made = Graph(), dict[Node, Node]()
    wanted = needed(outputs.values())
    for node in graph.nodes:
        if node in totals:
            made[node] = part.add("scalar", value=f"total{totals.index(node)}")
        elif node in wanted and all(arg in made for arg in node.args):
            made[node] = part.add(node.op, *(made[arg] for arg in node.args), value=node.value)
    part.outputs = {name: made[node] for name, node in outputs.items()}
    return part
