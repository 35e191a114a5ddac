"""Pooling: the maximum or average over sliding windows, and the ops that their gradients need.

`window`, `strides` and explicit padding have one entry an axis of the tensor, batch and channels too, so no data format
is needed here. `max_pool_grad` scatters to each window's first maximum (in row-major order) and `max_pool_pick` reads
there: each is the other's gradient. `avg_pool_grad` and `avg_pool` are each other's as well.
"""

from __future__ import annotations

from protocol.attrs import Ints, Unknown
from protocol.errors import InvalidArgumentError
from protocol.ops.registry import FLOATS, REAL, op
from protocol.spec import Shape, Spec, format_shape, merge_shapes
from protocol.windows import Padding, check_positive, output_dim, per_axis


def _output_shape(shape: Shape, window: Ints, strides: Ints, padding: Padding) -> Shape:
    rank = len(window)
    if shape is not None and len(shape) != rank:
        raise InvalidArgumentError(f"tensor_in must be {rank}-dimensional: {format_shape(shape)}")
    check_positive(window, rank, "Sliding window ksize")
    check_positive(strides, rank, "Stride")
    pads = per_axis(padding, rank)
    for size, pad in zip(window, pads, strict=True):
        if isinstance(pad, tuple) and max(pad) >= size > 1:
            raise InvalidArgumentError(f"padding {max(pad)} needs to be smaller than the window size {size}")
        if isinstance(pad, tuple) and size == 1 and max(pad):
            raise InvalidArgumentError("Nonzero explicit padding needs a window that is larger than 1")
    dims = (None,) * rank if shape is None else shape
    return tuple(output_dim(d, k, s, 1, p) for d, k, s, p in zip(dims, window, strides, pads, strict=True))


def _pool(input: Spec, *, window: Ints, strides: Ints, padding: Padding) -> Spec:
    return Spec(input.dtype, _output_shape(input.shape, window, strides, padding))


def _max_grad(input: Spec, output: Spec, grad: Spec, *, window: Ints, strides: Ints, padding: Padding) -> Spec:
    merge_shapes(_output_shape(input.shape, window, strides, padding), merge_shapes(output.shape, grad.shape))
    return input


def _max_pick(input: Spec, output: Spec, values: Spec, *, window: Ints, strides: Ints, padding: Padding) -> Spec:
    shape = merge_shapes(input.shape, values.shape)
    return Spec(values.dtype, merge_shapes(_output_shape(shape, window, strides, padding), output.shape))


def _avg_grad(grad: Spec, *, input_sizes: Ints | Unknown, window: Ints, strides: Ints, padding: Padding) -> Spec:
    shape = (None,) * len(window) if isinstance(input_sizes, Unknown) else input_sizes
    merge_shapes(_output_shape(shape, window, strides, padding), grad.shape)
    return Spec(grad.dtype, shape)


op("max_pool", "input", infer=_pool, types=REAL)
op("max_pool_grad", "input output grad", infer=_max_grad, types=REAL)
op("max_pool_pick", "input output values:any", infer=_max_pick, types=REAL)
op("avg_pool", "input", infer=_pool, types=FLOATS)
op("avg_pool_grad", "grad", infer=_avg_grad, types=FLOATS)
