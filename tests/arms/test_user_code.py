"""Names of the user's own code: a file's task is found, and a name that another module has is refused."""

import random
import sys
import time

import cloudpickle
import pytest

from surefoot.arms.user_code import in_file
from surefoot.comparison.ask import ask
from surefoot.errors import UsageError
from surefoot.options import Options


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in, whose files leave no module and no path behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    left = {name: module for name, module in sys.modules.items() if str(tmp_path) in str(vars(module).get("__file__"))}
    for name, module in left.items():
        cloudpickle.unregister_pickle_by_value(module)
        del sys.modules[name]


def test_two_files_of_one_name_are_two(folder):
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "surefoot_exp.py").write_text(f"where = {name!r}\n")
    assert [in_file(f"{name}/surefoot_exp.py:where") for name in ("one", "two", "one")] == ["one", "two", "one"]


@pytest.mark.parametrize(("name", "module"), [("random", random), ("time", time), ("pytest", pytest)])
def test_a_file_with_the_name_of_another_module_is_refused_and_replaces_nothing(folder, name, module):
    (folder / f"{name}.py").write_text("task = 1\n")
    with pytest.raises(UsageError, match=f"has the name of another module, {name}.*rename the file"):
        in_file(f"{name}.py:task")
    assert sys.modules[name] is module
    assert str(folder) not in sys.path


FILE = """
import surefoot

raise SystemExit("it is not run")
small = surefoot.task(model=net, data=data)
size = len(data)
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FILE, "names a file and no task in it; write it as my.py:small."),
        (FILE + "large = task(model=net, data=data)", "write it as my.py:small or my.py:large."),
        ("", "write it as my.py:NAME."),
        ("not Python", "write it as my.py:NAME."),
        (None, "there is no such file either; write it as my.py:task."),
    ],
)
def test_a_file_alone_is_answered_with_how_to_name_a_task_in_it(folder, text, words):
    if text is not None:
        (folder / "my.py").write_text(text)
    with pytest.raises(UsageError) as refused:
        ask("my.py", Options())
    assert str(refused.value).endswith(words)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("none.py:task", "there is no file none.py"),
        ("my.py:tsk", "Did you mean 'task'"),
        ("broken.py:task", "broken.py raises ValueError: no; see that `python broken.py` runs"),
    ],
)
def test_what_is_not_there_is_told(folder, given, words):
    (folder / "my.py").write_text("task = 1\n")
    (folder / "broken.py").write_text("raise ValueError('no')\n")
    with pytest.raises(UsageError) as refused:
        in_file(given)
    assert words in str(refused.value)
