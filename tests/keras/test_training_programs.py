"""The trainings in `training_programs.py` give what TensorFlow gives (recorded by `tests/peers/record_training.py`)."""

import json
from pathlib import Path

import pytest

import client as tf
from tests.keras.training_programs import PROGRAMS, outcome

RECORDED = json.loads((Path(__file__).parent / "recorded_training.json").read_text())["programs"]


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


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_agrees_with_tensorflow(name):
    agree(outcome(name, tf), RECORDED[name], name)
