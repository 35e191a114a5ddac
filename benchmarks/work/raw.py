"""The same bytes with nothing around them: what a socket and a WebSocket give on this machine.

Owns: `upload`, `download`, `echo`. Each takes a `RawLibrary`, which knows the addresses of a `benchmarks.raw_server`.
"""

from __future__ import annotations

import queue
import socket
import threading
from typing import Any

import numpy as np

from benchmarks.work.timing import repeat
from benchmarks.work.transfer import SIZE

_PIECE = 2**22
_PIECES = 4
_ECHOED = 64  # bytes: about what an addition and its read make on the wire


class RawLibrary:
    """Connections to the raw server. An address is a Unix socket's path or `host:port`."""

    def __init__(self, bulk: str, echo: str) -> None:
        from websockets.sync.client import connect, unix_connect

        self.bulk = self._connected(bulk)
        if "/" in echo:
            self.echo: Any = unix_connect(echo, "ws://localhost/", compression=None, ping_interval=None)
        else:
            self.echo = connect(f"ws://{echo}/", compression=None, ping_interval=None)

    @staticmethod
    def _connected(address: str) -> socket.socket:
        if "/" in address:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(address)
            return connection
        host, _, port = address.rpartition(":")
        connection = socket.create_connection((host, int(port)))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def upload(raw: RawLibrary, seconds: float) -> list[float]:
    """Seconds until the peer has SIZE bytes in a fresh buffer and says so."""
    data = memoryview(touched(SIZE))

    def once() -> None:
        raw.bulk.sendall(b"U")
        raw.bulk.sendall(data)
        raw.bulk.recv(1)

    once()  # as in `benchmarks.work.transfer`
    return repeat(once, seconds)


def download(raw: RawLibrary, seconds: float) -> list[float]:
    """Seconds until SIZE bytes of the peer are in a fresh buffer."""

    def once() -> None:
        raw.bulk.sendall(b"D")
        receive_fresh(raw.bulk, SIZE)

    once()
    return repeat(once, seconds)


def echo(raw: RawLibrary, seconds: float) -> list[float]:
    """Seconds until a small WebSocket message is back."""
    message = bytes(_ECHOED)

    def once() -> None:
        raw.echo.send(message)
        raw.echo.recv()

    return repeat(once, seconds)


def touched(size: int) -> bytes:
    """Bytes that take memory: zeros, unwritten, would all be one page."""
    return b"\1" * size


def receive_fresh(connection: socket.socket, size: int) -> Any:
    """An array that was not there before, filled from the socket."""
    array: Any = np.empty(size, np.uint8)
    view = memoryview(array)
    while view:
        count = connection.recv_into(view)
        if not count:
            raise ConnectionError("the raw peer left")
        view = view[count:]
    return array


def receive_into_file(connection: socket.socket, size: int, file: Any) -> None:
    """Write bytes of the socket to a file, one piece while the next is received."""
    empty: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
    full: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
    for _ in range(_PIECES):
        empty.put(memoryview(bytearray(_PIECE)))

    def write() -> None:
        left = size
        while left:
            piece = full.get()
            left -= file.write(piece)
            empty.put(piece)

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(size // _PIECE):
        piece = empty.get()
        filled = 0
        while filled < _PIECE:
            filled += connection.recv_into(piece[filled:])
        full.put(piece)
    writer.join()
