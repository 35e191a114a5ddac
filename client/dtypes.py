"""The names of `tf.dtypes`: the dtypes themselves, and what converts to them."""

from __future__ import annotations

from typing import Any

from client.api import names_in
from protocol.dtypes import ALL, DType, as_dtype

globals().update({t.name: t for t in ALL} | names_in("dtypes"))
__all__ = ["DType", "as_dtype", *(t.name for t in ALL), *names_in("dtypes")]


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'tf.dtypes' has no attribute {name!r}")
