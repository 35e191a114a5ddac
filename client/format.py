"""How a tensor prints: as TensorFlow's eager tensor does, fetching no more than is printed.

Owns: `text`, and what NumPy's print options mean for a fetch. Does not know where the value comes from.
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np


def summary_threshold() -> int:
    """The number of elements past which NumPy prints only the edges."""
    return int(min(np.get_printoptions()["threshold"], 2**48))


def edge_items() -> int:
    """How many entries at each edge NumPy prints."""
    return int(np.get_printoptions()["edgeitems"])


def text(value: np.ndarray[Any, Any], shape: tuple[int, ...], is_repr: bool) -> str:
    """The text of a value of `shape`, or of one of which only the edges are given."""
    if value.shape == shape:
        found = _plain(value, is_repr, shape)
    else:
        with np.printoptions(threshold=0):
            found = _plain(_stand_in(value, shape), is_repr, shape)
    return "\n" + found if "\n" in found else found


def _stand_in(edges: np.ndarray[Any, Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """A small array that prints like the array of `shape` whose edges are given.

    Each axis that was cut gets one more entry in the middle, which is never printed but makes NumPy write the dots.
    """
    items = edge_items()
    for axis, size in enumerate(shape):
        if size > 2 * items:
            edges = np.insert(edges, items, edges.take(0, axis), axis)
    return edges


def _plain(value: np.ndarray[Any, Any], is_repr: bool, shape: tuple[int, ...]) -> str:
    if not value.ndim:
        return str(value[()])
    if not is_repr:
        return str(value)
    return _with_shape(np.array_repr(value), shape)


def _with_shape(found: str, shape: tuple[int, ...]) -> str:
    """A summary's repr with the whole value's shape: NumPy (from 2.2) writes the stand-in's and fits the line to it."""
    tail = _SHAPE.search(found)
    if tail is None:
        return found
    head, extra = found[: tail.start()] + ",", f"shape={shape}{tail[1] or ''})"
    last_line = len(head) - (head.rfind("\n") + 1)
    fits = last_line + len(extra) + 1 <= int(np.get_printoptions()["linewidth"])
    return head + (" " if fits else "\n" + " " * len("array(")) + extra


_SHAPE: Final = re.compile(r",\s+shape=\([^)]*\)(, dtype=\S+)?\)$")
