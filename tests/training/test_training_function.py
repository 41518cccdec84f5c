"""A training function of the user's: what it is given, what is stored of it, and what is said where it errs."""

import math
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import surefoot
from own_loops import accuracy, classify, data, events_of, net, task_of
from surefoot.errors import TrialError, UsageError
from surefoot.tasks.seeds import seeded
from surefoot.training.events import Diverged, EpochDone, Finished, PilotTimed, Started, TryOutPassed

pytestmark = pytest.mark.usefixtures("one_thread")


def figures(events):
    """What must be equal between two runs: all but times and checkpoints."""
    epochs = [(replace(one.epoch, seconds=0.0), one.rates) for one in events if isinstance(one, EpochDone)]
    ends = [replace(one.outcome, step_seconds=0.0) for one in events if isinstance(one, Finished)]
    return repr((epochs, ends))


def test_a_trial_has_the_events_of_any_other():
    events = events_of(classify)
    assert [type(one) for one in events] == [Started, EpochDone, EpochDone, EpochDone, Finished]
    epoch, outcome = events[1].epoch, events[-1].outcome
    assert (epoch.epoch, 0 <= epoch.validation_metric <= 1, math.isnan(epoch.validation_loss)) == (1, True, True)
    assert epoch.train_loss > 0
    assert epoch.seconds > 0
    assert 0 <= outcome.test_metric <= 1
    assert outcome.parameters == sum(p.numel() for p in net().parameters())
    assert outcome.optimizer_bytes == 2 * 4 * outcome.parameters
    assert events[1].rates[0].step == 1


def test_the_seed_decides_whatever_the_process_did_before():
    assert figures(events_of(classify)) == figures(events_of(classify))
    assert figures(events_of(classify)) != figures(events_of(classify, seed=1))


@pytest.mark.parametrize("optimizer", ["adam(lr=0.05)", "sgd(lr=0.1, momentum=0.9)", "schedule_free_adamw", "adabound"])
@pytest.mark.parametrize("after", [1, 3])
def test_what_goes_on_from_a_checkpoint_ends_as_what_was_never_stopped(optimizer, after):
    whole = events_of(classify, optimizer=optimizer)
    rest = events_of(classify, checkpoint=whole[after].checkpoint, optimizer=optimizer)
    assert rest[0].epoch == after
    assert figures(rest) == figures(whole[after + 1 :])


def test_what_says_nothing_of_saving_has_no_checkpoint():
    events = events_of(lambda run: classify(run, saves=False))
    assert {one.checkpoint for one in events if isinstance(one, EpochDone)} == {None}


def test_values_are_handed_back_as_they_were_given_last():
    seen = []

    def train(run):
        w = torch.nn.Parameter(torch.ones(2))
        optimizer = run.optimizer([w])
        count = run.saved.get("count", 0)
        seen.append((count, run.saved.get("notes")))
        for _ in run.epochs():
            count += 1
            run.save(count=count, notes=[count, {"w": w.detach().numpy().copy()}])
            (w**2).sum().backward()
            optimizer.step()
            run.step(1.0)
            run.report(count)
        run.test(lambda: count)

    whole = events_of(train)
    rest = events_of(train, checkpoint=whole[2].checkpoint)
    assert seen[0] == (0, None)
    assert seen[1][0] == 2
    assert seen[1][1][0] == 2
    assert rest[-1].outcome.test_metric == whole[-1].outcome.test_metric == 3


def test_a_generator_of_random_numbers_goes_on():
    def train(run):
        w, generator = torch.nn.Parameter(torch.ones(2)), torch.Generator().manual_seed(run.seed)
        optimizer = run.optimizer([w])
        run.save(generator=generator)
        for _ in run.epochs():
            run.step((w.grad if w.grad is not None else w).sum().detach())
            optimizer.step()
            run.report(torch.rand((), generator=generator))
        run.test(lambda: torch.rand((), generator=generator))

    whole = events_of(train)
    rest = events_of(train, checkpoint=whole[1].checkpoint)
    assert rest[-1].outcome.test_metric == whole[-1].outcome.test_metric


@pytest.mark.parametrize("purpose", ["tune", "pilot", "try"])
def test_only_what_measures_sees_the_test_data(purpose):
    def train(run):
        classify(run)
        run.test(lambda: pytest.fail("the test data was looked at"))

    ends = {"tune": Finished, "pilot": PilotTimed, "try": TryOutPassed}
    assert isinstance(events_of(train, purpose=purpose)[-1], ends[purpose])
    outcome = events_of(train, purpose="tune")[-1].outcome
    assert math.isnan(outcome.test_metric)


def test_a_try_out_takes_two_steps_and_a_pilot_one_epoch():
    steps, epochs = [], []

    def train(run):
        w = torch.nn.Parameter(torch.ones(2))
        optimizer = run.optimizer([w])
        for epoch in run.epochs():
            epochs.append(epoch)
            for step in range(5):
                steps.append(step)
                (w**2).sum().backward()
                optimizer.step()
                run.step(1.0)
            run.report(1.0)

    events_of(train, purpose="try")
    assert (steps, epochs) == ([0, 1], [1])
    timed = events_of(train, purpose="pilot")[-1].timing
    assert epochs == [1, 1]
    assert timed.keeping > 0
    assert (timed.step, timed.example) == (0.0, 0.0)


def bare(run, value=0.5, loss=1.0, test=lambda: 0.5):
    """The least training there is."""
    w = torch.nn.Parameter(torch.ones(2))
    optimizer = run.optimizer([w])
    for _ in run.epochs():
        (w**2).sum().backward()
        optimizer.step()
        run.step(loss)
        run.report(value)
    run.test(test)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_or_a_value_that_is_not_finite_is_a_result_and_says_where(bad):
    assert events_of(lambda run: bare(run, loss=bad))[-1].reason == f"training loss became {bad} at step 1 (epoch 1)"
    reason = events_of(lambda run: bare(run, value=bad))[-1].reason
    assert reason.startswith(f"run.report was given a score of {bad} after epoch 1; see what it divides by")
    reason = events_of(lambda run: bare(run, test=lambda: bad))[-1].reason
    assert reason.startswith(f"run.test was given a score of {bad} after epoch 3")


def test_a_function_that_catches_what_ends_it_is_ended_all_the_same():
    def train(run):
        try:
            bare(run, loss=math.nan)
        except Exception:
            bare(run)

    def goes_on(run):
        w = torch.nn.Parameter(torch.ones(2))
        run.optimizer([w])
        for _ in run.epochs():
            try:
                run.step(math.nan)
            except Exception:
                continue

    assert isinstance(events_of(goes_on)[-1], Diverged)
    with pytest.raises(TrialError, match="made twice"):
        events_of(train)


def test_a_pair_is_the_value_and_the_loss():
    events = events_of(lambda run: bare(run, value=lambda: (0.25, 4.0), test=lambda: (0.5, 2.0)))
    assert (events[1].epoch.validation_metric, events[1].epoch.validation_loss) == (0.25, 4.0)
    assert (events[-1].outcome.test_metric, events[-1].outcome.test_loss) == (0.5, 2.0)


def test_what_is_small_where_it_is_good_is_the_loss():
    events = events_of(lambda run: bare(run, value=0.25), better="min")
    assert (events[1].epoch.validation_metric, events[1].epoch.validation_loss) == (0.25, 0.25)
    assert events[1].epoch.train_metric == events[1].epoch.train_loss == 1.0


def no_optimizer(run):
    for _ in run.epochs():
        run.step(1.0)


def no_report(run):
    for _ in classified(run):
        pass


def classified(run):
    w = torch.nn.Parameter(torch.ones(2))
    optimizer = run.optimizer([w])
    for epoch in run.epochs():
        optimizer.step()
        run.step(1.0)
        yield epoch


def no_step(run):
    run.optimizer([torch.nn.Parameter(torch.ones(2))])
    for _ in run.epochs():
        run.report(1.0)


def no_epoch(run):
    run.optimizer([torch.nn.Parameter(torch.ones(2))])


def outside(run):
    run.optimizer([torch.nn.Parameter(torch.ones(2))])
    run.step(1.0)


def no_test(run):
    for _ in classified(run):
        run.report(1.0)


def a_tested_value(run):
    run.test(0.5)


def optimizer_in_the_loop(run):
    for _ in run.epochs():
        run.optimizer([torch.nn.Parameter(torch.ones(2))])
        run.step(1.0)
        run.report(1.0)


def saves_late(run):
    for _ in classified(run):
        run.save(model=net())
        run.report(1.0)


def saves_what_no_pickle_holds(run):
    run.save(lines=(line for line in "abc"))
    for _ in classified(run):
        run.report(1.0)


def saves_not_all(run):
    run.save(model=net())
    for _ in classified(run):
        run.report(1.0)


def reports_a_list(run):
    for _ in classified(run):
        run.report([1.0, 2.0])


@pytest.mark.parametrize(
    ("train", "words"),
    [
        (no_optimizer, r"no optimizer from run.*run.optimizer\(model\), run.optax\(\) or run.keras\(\)"),
        (no_report, r"epoch 1 ends without a report: call run.report\(value\)"),
        (no_step, r"epoch 1 ends without a step: call run.step\(loss\)"),
        (no_epoch, r"no epoch: write `for epoch in run.epochs\(\):`"),
        (outside, r"run.step is called outside the epochs"),
        (no_test, r"never tested: call run.test\(function\)"),
        (a_tested_value, r"give a function, as in run.test\(lambda"),
        (optimizer_in_the_loop, r"made twice. Make it once, before the epochs"),
        (saves_late, r"model, a Sequential, after the epochs have begun.*call run.save\(model=model\) before"),
        (saves_what_no_pickle_holds, r"cannot keep lines, a generator: .*Give what has state_dict\(\), tensors"),
        (saves_not_all, r"leaves out weights that the optimizer '' trains"),
        (reports_a_list, r"run.report is given a list .*give one number"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_mistake_is_named_with_what_to_do(train, words):
    with pytest.raises(TrialError, match=words):
        events_of(train)


@pytest.mark.parametrize("train", [saves_what_no_pickle_holds, saves_not_all, no_optimizer, outside])
def test_a_try_out_finds_it_too(train):
    with pytest.raises(TrialError):
        events_of(train, purpose="try")


@pytest.mark.parametrize("optimizer", ["schedule_free_adamw", "lookahead(adamw)"])
def test_weights_that_are_not_meant_for_evaluation_are_not_evaluated(optimizer):
    def plainly(run):
        model = net()
        optimizer = run.optimizer(model)
        inputs, targets = data()
        for _ in run.epochs():
            torch.nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
            run.step(1.0)
            run.report(accuracy(model, slice(200, 250)))
        run.test(lambda: 0.5)

    with pytest.raises(TrialError, match=r"is evaluated with other weights than it trains with.*Give it a function"):
        events_of(plainly, optimizer=optimizer)
    assert isinstance(events_of(plainly, optimizer="adam")[-1], Finished)


def test_a_function_is_called_with_the_weights_to_evaluate_with():
    found = []

    def train(run):
        w = torch.nn.Parameter(torch.tensor([4.0]))
        optimizer = run.optimizer([w])
        for _ in run.epochs():
            for _ in range(3):
                optimizer.zero_grad()
                (w**2).sum().backward()
                optimizer.step()
                run.step(1.0)
            before = w.item()
            run.report(lambda: found.append(w.item()) or 1.0)
            assert w.item() == before != found[-1]
        run.test(lambda: 1.0)

    events_of(train, optimizer="schedule_free_sgd(lr=0.1)")
    assert len(found) == 3


def test_the_clock_stands_where_it_should():
    now = []

    def train(run):
        w = torch.nn.Parameter(torch.ones(2))
        run.optimizer([w])
        for _ in run.epochs():
            run.step(1.0)
            before = run._epoch.clock.seconds
            with run.untimed(), run.evaluating():
                sum(range(200_000))
            now.append(run._epoch.clock.seconds - before)
            sum(range(200_000))
            now.append(run._epoch.clock.seconds - before)
            run.report(1.0)
        run.test(lambda: 1.0)

    events_of(train, epochs=1)
    assert now[0] < now[1]


def test_an_error_that_the_training_catches_leaves_clock_and_weights_as_they_were():
    found = []

    def train(run):
        w = torch.nn.Parameter(torch.ones(1))
        run.optimizer([w])
        for _ in run.epochs():
            w.grad = 2 * w.detach()
            run.step(1.0)
            before = w.item()
            with suppress(ZeroDivisionError), run.untimed():
                run.report(lambda: 1 / 0)
            found.append(w.item() == before)
            stood = run._epoch.clock._apart
            with run.untimed():
                sum(range(1000))
            found.append(run._epoch.clock._apart > stood)
            run.report(lambda: 1.0)
        run.test(lambda: 1.0)

    events_of(train, optimizer="schedule_free_sgd(lr=0.1)", epochs=2)
    assert found == [True] * 4


def test_several_optimizers_have_names_and_options_of_their_own():
    found = []

    def train(run):
        first, second = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(3))
        found.append(run.optimizer([first], "generator"))
        found.append(run.optimizer([second], "discriminator", lr=4 * run.hyper["lr"]))
        for _ in run.epochs():
            run.step(1.0)
            run.report(1.0)
        run.test(lambda: 1.0)

    events = events_of(train, optimizer="adam(lr=0.1)")
    assert [one.param_groups[0]["lr"] for one in found] == [0.1, 0.4]
    assert events[-1].outcome.parameters == 5


def with_a_closure(run):
    w = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
    optimizer = run.optimizer([w])
    run.save(w=Held(w))

    def closure():
        optimizer.zero_grad()
        loss = (w**2).sum()
        loss.backward()
        return loss

    for _ in run.epochs():
        run.step(optimizer.step(closure))
        run.report((w**2).sum())
    run.test(lambda: (w**2).sum())


def test_a_closure_is_the_functions_own():
    events = events_of(with_a_closure, better="min", optimizer="sgd(lr=0.3)")
    assert events[-1].outcome.test_metric < 0.1


def test_an_optimizer_that_needs_a_closure_is_as_good_as_any():
    whole = events_of(with_a_closure, better="min", optimizer=torch.optim.LBFGS)
    rest = events_of(with_a_closure, better="min", optimizer=torch.optim.LBFGS, checkpoint=whole[1].checkpoint)
    assert whole[-1].outcome.test_metric < 1e-6
    assert figures(rest) == figures(whole[2:])


class Twice(torch.optim.SGD):
    """Asks for the gradient again, after the first is there."""

    def step(self, closure=None):
        closure()
        super().step()


@pytest.mark.parametrize(
    ("optimizer", "by_name", "gradients"),
    [
        ("sgd(lr=0.1)", False, 1),
        (torch.optim.SGD, True, 1),
        (surefoot.Opt(torch.optim.LBFGS, max_iter=3, lr=0.1), False, 3),
        (surefoot.Opt(Twice, lr=0.1, closure=True), True, 2),
    ],
)
def test_gradients_of_closures_are_counted(optimizer, by_name, gradients):
    def train(run):
        w = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
        made = run.optimizer([w])
        run.save(w=Held(w))

        def closure():
            made.zero_grad()
            loss = (w**4).sum()
            loss.backward()
            return loss

        for _ in run.epochs():
            loss = closure()
            made.step(closure=closure) if by_name else made.step(closure)
            run.step(loss)
            run.report((w**2).sum())
        run.test(lambda: (w**2).sum())

    whole = events_of(train, better="min", optimizer=optimizer)
    rest = events_of(train, better="min", optimizer=optimizer, checkpoint=whole[1].checkpoint)
    assert (whole[-1].outcome.gradients, rest[-1].outcome.gradients) == (gradients, gradients)


@pytest.mark.parametrize(
    ("options", "rates"),
    [
        ({"optimizer": "sgd(lr=1.0, schedule=linear)"}, [1.0, 0.75, 0.5, 0.25]),
        (
            {"optimizer": "sgd(lr=1.0)", "schedule": "cosine"},
            [(1 + math.cos(math.pi * step / 4)) / 2 for step in range(4)],
        ),
    ],
    ids=["of the optimizer", "of the study"],
)
def test_a_schedule_is_followed_and_asks_for_the_steps_of_an_epoch(options, rates):
    seen = []

    def train(run):
        w = torch.nn.Parameter(torch.ones(2))
        optimizer = run.optimizer([w])
        for _ in run.epochs(steps=2):
            for _ in range(2):
                seen.append(optimizer.param_groups[0]["lr"])
                run.step(1.0)
            run.report(1.0)
        run.test(lambda: 1.0)

    events_of(train, epochs=2, **options)
    assert seen == pytest.approx(rates)
    with pytest.raises(TrialError, match=r"cosine needs to know how many steps an epoch has.*steps=len\(batches\)"):
        events_of(bare, schedule="cosine")


def test_what_is_no_training_function_is_refused():
    with pytest.raises(UsageError, match="give a function of one argument"):
        task_of(3)
    with pytest.raises(UsageError, match="give a function of one argument"):
        task_of(max)
    with pytest.raises(UsageError, match="better is missing; say which value"):
        task_of(bare, better=None)
    with pytest.raises(UsageError, match="metric='AUROC'"):
        task_of(bare, metric=accuracy)
    with pytest.raises(UsageError, match=r"metric is 'a\\nb'; give words on one line"):
        task_of(bare, metric="a\nb")
    with pytest.raises(UsageError, match="name is 3; give words on one line"):
        task_of(bare, name=3)


def test_the_code_the_functions_it_calls_and_the_data_it_names_are_its_fingerprint():
    def make(scale, offset):
        table = torch.full((3,), offset)

        def helper():
            return scale

        def train(run):
            run.report(helper() * table.sum())

        return task_of(train).fingerprint

    assert make(1.0, 2.0) == make(1.0, 2.0)
    assert len({make(1.0, 2.0), make(3.0, 2.0), make(1.0, 4.0)}) == 3


def test_what_is_made_after_the_epochs_were_asked_for_is_restored_all_the_same():
    """As a framework does that makes the optimizer when it begins to train."""

    def late(run):
        w = torch.nn.Parameter(torch.tensor([4.0, 1.0]))
        count = len(run.epochs())
        optimizer = run.optimizer([w])
        run.save(w=Held(w))
        epochs = run.epochs()
        for _ in range(count):
            next(epochs)
            optimizer.zero_grad()
            (w**2).sum().backward()
            optimizer.step()
            run.step(1.0)
            run.report(w.sum())
        run.test(lambda: w.sum())

    whole = events_of(late)
    for after in (1, 3):
        rest = events_of(late, checkpoint=whole[after].checkpoint)
        assert figures(rest) == figures(whole[after + 1 :])


class Held:
    """A tensor with a state, as models have."""

    def __init__(self, w):
        self.w = w

    def state_dict(self):
        return {"w": self.w.detach().clone()}

    def load_state_dict(self, state):
        self.w.data.copy_(state["w"])


def test_a_training_that_goes_on_without_what_was_kept_is_ended():
    def train(run, saves):
        w = torch.nn.Parameter(torch.ones(2))
        optimizer = run.optimizer([w])
        if saves:
            run.save(w=Held(w))
        for _ in run.epochs():
            optimizer.step()
            run.step(1.0)
            run.report(1.0)
        run.test(lambda: 1.0)

    whole = events_of(lambda run: train(run, True))
    with pytest.raises(TrialError, match="the training goes on, and has no w as before"):
        events_of(lambda run: train(run, False), checkpoint=whole[1].checkpoint)


LIBRARYS = {
    "an array": "np.arange(3.0)",
    "a tensor": "torch.arange(3.0)",
    "half of one": "torch.arange(3.0).bfloat16()",
    "a data set": "TensorDataset(torch.arange(3.0))",
    "a loader": "DataLoader(TensorDataset(torch.arange(3.0)), shuffle=True)",
    "a model": "seeded_linear()",
}
"""What a file may have at its top, from a library."""


@pytest.mark.parametrize("held", LIBRARYS.values(), ids=LIBRARYS)
def test_what_a_file_holds_of_a_library_is_in_the_fingerprint(held):
    def made(text):
        space = {"np": np, "torch": torch, "TensorDataset": TensorDataset, "DataLoader": DataLoader}
        space["seeded_linear"] = seeded_linear
        exec(f"data = {text}\ndef train(run):\n    run.report(data)", space)
        return task_of(space["train"]).fingerprint

    other = held.replace("3.0", "4.0").replace("seeded_linear()", "seeded_linear(1)")
    assert made(held) == made(held) != made(other)


def seeded_linear(seed=0):
    with seeded(seed):
        return torch.nn.Linear(2, 2)
