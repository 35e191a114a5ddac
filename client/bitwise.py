"""The names of `tf.bitwise`, collected from the op declarations and the functions of `client.ops`."""

from __future__ import annotations

from typing import Any

from client.api import names_in

globals().update(names_in("bitwise"))
__all__ = sorted(names_in("bitwise"))


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'tf.bitwise' has no attribute {name!r}")
