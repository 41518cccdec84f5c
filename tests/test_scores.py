"""`judge`: every form of a table says the same, bad rows are named, and looks are kept beside the file."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

import surefoot
from surefoot.errors import UsageError
from surefoot.words import verdict_text

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
    first, *others = (surefoot.judge(one).verdict for one in given)
    assert all(one == first for one in others)
    assert (first.best, first.ties, first.behind) == ("mine, tuned", ("sgd",), ("adam",))


def test_a_lower_score_may_be_better():
    found = surefoot.judge(SCORES, better="min")
    assert found.verdict.best == "adam"
    assert found.verdict.behind == ("sgd", "mine, tuned")


@pytest.mark.parametrize("lost", ["", "nan", "Diverged", "inf"])
def test_a_seed_without_a_score_has_diverged(file, lost):
    text = long().replace(f'"sgd",3,{SCORES["sgd"][3]}', f'"sgd",3,{lost}')
    found = surefoot.judge(file(text))
    assert [row.diverged for row in found.rows] == [0, 1, 0]
    assert "Diverged: sgd (1 of 8 seeds)." in verdict_text(found)
    assert surefoot.judge({**SCORES, "sgd": {**SCORES["sgd"], 3: math.nan}}).verdict == found.verdict


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
    with pytest.raises(UsageError, match="expected 'max' or 'min'"):
        surefoot.judge(SCORES, better="higher")
    with pytest.raises(UsageError, match="scores are list"):
        surefoot.judge([0.1, 0.2])
    with pytest.raises(UsageError, match="a, seed 1: the score is 'x'"):
        surefoot.judge({"a": [1, "x"], "b": [1, 2]})


def some(seeds):
    return long({label: {seed: own[seed] for seed in range(seeds)} for label, own in SCORES.items()})


def test_more_seeds_in_the_same_file_are_another_look(file):
    path = file(some(6))
    looks = [surefoot.judge(path).verdict.looks, surefoot.judge(path).verdict.looks]
    path.write_text(long())
    looks += [surefoot.judge(path).verdict.looks, surefoot.judge(path).verdict.looks]
    assert looks == [(6,), (6,), (6, 8), (6, 8)]
    assert len(json.loads(path.with_name("scores.csv.looks.json").read_text())["looks"]) == 2
    assert surefoot.judge(SCORES).verdict.looks == (8,)


def test_a_margin_and_what_guessing_scores():
    """Eight seeds: mine and sgd are near each other, and a diverged seed of adam counts as a guess."""
    found = surefoot.judge(SCORES, margin=0.05)
    assert {pair.other: pair.answer for pair in found.verdict.pairs} == {"sgd": "equal", "adam": "ahead"}
    assert "Equal to mine, tuned within 0.05: sgd (" in verdict_text(found)
    assert "within 5 points" in verdict_text(surefoot.judge(SCORES, margin=5, share=True))
    assert "within 6 %" in verdict_text(surefoot.judge(SCORES, margin="6%"))
    lost = {**SCORES, "adam": {**SCORES["adam"], 0: math.nan}}
    assert "A seed that diverged counts as 0.10000, what guessing gets." in verdict_text(
        surefoot.judge(lost, chance=0.1)
    )
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
