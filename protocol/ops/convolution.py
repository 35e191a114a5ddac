"""Convolutions over any number of spatial axes, and the two ops that are their gradients.

The three are closed under differentiation: each is linear in both inputs, and its gradients are the other two.
Strides, padding and dilations are given for the spatial axes alone. Axes before these are batch axes, however many.
A filter is [*spatial, input channels / groups, output channels]; the number of groups follows from the input's
channels, so that a depthwise convolution is one whose filter has 1 input channel: with m outputs for each, output
c * m + q belongs to input channel c.
"""

from __future__ import annotations

from protocol.attrs import Ints, Unknown
from protocol.dtypes import FLOATS, int32
from protocol.errors import InvalidArgumentError
from protocol.ops.registry import op
from protocol.spec import Dim, Shape, Spec, format_shape, merge_shapes
from protocol.windows import Padding, check_positive, output_dim, per_axis

_TYPES = (*FLOATS, int32)


def _split(shape: Shape, spatial: int, channels_first: bool) -> tuple[tuple[Dim, ...], tuple[Dim, ...], Dim] | None:
    """Batch dims, spatial dims and channels; None for an unknown rank."""
    if shape is None:
        return None
    if len(shape) < spatial + 2:
        raise InvalidArgumentError(f"convolution input must be {spatial + 2}-dimensional: {format_shape(shape)}")
    batch, rest = shape[: len(shape) - spatial - 1], shape[len(shape) - spatial - 1 :]
    return (batch, rest[1:], rest[0]) if channels_first else (batch, rest[:-1], rest[-1])


def _check_depth(channels: Dim, filters: tuple[Dim, ...]) -> None:
    *kernel, depth, outputs = filters
    if 0 in kernel:
        raise InvalidArgumentError("filter must not have zero elements (i.e. all dimensions must be non-zero)")
    if depth == 0:
        raise InvalidArgumentError("filter depth must be stricly positive, got 0")
    if channels is None or depth is None:
        return
    if channels % depth or not channels:
        raise InvalidArgumentError(f"input depth must be evenly divisible by filter depth: {channels} vs {depth}")
    if outputs is not None and outputs % (channels // depth):
        groups = channels // depth
        raise InvalidArgumentError(f"output depth must be evenly divisible by number of groups: {outputs} vs {groups}")


def _output_shape(
    input: Shape, filters: Shape, strides: Ints, padding: Padding, dilations: Ints, channels_first: bool
) -> Shape:
    spatial = len(strides)
    check_positive(strides, spatial, "Stride")
    check_positive(dilations, spatial, "Dilation")
    pads = per_axis(padding, spatial)
    if filters is None:
        filters = (None,) * (spatial + 2)
    if len(filters) != spatial + 2:
        raise InvalidArgumentError(f"filter must be {spatial + 2}-dimensional: {format_shape(filters)}")
    parts = _split(input, spatial, channels_first)
    _check_depth(parts[2] if parts else None, filters)
    if parts is None:
        return None
    batch, dims, _ = parts
    out = tuple(map(output_dim, dims, filters, strides, dilations, pads))
    return (*batch, filters[-1], *out) if channels_first else (*batch, *out, filters[-1])


def _conv(
    input: Spec,
    filters: Spec,
    *,
    strides: Ints,
    padding: Padding,
    dilations: Ints,
    channels_first: bool = False,
) -> Spec:
    return Spec(input.dtype, _output_shape(input.shape, filters.shape, strides, padding, dilations, channels_first))


def _check_gradient(expected: Shape, given: Shape) -> None:
    try:
        merge_shapes(expected, given)
    except InvalidArgumentError:
        raise InvalidArgumentError(
            f"Size of out_backprop doesn't match computed: actual = {format_shape(given)}, "
            f"computed = {format_shape(expected)}"
        ) from None


def _unknown_dims(sizes: Unknown) -> Shape:
    length = sizes.spec.shape[0] if sizes.spec.shape else None
    return None if length is None else (None,) * length


def _backprop_input(
    filters: Spec,
    out_backprop: Spec,
    *,
    input_sizes: Ints | Unknown,
    strides: Ints,
    padding: Padding,
    dilations: Ints,
    channels_first: bool = False,
) -> Spec:
    shape = _unknown_dims(input_sizes) if isinstance(input_sizes, Unknown) else input_sizes
    if shape is not None and any(d is not None and d < 0 for d in shape):
        raise InvalidArgumentError(f"Dimension {min(d for d in shape if d is not None)} must be >= 0")
    expected = _output_shape(shape, filters.shape, strides, padding, dilations, channels_first)
    _check_gradient(expected, out_backprop.shape)
    return Spec(filters.dtype, shape)


def _backprop_filter(
    input: Spec,
    out_backprop: Spec,
    *,
    filter_sizes: Ints | Unknown,
    strides: Ints,
    padding: Padding,
    dilations: Ints,
    channels_first: bool = False,
) -> Spec:
    shape = (None,) * (len(strides) + 2) if isinstance(filter_sizes, Unknown) else filter_sizes
    expected = _output_shape(input.shape, shape, strides, padding, dilations, channels_first)
    _check_gradient(expected, out_backprop.shape)
    return Spec(input.dtype, shape)


op("conv", "input filters", infer=_conv, types=_TYPES)
op("conv_backprop_input", "filters out_backprop", infer=_backprop_input, types=_TYPES)
op("conv_backprop_filter", "input out_backprop", infer=_backprop_filter, types=_TYPES)
