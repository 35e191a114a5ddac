"""Bytes of uploads that wait for their session's stream, counted for all sessions of a token together.

Owns: `Waiting`, a token's count, and `Part`, a session's share of it. Does not know what the bytes are for. What the
stream has come to is a value's memory, which `server.ledger` counts. Any thread may call.
"""

from __future__ import annotations

import threading

from protocol.errors import ResourceExhaustedError


class Waiting:
    """The count of the token called `name`; None as the limit: as much as its sessions may each."""

    def __init__(self, name: str, limit: int | None = None) -> None:
        self.limit = limit
        self._name = name
        self._bytes = 0
        self._lock = threading.Lock()

    def part(self) -> Part:
        """A new session's share."""
        return Part(self)

    def add(self, size: int) -> None:
        """Count bytes, or fewer of them."""
        with self._lock:
            self._bytes += size

    def check(self, size: int) -> None:
        """Raise ResourceExhaustedError unless there is room for so many more."""
        if self.limit is not None and self._bytes + size > self.limit:
            raise ResourceExhaustedError(
                f"out of memory for an upload: {size} bytes asked, {self._bytes} open, {self.limit} allowed in all "
                f"sessions of the token {self._name!r}"
            )


class Part:
    """What one session has of it. `held`: its bytes."""

    def __init__(self, whole: Waiting | None = None) -> None:
        self.held = 0
        self._whole = whole or Waiting("")
        self._lock = threading.Lock()
        self._closed = False

    def check(self, size: int) -> None:
        """Raise ResourceExhaustedError unless the token has room for so many more."""
        self._whole.check(size)

    def add(self, size: int) -> None:
        """Count bytes, or fewer of them."""
        with self._lock:
            if not self._closed:
                self.held += size
                self._whole.add(size)

    def close(self) -> None:
        """Give all of them back: the session has ended. May be called twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._whole.add(-self.held)
