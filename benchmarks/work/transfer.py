"""Large values up and down.

Owns: `upload`, `download`. Each takes the library, ours or TensorFlow, as `tf`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from benchmarks.work.timing import repeat

SIZE = 2**26


@cache
def _values() -> Any:
    return np.random.default_rng(0).standard_normal(SIZE // 4, dtype=np.float32)


def upload(tf: Any, seconds: float) -> list[float]:
    """Seconds until an array is a tensor, and an op that uses it has run."""
    array = _values()
    once = lambda: _settle(tf.constant(array))
    once()  # after a pause, memory may have to come back from the system, or from a virtual machine's host
    return repeat(once, seconds)


def download(tf: Any, seconds: float) -> list[float]:
    """Seconds until a tensor is an array. Each time another tensor, so that nothing remembered helps."""
    source = tf.constant(_values())
    tensor = source

    def another() -> None:
        nonlocal tensor
        tensor = -source
        _settle(tensor)

    another()
    tensor.numpy()
    return repeat((lambda: tensor.numpy()), seconds, another)


def _settle(tensor: Any) -> None:
    """Wait until the value is where it belongs, by reading one element."""
    tensor[0].numpy()
