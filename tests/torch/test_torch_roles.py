"""Which parameter of a model is what, and why: on models as people write them."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import surefoot.torch
from role_models import GPT, Conv1D, LayerScale, ResNet, Table, ViT, mlp
from surefoot.errors import UsageError
from surefoot.frontends.roles import ROLES
from surefoot.torch import groups
from surefoot.torch.roles import roles


def found(model, **options):
    return {one.name: one.role for one in roles(model, **options)}


def placed(model, name, **options):
    return next(one for one in roles(model, **options) if one.name == name)


def test_a_head_that_is_tied_to_an_embedding_is_the_embedding():
    tied = placed(GPT(), "transformer.wte.weight")
    assert (tied.role, tied.others) == ("embedding", ("lm_head.weight",))
    assert tied.reason == "by its module, Embedding; lm_head.weight is the same"
    assert "head" not in found(GPT()).values()
    apart = placed(GPT(tied=False), "lm_head.weight")
    assert (apart.role, apart.reason) == ("head", "by its name (Linear)")


def test_the_matrices_of_gpt2_lie_on_their_side_and_its_qkv_is_three():
    qkv = placed(GPT(), "transformer.h.1.attn.c_attn.weight")
    assert (qkv.role, qkv.blocks, qkv.transposed, qkv.outputs) == ("qkv", 3, True, 24)
    assert Counter(found(GPT()).values()) == {"embedding": 2, "norm": 10, "qkv": 2, "hidden": 6, "bias": 8}


def test_a_resnet_has_a_first_convolution_and_a_head():
    model = found(ResNet())
    assert model["conv1.weight"] == "first conv"
    assert model["layer1.0.conv1.weight"] == model["layer1.1.conv1.weight"] == "conv"
    assert model["fc.weight"] == "head"
    assert model["bn1.weight"] == model["layer1.1.bn1.bias"] == "norm"
    assert "as 8 x 72" in placed(ResNet(), "layer1.0.conv1.weight").reason


def test_a_vit_has_layer_scales_tokens_and_a_packed_projection():
    model = found(ViT())
    assert model["blocks.0.ls1.gamma"] == "gain"
    assert placed(ViT(), "blocks.0.ls1.gamma").reason == "by its shape, 8 x 1 x 1"
    assert model["cls_token"] == model["pos_embed"] == "embedding"
    assert model["patch_embed.weight"] == "first conv"
    assert model["head.weight"] == "head"
    assert model["blocks.1.attn.in_proj_weight"] == "qkv"
    assert model["blocks.1.attn.out_proj.weight"] == model["blocks.1.mlp.1.weight"] == "hidden"
    assert model["blocks.1.attn.in_proj_bias"] == "bias"


@pytest.mark.parametrize(
    ("module", "attribute", "role", "blocks"),
    [
        (nn.MultiheadAttention(4, 2), "in_proj_weight", "qkv", 3),
        (nn.MultiheadAttention(4, 2, kdim=3, vdim=3), "q_proj_weight", "hidden", None),
        (nn.MultiheadAttention(4, 2, add_bias_kv=True), "bias_k", "bias", None),
        (nn.LSTM(3, 5), "weight_ih_l0", "hidden", 4),
        (nn.LSTM(3, 5, proj_size=2), "weight_hr_l0", "hidden", None),
        (nn.GRUCell(3, 5), "weight_hh", "hidden", 3),
        (nn.RNN(3, 5), "weight_hh_l0", "hidden", None),
        (nn.Linear(7, 1), "weight", "gain", None),
        (nn.Linear(1, 7), "weight", "gain", None),
        (nn.ConvTranspose2d(3, 5, 2), "weight", "other", None),
        (nn.Conv1d(3, 5, 2), "weight", "conv", None),
        (nn.Bilinear(3, 4, 5), "weight", "other", None),
        (nn.EmbeddingBag(3, 4), "weight", "embedding", None),
        (nn.LayerNorm((3, 4)), "weight", "norm", None),
        (nn.PReLU(), "weight", "gain", None),
        (LayerScale(5), "gamma", "gain", None),
        (Table(), "table", "other", None),
        (Conv1D(12, 4), "weight", "hidden", None),
    ],
    ids=str,
)
def test_a_module_tells_what_its_parameters_are(module, attribute, role, blocks):
    model = nn.Sequential(nn.Conv1d(2, 2, 1), module, nn.Linear(3, 4))  # so that it is neither first nor last
    one = placed(model, f"1.{attribute}")
    assert (one.role, one.blocks) == (role, blocks)
    assert one.reason


def test_what_a_parametrization_makes_of_a_weight_has_its_role():
    layers = (nn.utils.parametrizations.weight_norm(nn.Linear(4, 6)) for _ in range(2))
    model = found(nn.Sequential(*layers, nn.Linear(6, 2)))
    assert model["0.parametrizations.weight.original0"] == "gain"
    assert model["0.parametrizations.weight.original1"] == "hidden"


@pytest.mark.parametrize(("name", "blocks"), [("qkv", 3), ("query_key_value", None), ("to_qkv", 3)])
def test_a_name_tells_query_key_and_value_and_their_parts_where_they_are_sure(name, blocks):
    model = nn.Sequential(nn.ModuleDict({name: nn.Linear(4, 12)}), nn.Linear(4, 2))
    one = placed(model, f"0.{name}.weight")
    assert (one.role, one.blocks) == ("qkv", blocks)
    uneven = placed(nn.Sequential(nn.ModuleDict({name: nn.Linear(4, 8 + 3)}), nn.Linear(4, 2)), f"0.{name}.weight")
    assert (uneven.role, uneven.blocks) == ("qkv", None)


def test_what_looks_like_query_key_and_value_without_a_name_is_asked_about():
    model = nn.Sequential(nn.Linear(4, 12), nn.Linear(12, 4), nn.Linear(4, 2))
    assert placed(model, "0.weight").reason == "by its module, Linear; if it holds query, key and value, say blocks="
    said = placed(model, "0.weight", blocks={"0.*ht": 3})
    assert (said.blocks, said.reason) == (3, "by its module, Linear; parted by blocks=")
    assert placed(model, "0.weight", blocks={"0.weight": [8, 2, 2]}).blocks == (8, 2, 2)


class TestHead:
    def test_the_last_layer_is_the_head_and_says_why(self):
        last = placed(mlp(), "4.weight")
        assert (last.role, last.reason) == ("head", "the last layer (Linear)")

    def test_a_layer_of_a_stack_is_none_though_it_be_the_last(self):
        encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 2, enable_nested_tensor=False)
        assert "head" not in found(encoder).values()
        assert placed(encoder, "layers.1.linear2.weight").reason.endswith("but one of a stack: head= can name a head")

    def test_a_name_at_the_top_counts_more_than_the_order_and_one_in_a_block_nothing(self):
        attention = nn.ModuleList([nn.ModuleDict({"heads": nn.ModuleList([nn.Linear(4, 3)])}) for _ in range(2)])
        model = found(nn.ModuleDict({"classifier": nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), "body": attention}))
        assert model["classifier.1.weight"] == "head"
        assert model["classifier.0.weight"] == model["body.1.heads.0.weight"] == "hidden"

    def test_what_a_model_says_itself_counts_most(self):
        model = nn.ModuleDict({"out": nn.Linear(4, 3), "head": nn.Linear(4, 4)})
        model.get_output_embeddings = lambda: model["out"]
        assert found(model)["out.weight"] == "head"
        assert found(model)["head.weight"] == "hidden"

    def test_it_can_be_named_or_denied(self):
        assert found(mlp(), head="2") == {**found(mlp()), "2.weight": "head", "4.weight": "hidden"}
        assert found(mlp(), head=["2", "4"])["2.weight"] == "head"
        assert found(mlp(), head=())["4.weight"] == "hidden"
        assert placed(mlp(), "2.weight", head="2").reason == "head= says so (Linear)"

    def test_a_name_that_is_none_is_refused(self):
        with pytest.raises(UsageError, match=r"unknown layer in head 'haed'\. Did you mean 'head'"):
            roles(ViT(), head="haed")


class TestOverrides:
    def test_a_pattern_says_a_role_or_which_rule(self):
        model = nn.Sequential(Table(), mlp())
        one = placed(model, "0.table", overrides={"*table": "matrices"})
        assert (one.role, one.reason) == (
            "hidden",
            "overrides say so ('*table'), and not other; in a module of unknown kind, Table; set it by overrides=",
        )
        assert found(model, overrides={"1.2.*": "rest"})["1.2.weight"] == "other"
        assert found(model, overrides={"1.0.weight": "embedding"})["1.0.weight"] == "embedding"

    def test_a_tied_parameter_is_found_by_each_of_its_names(self):
        assert placed(GPT(), "transformer.wte.weight", overrides={"lm_head.*": "head"}).role == "head"

    def test_a_function_says_it_or_nothing(self):
        model = found(mlp(), overrides=lambda _, p: "other" if p.shape == (6, 6) else None)
        assert model == {**found(mlp()), "2.weight": "other"}

    def test_of_two_patterns_that_fit_the_last_holds(self):
        one = placed(mlp(), "2.weight", overrides={"*": "rest", "2.*": "embedding"})
        assert (one.role, one.reason) == (
            "embedding",
            "overrides say so ('2.*'), and not hidden; by its module, Linear",
        )

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"overrides": {"5.weight": "rest"}}, "unknown parameter in overrides '5.weight'. Did you mean '"),
            ({"overrides": {"0.weight": "matrx"}}, "unknown role 'matrx'. Did you mean 'matrices'"),
            ({"overrides": {"0.bias": "matrices"}}, "0.bias the role 'matrices', and its shape, 6, is no matrix"),
            ({"blocks": {"0.weight": 4}}, "blocks=4 do not make up the 6 outputs of 0.weight"),
            ({"blocks": {"0.weight": (4, 1)}}, r"blocks=(4, 1) do not make up the 6 outputs"),
            ({"blocks": {"0.weight": 0}}, "blocks=0 do not make up"),
            ({"blocks": {"9.weight": 2}}, "unknown parameter in blocks '9.weight'"),
        ],
    )
    def test_what_cannot_be_is_refused(self, options, words):
        with pytest.raises(UsageError) as error:
            roles(mlp(), **options)
        assert words in str(error.value)


class TestModels:
    @pytest.mark.parametrize("bag", [mlp().parameters(), [*mlp().parameters()], dict(mlp().named_parameters())])
    def test_a_bag_of_parameters_is_refused_with_what_to_do(self, bag):
        with pytest.raises(UsageError, match=r"give the model itself.*RuleOptimizer\(parameters, 'adamw'\)"):
            groups(bag)

    def test_nothing_to_train_and_a_shape_that_is_not_known_yet_are_refused(self):
        with pytest.raises(UsageError, match="has no parameter that requires a gradient"):
            groups(mlp().requires_grad_(False))
        with pytest.raises(UsageError, match=r"0\.weight has no shape yet; run a batch"):
            groups(nn.Sequential(nn.LazyLinear(3)))

    def test_frozen_parameters_are_left_out(self):
        model = mlp()
        model[0].requires_grad_(False)
        assert [*found(model)] == ["2.weight", "2.bias", "4.weight", "4.bias"]

    def test_what_wraps_a_model_is_not_in_the_names(self):
        assert found(nn.DataParallel(mlp())) == found(mlp())
        compiled = mlp()
        compiled[2] = torch.compile(compiled[2], backend="eager")
        assert found(compiled) == found(torch.compile(mlp(), backend="eager")) == found(mlp())

    def test_a_module_that_stands_in_two_places_is_one(self):
        layer = nn.Linear(4, 4)
        assert [*found(nn.Sequential(layer, nn.ReLU(), layer))] == ["0.weight", "0.bias"]


PIECES = st.sampled_from(
    [
        lambda: nn.Linear(4, 4),
        lambda: nn.Conv2d(2, 3, 3),
        lambda: nn.ConvTranspose1d(2, 3, 3),
        lambda: nn.Embedding(5, 4),
        lambda: nn.MultiheadAttention(4, 2, add_bias_kv=True),
        lambda: nn.LSTM(3, 4, bidirectional=True, proj_size=2),
        lambda: nn.BatchNorm1d(4),
        lambda: nn.utils.parametrizations.weight_norm(nn.Conv1d(2, 3, 3)),
        lambda: nn.ParameterList([torch.randn(()), torch.randn(1, 4), torch.randn(2, 3, 4), torch.randn(2, 2)]),
        Table,
        GPT,
        ViT,
    ]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=5), st.integers(0, 2**20), st.booleans())
def test_every_parameter_that_is_trained_is_in_one_group(pieces, frozen, share):
    model = nn.ModuleList(make() for make in pieces)
    if share:
        model.append(model[0])
        model.append(nn.Embedding(5, 4))
        model.append(nn.Linear(4, 5, bias=False))
        model[-1].weight = model[-2].weight
    for index, p in enumerate(model.parameters()):
        p.requires_grad_(not frozen >> (index % 20) & 1)
    wanted = Counter(id(p) for p in model.parameters() if p.requires_grad)
    if not wanted:
        return
    made = groups(model)
    assert Counter(id(p) for group in made for _, p in group["params"]) == wanted
    assert all(len(group["reasons"]) == len(group["params"]) and all(group["reasons"]) for group in made)
    for group in made:
        for _, p in group["params"] if ROLES[group["role"]].is_matrix else ():
            assert p.squeeze().dim() >= 2


class TestGroups:
    def test_biases_norms_gains_and_embeddings_do_not_decay(self):
        optimizer = surefoot.torch.AdamW(groups(ViT()), lr=1e-3, weight_decay=0.1)
        decays = {group["role"]: group["weight_decay"] for group in optimizer.param_groups}
        assert {role for role, decay in decays.items() if decay} == {"hidden", "qkv", "first conv", "head"}
        assert {*decays.values()} == {0.0, 0.1}

    def test_they_serve_any_optimizer_of_torch(self):
        model = ViT()
        optimizer = torch.optim.AdamW(groups(model, by_role={"embedding": {"weight_decay": 0.3, "lr": 0.5}}))
        (group,) = (group for group in optimizer.param_groups if group["role"] == "embedding")
        assert (group["weight_decay"], group["lr"]) == (0.3, 0.5)
        assert group["param_names"] == ["cls_token", "pos_embed"]
        model(torch.randn(2, 3, 8, 8)).sum().backward()
        optimizer.step()

    def test_matrices_of_different_parts_are_in_different_groups(self):
        made = [(g["role"], g.get("blocks"), g.get("transposed")) for g in groups(GPT())]
        assert made[:2] == [("hidden", None, True), ("qkv", 3, True)]

    def test_an_unknown_role_is_refused(self):
        with pytest.raises(UsageError, match=r"unknown role 'embeddings'\. Did you mean 'embedding'"):
            groups(mlp(), by_role={"embeddings": {}})


def test_the_models_of_the_studies_have_a_head_and_no_unknown_parameter():
    from surefoot.tasks.models import article, char_lm, mlp_mnist, vae_mnist

    for module in (article, char_lm, mlp_mnist, vae_mnist):
        model = found(SimpleNamespace(**vars(module)).make_model(0))
        assert [*model.values()].count("head") == 1, module
        assert "other" not in model.values(), module
