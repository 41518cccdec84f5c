"""What two processes do together in the tests of distributed training: `python torch_ranks.py FOLDER`.

Importing torch takes seconds, so one pair runs every case, the second a fork of the first, and each leaves what came of
it in the folder: tensors, put together from all shards.
"""

from __future__ import annotations

import os
import socket
import sys
import traceback
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import checkpoint
from torch.distributed.checkpoint import state_dict as sharded
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Placement, Replicate, Shard, distribute_tensor
from torch.nn import Parameter
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

import surefoot.torch
from matrix_rules import shaped
from numbered import estimating
from shared_training import (
    CLIPPED,
    DDP,
    ENGINES,
    OPTIONS,
    STEPS,
    backward,
    batch,
    feed,
    mlp,
    outcome,
    parameters,
    through_a_step,
    torch_clips,
    train,
    whole,
)
from summed import chained, joined, trusted
from surefoot.errors import SurefootWarning, UsageError
from surefoot.rule import Rule
from surefoot.rules.muon import muon
from surefoot.torch import RuleOptimizer
from surefoot.torch.step_tables import StepTables
from surefoot.update import update
from without_teardown import end_at_once

Case = Callable[[], Any]


def mine() -> tuple[int]:
    return (dist.get_rank(),)


def mesh() -> Any:
    return init_device_mesh("cpu", (2,))


def ours(name: str, model: nn.Module, **options: Any) -> Optimizer:
    return getattr(surefoot.torch, name)(model.parameters(), **options)


def fsdp(dtype: torch.dtype = torch.float32) -> nn.Module:
    model = mlp(dtype)
    fully_shard(model)
    return model


def ddp_step(name: str, package: Any, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    model = DistributedDataParallel(mlp(dtype))
    return outcome(train(model, getattr(package, name)(model.parameters(), **OPTIONS[name]), mine()))


def fsdp_step(name: str, engine: str, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    model = fsdp(dtype)
    return outcome(train(model, ours(name, model, engine=engine, **OPTIONS[name]), mine()))


def fsdp_layouts(**options: Any) -> int:
    """How often steps on shards are laid out."""
    model = fsdp()
    with mock.patch("surefoot.torch.stepping.StepTables", side_effect=StepTables) as made:
        train(model, ours("Adam", model, **options), mine())
    return made.call_count


def torch_fsdp_step() -> dict[str, Any]:
    model = fsdp()
    return outcome(train(model, torch.optim.Adam(model.parameters(), **OPTIONS["Adam"]), mine()))


def zero_step() -> dict[str, Any]:
    from torch.distributed.optim import ZeroRedundancyOptimizer

    model = DistributedDataParallel(mlp())
    optimizer = ZeroRedundancyOptimizer(
        model.parameters(), optimizer_class=surefoot.torch.AdaBound, **OPTIONS["AdaBound"]
    )
    train(model, optimizer, mine())
    return {"weights": [whole(p) for p in model.parameters()], "engine": optimizer.optim.engine}


def clipped(engine: str) -> dict[str, Any]:
    """Clip by the norm of all shards and average the weights."""
    model = fsdp(torch.float64)
    optimizer = train(model, ours("AdamW", model, engine=engine, **CLIPPED), mine())
    with optimizer.averaged():
        averaged = outcome(optimizer)["weights"]
    return {**outcome(optimizer), "averaged": averaged}


def torch_clipped() -> dict[str, Any]:
    """Clip and step as torch does."""
    return outcome(torch_clips(fsdp(torch.float64), mine()))


def clipped_beside_plain() -> dict[str, Any]:
    """Clip the gradients of sharded and plain parameters together, as tensor parallelism has them."""
    params = parameters(torch.float64)
    params[0] = Parameter(distribute_tensor(params[0].detach(), mesh(), [Shard(0)]))
    return outcome(feed(surefoot.torch.AdamW(params, **CLIPPED), like_parameter))


def like_parameter(gradient: Tensor, p: Tensor) -> Tensor:
    return distribute_tensor(gradient, p.device_mesh, p.placements) if isinstance(p, DTensor) else gradient


def placed(name: str, engine: str, placement: Placement, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    """Step parameters that are distributed one by one."""
    params = [Parameter(distribute_tensor(p.detach(), mesh(), [fitting(placement, p)])) for p in parameters(dtype)]
    optimizer = getattr(surefoot.torch, name)(params, engine=engine, **OPTIONS[name])
    return outcome(feed(optimizer, like_parameter))


def fitting(placement: Placement, p: Tensor) -> Placement:
    return Shard(0) if isinstance(placement, Shard) and placement.dim >= p.dim() else placement


def partial(engine: str) -> dict[str, Any]:
    """Step where each process has a part of each gradient's sum, as autograd leaves it."""
    params = [Parameter(distribute_tensor(p.detach(), mesh(), [Replicate()])) for p in parameters(torch.float64)]

    def part(gradient: Tensor, _: Tensor) -> Tensor:
        return DTensor.from_local(gradient * (0.25 + 0.5 * dist.get_rank()), mesh(), [Partial()])

    return outcome(feed(surefoot.torch.Adam(params, engine=engine, **OPTIONS["Adam"]), part))


def summed(own: Rule, engine: str, placement: Placement | None = None) -> dict[str, Any]:
    """Step by sums over whole tensors, each in one process a shard, one whole in both, and one not distributed."""
    params = parameters(torch.float64)
    for k in range(len(params)) if placement else range(len(params) - 1):
        how = Replicate() if k == 1 and placement is None else fitting(placement or Shard(0), params[k])
        params[k] = Parameter(distribute_tensor(params[k].detach(), mesh(), [how]))
    return outcome(feed(RuleOptimizer(params, own, engine=engine), like_parameter))


def summed_fsdp(engine: str) -> dict[str, Any]:
    """The same on a model that FSDP2 divides; and how many calls a step takes."""
    model = fsdp(torch.float64)
    optimizer = RuleOptimizer(model.parameters(), trusted, engine=engine)
    backward(model, 0, mine())
    with mock.patch.object(dist, "all_reduce", side_effect=dist.all_reduce) as reduced:
        optimizer.step()
    return {**outcome(train(model, optimizer, mine(), range(1, STEPS))), "calls": reduced.call_count}


def estimated() -> dict[str, Any]:
    """Step a model that FSDP2 divides by a rule with numbers for the whole optimizer; which are kept in the groups."""
    model = fsdp(torch.float64)
    optimizer = RuleOptimizer(model.parameters(), estimating)
    found = outcome(train(model, optimizer, mine()))
    return {**found, "kept": [optimizer.param_groups[0][name] for name in ("d", "r")]}


def summed_rates() -> list[Tensor]:
    """Return this process's shards of the effective step sizes of a rule with sums."""
    model = fsdp(torch.float64)
    optimizer = train(model, RuleOptimizer(model.parameters(), trusted), mine())
    return [*optimizer.effective_lr().values()]


def rates() -> list[Tensor]:
    """Return this process's shards of the effective step sizes."""
    model = fsdp()
    optimizer = train(model, ours("AdaBound", model, **OPTIONS["AdaBound"]), mine())
    return [*optimizer.effective_lr().values()]


def skipped() -> dict[str, Any]:
    """Scale a loss; in the second step a gradient of the second process alone is infinite."""
    model = fsdp()
    optimizer, scaler = ours("Adam", model, **OPTIONS["Adam"]), torch.amp.GradScaler("cpu", init_scale=4.0)
    for step in range(2):
        model.zero_grad()
        scaler.scale(model(batch(step, *mine(), torch.float32)).square().mean()).backward()
        if step and dist.get_rank():
            next(model.parameters()).grad.to_local().fill_(float("inf"))
        scaler.step(optimizer)
        scaler.update()
    return {**outcome(optimizer), "scale": scaler.get_scale()}


def differentiated() -> Tensor:
    """Return the gradient, with respect to the first weights, of the squared weights after a step."""
    p = Parameter(distribute_tensor(parameters(torch.float64)[0].detach(), mesh(), [Shard(0)]))
    return whole(through_a_step(p))


def resumed(folder: Path) -> dict[str, Any]:
    """Go on from a sharded checkpoint on disk."""
    model = fsdp()
    optimizer = train(model, ours("AdaBound", model, ema=0.9, **OPTIONS["AdaBound"]), mine())
    checkpoint.save(checkpointed(model, optimizer), checkpoint_id=folder / "checkpoint")
    model = fsdp()
    optimizer = ours("AdaBound", model, ema=0.9, lr=0.5)
    found = checkpointed(model, optimizer)
    checkpoint.load(found, checkpoint_id=folder / "checkpoint")
    sharded.set_state_dict(model, optimizer, model_state_dict=found["model"], optim_state_dict=found["optimizer"])
    return outcome(train(model, optimizer, mine(), range(STEPS, 2 * STEPS)))


def checkpointed(model: nn.Module, optimizer: Optimizer) -> dict[str, Any]:
    weights, state = sharded.get_state_dict(model, optimizer)
    return {"model": weights, "optimizer": state}


def from_one_process_and_back() -> dict[str, Any]:
    """Take over the whole state that one process had, go on, and return the whole state."""
    alone = mlp()
    before = train(alone, ours("Adam", alone, **OPTIONS["Adam"]), (0, 1))
    model = fsdp()
    optimizer, options = ours("Adam", model, **OPTIONS["Adam"]), sharded.StateDictOptions(full_state_dict=True)
    sharded.set_model_state_dict(model, alone.state_dict(), options=options)
    state = sharded.get_optimizer_state_dict(alone, before)
    sharded.set_optimizer_state_dict(model, optimizer, state, options=options)
    train(model, optimizer, mine(), range(STEPS, 2 * STEPS))
    state = sharded.get_optimizer_state_dict(model, optimizer, options=options)
    return {**outcome(optimizer), "whole": state}


def matrices(own: Rule, how: str, dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    """Step matrices by a rule that must see them whole, among them uneven ones and such as one process has alone."""
    params = [p for p in parameters(dtype) if p.dim() > 1 or own.vector]
    for k, p in enumerate(params[:-1] if how == "beside plain" else params):
        placement = Replicate() if k == 0 and how == "beside plain" else Shard(1 if "columns" in how else 0)
        params[k] = Parameter(distribute_tensor(p.detach(), mesh(), [fitting(placement, p)]))
    group = {"params": params, "transposed": "transposed" in how}
    return outcome(feed(RuleOptimizer([group], own, ema=0.9), like_parameter))


def matrices_fsdp(own: Rule) -> dict[str, Any]:
    """Step a model that FSDP2 divides by such a rule, in blocks; and tell how often this process made a product."""
    model = fsdp(torch.float64)
    inner, last = (layer.weight for layer in model if isinstance(layer, nn.Linear))
    optimizer = RuleOptimizer([{"params": [inner], "blocks": (3, 4)}, {"params": [last], "transposed": True}], own)
    with mock.patch("surefoot.engines.matrices.update", side_effect=update) as made:
        train(model, optimizer, mine())
    return {**outcome(optimizer), "made": made.call_count, "rates": [*optimizer.effective_lr().values()]}


def plain_gradient() -> str:
    """Return the error of a sharded parameter whose gradient is not."""
    p = Parameter(distribute_tensor(torch.ones(4), mesh(), [Shard(0)]))
    p.grad = torch.ones(4)
    try:
        surefoot.torch.SGD([p]).step()
    except UsageError as error:
        return str(error)
    return "no error"


def cases(folder: Path) -> dict[str, Case]:
    """Return every case by name."""
    found: dict[str, Case] = {}
    for name in DDP:
        found[f"ddp {name}"] = lambda n=name: ddp_step(n, surefoot.torch)
    found["ddp torch"] = lambda: ddp_step("Adam", torch.optim)
    found["ddp bfloat16"] = lambda: ddp_step("Adam", surefoot.torch, torch.bfloat16)
    found["fsdp torch"] = torch_fsdp_step
    found["clipped torch"] = torch_clipped
    for engine in ENGINES:
        for name in OPTIONS:
            found[f"fsdp {name} {engine}"] = lambda n=name, e=engine: fsdp_step(n, e)
            found[f"split {name} {engine}"] = lambda n=name, e=engine: placed(n, e, Shard(0))
        found[f"fsdp bfloat16 {engine}"] = lambda e=engine: fsdp_step("Adam", e, torch.bfloat16)
        found[f"columns {engine}"] = lambda e=engine: placed("Adam", e, Shard(1))
        found[f"replicated {engine}"] = lambda e=engine: placed("Adam", e, Replicate())
        found[f"replicated bfloat16 {engine}"] = lambda e=engine: placed("Adam", e, Replicate(), torch.bfloat16)
        found[f"partial {engine}"] = lambda e=engine: partial(e)
        found[f"summed fsdp {engine}"] = lambda e=engine: summed_fsdp(e)
        found[f"summed columns {engine}"] = lambda e=engine: summed(chained, e, Shard(1))
        for own in (trusted, chained):
            found[f"summed {own.name} {engine}"] = lambda o=own, e=engine: summed(o, e)
        found[f"clipped {engine}"] = lambda e=engine: clipped(e)
    found |= {"zero": zero_step, "rates": rates, "skipped": skipped, "differentiated": differentiated}
    found |= {
        "summed joined auto": lambda: summed(joined, "auto"),
        "summed rates": summed_rates,
        "estimated": estimated,
    }
    for own in (muon, shaped):
        for how in ("rows", "columns", "beside plain", "rows, transposed", "columns, transposed"):
            found[f"matrices {own.name} {how}"] = lambda o=own, h=how: matrices(o, h)
        found[f"matrices {own.name} bfloat16"] = lambda o=own: matrices(o, "rows", torch.bfloat16)
        found[f"matrices {own.name} fsdp"] = lambda o=own: matrices_fsdp(o)
    found |= {"laid out": fsdp_layouts, "laid out, clipped": lambda: fsdp_layouts(max_grad_norm=0.5)}
    found |= {"clipped beside plain": clipped_beside_plain, "plain gradient": plain_gradient}
    return found | {"resumed": lambda: resumed(folder), "one process and back": from_one_process_and_back}


def load_all() -> None:
    """Import what the first step of an optimizer does, while there is one process."""
    p = Parameter(torch.ones(1))
    p.grad = torch.ones(1)
    surefoot.torch.SGD([p], lr=0.1).step()


def run(rank: int, folder: Path) -> None:
    """Run every case until one fails; then the other process waits in vain, and fails as well."""
    if "lo" in (name for _, name in socket.if_nameindex()):
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    store = dist.FileStore(str(folder / "store"), 2)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2, timeout=timedelta(seconds=600))
    found: dict[str, Any] = {}
    for name, case in cases(folder).items():
        try:
            found[name] = case()
        except Exception:
            found["failure"] = f"process {rank}, case {name}:\n{traceback.format_exc()}"
            break
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("error", SurefootWarning)
    load_all()
    other = os.fork()
    run(0 if other else 1, Path(sys.argv[1]))
    if other and os.waitpid(other, 0)[1]:
        sys.exit("the other process has failed")
    end_at_once()
