"""`keras.utils.split_dataset`: rows in two parts, such as for training and for tests.

Owns: which rows go where. The rows of arrays stay on this side, and those of datasets and tensors where they are made.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

import client as tf
from client.api import public
from client.tensor import Operand


@public("keras.utils.split_dataset")
def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Any, Any]:
    """Two datasets: the first rows of one, and its last.

    All elements are taken once, here, so that a dataset that shuffles gives both parts of the same pass.

    Args:
        dataset: a `tf.data.Dataset`, an array, or a list or tuple of arrays of one length. If the last step of a
            dataset is `batch`, its rows are split, and put together again.
        left_size: how many rows, or a float between 0 and 1 for a part of them; None: those that the other leaves.
        right_size: the same, of the second dataset.
        shuffle: whether to put the rows into a random order first.
        seed: of that order.
        preferred_backend: accepted; there is one.

    Raises:
        TypeError: something else than a dataset or arrays, or than a number as a size.
        ValueError: no rows or no end of them, arrays of different lengths, no size, or sizes that leave a part
            empty or are too large.

    >>> import client as tf, numpy as np
    >>> train, test = tf.keras.utils.split_dataset(np.arange(5), left_size=0.6)
    >>> print([int(x) for x in train], [int(x) for x in test])
    [0, 1, 2] [3, 4]
    """
    rows, batch_size = _rows(dataset)
    if left_size is None and right_size is None:
        raise ValueError(
            "At least one of the `left_size` or `right_size` must be specified. Received: left_size=None and "
            "right_size=None"
        )
    total = int(tf.nest.flatten(rows)[0].shape[0])
    first, last = _sizes(left_size, right_size, total)
    order = np.arange(total).tolist()
    if shuffle:
        random.Random(random.randint(0, 10**6) if seed is None else seed).shuffle(order)
    parts = []
    for chosen in (order[:first], order[total - last :]):
        part = tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(lambda c, at=chosen: _take(c, at), rows))
        parts.append((part if batch_size is None else part.batch(batch_size)).prefetch(tf.data.AUTOTUNE))
    return parts[0], parts[1]


def _rows(dataset: Any) -> tuple[Any, int | None]:
    """All rows side by side, and the size of the batches in which they came."""
    if isinstance(dataset, tf.data.Dataset):
        if dataset._size() == tf.data.INFINITE_CARDINALITY:
            raise ValueError("An infinite dataset has no last rows. Take some of its elements first.")
        batched = dataset._kind == "Batch"
        found = next(iter((dataset.unbatch() if batched else dataset).batch(2**31 - 1)), None)
        if found is None:
            raise ValueError("Received an empty dataset.")
        if not batched:
            return found, None
        return found, int(tf.nest.flatten(next(iter(dataset)))[0].shape[0])
    if isinstance(dataset, np.ndarray | Operand):
        arrays = [dataset]
    elif isinstance(dataset, list | tuple):
        arrays = list(dataset)
    else:
        raise TypeError(f"Unsupported dataset type: {type(dataset)}")
    for i, array in enumerate(arrays):
        if not isinstance(array, np.ndarray | Operand):
            raise ValueError(f"Expected a list of `numpy.ndarray` objects, Received: {type(array)} at index {i}.")
        if not len(array.shape) or array.shape[0] != arrays[0].shape[0]:
            raise ValueError(
                f"Received a list of NumPy arrays with different lengths. Mismatch found at index {i}, Expected shape="
                f"{arrays[0].shape} Received shape={array.shape}. Please provide a list of NumPy arrays of the same "
                "length."
            )
    if not arrays or not arrays[0].shape[0]:
        raise ValueError(
            "Received an empty dataset. Argument `dataset` must be a non-empty list/tuple of `numpy.ndarray` objects "
            "or `tf.data.Dataset` objects."
        )
    return (tuple(arrays) if isinstance(dataset, list | tuple) else dataset), None


def _take(column: Any, positions: list[int]) -> Any:
    return tf.gather(column, positions) if isinstance(column, Operand) else column[positions]


def _sizes(left: float | None, right: float | None, total: int) -> tuple[int, int]:
    """Both sizes as numbers of rows."""
    counts: list[int | None] = []
    for name, size in (("left_size", left), ("right_size", right)):
        if size is not None and type(size) not in (int, float):
            raise TypeError(
                f"Invalid `{name}` Type. Expected: int or float or None, Received: type({name})={type(size)}."
            )
        if size is not None and not 0 < size < (1 if isinstance(size, float) else total):
            raise ValueError(
                f"`{name}` should be either a positive integer smaller than {total}, or a float within the range "
                f"`[0, 1]`. Received: {name}={size}"
            )
        counts.append(round(size * total) if isinstance(size, float) else size)
    if isinstance(left, float) and isinstance(right, float) and left + right > 1:
        raise ValueError(
            "The sum of `left_size` and `right_size` is greater than 1. It must be less than or equal to 1."
        )
    first, last = counts
    first = total - (last or 0) if first is None else first
    last = total - first if last is None else last
    if first + last > total:
        raise ValueError(
            f"The sum of `left_size` and `right_size` should be smaller than the {total}. Received: left_size + "
            f"right_size = {first + last} and total_length = {total}"
        )
    if not first or not last:
        raise ValueError(
            f"With `dataset` of length={total}, `left_size`={first} and `right_size`={last}, one of the parts would be "
            "empty. Adjust any of the aforementioned parameters"
        )
    return first, last
