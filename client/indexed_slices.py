"""`tf.IndexedSlices`: a tensor of which only some rows are given, such as the gradient of an embedding.

Owns: the class and its conversion to a tensor. Does not know where slices come from or who applies them.
"""

from __future__ import annotations

from typing import Any

from client.api import public
from client.convert import convert_to_tensor, static_value
from client.shape import TensorShape
from client.tensor import Composite, Operand, Tensor
from protocol.dtypes import DType


@public("IndexedSlices")
class IndexedSlices(Composite):
    """Rows of a tensor: row `indices[i]` is the sum of the `values[j]` with that index, and all others are zero.

    Args:
        values: a tensor of shape (n, ...), the rows.
        indices: a tensor of n integers.
        dense_shape: the shape of the whole tensor; needed to convert to one.

    >>> import client as tf
    >>> rows = tf.IndexedSlices(tf.ones([2, 2]), tf.constant([2, 0]), tf.constant([3, 2]))
    >>> print(tf.convert_to_tensor(rows).numpy())
    [[1. 1.]
     [0. 0.]
     [1. 1.]]
    """

    __slots__ = ("_dense_shape", "_indices", "_values")

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self._values = convert_to_tensor(values)
        self._indices = convert_to_tensor(indices)
        self._dense_shape = None if dense_shape is None else convert_to_tensor(dense_shape)

    @property
    def values(self) -> Tensor:
        """The rows."""
        return self._values

    @property
    def indices(self) -> Tensor:
        """Which row each of `values` is."""
        return self._indices

    @property
    def dense_shape(self) -> Tensor | None:
        """The shape of the whole tensor, if it is known."""
        return self._dense_shape

    @property
    def shape(self) -> TensorShape:
        """The shape of the whole tensor; its first dim is unknown without `dense_shape`."""
        if self._dense_shape is None:
            return TensorShape([None, *self._values.shape[1:]])
        return TensorShape([int(d) for d in self._dense_shape._read()])

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self._values.dtype

    @property
    def device(self) -> str:
        """The device of the values."""
        return self._values.device

    @property
    def name(self) -> str:
        """Eager values have no name. Raises AttributeError."""
        return self._values.name

    def consumers(self) -> list[Any]:
        """Eager values have none."""
        return []

    def __neg__(self) -> IndexedSlices:
        return self._with_rows(self._values.__neg__())

    def __add__(self, other: Any) -> Tensor:
        return self._dense() + other  # type: ignore[no-any-return]

    def __radd__(self, other: Any) -> Tensor:
        return other + self._dense()  # type: ignore[no-any-return]

    def __str__(self) -> str:
        shape = "" if self._dense_shape is None else f", dense_shape={self._dense_shape}"
        return f"IndexedSlices(indices={self._indices}, values={self._values}{shape})"

    def _dense(self) -> Tensor:
        """The whole tensor. Waits only for a `dense_shape` that the client doesn't know."""
        from client.dispatch import call

        if self._dense_shape is None:
            raise ValueError(
                f"Tensor conversion requested for IndexedSlices for argument `value` without dense_shape: {self}"
            )
        known = static_value(self._dense_shape)
        rows = int((self._dense_shape._read() if known is None else known)[0])
        return call("unsorted_segment_sum", self._values, self._indices, num_segments=rows)  # type: ignore[no-any-return]

    def _rows(self) -> Tensor:
        return self._values

    def _with_rows(self, rows: Tensor) -> IndexedSlices:
        return IndexedSlices(rows, self._indices, self._dense_shape)


def dense(value: Any) -> Any:
    """Slices as a tensor; anything else as it is."""
    return value._dense() if isinstance(value, Composite) else value


def rows_of(value: Any) -> Operand | Any:
    """The values of slices; anything else as it is."""
    return value._rows() if isinstance(value, Composite) else value
