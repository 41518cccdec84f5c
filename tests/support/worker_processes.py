"""The worker processes of a driver, which tests look for, kill and wait for the end of."""

import time

import psutil

import forked_workers

GUARD_SECONDS = 120.0
"""A test that waits for the end of a process has failed after so long; no right program comes near it."""


def workers_of(driver: int | None = None) -> list[psutil.Process]:
    """Return the workers that a process, or this one, has started on this machine."""
    started = [child for child in psutil.Process(driver).children() if "surefoot.workers.worker" in command(child)]
    return started if driver else [*started, *forked_workers.living()]


def command(process: psutil.Process) -> str:
    """Return what a process runs; of one that has ended nothing."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def assert_gone(processes: list[psutil.Process]) -> None:
    """Wait until the processes have ended; a zombie has."""
    until = time.monotonic() + GUARD_SECONDS
    while left := [process for process in processes if command(process)]:
        assert time.monotonic() < until, f"workers outlived their driver: {left}"
        time.sleep(0.05)
