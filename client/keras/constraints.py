"""Constraints: what an optimizer does to a weight after each update.

Owns: `Constraint`, MaxNorm, NonNeg, UnitNorm, MinMaxNorm, and finding one by name. Does not know optimizers.
"""

from __future__ import annotations

from typing import Any, Final

import client as tf
from client.api import public
from client.keras.serialization import Registry

CONSTRAINTS: Final = Registry("constraint")
_EPSILON: Final = 1e-7


@public("keras.constraints.Constraint")
class Constraint:
    """A base: override `__call__(w)`, which gives the constrained value.

    >>> import client as tf
    >>> print(tf.keras.constraints.NonNeg()(tf.constant([-1.0, 2.0])).numpy())
    [0. 2.]
    """

    def __call__(self, w: Any) -> Any:
        return w

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """One made of what `get_config` gave."""
        return cls(**config)


def _norms(w: Any, axis: Any) -> Any:
    return tf.math.reduce_euclidean_norm(w, axis=axis, keepdims=True)


@public("keras.constraints.MaxNorm", "keras.constraints.max_norm")
@CONSTRAINTS.add("max_norm", "maxnorm")
class MaxNorm(Constraint):
    """Norms along `axis` are at most `max_value`.

    Args:
        max_value: the largest norm.
        axis: the axis or axes along which a norm is computed.

    >>> import client as tf
    >>> print(tf.keras.constraints.MaxNorm(1.0)(tf.constant([[3.0], [4.0]])).numpy())
    [[0.6]
     [0.8]]
    """

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        norms = _norms(w, self.axis)
        return w * (tf.minimum(norms, self.max_value) / (norms + _EPSILON))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"max_value": self.max_value, "axis": self.axis}


@public("keras.constraints.NonNeg", "keras.constraints.non_neg")
@CONSTRAINTS.add("non_neg", "nonneg")
class NonNeg(Constraint):
    """No element is negative.

    >>> import client as tf
    >>> print(tf.keras.constraints.NonNeg()(tf.constant([-1.0, 2.0])).numpy())
    [0. 2.]
    """

    def __call__(self, w: Any) -> Any:
        return tf.nn.relu(w)


@public("keras.constraints.UnitNorm", "keras.constraints.unit_norm")
@CONSTRAINTS.add("unit_norm", "unitnorm")
class UnitNorm(Constraint):
    """Norms along `axis` are 1.

    Args:
        axis: the axis or axes along which a norm is computed.

    >>> import client as tf
    >>> print(tf.keras.constraints.UnitNorm()(tf.constant([[2.0]])).numpy().round(3))
    [[1.]]
    """

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        return w / (_norms(w, self.axis) + _EPSILON)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"axis": self.axis}


@public("keras.constraints.MinMaxNorm", "keras.constraints.min_max_norm")
@CONSTRAINTS.add("min_max_norm", "minmaxnorm")
class MinMaxNorm(Constraint):
    """Norms along `axis` are between two bounds, or move towards that by `rate`.

    Args:
        min_value: the smallest norm.
        max_value: the largest.
        rate: how much of the way to go: 1 is all.
        axis: the axis or axes along which a norm is computed.

    >>> import client as tf
    >>> print(tf.keras.constraints.MinMaxNorm(1.0, 2.0)(tf.constant([[4.0]])).numpy().round(3))
    [[2.]]
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        norms = _norms(w, self.axis)
        wanted = tf.clip_by_value(norms, self.min_value, self.max_value)
        if self.rate != 1:
            wanted = self.rate * wanted + (1.0 - self.rate) * norms
        return w * (wanted / (norms + _EPSILON))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


# The names in snake case stand for the same classes.
max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm


@public("keras.constraints.get")
def get(identifier: Any) -> Any:
    """The constraint that a name, configuration or callable stands for; None of None. Raises ValueError.

    >>> import client as tf
    >>> tf.keras.constraints.get("max_norm").max_value
    2
    """
    return CONSTRAINTS.get(identifier)


@public("keras.constraints.serialize")
def serialize(constraint: Any) -> Any:
    """Its configuration.

    >>> import client as tf
    >>> tf.keras.constraints.serialize(tf.keras.constraints.NonNeg())
    {'class_name': 'NonNeg', 'config': {}}
    """
    return CONSTRAINTS.serialize(constraint)


@public("keras.constraints.deserialize")
def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The constraint of a configuration.

    >>> import client as tf
    >>> tf.keras.constraints.deserialize({"class_name": "UnitNorm", "config": {"axis": 1}}).axis
    1
    """
    return CONSTRAINTS.deserialize(config, custom_objects)
