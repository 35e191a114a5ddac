"""Which entries of a tensor count: the masks that layers such as Embedding give to their outputs.

Owns: `put`, `of`. A tensor has slots, so its mask stands beside it, as long as the tensor lives.
"""

from __future__ import annotations

import weakref
from typing import Any, Final

from client import nest

_masks: Final[dict[int, tuple[weakref.ref[Any], Any]]] = {}


def put(tensor: Any, mask: Any) -> None:
    """Give a tensor a mask: a bool tensor of its leading dims."""
    key = id(tensor)
    _masks[key] = (weakref.ref(tensor, lambda _: _masks.pop(key, None)), mask)


def any_masks() -> bool:
    """Whether any tensor has one."""
    return bool(_masks)


def of(value: Any) -> Any:
    """The mask of a tensor, or of each in a structure; None where there is none."""
    if nest.is_nested(value):
        found = [of(v) for v in (value.values() if isinstance(value, dict) else value)]
        return found if any(f is not None for f in found) else None
    entry = _masks.get(id(value))
    return entry[1] if entry is not None and entry[0]() is value else None
