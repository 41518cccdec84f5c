"""One front-end measured in a process of its own: a process has one backend of Keras, and jax one set of options.

`python -m surefoot.selfcheck.parity.worker keras-jax` prints what it measured as the last line, one JSON object.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from importlib import import_module

from surefoot.selfcheck.parity.findings import findings
from surefoot.selfcheck.parity.front import FrontEnd
from surefoot.selfcheck.parity.measure import rows


def front(name: str) -> FrontEnd:
    """Return the front-end of a name; its framework is loaded here."""
    framework = name.partition("-")[0]
    made: FrontEnd = getattr(import_module(f"surefoot.selfcheck.parity.fronts.{framework}"), framework.capitalize())()
    return made


def main() -> None:
    """Measure the front-end that the command line names."""
    measured = front(sys.argv[1])
    content = {"rows": [asdict(row) for row in rows(measured)], "findings": [asdict(f) for f in findings(measured)]}
    print(json.dumps(content), flush=True)


if __name__ == "__main__":
    main()
