"""Kernels that make tensors from shapes, ranges and patterns."""

from __future__ import annotations

from typing import Any

from protocol import dtypes
from protocol.dtypes import DType
from protocol.ops.creation import linspace_axis, range_length
from server.kernels import room
from server.kernels.precision import wide
from server.kernels.registry import kernel


def _fill(xp: Any, value: Any, *, dims: tuple[int, ...]) -> Any:
    found = xp.empty(dims, value.dtype)
    found[...] = value
    return found


def _eye(
    xp: Any,
    *,
    num_rows: int,
    num_columns: int | None = None,
    batch_shape: tuple[int, ...] | None = None,
    dtype: DType = dtypes.float32,
) -> Any:
    matrix = xp.eye(num_rows, num_columns, dtype=dtype.numpy)
    return xp.broadcast_to(matrix, (*batch_shape, *matrix.shape)) if batch_shape else matrix


def _range(xp: Any, *, start: float, limit: float, delta: float, dtype: DType) -> Any:
    length = range_length(start, limit, delta)
    if dtype.is_integer:
        return xp.arange(start, start + length * delta, delta, dtype=dtype.numpy)
    kind = dtypes.float32.numpy if dtype.size == 2 else dtype.numpy  # halves cannot count beyond 2048
    steps = xp.arange(length, dtype=kind)
    return (kind.type(start) + steps * kind.type(delta)).astype(dtype.numpy, copy=False)


def _linspace(xp: Any, start: Any, stop: Any, *, num: int, axis: int = 0) -> Any:
    dtype = start.dtype
    first, last = xp.broadcast_arrays(wide(start), wide(stop))
    at = linspace_axis(first.ndim + 1, axis)
    first, last = xp.expand_dims(first, at), xp.expand_dims(last, at)
    steps = xp.arange(num, dtype=first.dtype).reshape((num,) + (1,) * (first.ndim - 1 - at))
    found = first + (last - first) / max(num - 1, 1) * steps
    if num > 1:  # the end exactly, without the rounding of the steps
        found[(slice(None),) * at + (slice(num - 1, num),)] = last
    return found.astype(dtype, copy=False)


def _one_hot(xp: Any, indices: Any, *values: Any, depth: int, axis: int = -1, dtype: DType = dtypes.float32) -> Any:
    at = indices.ndim if axis == -1 else axis
    hot = xp.expand_dims(indices, at) == xp.arange(depth).reshape((depth,) + (1,) * (indices.ndim - at))
    return xp.where(hot, *values) if values else hot.astype(dtype.numpy)


def _sequence_mask(xp: Any, lengths: Any, *, maxlen: int | None = None, dtype: DType = dtypes.bool_) -> Any:
    if maxlen is None:  # the result's size is a value: here a GPU must wait
        maxlen = max(int(lengths.max()), 0) if lengths.size else 0
        room.ask((*lengths.shape, maxlen), dtype.numpy)
    room.ask((maxlen,), xp.int64)
    return (xp.arange(maxlen) < lengths[..., None]).astype(dtype.numpy, copy=False)


kernel("zeros", lambda xp, *, shape, dtype=dtypes.float32: xp.zeros(shape, dtype.numpy))
kernel("ones", lambda xp, *, shape, dtype=dtypes.float32: xp.ones(shape, dtype.numpy))
kernel("zeros_like", lambda xp, input, *, dtype=None: xp.zeros(input.shape, dtype.numpy if dtype else input.dtype))
kernel("ones_like", lambda xp, input, *, dtype=None: xp.ones(input.shape, dtype.numpy if dtype else input.dtype))
kernel("fill", _fill)
kernel("eye", _eye)
kernel("range", _range)
kernel("linspace", _linspace)
kernel("one_hot", _one_hot)
kernel("sequence_mask", _sequence_mask)
