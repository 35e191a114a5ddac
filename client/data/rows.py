"""Rows of tensors, and positions that stand for them.

Owns: `Source`: tensors that share a first axis, and the elements at given positions. A position is an int, a range of
consecutive ones, or an array of them: datasets of rows shuffle, batch and repeat positions, and the rows are gathered
once, at the end: with one NumPy take, or with one op on the server that takes positions alone. Does not know which
positions come when.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from client.convert import from_array
from client.data.structure import components, map_components, numbered, shape_of, spec_of
from client.dispatch import call, execute
from client.tensor import Tensor
from client.tensor_spec import TensorSpec
from protocol.dtypes import DType
from protocol.ops import OPS

_SLICE = OPS["strided_slice"]


class Steps:
    """The rows `start + step * position`, which take no memory."""

    __slots__ = ("dtype", "start", "step")

    def __init__(self, start: int, step: int, dtype: DType) -> None:
        self.start, self.step, self.dtype = start, step, dtype

    def at(self, position: Any) -> np.ndarray[Any, Any]:
        """The rows at a position."""
        if type(position) is range:
            position = np.arange(position.start, position.stop)
        return np.asarray(self.start + self.step * position).astype(self.dtype.numpy)


class Source:
    """Tensors whose first axes go together: host arrays, server tensors or `Steps`, in a structure.

    Raises:
        ValueError: there is none, one is a scalar, or their lengths differ.
    """

    __slots__ = ("_columns", "_form", "_remote", "_single", "count", "structure")

    def __init__(self, structure: Any) -> None:
        self.structure = structure
        self._columns = components(structure)
        self._form = numbered(structure)
        self._single = len(self._columns) == 1 and self._form == 0
        self._remote = any(type(c) is Tensor for c in self._columns)
        self.count = _count(self._columns)

    def spec(self, positions: TensorSpec) -> Any:
        """The spec of the rows at positions of that spec."""
        lead = positions.shape

        def spec(column: Any) -> TensorSpec:
            if type(column) is Steps:
                return TensorSpec(lead, column.dtype)
            part = spec_of(column)
            return TensorSpec(lead.concatenate(part.shape[1:]), part.dtype)

        return map_components(spec, self.structure)

    def at(self, position: Any) -> Any:
        """The element at a position."""
        there = position
        if self._remote and type(position) is np.ndarray:  # they travel once for all columns
            narrow = position.astype(np.int32) if self.count < 2**31 else position  # type: ignore[operator]
            there = from_array(narrow, copied=True)
        if self._single:
            return _rows(self._columns[0], there)
        found = [_rows(column, there if type(column) is Tensor else position) for column in self._columns]
        return map_components(found.__getitem__, self._form)

    def each(self, positions: Sequence[Any]) -> Sequence[Any]:
        """The elements at several positions. Single rows of a server tensor come from one gather together."""
        if not self._remote or len(positions) < 2 or type(positions[0]) is not int:
            return [self.at(p) for p in positions]
        block = np.array(positions, np.int64)
        columns = [_unstacked(rows, len(positions)) for rows in components(self.at(block))]
        return [map_components(row.__getitem__, self._form) for row in zip(*columns, strict=True)]


def _count(columns: Sequence[Any]) -> int | None:
    """The common length; None where all columns are endless."""
    if not columns:
        raise ValueError("Invalid `element`. `element` should not be empty.")
    count: int | None = None
    for column in columns:
        if type(column) is Steps:
            continue
        if shape_of(column) == ():
            raise ValueError("Unbatching a tensor is only supported for rank >= 1")
        length = len(column)
        if count is not None and length != count:
            raise ValueError(f"Dimensions {count} and {length} are not compatible")
        count = length
    return count


def _rows(column: Any, position: Any) -> Any:
    kind = type(position)
    if type(column) is np.ndarray:
        if kind is int:
            return column[position, ...]
        if kind is range:
            return column[position.start : position.stop]
        return column.take(position, axis=0)
    if type(column) is Steps:
        return column.at(position)
    if kind is int:
        return execute(_SLICE, (column,), {"begin": (position,), "end": (position,), "shrink_axis_mask": 1})
    if kind is range:
        return execute(_SLICE, (column,), {"begin": (position.start,), "end": (position.stop,)})
    return call("gather", column, position, axis=0)


def _unstacked(block: Any, count: int) -> Sequence[Any]:
    if type(block) is np.ndarray:
        return [block[i, ...] for i in range(count)]
    return call("unstack", block, num=count, axis=0)  # type: ignore[no-any-return]


def cut_together(sources: Sequence[Source], count: int) -> list[Any]:
    """The structures of sources cut to `count` rows, so that they can be rows of one source."""

    def cut(column: Any) -> Any:
        return column if type(column) is Steps or len(column) == count else _rows(column, range(count))

    return [map_components(cut, s.structure) for s in sources]
