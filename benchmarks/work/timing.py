"""Repeating something for a while.

Owns: `repeat`.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def repeat(once: Callable[[], object], seconds: float, before: Callable[[], object] = lambda: None) -> list[float]:
    """How long each call of `once` took; calls until `seconds` have passed, one at least. `before` comes before each
    and is not counted.
    """
    samples: list[float] = []
    end = time.perf_counter() + seconds
    while not samples or time.perf_counter() < end:
        before()
        start = time.perf_counter()
        once()
        samples.append(time.perf_counter() - start)
    return samples
