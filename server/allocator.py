"""Keeps freed memory for the next array, instead of giving it back to the system each time.

Owns: `keep_freed_memory`. By default glibc maps every array over 128 KB anew and unmaps it when it is freed, and
touching fresh pages costs more than most kernels do (m: a convnet step with 1.3 MB activations, 16 ms so, 11 ms with
this).
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_LARGEST_MMAP_THRESHOLD: Final = 32 * 2**20
"""The most that glibc takes. Larger arrays are mapped all the same."""
_KEPT: Final = 512 * 2**20
"""Bytes of freed memory at the top of a heap from which on it goes back to the system."""


def keep_freed_memory() -> None:
    """Set the allocator's thresholds for this process. Where there is no glibc, do nothing."""
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
    mallopt(_M_TRIM_THRESHOLD, _KEPT)
