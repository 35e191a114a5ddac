"""The public face of creation: ranges and patterns whose dtype follows from their arguments."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from client.api import public
from client.convert import constant_value_tensor, convert_to_tensor, static_value
from client.dispatch import call
from client.tensor import Operand, Tensor
from protocol import dtypes
from protocol.dtypes import DType, as_dtype, float32, float64
from protocol.errors import InvalidArgumentError
from protocol.ops import OPS
from protocol.promotion import natural_dtype
from protocol.spec import element_count

# Among the bounds of a range, the dtype that comes last here wins.
_HIERARCHY: Final = (
    dtypes.int8, dtypes.uint8, dtypes.int16, dtypes.uint16, dtypes.int32, dtypes.uint32, dtypes.int64, dtypes.uint64,
    dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64,
)  # fmt: skip
_SMALL: Final = 32  # Integers of a range up to which its value stays with the client.


@public("fill")
def fill(dims: Any, value: Any, name: str | None = None) -> Tensor:
    """A tensor of shape `dims` with `value` everywhere.

    Args:
        dims: a list of ints, or an integer vector.
        value: a scalar; a Python float gives float32, an int int32.
        name: not used.

    Raises:
        tf.errors.InvalidArgumentError: `value` is no scalar, or a dim is negative.

    >>> import client as tf
    >>> tf.fill([2, 3], 9).numpy().tolist()
    [[9, 9, 9], [9, 9, 9]]
    """
    return call("fill", value, dims=dims)  # type: ignore[no-any-return]


@public("range")
def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str | None = "range") -> Tensor:
    """The numbers start, start + delta, start + 2 * delta, ... up to but without `limit`.

    Args:
        start: the first number; without `limit`, the limit, and the first number is 0.
        limit: where to stop.
        delta: the step, negative to count down.
        dtype: the dtype; None: the widest of the arguments' (int32 and float32 for Python's numbers).
        name: not used.

    Raises:
        tf.errors.InvalidArgumentError: `delta` is 0 or leads away from `limit`.
        TypeError: a float for a range of integers.

    >>> import client as tf
    >>> tf.range(3, 18, 5).numpy().tolist()
    [3, 8, 13]
    >>> tf.range(2.0).dtype
    tf.float32
    """
    if limit is None:
        start, limit = 0, start
    bounds = (start, limit, delta)
    wanted = as_dtype(dtype) if dtype is not None else max(map(_dtype_of, bounds), key=_HIERARCHY.index)
    found = {n: _bound(b, wanted) for n, b in zip(("start", "limit", "delta"), bounds, strict=True)}
    if wanted.is_integer and not any(isinstance(v, Tensor) for v in found.values()):
        spec: Any = OPS["range"].infer((), {**found, "dtype": wanted})
        length = element_count(spec.shape)
        if length <= _SMALL:
            values = found["start"] + np.arange(length, dtype=np.int64) * found["delta"]
            return constant_value_tensor(values.astype(wanted.numpy))
    return call("range", **found, dtype=wanted)  # type: ignore[no-any-return]


def _dtype_of(bound: Any) -> DType:
    dtype = bound.dtype if isinstance(bound, Operand) else natural_dtype(bound)
    if dtype not in _HIERARCHY:
        raise TypeError(f"the bounds of a range must be real numbers, not {dtype.name}")
    return dtype


def _bound(value: Any, dtype: DType) -> Any:
    """A bound as a Python number of `dtype`; as a tensor, where only the server knows it."""
    tensor = convert_to_tensor(value) if isinstance(value, Operand) else None
    known = np.asarray(value) if tensor is None else static_value(tensor)
    if known is None:
        assert tensor is not None
        return tensor if tensor.dtype is dtype else call("cast", tensor, dtype=dtype)
    if known.size != 1:
        raise ValueError(f"the bounds of a range must be scalars, not of shape {known.shape}")
    number = known.reshape(()).item()
    if dtype.is_integer:
        return int(number) if tensor is not None else number
    return float(dtype.numpy.type(number))


@public("linspace")
def linspace(start: Any, stop: Any, num: Any, name: str | None = None, axis: int = 0) -> Tensor:
    """`num` evenly spaced numbers from `start` to `stop`, both included.

    Args:
        start: a tensor of floats; integers become float64.
        stop: a tensor of the same dtype, whose shape broadcasts with that of `start`.
        num: how many; an int or an integer scalar.
        name: not used.
        axis: where in the result the numbers follow each other.

    Raises:
        TypeError: `num` is no integer.
        tf.errors.InvalidArgumentError: `num` is negative, or the axis is out of range.

    >>> import client as tf
    >>> tf.linspace(10.0, 12.0, 3).numpy().tolist()
    [10.0, 11.0, 12.0]
    """
    first: Any = start if isinstance(start, Operand) else convert_to_tensor(start)
    last: Any = stop if isinstance(stop, Operand) else convert_to_tensor(stop, first.dtype)
    if first.dtype.is_integer:
        first, last = (x if x.dtype is float64 else call("cast", x, dtype=float64) for x in (first, last))
    if isinstance(num, float | np.floating) or (isinstance(num, Operand) and not num.dtype.is_integer):
        raise TypeError(f"Argument `num` must be of type integer. Received {type(num).__name__}")
    return call("linspace", first, last, num=num, axis=axis)  # type: ignore[no-any-return]


@public("one_hot")
def one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = None,
    off_value: Any = None,
    axis: int | None = None,
    dtype: Any = None,
    name: str | None = None,
) -> Tensor:
    """A new axis of length `depth` with `on_value` at each index and `off_value` elsewhere.

    Args:
        indices: integers, of any shape; one outside of [0, depth) gives no `on_value`.
        depth: the length of the new axis, an int or an integer scalar.
        on_value: a scalar, 1 by default.
        off_value: a scalar, 0 by default.
        axis: where the new axis goes, last by default.
        dtype: the dtype; None: that of the values, float32 without any.
        name: not used.

    Raises:
        TypeError: dtypes that don't match.
        tf.errors.InvalidArgumentError: a negative depth, or the axis is out of range.

    >>> import client as tf
    >>> tf.one_hot([0, 2], 3).numpy().tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    wanted = None if dtype is None else as_dtype(dtype)
    given = [
        None if v is None else v if isinstance(v, Operand) else convert_to_tensor(v, dtype_hint=wanted)
        for v in (on_value, off_value)
    ]
    found = {v.dtype for v in given if v is not None} | ({wanted} if wanted else set())
    if len(found) > 1:
        listed = ", ".join(sorted(t.name for t in found))
        raise TypeError(f"the dtypes of on_value, off_value and the dtype parameter don't match: {listed}")
    result = found.pop() if found else float32
    values: list[Any] = []
    if any(v is not None for v in given):
        values = [
            constant_value_tensor(np.array(default, result.numpy)) if v is None else v
            for v, default in zip(given, (1, 0), strict=True)
        ]
    known = static_value(depth)
    if np.ndim(known if known is not None else 0 if isinstance(depth, Operand) else depth):
        raise InvalidArgumentError(f"depth must be a scalar, but got: {depth!r:.100}")
    return call("one_hot", indices, *values, depth=depth, axis=-1 if axis is None else axis, dtype=result)  # type: ignore[no-any-return]
