"""The tutorial's experiment from a stored run: its table as text, and its figures drawn anew from the stored epochs."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from pages.markdown import fenced, table
from pages.studies import interval

STORE = "article.sqlite"
COMMAND = "surefoot compare article --seeds 3"


def write(data: Path, generated: Path) -> None:
    """Write the table, the verdict and the figures."""
    from surefoot.analysis import summarize
    from surefoot.report.export import write_figures
    from surefoot.store import Store

    with TemporaryDirectory() as folder:  # SQLite leaves files beside what it reads
        shutil.copy(data / STORE, folder)
        with Store(Path(folder) / STORE, readonly=True) as results:
            records = [record for record in results.records() if record.status == "finished"]
    (generated / "article.md").write_text(_text(summarize(records).to_json()), encoding="utf-8")
    write_figures(records, generated / "article", ["svg"])


def _text(result: dict) -> str:
    rows = [
        (row["label"], interval(row["test_loss"], share=False), interval(row["test_metric"], share=True), str(row["n"]))
        for row in result["rows"]
    ]
    head = ("optimizer", "test loss", "test accuracy", "seeds")
    return f"{fenced(COMMAND, 'console')}\n\n{table(head, rows)}\n\n{result['verdict']['text']}\n"
