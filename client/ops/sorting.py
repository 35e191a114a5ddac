"""The public face of sorting ops that is more than an op: named results, and weights that may be absent."""

from __future__ import annotations

from typing import Any, NamedTuple

from client.api import public
from client.convert import convert_to_tensor
from client.dispatch import call
from client.tensor import Operand, Tensor
from protocol.dtypes import int32


class TopKV2(NamedTuple):
    """The result of `tf.math.top_k`."""

    values: Tensor
    indices: Tensor


class Unique(NamedTuple):
    """The result of `tf.unique`."""

    y: Tensor
    idx: Tensor


class UniqueWithCounts(NamedTuple):
    """The result of `tf.unique_with_counts`."""

    y: Tensor
    idx: Tensor
    count: Tensor  # type: ignore[assignment]  # hides tuple.count, as in TensorFlow


@public("math.top_k", "nn.top_k")
def top_k(input: Any, k: Any = 1, sorted: bool = True, index_type: Any = int32, name: str | None = None) -> TopKV2:
    """The `k` largest elements of each row (the last axis) and their indices.

    Args:
        input: real numbers, at least one axis.
        k: how many, at most the row's length; may be a tensor.
        sorted: whether the largest must come first; they do in any case.
        index_type: the dtype of the indices: int16, int32 or int64.
        name: not used.

    Returns:
        `(values, indices)`, both of `input`'s shape with `k` in the place of the last dim. Among equal elements the one
        with the lower index comes first. NaN counts as greater than all numbers.

    Raises:
        tf.errors.InvalidArgumentError: `input` is a scalar, or `k` is negative or more than a row's length.

    >>> import client as tf
    >>> values, indices = tf.math.top_k([1, 9, 4, 9], k=3)
    >>> values.numpy().tolist(), indices.numpy().tolist()
    ([9, 9, 4], [1, 3, 2])
    """
    return TopKV2(*call("top_k", input, k=k, sorted=sorted, index_type=index_type))


@public("unique")
def unique(x: Any, out_idx: Any = int32, name: str | None = None) -> Unique:
    """The distinct elements of a vector, in the order of their first occurrence.

    Args:
        x: a vector.
        out_idx: the dtype of the indices: int32 or int64.
        name: not used.

    Returns:
        `(y, idx)`: the distinct elements, and the place of each element of `x` in `y`, so that y[idx[i]] = x[i]. Every
        NaN is distinct. How long `y` is, only the server knows.

    Raises:
        tf.errors.InvalidArgumentError: `x` is not a vector.

    >>> import client as tf
    >>> y, idx = tf.unique([3, 1, 3, 2])
    >>> y.numpy().tolist(), idx.numpy().tolist()
    ([3, 1, 2], [0, 1, 0, 2])
    """
    return Unique(*call("unique", x, out_idx=out_idx))


@public("unique_with_counts")
def unique_with_counts(x: Any, out_idx: Any = int32, name: str | None = None) -> UniqueWithCounts:
    """The distinct elements of a vector, in the order of their first occurrence, and how often each occurs.

    Args:
        x: a vector.
        out_idx: the dtype of indices and counts: int32 or int64.
        name: not used.

    Returns:
        `(y, idx, count)`: as `tf.unique`, with the number of occurrences of each element of `y`.

    Raises:
        tf.errors.InvalidArgumentError: `x` is not a vector.

    >>> import client as tf
    >>> tf.unique_with_counts([3, 1, 3, 2]).count.numpy().tolist()
    [2, 1, 1]
    """
    return UniqueWithCounts(*call("unique_with_counts", x, out_idx=out_idx))


@public("math.bincount")
def bincount(
    arr: Any,
    weights: Any = None,
    minlength: Any = None,
    maxlength: Any = None,
    dtype: Any = int32,
    name: str | None = None,
    axis: int | None = None,
    binary_output: bool = False,
) -> Tensor:
    """How often each of 0, 1, 2, ... occurs in `arr`, or the sum of the weights where it does.

    Args:
        arr: non-negative integers; booleans and floats are cast to int32.
        weights: None to count, or what each element of `arr` adds; of `arr`'s shape.
        minlength: the least number of bins; without it the last bin is that of the greatest element.
        maxlength: the greatest number of bins; elements beyond are passed over.
        dtype: the result's dtype if there are no weights (otherwise it is theirs).
        name: not used.
        axis: None or 0 to count in all of `arr`, -1 to count in each row of a matrix.
        binary_output: give 1 for what occurs, however often. Not with `weights`.

    Returns:
        A vector, or for `axis=-1` a matrix with a row for each row of `arr`.

    Raises:
        ValueError: another `axis`, or weights together with `binary_output`.
        tf.errors.InvalidArgumentError: a negative element or `maxlength`, a rank over 2 for `axis=-1`, or weights of
            another shape.

    >>> import client as tf
    >>> tf.math.bincount([1, 1, 3]).numpy().tolist()
    [0, 2, 0, 1]
    >>> tf.math.bincount([1, 1, 3], weights=[0.5, 1.0, 2.0]).numpy().tolist()
    [0.0, 1.5, 0.0, 2.0]
    """
    values: Any = arr if isinstance(arr, Operand) else convert_to_tensor(arr)
    if not values.dtype.is_integer:
        values = call("cast", values, dtype=int32)
    operands = (values,) if weights is None else (values, weights)
    return call(  # type: ignore[no-any-return]
        "bincount",
        *operands,
        minlength=minlength,
        maxlength=maxlength,
        dtype=dtype,
        axis=axis,
        binary_output=binary_output,
    )
