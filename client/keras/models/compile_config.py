"""What a model was compiled with, as plain values, and back.

Owns: `compile_config`, `compile_from_config`. Does not know files. A loss or metric stands as its name or its class and
settings; a function as its name, so a function of the user's has to be registered, or given as a custom object.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import client
from client.keras.losses.loss import LOSSES
from client.keras.metrics.metric import METRICS
from client.keras.serialization import Registry

tf: Any = client

_STRUCTURES: Final[dict[str, Registry]] = {"loss": LOSSES, "metrics": METRICS, "weighted_metrics": METRICS}


def compile_config(arguments: Mapping[str, Any], read: bool = True) -> dict[str, Any]:
    """The arguments of `compile` as plain values. Waits for the learning rate; without `read` it is the one that the
    program last gave as a number.

    Raises:
        ValueError: a function without a name.
    """
    optimizer = arguments["optimizer"]
    with contextlib.nullcontext() if read or optimizer is None else optimizer.rate_as_given():
        found = {"optimizer": tf.keras.optimizers.serialize(optimizer)}
    for name, value in arguments.items():
        if name in _STRUCTURES:
            found[name] = _mapped(value, _STRUCTURES[name].serialize)
        elif name != "optimizer":
            found[name] = value
    return found


def compile_from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `compile` that `compile_config` described."""
    found = dict(config)
    found["optimizer"] = tf.keras.optimizers.deserialize(config["optimizer"])
    for name, registry in _STRUCTURES.items():
        if name in found:
            found[name] = _mapped(found[name], registry.deserialize)
    return found


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """A structure of losses or metrics, each changed; names stay."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping) and "class_name" not in value:
        return {k: _mapped(v, change) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(v, change) for v in value]
    return change(value)
