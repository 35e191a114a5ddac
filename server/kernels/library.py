"""Where the special functions are: `scipy.special` for NumPy, `cupyx.scipy.special` for CuPy, imported at first use."""

from __future__ import annotations

import functools
import importlib
from typing import Any


def special(xp: Any) -> Any:
    """The module of special functions that takes arrays of `xp`."""
    return _load("scipy.special" if xp.__name__ == "numpy" else "cupyx.scipy.special")


@functools.cache
def _load(name: str) -> Any:
    return importlib.import_module(name)
