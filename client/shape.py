"""`tf.TensorShape`: a shape as the user sees it, unknown dims included.

Owns: `TensorShape`. The rest of the library works with the plain tuples of `protocol.spec`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator
from typing import Any

from protocol.spec import Dim, Shape


class TensorShape:
    """The dims of a tensor; a dim is an int, or None where it is not known, and the rank itself may be unknown.

    Compares with tuples and lists, indexes and iterates like one, and prints as TensorFlow's does.

    >>> shape = TensorShape([2, None])
    >>> shape[0], shape.rank, shape == (2, None), str(shape)
    (2, 2, True, '(2, None)')
    """

    __slots__ = ("_dims",)

    def __init__(self, dims: Any) -> None:
        if isinstance(dims, TensorShape):
            self._dims: Shape = dims._dims
        elif dims is None:
            self._dims = None
        elif isinstance(dims, Iterable):
            self._dims = tuple(_dim(d) for d in dims)
        else:
            self._dims = (_dim(dims),)

    @property
    def rank(self) -> int | None:
        """The number of dims, None when it is not known."""
        return None if self._dims is None else len(self._dims)

    ndims = rank

    @property
    def dims(self) -> list[Dim] | None:
        """The dims as a list, None when the rank is not known."""
        return None if self._dims is None else list(self._dims)

    def as_list(self) -> list[Dim]:
        """The dims as a list. Raises ValueError when the rank is not known."""
        return list(self._known())

    def _known(self) -> tuple[Dim, ...]:
        if self._dims is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return self._dims

    def is_fully_defined(self) -> bool:
        """Whether every dim is known."""
        return self._dims is not None and None not in self._dims

    def assert_is_fully_defined(self) -> None:
        """Raise ValueError unless every dim is known."""
        if not self.is_fully_defined():
            raise ValueError(f"Shape {self} is not fully defined")

    def num_elements(self) -> int | None:
        """The product of the dims, None when one is not known."""
        return math.prod(self._dims) if self.is_fully_defined() else None  # type: ignore[arg-type]

    def is_compatible_with(self, other: Any) -> bool:
        """Whether one tensor could have both shapes."""
        a, b = self._dims, TensorShape(other)._dims
        if a is None or b is None:
            return True
        return len(a) == len(b) and all(x is None or y is None or x == y for x, y in zip(a, b, strict=True))

    def assert_is_compatible_with(self, other: Any) -> None:
        """Raise ValueError unless one tensor could have both shapes."""
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {TensorShape(other)} are incompatible")

    def merge_with(self, other: Any) -> TensorShape:
        """What is known of a tensor that has both shapes. Raises ValueError when none has."""
        self.assert_is_compatible_with(other)
        a, b = self._dims, TensorShape(other)._dims
        if a is None or b is None:
            return TensorShape(b if a is None else a)
        return TensorShape([y if x is None else x for x, y in zip(a, b, strict=True)])

    def concatenate(self, other: Any) -> TensorShape:
        """The dims of both, one after the other."""
        a, b = self._dims, TensorShape(other)._dims
        return TensorShape(None if a is None or b is None else a + b)

    def with_rank(self, rank: int) -> TensorShape:
        """This shape, if it can have that rank. Raises ValueError otherwise."""
        if self._dims is not None and len(self._dims) != rank:
            raise ValueError(f"Shape {self} must have rank {rank}")
        return TensorShape([None] * rank) if self._dims is None else self

    def with_rank_at_least(self, rank: int) -> TensorShape:
        """This shape, if it can have that rank or more. Raises ValueError otherwise."""
        if self._dims is not None and len(self._dims) < rank:
            raise ValueError(f"Shape {self} must have rank at least {rank}")
        return self

    def __len__(self) -> int:
        if self._dims is None:
            raise ValueError("Cannot take the length of shape with unknown rank.")
        return len(self._dims)

    def __bool__(self) -> bool:
        return self._dims is not None

    def __iter__(self) -> Iterator[Dim]:
        if self._dims is None:
            raise ValueError("Cannot iterate over a shape with unknown rank.")
        return iter(self._dims)

    def __getitem__(self, key: Any) -> Any:
        if self._dims is None:
            return TensorShape(None) if isinstance(key, slice) else None
        return TensorShape(self._dims[key]) if isinstance(key, slice) else self._dims[key]

    def __add__(self, other: Any) -> TensorShape:
        return self.concatenate(other)

    def __radd__(self, other: Any) -> TensorShape:
        return TensorShape(other).concatenate(self)

    def __eq__(self, other: object) -> bool:
        try:
            return self._dims == TensorShape(other)._dims
        except (TypeError, ValueError):
            return False

    def __hash__(self) -> int:
        return hash(self._dims)

    def __repr__(self) -> str:
        return f"TensorShape({None if self._dims is None else list(self._dims)})"

    def __str__(self) -> str:
        if self._dims is None:
            return "<unknown>"
        return str(self._dims)

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorShape, (self.dims,)


def _dim(value: Any) -> Dim:
    if value is None:
        return None
    dim = operator.index(value)
    if dim < 0:
        raise ValueError(f"Dimension {dim} must be >= 0")
    return dim
