"""Regularizers: functions of a weight whose value is added to the loss.

Owns: `Regularizer`, L1, L2, L1L2, OrthogonalRegularizer, and finding one by name. Does not know layers or losses.
"""

from __future__ import annotations

import math
from typing import Any, Final

import client as tf
from client.api import public
from client.keras.serialization import Registry

REGULARIZERS: Final = Registry("regularizer")
_SMALLEST_NORM: Final = 1e-7
"""Shorter rows are not scaled to length 1."""


@public("keras.regularizers.Regularizer", "keras.Regularizer")
class Regularizer:
    """A base: override `__call__(x)`, which gives a scalar tensor, and `get_config`.

    >>> import client as tf
    >>> print(float(tf.keras.regularizers.L2(0.5)(tf.constant([1.0, 2.0]))))
    2.5
    """

    def __call__(self, x: Any) -> Any:
        return 0.0

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        raise NotImplementedError(f"{self} does not implement get_config()")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """One made of what `get_config` gave."""
        return cls(**config)


def _checked(value: Any, name: str) -> float:
    """`value` as a float. Raises ValueError unless it is a finite number that is not negative."""
    if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"Invalid value for argument {name}: expected a non-negative float. Received: {name}={value}")
    return float(value)


def _absolute(factor: float, x: Any) -> Any:
    return factor * tf.reduce_sum(tf.abs(x))


def _squared(factor: float, x: Any) -> Any:
    return 2.0 * factor * tf.nn.l2_loss(x)  # half the sum of squares, in one op


@public("keras.regularizers.L1L2", "keras.regularizers.l1_l2")
@REGULARIZERS.add()
class L1L2(Regularizer):
    """l1 * sum(|x|) + l2 * sum(x^2). By its name, `"l1_l2"`, both factors are 0.01.

    Args:
        l1: the first factor.
        l2: the second.

    Raises:
        ValueError: a factor is negative, infinite or no number.

    >>> import client as tf
    >>> print(float(tf.keras.regularizers.L1L2(l1=1.0, l2=1.0)(tf.constant([1.0, -2.0]))))
    8.0
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _checked(0.0 if l1 is None else l1, "l1")
        self.l2 = _checked(0.0 if l2 is None else l2, "l2")

    def __call__(self, x: Any) -> Any:
        if not self.l1:
            return _squared(self.l2, x) if self.l2 else tf.constant(0.0, x.dtype)
        found = _absolute(self.l1, x)
        return found + _squared(self.l2, x) if self.l2 else found

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"l1": self.l1, "l2": self.l2}


REGULARIZERS.objects["l1_l2"] = L1L2(0.01, 0.01)  # by name, as in TF 2: the class's defaults would do nothing


@public("keras.regularizers.L1", "keras.regularizers.l1")
@REGULARIZERS.add("l1")
class L1(Regularizer):
    """l1 * sum(|x|).

    Args:
        l1: the factor.

    >>> import client as tf
    >>> print(float(tf.keras.regularizers.L1(1.0)(tf.constant([1.0, -2.0]))))
    3.0
    """

    def __init__(self, l1: float | None = 0.01) -> None:
        self.l1 = _checked(0.01 if l1 is None else l1, "l1")

    def __call__(self, x: Any) -> Any:
        return _absolute(self.l1, x)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"l1": self.l1}


@public("keras.regularizers.L2", "keras.regularizers.l2")
@REGULARIZERS.add("l2")
class L2(Regularizer):
    """l2 * sum(x^2).

    Args:
        l2: the factor.

    >>> import client as tf
    >>> print(float(tf.keras.regularizers.L2(1.0)(tf.constant([1.0, -2.0]))))
    5.0
    """

    def __init__(self, l2: float | None = 0.01) -> None:
        self.l2 = _checked(0.01 if l2 is None else l2, "l2")

    def __call__(self, x: Any) -> Any:
        return _squared(self.l2, x)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"l2": self.l2}


@public("keras.regularizers.OrthogonalRegularizer", "keras.regularizers.orthogonal_regularizer")
@REGULARIZERS.add("orthogonal_regularizer")
class OrthogonalRegularizer(Regularizer):
    """factor * the mean of |cosine| over the pairs of rows (or columns) of a matrix.

    Args:
        factor: the factor.
        mode: `rows` or `columns`.

    Raises:
        ValueError: another mode; an input that is no matrix.

    A matrix of one row has no pairs: the result is NaN.

    >>> import client as tf
    >>> print(float(tf.keras.regularizers.OrthogonalRegularizer(1.0)(tf.eye(2))))
    0.0
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _checked(factor, "factor")
        if mode not in ("rows", "columns"):
            raise ValueError(
                f'Invalid value for argument `mode`. Expected one of {{"rows", "columns"}}. Received: mode={mode}'
            )
        self.mode = mode

    def __call__(self, x: Any) -> Any:
        if len(x.shape) != 2:
            raise ValueError(f"Inputs to OrthogonalRegularizer must have rank 2. Received: inputs.shape={x.shape}")
        axis = 1 if self.mode == "rows" else 0
        size = x.shape[1 - axis]
        unit = tf.math.l2_normalize(x, axis=axis, epsilon=_SMALLEST_NORM**2)
        cosines = tf.matmul(unit, unit, transpose_a=axis == 0, transpose_b=axis == 1)
        pairs = tf.linalg.set_diag(cosines, tf.zeros([size], x.dtype))  # each of them twice
        return _absolute(self.factor / (size * (size - 1)) if size > 1 else math.nan, pairs)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"factor": self.factor, "mode": self.mode}


# The names in snake case stand for the same classes.
l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer


@public("keras.regularizers.get")
def get(identifier: Any) -> Any:
    """The regularizer that a name, configuration or callable stands for; None of None. Raises ValueError.

    >>> import client as tf
    >>> tf.keras.regularizers.get("l2").get_config()
    {'l2': 0.01}
    """
    return REGULARIZERS.get(identifier)


@public("keras.regularizers.serialize")
def serialize(regularizer: Any) -> Any:
    """Its configuration.

    >>> import client as tf
    >>> tf.keras.regularizers.serialize(tf.keras.regularizers.L1(0.5))
    {'class_name': 'L1', 'config': {'l1': 0.5}}
    """
    return REGULARIZERS.serialize(regularizer)


@public("keras.regularizers.deserialize")
def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The regularizer of a configuration.

    >>> import client as tf
    >>> tf.keras.regularizers.deserialize({"class_name": "L1", "config": {"l1": 0.5}}).l1
    0.5
    """
    return REGULARIZERS.deserialize(config, custom_objects)
