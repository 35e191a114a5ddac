"""What layers in a call hand on to those within them, and the names of layers.

Owns: `context`, of a thread; `unique_name`. Does not know layers.
"""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

_counts: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)


def unique_name(prefix: str) -> str:
    """`dense`, then `dense_1`, ..."""
    number = next(_counts[prefix])
    return f"{prefix}_{number}" if number else prefix


def reset_names() -> None:
    """Count from the beginning again."""
    _counts.clear()


class _Context(threading.local):
    """What the layers that are being called in a thread hand on to those within them."""

    def __init__(self) -> None:
        self.training: bool | None = None
        self.tracing = False  # whether a layer is being shown symbolic tensors, to see what it gives
        self.path: list[str] = []
        self.call = 0  # the number of the outermost call, 0 outside of any


context: Final = _Context()
calls: Final = itertools.count(1)
"""The numbers of outermost calls."""
