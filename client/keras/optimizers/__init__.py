"""The names of `tf.keras.optimizers`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from client.api import public
from client.keras.optimizers import schedules
from client.keras.optimizers.adam import Adam, Adamax, AdamW, Lamb, Nadam
from client.keras.optimizers.adaptive import Adadelta, Adagrad, Ftrl, RMSprop
from client.keras.optimizers.gradient_descent import SGD, Lion
from client.keras.optimizers.loss_scale_optimizer import LossScaleOptimizer
from client.keras.optimizers.optimizer import OPTIMIZERS, Optimizer

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]


@public("keras.optimizers.serialize")
def serialize(optimizer: Any) -> Any:
    """An optimizer's class and settings, as plain values. Waits for the learning rate.

    >>> import client as tf
    >>> tf.keras.optimizers.serialize(tf.keras.optimizers.SGD(0.5))["class_name"]
    'SGD'
    """
    return OPTIMIZERS.serialize(optimizer)


@public("keras.optimizers.deserialize")
def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The optimizer that `serialize` described.

    >>> import client as tf
    >>> tf.keras.optimizers.deserialize({"class_name": "SGD", "config": {"momentum": 0.5}}).momentum
    0.5
    """
    return OPTIMIZERS.deserialize(config, custom_objects)


@public("keras.optimizers.get")
def get(identifier: Any) -> Any:
    """The optimizer that an argument stands for: one as it is, a name, a configuration, or None.

    Raises:
        ValueError: anything else, or an unknown name.

    >>> import client as tf
    >>> tf.keras.optimizers.get("adam").beta_1
    0.9
    """
    found = OPTIMIZERS.get(identifier) if isinstance(identifier, str | Mapping) else identifier
    if found is None or isinstance(found, Optimizer):
        return found
    raise ValueError(f"Could not interpret optimizer identifier: {identifier}")
