"""How a session's frames and payloads reach the server. One interface, two carriers of frames, one of payloads.

Owns: `Connection` (the interface), `Endpoint` (where the server is and what it is told), `open_connection`. Does not
know what frames hold.
"""

from __future__ import annotations

import ssl
import warnings
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from protocol.errors import PermissionDeniedError, SessionLostError, UnauthenticatedError, UnavailableError


class Connection(Protocol):
    """Carries frames both ways. `send` may be called by one thread while another is in `receive`.

    Every method but `close` raises OSError (ConnectionError, TimeoutError) when the connection is lost.
    """

    def send(self, frame: bytes) -> None:
        """Hand one frame over; may block until there is room."""

    def receive(self, timeout: float) -> list[bytes]:
        """Frames that have come, after at most `timeout` seconds; none when it ran out or `wake` was called."""

    def wake(self) -> None:
        """Make a `receive` that waits, or the next one, return; from any thread."""

    def close(self) -> None:
        """Close; whoever is in `send` or `receive` gets an error."""


class WebSocketRefusedError(ConnectionError):
    """Something between here and the server does not let WebSocket through, though HTTP may pass."""


@dataclass(frozen=True)
class Endpoint:
    """Where a server is. `url` is http:// or https://; `uds` is the path of a Unix socket to use instead of the URL's
    address.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    uds: str | None = None
    transport: str = "auto"
    connect_timeout: float = 10.0

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self.url.startswith("https:")

    @property
    def host(self) -> str:
        """The name to connect to."""
        return urlsplit(self.url).hostname or "localhost"

    @property
    def port(self) -> int:
        """The port to connect to."""
        return urlsplit(self.url).port or (443 if self.secure else 8470)

    @property
    def prefix(self) -> str:
        """The path before /v1, when the server is behind a proxy that gives it one."""
        return urlsplit(self.url).path.rstrip("/")

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def ssl_context(self) -> ssl.SSLContext | None:
        """The context to verify the server with, None without TLS."""
        return ssl.create_default_context() if self.secure else None

    def __str__(self) -> str:
        return f"the embedded server ({self.uds})" if self.uds else self.url


def parse_endpoint(url: str, token: str | None, transport: str) -> Endpoint:
    """The endpoint of a `connect` URL.

    Raises:
        ValueError: no http:// or https:// URL, one with a user or a password, or an unknown transport.
    """
    if transport not in ("auto", "websocket", "http"):
        raise ValueError(f"transport must be 'auto', 'websocket' or 'http', not {transport!r}")
    if "://" not in url:
        url = f"http://{url}"
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, or brackets around no address
        valid = False
    if valid and parts.username is not None:
        raise ValueError("a server URL has no user or password; the token goes into TELEGRAD_TOKEN")
    if not valid or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is no server URL; write http://host:8470 or https://host")
    endpoint = Endpoint(url, token, transport=transport)
    loopback = endpoint.host in ("localhost", "::1") or endpoint.host.startswith("127.")
    if token and not endpoint.secure and not loopback:
        warnings.warn(
            f"the token goes to {endpoint.host} unencrypted, over http://; use https:// or a tunnel", stacklevel=4
        )
    return endpoint


def open_connection(endpoint: Endpoint, session: str) -> Connection:
    """Connect to a session: by WebSocket, or by HTTP where that is asked for or WebSocket is blocked.

    Raises:
        OSError: the server cannot be reached.
        UnauthenticatedError, PermissionDeniedError, SessionLostError: the server said no.
    """
    from client.transport.http import HttpConnection
    from client.transport.websocket import WebSocketConnection

    if endpoint.transport == "http":
        return HttpConnection(endpoint, session)
    try:
        return WebSocketConnection(endpoint, session)
    except WebSocketRefusedError as error:
        if endpoint.transport == "websocket":
            raise UnavailableError(f"no WebSocket to {endpoint}: {error}") from error
        return HttpConnection(endpoint, session)


def raise_for_status(status: int, text: str) -> None:
    """The exception that an HTTP status from the server means.

    Raises:
        UnauthenticatedError, PermissionDeniedError, SessionLostError: final refusals.
        ConnectionError: anything else that is no success; connecting again may help.
    """
    if status < 400:
        return
    if status == 401:
        raise UnauthenticatedError("the server does not accept the token")
    if status == 403:
        raise PermissionDeniedError(f"the server refuses the connection: {text:.200}")
    if status == 404 and "SessionLostError" in text:
        raise SessionLostError("the server does not know this session any more")
    raise ConnectionError(f"the server answered {status}: {text:.200}")
