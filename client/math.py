"""The names of `tf.math`, collected from the op declarations and the functions of `client.ops`."""

from __future__ import annotations

from typing import Any

from client.api import names_in, namespace

globals().update(names_in("math"))
special = namespace("math.special")
__all__ = sorted([*names_in("math"), "special"])


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'tf.math' has no attribute {name!r}")
