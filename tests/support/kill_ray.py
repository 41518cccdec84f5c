"""Kill workers, nodes and the driver of a study on a Ray cluster at random moments: nothing lost, nothing done twice.

    python tests/support/kill_ray.py [--kills 50] [--seed 0]

A cluster of a head and two nodes runs on this machine. Whatever is killed, the same command goes on; when a study is
done, its numbers must be those of one process that nobody disturbed, and the next study begins, until all kills are
done.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from line_task import line, numbers, pause, serial, trials
from samples import DESIGN
from surefoot.comparison.driver import Run
from surefoot.store import Store
from surefoot.store.design import Budget
from surefoot.training.events import EpochDone
from surefoot.workers.runner import Runner

ARMS = ("sgd(lr=0.1)", "adam(lr=0.1)", "adabound")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--drive", nargs=2, metavar=("STORE", "ADDRESS"), help="be the driver, and no more")
    asked = parser.parse_args()
    if asked.drive:
        drive(Path(asked.drive[0]), asked.drive[1])
        return
    print(f"seed {asked.seed}", flush=True)
    print(kill(asked.kills, random.Random(asked.seed)))


def planned(address: str | None = None) -> Run:
    runner = Runner("ray", address) if address else Runner()
    every = tuple(trials(*ARMS, epochs=6, seeds=2))
    design = replace(DESIGN, study="line", protocol=every[0].protocol, budget=Budget())
    return Run(design, every, line(slow), 2, runner=runner)


def slow() -> None:
    """Make an epoch last about a quarter of a second, so that most kills hit one."""
    for _ in range(5):
        pause()


def drive(store: Path, address: str) -> None:
    """Run the study, and print a line for each epoch that is stored."""
    with Store(store) as results:
        planned(address).run(results, lambda _, event: isinstance(event, EpochDone) and print("epoch", flush=True))


class Cluster:
    """A Ray cluster on this machine: a head without room for trials, and two nodes with room for one each."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster as Nodes

        # seconds, not minutes, until a node is known to be gone
        health = {
            "health_check_initial_delay_ms": 0,
            "health_check_period_ms": 500,
            "health_check_failure_threshold": 4,
        }
        head = {"num_cpus": 0, "include_dashboard": False, "_system_config": health}
        self._nodes = Nodes(initialize_head=True, head_node_args=head)
        self._running = [self._nodes.add_node(num_cpus=1) for _ in range(2)]
        self.address: str = self._nodes.address

    def kill_node(self, chosen: random.Random) -> bool:
        """Kill all processes of a node, and add another."""
        node = self._running.pop(chosen.randrange(len(self._running)))
        self._nodes.remove_node(node, allow_graceful=False)
        self._running.append(self._nodes.add_node(num_cpus=1))
        return True

    def close(self) -> None:
        self._nodes.shutdown()


def kill_worker(chosen: random.Random) -> bool:
    """Kill one of the actors; False if none is there."""
    found = actors()
    if found:
        os.kill(chosen.choice(found), signal.SIGKILL)
    return bool(found)


def actors() -> list[int]:
    """The process numbers of this machine's actors."""
    names = {int(path.parent.name): path for path in Path("/proc").glob("[0-9]*/cmdline")}
    return [pid for pid, path in names.items() if b"ray::Actor" in _read(path)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def kill(kills: int, chosen: random.Random) -> str:
    """Run studies until so many kills are done; returns what was killed."""
    expected = numbers(serial(planned().trials))
    done: Counter[str] = Counter()
    studies = 0
    cluster = Cluster()
    try:
        while done.total() < kills:
            with tempfile.TemporaryDirectory() as folder:
                store = Path(folder) / "results.sqlite"
                study(store, cluster, kills, chosen, done)
                check(store, expected)
            studies += 1
    finally:
        cluster.close()
    return f"{done.total()} kills {dict(done)} in {studies} studies: no trial lost, none twice, all numbers equal"


def study(store: Path, cluster: Cluster, kills: int, chosen: random.Random, done: Counter[str]) -> None:
    """Bring one study to its end, killing as long as there are kills to do."""
    while True:
        command = [sys.executable, __file__, "--drive", str(store), cluster.address]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as driver:
            assert driver.stdout is not None
            while driver.stdout.readline() and done.total() < kills:
                time.sleep(chosen.uniform(0, 1))
                what = chosen.choice(("worker", "worker", "driver", "node"))
                if driver.poll() is not None:
                    break
                done[what] += strike(what, driver, cluster, chosen)
                print(f"{done.total():3} {what}", flush=True)
            driver.stdout.read()
        if driver.returncode == 0:
            return
        assert driver.returncode == -signal.SIGKILL, f"the driver ended with {driver.returncode}"


def strike(what: str, driver: subprocess.Popen[bytes], cluster: Cluster, chosen: random.Random) -> bool:
    """Kill something; False if it was gone already."""
    if what == "driver":
        driver.kill()
        return True
    return cluster.kill_node(chosen) if what == "node" else kill_worker(chosen)


def check(store: Path, expected: dict[str, object]) -> None:
    """Hold a store against the run that nobody disturbed."""
    with Store(store, readonly=True) as results:
        records = results.records()
    assert sorted(record.key for record in records) == sorted(expected), "a trial is lost, or there twice"
    for record in records:
        assert record.status == "finished", f"{record.label}: {record.reason}"
        found = {epoch.epoch: replace(epoch, seconds=0.0) for epoch in record.epochs}
        whole = dict(expected[record.key])
        assert replace(record.outcome, step_seconds=0.0) == whole.pop("end"), record.label
        assert found == {epoch: curve for epoch, (curve, _) in whole.items()}, record.label
        assert record.rates == tuple(rates for _, spread in whole.values() for rates in spread), record.label


if __name__ == "__main__":
    main()
