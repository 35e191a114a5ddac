"""What losses share: the base class, weights and reduction, finding one by name.

Owns: `Loss`, `LossFunctionWrapper`, `Reduction`, `weighted`, ranks made equal. Does not know any loss in particular.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import client as tf
from client import nest
from client.api import public
from client.keras.layers import masks
from client.keras.layers.layer import unique_name
from client.keras.serialization import Registry
from client.tensor import Operand, Tensor
from client.tracking import snake_case
from protocol.dtypes import as_dtype

LOSSES: Final = Registry("loss")
EPSILON: Final = 1e-7
REDUCTIONS: Final = ("sum_over_batch_size", "sum", None, "none", "mean", "mean_with_sample_weight")


@public("keras.losses.Reduction")
class Reduction:
    """The names of reductions, for programs that write `Reduction.NONE`.

    >>> import client as tf
    >>> tf.keras.losses.Reduction.SUM
    'sum'
    """

    AUTO: Final = "sum_over_batch_size"
    NONE: Final = "none"
    SUM: Final = "sum"
    SUM_OVER_BATCH_SIZE: Final = "sum_over_batch_size"

    @classmethod
    def all(cls) -> tuple[str, ...]:
        """All of them."""
        return (cls.AUTO, cls.NONE, cls.SUM, cls.SUM_OVER_BATCH_SIZE)


@public("keras.losses.Loss", "keras.Loss")
class Loss:
    """A base: override `call(y_true, y_pred)`, which gives a loss for each example.

    Args:
        name: its name.
        reduction: how the examples' losses become one: `sum_over_batch_size` (their mean) or `mean`, `sum`,
            `mean_with_sample_weight` (divided by the sum of the weights), or None for no reduction.
        dtype: the dtype to compute in; None: float32.

    Raises:
        ValueError: another reduction.

    >>> import client as tf
    >>> class Half(tf.keras.losses.Loss):
    ...     def call(self, y_true, y_pred):
    ...         return tf.reduce_mean((y_pred - y_true) / 2.0, axis=-1)
    >>> print(float(Half()([[0.0], [2.0]], [[1.0], [5.0]])))
    1.0
    """

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        self.name = name or unique_name(snake_case(type(self).__name__))
        if reduction not in REDUCTIONS:
            raise ValueError(
                f"Invalid value for argument `reduction`. Expected one of {set(REDUCTIONS)}. Received: "
                f"reduction={reduction}"
            )
        self.reduction = reduction
        self._dtype = as_dtype("float32" if dtype is None else dtype)

    @property
    def dtype(self) -> Any:
        """The dtype it computes in."""
        return self._dtype

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        mask = masks.of(y_pred) if masks.any_masks() and isinstance(y_pred, Operand) else None
        y_pred = _each(self._converted, y_pred)
        y_true = _each(self._labels, y_true)
        values = self.call(y_true, y_pred)
        if masks.any_masks():
            made = masks.of(values)
            mask = made if mask is None else mask if made is None else tf.logical_and(mask, made)
        return weighted(values, sample_weight, mask, self.reduction, self._dtype)

    def _converted(self, value: Any) -> Any:
        return converted(value, self._dtype)

    def _labels(self, value: Any) -> Any:
        return converted(value, self._dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each example."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """One made of what `get_config` gave."""
        return cls(**config)


def _same_ranks(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """`same_rank` of each pair in two structures; structures that differ are left to the function."""
    labels, predictions = nest.flatten(y_true), nest.flatten(y_pred)
    if len(labels) != len(predictions) or not all(isinstance(t, Operand) for t in (*labels, *predictions)):
        return y_true, y_pred
    made = [same_rank(t, p) for t, p in zip(labels, predictions, strict=True)]
    return nest.pack_sequence_as(y_true, [t for t, _ in made]), nest.pack_sequence_as(y_pred, [p for _, p in made])


def _each(function: Callable[[Any], Any], value: Any) -> Any:
    """`function` of a tensor or array, or of each in a structure; nested lists of numbers are one array."""
    leaves = nest.flatten(value)
    if any(isinstance(v, Operand) or hasattr(v, "__array__") for v in leaves):
        return nest.map_structure(function, value)
    return function(tf.convert_to_tensor(value))


class LossFunctionWrapper(Loss):
    """A loss whose examples' values a function gives: fn(y_true, y_pred, **kwargs)."""

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each example."""
        if isinstance(y_true, Operand) and isinstance(y_pred, Operand):
            y_true, y_pred = same_rank(y_true, y_pred)
        else:
            y_true, y_pred = _same_ranks(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        config = {**super().get_config(), **self._fn_kwargs}
        if type(self) is LossFunctionWrapper:
            config["fn"] = LOSSES.serialize(self.fn)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """One made of what `get_config` gave."""
        if cls is LossFunctionWrapper and "fn" in config:
            config = {**config, "fn": LOSSES.deserialize(config["fn"])}
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({self.fn!r}, kwargs={self._fn_kwargs})>"


def converted(value: Any, dtype: Any) -> Any:
    """`value` as a tensor of `dtype`; a variable as its value."""
    if not isinstance(value, Operand):
        value = tf.convert_to_tensor(value)
    return value if value._spec.dtype is dtype else tf.cast(value, dtype)


def as_predictions(value: Any) -> Any:
    """Predictions as a tensor of floats."""
    tensor = value if isinstance(value, Operand) else tf.convert_to_tensor(value)
    return tensor if tensor._spec.dtype.is_floating else tf.cast(tensor, tf.float32)


def converted_pair(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Labels and predictions as tensors of the predictions' dtype."""
    y_pred = as_predictions(y_pred)
    return converted(y_true, y_pred._spec.dtype), y_pred


def pair(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Labels and predictions as tensors of the predictions' dtype and of the same rank."""
    return same_rank(*converted_pair(y_true, y_pred))


def dims(tensor: Any) -> tuple[Any, ...]:
    """The shape as a tuple, None where only the server knows; asks it for nothing but an unknown rank."""
    shape = tensor._spec.shape
    return tuple(tensor.shape) if shape is None else shape


def same_rank(x: Any, y: Any, expand: bool = True) -> tuple[Any, Any]:
    """Two tensors of which one may have an axis of 1 more at the end: both with it, or without it."""
    first, second = dims(x), dims(y)
    a, b = len(first), len(second)
    if a == b + 1 and first[-1] == 1:
        if b == 1 and expand:
            y = tf.expand_dims(y, -1)
        else:
            x = tf.squeeze(x, -1)
    elif b == a + 1 and second[-1] == 1:
        if a == 1 and expand:
            x = tf.expand_dims(x, -1)
        else:
            y = tf.squeeze(y, -1)
    return x, y


def weighted(values: Any, sample_weight: Any, mask: Any, reduction: str | None, dtype: Any) -> Any:
    """Examples' losses, weighed and reduced."""
    values = converted(values, dtype)
    weights = None if sample_weight is None else converted(sample_weight, dtype)
    if mask is not None:
        weights = _with_mask(weights, converted(mask, dtype), reduction)
    if weights is not None:
        values, weights = same_rank(values, weights)
        values = values * weights
    return _reduced(values, weights, reduction)


def _with_mask(weights: Any, mask: Tensor, reduction: str | None) -> Tensor:
    """Weights that are zero outside of the mask; for a mean, larger within, so that what is left out does not count."""
    if reduction in ("mean", "sum_over_batch_size"):
        mask = mask * tf.math.divide_no_nan(_size(mask), tf.reduce_sum(mask))
    if weights is None:
        return mask
    weights, mask = same_rank(weights, mask)
    return weights * mask


def _size(values: Any) -> Any:
    """The number of elements: a number, or a tensor of the values' dtype where only the server knows."""
    shape = dims(values)
    return tf.cast(tf.size(values), values.dtype) if None in shape else float(math.prod(shape))


def _reduced(values: Any, weights: Any, reduction: str | None) -> Any:
    shape = dims(values)
    if reduction is None or reduction == "none" or shape in ((), (0,)):
        return values
    if reduction == "sum":
        return tf.reduce_sum(values)
    if reduction == "mean_with_sample_weight" and weights is not None:
        return tf.math.divide_no_nan(tf.reduce_sum(values), tf.reduce_sum(weights))
    if None in shape:
        return tf.math.divide_no_nan(tf.reduce_sum(values), _size(values))  # 0 where there is nothing
    return tf.reduce_mean(values) if math.prod(shape) else tf.reduce_sum(values)


@public("keras.losses.get")
def get(identifier: Any) -> Any:
    """The loss that a name, configuration or callable stands for; None of None. Raises ValueError.

    >>> import client as tf
    >>> tf.keras.losses.get("mse") is tf.keras.losses.mean_squared_error
    True
    """
    return LOSSES.get(identifier)


@public("keras.losses.serialize")
def serialize(loss: Any) -> Any:
    """Its configuration.

    >>> import client as tf
    >>> tf.keras.losses.serialize(tf.keras.losses.mean_squared_error)
    'mean_squared_error'
    """
    return LOSSES.serialize(loss)


@public("keras.losses.deserialize")
def deserialize(name: Any, custom_objects: Any = None) -> Any:
    """The loss of a name or configuration.

    >>> import client as tf
    >>> tf.keras.losses.deserialize("hinge") is tf.keras.losses.hinge
    True
    """
    return LOSSES.deserialize(name, custom_objects)
