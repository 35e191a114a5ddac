"""What is known of a tensor without its value: `Spec` (dtype and shape), and the arithmetic of shapes.

Owns: specs, broadcasting, axis and size rules, all with dims that may be unknown. Does not know values, ops or devices.

A shape is a tuple of dims; a dim is an int or `None` (known only when the op has run); a shape that is `None` has
unknown rank. Every rule here takes such shapes and answers with what can be known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from protocol.dtypes import DType
from protocol.errors import InvalidArgumentError

Dim: TypeAlias = int | None
Shape: TypeAlias = tuple[Dim, ...] | None

MAX_RANK = 32  # NumPy stops at 64 and CuPy at 32; a tensor must fit both.
MAX_ELEMENTS = 2**48


class Spec(NamedTuple):
    """A tensor's dtype and (possibly partly unknown) shape. Hashes and compares as the tuple it is, which keeps
    memoised inference fast.
    """

    dtype: DType
    shape: Shape

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)

    @property
    def is_static(self) -> bool:
        """Whether every dim is known."""
        return self.shape is not None and None not in self.shape

    @property
    def nbytes(self) -> int:
        """Bytes of the elements. Needs a static shape."""
        size: int = element_count(self.shape) * self.dtype.size
        return size

    def __str__(self) -> str:
        return f"{self.dtype.name}{format_shape(self.shape)}"


def format_shape(shape: Shape) -> str:
    """`[2,3]`, `[?,3]`, `<unknown>`: how TensorFlow's error texts write a shape."""
    if shape is None:
        return "<unknown>"
    return "[" + ",".join("?" if d is None else str(d) for d in shape) + "]"


def element_count(shape: Shape) -> int:
    """The number of elements of a static shape."""
    if shape is None or None in shape:
        raise ValueError(f"the shape {format_shape(shape)} is not fully known")
    return math.prod(shape)  # type: ignore[arg-type]


def checked_shape(shape: Iterable[Dim]) -> tuple[Dim, ...]:
    """`shape` as a tuple, refused when a dim is negative, the rank is over `MAX_RANK` or the elements are over
    `MAX_ELEMENTS`.
    """
    dims = tuple(shape)
    if len(dims) > MAX_RANK:
        raise InvalidArgumentError(f"the rank {len(dims)} is over the limit of {MAX_RANK}")
    product = 1
    for dim in dims:
        if dim is None:
            continue
        if dim < 0:
            raise InvalidArgumentError(f"Dimension {dim} must be >= 0 in the shape {format_shape(dims)}")
        product *= dim or 1  # no elements, but NumPy multiplies the other dims all the same
    if product > MAX_ELEMENTS:
        raise InvalidArgumentError(f"the shape {format_shape(dims)} has more than {MAX_ELEMENTS} elements")
    return dims


def broadcast_dim(a: Dim, b: Dim) -> Dim:
    """One dim of a broadcast; raises ValueError when the two don't fit."""
    if a == b:
        return a
    if a == 1:
        return b
    if b == 1:
        return a
    if a is None:
        return b
    if b is None:
        return a
    raise ValueError


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape that all `shapes` broadcast to, by NumPy's rule.

    Raises:
        InvalidArgumentError: they don't, with TensorFlow's "Incompatible shapes" text.
    """
    if any(s is None for s in shapes):
        return None
    known = [s for s in shapes if s is not None]
    rank = max((len(s) for s in known), default=0)
    result: list[Dim] = [1] * rank
    for shape in known:
        offset = rank - len(shape)
        for i, dim in enumerate(shape):
            try:
                result[offset + i] = broadcast_dim(result[offset + i], dim)
            except ValueError:
                listed = " vs. ".join(format_shape(s) for s in known)
                raise InvalidArgumentError(f"Incompatible shapes: {listed}") from None
    return checked_shape(result)


def merge_shapes(a: Shape, b: Shape) -> Shape:
    """What is known when `a` and `b` describe the same tensor; raises InvalidArgumentError when they contradict."""
    if a is None or b is None:
        return b if a is None else a
    if len(a) != len(b) or any(x is not None and y is not None and x != y for x, y in zip(a, b, strict=True)):
        raise InvalidArgumentError(f"Shapes {format_shape(a)} and {format_shape(b)} are not compatible")
    return tuple(y if x is None else x for x, y in zip(a, b, strict=True))


def normalize_axis(axis: int, rank: int, name: str = "axis") -> int:
    """`axis` counted from the front. Raises InvalidArgumentError outside [-rank, rank)."""
    if not -rank <= axis < rank:
        raise InvalidArgumentError(f"Invalid {name}: {axis} is not in [{-rank}, {rank})")
    return axis % rank if rank else 0


def normalize_axes(axes: int | Iterable[int] | None, rank: int) -> tuple[int, ...]:
    """`axes` as distinct axes counted from the front, in order; `None` is all of them."""
    if axes is None:
        return tuple(range(rank))
    listed = (axes,) if isinstance(axes, int) else tuple(axes)
    found = tuple(normalize_axis(a, rank) for a in listed)
    if len(set(found)) != len(found):
        raise InvalidArgumentError(f"Invalid reduction arguments: Axes contains duplicate dimension: {listed}")
    return tuple(sorted(found))


def broadcasts_to(shape: Shape, wanted: Shape) -> bool:
    """Whether a tensor of a known shape broadcasts to another known shape."""
    try:
        return broadcast_shapes(shape, wanted) == wanted
    except InvalidArgumentError:
        return False
