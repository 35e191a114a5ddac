"""Ops so small that only their way matters.

Owns: `chained_add`, the same with our profile or checks of numerics on, and `add_read`. Each takes the library, ours or
TensorFlow, as `tf`.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.work.timing import repeat

_BLOCK = 100


def chained_add(tf: Any, seconds: float) -> list[float]:
    """Seconds an op of a chain of additions, with the one read that ends it."""
    x = _operand(tf)
    y = x
    count = 0
    start = time.perf_counter()
    while True:
        for _ in range(_BLOCK):
            y = y + x
        count += _BLOCK
        if time.perf_counter() - start >= seconds:
            break
    y.numpy()
    return [(time.perf_counter() - start) / count]


def profiled_add(tf: Any, seconds: float) -> list[float]:
    """Seconds an op of the same chain while a profile is on."""
    with tf.profile():
        return chained_add(tf, seconds)


def checked_add(tf: Any, seconds: float) -> list[float]:
    """Seconds an op of the same chain while every result is looked at for NaN and infinities."""
    tf.debugging.enable_check_numerics()
    try:
        return chained_add(tf, seconds)
    finally:
        tf.debugging.disable_check_numerics()


def add_read(tf: Any, seconds: float) -> list[float]:
    """Seconds of an addition and the read of its result."""
    x = _operand(tf)
    return repeat((lambda: (x + x).numpy()), seconds)


def _operand(tf: Any) -> Any:
    """A tensor whose value is at the server alone, as the operands of a longer program are, and that is there
    already.
    """
    x = tf.random.uniform([4, 4])
    (x + x).numpy()
    return x
