"""The public face of convolutions: `tf.nn.conv1d` to `conv3d`, transposes, depthwise, separable and dilated ones."""

from __future__ import annotations

from typing import Any

from client.api import public
from client.convert import convert_operands
from client.dispatch import call
from client.tensor import Operand, Tensor
from client.windows import channels_first, spatial_padding, spatial_values
from protocol.errors import InvalidArgumentError
from protocol.ops import OPS


def _geometry(spatial: int, strides: Any, padding: Any, data_format: str | None, dilations: Any) -> dict[str, Any]:
    """The attributes of the convolution ops from TensorFlow's arguments."""
    first = channels_first(data_format, spatial)
    return {
        "strides": spatial_values(strides, spatial, first, "strides"),
        "padding": spatial_padding(padding, spatial, first),
        "dilations": spatial_values(dilations, spatial, first, "dilations"),
        "channels_first": first,
    }


def _operands(input: Any, filters: Any) -> list[Operand]:
    """Both as tensors or variables of one dtype."""
    return convert_operands(OPS["conv"], (input, filters))


def _spatial_rank(filters: Operand) -> int:
    """The number of spatial axes, from the filter's rank."""
    rank = filters._spec.rank
    if rank is None or not 3 <= rank <= 5:
        raise ValueError(
            f"`filters` must be of rank 3, 4 or 5, for 1, 2 or 3 spatial dimensions. Received: rank {rank}"
        )
    return rank - 2


@public("nn.convolution")
def convolution(
    input: Any,
    filters: Any,
    strides: Any = None,
    padding: Any = "VALID",
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Convolution (cross-correlation) over 1, 2 or 3 spatial axes, as many as `filters` has; see `tf.nn.conv2d`.

    Raises:
        ValueError: `filters` is not of rank 3, 4 or 5.
    """
    input, filters = _operands(input, filters)
    return _convolve(_spatial_rank(filters), input, filters, strides, padding, data_format, dilations)


def _convolve(
    spatial: int, input: Any, filters: Any, strides: Any, padding: Any, data_format: str | None, dilations: Any
) -> Tensor:
    found: Tensor = call("conv", input, filters, **_geometry(spatial, strides, padding, data_format, dilations))
    return found


@public("nn.conv1d")
def conv1d(
    input: Any,
    filters: Any,
    stride: Any,
    padding: Any,
    data_format: str | None = "NWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Convolution over 1 spatial axis; see `tf.nn.conv2d`.

    Args:
        input: [batch, width, channels] (`NWC`) or [batch, channels, width] (`NCW`).
        filters: [width, channels, outputs].
        stride: an integer.
        padding: "VALID", "SAME" or 3 pairs.
        data_format: "NWC" or "NCW".
        dilations: an integer.
        name: not used.
    """
    return _convolve(1, input, filters, stride, padding, data_format, dilations)


@public("nn.conv2d")
def conv2d(
    input: Any,
    filters: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = "NHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Convolution (cross-correlation) over 2 spatial axes.

    For `NHWC`, `y[b, i, j, k] = sum over u, v, q of input[b, s*i + r*u, s*j + r*v, q] * filters[u, v, q, k]` with
    strides s and dilations r.

    Args:
        input: [batch, height, width, channels] (`NHWC`) or [batch, channels, height, width] (`NCHW`), of a
            floating-point dtype or int32; there may be more than one batch axis.
        filters: [height, width, channels / groups, outputs], of the same dtype.
        strides: an integer, 2 or 4 of them.
        padding: "VALID" (none), "SAME" (so that a stride of 1 keeps the size), or a pair (before, after) for each axis.
        data_format: "NHWC" or "NCHW".
        dilations: an integer, 2 or 4 of them.
        name: not used.

    Raises:
        InvalidArgumentError: ranks or channels don't fit, or the window is larger than the padded input.
        ValueError: the wrong number of strides, dilations or pairs.

    >>> import client as tf
    >>> x = tf.reshape(tf.range(16.0), [1, 4, 4, 1])
    >>> y = tf.nn.conv2d(x, tf.ones([2, 2, 1, 1]), strides=2, padding="VALID")
    >>> y[0, :, :, 0].numpy().tolist()
    [[10.0, 18.0], [42.0, 50.0]]
    """
    return _convolve(2, input, filters, strides, padding, data_format, dilations)


@public("nn.conv3d")
def conv3d(
    input: Any,
    filters: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = "NDHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Convolution over 3 spatial axes; see `tf.nn.conv2d`.

    Args:
        input: [batch, depth, height, width, channels] (`NDHWC`) or [batch, channels, depth, height, width] (`NCDHW`).
        filters: [depth, height, width, channels, outputs].
        strides: an integer, 3 or 5 of them.
        padding: "VALID", "SAME" or 5 pairs.
        data_format: "NDHWC" or "NCDHW".
        dilations: an integer, 3 or 5 of them.
        name: not used.
    """
    return _convolve(3, input, filters, strides, padding, data_format, dilations)


@public("nn.conv_transpose")
def conv_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The transpose of `tf.nn.convolution` over 1, 2 or 3 spatial axes; see `tf.nn.conv2d_transpose`."""
    input, filters = _operands(input, filters)
    return _transpose(_spatial_rank(filters), input, filters, output_shape, strides, padding, data_format, dilations)


def _transpose(
    spatial: int,
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any,
    data_format: str | None,
    dilations: Any,
) -> Tensor:
    geometry = _geometry(spatial, strides, padding, data_format, dilations)
    found: Tensor = call("conv_backprop_input", filters, input, input_sizes=output_shape, **geometry)
    return found


@public("nn.conv1d_transpose")
def conv1d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: str | None = "NWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The transpose of `tf.nn.conv1d`; see `tf.nn.conv2d_transpose`."""
    return _transpose(1, input, filters, output_shape, strides, padding, data_format, dilations)


@public("nn.conv2d_transpose")
def conv2d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: str | None = "NHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The transpose (gradient) of `tf.nn.conv2d`: spreads each element of `input` over a window of the result.

    Args:
        input: [batch, height, width, channels] or, for `NCHW`, [batch, channels, height, width].
        filters: [height, width, outputs, channels].
        output_shape: the shape of the result, as integers or an integer tensor: a `conv2d` of such a tensor must have
            `input`'s shape.
        strides: an integer, 2 or 4 of them.
        padding: "VALID", "SAME" or 4 pairs.
        data_format: "NHWC" or "NCHW".
        dilations: an integer, 2 or 4 of them.
        name: not used.

    Raises:
        InvalidArgumentError: `output_shape` does not lead back to `input`'s shape.

    >>> import client as tf
    >>> y = tf.nn.conv2d_transpose(tf.ones([1, 2, 2, 1]), tf.ones([2, 2, 3, 1]), [1, 4, 4, 3], strides=2)
    >>> y.shape
    TensorShape([1, 4, 4, 3])
    """
    return _transpose(2, input, filters, output_shape, strides, padding, data_format, dilations)


@public("nn.conv3d_transpose")
def conv3d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: str | None = "NDHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The transpose of `tf.nn.conv3d`; see `tf.nn.conv2d_transpose`."""
    return _transpose(3, input, filters, output_shape, strides, padding, data_format, dilations)


@public("nn.depthwise_conv2d")
def depthwise_conv2d(
    input: Any,
    filter: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Convolves each channel on its own: output `k * multiplier + q` is channel k convolved with `filter[:, :, k, q]`.

    Args:
        input: [batch, height, width, channels] or, for `NCHW`, [batch, channels, height, width].
        filter: [height, width, channels, multiplier], of the same dtype.
        strides: an integer, 2 or 4 of them.
        padding: "VALID", "SAME" or 4 pairs.
        data_format: "NHWC" or "NCHW".
        dilations: an integer, 2 or 4 of them.
        name: not used.

    Raises:
        InvalidArgumentError: ranks or channels don't fit.

    >>> import client as tf
    >>> tf.nn.depthwise_conv2d(tf.ones([1, 3, 3, 2]), tf.ones([3, 3, 2, 4]), [1, 1, 1, 1], "SAME").shape
    TensorShape([1, 3, 3, 8])
    """
    input, filter = _operands(input, filter)
    shape = filter._spec.shape
    if shape is None or len(shape) != 4 or None in shape[:3]:
        raise InvalidArgumentError(f"filter must be 4-dimensional and of known size, not {filter._spec}")
    channels = (input._spec.shape or (None,))[-3 if channels_first(data_format, 2) else -1]
    if channels not in (None, shape[2]):
        raise InvalidArgumentError(f"input and filter must have the same depth: {channels} vs {shape[2]}")
    grouped = call("reshape", filter, shape=(*shape[:2], 1, -1))
    return _convolve(2, input, grouped, strides, padding, data_format, dilations)


@public("nn.separable_conv2d")
def separable_conv2d(
    input: Any,
    depthwise_filter: Any,
    pointwise_filter: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """`tf.nn.depthwise_conv2d`, then a 1x1 convolution that mixes its channels.

    Args:
        input: [batch, height, width, channels] or, for `NCHW`, [batch, channels, height, width].
        depthwise_filter: [height, width, channels, multiplier].
        pointwise_filter: [1, 1, channels * multiplier, outputs].
        strides: an integer, 2 or 4 of them, for the depthwise part.
        padding: "VALID", "SAME" or 4 pairs, for the depthwise part.
        data_format: "NHWC" or "NCHW".
        dilations: an integer, 2 or 4 of them, for the depthwise part.
        name: not used.

    Raises:
        InvalidArgumentError: ranks or channels don't fit.
    """
    mixed, pointwise = _operands(
        depthwise_conv2d(input, depthwise_filter, strides, padding, data_format, dilations), pointwise_filter
    )
    if pointwise._spec.shape is not None and pointwise._spec.shape[:2] != (1, 1):
        raise InvalidArgumentError(f"pointwise_filter must be [1, 1, ...], not {pointwise._spec}")
    return _convolve(2, mixed, pointwise, 1, "VALID", data_format, 1)


@public("nn.atrous_conv2d")
def atrous_conv2d(value: Any, filters: Any, rate: int, padding: str, name: str | None = None) -> Tensor:
    """`tf.nn.conv2d` of `NHWC` values with strides of 1 and dilations of `rate`."""
    return _convolve(2, value, filters, 1, padding, None, rate)


@public("nn.atrous_conv2d_transpose")
def atrous_conv2d_transpose(
    value: Any, filters: Any, output_shape: Any, rate: int, padding: str, name: str | None = None
) -> Tensor:
    """The transpose of `tf.nn.atrous_conv2d`; see `tf.nn.conv2d_transpose`."""
    return _transpose(2, value, filters, output_shape, 1, padding, None, rate)
