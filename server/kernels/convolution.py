"""Kernels of the convolutions.

Inside, arrays are [batch, *spatial, channels]. The usual path is one matrix product over windows copied side by side
("im2col"), some images at a time so that the copy stays small. Where that does not fit (groups, strided input
gradients, padding far beyond the input) the work goes tap by tap.

Measured, best of 40 in ms, 2 cores, float32: forward, filter gradient, and input gradient as a product scattered by
taps ("col2im"), as a product a tap, and as the forward of the padded gradient ("mirrored"). The digits example is the
first two lines.

    input, filter             forward            filter gradient    input gradient
                              im2col / by taps   im2col / by rows   col2im / by taps / mirrored
    32x28x28x1,  3x3x1x16        0.8 / 5.2          0.8 / 1.0          0.5 / 0.6 / 1.4
    32x26x26x16, 3x3x16x16       1.4 / 2.7          1.4 / 1.2          5.3 / 2.4 / 1.9
    8x32x32x64,  3x3x64x64       5.8 / 9.4          5.8 / 6.5         10.7 / 6.8 / 6.4
    32x28x28x3,  5x5x3x32        1.8 / 7.1          2.6 / 4.6         11.3 / 3.5 / 6.8
    4x64x64x32,  3x3x32x8        1.9 / -            2.5 / 3.0          7.5 / 3.2 / 1.3
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from protocol.attrs import Ints
from protocol.windows import Padding
from server.kernels import room
from server.kernels.precision import wide
from server.kernels.registry import kernel
from server.kernels.windows import Axis, axes_of, taps

_COLUMN_BYTES = 4 * 2**20  # of window copies at a time
_PADDED_BYTES = 64 * 2**20  # a padded copy below this is always fine

_ALL = (slice(None),)


class _Workspace(threading.local):
    """Memory for window copies, kept from one convolution to the next: touching fresh memory costs more than the
    copying (m: forward of 32x26x26x16, 3x3x16x16: 8.0 ms with a fresh matrix, 1.3 ms with this one).
    """

    def __init__(self) -> None:
        self._buffer = np.empty(0, np.uint8)

    def matrix(self, rows: int, width: int, dtype: Any) -> Any:
        """A matrix of undefined values, good until the next call."""
        size = rows * width * dtype.itemsize
        if size > _COLUMN_BYTES:
            return np.empty((rows, width), dtype)
        if self._buffer.size < size:
            self._buffer = np.empty(_COLUMN_BYTES, np.uint8)
        return self._buffer[:size].view(dtype).reshape(rows, width)


_workspace = _Workspace()


def _flat(x: Any, spatial: int, channels_first: bool) -> Any:
    """`x` as [batch, *spatial, channels]: one batch axis, channels last, halves in float32."""
    x = wide(x)
    lead = x.ndim - spatial - 1
    x = x.reshape(math.prod(x.shape[:lead]), *x.shape[lead:])
    return x.transpose(0, *range(2, x.ndim), 1) if channels_first else x


def _restored(y: Any, like: Any, spatial: int, channels_first: bool) -> Any:
    """`_flat` undone: the batch axes, the place of the channels and the dtype of `like`."""
    if channels_first:
        y = y.transpose(0, y.ndim - 1, *range(1, y.ndim - 1))
    return y.reshape(*like.shape[: like.ndim - spatial - 1], *y.shape[1:]).astype(like.dtype, copy=False)


def _by_group(xp: Any, groups: int, run: Callable[..., Any], *arrays: Any) -> Any:
    """`run` on each group's share of the last axis of `arrays`, put side by side."""
    shares = zip(*(xp.split(a, groups, axis=-1) for a in arrays), strict=True)
    return xp.concatenate([run(*share) for share in shares], axis=-1)


def _fits(x: Any, axes: Sequence[Axis]) -> bool:
    """Whether a padded copy of `x` is of a sensible size."""
    padded: int = len(x) * x.shape[-1] * math.prod(a.padded for a in axes) * x.itemsize
    return padded <= max(4 * x.nbytes, _PADDED_BYTES)


def _padded(xp: Any, x: Any, axes: Sequence[Axis]) -> Any:
    if not any(a.before or a.after for a in axes):
        return x
    padded = (len(x), *(a.padded for a in axes), x.shape[-1])
    room.ask(padded, x.dtype)
    wider = xp.zeros(padded, x.dtype)
    wider[(*_ALL, *(slice(a.before, a.before + a.dim) for a in axes))] = x
    return wider


def _columns(xp: Any, x: Any, axes: Sequence[Axis]) -> Iterator[tuple[Any, Any]]:
    """For some images, or rows of an image, at a time: their index, and a matrix with a row of elements a window, good
    until the next.
    """
    x = _padded(xp, x, axes)
    batch, *spatial, channel = x.strides
    windows = xp.lib.stride_tricks.as_strided(
        x,
        (len(x), *(a.out for a in axes), *(a.size for a in axes), x.shape[-1]),
        (
            batch,
            # A step that is never taken may be too large for a stride in bytes.
            *(s * a.stride if a.out > 1 else 0 for s, a in zip(spatial, axes, strict=True)),
            *(s * a.dilation if a.size > 1 else 0 for s, a in zip(spatial, axes, strict=True)),
            channel,
        ),
    )
    depth = math.prod(windows.shape[len(axes) + 1 :])
    image = math.prod(a.out for a in axes) * depth * x.itemsize
    if not image:
        return
    images = max(_COLUMN_BYTES // image, 1)
    rows = axes[0].out if image <= _COLUMN_BYTES else max(_COLUMN_BYTES * axes[0].out // image, 1)
    for i in range(0, len(x), images):
        for j in range(0, axes[0].out, rows):
            index = slice(i, i + images), slice(j, j + rows)
            part = windows[index]
            if xp is not np:
                yield index, part.reshape(-1, depth)
                continue
            matrix = _workspace.matrix(part.size // depth, depth, x.dtype)
            np.copyto(matrix.reshape(part.shape), part)
            yield index, matrix


def _forward(xp: Any, x: Any, filters: Any, axes: Sequence[Axis]) -> Any:
    depth, outputs = filters.shape[-2:]
    groups = x.shape[-1] // depth
    if groups > 1 and depth > 1:
        return _by_group(xp, groups, lambda a, w: _forward(xp, a, w, axes), x, filters)
    y = xp.zeros((len(x), *(a.out for a in axes), outputs), x.dtype)
    if not y.size:
        return y
    if groups > 1:
        x = _repeated(xp, x, outputs // groups)
        for tap, outs, ins in taps(axes):
            y[_ALL + outs] += x[_ALL + ins] * filters[tap][0]
    elif _fits(x, axes):
        matrix = filters.reshape(-1, outputs)
        for index, columns in _columns(xp, x, axes):
            part = y[index]
            if part.flags.c_contiguous:
                xp.matmul(columns, matrix, out=part.reshape(-1, outputs))
            else:
                part[...] = (columns @ matrix).reshape(part.shape)
    else:
        for tap, outs, ins in taps(axes):
            y[_ALL + outs] += x[_ALL + ins] @ filters[tap]
    return y


def _repeated(xp: Any, x: Any, times: int) -> Any:
    """Each channel `times` times, for a depthwise filter with several outputs a channel."""
    if times == 1:
        return x
    room.ask(x.shape, x.dtype, times)
    return xp.repeat(x, times, axis=-1)


def _filter_gradient(xp: Any, x: Any, dy: Any, filters: Ints, axes: Sequence[Axis]) -> Any:
    depth, outputs = filters[-2:]
    groups = x.shape[-1] // depth
    if groups > 1 and depth > 1:
        share = (*filters[:-1], outputs // groups)
        return _by_group(xp, groups, lambda a, g: _filter_gradient(xp, a, g, share, axes), x, dy)
    dw = xp.zeros(filters, x.dtype)
    if not dy.size:
        return dw
    if groups == 1 and _fits(x, axes):
        matrix = dw.reshape(-1, outputs)
        for index, columns in _columns(xp, x, axes):
            matrix += columns.T @ dy[index].reshape(-1, outputs)
        return dw
    x = _repeated(xp, x, outputs // groups) if groups > 1 else x
    for tap, outs, ins in taps(axes):
        seen, grad = x[_ALL + ins], dy[_ALL + outs].reshape(-1, outputs)
        if groups > 1:
            # A product with ones sums over rows several times faster than NumPy's sum(axis=0), and rounds less.
            product = seen.reshape(-1, outputs) * grad
            dw[tap][0] = xp.ones(len(product), x.dtype) @ product
        else:
            dw[tap] = seen.reshape(-1, depth).T @ grad
    return dw


def _input_gradient(xp: Any, filters: Any, dy: Any, channels: int, axes: Sequence[Axis]) -> Any:
    depth, outputs = filters.shape[-2:]
    groups = channels // depth
    if not dy.size:
        return xp.zeros((len(dy), *(a.dim for a in axes), channels), dy.dtype)
    if groups > 1 and depth > 1:
        return _by_group(xp, groups, lambda w, g: _input_gradient(xp, w, g, depth, axes), filters, dy)
    if groups == 1 and outputs <= channels and all(map(_mirrors, axes)):
        mirrored = filters[(slice(None, None, -1),) * len(axes)].swapaxes(-1, -2)
        return _forward(xp, dy, xp.ascontiguousarray(mirrored), tuple(map(_mirror, axes)))
    width = channels if groups == 1 else outputs
    dx = xp.zeros((len(dy), *(a.dim for a in axes), width), dy.dtype)
    rows = dy.reshape(-1, outputs)
    room.ask((len(rows), width), dy.dtype, times=2)
    for tap, outs, ins in taps(axes):
        part = rows @ filters[tap].T if groups == 1 else rows * filters[tap][0]
        dx[_ALL + ins] += part.reshape(*dy.shape[:-1], width)[_ALL + outs]
    if width == channels:
        return dx
    times = outputs // channels
    return (dx.reshape(-1, times) @ xp.ones(times, dx.dtype)).reshape(*dx.shape[:-1], channels)


def _mirrors(axis: Axis) -> bool:
    """Whether the gradient along `axis` is a convolution too, of the padded gradient with the mirrored filter."""
    return axis.stride == 1 and max(axis.before, axis.after) < axis.span


def _mirror(axis: Axis) -> Axis:
    before, after = axis.span - 1 - axis.before, axis.span - 1 - axis.after
    return axis._replace(dim=axis.out, out=axis.dim, before=before, after=after)


def _conv(
    xp: Any, input: Any, filters: Any, *, strides: Ints, padding: Padding, dilations: Ints, channels_first: bool = False
) -> Any:
    n = len(strides)
    x = _flat(input, n, channels_first)
    axes = axes_of(x.shape[1:-1], filters.shape[:n], strides, padding, dilations)
    return _restored(_forward(xp, x, wide(filters), axes), input, n, channels_first)


def _backprop_input(
    xp: Any,
    filters: Any,
    out_backprop: Any,
    *,
    input_sizes: Ints,
    strides: Ints,
    padding: Padding,
    dilations: Ints,
    channels_first: bool = False,
) -> Any:
    n = len(strides)
    dims, channels = (
        (input_sizes[-n:], input_sizes[-n - 1]) if channels_first else (input_sizes[-n - 1 : -1], input_sizes[-1])
    )
    dy = _flat(out_backprop, n, channels_first)
    axes = axes_of(dims, filters.shape[:n], strides, padding, dilations)
    return _restored(_input_gradient(xp, wide(filters), dy, channels, axes), out_backprop, n, channels_first)


def _backprop_filter(
    xp: Any,
    input: Any,
    out_backprop: Any,
    *,
    filter_sizes: Ints,
    strides: Ints,
    padding: Padding,
    dilations: Ints,
    channels_first: bool = False,
) -> Any:
    n = len(strides)
    x, dy = _flat(input, n, channels_first), _flat(out_backprop, n, channels_first)
    axes = axes_of(x.shape[1:-1], filter_sizes[:n], strides, padding, dilations)
    return _filter_gradient(xp, x, dy, filter_sizes, axes).astype(input.dtype, copy=False)


kernel("conv", _conv)
kernel("conv_backprop_input", _backprop_input)
kernel("conv_backprop_filter", _backprop_filter)
