"""A step of `surefoot.optax` beside a step of optax: update and addition to the weights, compiled together by jax.

Both libraries take turns in one process, in an order that changes from turn to turn, on the same gradients; weights
and state are donated, as a training loop does. The ratio is ours to optax's of neighbouring turns: its median, and the
middle half of the turns. Below 1 we are faster. Run: python benchmarks/jax_step.py
"""

import argparse
import os
import platform
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

import surefoot.optax
from surefoot.bench.shapes import SETS, find_set

RULES = {"adam": 1e-3, "rmsprop": 1e-3, "adagrad": 1e-2, "adadelta": 1.0, "sgd": 1e-2}
"""The rules that both have, and a learning rate for each."""


class Contender:
    """One library's optimizer with weights and state of its own."""

    def __init__(self, optimizer, shapes):
        def step(params, state, gradients):
            moves, state = optimizer.update(gradients, state, params)
            return optax.apply_updates(params, moves), state

        self.params = [jnp.full(shape, 0.5, jnp.float32) for shape in shapes]
        self.state = optimizer.init(self.params)
        started = time.perf_counter()
        self.step = jax.jit(step, donate_argnums=(0, 1)).lower(self.params, self.state, self.params).compile()
        self.compiling = time.perf_counter() - started

    def run(self, gradients, steps):
        """Return the seconds of a step."""
        started = time.perf_counter()
        for _ in range(steps):
            self.params, self.state = self.step(self.params, self.state, gradients)
        jax.block_until_ready((self.params, self.state))
        return (time.perf_counter() - started) / steps


def compare(name, shapes, turns, seconds):
    rng = np.random.default_rng(0)
    gradients = [jnp.asarray(rng.standard_normal(shape, np.float32)) for shape in shapes]
    libraries = {"ours": surefoot.optax, "optax": optax}
    both = {who: Contender(getattr(library, name)(RULES[name]), shapes) for who, library in libraries.items()}
    once = max(contender.run(gradients, 2) for contender in both.values())
    steps = max(1, round(seconds / once))
    times = {who: [] for who in both}
    for turn in range(turns):
        for who in sorted(both, reverse=bool(turn % 2)):
            times[who].append(both[who].run(gradients, steps))
    return times, {who: contender.compiling for who, contender in both.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--rules", nargs="+", default=list(RULES), choices=list(RULES))
    parser.add_argument("--turns", type=int, default=15, help="of each library")
    parser.add_argument("--seconds", type=float, default=0.2, help="of a turn, about")
    asked = parser.parse_args()
    machine = f"{jax.devices()[0].device_kind}, {platform.machine()}, {os.cpu_count()} cores"
    print(f"jax {jax.__version__}, optax {optax.__version__}, {machine}; milliseconds a step, seconds to compile")
    print(f"{'set':9} {'rule':9} {'ours':>9} {'optax':>9} {'ratio':>6} {'middle half':>12} {'compile':>12} {'load':>5}")
    for name in asked.sets:
        for rule in asked.rules:
            times, compiling = compare(rule, find_set(name).shapes, asked.turns, asked.seconds)
            print(f"{name:9} {rule:9} {row(times, compiling)}", flush=True)


def row(times, compiling):
    ratios = [a / b for a, b in zip(times["ours"], times["optax"], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    ours, theirs = (1e3 * statistics.median(times[who]) for who in ("ours", "optax"))
    made = f"{compiling['ours']:6.2f}/{compiling['optax']:5.2f}"
    return f"{ours:9.3f} {theirs:9.3f} {middle:6.3f} {low:6.3f}-{high:5.3f} {made} {os.getloadavg()[0]:5.1f}"


if __name__ == "__main__":
    main()
