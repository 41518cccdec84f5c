"""Tables for a paper: the results, every pair and the tuning, as Markdown or LaTeX.

The cells are those of the page and the terminal, digit for digit. Names are the user's, so whatever either language
would read as a command is escaped. The LaTeX needs no package beyond `booktabs`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from surefoot.analysis import Summary
from surefoot.files import write_whole
from surefoot.words import Table, table, tuning_table, verdict_text
from surefoot.words.pairs import pair_table

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "−": "$-$",
    "±": r"$\pm$",
    "–": "--",
    "\n": "; ",
} | {sign: f"\\{sign}" for sign in "&%$#_{}"}
MARKDOWN = {"\n": "; "} | {sign: f"\\{sign}" for sign in "\\`*_{}[]<>()#+!|~$&"}


def write_markdown(summary: Summary, path: str | Path) -> Path:
    """Write the verdict and the tables as Markdown (with pipe tables) and return the path."""
    return write_whole(path, markdown(summary))


def write_latex(summary: Summary, path: str | Path) -> Path:
    r"""Write the tables as LaTeX, to be `\input` where `booktabs` is loaded, and return the path."""
    return write_whole(path, latex(summary))


def markdown(summary: Summary) -> str:
    """The verdict, the result table, every pair and the tuning as Markdown."""
    blocks = [_escaped(verdict_text(summary), MARKDOWN)]
    blocks += [f"## {heading}\n\n{_pipes(cells)}" for heading, cells in _tables(summary)]
    return f"# {_escaped(summary.study, MARKDOWN)}\n\n" + "\n\n".join(blocks) + "\n"


def latex(summary: Summary) -> str:
    """The result table, every pair and the tuning as LaTeX, a `table` for each."""
    verdict = " ".join(verdict_text(summary).split())
    return f"% {verdict}\n\n" + "\n\n".join(_booktabs(heading, cells) for heading, cells in _tables(summary)) + "\n"


def _tables(summary: Summary) -> Iterator[tuple[str, Table]]:
    yield "Results", table(summary)
    if pairs := pair_table(summary):
        yield f"Differences in test {summary.scale.name}, paired by seed", pairs
    if tuning := tuning_table(summary):
        yield "Tuning", tuning


def _pipes(cells: Table) -> str:
    rule = ["---", *("---:" for _ in cells.header[1:])]
    rows = [[_escaped(cell, MARKDOWN) or " " for cell in row] for row in (cells.header, *cells.texts)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], rule, *rows[1:]))


def _booktabs(heading: str, cells: Table) -> str:
    head, *rows = (_latex_row(row) for row in (cells.header, *cells.texts))
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_escaped(heading, LATEX)}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(cells.header) - 1)}}}",
        r"\toprule",
        rf"{head} \\",
        r"\midrule",
        *(rf"{row} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def _latex_row(row: Sequence[str]) -> str:
    """The cells; a bracket or star at the start would be read as an option of the line before."""
    text = " & ".join(_escaped(cell, LATEX) for cell in row)
    return f"{{}}{text}" if text.startswith(("[", "*")) else text


def _escaped(text: str, signs: dict[str, str]) -> str:
    return "".join(signs.get(sign, sign) for sign in text)
