"""How long the front door takes: `surefoot --help` and `import surefoot`, beside a bare Python. Run: make bench."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import surefoot": [sys.executable, "-c", "import surefoot"],
    "surefoot --help": [str(Path(sys.executable).with_name("surefoot")), "--help"],
    "import surefoot.torch": [sys.executable, "-c", "import surefoot.torch"],
    "import torch": [sys.executable, "-c", "import torch"],
}
ROUNDS = 7


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    print(f"Start-up, median of {ROUNDS} interleaved runs:")
    for name, times in taken.items():
        print(f"  {name:<22} {statistics.median(times):.3f} s")


if __name__ == "__main__":
    main()
