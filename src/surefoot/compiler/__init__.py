"""The compiler: it calls a rule once on symbols, and makes a graph, a plan and a kernel's text.

| file | concept |
| --- | --- |
| `graph.py` | the operations that a rule does, each once |
| `trace.py` | symbols: call the rule on them and read off the graph |
| `arctan.py` | the arc tangent that kernels compute |
| `kernel_plan.py` | what is computed once a step on the host, and what for each weight; a plan for each stage of sums |
| `matrix_cost.py` | what products of matrices cost |
| `emit/` | graph and plan as text: a file for each target, `targets.py` chooses |
"""
