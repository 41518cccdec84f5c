"""A learning-rate range test: what is trained, what its curves allow to say, and what the command shows."""

import json
import math
import re

import numpy as np
import pytest
import torch

from line_task import line
from surefoot.arms.arm import make_arm
from surefoot.arms.arm_list import parse_arms
from surefoot.comparison.ask import ask
from surefoot.design.trial import Trial
from surefoot.errors import UsageError
from surefoot.options import Options
from surefoot.range_test.find import range_test
from surefoot.range_test.page import plot, write_range_page
from surefoot.range_test.sweep import FEWEST_STEPS, Sweep, learning_rates, lost, sweeps
from surefoot.range_test.window import finding, smoothed
from surefoot.range_test.words import result
from surefoot.search.proposals import FIRST_TUNING_SEED
from surefoot.search.space import WIDTH

RATES = learning_rates(200)
ROOM = 0.3
"""Decades by which an end may be off: half of the smoothing and a step."""


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def curve(rates=RATES, *, begin=1e-4, bottom=1e-2, end=1e-1, noise=0.01, seed=0):
    """Losses that stay at 2, fall from `begin` to 1 at `bottom`, and rise from there, past `end`, where they are lost.

    Between `bottom` and `end` they rise to the half of the fall.
    """
    random = np.random.default_rng(seed)
    at = np.log10(rates)
    down = np.clip((at - np.log10(begin)) / np.log10(bottom / begin), 0, 1)
    up = np.clip((at - np.log10(bottom)) / np.log10(end / bottom), 0, None) / 2
    return (2 - down + up + noise * random.normal(size=len(at))).tolist()


def found(losses, width=WIDTH, own=None):
    return finding("one", RATES, dict(enumerate(losses)), width, own)


def decades(a, b):
    return abs(math.log10(a / b))


def test_the_window_lies_between_where_the_loss_falls_and_where_it_is_lost():
    window = found([curve(seed=seed) for seed in range(5)]).window
    assert 0 <= math.log10(window.falls / 1e-4) < 0.2 + ROOM  # a tenth of the fall is 0.2 decades on
    assert decades(window.lost, 1e-1) < ROOM
    assert window.centre == pytest.approx(math.sqrt(window.falls * window.lost))
    assert math.log10(window.high / window.low) == pytest.approx(WIDTH)
    assert window.centre == pytest.approx(math.sqrt(window.low * window.high))


def test_the_seed_that_is_lost_first_ends_the_window():
    early = [curve(seed=seed) for seed in range(4)]
    window = found([*early, curve(seed=4, end=3e-2)]).window
    assert decades(window.lost, 3e-2) < ROOM
    low, high = window.centres
    assert high / low > 1.5  # one seed decides, and the words say so
    assert window.centre == pytest.approx(low)


def test_three_seeds_are_enough_to_tell_how_much_one_of_them_decides():
    one = found([curve(seed=seed) for seed in range(3)])
    low, high = one.window.centres
    assert low <= one.window.centre * 1.2
    assert high >= one.window.centre / 1.2
    assert high / low < 1.6
    assert "no window" not in result(one)


def test_the_centres_without_a_seed_lie_about_that_of_all():
    """With so much noise that the beginning is a matter of how strictly one judges."""
    windows = [found([curve(noise=0.25, seed=3 * i + seed) for seed in range(3)]).window for i in range(30)]
    told = [window for window in windows if window and window.centres]
    assert len(told) > 10
    for window in told:
        low, high = window.centres
        assert math.log10(low / window.centre) < ROOM
        assert math.log10(window.centre / high) < ROOM


def test_a_seed_that_stops_is_lost_where_it_stops():
    stopped = curve(seed=4)[: next(i for i, rate in enumerate(RATES) if rate > 0.02)]
    one = found([*(curve(seed=seed) for seed in range(4)), stopped])
    assert one.window.lost == pytest.approx(RATES[len(stopped)])
    assert len(one.curve.mean) == len(stopped)  # a mean of the survivors would look better than it is


def test_more_noise_moves_the_beginning_up_and_never_below_where_the_loss_falls():
    quiet = found([curve(seed=seed) for seed in range(5)]).window
    noisy = found([curve(seed=seed, noise=0.5) for seed in range(5)]).window
    assert noisy.falls >= quiet.falls * 0.7
    assert noisy.falls > 1e-4


def test_noise_alone_gives_no_window():
    random = np.random.default_rng(1)
    ends = [found(2 + random.normal(size=(5, 200))).reason for _ in range(20)]
    assert ends.count("no fall") >= 17  # 5 % of false alarms: four or more of twenty in 1.6 % of all cases


def test_a_curve_that_rises_only_or_is_lost_at_once_gives_no_window():
    rising = np.clip(np.log10(RATES) + 5, 0, None)
    random = np.random.default_rng(0)
    assert found(2 + rising + 0.01 * random.normal(size=(5, 200))).reason == "no fall"
    assert found([curve(seed=seed)[:10] for seed in range(5)]).reason == "no fall"


def test_a_loss_that_falls_within_the_lowest_decade_gives_no_window():
    assert found([curve(begin=1e-9, seed=seed) for seed in range(5)]).reason == "falls from the start"


def test_a_loss_that_is_never_lost_gives_no_window():
    one = found([curve(end=1e9, seed=seed) for seed in range(5)], own=(1e-4, 1e-1))
    assert (one.window, one.reason) == (None, "never lost")
    assert "final_lr" in result(one)
    assert "0.0001..0.1" in result(one)


def test_seeds_that_start_at_very_different_losses_are_compared_with_themselves():
    losses = [scale * np.array(curve(seed=seed)) for seed, scale in enumerate((1, 3, 20))]
    window = found(losses).window
    assert decades(window.centre, found([curve(seed=seed) for seed in range(3)]).window.centre) < 0.01
    assert found([some - 5 for some in losses]).window is None  # of negative losses no share can be told


def test_a_tiny_fall_that_is_free_of_noise_is_not_the_beginning():
    losses = [curve(noise=1e-6, seed=seed) for seed in range(5)]
    drift = 2e-3 * np.log10(np.array(RATES) / 1e-7)  # a hundredth of the fall, and significant at once
    window = found(np.array(losses) - drift).window
    assert 0 <= math.log10(window.falls / 1e-4) < 0.2 + ROOM


def test_smoothing_is_a_median_about_the_rate_and_does_not_reach_beyond_half_of_its_width():
    losses = np.where(np.array(RATES) < 1, 2.0, 1e6)
    changed = RATES[int(np.argmax(smoothed(losses, RATES) > 2))]
    assert decades(changed, 1) < 0.1
    spike = np.full(200, 2.0)
    spike[100] = 1e6
    assert smoothed(spike, RATES).max() == 2
    dip = np.where((np.array(RATES) > 1) & (np.array(RATES) < 10**0.35), 1.0, 2.0)
    assert smoothed(dip, RATES).min() == 1


def test_the_words_tell_the_window_its_evidence_and_how_far_one_seed_moves_it():
    text = result(found([curve(seed=seed) for seed in range(5)], own=(3e-5, 3e-2)))
    assert text.startswith("search lr from ")
    assert "first of 5 seeds" in text
    assert "Leaving out any one seed" in text
    assert "3e-05..0.03" in text


def test_the_picture_fits_a_terminal_and_shows_the_window_where_it_is():
    one = found([curve(seed=seed) for seed in range(5)])
    lines = plot(one).splitlines()
    assert max(map(len, lines)) <= 80
    bracket = lines[-1]
    place = (bracket.index("┼") - 12) / 65
    assert 10 ** (-7 + 9 * place) == pytest.approx(one.window.centre, rel=0.2)
    assert bracket.index("├") < bracket.index("┼") < bracket.index("┤")


def test_the_page_is_one_file_without_scripts_and_names_are_escaped(tmp_path):
    one = finding("<b>&", RATES, {seed: curve(seed=seed) for seed in range(5)}, WIDTH)
    page = write_range_page([one], tmp_path / "p.html", "<i>study", "what it is").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<b>" not in page
    assert "<i>" not in page
    assert "&lt;b&gt;&amp;" in page
    assert page.count("<svg") == 1
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")


def sweep_of(*texts, task=None, rates=None, seed=FIRST_TUNING_SEED):
    request = ask(task or line(), Options(optimizers=texts, only=True, device="cpu", batch_size=8))
    arm = request.arms[0]
    return Sweep(Trial("line", arm, seed, request.protocol, "tune"), request.task, rates or learning_rates(100))


def test_each_step_has_the_next_rate_as_a_search_would_set_it():
    seen = []
    sweep = sweep_of("adabound")
    step = sweep.optimizer.step

    def spy():
        group = sweep.optimizer.param_groups[0]
        seen.append((group["lr"], group["base_lr"]))
        return step()

    sweep.optimizer.step = spy
    sweep.losses()
    rates = learning_rates(100)
    assert seen == [(rate, rate) for rate in rates[: len(seen)]]
    assert (rates[0], rates[-1]) == pytest.approx((1e-7, 100))
    assert np.diff(np.log(rates)) == pytest.approx(math.log(1e9) / 99)


def test_a_seed_begins_as_a_trial_of_that_seed_and_ends_where_it_diverges():
    sweep = sweep_of("sgd")
    first = line().make_model(FIRST_TUNING_SEED).weight
    assert torch.equal(next(iter(sweep.model.parameters())), first)
    losses = sweep.losses()
    assert 50 < len(losses) < 100
    assert all(map(math.isfinite, losses))
    assert max(losses) < 20 * max(losses[:10])
    assert sweep_of("sgd").losses() == losses
    assert sweep_of("sgd", seed=FIRST_TUNING_SEED + 1).losses() != losses


def test_a_loss_is_lost_at_ten_times_what_it_was_but_not_within_the_first_tenth():
    assert lost([1.0] * 10, 10.1, 100)
    assert not lost([1.0] * 10, 9.9, 100)
    assert not lost([1.0] * 9, 1e9, 100)
    assert lost([-1.0] * 10, -11.0, 100)


def test_every_optimizer_has_the_same_seeds_and_they_are_those_that_tune():
    heard = []
    request = ask(line(), Options(optimizers=("sgd", "torch.optim.NAdam"), only=True, device="cpu"))
    losses = sweeps(request, 3, learning_rates(FEWEST_STEPS), lambda arm, seed, _: heard.append((arm.label, seed)))
    seeds = [1000, 1001, 1002]
    assert {label: list(by_seed) for label, by_seed in losses.items()} == {"SGD": seeds, "NAdam": seeds}
    assert heard == [(label, seed) for label in ("SGD", "NAdam") for seed in seeds]


class NoRate(torch.optim.SGD):
    """An optimizer that takes no learning rate."""

    def __init__(self, params):
        super().__init__(params)


def test_an_optimizer_without_a_learning_rate_is_refused():
    request = ask(line(), Options(optimizers=(make_arm(NoRate, "torch", {}),), only=True, device="cpu"))
    with pytest.raises(UsageError, match="NoRate has no option lr"):
        sweeps(request, 3, RATES, lambda *_: None)


def test_the_command_shows_window_words_and_report_for_a_task_in_a_file(surefoot_command, tmp_path):
    (tmp_path / "lr_task.py").write_text(
        "import torch, surefoot\n"
        "x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))\n"
        "y = x.sum(1, keepdim=True)\n"
        "def net():\n    return torch.nn.Linear(4, 1)\n"
        "def loss(out, y):\n    return ((out - y) ** 2).mean()\n"
        "task = surefoot.task(model=net, data=((x, y), (x, y)), loss=loss, name='plane')\n"
    )
    options = ["lr_task.py:task", "-o", "adam", "-o", "sgd", "--seeds", "3", "--device", "cpu"]
    code, out, err = surefoot_command("lr-find", *options)
    assert code == 0, err
    words = " ".join(out.split())
    assert "Adam: search lr from" in words
    assert "SGD: search lr from" in words
    assert "What it is not: the best rate" in words
    assert max(map(len, out.splitlines())) <= 80
    assert "<svg" in (tmp_path / "surefoot-results" / "lr-find.html").read_text(encoding="utf-8")
    assert len(re.findall(r"^(?:Adam|SGD), seed 100\d: diverged after \d+ of 200 steps$", err, re.M)) == 6
    code, out, err = surefoot_command("lr-find", *options, "--json")
    told = json.loads(out)
    adam, sgd = told["optimizers"]
    assert (adam["label"], sgd["label"]) == ("Adam", "SGD")
    assert adam["window"]["low"] < adam["window"]["centre"] < adam["window"]["high"]
    assert list(adam["curve"]["seeds"]) == ["1000", "1001", "1002"]
    assert sgd["own"] == pytest.approx([0.000251, 0.251], rel=1e-2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seeds", "2"], "--seeds is 2; give at least 3"),
        (["--steps", "99"], "--steps is 99; give at least 100"),
        (["-o", "adm"], "Did you mean 'adam'"),
        (["--report", "."], "not a regular file"),
    ],
)
def test_a_mistake_is_one_message(surefoot_command, arguments, words):
    code, out, err = surefoot_command("lr-find", "logreg-digits", "--device", "cpu", *arguments)
    assert (code, out) == (2, "")
    assert words in " ".join(err.split())


def test_the_command_has_help_with_an_example(surefoot_command):
    code, out, _ = surefoot_command("lr-find", "--help")
    assert code == 0
    assert "Example: surefoot lr-find" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80


def test_one_call_gives_a_result_that_is_text_json_and_a_page(tmp_path):
    request = ask(line(), Options(optimizers=("sgd",), only=True, device="cpu"))
    heard = []
    test = range_test(request, seeds=3, steps=FEWEST_STEPS, heard=lambda _, seed, __: heard.append(seed))
    assert heard == [1000, 1001, 1002]
    (one,) = test.findings
    assert one.label == "SGD"
    assert f"SGD: {result(one)}" in " ".join(test.text().split())
    assert test.to_json()["optimizers"][0]["text"] == result(one)
    assert "<svg" in test.page(tmp_path / "page.html").read_text(encoding="utf-8")


def test_of_two_rules_the_rest_is_swept_as_a_search_would():
    def rates(text):
        (arm,) = parse_arms([text], "torch")
        request = ask("mlp-mnist", Options(optimizers=(arm,), device="cpu", train_size=200))
        sweep = Sweep(Trial("sweep", arm, FIRST_TUNING_SEED, request.protocol, "tune"), request.task, (0.01, 0.02))
        sweep.set_rates(2)
        return {group["role"]: (group["lr"], group["base_lr"]) for group in sweep.optimizer.param_groups}

    (matrix, head) = (rates("lion(rest=adamw)")[role] for role in ("hidden", "head"))
    assert matrix == (0.02, 0.02)
    assert head == (pytest.approx(0.2), pytest.approx(0.2))
    assert rates("lion(rest=adamw(lr=0.5))")["head"] == (0.5, 0.5)
