"""The benchmark: what a step of each rule costs on each engine, against other libraries and against the memory itself.

| file | concept |
| --- | --- |
| `shapes.py` | the parameter sets: shapes only |
| `cases.py` | What is timed |
| `arena.py` | the memory that all contenders of a case share |
| `contenders.py`, `ours.py`, `torch_peers.py`, `other_peers.py`, `line_up.py` | who is timed |
| `memory.py` | whether a set fits |
| `floor.py` | a kernel that moves the same bytes and computes nothing |
| `turns.py` | the clock: contenders take turns, in an order that rotates |
| `run.py`, `result.py`, `chart.py` | a whole benchmark, its figures, its picture |
| `interrupt.py` | Ctrl-C, which shows what was measured until then |
| `cold.py` | the first step of a fresh process |
"""
