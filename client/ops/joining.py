"""The public face of joining, splitting, repeating and padding: lists of tensors, and choices between ops."""

from __future__ import annotations

from typing import Any

import numpy as np

from client.api import public
from client.convert import convert_to_tensor, static_value
from client.dispatch import call
from client.indexing import getitem
from client.tensor import Operand, Tensor
from protocol.errors import InvalidArgumentError
from protocol.spec import format_shape


def _operand(value: Any) -> Operand:
    return value if isinstance(value, Operand) else convert_to_tensor(value)


@public("concat")
def concat(values: Any, axis: Any, name: str | None = None) -> Tensor:
    """Tensors one after the other along an axis that they have.

    Args:
        values: a list of tensors of one dtype, whose shapes are equal but for `axis`; a single tensor is given back.
        axis: an int, or a scalar tensor.
        name: not used.

    Raises:
        tf.errors.InvalidArgumentError: shapes, ranks or dtypes that don't fit, or an axis out of range.

    >>> import client as tf
    >>> tf.concat([[[1, 2]], [[3, 4], [5, 6]]], axis=0).numpy().tolist()
    [[1, 2], [3, 4], [5, 6]]
    """
    if not isinstance(values, list | tuple):
        values = [values]
    return call("concat", *values, axis=axis)  # type: ignore[no-any-return]


@public("stack")
def stack(values: Any, axis: int = 0, name: str | None = None) -> Tensor:
    """Tensors of one shape side by side along a new axis.

    Args:
        values: a list of tensors of one dtype and shape.
        axis: where the new axis goes, in [-(rank + 1), rank].
        name: not used.

    Raises:
        ValueError: the axis is out of range.
        tf.errors.InvalidArgumentError: shapes or dtypes differ.

    >>> import client as tf
    >>> tf.stack([[1, 4], [2, 5]], axis=1).numpy().tolist()
    [[1, 2], [4, 5]]
    """
    if isinstance(values, Operand):
        if axis == 0:
            return convert_to_tensor(values)
        values = unstack(values)
    values = list(values)
    if not values or (axis == 0 and not any(isinstance(v, Operand) for v in values)):
        return convert_to_tensor(values)
    return call("stack", *values, axis=axis)  # type: ignore[no-any-return]


@public("unstack")
def unstack(value: Any, num: int | None = None, axis: int = 0, name: str | None = None) -> list[Tensor]:
    """The slices of `value` along an axis, which they no longer have.

    Args:
        value: a tensor with at least one axis.
        num: how many there are; needed where the size of the axis is not known.
        axis: the axis, in [-rank, rank).
        name: not used.

    Raises:
        ValueError: the axis is out of range, or its size is not known and `num` not given.
        tf.errors.InvalidArgumentError: `num` is not the size of the axis.

    >>> import client as tf
    >>> [x.numpy().tolist() for x in tf.unstack([[1, 2], [3, 4]])]
    [[1, 2], [3, 4]]
    """
    x = _operand(value)
    spec = x._spec
    if num is None and spec.rank is not None and -spec.rank <= axis < spec.rank and spec.shape is not None:
        num = spec.shape[axis]
    if axis == 0 and spec.dtype.is_integer and spec.rank == 1 and spec.shape == (num,) and static_value(x) is not None:
        return [getitem(x, i) for i in range(len(static_value(x)))]  # type: ignore[arg-type]  # their values stay known
    return list(call("unstack", x, num=num, axis=axis))


@public("split")
def split(
    value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None, name: str | None = None
) -> list[Tensor]:
    """Parts of a tensor along an axis.

    Args:
        value: a tensor.
        num_or_size_splits: an int: that many equal parts; a list or vector: their sizes, one may be -1.
        axis: the axis, an int or a scalar tensor.
        num: how many parts there are, where `num_or_size_splits` is a tensor whose length is not known.
        name: not used.

    Raises:
        tf.errors.InvalidArgumentError: the parts don't add up to the axis, or the axis is out of range.
        ValueError: the number of parts is not known.

    >>> import client as tf
    >>> [x.numpy().tolist() for x in tf.split([1, 2, 3, 4], [1, 3])]
    [[1], [2, 3, 4]]
    """
    return list(call("split", value, num_or_size_splits=num_or_size_splits, axis=axis, num=num))


@public("pad")
def pad(
    tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, name: str | None = None
) -> Tensor:
    """`tensor` with borders.

    Args:
        tensor: a tensor of rank n.
        paddings: [n, 2] integers: how many elements go before and after each axis; a nested list or a tensor.
        mode: "CONSTANT": filled with `constant_values`; "REFLECT": mirrored without repeating the edge;
            "SYMMETRIC": mirrored with the edge repeated.
        constant_values: a scalar of the dtype of `tensor`.
        name: not used.

    Raises:
        ValueError: another mode.
        tf.errors.InvalidArgumentError: paddings that don't fit the shape.

    >>> import client as tf
    >>> tf.pad([1, 2, 3], [[1, 2]]).numpy().tolist()
    [0, 1, 2, 3, 0, 0]
    >>> tf.pad([1, 2, 3], [[1, 2]], "REFLECT").numpy().tolist()
    [2, 1, 2, 3, 2, 1]
    """
    kind = mode.upper()
    borders = _paddings(paddings)
    if kind in ("REFLECT", "SYMMETRIC"):
        return call("mirror_pad", tensor, paddings=borders, mode=kind)  # type: ignore[no-any-return]
    if kind != "CONSTANT":
        raise ValueError(
            'Value of argument `mode` expected to be one of "CONSTANT", "REFLECT", or "SYMMETRIC". '
            f"Received `mode` = {kind}"
        )
    if isinstance(constant_values, int | float) and constant_values == 0:
        return call("pad", tensor, paddings=borders)  # type: ignore[no-any-return]
    return call("pad_value", tensor, constant_values, paddings=borders)  # type: ignore[no-any-return]


def _paddings(paddings: Any) -> Any:
    """[n, 2] integers as nested tuples; a tensor where only the server knows them."""
    if not isinstance(paddings, np.ndarray):
        tensor = convert_to_tensor(paddings)
        known = static_value(tensor)
        if known is None:
            return tensor
        paddings = known
    if paddings.size == 0:
        return ()
    if paddings.ndim != 2 or paddings.shape[1] != 2:
        raise InvalidArgumentError(f"paddings must be a matrix with 2 columns: {format_shape(paddings.shape)}")
    return tuple((int(before), int(after)) for before, after in paddings)


@public("repeat")
def repeat(input: Any, repeats: Any, axis: int | None = None, name: str | None = None) -> Tensor:
    """Each element repeated, next to itself.

    Args:
        input: a tensor.
        repeats: how often: one number for all, or a vector with a number for each entry along `axis`. The size of the
            result along `axis` is then a value that the server computes.
        axis: the axis to repeat along; None: the flattened input.
        name: not used.

    Raises:
        ValueError: the axis is out of range, or `repeats` does not fit it.
        tf.errors.InvalidArgumentError: a negative number; at the next wait for those in a vector.

    >>> import client as tf
    >>> tf.repeat([[1, 2], [3, 4]], 2, axis=0).numpy().tolist()
    [[1, 2], [1, 2], [3, 4], [3, 4]]
    >>> tf.repeat([1, 2, 3], [2, 0, 1]).numpy().tolist()
    [1, 1, 3]
    """
    counts = _operand(repeats)
    known = static_value(counts)
    if known is not None and known.size == 1 and known.ndim < 2 and counts.dtype.is_integer:
        return call("repeat", input, repeats=int(known.reshape(())), axis=axis)  # type: ignore[no-any-return]
    return call("repeat_each", input, counts, axis=axis)  # type: ignore[no-any-return]
