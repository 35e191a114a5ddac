"""Memory that two processes of the server see, so that large values need not be copied through a socket.

Owns: `create` and `attach`. Does not know what is in it. It has no name: it lives as long as a process has it mapped
or its descriptor open, and goes with them however they end.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import Any

import numpy as np


def create(nbytes: int) -> tuple[int, np.ndarray[Any, Any]]:
    """New memory of `nbytes`, more than 0: its descriptor, and its bytes.

    Raises:
        MemoryError: there is not so much.
    """
    try:
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("telegrad", os.MFD_CLOEXEC)
        else:  # a file that nobody else can open
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.ftruncate(descriptor, nbytes)
        return descriptor, attach(descriptor, nbytes)
    except OSError as error:
        raise MemoryError(f"no shared memory of {nbytes} bytes: {error}") from None


def attach(descriptor: int, nbytes: int) -> np.ndarray[Any, Any]:
    """The bytes of memory that `create` made; mapped as long as the array, or one that looks into it, lives."""
    return np.frombuffer(mmap.mmap(descriptor, nbytes), np.uint8)
