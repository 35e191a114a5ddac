"""What prepares arrays for a model: classes as one-hot vectors, unit norms, sequences of one length.

Owns: `to_categorical`, `normalize`, `pad_sequences`. NumPy goes in and comes out; a tensor gives a tensor, and nothing
waits for its value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

import client as tf
from client.api import public
from client.tensor import Operand

_EPSILON: Final = 1e-7


@public("keras.utils.to_categorical")
def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """One-hot vectors of classes.

    Args:
        x: integers of any shape; an array-like, or a tensor, whose last axis is left out if its size is 1.
        num_classes: the size of a vector; None: max(x) + 1, for what is no tensor.

    Returns:
        An array of float64, or for a tensor one of float32, of the shape `x.shape + (num_classes,)`.

    Raises:
        ValueError: no `num_classes` for a tensor, or for no classes at all.
        IndexError: a class that is too large, in what is no tensor; in a tensor it gives zeros.

    >>> import client as tf
    >>> print(tf.keras.utils.to_categorical([0, 2]))
    [[1. 0. 0.]
     [0. 0. 1.]]
    """
    if isinstance(x, Operand):
        if num_classes is None:
            raise ValueError(
                "`num_classes` must be given for a tensor: only the server knows its largest element. "
                "Received: num_classes=None"
            )
        classes = tf.cast(x, tf.int64)
        if len(classes.shape) > 1 and classes.shape[-1] == 1:
            classes = tf.squeeze(classes, -1)
        return tf.one_hot(classes, num_classes)
    labels = np.array(x, np.int64)
    shape = labels.shape[:-1] if labels.ndim > 1 and labels.shape[-1] == 1 else labels.shape
    size = num_classes or int(np.max(labels)) + 1
    found = np.zeros((labels.size, size))
    found[np.arange(labels.size), labels.reshape(-1)] = 1.0
    return found.reshape(*shape, size)


@public("keras.utils.normalize")
def normalize(x: Any, axis: int | None = -1, order: int = 2) -> Any:
    """x divided by its norms; where a norm is 0, x as it is.

    Args:
        x: an array, which gives an array, or a tensor or list, which gives a tensor.
        axis: the axis along which a norm is computed; None: all of x.
        order: the norm's order: sum(|x|^order)^(1 / order).

    Raises:
        ValueError: for a tensor, an `order` that is no positive integer.

    >>> import client as tf, numpy as np
    >>> print(tf.keras.utils.normalize(np.array([[3.0, 4.0]])))
    [[0.6 0.8]]
    """
    if isinstance(x, np.ndarray):
        norms = np.linalg.norm(x, order, axis, keepdims=True)
        return x / np.where(norms == 0, 1, norms)
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"Argument `order` must be an int >= 1. Received: order={order}")
    tensor = tf.convert_to_tensor(x)
    if not (tensor.dtype.is_floating or tensor.dtype.is_complex):
        tensor = tf.cast(tensor, tf.float32)
    if order == 2:
        inverse = tf.math.rsqrt(tf.reduce_sum(tf.square(tensor), axis=axis, keepdims=True))
        return tensor * tf.minimum(inverse, 1.0 / _EPSILON)
    return tensor / tf.maximum(tf.norm(tensor, ord=order, axis=axis, keepdims=True), _EPSILON)


def _item_shape(sequences: Sequence[Any]) -> tuple[int, ...]:
    """The shape of one step, from the first sequence that has any."""
    for each in sequences:
        if len(each):
            return np.asarray(each).shape[1:]
    return ()


@public("keras.utils.pad_sequences")
def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray[Any, Any]:
    """Sequences of different lengths as the rows of one array.

    Args:
        sequences: a list of lists, whose items are numbers or arrays of one shape.
        maxlen: the length of the rows; None: that of the longest sequence.
        dtype: of the result; `object` for strings.
        padding: where short sequences get `value`: `pre` or `post`.
        truncating: where long sequences are cut: `pre` or `post`.
        value: what fills the rest.

    Returns:
        An array of the shape [number of sequences, maxlen] + the shape of an item.

    Raises:
        ValueError: no list of lists, another `padding` or `truncating`, items of different shapes, a string as
            the value of numbers.

    >>> import client as tf
    >>> print(tf.keras.utils.pad_sequences([[1], [2, 3]]))
    [[0 1]
     [2 3]]
    """
    if not hasattr(sequences, "__len__"):
        raise ValueError("`sequences` must be iterable.")
    for each in sequences:
        if not hasattr(each, "__len__"):
            raise ValueError(f"`sequences` must be a list of iterables. Found non-iterable: {each}")
    if truncating not in ("pre", "post"):
        raise ValueError(f'Truncating type "{truncating}" not understood')
    if padding not in ("pre", "post"):
        raise ValueError(f'Padding type "{padding}" not understood')
    if isinstance(value, str) and np.dtype(dtype).kind not in "OUS":
        raise ValueError(
            f"`dtype` {dtype} is not compatible with `value`'s type: {type(value)}\n"
            "You should set `dtype=object` for variable length strings."
        )
    lengths = [len(each) for each in sequences]
    width = int(np.max(lengths)) if maxlen is None else maxlen
    item = _item_shape(sequences)
    found = np.full((len(lengths), width, *item), value, dtype)
    for i, (each, length) in enumerate(zip(sequences, lengths, strict=True)):
        kept = min(length, width)
        if not kept:
            continue
        steps = np.asarray(each[length - kept :] if truncating == "pre" else each[:kept], dtype)
        if steps.shape[1:] != item:
            raise ValueError(
                f"Shape of sample {steps.shape[1:]} of sequence at position {i} is different from expected shape {item}"
            )
        start = 0 if padding == "post" else width - kept
        found[i, start : start + kept] = steps
    return found
