"""The names of `tf.linalg`, collected from the op declarations and the functions of `client.ops`."""

from __future__ import annotations

from typing import Any

from client.api import names_in

globals().update(names_in("linalg"))
__all__ = sorted(names_in("linalg"))


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'tf.linalg' has no attribute {name!r}")
