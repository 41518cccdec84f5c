"""Explanations made from the running rules: formulas, conventions, paths, and a page to play with.

| file | concept |
| --- | --- |
| `explanation.py` | all that is known about one rule, as data and in a notebook; which rule builds on which |
| `differences.py` | where frameworks differ, and what copying a number from one to another costs |
| `terminal.py` | the same in 80 columns |
| `surfaces.py`, `gradient.py` | the landscapes: functions of two weights, their gradients derived from their graphs |
| `path.py` | a rule walking over a surface in float64: what the page must repeat; its picture in dots |
| `playground_forms.py` | each rule in each convention as JavaScript and MathML, with a slider for each number |
| `page.py`, `web/` | the playground: one file that needs no network, and a server for it |
"""
