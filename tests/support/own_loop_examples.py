"""The examples of own training loops: one trial of each, trained in this process."""

import importlib.util

import own_loops
from paths import ROOT
from surefoot.training.events import StepsDone

FOLDER = ROOT / "examples" / "own_training"
EXAMPLES = {path.stem: path for path in FOLDER.glob("*.py")}
BETTER = {"tabular_auroc": "max", "policy_gradient": "max", "contrastive": "max"}
RATES = {"policy_gradient": 0.1, "gan": 0.001}


def train_of(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES[name])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.train


def events_of(name, **more):
    more = {"optimizer": f"adam(lr={RATES.get(name, 0.01)})", "epochs": 4, **more}
    events = own_loops.events_of(train_of(name), better=BETTER.get(name, "min"), **more)
    return [one for one in events if not isinstance(one, StepsDone)]
