"""Claims to files: one offline HTML page, figures as SVG and PNG, results as CSV, Markdown and LaTeX.

| file | concept |
| --- | --- |
| `page.py` | the report as one HTML file, and the page of several studies together |
| `export.py` | the report's content as separate files, and the records inside the page |
| `figures.py` | the figures of a report, in reading order; training loss against test error |
| `curves.py`, `curve_rows.py` | loss and metric while training, and the rows behind the lines |
| `staircases.py` | time to a target, performance profile |
| `step_sizes.py` | how large a step each weight takes |
| `tuning.py` | where good learning rates lie, what more trials would have bought |
| `figure.py` | panels with a title and a caption, how much of a large study they draw |
| `axes.py` | logarithmic, linear and counting axes |
| `quantity.py` | a loss or a metric: its heights and the axis that fits |
| `clocks.py` | epochs, steps or seconds along the horizontal axis |
| `theme.py` | colours, line styles, point shapes |
| `reference.py` | published numbers beside the user's own curves |
| `provenance.py`, `repeat.py` | protocol, settings and machine in words; how to run it again |
"""

from surefoot.report.export import write_csv, write_figures, write_latex, write_markdown
from surefoot.report.page import write_report

__all__ = ["write_csv", "write_figures", "write_latex", "write_markdown", "write_report"]
