"""Surefoot: adaptive optimizers for deep learning, explained, verified and compared fairly.

`surefoot.compare` trains your model with each of several optimizers and says what the results support;
`surefoot.torch` has the optimizers, `surefoot.optax` and `surefoot.keras` have them for JAX and Keras,
`surefoot.rules` the maths, `surefoot.datasets` the data. Each is loaded when it is first used, and so is the framework
that it needs.

Arrows point one way, down this list: a room imports from those above it.

| file or room | concept |
| --- | --- |
| `errors.py`, `files.py`, `machine.py` | exceptions and warnings; files that are written whole or not; the machine |
| `webpage.py` | the making of every page |
| `values.py` | what counts as a number, and what a function is called |
| `arrays.py`, `mathops.py`, `bundle.py` | arrays of any framework, and the functions that rules use |
| `about.py`, `hyperparameters.py`, `rule.py` | what a rule is, and what is said of it |
| `update.py`, `combinator.py`, `rules/` | a whole update of a weight; rules made of rules; the maths |
| `conventions.py` | spelling, defaults and forms in each framework |
| `frontends/`, `compiler/`, `engines/` | what all front-ends share; rules as code; what runs that code |
| `torch/`, `optax/`, `keras/`, `bridge/` | the rules as optimizers; states that go from one framework to another |
| `store/`, `datasets/`, `tasks/` | results in SQLite; data; what is trained |
| `statistics/`, `search/`, `arms/`, `design/` | numbers; tuning; who is compared; how a study is laid out |
| `training/`, `workers/`, `options.py` | the loops; the processes that train; the options of a comparison |
| `analysis/`, `words/`, `report/`, `result.py` | claims; sentences; pages; all of them for any scores |
| `comparison/`, `progress/` | from a request to trained trials; what is shown meanwhile |
| `study.py`, `compare_call.py`, `suite.py`, `scores/` | `compare`, `compare_suite` and `judge` in Python |
| `explain/`, `range_test/`, `rate_free_price.py` | a rule explained; `lr_find`; the price of not tuning |
| `selfcheck/`, `bench/`, `doctor.py` | its checks of itself; times of a step; facts for a report of a problem |
| `cli/` | the commands |
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surefoot.arms.opt import Opt
    from surefoot.compare_call import compare, forecast, try_out
    from surefoot.comparison.forecast import Forecast
    from surefoot.range_test.find import lr_find
    from surefoot.rate_free_price import RateFree, rate_free
    from surefoot.result import Result
    from surefoot.scores import judge, judge_suite
    from surefoot.store.ranges import log, one_minus, uniform
    from surefoot.study import Study
    from surefoot.suite import Suite, compare_suite
    from surefoot.tasks import Task
    from surefoot.tasks.custom import task
    from surefoot.training.training_run import TrainingRun
    from surefoot.workers.runner import Runner

__version__ = "0.2.0"

__all__ = [
    "Forecast",
    "Opt",
    "RateFree",
    "Result",
    "Runner",
    "Study",
    "Suite",
    "Task",
    "TrainingRun",
    "compare",
    "compare_suite",
    "forecast",
    "judge",
    "judge_suite",
    "log",
    "lr_find",
    "one_minus",
    "rate_free",
    "stream",
    "task",
    "try_out",
    "uniform",
    "whole",
]

_ROOMS = (
    "analysis",
    "bridge",
    "conventions",
    "datasets",
    "errors",
    "keras",
    "optax",
    "report",
    "rules",
    "store",
    "torch",
)
_DOORS = {
    "Forecast": "surefoot.comparison.forecast",
    "Opt": "surefoot.arms.opt",
    "RateFree": "surefoot.rate_free_price",
    "Result": "surefoot.result",
    "Runner": "surefoot.workers.runner",
    "Study": "surefoot.study",
    "Suite": "surefoot.suite",
    "Task": "surefoot.tasks",
    "TrainingRun": "surefoot.training.training_run",
    "compare": "surefoot.compare_call",
    "compare_suite": "surefoot.suite",
    "forecast": "surefoot.compare_call",
    "log": "surefoot.store.ranges",
    "judge": "surefoot.scores",
    "judge_suite": "surefoot.scores",
    "lr_find": "surefoot.range_test.find",
    "one_minus": "surefoot.store.ranges",
    "rate_free": "surefoot.rate_free_price",
    "stream": "surefoot.tasks.streams",
    "task": "surefoot.tasks.custom",
    "try_out": "surefoot.compare_call",
    "uniform": "surefoot.store.ranges",
    "whole": "surefoot.tasks.metrics",
}
"""The module of each public name of the package."""


def __getattr__(name: str) -> Any:
    if name not in _ROOMS and name not in _DOORS:
        raise AttributeError(f"module 'surefoot' has no attribute {name!r}")
    try:
        return getattr(import_module(_DOORS[name]), name) if name in _DOORS else import_module(f"surefoot.{name}")
    except ModuleNotFoundError as missing:
        if "surefoot" in str(missing):  # a front-end has said already what it needs
            raise
        said = f"surefoot.{name} needs {missing.name}, which is not installed: pip install 'surefoot[compare]'"
        raise ModuleNotFoundError(said, name=missing.name) from missing


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *_DOORS})
