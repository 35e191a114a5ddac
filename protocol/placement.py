"""Device names, as both sides read them. Owns: `short_name`. Does not know which devices there are."""

from __future__ import annotations

import re
from typing import Final

from protocol.errors import InvalidArgumentError

PREFIX: Final = "/job:localhost/replica:0/task:0/device:"
_NAME: Final = re.compile(
    r"(?:/job:[^/]*)?(?:/replica:\d+)?(?:/task:\d+)?/?(?:device:)?(cpu|gpu)(?::(\d{1,4}|\*))?", re.IGNORECASE
)


def short_name(name: str) -> str:
    """`CPU:0` for any of TensorFlow's spellings: `/cpu:0`, `GPU`, `/device:CPU:0`, a full name.

    Raises:
        InvalidArgumentError: it is no device name.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise InvalidArgumentError(f"Unknown device specification: {name!r}; write /cpu:0 or /gpu:0")
    index = match[2]
    return f"{match[1].upper()}:{int(index) if index and index != '*' else 0}"
