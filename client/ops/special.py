"""Special functions that are made of others."""

from __future__ import annotations

from typing import Any

from client.api import public
from client.convert import convert_to_tensor
from client.dispatch import call
from client.tensor import Tensor


@public("math.lbeta")
def lbeta(x: Any, name: str | None = None) -> Tensor:
    """log |Beta(x)| over the last axis: sum_i lgamma(x_i) - lgamma(sum_i x_i).

    Args:
        x: a tensor of floats, of rank 1 or more.
        name: ignored.

    Returns:
        A tensor of x's shape without the last axis; -inf where that is empty.

    Raises:
        tf.errors.InvalidArgumentError: `x` is a scalar, or has no floats.

    >>> import client as tf
    >>> tf.math.lbeta([1.0, 1.0])
    <tf.Tensor: shape=(), dtype=float32, numpy=0.0>
    """
    x = convert_to_tensor(x)
    parts = call("reduce_sum", call("lgamma", x), axis=-1)
    return call("subtract", parts, call("lgamma", call("reduce_sum", x, axis=-1)))  # type: ignore[no-any-return]
