"""Claims to files: one offline HTML page, figures as SVG and PNG, results as CSV, JSON, Markdown and LaTeX."""

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
