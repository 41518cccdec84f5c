"""What a study would run, how long, and what its seeds can tell: the forecast, and `compare --dry-run`."""

import json
import math
import re
from contextlib import nullcontext
from dataclasses import replace

import pytest

import surefoot
from planned_run import plan
from samples import SETTINGS, trial
from surefoot.analysis.forecast import ASSUMED_SPREAD, Phase, smallest_difference, spread, step_times, training_seconds
from surefoot.arms.opt import Opt
from surefoot.comparison import try_out
from surefoot.comparison.ask import ask
from surefoot.comparison.forecast import Outlook, foretell, outlook
from surefoot.comparison.request import Request
from surefoot.comparison.try_out import STORING
from surefoot.errors import UsageError
from surefoot.options import Options
from surefoot.statistics.intervals import ALPHA
from surefoot.statistics.power import detectable, permutation_detectable
from surefoot.store import Store
from surefoot.store.design import Timing, TrialPart
from surefoot.store.protocol import Metric, Protocol
from surefoot.training.events import PilotTimed


def planned(**options):
    given = {"optimizers": ("adam", "slow=sgd(lr=0.1)", "momentum"), "only": True, "seeds": 3, "trials": 4, **options}
    return plan("article-tuned", Options(device="cpu", workers=2, **given))


def as_ended(one, accuracy=0.9):
    sample = trial("Adam")
    epochs = (*sample.epochs[:-1], replace(sample.epochs[-1], validation_metric=accuracy))
    return replace(one.record({}), status="finished", epochs=epochs, outcome=sample.outcome)


def middle(one):
    """An accuracy that is best in the middle of each search."""
    return 0.9 - abs(math.log10(one.arm.hyper["lr"] / {"adam": 1e-3, "momentum": 5e-3}.get(one.arm.rule, 1)))


def rising(one):
    """An accuracy that is best at the upper edge of each search, however far it is extended."""
    return 0.5 + 0.1 * math.log10(one.arm.hyper["lr"])


def counts(view):
    return {phase.name: (phase.trials, phase.done) for phase in view.certain}


def sizes(view):
    """The smallest and the largest number of trials."""
    least = sum(phase.trials for phase in view.certain)
    return least, least + (view.extension.trials if view.extension else 0)


def test_the_outlook_counts_what_is_certain_and_what_is_possible():
    view = outlook(planned(), {})
    assert counts(view) == {"defaults": (9, 0), "tuning": (8, 0), "finals": (12, 0), "measuring": (6, 0)}
    assert (view.extension.trials, sizes(view)) == (8, (35, 43))
    assert view.left == ({"Adam": 16, "Momentum": 16, "slow": 3}, {"Adam": 20, "Momentum": 20, "slow": 3})


@pytest.mark.parametrize("lucky", [True, False])
@pytest.mark.parametrize("trials", [2, 4])
def test_the_outlook_holds_what_the_study_then_runs(lucky, trials):
    """At every stage what is promised at least has been run, and at most is not exceeded."""
    study = planned(trials=trials)
    first, records, views = outlook(study, {}), {}, []
    while todo := [t for t in [*study.trials, *study.tuning.known(records)] if t.key not in records]:
        records |= {t.key: as_ended(t, middle(t) if lucky else rising(t)) for t in todo}
        views.append(outlook(study, records))
    assert sizes(first)[0] <= len(records) <= sizes(first)[1]
    if trials > 2 or not lucky:  # of two trials the best is at an edge
        assert len(records) == (sizes(first)[0] if lucky else sizes(first)[1])
    assert sizes(views[-1]) == (len(records), len(records))
    assert not sum(views[-1].left[1].values())
    assert all(sizes(view)[1] == sizes(first)[1] or view.extension is None for view in views)


def test_ranges_of_the_users_are_not_extended_so_nothing_is_promised_for_it():
    given = tuple(Opt(rule, lr=surefoot.log(1e-3, 1e-1)).arm for rule in ("adam", "momentum"))
    assert outlook(planned(optimizers=given), {}).extension is None
    assert outlook(planned(optimizers=(*given, "sgd")), {}).extension is not None


def test_a_study_that_does_not_tune_has_one_phase():
    view = outlook(planned(trials=0), {})
    assert counts(view) == {"defaults": (9, 0)}
    assert sizes(view) == (9, 9)


def test_time_comes_from_trials_of_the_same_task_batch_and_device():
    records = [trial("Adam"), trial("Adagrad")]
    protocol = records[0].protocol
    times = step_times(records, protocol)
    assert times == {r.rule: [r.outcome.step_seconds] for r in records}
    assert step_times(records, replace(protocol, device="cuda")) == {}
    middle_time = sum(found[0] for found in times.values()) / 2
    found = training_seconds({"mine": "adam", "SGD": "sgd"}, 100, times)
    assert found == pytest.approx({"mine": 100 * times["adam"][0], "SGD": 100 * middle_time})
    assert training_seconds({"Adam": "adam"}, 100, {}) == {}


def test_two_optimizers_of_one_rule_have_times_of_their_own(monkeypatch):
    timings = {"fast": Timing(0.0, 0.001, 0.0), "slow": Timing(0.0, 0.01, 0.0)}
    monkeypatch.setattr(Request, "pilot", lambda *_: timings)
    given = {"optimizers": ("fast=adam", "slow=adam(beta1=0.5)"), "only": True, "trials": 0, "seeds": 5}
    options = Options(device="cpu", workers=1, budget="10h", **given)
    request = ask("article-tuned", options)
    numbers = foretell(request, options).numbers
    steps = request.plan(numbers.sizing).protocol.steps
    assert numbers.piloted == pytest.approx((5 * steps * 0.011, 5 * steps * 0.011))


@pytest.mark.parametrize(("workers", "seconds"), [(1, 13.0), (2, 6.5), (3, 5.0), (8, 5.0)])
def test_the_longest_trial_bounds_the_time_whatever_the_workers(workers, seconds):
    view = Outlook((Phase("defaults", 3, 0, {"quick": 2, "slow": 1}),))
    assert view.walls({"quick": 4.0, "slow": 5.0}, workers) == (seconds, seconds)
    assert view.walls({}, workers) is None


def test_the_spread_is_measured_where_it_can_be_and_else_assumed():
    assert spread([]).assumed
    assert (spread([]).low, spread([]).high) == ASSUMED_SPREAD
    assert spread([trial(label, seed=s) for label in SETTINGS for s in range(2)]).assumed, "two seeds tell nothing"
    known = spread([trial(label, seed=s) for label in SETTINGS for s in range(10)])
    assert not known.assumed
    assert known.pairs == 6
    assert 0.0005 < known.low == known.high < 0.002  # each trial's own luck has a deviation of 0.0008


def test_an_assumed_spread_is_wider_for_a_small_test_set():
    """The review's case: of 300 examples, real differences spread by 0.91 points where 0.23 to 0.32 were assumed."""
    small, large = spread([], test_size=300), spread([], test_size=60_000)
    assert (small.low, small.high) == pytest.approx([sd * math.sqrt(10_000 / 300) for sd in ASSUMED_SPREAD])
    assert (large.low, large.high) == ASSUMED_SPREAD


def test_the_spread_is_that_of_tuned_pairs_where_there_are_any():
    """Adam's and AdaBound's bad defaults scatter twelve times as much as what tuning chose."""

    def scattered(label, size):
        made = [trial(label, seed=seed) for seed in range(5)]
        return [replace(r, outcome=replace(r.outcome, test_metric=0.9 + size * (-1) ** r.seed)) for r in made]

    wild = [*scattered("Adam", 0.06), *scattered("AdaBound", 0.03)]
    calm = [replace(r, label=f"{r.label} tuned") for r in (*scattered("Adam", 0.005), *scattered("AdaBound", 0.0))]
    calm = [
        replace(r, hyper={**r.hyper, "lr": 0.5}, key=f"{r.key}-tuned", part=TrialPart("measured", r.label.split()[0]))
        for r in calm
    ]
    both = spread([*wild, *calm])
    assert both.low == pytest.approx(0.005 * math.sqrt(1.2))
    assert (both.pairs, both.tuned) == (1, True)
    assert spread(wild).low == pytest.approx(0.03 * math.sqrt(1.2))
    assert not spread(wild).tuned


def test_more_seeds_see_smaller_differences():
    few, many = (smallest_difference(spread([]), seeds, 4) for seeds in (5, 20))
    assert few.comparisons == 6
    assert many.alone[0] < few.alone[0]
    assert few.alone[0] < few.corrected[0]
    assert few.alone == tuple(detectable(sd, 5) for sd in ASSUMED_SPREAD)  # 5 seeds have the t-test
    assert many.alone == tuple(permutation_detectable(sd, 20) for sd in ASSUMED_SPREAD)
    at_five_percent = [permutation_detectable(sd, 20, alpha=ALPHA) for sd in ASSUMED_SPREAD]
    assert at_five_percent == pytest.approx((0.00155, 0.00216), abs=2e-5)  # facts: 0.2 pp needs 12 to 22 seeds
    closed = [detectable(sd, 20) / detectable(sd, 20, alpha=ALPHA) for sd in ASSUMED_SPREAD]  # a part is held back
    assert many.alone == pytest.approx([x * y for x, y in zip(at_five_percent, closed, strict=True)], rel=0.01)
    assert smallest_difference(spread([]), 1, 4) is None
    assert spread([], Metric("perplexity", "min", share=False)) is None
    assert smallest_difference(spread([]), 5, 1) is None


@pytest.fixture
def run(monkeypatch, surefoot_command):
    """Run `surefoot` with data from the package only."""
    monkeypatch.setenv("SUREFOOT_DATA", "")
    return surefoot_command


ASK = ("compare", "article-tuned", "--only", "-o", "adam", "-o", "momentum", "--device", "cpu", "--dry-run")


def test_dry_run_tells_all_and_leaves_nothing(run, tmp_path):
    code, out, err = run(*ASK, "--seeds", 5, "--trials", 12)
    assert (code, err) == (0, "")
    assert list(tmp_path.iterdir()) == []
    assert max(map(len, out.splitlines())) <= 80
    assert [line for line in out.splitlines() if line != line.rstrip()] == []
    words = " ".join(out.split())
    assert "Tuning 24 0" in words
    assert "Its best 3, on 2 more seeds 12 0" in words
    assert "Tuning beyond an edge, at most 24 0" in words
    assert "Together 56 to 80 0" in words
    assert "not known until a trial of this task has run" in words
    assert "Adam: lr log 3.02e-05..0.0302, beta1 1 - log 0.005..0.5" in words
    assert "Sivaprasad et al. 2020" in words
    assert "What 5 seeds can find" in words
    assert "in a single pair" in words
    assert "in any of" not in words, "two tuned optimizers are one pair, as are two untuned"
    assert "Assumed: differences spread by 0.23 to 0.32 pp" in words


def pilot_of(monkeypatch, step, most=2):
    """Have the pilot time so many optimizers, all alike, without workers."""

    class Pool:
        def run(self, trials, *_):
            yield from (PilotTimed(one.key, Timing(0.1, step, 1e-6)) for one in trials[:most])

    monkeypatch.setattr(try_out, "open_executor", lambda *_: nullcontext(Pool()))


def test_dry_run_with_a_budget_times_the_optimizers_and_says_what_it_buys(run, monkeypatch, tmp_path):
    pilot_of(monkeypatch, 0.001)
    code, out, _ = run(*ASK, "--budget", "2h", "--workers", 2)
    words = " ".join(out.split())
    assert code == 0
    assert "By a second or two of each optimizer just now, the budget of 120.0 min buys about 5 epochs, 16 tun" in words
    assert re.search(r"Time: about [\d.]+ min to [\d.]+ min with 2 at a time, by a second or two of each", words)
    found = json.loads(run(*ASK, "--budget", "2h", "--workers", 2, "--json")[1])
    assert (found["budget_seconds"], found["bought"], found["timed"]) == (7200.0, True, "pilot")
    timing, sizing = Timing(0.1, 0.001, 1e-6, STORING), found["sizing"]
    protocol = Protocol.from_json(found["protocol"])
    trials = found["trials"]["left"]
    assert found["time"]["seconds"] == pytest.approx([n * timing.trial(protocol, sizing["epochs"]) / 2 for n in trials])
    assert "the clock decides" not in run(*ASK)[1]
    assert not [*tmp_path.rglob("*.sqlite")]


def test_dry_run_of_optimizers_without_an_option_to_search_promises_no_tuning(run, monkeypatch):
    fixed = ("compare", "article-tuned", "--only", "-o", "sgd(lr=0.1)", "--device", "cpu", "--dry-run")
    pilot_of(monkeypatch, 0.001, most=1)
    code, out, _ = run(*fixed, "--budget", "2h", "--workers", 2)
    words = " ".join(out.split())
    assert code == 0
    assert "the budget of 120.0 min buys about 5 epochs and at most" in words
    assert "No option is left to search, so nothing is tuned." in words
    assert "tuning trial" not in words
    pilot_of(monkeypatch, 0.01, most=0)
    assert "to start and to time one optimizer takes" in " ".join(run(*fixed, "--budget", "40s")[2].split())
    pilot_of(monkeypatch, 0.01, most=1)
    assert re.search(r"it buys about \d+ trials of one optimizer, and", run(*fixed, "--budget", "20s")[2])


def test_dry_run_of_a_budget_that_the_pilot_shows_to_be_too_small_says_what_would_do(run, monkeypatch):
    pilot_of(monkeypatch, 0.01)
    code, out, err = run(*ASK, "--budget", "20s", "--workers", 2)
    assert (code, out) == (2, "")
    assert re.search(r"a budget of 20 s is too small: it buys about \d trials of each of 2 opt.*about \d+ s", err)


def test_dry_run_says_what_the_pilot_will_decide_where_that_takes_long(run, monkeypatch):
    """A training function is timed for an epoch; where the budget is used up by that, it is too small."""
    pilot_of(monkeypatch, 0.01, most=1)
    code, out, _ = run(*ASK, "--budget", "5h")
    words = " ".join(out.split())
    assert code == 0
    assert "What the budget of 300.0 min buys is not known: timing every optimizer takes longer than a fore" in words
    assert "Below is the study without a budget." in words
    assert "Training time: not known until a trial of this task has run" in words
    pilot_of(monkeypatch, 0.01, most=0)
    code, _, err = run(*ASK, "--budget", "40s")
    assert (code, "a budget of 40 s is too small: to start and to time 2 optimizers" in err) == (2, True)


def test_dry_run_reads_the_store(run, tmp_path):
    study = plan("article-tuned", Options(("adam", "momentum"), only=True, device="cpu"))
    with Store(tmp_path / "results.sqlite") as store:
        study.freeze(store)
        for one in study.trials:
            record = as_ended(one)
            store.begin(record)
            luck = {0: 0.001, 1: -0.002, 2: 0.0015}.get(one.seed, 0.0) if one.arm.rule == "adam" else 0.0
            store.finish(one.key, replace(record.outcome, step_seconds=0.1, test_metric=0.98 + luck))
    before = (tmp_path / "results.sqlite").read_bytes()
    code, out, _ = run(*ASK, "--store", "results.sqlite", "--json")
    result = json.loads(out)
    assert code == 0
    assert result["trials"]["phases"][0] == {"name": "defaults", "trials": 12, "done": 12, "left": {}}
    assert result["time"]["from_trials"] == 12
    least = 0.1 * result["trials"]["left"][0] * 5 * 192 / result["workers"]
    assert result["time"]["seconds"][0] == pytest.approx(least)
    assert result["spread"]["assumed"] is False
    assert result["detectable"]["seeds"] == 6
    assert (tmp_path / "results.sqlite").read_bytes() == before
    text = " ".join(run(*ASK, "--store", "results.sqlite")[1].split())
    assert "by the step times of 12 earlier trials in the store (median 100 ms)" in text
    assert "By the store's trials of this protocol" in text


def test_dry_run_of_one_seed_says_that_it_can_tell_nothing(run):
    code, out, _ = run("compare", "article", "--device", "cpu", "--dry-run")
    assert code == 0
    assert "no difference. A claim needs two optimizers and 5 seeds or more." in " ".join(out.split())
    assert "Search space" not in out


def timed(tmp_path, step):
    """A store with a run whose optimizers were timed, and the options that ask for the same."""
    options = Options(("adam", "momentum"), device="cpu", workers=2, budget="1h", store=tmp_path / "timed.sqlite")
    request = ask("article-tuned", options)
    timings = {arm.label: Timing(setup=0.01, step=step, example=1e-6) for arm in request.arms}
    with Store(options.store) as store:
        request.plan(request.bought(timings, 1.0), timings, 1.0).freeze(store)
    return options


def test_dry_run_says_what_a_budget_buys_where_an_earlier_run_was_timed(tmp_path, run):
    options = timed(tmp_path, step=0.001)
    rich, poor = (forecast_of(replace(options, budget=budget)) for budget in ("20min", "2min"))
    assert rich.numbers.bought
    assert rich.numbers.sizing.seeds > poor.numbers.sizing.seeds
    assert rich.numbers.trials[0] > poor.numbers.trials[0]
    words = " ".join(str(rich).split())
    assert f"min buys about 5 epochs, {rich.numbers.sizing.trials} tuning trials and at most" in words
    code, out, _ = run(*ASK, "--budget", "20min", "--workers", 2, "--store", options.store, "--json")
    assert (code, json.loads(out)["sizing"]["trials"]) == (0, rich.numbers.sizing.trials)


def test_dry_run_of_a_budget_that_buys_nothing_says_so(tmp_path, run):
    options = timed(tmp_path, step=0.01)
    code, out, err = run(*ASK, "--budget", "20s", "--workers", 2, "--store", options.store)
    assert (code, out) == (2, "")
    assert "a budget of 20 s is too small" in err


def test_a_budget_that_the_first_timings_show_to_be_too_small_is_refused_at_once(monkeypatch, tmp_path):
    """Not when every optimizer has been timed, and not when the budget is used up."""
    options = Options(("adam", "momentum"), device="cpu", workers=1, budget="5s", store=tmp_path / "r.sqlite")
    request = ask("article-tuned", options)
    heard = []

    class Pool:
        def run(self, trials, *_):
            for one in trials:
                heard.append(one.arm.label)
                yield PilotTimed(one.key, Timing(0.1, 0.1, 1e-6))

    monkeypatch.setattr(try_out, "open_executor", lambda *_: nullcontext(Pool()))
    with pytest.raises(UsageError, match="a budget of 5 s is too small"), Store(options.store) as store:
        request.prepare(store)
    assert heard == ["Adam"]
    with pytest.raises(UsageError, match="trials of each of 2 optimizers"), Store(options.store) as store:
        request.prepare(store)  # as many as there are, and not those that are timed


def forecast_of(options):
    return foretell(ask("article-tuned", options), options)
