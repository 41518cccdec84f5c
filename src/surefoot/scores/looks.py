"""The seeds of earlier verdicts on a file, noted beside it. Seeds that are added later are another look."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from surefoot.errors import UsageError
from surefoot.files import write_whole
from surefoot.scores.entries import Entries

SeedsSeen = Mapping[str, Sequence[int]]
"""The seeds of each optimizer in one verdict."""


def noted(path: Path) -> Path:
    """Return the path of the notes about a file."""
    return path.with_name(f"{path.name}.looks.json")


def looks(path: Path) -> dict[str, list[SeedsSeen]]:
    """Return the earlier looks at each task of a file; the only task of a file may have an empty name."""
    if not noted(path).exists():
        return {}
    try:
        found = json.loads(noted(path).read_text(encoding="utf-8"))
        tasks = found["tasks"] if "tasks" in found else {"": found["looks"]}
        return {
            str(task): [{str(label): [int(seed) for seed in seeds] for label, seeds in one.items()} for one in mine]
            for task, mine in tasks.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{noted(path)} should have the seeds of earlier verdicts and cannot be read ({error}); put it back, or "
            "delete it if these scores were never judged before."
        ) from error


def note(path: Path, earlier: Mapping[str, list[SeedsSeen]], tasks: Mapping[str, Entries]) -> None:
    """Note a verdict beside its file, if its seeds are not those of the last one."""
    later = dict(earlier)
    for task, entries in tasks.items():
        now = {label: sorted(seed for seed, one in own.items() if one.ended) for label, own in entries.items()}
        mine = later.get(task, [])
        later[task] = mine if mine[-1:] == [now] else [*mine, now]
    if later != earlier:
        content = {"looks": later[""]} if set(later) == {""} else {"tasks": later}
        write_whole(noted(path), json.dumps(content, indent=1))
