"""Kernels of the ops that change a variable: each gives the variable's new value."""

from __future__ import annotations

from typing import Any

from server.kernels.indexing import slicing
from server.kernels.registry import kernel

kernel("assign", lambda xp, ref, value: value)
kernel("assign_add", lambda xp, ref, value: xp.add(ref, value))
kernel("assign_sub", lambda xp, ref, value: xp.subtract(ref, value))


def _assign_slice(xp: Any, ref: Any, value: Any, *, begin: Any, end: Any, strides: Any = None, **masks: int) -> Any:
    found = ref.copy()
    found[slicing(ref.ndim, begin, end, strides, masks).key(ref.shape)] = value
    return found


kernel("assign_slice", _assign_slice)
