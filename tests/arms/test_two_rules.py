"""An arm of two rules, one for the hidden matrices: how it is written, what is searched, and what it makes."""

import shlex
from types import SimpleNamespace

import pytest
import torch

import surefoot
from role_models import mlp
from surefoot.arms.arm_list import arms_of, parse_arms, without_twins
from surefoot.arms.opt import Opt
from surefoot.arms.two_rules import rest_of
from surefoot.errors import UsageError
from surefoot.report.repeat import repeat

pytestmark = pytest.mark.usefixtures("kernel_cache")


def arm(text, convention="torch"):
    (made,) = parse_arms([text], convention)
    return made


def test_the_rest_is_a_name_a_call_or_text():
    made = arm("lion(lr=3e-4, rest=adamw(weight_decay=0.2))")
    assert made.label == "Lion(lr=0.0003, rest=adamw(weight_decay=0.2))"
    assert (made.rule, made.rest.name, made.hyper["rest"]) == ("lion", "adamw", "adamw")
    assert (made.hyper["rest.weight_decay"], made.hyper["lr"]) == (0.2, 3e-4)
    assert arm("lion(rest='adamw(weight_decay=0.2)')").hyper == arm("lion(rest=adamw(weight_decay=0.2))").hyper
    assert Opt("lion", lr=3e-4, rest="adamw(weight_decay=0.2)").arm.hyper == made.hyper
    assert arm("cautious(lion(rest=adamw))").rule == "cautious(lion)"


def test_one_of_the_users_own_is_named_as_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "own_rest.py").write_text(
        "from surefoot.rule import rule, Step\n\n@rule(source='mine')\ndef calm(g, state, t, *, lr=0.1):\n"
        '    """Move along the gradient."""\n    return Step(rate=lr, direction=g)\n'
    )
    monkeypatch.chdir(tmp_path)
    made = arm("lion(rest='own_rest.py:calm(lr=0.5)')")
    assert made.hyper["rest"].startswith("own_rest.calm@")
    assert made.build(mlp()).children["rest"].param_groups[0]["lr"] == 0.5


def test_a_rule_that_steps_matrices_alone_has_adamw_beside_it():
    assert rest_of(SimpleNamespace(shape="matrix", vector=None), {}) == "adamw"
    assert rest_of(SimpleNamespace(shape="matrix", vector="its own"), {}) is None
    assert rest_of(SimpleNamespace(shape="any"), {}) is None
    assert rest_of(SimpleNamespace(shape="any"), {"head": "out"}) == "adamw"


class TestRate:
    def test_it_keeps_the_proportion_of_the_defaults(self):
        assert arm("lion(rest=adamw)").hyper["rest.lr"] == 1e-3  # beside 1e-4
        assert arm("lion(lr=3e-4, rest=adamw)").hyper["rest.lr"] == pytest.approx(3e-3)
        assert arm("lion(rest=adamw)").with_options({"lr": 1e-5}).hyper["rest.lr"] == pytest.approx(1e-4)

    def test_one_that_is_given_stays(self):
        made = arm("lion(rest=adamw(lr=0.5))").with_options({"lr": 1e-5})
        assert (made.hyper["lr"], made.hyper["rest.lr"]) == (1e-5, 0.5)

    def test_where_a_convention_has_none_both_are_asked_for(self):
        with pytest.raises(UsageError, match="learning rate"):
            arm("sgd(rest=adamw)", "optax")
        assert arm("sgd(learning_rate=0.1, rest=adamw(learning_rate=0.2))", "optax").hyper["rest.lr"] == 0.2

    def test_a_search_has_as_many_dimensions_as_that_of_one_rule(self):
        for trials in (4, 16, 64):
            assert arm("lion(rest=adamw)").space(trials) == arm("lion").space(trials)


def test_a_rule_for_matrices_steps_as_far_as_the_rest_at_the_same_rate():
    """Unless its scale is given, or another convention, whose rate goes with its scale."""
    made = arm("muon")
    assert (made.label, made.rest.name) == ("Muon", "adamw")
    assert (made.hyper["scale"], made.hyper["lr"], made.hyper["rest.lr"]) == ("rms", 1e-3, 1e-3)
    for text in ("muon(scale='original', lr=0.02)", "muon(scale='spectral', lr=0.02)"):
        assert arm(text).hyper["rest.lr"] == pytest.approx(1e-3), text  # AdamW's, as at the other scale
    assert arm("muon(scale='original')").hyper["scale"] == "original"
    paper = arm("muon(rest=adamw(weight_decay=0.1))", "paper").hyper
    assert (paper["scale"], paper["lr"]) == ("original", 0.02)
    torch.manual_seed(0)
    model = mlp()
    optimizer = made.build(model)
    before = [p.detach().clone() for p in model.parameters()]
    model(torch.randn(16, next(model.parameters()).shape[1])).square().mean().backward()
    optimizer.step()
    sizes = {
        name: float((p.detach() - old).square().mean().sqrt()) / 1e-3
        for (name, p), old in zip(model.named_parameters(), before, strict=True)
    }
    assert all(0.1 < size < 1.2 for size in sizes.values()), sizes


def test_it_is_another_optimizer_than_its_rule():
    without_twins([arm("lion"), arm("lion(rest=adamw)"), arm("lion(rest=adamw, head='2')"), arm("lion(rest=sgd)")])
    with pytest.raises(UsageError, match="one optimizer is given twice"):
        without_twins([arm("lion(rest=adamw)"), arm("x=lion(rest=adamw())")])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lion(rest=adm)", "unknown rule 'adm'. Did you mean 'adam'"),
        ("lion(rest=adamw(betta1=0.9))", "betta1"),
        ("lion(rest=adamw(rest=sgd))", r"rest=adamw\(rest=sgd\) has rest of its own"),
        ("lion(rest=adamw, rest=sgd)", "cannot be read|given twice"),
        ("lion(rest=adamw(max_grad_norm=1.0))", "max_grad_norm is no option of the rule adamw"),
        ("torch.optim.SGD(rest=adamw)", "unknown option of torch.optim.sgd.SGD 'rest'"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(text, words):
    with pytest.raises(UsageError, match=words):
        arm(text)


class TestBuild:
    def test_it_is_made_of_a_model(self):
        made = arm("lion(rest=adamw(lr=0.5), head='2', overrides={'4.weight': 'matrices'}, blocks={'0.weight': 2})")
        optimizer = made.build(mlp())
        assert [group["role"] for group in optimizer.param_groups] == ["hidden", "hidden", "head", "bias"]
        assert [group["lr"] for group in optimizer.param_groups] == [1e-4, 1e-4, 0.5, 0.5]
        assert optimizer.param_groups[0]["blocks"] == 2

    def test_of_parameters_it_is_refused_and_one_rule_takes_either(self):
        with pytest.raises(UsageError, match="give the model itself"):
            arm("lion(rest=adamw)").build(mlp().parameters())
        model = mlp()
        for what in (model, model.parameters()):
            (group,) = arm("lion").build(what).param_groups
            assert len(group["params"]) == 6
        assert isinstance(arm("torch.optim.NAdam").build(model), torch.optim.NAdam)


@pytest.mark.usefixtures("workers_here")
def test_it_is_compared_and_asked_for_again(tmp_path):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(80, 4, generator=generator)
    data = (x[:60], (x[:60, 0] > 0).long()), (x[60:], (x[60:, 0] > 0).long())
    task = surefoot.task(model=mlp, data=data, name="two")
    asked = {"optimizers": ["lion(rest='adamw(beta1=0.8)', blocks={'0.*ht': [2, 4]})"], "epochs": 2, "device": "cpu"}
    study = surefoot.compare(task, **asked, seeds=2, trials=4, workers=1, store=tmp_path / "r.sqlite")
    assert {record.status for record in study.records} == {"finished"}
    measured = [record for record in study.records if record.purpose == "measure"]
    assert all(record.hyper["rest.lr"] == pytest.approx(10 * record.hyper["lr"]) for record in study.records)
    assert all(record.rates and record.outcome.engine == "cpu" for record in measured)
    again = next(line for line in repeat(study.plan.design).text.splitlines() if "surefoot.Opt" in line)
    (opt,) = arms_of([eval(again.strip(" ,"))])
    assert (opt.hyper, opt.label) == (study.plan.design.optimizers[0].hyper, study.plan.design.optimizers[0].label)
    assert study.best().build(mlp()).children["rest"].rule.name == "adamw"


class TestMuon:
    def test_by_its_name_alone_it_has_adamw_beside_it(self):
        made = arm("muon")
        assert (made.rest.name, made.hyper["rest"]) == ("adamw", "adamw")
        children = made.build(mlp()).children
        assert [(part, child.rule.name) for part, child in children.items()] == [
            ("matrices", "muon"),
            ("rest", "adamw"),
        ]
        assert {group["role"] for group in children["matrices"].param_groups} == {"hidden"}
        assert arm("normuon").rest.name == "adamw"
        assert arm("soap").rest is arm("adafactor").rest is None  # they have a form for what is no matrix

    def test_it_stands_in_a_plan_of_a_built_in_study(self):
        from planned_run import plan
        from surefoot.options import Options

        asked = Options(("muon", "cautious(muon)", "adamw"), device="cpu")
        designs = {one.label: one for one in plan("mlp-mnist", asked).design.optimizers}
        muons = [one for one in designs.values() if "muon" in one.rule]
        assert len(muons) == 2
        assert all(one.hyper["rest.lr"] == one.hyper["lr"] for one in muons)  # as their defaults in torch have it

    @pytest.mark.usefixtures("workers_here")
    def test_it_is_tuned_compared_and_kept(self, tmp_path):
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(80, 4, generator=generator)
        data = (x[:60], (x[:60, 0] > 0).long()), (x[60:], (x[60:, 0] > 0).long())
        task = surefoot.task(model=mlp, data=data, name="three")
        asked = {"epochs": 2, "device": "cpu", "seeds": 2, "trials": 4, "workers": 1}
        study = surefoot.compare(task, optimizers=["muon", "adamw"], **asked, store=tmp_path / "r.sqlite")
        assert {record.status for record in study.records} == {"finished"}
        mine = [record for record in study.records if "rest.lr" in record.hyper]
        assert {record.purpose for record in mine} >= {"measure", "tune"}
        assert len({record.hyper["lr"] for record in mine}) > 1
        assert all(record.hyper["rest.lr"] == pytest.approx(record.hyper["lr"]) for record in mine)


def test_a_command_line_says_it_again():
    from planned_run import plan
    from surefoot.options import Options

    text = "lion(rest=adamw(lr=0.5))"
    words = shlex.split(repeat(plan("booth", Options((text,), device="cpu")).design).text)
    (again,) = arms_of([words[words.index("-o") + 1]])
    assert again.hyper == arm(text).hyper
