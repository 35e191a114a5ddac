"""Kernels of shape manipulation. Most give views."""

from __future__ import annotations

from typing import Any

from protocol import dtypes
from protocol.dtypes import DType
from protocol.ops.arrays import reshaped
from server.kernels.checks import refuse
from server.kernels.registry import kernel


def _transpose(xp: Any, a: Any, *, perm: tuple[int, ...] | None = None, conjugate: bool = False) -> Any:
    found = a.transpose(perm)
    return found.conj() if conjugate and found.dtype.kind == "c" else found


def _squeeze(xp: Any, input: Any, *, axis: int | tuple[int, ...] | None = None) -> Any:
    axes = (axis,) if isinstance(axis, int) else axis
    dropped = {a % input.ndim for a in axes} if axes else {i for i, d in enumerate(input.shape) if d == 1}
    return input.reshape(tuple(d for i, d in enumerate(input.shape) if i not in dropped))


def _broadcast_args(xp: Any, shape_x: Any, shape_y: Any) -> Any:
    rank = max(len(shape_x), len(shape_y))
    x, y = (xp.concatenate([xp.ones(rank - len(s), s.dtype), s]) for s in (shape_x, shape_y))
    refuse(xp, (x != y) & (x != 1) & (y != 1), f"Incompatible shapes: {shape_x} vs. {shape_y}")
    return xp.where(x == 1, y, x)


def _space_to_depth(xp: Any, input: Any, *, block_size: int, data_format: str = "NHWC") -> Any:
    b = block_size
    if data_format == "NHWC":
        n, h, w, c = input.shape
        blocks = input.reshape(n, h // b, b, w // b, b, c).transpose(0, 1, 3, 2, 4, 5)
        return blocks.reshape(n, h // b, w // b, b * b * c)
    n, c, h, w = input.shape
    return input.reshape(n, c, h // b, b, w // b, b).transpose(0, 3, 5, 1, 2, 4).reshape(n, b * b * c, h // b, w // b)


def _depth_to_space(xp: Any, input: Any, *, block_size: int, data_format: str = "NHWC") -> Any:
    b = block_size
    if data_format == "NHWC":
        n, h, w, c = input.shape
        pixels = input.reshape(n, h, w, b, b, c // b**2).transpose(0, 1, 3, 2, 4, 5)
        return pixels.reshape(n, h * b, w * b, c // b**2)
    n, c, h, w = input.shape
    return input.reshape(n, b, b, c // b**2, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, c // b**2, h * b, w * b)


def _reverse_sequence(xp: Any, input: Any, seq_lengths: Any, *, seq_axis: int, batch_axis: int = 0) -> Any:
    limit = input.shape[seq_axis]
    refuse(xp, seq_lengths < 0, "seq_lens must not be < 0")
    refuse(xp, seq_lengths > limit, f"seq_lens must not be > input.dims({seq_axis}) = {limit}")
    place = [1] * input.ndim
    place[batch_axis] = -1
    lengths = seq_lengths.reshape(place)
    place = [1] * input.ndim
    place[seq_axis] = -1
    steps = xp.arange(limit).reshape(place)
    return xp.take_along_axis(input, xp.where(steps < lengths, lengths - 1 - steps, steps), axis=seq_axis)


def _number(xp: Any, value: Any, dtype: DType = dtypes.int32) -> Any:
    return xp.asarray(value, dtype=dtype.numpy)


kernel("reshape", lambda xp, tensor, *, shape: tensor.reshape(reshaped(tensor.shape, shape)))
kernel("transpose", _transpose)
kernel("expand_dims", lambda xp, input, *, axis: xp.expand_dims(input, axis))
kernel("squeeze", _squeeze)
kernel("reverse", lambda xp, tensor, *, axis: xp.flip(tensor, axis))
kernel("roll", lambda xp, input, *, shift, axis: xp.roll(input, shift, axis))
kernel(
    "broadcast_to",
    lambda xp, input, *, shape: xp.broadcast_to(input, (shape,) if isinstance(shape, int) else shape),
)
kernel("identity", lambda xp, input: input)
kernel("stop_gradient", lambda xp, input: input)
kernel("ensure_shape", lambda xp, x, *, shape: x)
kernel("shape", lambda xp, input, *, out_type=dtypes.int32: _number(xp, input.shape, out_type))
kernel("size", lambda xp, input, *, out_type=dtypes.int32: _number(xp, input.size, out_type))
kernel("rank", lambda xp, input: _number(xp, input.ndim))
kernel("broadcast_args", _broadcast_args)
kernel("space_to_depth", _space_to_depth)
kernel("depth_to_space", _depth_to_space)
kernel("reverse_sequence", _reverse_sequence)
