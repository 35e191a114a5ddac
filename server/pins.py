"""Which reads a client has not taken yet, and how much these keep.

Owns: `Pins`, and what the number of a read is. Does not know the values (`server.payloads`) or items.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from protocol.errors import ProtocolError, ResourceExhaustedError
from protocol.wire import FIELDS

MAX_PINNED: Final = 4096
"""Reads that may be pinned at once."""
ANSWERED: Final = tuple(kind for kind, fields in FIELDS.items() if kind < 32 and fields[0] == "read")
"""The kinds of items whose first field is the number of a read."""


def checked_read(read: Any) -> None:
    """Raise ProtocolError unless `read` is a number: it is kept, and comes back in answers."""
    if type(read) is not int or read < 0:
        raise ProtocolError(f"{read!r:.50} is no number of a read")


def numbered(handler: Callable[[tuple[Any, ...], int], None]) -> Callable[[tuple[Any, ...], int], None]:
    """`handler` for items whose first field is the number of a read."""

    def checked(item: tuple[Any, ...], number: int) -> None:
        checked_read(item[1])
        handler(item, number)

    return checked


class Pins:
    """The pinned reads of a session and their bytes. A value that was released stays for as long as a read pins
    it: so they may be as many bytes as the session's values may (`limit`), and a client that reads and never takes
    meets an error.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.sizes: dict[int, int] = {}
        self.total = 0

    def add(self, read: int, size: int) -> None:
        """Pin `size` bytes for a read, in the place of what it pinned before. Raises ResourceExhaustedError."""
        before = self.sizes.get(read)
        if before is None and len(self.sizes) >= MAX_PINNED:
            raise ResourceExhaustedError(f"more than {MAX_PINNED} reads are pinned")
        if self.total - (before or 0) + size > self.limit:
            raise ResourceExhaustedError(
                f"out of memory for a read: {size} bytes asked, {self.total} pinned by reads that the client has not "
                f"taken yet, {self.limit} allowed in this session"
            )
        self.sizes[read] = size
        self.total += size - (before or 0)

    def remove(self, read: int) -> None:
        """The client has the value."""
        self.total -= self.sizes.pop(read, 0)
