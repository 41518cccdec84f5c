"""The script of a report's figures is made once for all runs, in a process of its own, and read from its file.

Making it takes a second and a JavaScript engine, by which the process grows by 90 MB.
"""

import subprocess
import sys
from pathlib import Path

from surefoot.files import write_whole

CODE = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle(sys.argv[1]).encode())"


def made_elsewhere(folder: Path) -> None:
    """Have it made elsewhere until this process ends, if what makes it has been imported."""
    if not (module := sys.modules.get("vl_convert")):
        return

    def bundle(snippet: str) -> str:
        path = folder / f"{module.__version__} {snippet}.js"
        if not path.exists():
            made = subprocess.run([sys.executable, "-c", CODE, snippet], capture_output=True, check=True)
            write_whole(path, made.stdout)
        return path.read_text(encoding="utf-8")

    vars(module)["javascript_bundle"] = bundle
