"""The table of kernels: how each op runs, once for NumPy and CuPy.

Owns: `kernel()`, `KERNELS`. Does not know sessions, ids or accounting. A kernel is called as `run(xp, *arrays,
**attrs)`, where `xp` is `numpy` or `cupy`, and returns an array, or a tuple of them for an op with several results, of
the inferred dtype and shape; the executor checks that. A kernel never changes an input in place and may return a view
of one. What it raises fails that op alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from protocol.ops import OPS

KERNELS: Final[dict[str, Callable[..., Any]]] = {}


def kernel(name: str, run: Callable[..., Any]) -> Callable[..., Any]:
    """Say how the op `name` runs."""
    if name not in OPS:
        raise ValueError(f"a kernel for {name!r}, which is no op")
    if name in KERNELS:
        raise ValueError(f"the kernel {name!r} is declared twice")
    KERNELS[name] = run
    return run
