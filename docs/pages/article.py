"""The tutorial's experiment from a stored run: its table as text, and its figures drawn anew from the stored epochs."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from pages.markdown import fenced, table
from pages.studies import interval, stored

BACKENDS = {"tensorflow": "Keras on TensorFlow", "jax": "Keras on JAX", "torch": "Keras on torch"}
STORE = "article.sqlite"
COMMAND = "surefoot compare article --seeds 5"


def write(data: Path, generated: Path) -> None:
    """Write the table, the verdict and the figures."""
    from surefoot.analysis import summarize
    from surefoot.report.export import write_figures
    from surefoot.store import Store
    from surefoot.words import as_json

    with TemporaryDirectory() as folder:  # SQLite leaves files beside what it reads
        shutil.copy(data / STORE, folder)
        with Store(Path(folder) / STORE, readonly=True) as results:
            records = [record for record in results.records() if record.status == "finished"]
    summary = summarize(records)
    result = as_json(summary)
    (generated / "article.md").write_text(_text(result), encoding="utf-8")
    (generated / "keras.md").write_text(_beside_keras(result, *stored(data, "keras")), encoding="utf-8")
    write_figures(summary, generated / "article", ["svg"])


def _text(result: dict) -> str:
    rows = [
        (row["label"], interval(row["test_loss"], share=False), interval(row["test_metric"], share=True), str(row["n"]))
        for row in result["rows"]
    ]
    head = ("optimizer", "test loss", "test accuracy", "seeds")
    return f"{fenced(COMMAND, 'console')}\n\n{table(head, rows)}\n\n{result['verdict']['text']}\n"


def _beside_keras(result: dict, command: str, keras: dict) -> str:
    """The tutorial's own script on the backends of Keras on which it was run, beside our run: accuracies, one seed."""
    backends = {name: title for name, title in BACKENDS.items() if name in keras}
    rows = [
        (
            name,
            interval(ours["test_metric"], share=True),
            *(f"{100 * keras[backend][name]['accuracy']:.2f} %" for backend in backends),
        )
        for ours, name in ((row, row["label"].partition("(")[0]) for row in result["rows"])
    ]
    head = ("optimizer", f"Surefoot, {result['rows'][0]['n']} seeds", *backends.values())
    return f"{fenced(command, 'console')}\n\n{table(head, rows)}\n"
