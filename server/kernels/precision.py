"""Half precision computed in single: float16 and bfloat16 are widened before a kernel and results narrowed after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def wide(x: Any) -> Any:
    """`x` in float32 if it is float16 or bfloat16 (whose NumPy kind is not "f"), else `x`."""
    return x.astype("float32") if x.dtype.itemsize == 2 and x.dtype.kind not in "iu" else x


def widened(run: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel that computes halves in float32 and gives results of its last input's dtype."""

    def inner(xp: Any, *arrays: Any, **attrs: Any) -> Any:
        last = arrays[-1]
        widest = wide(last)
        if widest is last:
            return run(xp, *arrays, **attrs)
        found = run(xp, *map(wide, arrays[:-1]), widest, **attrs)
        if type(found) is tuple:
            return tuple(f.astype(last.dtype) for f in found)
        return found.astype(last.dtype)

    return inner
