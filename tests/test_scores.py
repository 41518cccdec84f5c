"""`judge`: every form of a table says the same, bad rows are named, and looks are kept beside the file."""

import json
import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import surefoot
from surefoot.errors import UsageError
from surefoot.words.suite import suite_notes

RNG = np.random.default_rng(4)
SCORES = {
    label: {seed: round(float(RNG.normal(mean, 0.01)), 4) for seed in range(8)}
    for label, mean in (("adam", 0.9), ("sgd", 0.948), ("mine, tuned", 0.955))
}


def long(scores=SCORES):
    rows = [f'"{label}",{seed},{score}' for label, own in scores.items() for seed, score in own.items()]
    return "\n".join(["Optimizer,seed,score,notes", *(f"{row},x" for row in rows), ""])


def wide(scores=SCORES):
    head = ",".join(["seed", *(f'"{label}"' for label in scores)])
    rows = [",".join([str(seed), *(str(own[seed]) for own in scores.values())]) for seed in range(8)]
    return "\n".join([head, *rows, ""])


class Frame(SimpleNamespace):
    """What a data frame has, as far as it is read."""

    def __getitem__(self, column):
        return self.table[column]

    @property
    def columns(self):
        return list(self.table)


def frame():
    return Frame(table={"seed": list(range(8)), **{label: [*own.values()] for label, own in SCORES.items()}})


@pytest.fixture
def file(tmp_path):
    def write(text, name="scores.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_every_form_of_a_table_says_the_same(file):
    given = [SCORES, frame(), file(long(), "long.csv"), str(file(wide(), "wide.csv"))]
    given.append({label: [*own.values()] for label, own in SCORES.items()})
    first, *others = (surefoot.judge(one).summary.verdict for one in given)
    assert all(one == first for one in others)
    assert (first.best, first.ties, first.behind) == ("mine, tuned", ("sgd",), ("adam",))


def test_a_lower_score_may_be_better():
    found = surefoot.judge(SCORES, better="min")
    assert found.summary.verdict.best == "adam"
    assert found.summary.verdict.behind == ("sgd", "mine, tuned")


@pytest.mark.parametrize(
    ("label", "names", "words"),
    [
        ("a\nb", {}, r"an optimizer is 'a\nb'; give words on one line"),
        (" ", {}, "an optimizer is ' '; give words on one line"),
        ("b", {"metric": "a\tb"}, r"metric is 'a\tb'; give words on one line"),
        ("b", {"name": 3}, "name is 3; give words on one line"),
    ],
)
def test_a_name_that_would_break_a_table_is_refused(label, names, words):
    with pytest.raises(UsageError) as refused:
        surefoot.judge({"a": [0.1, 0.2], label: [0.3, 0.4]}, **names)
    assert words in str(refused.value)


@pytest.mark.parametrize("lost", ["", "nan", "Diverged", "inf"])
def test_a_seed_without_a_score_has_diverged(file, lost):
    text = long().replace(f'"sgd",3,{SCORES["sgd"][3]}', f'"sgd",3,{lost}')
    found = surefoot.judge(file(text))
    assert [row.diverged for row in found.summary.rows] == [0, 1, 0]
    assert "Diverged: sgd (1 of 8 seeds)." in found.verdict
    assert surefoot.judge({**SCORES, "sgd": {**SCORES["sgd"], 3: math.nan}}).summary.verdict == found.summary.verdict


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("optimizer,seed,score\na,0,1\nb,0,x\n", "line 3: the score is 'x'; expected a number"),
        ("optimizer,seed,score\na,0,1\nb,zero,1\n", "line 3: the seed is 'zero'; expected a whole number"),
        ("optimizer,seed,score\na,0,1\na,0,1\n", "line 3: a has seed 0 twice"),
        ("optimizer,seed,score\na,0,1\na,1\n", "line 3: the score is None|expected two optimizers"),
        ("seed,a,b\n0,1,2\n1.5,1,2\n", "line 3: the seed is '1.5'"),
        ("optimizer,seed,loss\na,0,1\n", "optimizer, seed, loss; expected one that is called score"),
        ("name,run,value\na,0,1\n", "name, run, value; expected seed, and optimizer and score"),
        ("optimizer,seed,score\n", "no rows"),
        ("", "no rows"),
        ("optimizer,seed,score\na,0,1\n", "scores of a; expected two optimizers"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_line(file, text, words):
    with pytest.raises(UsageError, match=words):
        surefoot.judge(file(text))


def test_other_mistakes_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"no\.csv cannot be read: No such file"):
        surefoot.judge(tmp_path / "no.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00a,b\n")
    with pytest.raises(UsageError, match="no text file"):
        surefoot.judge(tmp_path / "bytes.csv")
    with pytest.raises(UsageError, match="better is 'higher'; say which value of the scores is better: max"):
        surefoot.judge(SCORES, better="higher")
    with pytest.raises(UsageError, match="scores are list"):
        surefoot.judge([0.1, 0.2])
    with pytest.raises(UsageError, match="a, seed 1: the score is 'x'"):
        surefoot.judge({"a": [1, "x"], "b": [1, 2]})


def some(seeds):
    return long({label: {seed: own[seed] for seed in range(seeds)} for label, own in SCORES.items()})


def test_scores_that_are_left_out_after_a_verdict_still_count(file):
    """The best two of three were chosen by the same scores."""
    surefoot.judge(file(long()))
    found = surefoot.judge(file(long({label: own for label, own in SCORES.items() if label != "adam"})))
    (row,) = found.summary.comparisons
    assert (row.n, row.together, row.p) == (8, 3, min(1, 3 * row.difference.p))
    assert "tested 3 pairs" in found.verdict


def test_more_seeds_in_the_same_file_are_another_look(file):
    path = file(some(6))
    looks = [surefoot.judge(path).summary.verdict.looks, surefoot.judge(path).summary.verdict.looks]
    path.write_text(long())
    looks += [surefoot.judge(path).summary.verdict.looks, surefoot.judge(path).summary.verdict.looks]
    assert looks == [(6,), (6,), (6, 8), (6, 8)]
    assert len(json.loads(path.with_name("scores.csv.looks.json").read_text())["looks"]) == 2
    assert surefoot.judge(SCORES).summary.verdict.looks == (8,)


def test_a_margin_and_what_guessing_scores():
    """Eight seeds: mine and sgd are near each other, and a diverged seed of adam counts as a guess."""
    found = surefoot.judge(SCORES, margin=0.05)
    assert {pair.other: pair.answer for pair in found.summary.verdict.pairs} == {"sgd": "equal", "adam": "ahead"}
    assert "Equal to mine, tuned within 0.05: sgd (" in found.verdict
    assert "within 5 points" in surefoot.judge(SCORES, margin=5, share=True).verdict
    assert "within 6 %" in surefoot.judge(SCORES, margin="6%").verdict
    lost = {**SCORES, "adam": {**SCORES["adam"], 0: math.nan}}
    assert "A seed that diverged counts as 0.10000, the score of guessing." in surefoot.judge(lost, chance=0.1).verdict
    with pytest.raises(UsageError, match="margin is 'wide'"):
        surefoot.judge(SCORES, margin="wide")


def test_the_command_answers_whether_ties_are_equal(surefoot_command, file):
    path = file(long())
    code, out, _ = surefoot_command("judge", path, "--margin", "0.05", "--json")
    verdict = json.loads(out)["verdict"]
    assert code == 0
    assert verdict["margin"] == {"size": 0.05, "relative": False}
    assert {pair["other"]: pair["answer"] for pair in verdict["pairs"]} == {"sgd": "equal", "adam": "ahead"}
    assert [*verdict["pairs"][0]["closeness"]] == ["margin", "a_worse", "b_worse", "more"]
    code, _, err = surefoot_command("judge", path, "--margin", "wide")
    assert code == 2
    assert "--margin is 'wide'; give a difference in score above 0, such as 0.01" in " ".join(err.split())


@pytest.mark.parametrize("text", ["{", "[]", '{"looks": [1]}', '{"looks": [{"a": ["x"]}]}'])
def test_looks_that_cannot_be_read_are_not_forgotten(file, text):
    path = file(long())
    file(text, "scores.csv.looks.json")
    with pytest.raises(UsageError, match=r"scores\.csv\.looks\.json should have the seeds"):
        surefoot.judge(path)


def test_the_command(surefoot_command, file, tmp_path):
    path = file(long())
    code, out, _ = surefoot_command("judge", path, "--metric", "accuracy", "--share", "--report", tmp_path / "r.html")
    assert code == 0
    out = " ".join(out.split())
    assert "mine, tuned has the highest mean test accuracy (95." in out
    assert "ahead of adam by" in out
    assert "Not distinguishable from mine, tuned: sgd" in out
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert 'id="pairs"' in page
    assert not any(f'id="{part}"' in page or f"#{part}" in page for part in ("settings", "protocol", "environment"))
    assert "Test accuracy using adam: " in out
    assert not any(unknown in out for unknown in ("loss", "Time per step", "nan", "State memory", "target"))
    code, out, _ = surefoot_command("judge", path, "--json")
    assert code == 0
    assert json.loads(out)["verdict"]["best"] == "mine, tuned"
    code, _, err = surefoot_command("judge", tmp_path / "no.csv")
    assert code == 2
    assert "cannot be read" in err


def runs_table(states=(), scores=SCORES):
    """W&B's table of runs, as its page downloads it: configuration and last values under their own names."""
    head = '"Name","State","Notes","Created","Runtime","lr","optimizer","seed","_step","loss","val_acc"'
    rows = [
        f'"snow-{number}","{dict(states).get((label, seed), "finished")}","","2026-01-05T10:00:00.000Z","61","0.1",'
        f'"{label}","{seed}","900","0.31","{score}"'
        for number, (label, seed, score) in enumerate(cells(scores))
    ]
    return "\n".join([head, *rows, ""])


def cells(scores=SCORES):
    return [(label, seed, score) for label, own in scores.items() for seed, score in own.items()]


def api_table():
    """What the script in W&B's guide to its API writes: a printed dict in a cell."""
    summary = "{{'_runtime': 61.2, 'val_acc': {score}, 'other': nan}}"
    config = "{{'optimizer': '{label}', 'seed': {seed}}}"
    row = f'{{n}},"{summary}","{config}",snow-{{n}}'
    rows = [row.format(n=n, label=label, seed=seed, score=score) for n, (label, seed, score) in enumerate(cells())]
    return "\n".join([",summary,config,name", *rows, ""])


def chart(metric="val_acc", scores=SCORES):
    """W&B's chart: the runs of one metric side by side, each with the bounds of what a point stands for."""
    head = ",".join(f'"{label} s{seed} - {metric}{end}"' for label, seed, _ in cells(scores) for end in ("", *ENDS))
    early = ",".join('"0.1","0.1","0.1"' for _ in cells(scores))
    last = ",".join(f'"{score}","{score}","{score}"' for _, _, score in cells(scores))
    gap = ",".join('"","",""' for _ in cells(scores))
    return "\n".join([f'"Step",{head}', f'"0",{early}', f'"1",{last}', f'"2",{gap}', ""])


ENDS = ("__MIN", "__MAX")
SAFE = {label.replace("mine, tuned", "mine"): own for label, own in SCORES.items()}


def test_the_exports_of_wandb_say_what_the_scores_say(file):
    expected = surefoot.judge(SCORES).summary.verdict
    named = {"score": "val_acc"}
    assert surefoot.judge(file(runs_table(), "runs.csv"), columns=named).summary.verdict == expected
    assert surefoot.judge(file(api_table(), "api.csv"), columns=named).summary.verdict == expected
    assert surefoot.judge(file(chart(), "chart.csv")).summary.verdict == expected


def test_what_wandb_calls_loss_is_that_of_training(file):
    path = file(runs_table())
    assert all(row.test_loss is None for row in surefoot.judge(path, columns={"score": "val_acc"}).summary.rows)
    found = surefoot.judge(path, columns={"score": "val_acc", "loss": "loss"}).summary.rows
    assert [round(row.test_loss.mean, 4) for row in found] == [0.31] * 3


def test_a_run_of_wandb_that_crashed_has_no_result(file):
    states = {("adam", 1): "running", ("sgd", 2): "crashed"}
    found = surefoot.judge(file(runs_table(states)), columns={"score": "val_acc"})
    assert [(row.n, row.unfinished, row.failed) for row in found.summary.rows] == [(7, 1, 0), (7, 0, 1), (8, 0, 0)]
    assert "Failed: sgd (1 of 8 seeds)." in found.verdict
    blown = {**SCORES, "sgd": {**SCORES["sgd"], 2: math.nan}}
    found = surefoot.judge(file(runs_table(states, blown)), columns={"score": "val_acc"})
    assert [row.diverged for row in found.summary.rows] == [0, 1, 0]


def test_a_crashed_run_gives_way_to_its_repetition(file):
    again = runs_table({("adam", 1): "crashed"}) + runs_table().splitlines()[2] + "\n"
    assert (
        surefoot.judge(file(again), columns={"score": "val_acc"}).summary.verdict
        == surefoot.judge(SCORES).summary.verdict
    )
    with pytest.raises(UsageError, match="line 26: adam has seed 1 twice"):
        surefoot.judge(file(runs_table() + runs_table().splitlines()[2] + "\n"), columns={"score": "val_acc"})


def scalars(folder, names, tags=("test/accuracy",)):
    """What TensorBoard's page downloads: a file for each run and tag."""
    folder.mkdir()
    for label, seed, score in cells(SAFE):
        for tag in tags:
            name = f"run-{names.format(optimizer=label, seed=seed)}-tag-{tag}.csv".replace("/", "_")
            rows = ["Wall time,Step,Value", "1700000000.1,1,0.1", f"1700000009.9,2,{score}", ""]
            (folder / name).write_text("\n".join(rows), encoding="utf-8")
    return folder


def test_scalars_of_tensorboard_say_what_the_scores_say(tmp_path):
    expected = surefoot.judge(SAFE).summary.verdict
    # the order of files is that of their names; of the verdict only its claims
    for folder, pattern in ((scalars(tmp_path / "a", "{optimizer}/seed{seed}"), None),):
        found = surefoot.judge(folder, runs=pattern).summary.verdict
        assert (found.best, found.ties, found.behind) == (expected.best, expected.ties, expected.behind)
    own = scalars(tmp_path / "b", "try-{optimizer}-{seed}", ("loss", "test/accuracy"))
    found = surefoot.judge(own, runs="try-{optimizer}-{seed}", columns={"score": "test/accuracy"}).summary.verdict
    assert (found.best, found.ties, found.behind) == (expected.best, expected.ties, expected.behind)
    with pytest.raises(UsageError, match="has the tags loss, test_accuracy; say which is the score with columns"):
        surefoot.judge(own, runs="try-{optimizer}-{seed}")
    with pytest.raises(UsageError, match=r"try-adam-0' does not read as OPTIMIZER-seedNUMBER; give runs"):
        surefoot.judge(own, columns={"score": "loss"})


def test_a_folder_that_is_not_of_tensorboard_is_named(tmp_path):
    with pytest.raises(UsageError, match="no CSV files and no event files"):
        surefoot.judge(tmp_path)
    (tmp_path / "scores.csv").write_text(long(), encoding="utf-8")
    with pytest.raises(UsageError, match=r"scores\.csv has no run and tag in its name"):
        surefoot.judge(tmp_path)
    (tmp_path / "scores.csv").rename(tmp_path / "run-adam_s1-tag-loss.csv")
    with pytest.raises(UsageError, match="expected Wall time, Step, Value"):
        surefoot.judge(tmp_path)


class Accumulator:
    """As much of TensorBoard's reader as is used."""

    def __init__(self, path):
        self.path = path

    def Reload(self):
        return self

    def Tags(self):
        return {"scalars": ["accuracy"]}

    def Scalars(self, _):
        label, seed = self.path.replace("\\", "/").split("/")[-2:]
        return [SimpleNamespace(value=0.0), SimpleNamespace(value=SAFE[label][int(seed.removeprefix("seed"))])]


def test_event_files_are_read_by_tensorboard_where_it_is_installed(tmp_path, monkeypatch):
    for label, seed, _ in cells(SAFE):
        (tmp_path / label / f"seed{seed}").mkdir(parents=True)
        (tmp_path / label / f"seed{seed}" / "events.out.tfevents.1").touch()
    module = "tensorboard.backend.event_processing.event_accumulator"
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match="pip install tensorboard, or give a folder of the CSV files"):
        surefoot.judge(tmp_path)
    for name in ("tensorboard", "tensorboard.backend", "tensorboard.backend.event_processing"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace())
    monkeypatch.setitem(sys.modules, module, SimpleNamespace(EventAccumulator=Accumulator))
    expected = surefoot.judge(SAFE).summary.verdict
    found = surefoot.judge(tmp_path).summary.verdict
    assert (found.best, found.ties, found.behind) == (expected.best, expected.ties, expected.behind)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("Step,a s1 - x,b s1 - y\n1,2,3\n", {}, "has the metrics x, y; say which is the score with columns"),
        ("Step,a s1 - x,b - x\n1,2,3\n", {}, "column 'b - x': the run 'b' does not read as OPTIMIZER-seedNUMBER"),
        ("Step,a s1 - x,b s1 - x\n1,2,\n", {}, "column 'b s1 - x': there is no value"),
        ("Step,a s1 - x\n1,2\n", {"runs": "{optimizer}"}, r"expected \{optimizer\} and \{seed\} in it"),
        ("optimizer,seed,score,state\na,0,1,lost\n", {}, "line 2: the state is 'lost'"),
        ("optimizer,seed,score,epochs_to_target\na,0,1,0\n", {}, "line 2: the target took 0"),
        ("optimizer,seed,score,epochs_to_target\na,0,1,x\n", {}, "line 2: the number of epochs to the target is 'x'"),
        ("optimizer,seed,score,test_loss\na,0,1,x\n", {}, "line 2: the loss is 'x'; expected a number"),
        ("optimizer,seed,score,task\na,0,1,../x\n", {}, "line 2: the task is '../x'"),
        ("optimizer,seed,score\na,0,1,4\n", {}, "line 2: there are more cells than names"),
        ("optimizer,seed,score,chance\na,0,1,0.1\nb,0,1,0.2\n", {}, "scores of guessing 0.1, 0.2; expected one"),
        ("optimizer,seed,acc\na,0,1\n", {"columns": {"score": "accu"}}, "unknown column 'accu'. Did you mean 'acc'"),
        ("optimizer,seed,acc\na,0,1\n", {"columns": {"scor": "acc"}}, "unknown part of a score 'scor'"),
        ("optimizer;seed;score\na;0;0,5\n", {}, "has semicolons between its cells; write commas"),
        ("optimizer\tseed\tscore\na\t0\t0.5\n", {}, "has tabs between its cells; write commas"),
        (
            "seed,a,b\n0,0.9,92.1\n",
            {"share": True},
            "b has the score 92.1 with seed 0, and share takes scores from 0 to",
        ),
        (",summary,config,name\n0,{},7,a\n", {}, "line 2: the config is '7'; expected a dict"),
    ],
)
def test_what_an_export_cannot_say_is_named(file, text, options, words):
    with pytest.raises(UsageError, match=words):
        surefoot.judge(file(text), **options)


def tasks(seeds=6):
    """Three tasks, in the first of which adam is twice as quick and sgd misses the target with one seed."""
    rows = ["task,optimizer,seed,score,epochs to target,chance"]
    for task, factor in (("digits", 2), ("letters", 1), ("words", 1)):
        for label, shift in (("adam", 0.0), ("sgd", 0.02)):
            for seed in range(seeds):
                epochs = 5 if label == "adam" else "" if task == "digits" and seed == 0 else 5 * factor
                rows.append(f"{task},{label},{seed},{0.9 + shift + seed / 1000 + RNG.normal(0, 1e-4)},{epochs},0.1")
    return "\n".join([*rows, ""])


def test_several_tasks_are_judged_as_a_suite(file, surefoot_command, tmp_path):
    path = file(tasks())
    suite = surefoot.judge_suite(path)
    assert list(suite.verdicts) == ["digits", "letters", "words"]
    assert all(text.startswith("sgd has the highest mean test score") for text in suite.verdicts.values())
    assert suite.summary.times == {
        "adam": {"digits": 5, "letters": 5, "words": 5},
        "sgd": {"digits": 10, "letters": 5, "words": 5},
    }
    assert suite.summary.algoperf == pytest.approx({"adam": 1.0, "sgd": (2 / 3 + 2) / 3})
    assert suite.summary.aggregates["sgd"].mean == pytest.approx(1.0, abs=0.01)
    reach = suite.studies["digits"].summary.rows[1].reach
    assert (reach.reached, reach.of, reach.epochs) == (5, 6, 10)
    with pytest.raises(UsageError, match="tasks digits, letters, words; use judge_suite"):
        surefoot.judge(path)
    code, out, _ = surefoot_command("judge", path, "--report", tmp_path / "pages" / "r.html")
    assert code == 0
    assert "Interquartile mean" in out
    assert "Epochs to target" in (tmp_path / "pages" / "digits.html").read_text(encoding="utf-8")
    assert (tmp_path / "pages" / "all-small.html").exists()
    code, out, _ = surefoot_command("judge", path, "--json")
    assert json.loads(out)["targets"] == {"digits": None, "letters": None, "words": None}


def test_the_looks_of_tasks_are_kept_apart(file):
    path = file(tasks(5))
    surefoot.judge_suite(path)
    path.write_text(tasks(7), encoding="utf-8")
    suite = surefoot.judge_suite(path)
    assert [one.summary.verdict.looks for one in suite.studies.values()] == [(5, 7)] * 3
    assert set(json.loads(path.with_name("scores.csv.looks.json").read_text())["tasks"]) == {
        "digits",
        "letters",
        "words",
    }


def test_without_the_score_of_guessing_tasks_have_no_common_mean(file):
    text = "\n".join(line.rpartition(",")[0] for line in tasks().splitlines())
    suite = surefoot.judge_suite(file(text))
    assert "No interquartile mean of any: what guessing scores in digits is not known." in list(
        suite_notes(suite.summary)
    )


def test_a_column_is_named_on_the_command_line(surefoot_command, file):
    path = file(runs_table())
    code, out, _ = surefoot_command("judge", path, "--column", "score=val_acc", "--json")
    assert code == 0
    assert json.loads(out)["verdict"]["best"] == "mine, tuned"
    code, _, err = surefoot_command("judge", path)
    assert code == 2
    assert "expected one that is called score, or name yours in --column" in " ".join(err.split())
    code, _, err = surefoot_command("judge", path, "--column", "val_acc")
    assert "expected PART=COLUMN" in err
