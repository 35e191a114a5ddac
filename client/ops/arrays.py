"""The public face of shape manipulation: what the client answers itself, and what is more than an op."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from client.api import public
from client.convert import constant_value_tensor, convert_to_tensor, static_value
from client.dispatch import call
from client.shape import TensorShape
from client.tensor import Operand, Tensor
from protocol.dtypes import BY_NUMPY, DType, as_dtype, int32, int64
from protocol.errors import InvalidArgumentError
from protocol.spec import Spec, broadcast_shapes, element_count


def _described(input: Any) -> tuple[Any, Spec]:
    """`input` and what is known of it; a NumPy array need not be sent for that."""
    if isinstance(input, np.ndarray) and input.dtype in BY_NUMPY:
        return input, Spec(BY_NUMPY[input.dtype], input.shape)
    tensor = input if isinstance(input, Operand) else convert_to_tensor(input)
    return tensor, tensor._spec


def _number(value: Any, dtype: DType) -> Tensor:
    return constant_value_tensor(np.array(value, dtype.numpy))


def _out_type(out_type: Any) -> DType:
    dtype = int32 if out_type is None else as_dtype(out_type)
    if dtype not in (int32, int64):
        raise InvalidArgumentError(f"out_type must be one of int32, int64, not {dtype.name}")
    return dtype


@public("shape")
def shape(input: Any, out_type: Any = None, name: str | None = None) -> Tensor:
    """The shape of `input`, as a vector. Where the shape is known, so is its value: using it waits for nothing.

    Args:
        input: a tensor, or what converts to one.
        out_type: int32 (the default) or int64.
        name: not used.

    >>> import client as tf
    >>> tf.shape(tf.zeros([2, 3]))
    <tf.Tensor: shape=(2,), dtype=int32, numpy=array([2, 3], dtype=int32)>
    """
    x, spec = _described(input)
    dtype = _out_type(out_type)
    if spec.is_static:
        return _number(spec.shape, dtype)
    return call("shape", x, out_type=dtype)  # type: ignore[no-any-return]


@public("size")
def size(input: Any, out_type: Any = None, name: str | None = None) -> Tensor:
    """The number of elements of `input`, as a scalar.

    Args:
        input: a tensor, or what converts to one.
        out_type: int32 (the default) or int64.
        name: not used.

    >>> import client as tf
    >>> int(tf.size(tf.zeros([2, 3])))
    6
    """
    x, spec = _described(input)
    dtype = _out_type(out_type)
    if spec.is_static:
        return _number(element_count(spec.shape), dtype)
    return call("size", x, out_type=dtype)  # type: ignore[no-any-return]


@public("rank")
def rank(input: Any, name: str | None = None) -> Tensor:
    """The number of axes of `input`, as an int32 scalar.

    >>> import client as tf
    >>> int(tf.rank(tf.zeros([2, 3])))
    2
    """
    x, spec = _described(input)
    return call("rank", x) if spec.rank is None else _number(spec.rank, int32)


@public("shape_n")
def shape_n(input: Sequence[Any], out_type: Any = int32, name: str | None = None) -> list[Tensor]:
    """The shape of each of several tensors, as `tf.shape` gives it.

    >>> import client as tf
    >>> [s.numpy().tolist() for s in tf.shape_n([tf.zeros([2]), tf.zeros([3, 4])])]
    [[2], [3, 4]]
    """
    return [shape(x, out_type) for x in input]


@public("ensure_shape")
def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Tensor:
    """`x`, checked to have `shape`, in which None is any size. What was not known of its shape is known then.

    Args:
        x: a tensor.
        shape: a list of ints and None, a `tf.TensorShape`, or None.
        name: not used.

    Raises:
        tf.errors.InvalidArgumentError: the shape is another. At the next wait, where only the server knows it.

    >>> import client as tf
    >>> tf.ensure_shape(tf.zeros([2, 3]), [None, 3]).shape
    TensorShape([2, 3])
    """
    wanted = TensorShape(shape)
    dims = None if wanted.rank is None else tuple(-1 if d is None else d for d in wanted)
    return call("ensure_shape", x, shape=dims)  # type: ignore[no-any-return]


@public("broadcast_static_shape")
def broadcast_static_shape(shape_x: Any, shape_y: Any) -> TensorShape:
    """The shape that two shapes broadcast to.

    Args:
        shape_x: a `tf.TensorShape`, or what makes one; dims may be unknown.
        shape_y: likewise.

    Raises:
        ValueError: they don't broadcast.

    >>> import client as tf
    >>> tf.broadcast_static_shape(tf.TensorShape([1, 2]), tf.TensorShape([3, 1]))
    TensorShape([3, 2])
    """
    x, y = TensorShape(shape_x), TensorShape(shape_y)
    try:
        return TensorShape(broadcast_shapes(x._dims, y._dims))
    except InvalidArgumentError:
        raise ValueError(
            "Incompatible shapes for broadcasting. Two shapes are compatible if for each dimension pair they are "
            f"either equal or one of them is 1. Received: {x} and {y}."
        ) from None


@public("broadcast_dynamic_shape")
def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Tensor:
    """The shape that two shapes, given as vectors, broadcast to, as a vector.

    Args:
        shape_x: an int32 or int64 vector, such as `tf.shape` gives.
        shape_y: a vector of the same dtype.

    Raises:
        tf.errors.InvalidArgumentError: they don't broadcast. At the next wait, where only the server knows them.

    >>> import client as tf
    >>> tf.broadcast_dynamic_shape([1, 2], [3, 1]).numpy().tolist()
    [3, 2]
    """
    x, y = convert_to_tensor(shape_x), convert_to_tensor(shape_y)
    known = static_value(x), static_value(y)
    if x.dtype is y.dtype and known[0] is not None and known[1] is not None and known[0].ndim == known[1].ndim == 1:
        return _number(broadcast_shapes(*(tuple(v.tolist()) for v in known if v is not None)), x.dtype)
    return call("broadcast_args", x, y)  # type: ignore[no-any-return]


@public("reverse_sequence")
def reverse_sequence(
    input: Any, seq_lengths: Any, seq_axis: int | None = None, batch_axis: int | None = None, name: str | None = None
) -> Tensor:
    """Reverses the first seq_lengths[i] elements along `seq_axis` of each entry i of the batch; the rest stays.

    Args:
        input: a tensor.
        seq_lengths: an int32 or int64 vector with a length for each entry along `batch_axis`.
        seq_axis: the axis to reverse along.
        batch_axis: the axis of the entries, 0 by default.
        name: not used.

    Raises:
        TypeError: no `seq_axis`.
        tf.errors.InvalidArgumentError: axes out of range or equal, a wrong number of lengths; at the next wait, a
            length that is negative or larger than the axis.

    >>> import client as tf
    >>> tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 3], seq_axis=1).numpy().tolist()
    [[2, 1, 3], [6, 5, 4]]
    """
    if seq_axis is None:
        raise TypeError("Expected int for argument 'seq_axis' not None.")
    return call("reverse_sequence", input, seq_lengths, seq_axis=seq_axis, batch_axis=batch_axis or 0)  # type: ignore[no-any-return]


@public("meshgrid")
def meshgrid(*args: Any, indexing: str = "xy", name: str | None = None) -> list[Tensor]:
    """The coordinates of the points of a grid, one tensor for each axis.

    Args:
        *args: the coordinates along each axis, vectors.
        indexing: "xy": the first axis of the results goes with the second argument, as in plots; "ij": with the first.
        name: not used.

    Raises:
        ValueError: another `indexing`.

    >>> import client as tf
    >>> x, y = tf.meshgrid([1, 2, 3], [4, 5])
    >>> x.numpy().tolist(), y.numpy().tolist()
    ([[1, 2, 3], [1, 2, 3]], [[4, 4, 4], [5, 5, 5]])
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"Argument `indexing` parameter must be either 'xy' or 'ij', got '{indexing}'")
    tensors = [x if isinstance(x, Operand) else convert_to_tensor(x) for x in args]
    order = list(range(len(tensors)))
    if indexing == "xy" and len(order) > 1:
        order[0], order[1] = 1, 0
    full = [size(tensors[i]) for i in order]
    grids = []
    for i, x in enumerate(tensors):
        line = [1] * len(order)
        line[order[i]] = -1
        grids.append(call("broadcast_to", call("reshape", x, shape=tuple(line)), shape=full))
    return grids
