"""How quick the way to a server is: round trips and bandwidth, measured as programs meet them.

Owns: `round_trips`, `transfer`. Measures the current session; does not know how it is connected.
"""

from __future__ import annotations

import time

import numpy as np

from client import context
from protocol.errors import DataLossError


def round_trips(count: int) -> list[float]:
    """Seconds that each of `count` waits for the server took. Raises tf.errors.OpError."""
    context.sync()  # what happens at the first use does not count
    times = []
    for _ in range(count):
        start = time.perf_counter()
        context.sync()
        times.append(time.perf_counter() - start)
    return times


def transfer(size: int) -> tuple[float, float]:
    """Seconds for `size` bytes up and for the same bytes down, as `tf.constant` and `numpy()` move them.

    The bytes are random: nothing on the way can compress them.

    Raises:
        tf.errors.OpError: the server has no room for them, or is gone.
        tf.errors.DataLossError: others came back.
    """
    from client.convert import from_array
    from client.dispatch import call

    values = np.random.default_rng().integers(0, 256, size, np.uint8)
    start = time.perf_counter()
    there = call("identity", from_array(values, copied=True))
    context.sync()
    up = time.perf_counter() - start
    start = time.perf_counter()
    back = there.numpy()
    down = time.perf_counter() - start
    if not np.array_equal(back, values):
        raise DataLossError(f"of {size} bytes sent to the server, others came back")
    return up, down
