"""The names of `tf.nn`, collected from the op declarations and the functions of `client.ops`."""

from __future__ import annotations

from typing import Any

from client.api import names_in

globals().update(names_in("nn"))
__all__ = sorted(names_in("nn"))


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'tf.nn' has no attribute {name!r}")
