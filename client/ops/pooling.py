"""The public face of pooling: `tf.nn.max_pool`, `tf.nn.avg_pool` and their forms for 1 to 3 spatial axes."""

from __future__ import annotations

from typing import Any

from client.api import public
from client.convert import convert_operands
from client.dispatch import call
from client.tensor import Tensor
from client.windows import FORMATS, all_padding, all_values, channels_first
from protocol.dtypes import as_dtype, int64
from protocol.errors import InvalidArgumentError, UnimplementedError
from protocol.ops import OPS
from protocol.spec import element_count


def _pool(op: str, spatial: int, input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None) -> Tensor:
    if op == "avg_pool" and not isinstance(padding, str):
        raise TypeError(f"Expected string for argument 'padding' not {padding!r}.")
    first = channels_first(data_format, spatial)
    found: Tensor = call(
        op,
        input,
        window=all_values(ksize, spatial, first, "ksize"),
        strides=all_values(strides, spatial, first, "strides"),
        padding=all_padding(padding, spatial),
    )
    return found


def _pool_any(op: str, input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None) -> Tensor:
    """Over as many spatial axes as the format has or, without one, the input."""
    (input,) = convert_operands(OPS[op], (input,))
    rank = input._spec.rank if data_format is None else len(data_format)
    if rank is None or rank - 2 not in FORMATS:
        raise InvalidArgumentError(f"the input must have 1, 2 or 3 spatial dimensions, not {input._spec}")
    return _pool(op, rank - 2, input, ksize, strides, padding, data_format)


@public("nn.max_pool")
def max_pool(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = None,
    name: str | None = None,
) -> Tensor:
    """The maximum over sliding windows, for 1, 2 or 3 spatial axes.

    Args:
        input: [batch, *spatial, channels] or, for `NC...`, [batch, channels, *spatial]; any real dtype.
        ksize: the window's size: an integer, one for each spatial axis, or one for each axis.
        strides: likewise.
        padding: "VALID" (windows inside the input only), "SAME", or a pair (before, after) for each axis. Padding is
            never a maximum.
        data_format: "N...C" or "NC..." with as many spatial letters as axes, e.g. "NHWC"; channels last by default.
        name: not used.

    Raises:
        InvalidArgumentError: the rank is wrong, or the window is larger than the padded input.
        ValueError: the wrong number of sizes, strides or pairs.

    >>> import client as tf
    >>> x = tf.reshape(tf.range(16.0), [1, 4, 4, 1])
    >>> tf.nn.max_pool(x, 2, 2, "VALID")[0, :, :, 0].numpy().tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """
    return _pool_any("max_pool", input, ksize, strides, padding, data_format)


@public("nn.max_pool1d")
def max_pool1d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NWC", name: str | None = None
) -> Tensor:
    """The maximum over sliding windows of 1 spatial axis; see `tf.nn.max_pool`."""
    return _pool("max_pool", 1, input, ksize, strides, padding, data_format)


@public("nn.max_pool2d")
def max_pool2d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NHWC", name: str | None = None
) -> Tensor:
    """The maximum over sliding windows of 2 spatial axes; see `tf.nn.max_pool`."""
    return _pool("max_pool", 2, input, ksize, strides, padding, data_format)


@public("nn.max_pool3d")
def max_pool3d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NDHWC", name: str | None = None
) -> Tensor:
    """The maximum over sliding windows of 3 spatial axes; see `tf.nn.max_pool`."""
    return _pool("max_pool", 3, input, ksize, strides, padding, data_format)


@public("nn.avg_pool")
def avg_pool(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """The average over sliding windows, for 1, 2 or 3 spatial axes; padding does not count.

    Args:
        input: [batch, *spatial, channels] or, for `NC...`, [batch, channels, *spatial]; a floating-point dtype.
        ksize: the window's size: an integer, one for each spatial axis, or one for each axis.
        strides: likewise.
        padding: "VALID" (windows inside the input only) or "SAME".
        data_format: "N...C" or "NC..." with as many spatial letters as axes, e.g. "NHWC"; channels last by default.
        name: not used.

    Raises:
        InvalidArgumentError: the rank is wrong, or the window is larger than the input.
        ValueError: the wrong number of sizes or strides.

    >>> import client as tf
    >>> x = tf.reshape(tf.range(9.0), [1, 3, 3, 1])
    >>> tf.nn.avg_pool(x, 2, 2, "SAME")[0, :, :, 0].numpy().tolist()
    [[2.0, 3.5], [6.5, 8.0]]
    """
    return _pool_any("avg_pool", input, ksize, strides, padding, data_format)


@public("nn.avg_pool1d")
def avg_pool1d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NWC", name: str | None = None
) -> Tensor:
    """The average over sliding windows of 1 spatial axis; see `tf.nn.avg_pool`."""
    return _pool("avg_pool", 1, input, ksize, strides, padding, data_format)


@public("nn.avg_pool2d")
def avg_pool2d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NHWC", name: str | None = None
) -> Tensor:
    """The average over sliding windows of 2 spatial axes; see `tf.nn.avg_pool`."""
    return _pool("avg_pool", 2, input, ksize, strides, padding, data_format)


@public("nn.avg_pool3d")
def avg_pool3d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NDHWC", name: str | None = None
) -> Tensor:
    """The average over sliding windows of 3 spatial axes; see `tf.nn.avg_pool`."""
    return _pool("avg_pool", 3, input, ksize, strides, padding, data_format)


@public("nn.pool")
def pool(
    input: Any,
    window_shape: Any,
    pooling_type: str,
    strides: Any = None,
    padding: Any = "VALID",
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """`tf.nn.max_pool` for a `pooling_type` of "MAX", `tf.nn.avg_pool` for "AVG"; `strides` are 1 by default.

    Raises:
        ValueError: another pooling type.
        UnimplementedError: dilations other than 1.
    """
    op = {"MAX": "max_pool", "AVG": "avg_pool"}.get(pooling_type)
    if op is None:
        raise ValueError(f'`pooling_type` must be "MAX" or "AVG". Received: pooling_type={pooling_type}')
    if dilations is not None and any(
        d != 1 for d in (dilations if isinstance(dilations, list | tuple) else [dilations])
    ):
        raise UnimplementedError("pooling with dilations is not supported")
    return _pool_any(op, input, window_shape, strides, padding, data_format)


@public("nn.max_pool_with_argmax")
def max_pool_with_argmax(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: str,
    data_format: str = "NHWC",
    output_dtype: Any = int64,
    include_batch_in_index: bool = False,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """`tf.nn.max_pool2d`, and where each maximum is.

    Args:
        input: [batch, height, width, channels], of a real dtype and known size.
        ksize: the window's size: an integer, 2 or 4 of them.
        strides: likewise.
        padding: "VALID" or "SAME".
        data_format: "NHWC".
        output_dtype: int32 or int64.
        include_batch_in_index: whether the batch counts in the index.
        name: not used.

    Returns:
        (maxima, indices): an element [b, y, x, c] has the index `(y * width + x) * channels + c`, or with the batch
        `((b * height + y) * width + x) * channels + c`. The first of equal elements counts.

    Raises:
        ValueError: another data format.
        InvalidArgumentError: the input is not 4-dimensional and of known size, or what `tf.nn.max_pool` raises.

    >>> import client as tf
    >>> x = tf.reshape([1.0, 4.0, 3.0, 2.0], [1, 2, 2, 1])
    >>> maxima, indices = tf.nn.max_pool_with_argmax(x, 2, 2, "VALID")
    >>> int(indices[0, 0, 0, 0])
    1
    """
    if data_format != "NHWC":
        raise ValueError(
            f"`data_format` values other than 'NHWC' are not supported. Received: data_format={data_format}"
        )
    (x,) = convert_operands(OPS["max_pool"], (input,))
    shape = x._spec.shape
    if shape is None or len(shape) != 4 or None in shape:
        raise InvalidArgumentError(f"the input must be 4-dimensional and of known size, not {x._spec}")
    counted = shape if include_batch_in_index else (1, *shape[1:])
    count = element_count(counted)
    positions = call("range", start=0, limit=count, delta=1, dtype=as_dtype(output_dtype))
    indices = call("broadcast_to", call("reshape", positions, shape=counted), shape=shape)
    attrs = {
        "window": all_values(ksize, 2, False, "ksize"),
        "strides": all_values(strides, 2, False, "strides"),
        "padding": all_padding(padding, 2),
    }
    maxima = call("max_pool", x, **attrs)
    return maxima, call("max_pool_pick", x, maxima, indices, **attrs)
