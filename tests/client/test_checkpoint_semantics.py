"""The checkpoint programs in `tests/peers/checkpoints` give what TensorFlow gives.

`tests/peers/record_checkpoints.py` recorded it.
"""

import json
from pathlib import Path

import pytest

import client as tf
from tests.peers.checkpoints import PROGRAMS, outcome

RECORDED = json.loads((Path(__file__).parent / "recorded_checkpoints.json").read_text())["programs"]


def agree(ours, theirs, where):
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs), where
        for name, value in theirs.items():
            agree(ours[name], value, f"{where}/{name}")
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs), where
        for i, value in enumerate(theirs):
            agree(ours[i], value, f"{where}/{i}")
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-6), where
    else:
        assert ours == theirs, where


def test_every_program_is_recorded():
    assert list(RECORDED) == list(PROGRAMS)
    assert not [name for name, found in RECORDED.items() if "failed" in found]


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_agrees_with_tensorflow(name):
    agree(outcome(name, tf), RECORDED[name], name)
