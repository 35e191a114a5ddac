"""Messages between the server and the process of a session: a kind, a few plain values, bytes, and open files.

Owns: their framing over a Unix socket, for a side that blocks (`Channel`) and one on an event loop (`LoopChannel`).
Does not know what the messages mean (`server.process_host`, `server.child`). Both ends are this server's own processes.

A message is a header (kind, bytes of the head, bytes of the body, number of files), the head in msgpack, and the body.
Files travel as descriptors with the first byte of their message; they arrive no later than it.
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgpack

_HEADER: Final = struct.Struct(">BIIB")
_RECEIVE: Final = 2**20
_MAX_FILES: Final = 8


class Message(NamedTuple):
    """What came over a channel. The receiver owns the descriptors in `files`."""

    kind: int
    head: tuple[Any, ...]
    body: bytes
    files: tuple[int, ...]


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets, for a channel's two ends."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def _encode(kind: int, head: Sequence[Any], body: bytes, files: Sequence[int]) -> bytes:
    packed = msgpack.packb(head)
    return _HEADER.pack(kind, len(packed), len(body), len(files)) + packed + body


class _Decoder:
    """Cuts what is received back into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._files: deque[int] = deque()

    def feed(self, data: bytes, files: Sequence[int]) -> list[Message]:
        """The messages that are complete now."""
        self._buffer += data
        self._files.extend(files)
        found = []
        while len(self._buffer) >= _HEADER.size:
            kind, head, body, count = _HEADER.unpack_from(self._buffer)
            end = _HEADER.size + head + body
            if len(self._buffer) < end:
                break
            middle = _HEADER.size + head
            values = msgpack.unpackb(bytes(self._buffer[_HEADER.size : middle]), use_list=False, strict_map_key=False)
            taken = tuple([self._files.popleft() for _ in range(count)])
            found.append(Message(kind, values, bytes(self._buffer[middle:end]), taken))
            del self._buffer[:end]
        return found


def _receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    data, ancillary, _, _ = connection.recvmsg(_RECEIVE, socket.CMSG_SPACE(_MAX_FILES * 4))
    files = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            files.frombytes(content[: len(content) - len(content) % files.itemsize])
    return data, files.tolist()


def _with_files(files: Sequence[int]) -> list[tuple[int, int, bytes]]:
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files).tobytes())] if files else []


class Channel:
    """An end that blocks. Any thread may send; one receives."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._decoder = _Decoder()
        self._ready: deque[Message] = deque()
        self._lock = threading.Lock()

    def send(self, kind: int, head: Sequence[Any] = (), body: bytes = b"", files: Sequence[int] = ()) -> None:
        """Send a message. The files stay the sender's to close. Raises OSError."""
        data = memoryview(_encode(kind, head, body, files))
        with self._lock:
            sent = self._socket.sendmsg([data], _with_files(files))
            self._socket.sendall(data[sent:])

    def receive(self) -> Message | None:
        """The next message; None when the other end is closed."""
        while not self._ready:
            try:
                data, files = _receive(self._socket)
            except OSError:
                return None
            if not data:
                return None
            self._ready.extend(self._decoder.feed(data, files))
        return self._ready.popleft()

    def take(self) -> list[Message | None]:
        """What one look at the socket gives; None at the end."""
        data, files = _receive(self._socket)
        return list(self._decoder.feed(data, files)) if data else [None]

    def close(self) -> None:
        """Close this end."""
        self._socket.close()


class LoopChannel:
    """An end on an event loop. `on_message` is called for each message, `on_closed` once when the other end is gone."""

    def __init__(
        self,
        connection: socket.socket,
        loop: asyncio.AbstractEventLoop,
        on_message: Callable[[Message], None],
        on_closed: Callable[[], None],
    ) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._loop = loop
        self._on_message = on_message
        self._on_closed = on_closed
        self._decoder = _Decoder()
        self._out: deque[tuple[memoryview, tuple[int, ...]]] = deque()
        self._closed = False
        loop.add_reader(connection.fileno(), self._readable)

    def send(self, kind: int, head: Sequence[Any] = (), body: bytes = b"", files: Sequence[int] = ()) -> None:
        """Send a message, or queue it. The files are closed once they are sent."""
        if self._closed:
            _close_all(files)
            return
        self._out.append((memoryview(_encode(kind, head, body, files)), tuple(files)))
        if len(self._out) == 1:
            self._write()

    def _write(self) -> None:
        while self._out:
            data, files = self._out[0]
            try:
                sent = self._socket.sendmsg([data], _with_files(files))
            except BlockingIOError:
                self._loop.add_writer(self._socket.fileno(), self._write)
                return
            except OSError:
                self._lost()
                return
            _close_all(files)
            if sent < len(data):
                self._out[0] = (data[sent:], ())
            else:
                self._out.popleft()
        self._loop.remove_writer(self._socket.fileno())

    def _readable(self) -> None:
        try:
            data, files = _receive(self._socket)
        except BlockingIOError:
            return
        except OSError:
            data, files = b"", []
        if not data:
            self._lost()
            return
        for message in self._decoder.feed(data, files):
            self._on_message(message)

    def _lost(self) -> None:
        if not self._closed:
            self.close()
            self._on_closed()

    def close(self) -> None:
        """Close this end: nothing more is received or told."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        for _, files in self._out:
            _close_all(files)
        self._out.clear()
        self._socket.close()


def _close_all(files: Sequence[int]) -> None:
    for each in files:
        os.close(each)
