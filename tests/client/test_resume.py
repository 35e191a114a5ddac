"""Training killed at random moments and started again ends with the very bits of a training that nobody disturbed."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import ROOT

PROGRAM = Path(__file__).with_name("resumable.py")
STEPS = 150


def started(folder: Path, kind: str) -> subprocess.Popen:
    arguments = [sys.executable, str(PROGRAM), str(folder), kind, str(STEPS)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True)


def finished(folder: Path, kind: str) -> str:
    output, _ = started(folder, kind).communicate(timeout=100)
    return output.splitlines()[-1]


@pytest.mark.parametrize("kind", ["loop", "fit"])
def test_a_training_killed_at_random_moments_ends_with_the_same_bits(tmp_path, kind):
    undisturbed = finished(tmp_path / "undisturbed", kind)
    assert undisturbed.startswith("weights ")
    seed = int.from_bytes(os.urandom(4))
    print("the moments come of the seed", seed)
    moments = random.Random(seed)
    folder, kills = tmp_path / "killed", 0
    for _ in range(5):
        process = started(folder, kind)
        assert process.stdout is not None
        process.stdout.readline()  # it trains now
        time.sleep(moments.uniform(0.0, 0.5))  # the moment itself, not a synchronisation
        process.kill()
        rest, _ = process.communicate()
        kills += process.returncode < 0 and "weights" not in rest
    assert kills
    assert finished(folder, kind) == undisturbed
