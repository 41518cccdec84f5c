"""Claims to files: one offline HTML page, figures as SVG and PNG, results as CSV and JSON."""

from surefoot.report.export import write_csv, write_figures, write_json
from surefoot.report.page import write_report

__all__ = ["write_csv", "write_figures", "write_json", "write_report"]
