"""How long the report of a finished study of 10,000 trials takes, from the store to the page.

    python benchmarks/report_time.py [--trials 10000] [--study rosenbrock] [--store many.sqlite]

A store that exists is reported as it is; a new one is filled first, and kept where it has a name.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from trial_overhead import EPOCHS, filled

from surefoot.analysis import summarize
from surefoot.report import write_report
from surefoot.store import Store
from surefoot.study import newest_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--study", default="rosenbrock")
    parser.add_argument("--store", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, page = asked.store or Path(folder) / "many.sqlite", Path(folder) / "report.html"
        if not path.exists():
            with Store(path) as store:
                filled(asked.study, asked.trials, store)
        begin = time.perf_counter()
        design, records = newest_run(asked.study, path)
        read = time.perf_counter()
        summary = summarize(records, design)
        judged = time.perf_counter()
        write_report(summary, page)
        end = time.perf_counter()
        size = page.stat().st_size / 1e6
    print(f"{len(records)} trials of {asked.study}, {EPOCHS} epochs each; a page of {size:.1f} MB")
    print(f"reading the store    {read - begin:8.2f} s")
    print(f"the summary          {judged - read:8.2f} s")
    print(f"the page             {end - judged:8.2f} s")
    print(f"the report           {end - begin:8.2f} s")


if __name__ == "__main__":
    main()
