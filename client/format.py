"""How a tensor prints: as TensorFlow's eager tensor does, fetching no more than is printed.

Owns: `text`, `representation`, `summarised`. Does not know where the value comes from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from protocol.spec import element_count


def is_summarised(shape: tuple[int, ...]) -> bool:
    """Whether NumPy would print only the edges of an array of that shape."""
    return element_count(shape) > int(np.get_printoptions()["threshold"])


def edge_items() -> int:
    """How many entries at each edge NumPy prints."""
    return int(np.get_printoptions()["edgeitems"])


def stand_in(edges: np.ndarray[Any, Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """A small array that prints like the array of `shape` whose edges are given.

    Each axis that was cut gets one more entry in the middle, which is never printed but makes NumPy write the dots.
    """
    items = edge_items()
    for axis, size in enumerate(shape):
        if size > 2 * items:
            edges = np.insert(edges, items, edges.take(0, axis), axis)
    return edges


def text(shape: tuple[int, ...], fetch: Callable[[bool], np.ndarray[Any, Any]], is_repr: bool) -> str:
    """The value as text. `fetch(edges_only)` gets the value, or its edges."""
    if element_count(shape) and is_summarised(shape):
        small = stand_in(fetch(True), shape)
        with np.printoptions(threshold=0):
            found = _plain(small, is_repr, shape)
    else:
        found = _plain(fetch(False), is_repr, shape)
    return "\n" + found if "\n" in found else found


def _plain(value: np.ndarray[Any, Any], is_repr: bool, shape: tuple[int, ...]) -> str:
    if not value.ndim:
        return str(value[()])
    if not is_repr:
        return str(value)
    found = np.array_repr(value)
    # NumPy 2.2 and later add the shape to a summary; of our stand-in it would be the wrong one.
    wrong, right = f"shape={value.shape}", f"shape={shape}"
    return found.replace(wrong, right)
