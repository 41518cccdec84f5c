"""The schema of `--json`: the file is made from the types, every real output fits it, and its page explains it."""

import copy
import json
import math
import re
import shlex

import pytest
from jsonschema import Draft202012Validator, ValidationError

import surefoot
from doc_pages import DOCS, schema
from made_trials import made_trials
from samples import article, diverged, study, tuned
from surefoot.analysis import summarize
from surefoot.words import as_json

__all__ = ["made_trials"]

VALIDATOR = Draft202012Validator(json.loads(schema.FILE.read_text(encoding="utf-8")))

pytestmark = pytest.mark.usefixtures("made_trials")


def test_the_file_is_what_the_types_say():
    assert schema.FILE.read_text(encoding="utf-8") == schema.text(), "run python docs/pages/schema.py"
    Draft202012Validator.check_schema(schema.schema())


@pytest.mark.parametrize(
    "records",
    [
        article(),
        article(seeds=6),
        study(3, 8),
        tuned(),
        [*article(seeds=6)[:-1], diverged(article(seeds=6)[-1])],
        [diverged(one) for one in article()],
    ],
    ids=["one seed", "seeds", "many", "tuned", "one diverged", "all diverged"],
)
def test_a_study_fits(records):
    VALIDATOR.validate(json.loads(json.dumps(as_json(summarize(records)), allow_nan=False)))


SCORES = {"a": [0.9, 0.91, 0.92, 0.93, 0.94, math.nan], "b": [0.8, 0.81, 0.82, 0.83, 0.84, 0.85]}


def test_what_the_commands_print_fits(surefoot_command, tmp_path):
    store = tmp_path / "r.sqlite"
    words = f"-o sgd -o adam --only --epochs 2 --seeds 6 --device cpu --workers 1 --store {store}"
    rows = [f"{task},{label},{s},{v}" for task in "xy" for label, own in SCORES.items() for s, v in enumerate(own)]
    (tmp_path / "one.csv").write_text("\n".join(["optimizer,seed,score", *(row[2:] for row in rows[:12])]))
    (tmp_path / "two.csv").write_text("\n".join(["task,optimizer,seed,score", *rows]))
    page = f"--report {tmp_path / 'r.html'}"
    commands = [
        f"compare booth {words} --trials 0 {page} --json",
        f"compare booth {words} --trials 8 {page} --json",
        f"report booth --store {store} {page} --json",
        f"judge {tmp_path / 'one.csv'} --json",
        f"judge {tmp_path / 'two.csv'} --json",
    ]
    for command in commands:
        code, out, err = surefoot_command(*shlex.split(command))
        assert code == 0, err
        VALIDATOR.validate(json.loads(out))


def test_what_a_program_relies_on_cannot_go_or_change():
    result = json.loads(json.dumps(surefoot.judge(SCORES).to_json()))
    VALIDATOR.validate(result)
    for change in ("missing", "renamed", "text"):
        other = copy.deepcopy(result)
        best = other["verdict"].pop("best")
        other["verdict"] |= {"missing": {}, "renamed": {"winner": best}, "text": {"best": 1}}[change]
        with pytest.raises(ValidationError):
            VALIDATOR.validate(other)


@pytest.mark.parametrize("name", ["Result", "verdict", "Comparison", "ResultRow", "Pair", "Ranking", "Place", "Suite"])
def test_the_page_explains_every_field(name):
    known = schema.schema()["$defs"]
    fields = known["Result"]["properties"]["verdict"] if name == "verdict" else known[name]
    explained = set(re.findall(r"`(\w+)`", (DOCS / "json.md").read_text(encoding="utf-8")))
    assert set(fields["properties"]) <= explained
