"""Peers that take their time, or all there is: what they send, and whether the server has ended them."""

from __future__ import annotations

import base64
import contextlib
import itertools
import select
import socket
import struct
import time
from collections.abc import Iterator

from protocol import wire
from protocol.wire import Kind
from tests.fuzz.plain import connect, request
from tests.support import ServerProcess, wait_until

_PAUSE = 0.02
_PATIENCE = 30.0
"""Seconds after which a peer that should have been ended fails its test; the limits in these tests are about one."""
_ESTABLISHED = 1  # Linux's TCP_ESTABLISHED


def websocket_frame(opcode: int, data: bytes = b"", final: bool = True) -> bytes:
    """A client's frame, masked with zeros."""
    size = len(data)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
    return bytes([(0x80 if final else 0) | opcode]) + length + bytes(4) + data


TEXT, BINARY, CONTINUED, PING = 1, 2, 0, 9
HELLO = wire.encode_frame(Kind.HELLO, 0, 0, 0, 0, wire.pack({"version": wire.VERSION, "expects": 1}))


def handshake(server: ServerProcess, session: str, *more: bytes) -> bytes:
    """The request that opens a session's WebSocket."""
    key = base64.b64encode(bytes(16))
    lines = [b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: " + key]
    return request(server, "GET", f"{session}/stream".encode(), headers=[*lines, *more]).replace(
        b"Content-Length: 0\r\n", b""
    )


def websocket(server: ServerProcess, session: str) -> socket.socket:
    """An open WebSocket that has said nothing yet."""
    connection = connect(server)
    connection.sendall(handshake(server, session))
    said = b""
    while b"\r\n\r\n" not in said:
        said += connection.recv(1)
    assert said.startswith(b"HTTP/1.1 101 "), said
    assert b"extensions" not in said.lower(), "compression was agreed to"
    return connection


def trickle(connection: socket.socket, pieces: Iterator[bytes]) -> bytes:
    """Send a piece now and then until the server closes; what it said. Once there are no more pieces, wait."""
    end, said = time.monotonic() + _PATIENCE, b""
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < end:
            if select.select([connection], [], [], _PAUSE)[0]:
                found = connection.recv(2**16)
                if not found:
                    return said
                said += found
            connection.sendall(next(pieces, b""))
        raise AssertionError("the server never ended it")
    return said


def pour(connection: socket.socket, piece: bytes, most: int) -> int:
    """Send as fast as it is taken, and never read, until the server closes: how many bytes it took."""
    sent = 0
    connection.settimeout(_PATIENCE)
    with contextlib.suppress(ConnectionError):
        while sent < most:
            sent += connection.send(piece)
        raise AssertionError(f"the server took {most} bytes")
    return sent


def ended(connection: socket.socket) -> bool:
    """Wait, without reading, until the server has ended the connection."""

    def gone() -> bool:
        return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED

    return bool(wait_until(gone, _PATIENCE))


def forever(*pieces: bytes) -> Iterator[bytes]:
    """The pieces in turn, without an end."""
    return itertools.cycle(pieces)
