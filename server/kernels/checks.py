"""Checks that need values, so that only a kernel can make them.

Owns: `refuse`. A CPU raises at once. A GPU would first have to wait for everything issued before, so there a bad value
gives what the device computes (an integer divided by zero is 0) and no error.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from protocol.errors import InvalidArgumentError


def refuse(xp: Any, bad: Any, message: str) -> None:
    """Raise InvalidArgumentError with `message` if an element of `bad` is true."""
    if xp is np and bad.any():
        raise InvalidArgumentError(message)
