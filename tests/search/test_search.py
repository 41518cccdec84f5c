"""The search that the fairness claim rests on: equal spaces, equal points, equal effort, one winner."""

import math
import random
from itertools import product

import pytest

from settings import needs
from surefoot.conventions import FRAMEWORKS, resolve
from surefoot.errors import UsageError
from surefoot.rules import RULES, rule_of
from surefoot.search.proposals import (
    COLUMNS,
    Tuning,
    best,
    chosen,
    edge,
    extended,
    extra,
    growing_side,
    plan_extension,
    propose,
    seeds,
)
from surefoot.search.space import WIDTH, lr_window, space
from surefoot.store.design import Search
from surefoot.store.ranges import log, one_minus, uniform

NAN = math.nan
LR = Search({"lr": log(1e-4, 1e-1)}, {})


def decades(window):
    return math.log10(window.high / window.low)


def positions(where, configs, name="lr"):
    return [where.ranges[name].position(config[name]) for config in configs]


# Ranges


@pytest.mark.parametrize("axis", [log(1e-4, 3.0), uniform(-1.0, 2.0), one_minus(0.005, 0.3)])
def test_a_position_and_its_value_belong_together(axis):
    for u in (0.0, 0.1, 0.5, 0.99, 1.0):
        assert axis.position(axis.at(u)) == pytest.approx(u, abs=1e-12)


def test_the_ends_are_exact():
    assert [log(3e-5, 0.7).at(u) for u in (0, 1)] == [3e-5, 0.7]
    assert [uniform(0.1, 0.7).at(u) for u in (0, 1)] == [0.1, 0.7]
    assert [one_minus(0.1, 0.5).at(u) for u in (0, 1)] == [0.9, 0.5]


def test_the_middle_is_that_of_the_axis():
    assert log(1e-4, 1e-2).at(0.5) == pytest.approx(1e-3)
    assert uniform(0.0, 4.0).at(0.5) == 2.0
    assert one_minus(0.001, 0.1).at(0.5) == pytest.approx(0.99)


def test_a_space_is_written_decoded():
    made = Search({"lr": log(1e-4, 1e-1), "momentum": one_minus(0.005, 0.3), "x": uniform(0, 1)}, {})
    assert made.text == "lr log 0.0001..0.1, momentum 1 - log 0.005..0.3, x uniform 0..1"
    assert Search({}, {}).text == "nothing is searched"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: log(0, 1), "low must be above 0"),
        (lambda: log(1, 1e-3), "0 < low < high"),
        (lambda: log("1e-3", 1), "two finite numbers"),
        (lambda: log(1e-3, math.inf), "two finite numbers"),
        (lambda: uniform(1, 1), "low < high"),
        (lambda: one_minus(0.1, 2), "within 0 to 1"),
        (lambda: one_minus(0, 0.5), "low must be above 0"),
        (lambda: log(1e-3, 1).position(0.0), "give a number above 0"),
    ],
)
def test_a_bad_range_is_refused(make, words):
    with pytest.raises(UsageError, match=words):
        make()


# Spaces


@pytest.mark.parametrize("rule", RULES)
def test_every_corner_of_every_space_is_legal_and_every_lr_window_as_wide(rule):
    for trials, framework in product((1, 9, 10, 24, 25, 500), FRAMEWORKS):
        given = needs(rule, framework)
        made = space(rule, trials, framework, fixed=given)
        for u in (0.0, 1.0):
            resolve(rule, framework, {"lr": 1.0, **given, **made.at([u] * len(made.ranges))})
        assert decades(made.ranges["lr"]) == pytest.approx(WIDTH), (trials, framework)
        assert made.sources.keys() == made.ranges.keys(), (trials, framework)


def test_windows_are_centred_on_the_published_priors():
    published = {"sgd": -2.10, "momentum": -2.34, "adagrad": -2.00, "adam": -3.02}
    for rule, mean in published.items():
        assert math.log10(space(rule, 8, "torch").ranges["lr"].at(0.5)) == pytest.approx(mean)
    assert math.log10(space("momentum", 12, "torch").ranges["lr"].at(0.5)) == pytest.approx(-2.38)
    assert math.log10(space("adam", 12, "torch").ranges["lr"].at(0.5)) == pytest.approx(-3.02)
    assert math.log10(space("adam", 25, "torch").ranges["lr"].at(0.5)) == pytest.approx(-2.70)


def test_every_rule_has_a_centre_and_what_is_not_published_is_marked():
    centres = {name: rule.about.lr for name, rule in RULES.items()}
    assert all(centres.values())
    assert {name for name, centre in centres.items() if "[assumed]" not in centre.source} == {
        "sgd",
        "momentum",
        "adagrad",
        "adam",
        "lion",
        "yogi",
        *("schedule_free_sgd", "schedule_free_adamw", "schedule_free_radam"),
        *("dadapt_sgd", "dadapt_adam", "prodigy", "dog", "dowg"),
        *("muon", "adafactor", "soap"),
    }


@pytest.mark.parametrize("rule", ["muon", "normuon", "lookahead(muon)"])
def test_muons_window_is_that_of_its_scale(rule):
    """At Jordan's scale a step is as long as the matrix's shape says, at `rms` as long as AdamW's."""
    for framework, options in (("torch", {}), ("paper", {}), ("optax", {}), ("keras", {"rms_rate": 0.2})):
        options = options if rule == "muon" else {"scale": "original"}
        scale = resolve(rule_of(rule), framework, {"lr": 1.0, **options})["scale"]
        found = space(rule, 8, framework, options)
        wanted = {"original": -1.70, "rms": -3.02}[scale]
        assert math.log10(found.ranges["lr"].at(0.5)) == pytest.approx(wanted), (framework, scale)
    assert math.log10(space(rule, 8, "torch", {"scale": "rms"}).ranges["lr"].at(0.5)) == pytest.approx(-3.02)
    if rule == "muon":
        assert "Jordan" in space(rule, 8, "torch").sources["lr"]
        assert "scale rms" in space(rule, 8, "torch", {"scale": "rms"}).sources["lr"]


def test_a_relatives_centre_is_the_relatives():
    assert RULES["rmsprop"].about.lr == RULES["adam"].about.lr.borrowed("Adam")
    assert RULES["adam"].variant("mine", "", pin={}, source="").about.lr == RULES["adam"].about.lr.borrowed("Adam")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_adadeltas_window_is_about_one_whatever_the_default(framework):
    assert space("adadelta", 8, framework).ranges["lr"].at(0.5) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("rule", "few", "some", "many"),
    [
        ("sgd", ["lr"], ["lr"], ["lr"]),
        ("momentum", ["lr"], ["lr", "momentum"], ["lr", "momentum"]),
        ("adagrad", ["lr"], ["lr", "eps"], ["lr", "eps"]),
        ("adadelta", ["lr"], ["lr", "eps"], ["lr", "eps", "rho"]),
        ("rmsprop", ["lr"], ["lr", "eps"], ["lr", "eps", "alpha"]),
        ("adam", ["lr"], ["lr", "beta1"], ["lr", "beta1", "eps"]),
        ("adabound", ["lr"], ["lr", "beta1"], ["lr", "beta1", "eps"]),
    ],
)
def test_trials_decide_how_many_dimensions(rule, few, some, many):
    for wanted, counts in ((few, (1, 9)), (some, (10, 24)), (many, (25, 100))):
        for trials in counts:
            assert list(space(rule, trials, "torch").ranges) == wanted


def test_momentum_is_searched_where_the_convention_has_it():
    assert list(space("rmsprop", 25, "paper").ranges) == ["lr", "momentum", "eps"]


def test_eps_under_the_root_has_the_squared_window():
    assert space("adam", 25, "torch").ranges["eps"] == log(1e-8, 1.0)
    assert space("rmsprop", 25, "torch").ranges["eps"] == log(1e-8, 1.0)
    assert space("rmsprop", 25, "keras").ranges["eps"] == log(1e-16, 1.0)
    assert space("adadelta", 25, "torch").ranges["eps"] == log(1e-16, 1.0)


def test_a_given_range_stands_instead_of_ours_and_is_always_searched():
    lr, final = log(1e-6, 1e-5), log(0.01, 1.0)
    made = space("adabound", 8, "torch", given={"final_lr": final, "lr": lr})
    assert made.ranges == {"lr": lr, "final_lr": final}
    assert made.sources == {"lr": "given by the user", "final_lr": "given by the user"}


def test_a_fixed_option_is_not_searched_and_nothing_takes_its_place():
    assert list(space("adam", 12, "torch", fixed={"beta1": 0.95}).ranges) == ["lr"]
    assert list(space("adam", 30, "torch", fixed={"beta1": 0.95}).ranges) == ["lr", "eps"]
    assert list(space("adam", 8, "torch", fixed={"lr": 0.01}).ranges) == []
    assert list(space("adam", 8, "torch", fixed={"lr": 0.0}).ranges) == []


def test_options_may_be_spelled_as_the_convention_does():
    assert list(space("adam", 25, "keras", fixed={"beta_1": 0.9, "epsilon": 0}).ranges) == ["lr"]
    assert space("adam", 8, "keras", given={"learning_rate": log(0.1, 1)}).ranges == {"lr": log(0.1, 1)}


def test_sgd_with_momentum_has_the_space_of_momentum():
    ours = space("sgd", 8, "torch", fixed={"momentum": 0.9})
    assert ours == space("momentum", 8, "torch")
    assert ours != space("sgd", 8, "torch")
    share = space("momentum", 12, "torch").ranges["momentum"]
    made = space("sgd", 12, "torch", given={"momentum": share})
    assert made.ranges == space("momentum", 12, "torch").ranges
    assert list(space("sgd", 8, "torch", fixed={"nesterov": True}, given={"momentum": share}).ranges) == [
        "lr",
        "momentum",
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rule": "adm"}, "Did you mean 'adam'"),
        ({"framework": "troch"}, "Did you mean 'torch'"),
        ({"trials": 0}, "trials is 0; give a whole number from 1"),
        ({"trials": 8.0}, "trials is 8.0; give a whole number"),
        ({"given": {"bta1": log(0.1, 0.9)}}, "Did you mean 'beta1'"),
        ({"given": {"base_lr": log(0.1, 0.9)}}, "unknown option of adam"),
        ({"given": {"lr": (1e-4, 1.0)}}, "is no range"),
        ({"given": {"beta1": uniform(0.5, 1.0)}}, "0 <= x < 1"),
        ({"given": {"lr": uniform(-1.0, 1.0)}}, "0 <= x"),
        ({"given": {"maximize": uniform(0.0, 1.0)}}, "True or False"),
        ({"given": {"lr": log(0.1, 1)}, "fixed": {"lr": 0.5}}, "a value .0.5. and a range"),
        ({"given": {"beta1": log(0.1, 0.9), "betas[0]": log(0.1, 0.9)}}, "under two names"),
        ({"fixed": {"beta1": 2.0}}, "0 <= x < 1"),
        ({"fixed": {"momentum": 0.9}}, "unknown option of adam"),
        ({"rule": "nesterov", "given": {"momentum": uniform(0.0, 0.9)}}, "needs momentum above 0"),
    ],
)
def test_what_cannot_be_searched_is_refused(arguments, words):
    with pytest.raises(UsageError, match=words):
        space(**{"rule": "adam", "trials": 8, "framework": "torch", **arguments})


def test_an_optimizer_that_is_not_ours_gets_a_window_as_wide():
    window = lr_window(0.02)
    assert window.at(0.5) == pytest.approx(0.02)
    assert decades(window) == pytest.approx(WIDTH)


# Points


def test_fewer_trials_are_the_first_of_more():
    made = space("adam", 30, "torch")
    long = propose(made, 50, seed=3)
    for count in range(1, 51):
        assert propose(made, count, seed=3) == long[:count]
        assert propose(made, 50 - count + 1, seed=3, skip=count - 1) == long[count - 1 :]


def test_every_optimizer_is_tried_at_the_same_positions():
    spaces = [space(rule, 30, "torch") for rule in RULES]
    reference = propose(Search(dict.fromkeys("abc", uniform(0.0, 1.0)), {}), 16, seed=0)
    for made in spaces:
        configs = propose(made, 16, seed=0)
        for column, name in zip("abc", made.ranges, strict=False):
            wanted = [point[column] for point in reference]
            assert positions(made, configs, name) == pytest.approx(wanted, abs=1e-9)


def test_the_points_are_spread_evenly():
    # Each eighth of the axis holds one of eight points, and each of sixteenths one of sixteen: random ones would not.
    for count in (8, 16):
        for seed in range(20):
            at = positions(LR, propose(LR, count, seed))
            assert sorted(int(u * count) for u in at) == list(range(count))


def test_the_seed_decides_and_nothing_else():
    first = propose(LR, 8, seed=0)
    random.seed(5)
    assert propose(LR, 8, seed=0) == first
    assert propose(LR, 8, seed=1) != first


def test_the_points_are_those_of_every_scipy():
    # Printed by scipy 1.11.4, 1.14.1 and 1.17.1: a stored study must find its own points again.
    at = positions(LR, propose(LR, 4, seed=0))
    assert at == pytest.approx([0.40994958858937, 0.52203938644379, 0.95403943583369, 0.09933131560683], abs=1e-12)


def test_nothing_to_search_proposes_nothing():
    assert propose(Search({}, {}), 8, seed=0) == []


def test_too_many_dimensions_or_too_few_trials_are_refused():
    wide = Search({f"x{i}": uniform(0, 1) for i in range(COLUMNS + 1)}, {})
    with pytest.raises(UsageError, match="at most 32"):
        propose(wide, 8, seed=0)
    with pytest.raises(UsageError, match="trials is 0"):
        propose(LR, 0, seed=0)


# The winner


@pytest.mark.parametrize(
    ("values", "better", "winner"),
    [
        ([0.1, 0.9, 0.5], "max", 1),
        ([0.1, 0.9, 0.5], "min", 0),
        ([NAN, 0.1, 0.2], "max", 2),
        ([NAN, 0.1, 0.2], "min", 1),
        ([math.inf, 0.1], "max", 1),
        ([-math.inf, 0.1], "min", 1),
        ([0.3, 0.7, 0.7], "max", 1),
        ([0.3, 0.3], "min", 0),
        ([0.0, -1.0, NAN], "max", 0),
        ([NAN, NAN], "max", 0),
    ],
)
def test_the_best_is_finite_and_the_earlier_of_equals(values, better, winner):
    assert best(values, better) == winner


def test_best_needs_values_and_a_direction():
    with pytest.raises(UsageError, match="no result"):
        best([], "max")
    with pytest.raises(UsageError, match="better is 'maximum'; say which value"):
        best([1.0], "maximum")


def test_the_chosen_configuration_is_that_of_the_best_value():
    tuning = Tuning(LR, ({"lr": 1e-3}, {"lr": 1e-2}), (0.5, 0.7))
    assert chosen(tuning, "max") == {"lr": 1e-2}
    assert chosen(tuning, "min") == {"lr": 1e-3}
    assert chosen(Tuning(Search({}, {})), "max") == {}


# The edge


def lrs(*values):
    return [{"lr": value} for value in values]


@pytest.mark.parametrize(
    ("configs", "winner", "side"),
    [
        (lrs(1e-2, 1e-3, 1e-4), 0, "above"),
        (lrs(1e-2, 1e-3, 1e-4), 1, None),
        (lrs(1e-2, 1e-3, 1e-4), 2, "below"),
        (lrs(1e-2, 1e-2, 1e-4, 1e-3), 1, "above"),
        (lrs(1e-2), 0, None),
        (lrs(1e-2, 1e-2), 0, None),
        (lrs(1e-2, 0.5, 1e-3), 0, None),
    ],
)
def test_a_winner_without_a_neighbour_lies_at_the_edge(configs, winner, side):
    assert edge(LR, configs, winner) == side


def test_the_edge_is_the_same_in_any_unit_of_the_axis():
    configs = propose(LR, 11, seed=4)
    for winner in range(11):
        sides = {
            edge(Search({"lr": axis}, {}), configs, winner) for axis in (log(1e-4, 1e-1), log(1, 2), uniform(0, 9))
        }
        assert len(sides) == 1


def test_without_a_searched_lr_there_is_no_edge():
    assert edge(Search({"eps": log(1e-8, 1)}, {}), [{"eps": 1e-8}, {"eps": 1e-2}], 0) is None


def test_windows_beyond_the_edge_join_on_and_are_half_as_wide():
    for side, near, far in (("above", "low", "high"), ("below", "high", "low")):
        first, second = (extended(LR, side, times).ranges["lr"] for times in (1, 2))
        assert getattr(first, near) == getattr(LR.ranges["lr"], far)
        assert getattr(second, near) == pytest.approx(getattr(first, far), rel=1e-12)
        assert decades(first) == pytest.approx(1.5)
        assert decades(second) == pytest.approx(1.5)


def test_an_extension_leaves_the_other_dimensions():
    made = space("adam", 25, "torch")
    wider = extended(made, "above")
    assert list(wider.ranges) == list(made.ranges)
    assert wider.ranges["beta1"] == made.ranges["beta1"]


def test_only_our_own_window_is_extended():
    with pytest.raises(UsageError, match="only our own window of lr"):
        extended(Search({"lr": uniform(0.0, 1.0)}, {}), "above")


# The extension


def tuned(made, trials, value, seed=0):
    configs = tuple(propose(made, trials, seed))
    return Tuning(made, configs, tuple(value(config) for config in configs))


def hill(optimum):
    """A validation accuracy that is best at one learning rate."""
    return lambda config: -abs(math.log10(config["lr"] / optimum))


def test_if_one_search_goes_on_all_do_by_as_much():
    tunings = {
        "inside": tuned(space("adam", 8, "torch"), 8, hill(1e-3)),
        "above": tuned(space("sgd", 8, "torch"), 8, hill(2.0)),
        "below": tuned(space("adagrad", 8, "torch"), 8, hill(1e-7)),
        "fixed": Tuning(Search({}, {})),
    }
    planned = plan_extension(tunings, 8, "max", seed=0)
    assert {label: extension.side for label, extension in planned.items()} == {
        "inside": None,
        "above": "above",
        "below": "below",
    }
    assert {len(extension.configs) for extension in planned.values()} == {extra(8)} == {4}
    assert list(planned["inside"].configs) == propose(tunings["inside"].space, 12, seed=0)[8:]
    for label in ("above", "below"):
        window = extended(tunings[label].space, label).ranges["lr"]
        assert all(window.low <= config["lr"] <= window.high for config in planned[label].configs)


def test_an_extension_is_half_of_the_plan_rounded_up():
    assert [extra(trials) for trials in (1, 2, 7, 8)] == [1, 1, 4, 4]


def test_all_extensions_are_at_the_same_positions_of_their_windows():
    tunings = {
        "inside": tuned(space("adam", 8, "torch"), 8, hill(1e-3)),
        "above": tuned(space("sgd", 8, "torch"), 8, hill(2.0)),
    }
    planned = plan_extension(tunings, 8, "max", seed=0)
    inside = positions(tunings["inside"].space, planned["inside"].configs)
    above = positions(extended(tunings["above"].space, "above"), planned["above"].configs)
    assert inside == pytest.approx(above, abs=1e-9)


def test_nobody_at_an_edge_ends_the_search():
    tunings = {
        "a": tuned(space("adam", 8, "torch"), 8, hill(1e-3)),
        "b": tuned(space("sgd", 8, "torch"), 8, hill(0.01)),
    }
    assert plan_extension(tunings, 8, "max", seed=0) == {}
    assert plan_extension({}, 8, "max", seed=0) == {}


def search_on(tunings, values, trials):
    """Tune until the plan is empty, as a study does."""
    while planned := plan_extension(tunings, trials, "max", seed=0):
        tunings = {
            label: tuning.after(planned[label], [values[label](config) for config in planned[label].configs])
            for label, tuning in tunings.items()
        }
    return tunings


@pytest.mark.parametrize("trials", [2, 7, 8, 16])
def test_the_search_follows_an_optimum_beyond_the_window_twice_and_then_ends(trials):
    values = {"far": hill(1e4), "near": hill(2.0), "inside": hill(1e-3)}
    spaces = {label: space(rule, trials, "torch") for label, rule in zip(values, ("sgd", "sgd", "adam"), strict=True)}
    tunings = search_on({label: tuned(spaces[label], trials, values[label]) for label in values}, values, trials)
    assert tunings["far"].extensions == ("above", "above")
    assert {len(tuning.configs) for tuning in tunings.values()} == {trials + 2 * extra(trials)}
    assert chosen(tunings["far"], "max")["lr"] > extended(spaces["far"], "above", 2).ranges["lr"].low
    assert growing_side(tunings["far"], "max") == "above"
    if trials >= 8:
        assert tunings["near"].extensions == ("above", None)
        assert growing_side(tunings["near"], "max") is None
        assert abs(math.log10(chosen(tunings["near"], "max")["lr"] / 2.0)) < 0.5


def test_divergence_beyond_the_best_is_an_interior_not_an_edge():
    def breaks(config):
        return NAN if config["lr"] > 0.02 else math.log10(config["lr"])

    tuning = tuned(LR, 16, breaks)
    assert plan_extension({"a": tuning}, 16, "max", seed=0) == {}


def test_if_all_diverged_no_edge_is_claimed():
    tuning = Tuning(LR, tuple(lrs(1e-4, 1e-3, 1e-2)), (NAN, NAN, NAN))
    assert plan_extension({"a": tuning}, 3, "max", seed=0) == {}
    assert growing_side(tuning, "max") is None


def test_a_hard_range_of_the_users_is_refined_not_left():
    hard = Search({"lr": uniform(0.0, 0.1)}, {})
    at_edge = tuned(hard, 8, lambda config: config["lr"])
    assert plan_extension({"hard": at_edge}, 8, "max", seed=0) == {}
    planned = plan_extension({"hard": at_edge, "other": tuned(LR, 8, hill(5.0))}, 8, "max", seed=0)
    assert planned["hard"].side is None
    assert max(config["lr"] for config in planned["hard"].configs) <= 0.1
    assert edge(at_edge.space, at_edge.configs, best(at_edge.values, "max")) == "above"


@pytest.mark.parametrize("trials", [4, 8])
def test_a_logarithmic_range_of_the_users_is_never_left(trials):
    """The review's case: of 1e-3 to 1e-1 the search had made 5.02, since the upper end was the best."""
    given = space("sgd", trials, "torch", given={"lr": log(1e-3, 1e-1)})
    values = {"given": hill(1e3), "ours": hill(1e3)}
    spaces = {"given": given, "ours": space("sgd", trials, "torch")}
    tunings = search_on({label: tuned(spaces[label], trials, values[label]) for label in values}, values, trials)
    assert tunings["ours"].extensions == ("above", "above")
    assert tunings["given"].extensions == (None, None)
    assert len(tunings["given"].configs) == len(tunings["ours"].configs)
    assert list(tunings["given"].configs) == propose(given, len(tunings["given"].configs), seed=0)
    assert max(config["lr"] for config in tunings["given"].configs) <= 1e-1
    assert plan_extension({"given": tuned(given, trials, hill(1e3))}, trials, "max", seed=0) == {}
    with pytest.raises(UsageError, match="only our own window"):
        extended(given, "above")


def test_unequal_effort_is_refused():
    tunings = {"a": tuned(LR, 8, hill(1e-2)), "b": tuned(LR, 7, hill(1e-2))}
    with pytest.raises(UsageError, match=r"'b' has 7 results for 7 configurations .* have 8"):
        plan_extension(tunings, 8, "max", seed=0)
    torn = Tuning(LR, tunings["a"].configs, tunings["a"].values[:-1])
    with pytest.raises(UsageError, match="'a' has 7 results for 8"):
        plan_extension({"a": torn}, 8, "max", seed=0)


# Seeds


def test_no_seed_both_tunes_and_measures():
    measuring, tuning = seeds(10, 2)
    assert measuring == tuple(range(10))
    assert tuning == (1000, 1001)
    measuring, tuning = seeds(1000, 500)
    assert not set(measuring) & set(tuning)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [((0, 1), "seeds is 0"), ((5, 0), "tuning seeds is 0"), ((1001, 1), "at most 1000"), ((True, 1), "seeds is True")],
)
def test_seeds_that_cannot_be_are_refused(numbers, words):
    with pytest.raises(UsageError, match=words):
        seeds(*numbers)
