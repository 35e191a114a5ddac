"""Numbers of bytes as people write them.

Owns: `parse_size`, `format_size`. Multiples are of 1024.
"""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = "kmgt"


def parse_size(text: str) -> int:
    """`512m`, `8g`, `8GiB` or a plain number, in bytes. Raises ValueError.

    >>> parse_size("512m"), parse_size("1.5 KiB"), parse_size("100")
    (536870912, 1536, 100)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is no size; write 512m or 8g")
    return int(float(match[1]) * 1024 ** (_UNITS.find(match[2]) + 1 if match[2] else 0))


def format_size(size: float) -> str:
    """A number of bytes with three digits or so.

    >>> format_size(0), format_size(1023), format_size(1536), format_size(8 * 2**30), format_size(2**50)
    ('0 B', '1023 B', '1.5 KiB', '8.0 GiB', '1024.0 TiB')
    """
    if size < 1024:
        return f"{size:.0f} B"
    for unit in _UNITS:
        size /= 1024
        if size < 1023.95 or unit == _UNITS[-1]:
            break
    return f"{size:.1f} {unit.upper()}iB"
