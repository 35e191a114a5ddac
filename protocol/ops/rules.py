"""Inference rules that several op families share: same shape, broadcast, compare. A rule of one family stands in that
family's file.
"""

from __future__ import annotations

from protocol.attrs import Ints, Unknown
from protocol.dtypes import bool_
from protocol.errors import InvalidArgumentError
from protocol.spec import Dim, Shape, Spec, broadcast_shapes, checked_shape, format_shape


def same(x: Spec) -> Spec:
    """The result looks like the input."""
    return x


def predicate(x: Spec) -> Spec:
    """A bool for each element."""
    return Spec(bool_, x.shape)


def broadcast(x: Spec, y: Spec) -> Spec:
    """Elementwise over the broadcast shape, in the inputs' dtype."""
    return Spec(x.dtype, broadcast_shapes(x.shape, y.shape))


def compare(x: Spec, y: Spec) -> Spec:
    """A bool for each element of the broadcast shape."""
    return Spec(bool_, broadcast_shapes(x.shape, y.shape))


def vector_length(value: Ints | Unknown, name: str) -> Dim:
    """How many numbers a vector attribute has; `None` where only the server knows."""
    if not isinstance(value, Unknown):
        return len(value)
    shape = value.spec.shape
    if shape is None:
        return None
    if len(shape) != 1:
        raise InvalidArgumentError(f"{name} must be 1-D, but got shape {format_shape(shape)}")
    return shape[0]


def shape_from(value: int | Ints | Unknown, name: str = "shape") -> Shape:
    """The shape that a shape attribute asks for, as far as it is known; a number is the shape of a vector."""
    if not isinstance(value, Unknown):
        dims = (value,) if isinstance(value, int) else value
        for dim in dims:
            if dim < 0:
                raise InvalidArgumentError(f"Dimension {dim} must be >= 0")
        return checked_shape(dims)
    length = 1 if value.spec.rank == 0 else vector_length(value, name)
    return None if length is None else (None,) * length
