"""What writes the generated pages of the site: one module for each kind of page, each a function from facts to text.

They go to `docs/generated`, which no one edits and git does not keep.
"""

import shutil
from pathlib import Path

from pages import article, command_line, rate_free, rules, studies


def write_pages(docs: Path) -> None:
    """Write every generated page anew."""
    from surefoot.explain.page import write_page as write_playground

    generated = docs / "generated"
    shutil.rmtree(generated, ignore_errors=True)
    (generated / "extra").mkdir(parents=True)
    _write(generated, rules.pages())
    data = docs / "data"
    own = {"cli.md": command_line.page(), "studies.md": studies.page(data), "rate-free.md": rate_free.page(data)}
    _write(generated, own)
    article.write(data, generated)
    write_playground(generated / "extra" / "playground.html")


def _write(folder: Path, pages: dict[str, str]) -> None:
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
