"""What SECURITY.md promises: what is unpickled where, and what pages may load."""

import io
import pickle

import pytest
import torch

from line_task import line, trials
from paths import ROOT
from samples import article
from surefoot.analysis import summarize
from surefoot.explain.page import write_page
from surefoot.report.page import content, html
from surefoot.training.loop import Training

SOURCE = ROOT / "src" / "surefoot"
UNPICKLED = {
    "training/kept.py": "what a training function of the user's own saves may be anything; SECURITY.md says so",
    "workers/shared_data.py": "the task, from the driver to its own workers",
    "workers/worker.py": "a trial, from the driver to its own workers",
}


def test_only_these_files_unpickle():
    texts = {str(path.relative_to(SOURCE)): path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py")}
    signs = ("pickle.load", "Unpickler(", "weights_only=False")
    assert {name for name, text in texts.items() if any(sign in text for sign in signs)} == set(UNPICKLED)
    loads = {name for name, text in texts.items() if "torch.load(" in text and "weights_only=True" not in text}
    assert loads <= set(UNPICKLED)


class Trap:
    """What a pickle can do to its reader."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('the pickle ran')",))


def test_a_trial_of_a_task_goes_on_from_tensors_and_numbers_and_never_from_code():
    (planned,) = trials("sgd(lr=0.1)")
    packed = io.BytesIO()
    torch.save({"model": Trap()}, packed)
    with pytest.raises(pickle.UnpicklingError, match="exec"):
        Training(planned, line(), lambda _: None).run(packed.getvalue())


def is_whole(path):
    return "<!doctype html>" in path.read_text(encoding="utf-8")


def test_every_page_forbids_the_browser_to_load_anything(tmp_path):
    pages = [html(content(summarize(article(1))), {}), write_page(tmp_path / "p.html").read_text(encoding="utf-8")]
    pages += [path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.html.j2") if is_whole(path)]
    for page in pages:
        assert "Content-Security-Policy\" content=\"default-src 'none';" in page
