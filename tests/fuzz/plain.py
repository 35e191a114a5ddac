"""HTTP as bytes over a socket, for requests that no client library would send."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable
from typing import Any, NamedTuple

from tests.support import ServerProcess

PROBLEM = "application/problem+json"
REFUSED_5XX = (501, 503, 504, 507)
"""What a server may say that has no room, no time or no such thing; everything else from 500 on is a bug."""


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The error, which is in its one shape."""
        return checked_problem(self.status, self.headers.get("content-type", ""), self.body)


def checked_problem(status: int, kind: str, body: bytes) -> dict[str, Any]:
    """Problem details with a code, or a failed test."""
    assert kind == PROBLEM, (status, kind, body[:300])
    found: dict[str, Any] = json.loads(body)
    assert found["status"] == status and found["title"] and found["detail"], found
    assert type(found["code"]) is int, found
    return found


def connect(server: ServerProcess, source: str = "127.0.0.1") -> socket.socket:
    """A connection from an address of this machine."""
    return socket.create_connection(server.address, timeout=60, source_address=(source, 0))


def request(server: ServerProcess, method: str, path: bytes, body: bytes = b"", headers: Iterable[bytes] = ()) -> bytes:
    """A request as it goes over the wire, with the server's token."""
    start = b"%s %s HTTP/1.1\r\nHost: localhost\r\n" % (method.encode(), path)
    token = b"Authorization: Bearer %s\r\n" % server.token.encode()
    more = b"".join([line + b"\r\n" for line in headers])
    return start + token + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def answer(connection: socket.socket, method: str = "GET") -> Answer | None:
    """The next answer on a connection; None when it is closed without one."""
    response = http.client.HTTPResponse(connection, method=method)
    try:
        response.begin()
        body = response.read()
    except (http.client.BadStatusLine, http.client.IncompleteRead, ConnectionError):
        return None
    return Answer(response.status, response.headers, body)


def ask(server: ServerProcess, data: bytes, method: str = "GET") -> Answer | None:
    """The answer to bytes on a connection of their own, after which nothing more comes from here."""
    with connect(server) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all of it was sent
        return answer(connection, method)


def closed(connection: socket.socket) -> bool:
    """Wait until the server has closed the connection, whatever it says before."""
    try:
        while connection.recv(2**16):
            pass
    except ConnectionError:
        pass
    return True
