"""Every program of the sweep gives TensorFlow's numbers, where TensorFlow is installed (`[bench]`)."""

import importlib.util
import os
import sys

import pytest

from tests.peers import sweep

PEER = os.environ.get("TELEGRAD_PEER_PYTHON")


@pytest.mark.skipif(not PEER and importlib.util.find_spec("tensorflow") is None, reason="needs TensorFlow")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", sweep.module_names())
def test_sweep(name):
    count, wrong = sweep.compare([name], PEER or sys.executable)
    print(f"{name}: {count - len(wrong)} of {count} programs agree with TensorFlow")
    assert not wrong, "\n".join(wrong)
