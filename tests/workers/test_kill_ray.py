"""A few random kills on a Ray cluster; `python tests/support/kill_ray.py --kills 50` does more of them."""

import random
import subprocess
import sys

import pytest

from paths import SUPPORT


@pytest.mark.slow
@pytest.mark.frameworks
def test_whatever_is_killed_on_a_cluster_no_trial_is_lost_and_all_numbers_are_equal():
    seed = random.randrange(2**32)
    command = [sys.executable, SUPPORT / "kill_ray.py", "--kills", "6", "--seed", str(seed)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    assert ended.returncode == 0, ended.stdout
    assert "6 kills" in ended.stdout.splitlines()[-1]
