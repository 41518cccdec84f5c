"""Numbers of NumPy are taken wherever Python's are, and truth values nowhere; a name that is taken gets a number."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import surefoot
from surefoot.arms.schedule import scheduled
from surefoot.errors import UsageError
from surefoot.hyperparameters import HYPERPARAMETERS
from surefoot.options import Options
from surefoot.store.protocol import Protocol, Recipe
from surefoot.tasks.user_metric import own_chance
from surefoot.values import free_name, is_number, is_whole


def checked(value):
    HYPERPARAMETERS["beta1"].check("adam", "beta1", value)
    return value


NUMBERS = {
    "clip": lambda value: Recipe(clip=value).clip,
    "ema": lambda value: Recipe(ema=value).ema,
    "warmup": lambda value: scheduled("cosine", value).warmup,
    "hyperparameter": checked,
}
COUNTS = {
    "accumulate": lambda value: Recipe(accumulate=value).accumulate,
    "examples": lambda value: len(surefoot.stream(lambda _: [], examples=value)),
    "seeds": lambda value: Options(seeds=value).seeds,
}


@pytest.mark.parametrize("kind", [float, np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("take", NUMBERS.values(), ids=NUMBERS)
def test_a_number_of_numpy_is_a_number(take, kind):
    assert take(kind(0.25)) == 0.25


@pytest.mark.parametrize("kind", [int, np.int8, np.uint16, np.int64])
@pytest.mark.parametrize("take", COUNTS.values(), ids=COUNTS)
def test_a_whole_number_of_numpy_is_a_whole_number(take, kind):
    assert take(kind(3)) == 3


@pytest.mark.parametrize("value", [True, np.True_, "1", None, 1.5 + 0j])
def test_what_is_no_number_is_refused(value):
    assert not is_number(value)
    assert not is_whole(value)
    for take in (*NUMBERS.values(), *COUNTS.values()):
        if value is not None:
            with pytest.raises(UsageError):
                take(value)


def test_numbers_of_numpy_have_the_key_of_python_s():
    given = Recipe(clip=np.float32(0.5), accumulate=np.int64(2), ema=np.float64(0.9))
    stored = json.dumps(Protocol(recipe=given).content)
    assert stored == json.dumps(Protocol(recipe=Recipe(clip=0.5, accumulate=2, ema=0.9)).content)
    assert json.dumps(Protocol(recipe=Recipe(clip=1)).content["recipe"]) == '{"clip": 1}', "as stores have it"


def test_the_chance_of_a_metric_may_be_of_numpy():
    assert own_chance(SimpleNamespace(chance=np.float32(0.5))) == 0.5
    assert own_chance(SimpleNamespace(chance=True)) is None


def test_a_name_that_is_taken_gets_the_first_free_number():
    assert free_name("Adam", []) == "Adam"
    assert free_name("Adam", ["Adam", "Adam (2)"]) == "Adam (3)"


@pytest.mark.parametrize(
    ("optimizer", "numpys", "pythons"),
    [
        ("adam", {"lr": np.float64(0.001)}, {"lr": 0.001}),
        ("adam", {"lr": np.float32(0.5)}, {"lr": 0.5}),
        ("momentum", {"lr": np.int64(1)}, {"lr": 1}),
        (torch.optim.AdamW, {"betas": (np.float32(0.5), 0.75)}, {"betas": (0.5, 0.75)}),
    ],
)
def test_an_option_of_numpy_is_the_option_of_python(optimizer, numpys, pythons):
    made, expected = surefoot.Opt(optimizer, **numpys).arm, surefoot.Opt(optimizer, **pythons).arm
    assert (made.label, json.dumps(made.hyper)) == (expected.label, json.dumps(expected.hyper))
    assert not made.asked.code
