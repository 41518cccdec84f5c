"""Surefoot: adaptive optimizers for deep learning, explained, verified and compared fairly.

`surefoot.compare` trains your model with each of several optimizers and says what the results support;
`surefoot.torch` has the optimizers, `surefoot.optax` and `surefoot.keras` have them for JAX and Keras,
`surefoot.rules` the maths, `surefoot.datasets` the data. Each is loaded when it is first used, and so is the framework
that it needs.
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
