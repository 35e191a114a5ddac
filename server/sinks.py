"""Where the bytes of a body go, piece by piece, without a copy on the way.

Owns: `Sink`, what whoever receives asks for room and tells what came; `MemorySink`; `pour`. Does not know HTTP, or
whose bytes they are.
"""

from __future__ import annotations

from typing import Protocol


class Sink(Protocol):
    """Takes `left` more bytes. Ask for `room` only when there are bytes for it, and tell at once how many: between the
    two nothing else may be done.
    """

    left: int

    def room(self) -> memoryview:
        """Where the next bytes go: as many as fit, one at least."""

    def took(self, count: int) -> bool:
        """So many bytes were put there. False: await `ready` before the next ones."""

    async def ready(self) -> None:
        """Return when there is room again."""

    def close(self) -> None:
        """No more come: pass on what has come."""


class MemorySink:
    """Fills memory from its front."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self.left = len(view)

    def room(self) -> memoryview:
        """The memory that is not filled."""
        return self._view[len(self._view) - self.left :]

    def took(self, count: int) -> bool:
        """So many bytes were put there."""
        self.left -= count
        return True

    async def ready(self) -> None:
        """At once."""

    def close(self) -> None:
        """It is where it belongs."""


async def pour(sink: Sink, data: bytes | memoryview) -> None:
    """Put bytes, not more than are left, into a sink."""
    rest = memoryview(data)
    while rest:
        room = sink.room()
        count = min(len(room), len(rest))
        room[:count] = rest[:count]
        rest = rest[count:]
        if not sink.took(count):
            await sink.ready()
