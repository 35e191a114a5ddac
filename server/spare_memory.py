"""Memory of large uploads that are no more, kept for the next ones.

Owns: `take`. Does not know what is uploaded. `server.allocator` has glibc keep what is freed, but arrays over 32 MB it
maps anew each time whatever it is told, and filling new pages takes up to twice as long as filling these.
"""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any, Final

import numpy as np

_LEAST: Final = 2**25
"""Bytes from which on glibc gives memory back at once."""
_KEPT: Final = 2**28
"""Bytes kept at most."""

Array = np.ndarray[Any, Any]

_free: deque[Array] = deque()  # its methods are atomic: values are freed on any thread, at any time


def take(nbytes: int) -> Array:
    """An array of `nbytes` bytes, of any content. Its memory comes back here when neither it nor a view of it is left.

    >>> take(2**26).shape
    (67108864,)
    """
    if nbytes < _LEAST:
        return np.empty(nbytes, np.uint8)
    memory = _fitting(nbytes)
    # A view's `base` is the array that it is a view of, back to one that is a view of no array: hence the memoryview,
    # so that this is one, and outlives all others.
    found = np.frombuffer(memoryview(memory)[:nbytes], np.uint8)  # type: ignore[arg-type]
    weakref.finalize(found, _give, memory).atexit = False
    return found


def _fitting(nbytes: int) -> Array:
    """Kept memory that is not much too large, or new memory."""
    for _ in range(len(_free)):
        try:
            memory = _free.popleft()
        except IndexError:  # another thread took it
            break
        if nbytes <= memory.nbytes <= 2 * nbytes:
            return memory
        _free.append(memory)
    return np.empty(nbytes, np.uint8)


def _give(memory: Array) -> None:
    if sum([m.nbytes for m in tuple(_free)]) + memory.nbytes <= _KEPT:
        _free.append(memory)
