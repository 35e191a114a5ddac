"""Ends connections that take a server's patience or its room: slow, silent, endless, or simply too many.

Owns: `Limits`, and `Watch`, which knows every open connection, looks at each of them again and again, and makes room
for a new one. Does not know what they speak: that is `server.http_protocol` and `server.socket_protocol`, whose
`Pace` says what it waits for. uvicorn itself bounds only how long a connection is kept between two requests.

Time is counted in looks, not by the clock: a server that was stopped for a while, or had no processor, holds nobody to
the time that it slept through.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import socket
import struct
from typing import Any, Final, NamedTuple, Protocol

MAX_HEAD: Final = 2**16
"""Bytes of a request's first line and headers."""
MAX_HEADERS: Final = 128
"""Headers of a request."""
_NO_LINGER: Final = struct.pack("HH" if os.name == "nt" else "ii", 1, 0)
_LEAST_RATE: Final = 512
"""Bytes a second that a peer has to send, or take, where it is its turn."""


class Limits(NamedTuple):
    """header_seconds: for a request's headers. stall_seconds: over which a body, or an answer, has to move at a least
    rate. connections: at once.
    """

    header_seconds: float = 20.0
    stall_seconds: float = 60.0
    connections: int = 512

    @property
    def tick(self) -> float:
        """Seconds between looks."""
        return min(1.0, self.header_seconds / 4, self.stall_seconds / 4)


class Wait(enum.Enum):
    """What a connection waits for its peer to do."""

    NOTHING = enum.auto()
    HEAD = enum.auto()
    """To send a request's headers."""
    BODY = enum.auto()
    """To send a body that is wanted."""
    REST = enum.auto()
    """To send the rest of a body that nobody wants, its request being answered."""
    TAKE = enum.auto()
    """To take what was sent to it."""
    CLOSE = enum.auto()
    """To take the last of it: the connection is being closed."""


_TIMED: Final = frozenset((Wait.HEAD, Wait.REST, Wait.CLOSE))
"""What has to be over in time, however it moves."""


class Pace:
    """Whether one connection keeps up."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._wait = Wait.NOTHING
        self._looks = 0
        self._bytes = 0

    def late(self, wait: Wait, moved: int) -> bool:
        """Called at every look. `moved` counts bytes, up or down; whether that was too few for too long."""
        if wait is not self._wait or wait is Wait.NOTHING:
            self._wait, self._looks, self._bytes = wait, 0, moved
            return False
        self._looks += 1
        limits = self._limits
        seconds = limits.header_seconds if wait is Wait.HEAD else limits.stall_seconds
        if self._looks * limits.tick < seconds:
            return False
        if wait in _TIMED or abs(moved - self._bytes) < _LEAST_RATE * seconds:
            return True
        self._looks, self._bytes = 0, moved
        return False


class Connection(Protocol):
    """What is watched."""

    known: bool
    """Whether a right token has come over it."""

    def look(self) -> None:
        """End it if it is late."""

    def end(self) -> None:
        """Close it at once."""


class Watch:
    """The open connections of a server, oldest first."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._connections: dict[Connection, None] = {}
        self._looking: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._connections)

    def admit(self, connection: Connection) -> bool:
        """Whether there is room for a new connection, which is watched from here on.

        Where there was none, the oldest goes that has shown no token yet: who has one shows it at once.
        """
        if len(self._connections) >= self.limits.connections:
            stranger = next((c for c in self._connections if not c.known), None)
            if stranger is None:
                return False
            self.leave(stranger)
            stranger.end()
        self.enter(connection)
        return True

    def enter(self, connection: Connection) -> None:
        """Watch a connection that takes another's place."""
        self._connections[connection] = None
        if self._looking is None:
            self._later()

    def leave(self, connection: Connection) -> None:
        """It is gone. May be called twice."""
        self._connections.pop(connection, None)

    def _later(self) -> None:
        self._looking = asyncio.get_running_loop().call_later(self.limits.tick, self._look)

    def _look(self) -> None:
        self._looking = None
        for connection in list(self._connections):
            connection.look()
        if self._connections:
            self._later()


def cut(transport: Any) -> None:
    """Close a connection and drop what its peer has not taken, which the system would keep for it otherwise."""
    with contextlib.suppress(OSError, AttributeError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def waits_to_take(transport: Any, blocked: bool) -> Wait:
    """What a connection's writing waits for; `blocked`: the transport has asked to pause."""
    if transport.is_closing():
        return Wait.CLOSE
    return Wait.TAKE if blocked else Wait.NOTHING
