"""What a user may do between two steps, as one table: each habit changes an optimizer, or takes a step in its own way.

A habit is written for any optimizer of torch's kind, so that ours and torch's are given the same one. `CHANGES` run
between two ordinary steps, when the coming step's gradients are there; a change may return another optimizer to go on
with. `WAYS` call the step themselves. Both use nothing but what is public.
"""

from __future__ import annotations

import copy
import io
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from torch_runs import params_of

CHANGES: dict[str, Callable[[Any], Optimizer | None]] = {}
WAYS: dict[str, Callable[[Any], object]] = {}

F64, F32, C128 = torch.float64, torch.float32, torch.complex128
SHAPES = (((4, 3), F64), ((3, 3), F64), ((2, 3, 2, 2), F64), ((), F64), ((0,), F64), ((7,), F32), ((3,), C128))
"""Parameters that every optimizer here has: of three dtypes; among them a square, an image, a number, an empty one."""


def parameters() -> list[Parameter]:
    generator = torch.Generator().manual_seed(3)
    return [Parameter(torch.randn(shape, generator=generator, dtype=F64).to(dtype)) for shape, dtype in SHAPES]


def change(function: Callable[[Any], Optimizer | None]) -> Callable[[Any], Optimizer | None]:
    """Put a change into the table."""
    CHANGES[function.__name__] = function
    return function


def way(function: Callable[[Any], object]) -> Callable[[Any], object]:
    """Put a way to step into the table."""
    WAYS[function.__name__] = function
    return function


def square(o: Optimizer) -> Tensor:
    return params_of(o)[1]


def image(o: Optimizer) -> Tensor:
    return params_of(o)[2]


def moments(o: Optimizer, p: Tensor) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield state and name of everything but the step count that is kept for a parameter."""
    own = o.state.get(p, {})
    for name in [name for name, x in own.items() if name != "step" and torch.is_tensor(x)]:
        yield own, name


def arrays(o: Optimizer, p: Tensor) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield those of them that are no numbers."""
    return ((own, name) for own, name in moments(o, p) if own[name].dim() == p.dim())


def alone(o: Optimizer) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield those that are numbers: of a rule that keeps one for each tensor."""
    for p in params_of(o):
        yield from ((own, name) for own, name in [*moments(o, p)] if p.dim() and not own[name].dim())


def of_all(o: Optimizer) -> list[str]:
    """Return the names of the numbers that a rule keeps for the whole optimizer, in the groups."""
    return sorted(o.rule.shared) if hasattr(o, "rule") else []


def all_moments(o: Optimizer) -> Iterator[Tensor]:
    for p in params_of(o):
        for own, name in moments(o, p):
            yield own[name]


def counted(o: Optimizer) -> Iterator[dict[str, Any]]:
    """Yield the states that have a step count: of torch's SGD none."""
    return (own for own in o.state.values() if "step" in own)


def give(p: Tensor, grad: Tensor) -> None:
    """Set a gradient, of whatever shape and dtype."""
    if hasattr(p, "grad_dtype"):
        p.grad_dtype = None
    if grad.shape == p.shape:
        p.grad = grad
    else:
        p.grad = torch.zeros_like(p)
        p.grad.data = grad


def give_gradients(optimizer: Any, seed: int) -> None:
    """Write new gradients where the old ones lie, as backward does; where there is none, a new one."""
    generator = torch.Generator().manual_seed(seed)
    for p in params_of(optimizer):
        grad = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.dtype)
        if p.grad is None or p.grad.is_sparse or p.grad.shape != p.shape or p.grad.requires_grad:
            p.grad = grad
        else:
            p.grad = p.grad.clone() if p.grad.data_ptr() == p.data_ptr() else p.grad
            p.grad.copy_(grad) if p.grad.is_contiguous() else setattr(p, "grad", grad)


def twin_of(optimizer: Any, make: Callable[..., Any]) -> Any:
    """Return a new optimizer with copies of all that can be seen of another; what shares memory there does so here."""
    params = list(dict.fromkeys(params_of(optimizer)))
    seen = [(p.detach(), p.grad if p.grad is None else p.grad.detach(), optimizer.state.get(p)) for p in params]
    groups = [{key: x for key, x in group.items() if key != "params"} for group in optimizer.param_groups]
    seen, groups = copy.deepcopy((seen, groups))
    places = {p: Parameter(x, requires_grad=p.requires_grad) for p, (x, _, _) in zip(params, seen, strict=True)}
    twin = make([*places.values()])
    twin.state.clear()
    twin.param_groups[:] = [
        {**group, "params": [places[p] for p in own["params"]]}
        for group, own in zip(groups, optimizer.param_groups, strict=True)
    ]
    for p, (_, grad, state) in zip(params, seen, strict=True):
        if grad is not None:
            give(places[p], grad)
        if state is not None:
            twin.state[places[p]] = state
    return twin


def visible(optimizer: Any) -> list[dict[str, Any]]:
    """Return the weights and the state of every parameter, themselves, and the numbers of the groups, as tensors."""
    return [
        {
            "weight": p,
            **{name: torch.tensor(group[name], dtype=F64) for name in of_all(optimizer)},
            **optimizer.state.get(p, {}),
        }
        for group in optimizer.param_groups
        for p in group["params"]
    ]


def numbers(optimizer: Any) -> list[dict[str, Any]]:
    """Return copies of the weights and the state of every parameter."""
    return [{key: copied(x) for key, x in own.items()} for own in visible(optimizer)]


def copied(x: Any) -> Any:
    return x.detach().clone() if isinstance(x, Tensor) else copy.deepcopy(x)


# Weights


@change
def weights_swapped(o):
    for p in params_of(o):
        p.data = p.data * 1.5


@change
def weights_edited(o):
    with torch.no_grad():
        for p in params_of(o):
            p.mul_(0.5)


@change
def weights_edited_through_numpy(o):
    for p in params_of(o):
        p.detach().numpy()[...] = 0.25


@change
def weights_in_a_larger_tensor(o):
    """As a flat buffer of all parameters has it."""
    p = square(o)
    buffer = torch.zeros(40, dtype=p.dtype)
    buffer[5:14] = p.data.flatten()
    p.data = buffer[5:14].view(3, 3)


@change
def weights_in_one_flat_buffer(o):
    params = [p for p in params_of(o) if p.dtype == F64]
    buffer = torch.cat([p.data.flatten() for p in params])
    for p, piece in zip(params, buffer.split([p.numel() for p in params]), strict=True):
        p.data = piece.view(p.shape)


@change
def weights_in_every_second_place(o):
    p = square(o)
    p.data = torch.stack([p.data, p.data], dim=-1)[..., 0]


@change
def weights_channels_last(o):
    image(o).data = image(o).data.to(memory_format=torch.channels_last)


@change
def weights_transposed_in_place(o):
    with torch.no_grad():
        square(o).t_()


@change
def weights_transposed_at_the_same_address(o):
    p = square(o)
    with torch.no_grad():
        p.set_(p.untyped_storage(), p.storage_offset(), (3, 3), (1, 3))


@change
def weights_as_strided_in_place(o):
    with torch.no_grad():
        square(o).as_strided_((3, 3), (1, 3))


@change
def weights_view_of_themselves(o):
    """The same address and shape in the same memory, another order."""
    square(o).data = square(o).data.t()


@change
def weights_expanded(o):
    square(o).data = square(o).data[:1].expand(3, 3)


@change
def weights_smaller(o):
    params_of(o)[0].data = params_of(o)[0].data[:2]


@change
def weights_resized_in_place(o):
    p = params_of(o)[0]
    p.requires_grad_(False)
    p.resize_(2, 3)
    p.requires_grad_(True)


@change
def weights_of_another_shape_with_gradients(o):
    p = params_of(o)[0]
    p.data = p.data[:2].clone()
    p.grad = torch.ones_like(p)


@change
def weights_storage_grown(o):
    for p in params_of(o):
        p.untyped_storage().resize_(4096)


@change
def weights_frozen(o):
    for p in params_of(o)[:2]:
        p.requires_grad_(False)


@change
def weights_frozen_and_without_gradient(o):
    params_of(o)[1].requires_grad_(False)
    params_of(o)[1].grad = None


@change
def weights_in_shared_memory(o):
    for p in params_of(o):
        p.share_memory_()


@change
def weights_of_two_parameters_share_memory(o):
    params_of(o)[1].data = params_of(o)[0].data[:3]


# Gradients


@change
def gradient_gone(o):
    params_of(o)[0].grad = None


@change
def gradients_gone(o):
    o.zero_grad(set_to_none=True)


@change
def gradients_zeroed(o):
    o.zero_grad(set_to_none=False)


@change
def gradients_swapped(o):
    for p in params_of(o):
        p.grad.data = p.grad.data * 2


@change
def gradients_replaced(o):
    for p in params_of(o):
        p.grad = p.grad * 3


@change
def gradients_edited_through_numpy(o):
    for p in params_of(o):
        p.grad.numpy()[...] = 0.125


@change
def gradient_channels_last(o):
    image(o).grad = image(o).grad.to(memory_format=torch.channels_last)


@change
def gradient_expanded(o):
    square(o).grad = square(o).grad[:1].expand(3, 3)


@change
def gradient_of_strided_slices(o):
    square(o).grad = torch.stack([square(o).grad, torch.ones(3, 3, dtype=F64)], dim=1)[:, 0]


@change
def gradient_transposed_in_place(o):
    square(o).grad.t_()


@change
def gradient_transposed_at_the_same_address(o):
    grad = square(o).grad
    grad.set_(grad.untyped_storage(), grad.storage_offset(), (3, 3), (1, 3))


@change
def gradient_as_strided_in_place(o):
    square(o).grad.as_strided_((3, 3), (1, 3))


@change
def gradient_resized_in_place(o):
    params_of(o)[0].grad.resize_(2, 3)


@change
def gradient_swapped_for_a_smaller_one(o):
    params_of(o)[0].grad.data = params_of(o)[0].grad.data[:2]


@change
def gradient_broadcasts(o):
    """One row for all."""
    params_of(o)[0].grad.data = params_of(o)[0].grad.data[:1]


@change
def gradients_storage_grown(o):
    for p in params_of(o):
        p.grad.untyped_storage().resize_(4096)


@change
def gradient_with_a_sign_yet_to_flip(o):
    for p in params_of(o):
        p.grad = torch._neg_view(p.grad)


@change
def gradient_yet_to_be_conjugated(o):
    for p in params_of(o):
        p.grad = p.grad.conj()


@change
def gradient_of_another_dtype(o):
    give(params_of(o)[0], params_of(o)[0].grad.to(F32))


@change
def gradient_of_wider_dtype(o):
    give(params_of(o)[5], params_of(o)[5].grad.to(F64))


@change
def gradient_sparse(o):
    p = params_of(o)[0]
    p.grad = torch.sparse_coo_tensor([[0, 2, 2]], p.grad[:3], p.shape, check_invariants=True)


@change
def gradient_shared_by_two(o):
    square(o).grad = params_of(o)[0].grad[:3]


@change
def gradient_is_the_weight(o):
    square(o).grad = square(o).detach()


@change
def gradient_to_be_differentiated(o):
    square(o).grad.requires_grad_()


# State


@change
def state_edited(o):
    for x in all_moments(o):
        x.mul_(0.5)


@change
def state_edited_through_numpy(o):
    for x in all_moments(o):
        if x.dtype != torch.bfloat16:  # which NumPy does not know
            x.numpy()[...] *= 0.5


@change
def state_edited_through_data(o):
    """In no version counter to be seen."""
    for x in all_moments(o):
        x.data.mul_(0.5)


@change
def state_replaced(o):
    for p in params_of(o):
        for own, name in moments(o, p):
            own[name] = own[name] * 2


@change
def state_swapped(o):
    for x in all_moments(o):
        x.data = x.data * 2


@change
def state_swapped_for_a_smaller_one(o):
    for own, name in arrays(o, params_of(o)[0]):
        own[name].data = own[name].data[:3]


@change
def state_resized_in_place(o):
    for own, name in arrays(o, params_of(o)[0]):
        own[name].resize_(3)


@change
def state_transposed_in_place(o):
    for own, name in arrays(o, square(o)):
        own[name].t_()


@change
def state_transposed_at_the_same_address(o):
    for own, name in arrays(o, square(o)):
        x = own[name]
        x.set_(x.untyped_storage(), x.storage_offset(), (3, 3), (1, 3))


@change
def state_as_strided_in_place(o):
    for own, name in arrays(o, square(o)):
        own[name].as_strided_((3, 3), (1, 3))


@change
def state_channels_last(o):
    for own, name in arrays(o, image(o)):
        own[name] = own[name].to(memory_format=torch.channels_last)


@change
def state_storage_grown(o):
    for x in all_moments(o):
        x.untyped_storage().resize_(4096)


@change
def state_in_a_larger_tensor(o):
    for own, name in arrays(o, square(o)):
        buffer = torch.zeros(30, dtype=F64)
        buffer[3:12] = own[name].flatten()
        own[name] = buffer[3:12].view(3, 3)


@change
def state_in_shared_memory(o):
    for own in o.state.values():
        for x in own.values():
            x.share_memory_()


@change
def state_dicts_copied(o):
    """As a library does that rebuilds the state: equal, with the same tensors."""
    for p in [*o.state]:
        o.state[p] = {**o.state[p]}


@change
def state_with_a_note(o):
    o.state[square(o)]["note"] = "mine"


@change
def state_of_one_deleted(o):
    o.state.pop(square(o), None)


@change
def state_deleted(o):
    o.state.clear()


@change
def state_emptied(o):
    for own in o.state.values():
        own.clear()


@change
def a_moment_deleted(o):
    for own, name in [*moments(o, square(o))][:1]:
        del own[name]


@change
def state_exchanged_by_two(o):
    """Both are tables of three columns, with moments of their own."""
    first, second = params_of(o)[0], square(o)
    if first in o.state and second in o.state:
        o.state[first], o.state[second] = o.state[second], o.state[first]


@change
def state_loaded_from_itself(o):
    o.load_state_dict(o.state_dict())


@change
def state_loaded_from_a_file(o):
    file = io.BytesIO()
    torch.save(o.state_dict(), file)
    file.seek(0)
    o.load_state_dict(torch.load(file, weights_only=True))


# Numbers of a tensor, in its state, and of the whole optimizer, in the groups


@change
def numbers_edited(o):
    for own, name in alone(o):
        own[name].fill_(0.75)


@change
def numbers_edited_through_numpy(o):
    for own, name in alone(o):
        own[name].numpy()[()] = 0.75


@change
def numbers_swapped(o):
    for own, name in alone(o):
        own[name].data = torch.tensor(0.75, dtype=F64)


@change
def numbers_replaced(o):
    for own, name in alone(o):
        own[name] = own[name] * 2


@change
def numbers_in_single_precision(o):
    for own, name in alone(o):
        own[name] = own[name].float()


@change
def numbers_plain(o):
    for own, name in alone(o):
        own[name] = 0.75


@change
def numbers_deleted(o):
    for own, name in [*alone(o)]:
        del own[name]


@change
def numbers_of_another_shape(o):
    for own, name in alone(o):
        own[name] = own[name].expand(3)


@change
def numbers_in_one_array(o):
    every = [*alone(o)]
    array = torch.full((len(every),), 0.75, dtype=F64)
    for k, (own, name) in enumerate(every):
        own[name] = array[k]


@change
def numbers_of_all_edited(o):
    for name in of_all(o):
        o.param_groups[0][name] = 0.25


@change
def numbers_of_all_a_tensor(o):
    for name in of_all(o):
        o.param_groups[0][name] = torch.tensor(0.25)


@change
def numbers_of_all_of_numpy(o):
    for name in of_all(o):
        o.param_groups[0][name] = np.float32(0.25)


@change
def numbers_of_all_deleted(o):
    for name in of_all(o):
        del o.param_groups[0][name]


@change
def numbers_of_all_in_one_of_two_groups(o):
    group_split(o)
    for name in of_all(o):
        o.param_groups[1][name] = 0.25


# Step counts


@change
def steps_set_in_place(o):
    for own in counted(o):
        own["step"].fill_(1000)


@change
def steps_set_through_numpy(o):
    for own in counted(o):
        own["step"].numpy()[()] = 1000


@change
def one_step_set_through_numpy(o):
    for own in [*counted(o)][:1]:
        own["step"].numpy()[()] = 1000


@change
def steps_set_through_data(o):
    for own in counted(o):
        own["step"].data.fill_(1000)


@change
def steps_swapped(o):
    for own in counted(o):
        own["step"].data = torch.tensor(1000.0)


@change
def steps_replaced(o):
    for own in counted(o):
        own["step"] = torch.tensor(1000.0)


@change
def steps_replaced_by_wide_ones(o):
    for own in counted(o):
        own["step"] = torch.tensor(1000.0, dtype=F64)


@change
def steps_replaced_by_integers(o):
    for own in counted(o):
        own["step"] = torch.tensor(1000)


@change
def steps_replaced_by_bfloat16(o):
    for own in counted(o):
        own["step"] = torch.tensor(100.0, dtype=torch.bfloat16)


@change
def steps_replaced_by_numbers(o):
    for own in counted(o):
        own["step"] = 1000


@change
def steps_in_one_array(o):
    every = [*counted(o)]
    array = torch.full((len(every),), 1000.0)
    for k, own in enumerate(every):
        own["step"] = array[k]


# Groups and hyperparameters


@change
def group_added(o):
    o.add_param_group({"params": [Parameter(torch.ones(3, dtype=F64))], "lr": 0.05})
    params_of(o)[-1].grad = torch.ones(3, dtype=F64)


@change
def group_split(o):
    o.param_groups.append({**o.param_groups[0], "params": o.param_groups[0]["params"][3:], "lr": 0.3})
    o.param_groups[0]["params"] = o.param_groups[0]["params"][:3]


@change
def group_removed(o):
    group_split(o)
    del o.param_groups[0]


@change
def group_copied(o):
    o.param_groups[0] = {**o.param_groups[0]}


@change
def groups_in_a_new_list(o):
    o.param_groups = [*o.param_groups]


@change
def parameters_in_another_order(o):
    o.param_groups[0]["params"].reverse()


@change
def parameter_replaced(o):
    new = Parameter(torch.full((3, 3), 0.5, dtype=F64))
    new.grad = torch.ones_like(new)
    o.param_groups[0]["params"][1] = new


@change
def parameter_replaced_with_its_state(o):
    """As pruning and growing of points do it."""
    old = square(o)
    new = Parameter(old.detach()[:2].clone())
    new.grad = torch.ones_like(new)
    own = o.state.pop(old, {})
    for name in own:
        own[name] = own[name][:2].clone() if own[name].dim() else own[name]
    if own:
        o.state[new] = own
    o.param_groups[0]["params"][1] = new


@change
def parameter_removed(o):
    del o.param_groups[0]["params"][1]


@change
def parameter_given_twice(o):
    o.param_groups[0]["params"].append(square(o))


@change
def rate_changed(o):
    o.param_groups[0]["lr"] *= 0.5


@change
def rate_zero(o):
    o.param_groups[0]["lr"] = 0.0


@change
def rate_an_integer(o):
    o.param_groups[0]["lr"] = 1


@change
def rate_a_tensor(o):
    o.param_groups[0]["lr"] = torch.tensor(0.0625, dtype=F64)


@change
def rate_of_numpy(o):
    o.param_groups[0]["lr"] = np.float64(0.0625)


@change
def rate_of_numpy_in_single_precision(o):
    o.param_groups[0]["lr"] = np.float32(0.0625)


@change
def rate_an_array_of_numpy(o):
    o.param_groups[0]["lr"] = np.array(0.0625)


@change
def rate_in_bfloat16(o):
    o.param_groups[0]["lr"] = ml_dtypes.bfloat16(0.0625)


@change
def decay_switched_on(o):
    o.param_groups[0]["weight_decay"] = 0.1


@change
def maximize_switched_on(o):
    o.param_groups[0]["maximize"] = True


# Processes, threads, copies


@change
def threads_of_torch_changed(_):
    torch.set_num_threads(1 if torch.get_num_threads() > 1 else 2)


@change
def default_dtype_changed(_):
    torch.set_default_dtype(F64)


@change
def replaced_by_a_copy(o):
    return with_gradients(o, copy.deepcopy(o))


@change
def replaced_by_a_pickle(o):
    return with_gradients(o, pickle.loads(pickle.dumps(o)))


@change
def copied_and_gone_on(o):
    copy.deepcopy(o)


def with_gradients(old: Optimizer, new: Optimizer) -> Optimizer:
    """Return the copy, whose parameters have lost their gradients."""
    for p, q in zip(params_of(old), params_of(new), strict=True):
        q.grad = p.grad
    return new


# Ways to step


@way
def plainly(o):
    return o.step()


@way
def without_autograd(o):
    with torch.no_grad():
        return o.step()


@way
def with_autograd(o):
    with torch.enable_grad():
        return o.step()


@way
def in_inference_mode(o):
    with torch.inference_mode():
        return o.step()


@way
def with_a_closure(o):
    grads = [p.grad.clone() for p in params_of(o)]

    def closure():
        o.zero_grad()
        for p, grad in zip(params_of(o), grads, strict=True):
            p.grad = grad
        return 5.0

    assert o.step(closure) == 5.0


@way
def in_another_thread(o):
    caught: list[BaseException] = []

    def run():
        try:
            o.step()
        except BaseException as error:  # passed on
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    for error in caught:
        raise error


@way
def under_a_profiler(o):
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
        return o.step()


@way
def with_hooks(o):
    """The hook before changes every gradient, the one after every weight."""

    def before(optimizer, *_):
        for p in params_of(optimizer):
            p.grad.mul_(2)

    with torch.no_grad():
        first = o.register_step_pre_hook(before)
        o.step()
        first.remove()
