"""Inputs, targets and sample weights as the one value that a batch is.

Owns: packing and unpacking them, weights of samples by their class. Does not know where batches come from
(`data_adapter`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from client import nest
from client.api import public
from client.convert import constant, from_array
from client.dispatch import call
from client.tensor import Operand


@public("keras.utils.unpack_x_y_sample_weight")
def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """What a `train_step` gets, as inputs, targets and sample weights; None stands for what is missing.

    Raises:
        ValueError: a tuple of more than three.

    >>> import client as tf
    >>> tf.keras.utils.unpack_x_y_sample_weight(("x", "y"))
    ('x', 'y', None)
    """
    if not isinstance(data, tuple | list):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`, found: "
            f"{type(data).__name__} of {len(data)}"
        )
    x, y, weight = (*data, None, None)[:3]
    return x, y, weight


@public("keras.utils.pack_x_y_sample_weight")
def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Inputs, targets and sample weights as one value, without those that are None.

    >>> import client as tf
    >>> tf.keras.utils.pack_x_y_sample_weight("x", "y")
    ('x', 'y')
    """
    if y is None:
        return (x,) if isinstance(x, tuple | list) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def class_weights(y: Any, weights: Mapping[int, float]) -> Any:
    """A weight for each sample by its class, which `y` names or has one-hot; 1 for classes without one.

    Of a tensor it is a tensor; nothing waits.
    """
    if not isinstance(y, Operand):
        labels = np.asarray(y)
        if labels.ndim > 1:
            labels = labels.argmax(-1) if labels.shape[-1] != 1 else labels[..., 0]
        labels = np.round(labels).astype(np.int64)
        found = np.ones(labels.shape, np.float32)
        for name, weight in weights.items():
            found[labels == int(name)] = weight
        return found
    if len(y.shape) > 1:
        y = call("argmax", y, axis=-1) if y.shape[-1] != 1 else call("squeeze", y, axis=(-1,))
    if y.dtype.is_floating:
        y = call("round", y)
    labels = call("cast", y, dtype="int64")
    size = max((int(k) for k in weights), default=-1) + 1
    table = np.ones(size + 1, np.float32)
    for name, weight in weights.items():
        table[int(name)] = weight
    inside = call("logical_and", call("greater_equal", labels, 0), call("less", labels, size))
    return call("gather", from_array(table), call("select", inside, labels, constant(size, "int64")), axis=0)


def with_class_weights(batch: Any, weights: Mapping[int, float]) -> Any:
    """A batch whose sample weights are those of its targets' classes. Raises ValueError where that has no sense."""
    x, y, given = unpack_x_y_sample_weight(batch)
    if given is not None:
        raise ValueError("You cannot specify `class_weight` and `sample_weight` at the same time.")
    if nest.is_nested(y):
        raise ValueError("`class_weight` is only supported for Models with a single output.")
    return batch if y is None else (x, y, class_weights(y, weights))


def sample_weights_of(y: Any, given: Any, classes: Mapping[int, float] | None) -> Any:
    """The sample weights of arrays: those given, one for each output, or those of the classes."""
    if classes is not None:
        if given is not None:
            raise ValueError("You cannot `class_weight` and `sample_weight` at the same time.")
        if nest.is_nested(y):
            raise ValueError("`class_weight` is only supported for Models with a single output.")
        return class_weights(y, classes)
    if given is None or not nest.is_nested(y):
        return given
    if not nest.is_nested(given):
        shape = tuple(given.shape)
        if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
            raise ValueError(
                "For a model with multiple outputs, when providing a single `sample_weight` array, it should only have "
                "one scalar score per sample (i.e. shape `(num_samples,)`). If you want to use non-scalar sample "
                "weights, pass a `sample_weight` argument with one array per model output."
            )
        return nest.map_structure(lambda _: given, y)
    try:
        nest.assert_same_structure(y, given, check_types=False)
    except ValueError:
        raise ValueError(
            "You should provide one `sample_weight` array per output in `y`. The two structures did not match."
        ) from None
    return given
