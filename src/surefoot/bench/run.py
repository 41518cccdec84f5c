"""A whole benchmark: case by case through each set, all contenders of a case interleaved.

Contenders of one case are compared with each other, so they are what takes turns; the floor of Adam's bytes runs in the
rounds of every case besides, and shows whether the machine kept its speed. A case's memory is freed before the
next. What a contender cannot do here is a note, and the others go on.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import torch

from surefoot.bench import memory
from surefoot.bench.arena import DTYPES, Arena
from surefoot.bench.cases import ADAM, BenchCase, bytes_per_weight, case_names, find_case
from surefoot.bench.contenders import Contender, ReadyContender, start
from surefoot.bench.first_step import first_steps
from surefoot.bench.floor import floor
from surefoot.bench.line_up import absent, contenders
from surefoot.bench.other_libraries import limit_jax
from surefoot.bench.result import BenchResult, BenchRow, Measured, SetResult, floor_of, rows
from surefoot.bench.shapes import ParameterSet, find_set
from surefoot.bench.turns import Interrupt, take_turns, turn_of
from surefoot.errors import Argument, SurefootError, UsageError, unknown
from surefoot.training.process import environment

Observer = Callable[[str], None]

BUSY = 0.4
"""Share of the cores that others may use before a note says so."""

FLOOR, OWN_FLOOR = "floor of Adam's bytes", "floor of the case's own bytes"


@dataclass(frozen=True)
class BenchOptions:
    """The options of a benchmark.

    Attributes:
        sets: names of parameter sets.
        cases: rules, or the composite; every case, if empty.
        threads: how many each contender may use; as many as torch has, if None.
        rounds: how many turns each contender has at most.
        dtype: `float32` or `bfloat16`, of weights, gradients and state.
        compiled: also time torch.compile, which takes a minute for each case and needs a C++ compiler.
        cold: also time the first step in fresh processes, which takes seconds for each contender.
        busy: time the first set once more at the end, beside so many processes that use the processors.
    """

    sets: tuple[str, ...] = ("cnn", "resnet50")
    cases: tuple[str, ...] = ()
    threads: int | None = None
    rounds: int = 20
    dtype: str = "float32"
    compiled: bool = False
    cold: bool = False
    busy: int = 0


@dataclass(frozen=True)
class BenchPlan:
    """A benchmark, decided: nothing is timed yet."""

    options: BenchOptions
    sets: tuple[ParameterSet, ...]
    cases: tuple[BenchCase, ...]
    threads: int
    dtype: torch.dtype


def plan(options: BenchOptions) -> BenchPlan:
    """Decide everything.

    Raises:
        UsageError: an unknown set, case or dtype; counts below one; too little memory.
    """
    if options.dtype not in DTYPES:
        raise unknown("dtype", options.dtype, DTYPES)
    threads = torch.get_num_threads() if options.threads is None else options.threads
    for name, value, least in (("threads", threads, 1), ("rounds", options.rounds, 1), ("busy", options.busy, 0)):
        if value < least:
            raise UsageError(Argument(name), f" is {value}; give a number of {least} or more.")
    sets = tuple(find_set(name) for name in dict.fromkeys(options.sets))
    cases = tuple(find_case(name) for name in dict.fromkeys(options.cases or case_names()))
    dtype = DTYPES[options.dtype]
    memory.check(sets, cases, dtype.itemsize, jax="optax" not in absent())
    return BenchPlan(options, sets, cases, threads, dtype)


def run(planned: BenchPlan, observe: Observer) -> BenchResult:
    """Time everything; Ctrl-C ends it early, with what was measured until then.

    Args:
        planned: what to time.
        observe: called with a line about what comes next.
    """
    result = BenchResult(_environment(), planned.options.dtype, planned.threads, planned.options.rounds)
    result.notes += _busy()
    result.notes += [f"{library} is not installed; to time it: {how}" for library, how in absent().items()]
    if not limit_jax(planned.threads) and "optax" not in absent():
        result.notes.append(f"optax runs on all {os.cpu_count()} cores: jax has no setting for {planned.threads}")
    try:
        with _threads(planned.threads), Interrupt() as interrupt:
            for parameters in planned.sets:
                _run_set(planned, parameters, parameters.name, result, observe, interrupt)
            if planned.options.busy:
                name = f"{planned.sets[0].name}, beside {planned.options.busy} busy loops"
                with _loops(planned.options.busy):
                    _run_set(planned, planned.sets[0], name, result, observe, interrupt)
        for case in planned.cases if planned.options.cold else ():
            observe(f"first steps of {case.name}")
            result.cold += first_steps(case.name, present(case, planned), planned.options.dtype, planned.threads)
    except KeyboardInterrupt:
        result.interrupted = True
    return result


def _run_set(
    planned: BenchPlan,
    parameters: ParameterSet,
    name: str,
    result: BenchResult,
    observe: Observer,
    interrupt: Interrupt,
) -> None:
    entry = SetResult(name, len(parameters.shapes), parameters.weights)
    result.sets.append(entry)
    floors: list[float] = []
    for case in planned.cases:
        observe(f"{name}: {case.name}")
        own = CaseRun(planned, parameters, case)
        try:
            own.run(result.notes, interrupt)
        finally:  # also after Ctrl-C: what was measured counts
            entry.rows += own.rows()
            floors += own.times.get(FLOOR, [])
            moved = bytes_per_weight(ADAM, planned.dtype.itemsize)
            entry.floor = floor_of(floors, parameters.weights, moved) if floors else None
            own.clear()


class CaseRun:
    """One case on one parameter set: its contenders and their times."""

    def __init__(self, planned: BenchPlan, parameters: ParameterSet, case: BenchCase) -> None:
        self.planned, self.parameters, self.case = planned, parameters, case
        self.times: dict[str, list[float]] = {}
        self._ready: dict[str, tuple[Contender, ReadyContender]] = {}

    def run(self, notes: list[str], interrupt: Interrupt) -> None:
        """Time everyone; who fails is named in the notes."""
        arena = Arena(self.parameters.shapes, self.planned.dtype)
        for contender in present(self.case, self.planned):
            interrupt.check()
            self._start(contender, arena, notes)
        turns = {name: turn_of(own.step, own.tidy) for name, (_, own) in self._ready.items()}
        passes = {FLOOR: ADAM} | ({} if self.case.passes == ADAM else {OWN_FLOOR: self.case.passes})
        turns |= {name: floor(arena, own, self.planned.threads) for name, own in passes.items()}
        take_turns(turns, self.times, rounds=self.planned.options.rounds, between=interrupt.check)

    def _start(self, contender: Contender, arena: Arena, notes: list[str]) -> None:
        try:
            self._ready[contender.name] = contender, start(contender, arena)
        except Exception as error:  # a peer is anybody's code; what it cannot do here, others may still
            if contender.library == "surefoot" and not isinstance(error, SurefootError):
                raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            notes.append(f"{contender.name} cannot do {self.case.name} here: {reason}")

    def rows(self) -> list[BenchRow]:
        """Return the measurements, ours first; none if Ctrl-C came in the first round."""
        own = self.times.get(OWN_FLOOR) or self.times.get(FLOOR, [])
        timed = [
            Measured(name, contender.library, ready.state_bytes, self.times[name])
            for name, (contender, ready) in self._ready.items()
            if name in self.times and own
        ]
        return rows(self.case, timed, own, self.parameters.weights, self.planned.dtype.itemsize)

    def clear(self) -> None:
        """Let go of everyone: the next case needs the memory."""
        self._ready = {}
        gc.collect()


def present(case: BenchCase, planned: BenchPlan) -> list[Contender]:
    """Return everyone who does a case and is installed."""
    return [one for one in contenders(case.name, compiled=planned.options.compiled) if one.available]


def _busy() -> list[str]:
    """Return a note if others use the processors, which some contenders bear worse than others."""
    load, cores = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0, os.cpu_count() or 1
    if load < BUSY * cores:
        return []
    return [f"the machine was busy before this began (load {load:.1f}, {cores} cores): these times are not its own"]


@contextmanager
def _loops(count: int) -> Iterator[None]:
    """Keep so many processes busy, which compete for the processors."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            running.append(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _environment() -> dict[str, object]:
    """Return machine and versions; which engine ran each row says."""
    found = {name: value for name, value in environment("cpu").items() if name not in ("engine", "threads")}
    for package in ("numba", "optax", "jax", "pytorch-optimizer"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found
