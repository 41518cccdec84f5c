"""The scripts of `benchmarks/` that are quick in their smallest form, run to their last line."""

import runpy

import pytest

from paths import ROOT

FOLDER = ROOT / "benchmarks"


@pytest.mark.usefixtures("kernel_cache")
def test_the_time_of_state_in_each_kind_of_number(capsys):
    runpy.run_path(str(FOLDER / "state_time.py"))["main"]("cnn", rounds=1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["float32", "bfloat16", "8"]
    assert all(line.endswith("times float32") for line in lines)
