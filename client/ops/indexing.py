"""The public face of gathers, masks and choices."""

from __future__ import annotations

from typing import Any

import numpy as np

from client.api import public
from client.convert import constant_value_tensor, convert_to_tensor, static_value
from client.dispatch import call
from client.tensor import Operand, Tensor
from protocol.dtypes import bool_
from protocol.ops import OPS


@public("gather")
def gather(
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    axis: Any = None,
    batch_dims: int = 0,
    name: str | None = None,
) -> Tensor:
    """The slices of `params` at `indices` along an axis: result[..., i, ...] = params[..., indices[i], ...].

    Args:
        params: a tensor with at least one axis.
        indices: integers in [0, params.shape[axis]), of any shape.
        validate_indices: not used; indices are always checked.
        axis: the axis, an int or a scalar tensor; None: the first after the batch axes.
        batch_dims: how many first axes `params` and `indices` share and go through side by side.
        name: not used.

    Returns:
        A tensor of shape params.shape[:axis] + indices.shape[batch_dims:] + params.shape[axis + 1:].

    Raises:
        tf.errors.InvalidArgumentError: axes that don't fit; at the next wait, an index out of range.
            A GPU gives zeros for such an index.

    >>> import client as tf
    >>> tf.gather([10, 20, 30], [2, 0]).numpy().tolist()
    [30, 10]
    >>> tf.gather([[1, 2], [3, 4]], [1, 0], axis=1, batch_dims=1).numpy().tolist()
    [2, 3]
    """
    return call("gather", params, indices, axis=batch_dims if axis is None else axis, batch_dims=batch_dims)  # type: ignore[no-any-return]


@public("boolean_mask")
def boolean_mask(tensor: Any, mask: Any, axis: int | None = None, name: str | None = None) -> Tensor:
    """The entries of `tensor` where `mask` is true.

    Args:
        tensor: a tensor.
        mask: bools, of a known rank k > 0, whose shape is that of the k axes of `tensor` from `axis` on.
        axis: the first masked axis, 0 by default.
        name: not used.

    Returns:
        A tensor in which one axis, as long as the mask has true elements, stands for the k masked ones. Where the
        client knows the mask (a list or a small array) it knows the shape; else asking for the shape waits.

    Raises:
        ValueError: the mask is a scalar, or does not fit.

    >>> import client as tf
    >>> tf.boolean_mask([[1, 2], [3, 4]], [False, True]).numpy().tolist()
    [[3, 4]]
    """
    x: Any = tensor if isinstance(tensor, Operand) else convert_to_tensor(tensor)
    hits: Any = mask if isinstance(mask, Operand) else convert_to_tensor(mask)
    if not hits.dtype.is_bool:
        hits = call("cast", hits, dtype=bool_)
    at = _int(axis)
    known = static_value(hits)
    OPS["boolean_mask"].infer((x._spec, hits._spec), {"axis": at})  # refuses what does not fit
    if known is None or not x._spec.is_static:
        return call("boolean_mask", x, hits, axis=at)  # type: ignore[no-any-return]
    shape = x._spec.shape
    first = (at or 0) % len(shape)
    if known.ndim > 1:
        x = call("reshape", x, shape=(*shape[:first], known.size, *shape[first + known.ndim :]))
    return call("gather", x, constant_value_tensor(np.flatnonzero(known)), axis=first)  # type: ignore[no-any-return]


def _int(axis: Any) -> int | None:
    known = static_value(axis)
    return axis if known is None else int(known)


@public("where")
def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """The elements of `x` where `condition` holds, those of `y` elsewhere; with `condition` alone, where it holds.

    Args:
        condition: bools; alone, any numbers, of which those that are not zero count.
        x: a tensor; `condition`, `x` and `y` broadcast.
        y: a tensor of the same dtype.
        name: not used.

    Returns:
        A tensor of the broadcast shape. With `condition` alone, an int64 tensor [n, rank] with the indices of the n
        elements, in row-major order: how many there are is a value, so asking for the shape waits.

    Raises:
        ValueError: only one of `x` and `y` is given.
        tf.errors.InvalidArgumentError: the shapes don't broadcast, or `condition` alone is a scalar.

    >>> import client as tf
    >>> tf.where([True, False, True], [1, 2, 3], 0).numpy().tolist()
    [1, 0, 3]
    >>> tf.where([0, 5, 7]).numpy().tolist()
    [[1], [2]]
    """
    if x is None and y is None:
        return call("where", condition)  # type: ignore[no-any-return]
    if x is None or y is None:
        raise ValueError("x and y must both be non-None or both be None.")
    return call("select", condition, x, y)  # type: ignore[no-any-return]
