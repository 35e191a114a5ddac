"""Moments and normalisation: functions made of several ops, so that all of them have gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from client.api import public
from client.convert import convert_operands, convert_to_tensor
from client.dispatch import call
from client.ops.nn import in_dtype, operand
from client.tensor import Tensor
from protocol.dtypes import bfloat16, float16, float32
from protocol.errors import InvalidArgumentError
from protocol.ops import OPS


@public("nn.moments")
def moments(
    x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and variance over `axes`; the variance is that of the population, divided by n.

    Args:
        x: numbers.
        axes: the axes to reduce; None is all.
        shift: not used.
        keepdims: whether the reduced axes stay, with length 1.
        name: not used.

    Returns:
        (mean, variance), of the dtype of `x`; halves are computed in float32.

    >>> import client as tf
    >>> mean, variance = tf.nn.moments(tf.constant([1.0, 2.0, 3.0, 6.0]), axes=[0])
    >>> float(mean), float(variance)
    (3.0, 3.5)
    """
    value = operand(x)
    if value.dtype in OPS["moments"].types:
        mean, variance = call("moments", value, axes=axes, keepdims=keepdims)
        return mean, variance
    centre: Any = call("reduce_mean", value, axis=axes, keepdims=True)
    away = value - centre
    return (
        call("reduce_mean", value, axis=axes, keepdims=keepdims),
        call("reduce_mean", away * away, axis=axes, keepdims=keepdims),
    )


@public("nn.weighted_moments")
def weighted_moments(
    x: Any, axes: Any, frequency_weights: Any, keepdims: bool = False, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and variance over `axes`, where an element counts as often as its weight says.

    Args:
        x: floating-point numbers.
        axes: the axes to reduce.
        frequency_weights: weights that broadcast with `x`.
        keepdims: whether the reduced axes stay, with length 1.
        name: not used.

    >>> import client as tf
    >>> mean, variance = tf.nn.weighted_moments(tf.constant([1.0, 5.0]), [0], [3.0, 1.0])
    >>> float(mean), float(variance)
    (2.0, 3.0)
    """
    value = operand(x)
    dtype = value.dtype
    value = in_dtype(value, float32) if dtype in (float16, bfloat16) else value
    given = operand(frequency_weights)
    weights: Any = in_dtype(given, value.dtype)

    def total(v: Any, keep: bool = True) -> Any:
        return call("reduce_sum", v, axis=axes, keepdims=keep)

    weighted = weights * value
    # The weights may be of fewer dims than x: what they sum to is counted over the broadcast shape.
    count = total(weights + call("zeros_like", value))
    mean = total(weighted) / count
    away = value - mean
    variance = total(weights * (away * away)) / count
    if not keepdims:
        mean, variance = (call("reduce_sum", v, axis=axes, keepdims=False) for v in (mean, variance))
    return in_dtype(mean, dtype), in_dtype(variance, dtype)


@public("nn.sufficient_statistics")
def sufficient_statistics(
    x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: str | None = None
) -> tuple[Tensor, Any, Any, Any]:
    """What mean and variance are made of, for `normalize_moments`: (count, sum of x - shift, sum of squares, shift).

    Args:
        x: numbers.
        axes: the axes to reduce.
        shift: near the mean, for accuracy; None is 0.
        keepdims: whether the reduced axes stay, with length 1.
        name: not used.
    """
    value = operand(x)
    count = call("reduce_max", call("reduce_sum", call("ones_like", value), axis=axes))
    away = value if shift is None else value - shift
    return (
        count,
        call("reduce_sum", away, axis=axes, keepdims=keepdims),
        call("reduce_sum", away * away, axis=axes, keepdims=keepdims),
        None if shift is None else convert_to_tensor(shift, dtype=value.dtype),
    )


@public("nn.normalize_moments")
def normalize_moments(
    counts: Any, mean_ss: Any, variance_ss: Any, shift: Any, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and variance from `tf.nn.sufficient_statistics`.

    >>> import client as tf
    >>> mean, variance = tf.nn.normalize_moments(4.0, 12.0, 50.0, None)
    >>> float(mean), float(variance)
    (3.0, 3.5)
    """
    total: Any
    total, squares = convert_operands(OPS["multiply"], (mean_ss, variance_ss))
    share: Any = 1 / convert_to_tensor(counts, dtype_hint=total.dtype)  # type: ignore[operator]
    away = total * share
    return away if shift is None else away + shift, squares * share - away * away


@public("nn.batch_normalization")
def batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: Any, name: str | None = None
) -> Tensor:
    """`scale * (x - mean) / sqrt(variance + variance_epsilon) + offset`.

    Args:
        x: floating-point numbers.
        mean: broadcasts with `x`, like the next three.
        variance: see `mean`.
        offset: None leaves it out.
        scale: None leaves it out.
        variance_epsilon: a small number that keeps the division away from 0.
        name: not used.

    >>> import client as tf
    >>> y = tf.nn.batch_normalization(tf.constant([1.0, 3.0]), 1.0, 4.0, 10.0, 2.0, 0.0)
    >>> y.numpy().tolist()
    [10.0, 12.0]
    """
    value = operand(x)
    spread = operand(variance, value.dtype)
    factor: Any = call("rsqrt", spread + variance_epsilon)
    if scale is not None:
        factor = factor * scale
    shift = -(mean * factor) if offset is None else offset - mean * factor
    return value * in_dtype(factor, value.dtype) + in_dtype(shift, value.dtype)  # type: ignore[no-any-return]


@public("nn.lrn", "nn.local_response_normalization")
def local_response_normalization(
    input: Any, depth_radius: int = 5, bias: float = 1, alpha: float = 1, beta: float = 0.5, name: str | None = None
) -> Tensor:
    """Each channel divided by a power of its neighbours' squares: `input / (bias + alpha * s) ** beta`.

    Here s is the sum of squares over the channels at most `depth_radius` away.

    Args:
        input: [batch, height, width, channels], floating-point.
        depth_radius: how far the neighbours reach on either side.
        bias: keeps the division away from 0.
        alpha: a factor.
        beta: an exponent.
        name: not used.

    Raises:
        InvalidArgumentError: the input is not 4-dimensional, or its number of channels is not known.

    >>> import client as tf
    >>> [round(v, 2) for v in tf.nn.lrn(tf.ones([1, 1, 1, 3]), depth_radius=1, beta=1.0).numpy().ravel().tolist()]
    [0.33, 0.25, 0.33]
    """
    x = operand(input)
    shape = x._spec.shape
    if shape is None or len(shape) != 4 or shape[-1] is None:
        raise InvalidArgumentError(f"in must be 4-dimensional, with a known number of channels, not {x._spec}")
    channel = np.arange(shape[-1])
    near = abs(channel[:, None] - channel) <= depth_radius
    squares: Any = call("tensordot", x * x, convert_to_tensor(near.astype(x.dtype.numpy)), a_axes=(3,), b_axes=(0,))
    return x / (bias + alpha * squares) ** beta  # type: ignore[no-any-return]
