"""The generated JavaScript equals the rule on NumPy: bit for bit but for powers and angles, which it may round."""

import json
import math
import shutil
import subprocess
from unittest import mock

import numpy as np
import pytest

import settings
from settings import Setting, run
from signed import signed, worded
from surefoot.compiler.emit.targets import emit
from surefoot.compiler.trace import sums

WORDED = Setting(worded, "torch", {"weight_decay": 0.1})

SETTINGS = (*settings.FUSED, Setting(signed, "torch", {}), WORDED)
"""Every rule's but those for matrices, which JavaScript has not, and those of rules that use every word."""

AT_ONCE = 50
"""So many settings go to Node.js at once: what comes back is text and lists, 300 MB of all of them."""

STEPS = 60
WEIGHTS = 4

RUNNER = """
const jobs = JSON.parse(require("fs").readFileSync(0, "utf8"));
const run = ({ text, together, start, gradients, state, hyper: given }) => {
  const hyper = Object.fromEntries(given.map(([name, value]) => [name, Number(value)]));
  const step = new Function(`"use strict"; ${text}; return step;`)();
  const alone = (w, g, states, t, hyper) => w.map((one, i) => step(one, g[i], states[i], t, hyper));
  const paths = start.map(() => []);
  let states = start.map((_, i) => Object.fromEntries(state.map(([slot, values]) => [slot, values[i]])));
  let weights = start;
  gradients.forEach((row, k) => {
    const made = (together ? step : alone)(weights, row.map((g) => g ?? NaN), states, k + 1, hyper);
    weights = made.map((one) => one.w);
    states = made.map((one, i) => ({ ...states[i], ...one.state }));
    made.forEach((one, i) => paths[i].push([one.w, one.rate]));
  });
  return paths.map((path, i) => ({ path, state: states[i] }));
};
const asked = new Map();
const table = new Map(jobs.known.map(([name, a, b, value]) => [`${name} ${a} ${b}`, value]));
const wrap = (name, native) => (a, b) => {
  const own = native(a, b), key = `${name} ${a} ${b}`;
  if (own !== own || (name === "atan2" && !(a && b))) return own;
  if (table.has(key)) return table.get(key);
  asked.set(key, [name, a, b]);
  return own;
};
Math.pow = wrap("pow", Math.pow);
Math.atan2 = wrap("atan2", Math.atan2);
process.stdout.write(JSON.stringify({ found: jobs.settings.map(run), asked: [...asked.values()] }));
"""
"""Runs every setting, with known powers and angles in the place of JavaScript's own; notes what is not among them."""

PYTHONS = {"pow": pow, "atan2": math.atan2}


def gradients():
    """Return gradients of four weights: of three sizes, one half of the time zero, and one NaN late in the last."""
    rng = np.random.default_rng(7)
    made = (rng.standard_normal((STEPS, WEIGHTS)) + 0.5) * [1.0, 1e-4, 1e-8, 1.0]
    made[::2, 1] = 0.0
    made[45, 3] = np.nan
    return made


START = np.array([1.0, -0.5, 0.0, 2.0])


def job(setting):
    # JSON has no infinity
    hyper = [(k, repr(v).replace("inf", "Infinity")) for k, v in setting.hyper.items() if isinstance(v, float)]
    rows = [[None if np.isnan(g) else g for g in row] for row in gradients().tolist()]
    return {
        "together": sums(setting.rule, setting.hyper),
        "text": emit(setting.rule, setting.hyper, "js").text,
        "start": START.tolist(),
        "gradients": rows,
        "state": [(slot, values.tolist()) for slot, values in setting.begin(START).items()],
        "hyper": hyper,
    }


def in_node(node, jobs, known):
    """Return what Node.js finds, and the powers and angles that it took itself."""
    given = json.dumps({"settings": jobs, "known": [(*key, value) for key, value in known.items()]})
    done = subprocess.run([node, "-e", RUNNER], input=given, capture_output=True, text=True, check=True)
    made = json.loads(done.stdout)
    return [[in_arrays(weight) for weight in weights] for weights in made["found"]], made["asked"]


def in_arrays(weight):
    """Return one weight's path and last state as arrays, null as NaN: lists of floats are five times as large."""
    return {"path": numbers(weight["path"]), "state": {slot: numbers(x) for slot, x in weight["state"].items()}}


def numbers(values):
    return np.array(values, dtype=object).astype(float)


@pytest.fixture(scope="module")
def results():
    """Weights, rates and last state of each setting: with Python's powers, and with JavaScript's."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed: the generated JavaScript has nothing to run in")
    found = {}
    for first in range(0, len(SETTINGS), AT_ONCE):
        some = SETTINGS[first : first + AT_ONCE]
        found |= {str(s): both for s, both in zip(some, with_either_powers(node, some), strict=True)}
    return found


def with_either_powers(node, some):
    """What settings come to with Python's powers, and with JavaScript's, as pairs."""
    jobs = [job(setting) for setting in some]
    native, asked = in_node(node, jobs, {})
    exact, known = native, {}
    while asked:  # a base may be made of other powers
        known |= {(name, a, b): PYTHONS[name](a, b) for name, a, b in asked}
        exact, asked = in_node(node, jobs, known)
    return zip(exact, native, strict=True)


FOUND = {}


def on_numpy(setting):
    """Return weights, rates and last state of the rule itself; many a rule is the same in two conventions."""
    key = setting.rule, *sorted(setting.hyper.items())
    if key not in FOUND:
        with mock.patch.object(np, "arctan2", np.vectorize(math.atan2)):
            weights, rates, state = run(setting, START, gradients())
        FOUND[key] = np.array(weights), np.array(rates), state
    return FOUND[key]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_javascript_gives_the_rules_own_bits(setting, results):
    weights, rates, state = on_numpy(setting)
    theirs = results[str(setting)][0]
    for i, weight in enumerate(theirs):
        path = weight["path"]
        np.testing.assert_array_equal(path[:, 0], weights[:, i])
        np.testing.assert_array_equal(path[:, 1], rates[:, i])
        assert weight["state"].keys() == state.keys()
        for slot, value in state.items():
            np.testing.assert_array_equal(weight["state"][slot], value[i], err_msg=slot)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_javascripts_own_power_costs_no_more_than_its_last_digit(setting, results):
    """A power that is one unit off changes 1 - beta^t by 2^-53 / (1 - beta), which is 1e-13 for 0.999."""
    weights, _, _ = on_numpy(setting)
    theirs = np.array([weight["path"][:, 0] for weight in results[str(setting)][1]]).T
    judged = [0, 1, 3] if swings(setting) else [0, 1, 2, 3]
    np.testing.assert_allclose(theirs[:, judged], weights[:, judged], rtol=1e-12, atol=1e-13)


def swings(setting):
    """Whether the third weight is led by decay alone and swings about 0.

    In NumPy the last digit of a beta moves it by 1e-2 (ADOPT) and 2e-11 (RAdam), and Adam's by 1e-17.
    """
    decays = setting.hyper["weight_decay"] and not setting.hyper["decoupled"]
    return setting.rule.name in ("adopt", "radam") and decays
