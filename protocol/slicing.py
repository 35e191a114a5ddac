"""The arithmetic of strided slices: the shape of `x[1:, None, ..., ::-2, 3]`, with dims and bounds that may be unknown.

Owns: `Masks`, `Slicing`. Does not know values: the rule of `strided_slice` asks for the result's shape, its kernel for
the key to index an array with.

A slice is written as TensorFlow's: one (begin, end, stride) for each item in the brackets and five bit masks, whose
bit i speaks of item i. Ellipsis wins over new axis, new axis over shrink; begin and end masks open a bound, and mean
nothing for a shrunk item.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from protocol.errors import InvalidArgumentError
from protocol.spec import Dim

NEW, RANGE, SHRINK = "new", "range", "shrink"
WHOLE = -1  # in the place of an item's number: an axis that no item names


class Masks(NamedTuple):
    """The five bit masks of a strided slice, named as its attributes."""

    begin_mask: int = 0
    end_mask: int = 0
    ellipsis_mask: int = 0
    new_axis_mask: int = 0
    shrink_axis_mask: int = 0


class Part(NamedTuple):
    """One axis of the input or the result: what happens to it, the input's axis and the item that says so."""

    kind: str
    axis: int
    item: int


class Slicing(NamedTuple):
    """A strided slice of an input of known rank; bounds that only the server knows are `None`."""

    parts: tuple[Part, ...]
    begin: tuple[int, ...] | None
    end: tuple[int, ...] | None
    strides: tuple[int, ...] | None
    masks: Masks

    def result(self, shape: tuple[Dim, ...]) -> tuple[Dim, ...]:
        """The result's shape for an input of `shape`."""
        dims: list[Dim] = []
        for part in self.parts:
            if part.kind == NEW:
                dims.append(1)
            elif part.kind == RANGE:
                dims.append(self._length(part, shape[part.axis]))
            else:
                self._position(part, shape[part.axis])
        return tuple(dims)

    def key(self, shape: tuple[int, ...]) -> tuple[Any, ...]:
        """What to put between the brackets of an array of `shape`. Needs the bounds."""
        return (*tuple(self._entry(part, shape) for part in self.parts), Ellipsis)

    def _entry(self, part: Part, shape: tuple[int, ...]) -> Any:
        if part.kind == NEW:
            return None
        if part.kind == SHRINK:
            return self._position(part, shape[part.axis])
        if part.item == WHOLE:
            return slice(None)
        first, length, stride = self._range(part, shape[part.axis])
        if not length:
            return slice(0, 0)  # first may be -1 here, which Python would count from the back
        last = first + length * stride
        return slice(first, None if last < 0 else last, stride)

    def _stride(self, part: Part) -> int | None:
        if self.strides is None:
            return None
        stride = self.strides[part.item]
        if stride == 0:
            raise InvalidArgumentError(f"strides[{part.item}] must be non-zero")
        return stride

    def _position(self, part: Part, dim: Dim) -> int | None:
        stride = self._stride(part)
        if stride is not None and stride < 0:
            raise InvalidArgumentError("only stride 1 allowed on non-range indexing.")
        if self.begin is None or dim is None:
            return None
        given = self.begin[part.item]
        position = given + dim if given < 0 else given
        if not 0 <= position < dim:
            raise InvalidArgumentError(f"slice index {position} of dimension {part.axis} out of bounds.")
        return position

    def _length(self, part: Part, dim: Dim) -> Dim:
        if part.item == WHOLE:
            return dim
        stride = self._stride(part)
        if stride is None or dim is None:
            return None
        opened = self.masks.begin_mask & self.masks.end_mask & 1 << part.item
        if not opened and (self.begin is None or self.end is None):
            return None
        return self._range(part, dim)[1]

    def _range(self, part: Part, dim: int) -> tuple[int, int, int]:
        """First index, number of indices, stride of an item along an axis of `dim`. An open bound may be unknown."""
        bit = 1 << part.item
        stride = self._stride(part)
        assert stride is not None
        low, high = (0, dim) if stride > 0 else (-1, dim - 1)

        def bound(values: tuple[int, ...] | None, opened: int, limit: int) -> int:
            if opened or values is None:
                return limit
            value = values[part.item]
            return min(max(value + dim if value < 0 else value, low), high)

        first = bound(self.begin, self.masks.begin_mask & bit, low if stride > 0 else high)
        last = bound(self.end, self.masks.end_mask & bit, high if stride > 0 else low)
        return first, max(0, -((first - last) // stride)), stride


def parts_of(rank: int, items: int, masks: Masks) -> tuple[Part, ...]:
    """What each of `items` items does to an input of `rank` axes.

    Raises:
        InvalidArgumentError: more items than axes, or two ellipses.
    """
    ellipsis = masks.ellipsis_mask & ((1 << items) - 1)
    if ellipsis & (ellipsis - 1):
        raise InvalidArgumentError("Multiple ellipses in slice spec not allowed")
    parts: list[Part] = []
    axis = 0
    for item in range(items):
        bit = 1 << item
        if masks.ellipsis_mask & bit:
            following = sum(not masks.new_axis_mask >> later & 1 for later in range(item + 1, items))
            stop = max(axis, rank - following)
            parts += [Part(RANGE, a, WHOLE) for a in range(axis, stop)]
            axis = stop
        elif masks.new_axis_mask & bit:
            parts.append(Part(NEW, -1, item))
        elif rank == 0:
            raise InvalidArgumentError("Attempting to slice scalar input.")
        elif axis >= rank:
            raise InvalidArgumentError(f"Index out of range using input dim {axis}; input has only {rank} dims")
        else:
            parts.append(Part(SHRINK if masks.shrink_axis_mask & bit else RANGE, axis, item))
            axis += 1
    return tuple(parts) + tuple(Part(RANGE, a, WHOLE) for a in range(axis, rank))
