"""The confusion matrix."""

from __future__ import annotations

from typing import Any

from client.api import public
from client.convert import convert_to_tensor
from client.dispatch import call
from client.tensor import Tensor
from protocol.dtypes import as_dtype, int64


@public("math.confusion_matrix")
def confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: Any = None,
    weights: Any = None,
    dtype: Any = "int32",
    name: str | None = None,
) -> Tensor:
    """How often each class (a row) was predicted as each class (a column).

    Args:
        labels: a vector of classes, from 0, or a column of them.
        predictions: a vector of predicted classes of the same length, or a column of them.
        num_classes: the number of classes; None: one more than the largest, which only the server knows.
        weights: how much each pair counts; None: 1.
        dtype: the dtype of the result.
        name: ignored.

    Returns:
        A matrix of shape (num_classes, num_classes).

    Raises:
        tf.errors.InvalidArgumentError: at the next wait: a class that is negative or not below `num_classes`.

    >>> import client as tf
    >>> print(tf.math.confusion_matrix([1, 2, 2], [1, 2, 1]).numpy())
    [[0 0 0]
     [0 1 0]
     [0 1 1]]
    """
    rows, columns = _same_rank(*(call("cast", convert_to_tensor(v), dtype=int64) for v in (labels, predictions)))
    kind = as_dtype(dtype)
    if num_classes is None:
        largest = call("maximum", call("reduce_max", rows), call("reduce_max", columns))
        num_classes = call("add", largest, 1)
    if weights is None:
        counted = call("ones_like", rows, dtype=kind)
    else:
        counted = convert_to_tensor(weights)
        counted = counted if counted.dtype is kind else call("cast", counted, dtype=kind)
    indices = call("stack", rows, columns, axis=1)
    if isinstance(num_classes, int):
        return call("scatter_nd", indices, counted, shape=(num_classes, num_classes))  # type: ignore[no-any-return]
    size = call("cast", convert_to_tensor(num_classes), dtype=int64)
    return call("scatter_nd", indices, counted, shape=call("stack", size, size, axis=0))  # type: ignore[no-any-return]


def _same_rank(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Two tensors; the one with an axis of 1 more at its end without it."""
    more = len(x.shape) - len(y.shape)
    if more == 1 and x.shape[-1] == 1:
        x = call("squeeze", x, axis=(-1,))
    elif more == -1 and y.shape[-1] == 1:
        y = call("squeeze", y, axis=(-1,))
    return x, y
