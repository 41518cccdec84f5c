"""One rule for the matrices and another for the rest, as one optimizer: to torch's schedulers, scalers, checkpoints."""

from __future__ import annotations

import copy
import pickle
import warnings

import pytest
import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR
from torch.optim.optimizer import register_optimizer_step_post_hook

import surefoot.torch
from near import assert_near
from role_models import GPT, ResNet, mlp
from surefoot.errors import SurefootWarning, UsageError
from surefoot.rules import RULES
from surefoot.torch import RuleOptimizer, SplitOptimizer, groups, split
from torch_small import through_file

pytestmark = pytest.mark.usefixtures("kernel_cache")

PARTS = {"lion": {"lr": 1e-3, "weight_decay": 0.1}, "rest": {"lr": 1e-2, "weight_decay": 0.1}}
AVERAGING = {"schedule_free_sgd": {"lr": 0.1}, "rest": {"rule": "adamw", "lr": 0.01, "ema": 0.9}}
SUMMING = {"matrices": "prodigy", "rest": {"rule": "lamb", "lr": 0.01}}


def made(seed=0):
    torch.manual_seed(seed)
    return mlp().double()


def train(model, optimizer, steps, scaler=None):
    for k in steps:
        torch.manual_seed(k)
        optimizer.zero_grad()
        loss = model(torch.randn(5, 4, dtype=torch.float64)).square().mean() * (1 + k % 3)
        if scaler is None:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
    return [p.detach().clone() for p in model.parameters()]


def same(xs, ys):
    return all(map(torch.equal, xs, ys))


class TestStep:
    def test_it_is_what_two_optimizers_do(self):
        model, other = made(), made()
        both = [
            RuleOptimizer([other[0].weight, other[2].weight], "lion", **PARTS["lion"]),
            RuleOptimizer(
                [
                    {"params": [other[4].weight], "weight_decay": 0.1},
                    {"params": [other[i].bias for i in (0, 2, 4)], "weight_decay": 0.0},
                ],
                "adamw",
                lr=1e-2,
            ),
        ]
        together = split(model, **PARTS)
        for k in range(5):
            for one in both:
                one.zero_grad()
            torch.manual_seed(k)
            (other(torch.randn(5, 4, dtype=torch.float64)).square().mean() * (1 + k % 3)).backward()
            for one in both:
                one.step()
        assert same(train(model, together, range(5)), other.parameters())
        assert together.engine == "cpu"

    @pytest.mark.parametrize("limit", [0.01, 100.0])
    def test_gradients_are_clipped_over_all_parameters(self, limit):
        model, other = made(), made()
        clipped, plain = split(model, **PARTS, max_grad_norm=limit), split(other, **PARTS)
        for k in range(4):
            plain.zero_grad()
            torch.manual_seed(k)
            (other(torch.randn(5, 4, dtype=torch.float64)).square().mean() * (1 + k % 3)).backward()
            norm = nn.utils.clip_grad_norm_(other.parameters(), limit)
            plain.step()
            assert (norm > limit) == (limit < 1)
        for p, q in zip(train(model, clipped, range(4)), other.parameters(), strict=True):
            assert_near(p, q, 1e-12)

    def test_a_rule_that_looks_at_all_its_parameters_sees_its_own(self):
        model = made()
        before = [p.detach().clone() for p in model.parameters()]
        assert not same(train(model, split(model, **SUMMING), range(2)), before)

    def test_a_closure_is_asked_once(self):
        model, asked = made(), []
        optimizer = split(model, **PARTS)

        def closure():
            asked.append(torch.is_grad_enabled())
            optimizer.zero_grad()
            loss = model(torch.ones(1, 4, dtype=torch.float64)).sum()
            loss.backward()
            return loss

        with torch.no_grad():
            assert isinstance(optimizer.step(closure), torch.Tensor)
        assert asked == [True]

    def test_hooks_see_one_optimizer(self):
        model, seen = made(), []
        optimizer = split(model, **PARTS)
        optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
        optimizer.register_step_post_hook(lambda *_: seen.append("after"))
        every = register_optimizer_step_post_hook(lambda one, *_: seen.append(type(one)))
        train(model, optimizer, range(1))
        every.remove()
        assert seen == ["before", "after", SplitOptimizer] or seen == ["before", SplitOptimizer, "after"]

    def test_step_sizes_are_told_of_every_weight(self):
        model = made()
        optimizer = split(model, **PARTS)
        model(torch.ones(1, 4, dtype=torch.float64)).sum().backward()
        rates = optimizer.effective_lr()
        assert {*rates} == {*model.parameters()}
        assert torch.equal(rates[model[2].weight], torch.full((6, 6), 1e-3, dtype=torch.float64))


class TestMachinery:
    def test_a_schedule_sets_the_rates_of_both(self):
        model = made()
        optimizer = split(model, **PARTS)
        schedule = LambdaLR(optimizer, lambda k: 0.5**k)
        for _ in range(2):
            train(model, optimizer, range(1))
            schedule.step()
        lrs = [group["lr"] for child in optimizer.children.values() for group in child.param_groups]
        assert lrs == [0.25e-3, 0.25e-2, 0.25e-2]

    def test_a_schedule_may_set_each_groups_own(self):
        model = made()
        optimizer = split(model, **PARTS)
        OneCycleLR(optimizer, [0.1, 0.2, 0.3], total_steps=9, cycle_momentum=False)
        assert [round(group["lr"], 6) for group in optimizer.param_groups] == [0.004, 0.008, 0.012]

    def test_a_scaler_unscales_once_and_leaves_bad_steps_out(self):
        model, other = made(), made()
        optimizer, plain = split(model, **PARTS, max_grad_norm=0.05), split(other, **PARTS, max_grad_norm=0.05)
        scaled = train(model, optimizer, range(4), torch.amp.GradScaler("cpu", init_scale=2.0**16))
        for p, q in zip(scaled, train(other, plain, range(4)), strict=True):
            assert_near(p, q, 1e-12)
        model[0].weight.grad.fill_(torch.inf)
        optimizer.grad_scale, optimizer.found_inf = torch.tensor(2.0), torch.tensor(1.0)
        optimizer.step()
        assert same(model.parameters(), scaled)

    def test_a_scaler_may_unscale_before_the_step(self):
        model, scaler = made(), torch.amp.GradScaler("cpu", init_scale=8.0)
        optimizer = split(model, **PARTS)
        scaler.scale(model(torch.ones(1, 4, dtype=torch.float64)).sum()).backward()
        scaled = model[0].weight.grad.clone()
        scaler.unscale_(optimizer)
        assert torch.equal(model[0].weight.grad, scaled / 8)
        scaler.step(optimizer)

    def test_parameters_can_be_added_to_the_rule_of_their_role(self):
        model, new = made(), nn.Parameter(torch.ones(3, 3, dtype=torch.float64))
        optimizer = split(model, **PARTS)
        optimizer.add_param_group({"params": [("new", new)], "role": "hidden", "lr": 0.5})
        assert optimizer.param_groups[-1] is optimizer.children["matrices"].param_groups[-1]
        new.grad = torch.ones_like(new)
        optimizer.step()
        assert_near(new.detach(), torch.full((3, 3), 0.95 - 0.5, dtype=torch.float64), 1e-12)
        saved = through_file(optimizer.state_dict())
        optimizer.load_state_dict(saved)
        assert optimizer.param_groups[-1]["lr"] == 0.5
        assert optimizer.param_groups[-1]["params"][0] is new

    def test_a_group_without_a_role_is_refused_and_one_of_known_parameters_leaves_nothing(self):
        model = made()
        optimizer = split(model, **PARTS)
        with pytest.raises(UsageError, match="has the role None; say by a role which rule"):
            optimizer.add_param_group({"params": [nn.Parameter(torch.ones(2))]})
        with pytest.raises(ValueError, match="more than one parameter group"):
            optimizer.add_param_group({"params": [("x", model[0].bias)], "role": "hidden"})
        assert len(optimizer.children["matrices"].param_groups) == 1
        assert len(optimizer.param_groups) == 3

    def test_torch_compile_leaves_its_step_alone(self):
        model = made()
        optimizer = split(model, **PARTS)
        torch.compile(lambda: optimizer.step(), backend="eager")()
        other = made()
        assert same(train(model, optimizer, range(2)), train(other, split(other, **PARTS), range(2)))


class TestCheckpoints:
    @pytest.mark.parametrize("parts", [PARTS, SUMMING], ids=["lion", "prodigy"])
    def test_a_training_goes_on_from_one(self, parts):
        model = made()
        optimizer = split(model, **parts)
        train(model, optimizer, range(3))
        saved, weights = through_file(optimizer.state_dict()), copy.deepcopy(model.state_dict())
        straight = train(model, optimizer, range(3, 6))
        again = made(1)
        fresh = split(again, **parts)
        again.load_state_dict(weights)
        fresh.load_state_dict(saved)
        assert same(train(again, fresh, range(3, 6)), straight)

    def test_torchs_way_with_names_works(self):
        model = made()
        optimizer = split(model, **PARTS)
        train(model, optimizer, range(2))
        saved = get_optimizer_state_dict(model, optimizer)
        again = made()
        fresh = split(again, **PARTS)
        set_optimizer_state_dict(again, fresh, saved)
        assert torch.equal(fresh.state[again[0].weight]["m"], optimizer.state[model[0].weight]["m"])

    @pytest.mark.parametrize(
        "clone", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))], ids=["copy", "pickle"]
    )
    def test_a_copy_goes_on_by_itself(self, clone):
        model = made()
        optimizer = split(model, **PARTS, max_grad_norm=0.1)
        train(model, optimizer, range(2))
        other, copied = clone((model, optimizer))
        assert copied.param_groups[0] is copied.children["matrices"].param_groups[0]
        assert same(train(other, copied, range(2, 4)), train(model, optimizer, range(2, 4)))

    def test_what_is_not_its_own_is_refused_and_changes_nothing(self):
        model = made()
        optimizer = split(model, **PARTS)
        train(model, optimizer, range(2))
        before = copy.deepcopy(optimizer.state_dict())
        other = made()
        foreign = split(other, matrices="lion", rest={"rule": "sgd", "momentum": 0.9})
        train(other, foreign, range(2))
        with pytest.raises(UsageError, match="the checkpoint has the state of"):
            optimizer.load_state_dict(foreign.state_dict())
        after = optimizer.state_dict()
        assert [g["lr"] for g in after["param_groups"]] == [g["lr"] for g in before["param_groups"]]
        assert all(torch.equal(after["state"][k]["m"], own["m"]) for k, own in before["state"].items())
        other = made()
        assert same(train(model, optimizer, range(2, 3)), train(other, split(other, **PARTS), range(3)))

    def test_a_checkpoint_of_another_split_is_refused(self):
        optimizer = split(made(), **PARTS)
        other = split(made(), **PARTS, head="2")
        assert len(other.param_groups) == len(optimizer.param_groups)
        with pytest.raises(UsageError, match=r"the checkpoint has 4\.weight where this split has 2\.weight"):
            optimizer.load_state_dict(other.state_dict())
        shifted, normed = nn.Linear(6, 6), nn.Linear(6, 6, bias=False)
        one = split(nn.Sequential(shifted, nn.ReLU(), nn.Linear(6, 2, bias=False)), **PARTS)
        norms = split(nn.Sequential(normed, nn.LayerNorm(6), nn.Linear(6, 2, bias=False)), **PARTS)
        with pytest.raises(UsageError, match="the checkpoint has norm where this split has bias"):
            one.load_state_dict(norms.state_dict())
        with pytest.raises(ValueError, match="different number of parameter groups"):
            optimizer.load_state_dict({"state": {}, "param_groups": []})

    def test_what_groups_say_of_their_parameters_outlives_a_checkpoint_that_says_nothing(self):
        model = made()
        optimizer = split(model, **PARTS, blocks={"0.weight": 2})
        told, saved = str(optimizer.describe()), optimizer.state_dict()
        for group in saved["param_groups"]:
            for name in ("role", "reasons", "param_names", "blocks"):
                group.pop(name, None)
        optimizer.load_state_dict(saved)
        assert str(optimizer.describe()) == told
        optimizer = surefoot.torch.AdamW(groups(model, blocks={"0.weight": 2}))
        theirs = torch.optim.AdamW([{"params": group["params"]} for group in optimizer.param_groups])
        optimizer.load_state_dict(theirs.state_dict())
        assert "hidden in 2" in str(optimizer.describe())

    def test_hooks_of_loading_are_called(self):
        optimizer, seen = split(made(), **PARTS), []
        optimizer.register_load_state_dict_pre_hook(lambda _, given: seen.append(len(given["param_groups"])))
        optimizer.register_load_state_dict_post_hook(lambda _: seen.append("after"))
        optimizer.register_state_dict_post_hook(lambda _, saved: {**saved, "mine": 1})
        saved = optimizer.state_dict()
        assert saved["mine"] == 1
        optimizer.load_state_dict(saved)
        assert seen == [3, "after"]


class TestEvaluation:
    def trained(self):
        model = made()
        optimizer = split(model, **AVERAGING)
        return model, optimizer, train(model, optimizer, range(3))

    def test_both_kinds_of_weights_are_put_in_place_and_back(self):
        model, optimizer, weights = self.trained()
        with optimizer.averaged():
            averages = [p.detach().clone() for p in model.parameters()]
        assert same(model.parameters(), weights)
        assert not any(map(torch.equal, averages, weights))
        optimizer.eval()
        assert same(model.parameters(), averages)
        optimizer.train()
        assert same(model.parameters(), weights)

    def test_a_forgotten_eval_is_warned_of_once(self):
        model, optimizer, _ = self.trained()
        optimizer.watch(model)
        model.eval()
        with pytest.warns(SurefootWarning, match="call optimizer.eval"):
            model(torch.ones(1, 4, dtype=torch.float64))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model(torch.ones(1, 4, dtype=torch.float64))

    def test_nothing_is_said_inside(self):
        model, optimizer, _ = self.trained()
        optimizer.watch(model)
        model.eval()
        with warnings.catch_warnings(), optimizer.averaged():
            warnings.simplefilter("error")
            model(torch.ones(1, 4, dtype=torch.float64))
        optimizer.eval()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model(torch.ones(1, 4, dtype=torch.float64))

    def test_where_there_are_no_others_the_way_to_have_some_is_said(self):
        with (
            pytest.raises(UsageError, match=r"lion and adamw are evaluated with the weights.*ema=0\.999"),
            split(made(), **PARTS).averaged(),
        ):
            pass


class TestSplit:
    def test_a_part_is_a_name_a_rule_a_class_or_options(self):
        model = made()
        for matrices in ("lion", RULES["lion"], {"rule": "lion", "lr": 1e-4}, surefoot.torch.Lion):
            optimizer = split(model, matrices=matrices, rest=surefoot.torch.AdamW)
            assert [child.rule.name for child in optimizer.children.values()] == ["lion", "adamw"]
            assert [group["lr"] for group in optimizer.param_groups] == [1e-4, 1e-3, 1e-3]

    def test_a_model_may_be_all_matrices_but_not_without_any(self):
        only = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
        assert [*split(only, **PARTS, head=()).children] == ["matrices"]
        with pytest.raises(UsageError, match="no parameter of Linear is a hidden matrix"):
            split(nn.Linear(3, 2), **PARTS)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({}, "nothing says which rule takes the matrices"),
            ({"matrices": "lion", "sgd": {}}, "matrices and sgd says which rule"),
            ({"lion": 1e-3}, r"lion=0\.001 is no rule with its options; write lion=dict"),
            ({"lino": {}}, "unknown rule 'lino'. Did you mean 'lion'"),
            ({"matrices": {"lr": 1e-3}}, "names no rule"),
            ({"lion": {"max_grad_norm": 1.0}}, "give it to split itself"),
            ({"lion": {}, "max_grad_norm": -1.0}, "max_grad_norm=-1.0 is not allowed"),
            ({"lion": {"betta1": 0.9}}, "betta1"),
        ],
    )
    def test_what_cannot_be_is_refused(self, options, words):
        with pytest.raises(UsageError, match=words):
            split(made(), **options)


class TestDescription:
    def test_it_says_what_went_where_and_why(self):
        model = ResNet()
        told = split(model, lion={"lr": 1e-4, "weight_decay": 0.5}, rest={"lr": 1e-3}).describe(100)
        lines = str(told).splitlines()
        assert lines[0] == "1,461 weights in 11 tensors"
        assert lines[2].split() == ["Role", "Rule", "Tensors", "Weights", "lr", "Decay", "Timescale"]
        assert lines[3].split() == ["conv", "lion", "2", "1,152", "0.0001", "0.5", "200", "epochs"]
        assert "  layer1.*.conv1.weight, 8 x 8 x 3 x 3 (2 of them): by its module, Conv2d: as 8" in lines
        assert max(map(len, lines)) <= 80

    def test_json_has_all_of_it(self):
        (row, *_) = split(made(), **PARTS).describe().to_json()["rows"]
        assert row == {
            "role": "hidden",
            "blocks": 1,
            "rule": "lion",
            "tensors": 2,
            "weights": 60,
            "lr": 1e-3,
            "weight_decay": 0.1,
            "decay": "decoupled",
            "steps": pytest.approx(1e4),
            "entries": (
                {"name": "0.weight", "count": 1, "shape": "6 x 4", "reason": "by its module, Linear"},
                {"name": "2.weight", "count": 1, "shape": "6 x 6", "reason": "by its module, Linear"},
            ),
        }

    @pytest.mark.parametrize(
        ("rule", "options", "cell"),
        [
            ("adam", {"weight_decay": 0.1}, "coupled"),
            ("adam", {}, "none"),
            ("adamw", {"weight_decay": 0.1, "lr": 0.0}, "lr is 0"),
            ("adamw", {"weight_decay": 0.01, "lr": 0.5}, "200 steps"),
            ("adamw", {"weight_decay": 1e-3, "lr": 0.5, "decay_by_lr": False}, "1,000 steps"),
            ("lamb", {"weight_decay": 0.1}, "inside"),
        ],
    )
    def test_the_timescale_is_of_the_kind_of_decay(self, rule, options, cell):
        told = str(RuleOptimizer(made().parameters(), rule, **options).describe())
        assert told.splitlines()[3].endswith(f"  {cell}")

    def test_it_is_of_the_rates_of_now(self):
        optimizer = surefoot.torch.AdamC(made().parameters(), lr=0.1, weight_decay=0.1)
        assert optimizer.describe().rows[0].steps == pytest.approx(100)
        optimizer.param_groups[0]["lr"] = 0.05
        assert optimizer.describe().rows[0].steps == pytest.approx(400)

    def test_matrices_in_parts_have_rows_of_their_own(self):
        told = str(split(GPT(), **PARTS).describe())
        assert "qkv in 3" in told
        assert "transformer.wte.weight, 11 x 8: by its module, Embedding; lm_head.weight is" in told
