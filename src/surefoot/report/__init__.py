"""Claims to files: one offline HTML page, figures as SVG and PNG, results as CSV, JSON, Markdown and LaTeX.

| file | concept |
| --- | --- |
| `clocks.py` | What a curve can run against |
| `curve_rows.py` | The rows behind the curves |
| `curves.py` | Curves of loss and metric |
| `documents.py` | Tables for a paper: the results, every pair and the tuning, as Markdown or LaTeX |
| `export.py` | The report's content as separate files |
| `figure.py` | A figure: panels side by side with a title and a caption |
| `figures.py` | The figures of a report, in reading order |
| `metric_axes.py` | A figure of merit on an axis |
| `page.py` | The report: one HTML file that needs no network, no server and no other file |
| `profile.py` | The performance profile |
| `provenance.py` | Where the numbers come from: the protocol in words, settings and machine |
| `raw.py` | The records inside the page |
| `reference.py` | Published numbers beside the user's own curves |
| `repeat.py` | How a study is repeated, from what was asked for |
| `scales.py` | Axes: logarithmic ones with ticks at 1 |
| `scatter.py` | Generalization |
| `step_sizes.py` | The picture that explains adaptive optimizers |
| `suite_page.py` | The page of a suite |
| `survival.py` | How long until a target |
| `theme.py` | Colours and line styles |
| `thinning.py` | How much of a large study a page carries |
| `tuning.py` | Two pictures of tuning |
"""

from surefoot.report.documents import write_latex, write_markdown
from surefoot.report.export import write_csv, write_figures, write_json
from surefoot.report.page import write_report
from surefoot.report.reference import Reference

__all__ = [
    "Reference",
    "write_csv",
    "write_figures",
    "write_json",
    "write_latex",
    "write_markdown",
    "write_report",
]
