"""The benchmark: the cost of each rule's step on each engine, beside other libraries and memory itself.

| file | concept |
| --- | --- |
| `shapes.py` | the parameter sets: shapes only |
| `cases.py` | what is timed: each rule, and clipping + AdamW + averaging |
| `arena.py` | the memory that all contenders of a case share |
| `contenders.py` | one contender, made ready to step |
| `line_up.py`, `other_libraries.py` | who is timed: ours and torch's; other libraries |
| `memory.py` | whether a set fits |
| `floor.py` | a kernel that moves the same bytes and computes nothing |
| `turns.py` | the clock: contenders take turns, and Ctrl-C waits for the end of one |
| `run.py`, `result.py` | a whole benchmark, and its figures |
| `chart.py` | its picture |
| `first_step.py` | the first step of a fresh process |
"""
