"""The public face of reductions that is more than an op: normalization."""

from __future__ import annotations

from typing import Any

from client.api import public
from client.convert import convert_to_tensor
from client.dispatch import call
from client.tensor import Operand, Tensor


@public("math.l2_normalize", "nn.l2_normalize", "linalg.l2_normalize")
def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None) -> Tensor:
    """`x` divided by its Euclidean norm over `axis`: x * rsqrt(max(sum(|x|^2, axis), epsilon)).

    Args:
        x: real or complex floating-point numbers of any shape.
        axis: the axis or axes whose elements make up a vector; None: all.
        epsilon: a lower bound of the squared norm, which keeps vectors of zeros as they are.
        name: not used.
        dim: the old name of `axis`.

    Returns:
        A tensor like `x`.

    Raises:
        TypeError: `x` is of integers.
        tf.errors.InvalidArgumentError: `axis` is out of range or listed twice.

    >>> import client as tf
    >>> tf.math.l2_normalize([3.0, 4.0]).numpy()
    array([0.6, 0.8], dtype=float32)
    """
    values: Any = x if isinstance(x, Operand) else convert_to_tensor(x)
    if values.dtype.is_complex:
        squares = call("add", call("square", call("real", values)), call("square", call("imag", values)))
    else:
        squares = call("square", values)
    total = call("reduce_sum", squares, axis=dim if axis is None else axis, keepdims=True)
    scale = call("rsqrt", call("maximum", total, epsilon))
    if values.dtype.is_complex:
        scale = call("cast", scale, dtype=values.dtype)
    return call("multiply", values, scale)  # type: ignore[no-any-return]
