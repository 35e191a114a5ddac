"""Regularizers: functions of a weight whose value is added to the loss.

Owns: `Regularizer`, L1, L2, L1L2, OrthogonalRegularizer, and finding one by name.
"""

from __future__ import annotations

from typing import Any, Final

import client as tf
from client.api import public
from client.keras.serialization import Registry

REGULARIZERS: Final = Registry("regularizer")


@public("keras.regularizers.Regularizer", "keras.Regularizer")
class Regularizer:
    """A base: override `__call__(x)`, which gives a scalar, and `get_config`.

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
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or value in (float("inf"),):
        raise ValueError(
            f"Invalid value for argument `{name}`: expected a non-negative float. Received: {name}={value}"
        )
    if value < 0:
        raise ValueError(
            f"Invalid value for argument `{name}`: expected a non-negative float. Received: {name}={value}"
        )
    return float(value)


@public("keras.regularizers.L1L2", "keras.regularizers.l1_l2")
@REGULARIZERS.add("l1_l2")
class L1L2(Regularizer):
    """l1 * sum(|x|) + l2 * sum(x^2).

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
        total = None
        if self.l1:
            total = self.l1 * tf.reduce_sum(tf.abs(x))
        if self.l2:
            squares = self.l2 * tf.reduce_sum(tf.square(x))
            total = squares if total is None else total + squares
        return tf.constant(0.0, x.dtype) if total is None else total

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"l1": self.l1, "l2": self.l2}


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
        return self.l1 * tf.reduce_sum(tf.abs(x))

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
        return self.l2 * tf.reduce_sum(tf.square(x))

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

    >>> import client as tf
    >>> print(float(tf.keras.regularizers.OrthogonalRegularizer(1.0)(tf.eye(2))))
    0.0
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _checked(factor, "factor")
        if mode not in ("rows", "columns"):
            raise ValueError(f'Invalid value for argument `mode`: expected one of {{"rows", "columns"}}. '
                             f"Received: mode={mode}")  # fmt: skip
        self.mode = mode

    def __call__(self, x: Any) -> Any:
        if len(x.shape) != 2:
            raise ValueError(f"Inputs to OrthogonalRegularizer must have rank 2. Received: inputs.shape={x.shape}")
        axis = 1 if self.mode == "rows" else 0
        unit = tf.math.l2_normalize(x, axis=axis)
        products = tf.matmul(unit, unit, transpose_b=axis == 1, transpose_a=axis == 0)
        size = int(x.shape[1 - axis])
        cosines = products * (1.0 - tf.eye(size, dtype=x.dtype))
        return self.factor * 0.5 * tf.reduce_sum(tf.abs(cosines)) / (size * (size - 1.0) / 2.0)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"factor": self.factor, "mode": self.mode}


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
