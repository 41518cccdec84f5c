"""Plans as text: one table of spellings for each target.

| file | concept |
| --- | --- |
| `formula.py` | A rule as formulas, whatever they are written in |
| `javascript.py` | A rule as a JavaScript function on one weight, in float64, for pages that show it at work |
| `kernel.py` | What the kernels for CPU and GPU have in common |
| `latex.py` | A rule as formulas in LaTeX, in the paper's letters; which lines there are says `formula.py` |
| `mathml.py` | A rule as MathML, for pages |
| `numba.py` | A plan as the text of a Numba kernel |
| `targets.py` | The targets of the compiler by name |
| `tidy.py` | A graph rewritten as a person would write the formula |
| `triton.py` | A plan as the text of a Triton kernel |
| `unicode.py` | A rule as formulas in plain text with Unicode's letters |
| `walk.py` | Expressions as text |
"""
