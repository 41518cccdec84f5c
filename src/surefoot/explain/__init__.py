"""Explanations made from the running rules: formulas, conventions, paths, and a page to play with.

| file | concept |
| --- | --- |
| `family.py` | which rule builds on which |
| `explanation.py` | all that is known about one rule, as data |
| `terminal.py`, `plot.py` | the same in 80 columns, with a picture of its path in dots |
| `signs.py` | what the letters of its formula stand for |
| `differences.py`, `drift.py` | where frameworks differ, and what copying a number from one to another costs |
| `surfaces.py`, `gradient.py` | the landscapes: functions of two weights, their gradients derived from their graphs |
| `path.py`, `noise.py` | a rule walking over a surface in float64: what the page must repeat |
| `forms.py`, `sliders.py` | each rule in each convention as JavaScript and MathML, with a slider for each number |
| `page.py`, `web/`, `colours.py` | the playground: one file that needs no network |
| `serve.py` | showing it |
| `rule_html.py` | a rule in a notebook |
"""
