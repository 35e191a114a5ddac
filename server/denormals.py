"""Flushing denormal numbers to zero, as TensorFlow does: products of shrinking numbers are many times faster so.

Owns: `flush_denormals`. A new thread inherits the setting of the one that starts it, and BLAS starts its threads when
NumPy is imported, so the server calls this before it imports NumPy. Does not know NumPy.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import platform

_X86_MXCSR_OFFSET = 28  # fenv_t on x86-64: the x87 environment, then MXCSR
_X86_FLUSH = 0x8040  # flush-to-zero and denormals-are-zero
_ARM_FLUSH = 1 << 24  # FPCR.FZ; fenv_t on AArch64 starts with FPCR


def flush_denormals() -> bool:
    """Make the calling thread, and those it starts, treat denormals as zero. False where the platform offers no way."""
    name = ctypes.util.find_library("m")
    machine = platform.machine().lower()
    if platform.system() != "Linux" or name is None:
        return False
    try:
        library = ctypes.CDLL(name)
        environment = (ctypes.c_uint32 * 16)()
        if library.fegetenv(environment) != 0:
            return False
        if machine in ("x86_64", "amd64"):
            environment[_X86_MXCSR_OFFSET // 4] |= _X86_FLUSH
        elif machine in ("aarch64", "arm64"):
            environment[0] |= _ARM_FLUSH
        else:
            return False
        return bool(library.fesetenv(environment) == 0)
    except (OSError, AttributeError):
        return False
