"""The names of `tf.keras`: layers, models, optimizers, losses, metrics and what they are made of.

Imported at its first use, so that a program without Keras does not pay for it.
"""

from __future__ import annotations

from typing import Any

from client.api import names_in, namespace
from client.keras import (
    activations,
    callbacks,
    constraints,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
    serialization,
    utils,
)

globals().update(names_in("keras"))
saving = namespace("keras.saving")
# A name may be registered by another module than its namespace's: `keras.layers.Input` by the functional models.
for _space in (activations, callbacks, constraints, initializers, layers, losses, metrics, models, optimizers,
               regularizers, utils):  # fmt: skip
    _space.__dict__.update(names_in(_space.__name__.removeprefix("client.")))


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'tf.keras' has no attribute {name!r}")
