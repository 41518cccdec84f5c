"""Training in two processes equals training in one: DDP, FSDP2 and parameters distributed one by one.

`torch_ranks.py` is what the two do; `shared_training.py` says why their gradients are those of one process bit for bit.
What follows from gradients weight by weight must then be equal bit for bit too, and with torch.optim it is. Only a
norm over all shards is summed in another order: `SUM` bounds by how much.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import surefoot.torch
from matrix_rules import shaped
from numbered import estimating
from paths import SUPPORT
from shared_training import (
    CLIPPED,
    DDP,
    ENGINES,
    OPTIONS,
    STEPS,
    feed,
    mlp,
    outcome,
    parameters,
    through_a_step,
    torch_clips,
    train,
)
from summed import chained, joined, trusted
from surefoot.rule import Rule
from surefoot.rules.muon import muon
from surefoot.torch import RuleOptimizer

pytestmark = [pytest.mark.usefixtures("kernel_cache"), pytest.mark.slow]  # two processes, each with every case

LIMIT_S = 900
"""With no compiled kernel in the cache and other work on the machine; usually it takes less than ten."""

SUM = 64 * STEPS * 2**-53
"""Relative: a norm of fewer than 64 float64 numbers in each step, each addition with an error of half an ulp."""

PRODUCTS = 1e-12
"""Relative: where one process multiplies several matrices at once and the other one, sums have another order."""

BOTH = (0, 1)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory, kernel_cache) -> list[dict[str, Any]]:  # noqa: ARG001
    """What came of each case in each process."""
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, str(SUPPORT / "torch_ranks.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in BOTH]


@pytest.fixture
def of(ranks):
    """What came of a case, which is the same in both processes."""

    def both(case: str) -> Any:
        for found in ranks:
            if case not in found:
                pytest.fail("not run:\n" + "\n".join(found.get("failure", "") for found in ranks))
        equal(ranks[0][case], ranks[1][case])
        return ranks[0][case]

    return both


def equal(found: Any, expected: Any, tolerance: float = 0.0) -> None:
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        found, expected = [found[key] for key in expected], [*expected.values()]
    if isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            equal(one, other, tolerance)
    elif isinstance(expected, Tensor):
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    else:
        assert found == expected


def alone(name: str, dtype: torch.dtype = torch.float32, **options: Any) -> dict[str, Any]:
    """The outcome of the same training in one process."""
    model = mlp(dtype)
    return outcome(train(model, getattr(surefoot.torch, name)(model.parameters(), **options), BOTH))


def fed(name: str, dtype: torch.dtype = torch.float32, **options: Any) -> dict[str, Any]:
    """The outcome of the same fixed gradients in one process."""
    return outcome(feed(getattr(surefoot.torch, name)(parameters(dtype), **options)))


def moved(found: dict[str, Any], start: list[Tensor]) -> bool:
    return all(not torch.equal(after, before) for after, before in zip(found["weights"], start, strict=True))


@pytest.mark.parametrize("name", DDP)
def test_ddp(of, name):
    found = of(f"ddp {name}")
    assert found["engine"] == "cpu"
    assert moved(found, [*mlp().parameters()])
    equal(found, alone(name, **OPTIONS[name]))


@pytest.mark.parametrize("sharding", ["ddp", "fsdp"])
def test_torch_itself_differs_by_nothing(of, sharding):
    """So neither may we."""
    model = mlp()
    theirs = train(model, torch.optim.Adam(model.parameters(), **OPTIONS["Adam"]), BOTH)
    equal(of(f"{sharding} torch"), outcome(theirs))


def test_replicas_in_bfloat16_are_rounded_alike(of):
    found = of("ddp bfloat16")
    equal(found, alone("Adam", torch.bfloat16, **OPTIONS["Adam"]))
    nearest = alone("Adam", torch.bfloat16, stochastic_rounding=False, **OPTIONS["Adam"])
    assert moved(found, nearest["weights"])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", OPTIONS)
def test_fsdp(of, name, engine):
    found = of(f"fsdp {name} {engine}")
    assert found["engine"] == {"auto": "cpu"}.get(engine, engine)
    assert moved(found, [*mlp().parameters()])
    equal(found, alone(name, engine=engine, **OPTIONS[name]))


def test_steps_on_shards_are_laid_out_once(of):
    assert of("laid out") == of("laid out, clipped") == 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", OPTIONS)
def test_uneven_and_empty_shards(of, name, engine):
    found = of(f"split {name} {engine}")
    assert found["engine"] == {"auto": "cpu"}.get(engine, engine)
    equal(found, fed(name, engine=engine, **OPTIONS[name]))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("placement", ["columns", "replicated"])
def test_other_placements(of, placement, engine):
    equal(of(f"{placement} {engine}"), fed("Adam", engine=engine, **OPTIONS["Adam"]))


@pytest.mark.parametrize("engine", ENGINES)
def test_replicated_tensors_in_bfloat16_are_rounded_alike(of, engine):
    equal(of(f"replicated bfloat16 {engine}"), fed("Adam", torch.bfloat16, engine=engine, **OPTIONS["Adam"]))


@pytest.mark.parametrize("engine", ENGINES)
def test_shards_in_bfloat16_are_rounded_as_in_the_whole(of, engine):
    equal(of(f"fsdp bfloat16 {engine}"), alone("Adam", torch.bfloat16, engine=engine, **OPTIONS["Adam"]))


@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_that_are_still_to_be_summed(of, engine):
    equal(of(f"partial {engine}"), fed("Adam", torch.float64, engine=engine, **OPTIONS["Adam"]))


@pytest.mark.parametrize("engine", ENGINES)
def test_clipping_by_the_norm_of_all_shards_and_the_moving_average(of, engine):
    model = mlp(torch.float64)
    optimizer = train(model, surefoot.torch.AdamW(model.parameters(), engine=engine, **CLIPPED), BOTH)
    with optimizer.averaged():
        averaged = [p.detach().clone() for p in model.parameters()]
    equal(of(f"clipped {engine}"), {**outcome(optimizer), "averaged": averaged}, SUM)
    unclipped = alone("AdamW", torch.float64, **{**CLIPPED, "max_grad_norm": 1e9})
    assert moved(of(f"clipped {engine}"), unclipped["weights"])
    equal(of("clipped torch")["weights"], of(f"clipped {engine}")["weights"], SUM)


def test_torchs_own_clipping_is_bounded_alike(of):
    equal(of("clipped torch"), outcome(torch_clips(mlp(torch.float64), BOTH)), SUM)


def test_clipping_sharded_and_plain_parameters_together(of):
    equal(of("clipped beside plain"), fed("AdamW", torch.float64, **CLIPPED), SUM)


def test_effective_rates_are_those_of_the_shard(ranks):
    model = mlp()
    optimizer = train(model, surefoot.torch.AdaBound(model.parameters(), **OPTIONS["AdaBound"]), BOTH)
    shards = zip(*(found["rates"] for found in ranks), strict=True)
    equal([torch.cat(pair) for pair in shards], [*optimizer.effective_lr().values()])
    assert not ranks[1]["rates"][-1].numel()


def test_zero_redundancy_optimizer(of):
    found = of("zero")
    assert found == {"weights": found["weights"], "engine": "cpu"}
    equal(found["weights"], alone("AdaBound", **OPTIONS["AdaBound"])["weights"])


def test_a_gradient_that_is_infinite_in_one_process_stops_all(of):
    """The second step is left out, so that what came of it is the outcome of one step."""
    found, model = of("skipped"), mlp()
    assert found["scale"] == 2.0
    optimizer = train(model, surefoot.torch.Adam(model.parameters(), **OPTIONS["Adam"]), BOTH, range(1))
    equal(found["weights"], outcome(optimizer)["weights"])


def test_autograd_follows_a_step_of_shards(of):
    equal(of("differentiated"), through_a_step(parameters(torch.float64)[0]))


def test_goes_on_from_a_sharded_checkpoint(of):
    model = mlp()
    optimizer = surefoot.torch.AdaBound(model.parameters(), ema=0.9, **OPTIONS["AdaBound"])
    equal(of("resumed"), outcome(train(model, optimizer, BOTH, range(2 * STEPS))))


def test_one_process_hands_over_to_two_and_they_to_one(of):
    model, found = mlp(), of("one process and back")
    optimizer = surefoot.torch.Adam(model.parameters(), **OPTIONS["Adam"])
    expected = outcome(train(model, optimizer, BOTH, range(2 * STEPS)))
    equal({key: found[key] for key in expected}, expected)
    equal([*found["whole"]["state"].values()], expected["state"])


def test_a_sharded_parameter_with_a_plain_gradient(of):
    assert "a parameter is a DTensor and its gradient a Tensor: give both alike" in of("plain gradient")


# Sums over whole tensors


def fed_by(own: Rule) -> dict[str, Any]:
    return outcome(feed(RuleOptimizer(parameters(torch.float64), own)))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("own", [trusted, chained], ids=str)
def test_sums_over_shards(of, own, engine):
    """One parameter is sharded unevenly, one whole in both, one has nothing in the second, one is not distributed."""
    found = of(f"summed {own.name} {engine}")
    assert found["engine"] == ("cpu" if engine == "auto" else "eager")
    equal(found | {"engine": "cpu"}, fed_by(own), SUM)


def test_sums_over_all_tensors_of_which_some_are_sharded(of):
    equal(of("summed joined auto"), fed_by(joined), SUM)


@pytest.mark.parametrize("engine", ENGINES)
def test_sums_over_columns(of, engine):
    equal(of(f"summed columns {engine}") | {"engine": "cpu"}, fed_by(chained), SUM)


@pytest.mark.parametrize("engine", ENGINES)
def test_sums_on_fsdp(of, engine):
    """Both sums of all parameters are one stage, and take one call."""
    model, found = mlp(torch.float64), of(f"summed fsdp {engine}")
    calls = found.pop("calls")
    expected = outcome(train(model, RuleOptimizer(model.parameters(), trusted), BOTH))
    equal(found | {"engine": "cpu"}, expected, SUM)
    assert engine == "eager" or calls == 1


def test_numbers_of_the_whole_optimizer_are_the_same_in_all_processes(of, ranks):
    model, found = mlp(torch.float64), of("estimated")
    optimizer = RuleOptimizer(model.parameters(), estimating)
    expected = outcome(train(model, optimizer, BOTH))
    kept = [optimizer.param_groups[0][name] for name in ("d", "r")]
    assert ranks[0]["estimated"]["kept"] == ranks[1]["estimated"]["kept"] == pytest.approx(kept, rel=SUM)
    assert kept[1] != 0
    equal({key: found[key] for key in expected}, expected, SUM)


def test_effective_step_sizes_of_a_rule_with_sums(ranks):
    model = mlp(torch.float64)
    optimizer = train(model, RuleOptimizer(model.parameters(), trusted), BOTH)
    for k, rate in enumerate(optimizer.effective_lr().values()):
        found = torch.cat([each["summed rates"][k] for each in ranks])
        torch.testing.assert_close(found, rate, rtol=SUM, atol=SUM)


# Rules that see whole matrices


def matrices_alone(own: Rule, dtype: torch.dtype = torch.float64, *, transposed: bool = False) -> dict[str, Any]:
    params = [p for p in parameters(dtype) if p.dim() > 1 or own.vector]
    return outcome(feed(RuleOptimizer([{"params": params, "transposed": transposed}], own, ema=0.9)))


@pytest.mark.parametrize("how", ["rows", "columns", "beside plain", "rows, transposed", "columns, transposed"])
@pytest.mark.parametrize("own", [muon, shaped], ids=str)
def test_matrices_are_stepped_whole(of, own, how):
    """Shards take the eager engine; a whole matrix has Muon's kernel."""
    found, expected = of(f"matrices {own.name} {how}"), matrices_alone(own, transposed="transposed" in how)
    engine = "cpu" if own is muon and how == "beside plain" else "eager"
    equal(found, expected | {"engine": engine}, PRODUCTS)


@pytest.mark.parametrize("own", [muon, shaped], ids=str)
def test_matrices_in_bfloat16_are_rounded_as_in_one_process(of, own):
    """Random numbers are the same; a sum in another order may fall on the other side of one, seldom."""
    found, expected = of(f"matrices {own.name} bfloat16"), matrices_alone(own, torch.bfloat16)
    pairs = zip(found["weights"], expected["weights"], strict=True)
    assert sum(int((x != y).sum()) for x, y in pairs) <= 1


@pytest.mark.parametrize("own", [muon, shaped], ids=str)
def test_matrices_on_fsdp_have_one_owner_each(ranks, own):
    """Each process steps the matrix that it owns: two blocks in one lot each, or one."""
    model, found = mlp(torch.float64), [each[f"matrices {own.name} fsdp"] for each in ranks]
    inner, last = (layer.weight for layer in model if isinstance(layer, nn.Linear))
    optimizer = RuleOptimizer([{"params": [inner], "blocks": (3, 4)}, {"params": [last], "transposed": True}], own)
    expected = outcome(train(model, optimizer, BOTH)) | {"engine": "eager"}
    for each in found:
        equal({key: each[key] for key in expected}, expected, PRODUCTS)
    assert [each["made"] for each in found] == [2 * STEPS, STEPS]
    for k, rate in enumerate(optimizer.effective_lr().values()):
        equal(torch.cat([each["rates"][k] for each in found]), rate, PRODUCTS)
