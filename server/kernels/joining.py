"""Kernels of joining, splitting, repeating and padding."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np

from protocol.ops.joining import split_sizes
from server.kernels import room
from server.kernels.checks import refuse
from server.kernels.registry import kernel

Pads = tuple[tuple[int, int], ...]


def _concat(xp: Any, *values: Any, axis: int) -> Any:
    return values[0] if len(values) == 1 else xp.concatenate(values, axis)


def _unstack(xp: Any, value: Any, *, num: int | None = None, axis: int = 0) -> tuple[Any, ...]:
    first = xp.moveaxis(value, axis, 0)
    return tuple(first[i, ...] for i in range(len(first)))


def _split(
    xp: Any, value: Any, *, num_or_size_splits: int | tuple[int, ...], axis: int = 0, num: int | None = None
) -> tuple[Any, ...]:
    sizes = split_sizes(value.shape[axis], num_or_size_splits, axis)
    before = (slice(None),) * (axis % value.ndim)
    stops = accumulate(sizes)  # type: ignore[type-var]
    return tuple(value[(*before, slice(stop - size, stop))] for size, stop in zip(sizes, stops, strict=True))  # type: ignore[operator]


def _repeat_each(xp: Any, input: Any, repeats: Any, *, axis: int | None = None) -> Any:
    if axis is None:
        input, axis = input.reshape(-1), 0
    axis %= input.ndim
    refuse(xp, repeats < 0, "repeats must not be negative")
    counts = xp.broadcast_to(repeats, (input.shape[axis],))
    total = int(counts.sum(dtype="float64"))  # the result's size is a value: here a GPU must wait
    room.ask((*input.shape[:axis], total, *input.shape[axis:][1:]), input.dtype)
    if xp is np:
        return np.repeat(input, counts, axis)
    ends = xp.cumsum(counts, dtype="int64")
    room.ask((total,), ends.dtype, times=2)
    return xp.take(input, xp.searchsorted(ends, xp.arange(total), side="right"), axis=axis)


def _inside(paddings: Pads, shape: tuple[int, ...]) -> tuple[Any, ...]:
    return (*tuple(slice(b, b + d) for (b, _), d in zip(paddings, shape, strict=True)), Ellipsis)


def _pad_value(xp: Any, tensor: Any, value: Any, *, paddings: Pads) -> Any:
    shape = tuple(b + d + a for (b, a), d in zip(paddings, tensor.shape, strict=True))
    if value is None:
        found = xp.zeros(shape, tensor.dtype)
    else:
        found = xp.empty(shape, tensor.dtype)
        found[...] = value
    found[_inside(paddings, tensor.shape)] = tensor
    return found


def _mirror_pad(xp: Any, tensor: Any, *, paddings: Pads, mode: str) -> Any:
    return xp.pad(tensor, paddings, mode=mode.lower()) if tensor.ndim else tensor


def _mirror_pad_grad(xp: Any, grad: Any, *, paddings: Pads, mode: str) -> Any:
    """Fold each border back onto the elements that it mirrored, axis by axis."""
    edge = 1 if mode == "REFLECT" else 0
    for axis, (before, after) in enumerate(paddings):
        g = xp.moveaxis(grad, axis, 0)
        size = len(g) - before - after
        folded = g[before : before + size].copy()
        folded[edge : edge + before] += g[:before][::-1]
        folded[size - edge - after : size - edge] += g[before + size :][::-1]
        grad = xp.moveaxis(folded, 0, axis)
    return grad


kernel("concat", _concat)
kernel("stack", lambda xp, *values, axis=0: xp.stack(values, axis))
kernel("unstack", _unstack)
kernel("split", _split)
kernel("tile", lambda xp, input, *, multiples: xp.tile(input, multiples))
kernel("repeat", lambda xp, input, *, repeats, axis=None: xp.repeat(input, repeats, axis))
kernel("repeat_each", _repeat_each)
kernel("pad", lambda xp, tensor, *, paddings: _pad_value(xp, tensor, None, paddings=paddings))
kernel("pad_value", _pad_value)
kernel("mirror_pad", _mirror_pad)
kernel("mirror_pad_grad", _mirror_pad_grad)
