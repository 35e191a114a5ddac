"""The program's current session: `connect`, `disconnect`, `sync`, `stats`, the embedded default, and the end of the
program.

Owns: which session new tensors belong to. Does not know tensors.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from protocol.errors import OpError, UnavailableError
from protocol.wire import Item

if TYPE_CHECKING:
    from client.embedded import EmbeddedServer
    from client.link import Link
    from client.session import Session
    from client.transport import Endpoint

_EXIT_TIMEOUT: Final = 10.0

synchronous_by_default = os.environ.get("TELEGRAD_SYNC", "") not in ("", "0")
"""Whether ops of new sessions wait until they are done."""

_lock = threading.RLock()
_session: Session | None = None
_link: Link | None = None
_server: EmbeddedServer | None = None


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    reconnect_timeout: float | None = None,
    transport: str = "auto",
) -> None:
    """Use the server at `url` from here on; tensors of an earlier connection are gone.

    Without a call, the first op connects to `TELEGRAD_URL`, or starts an embedded server when that is not set.

    Args:
        url: `http://host:8470` or `https://host`. None: `TELEGRAD_URL`, else an embedded server.
        token: what the server wants to see. None: `TELEGRAD_TOKEN`.
        reconnect_timeout: seconds to keep trying after the connection is lost. None: as long as the server keeps the
        session. transport: `auto` (WebSocket, and HTTP where that is blocked), `websocket` or `http`.

    Raises:
        tf.errors.UnavailableError: the server cannot be reached, or an embedded one does not start.
        tf.errors.UnauthenticatedError: it does not accept the token.
        ValueError: `url` is no server URL.

    >>> import client as tf
    >>> tf.connect()                      # an embedded server
    >>> float(tf.constant(1.5) + 1)
    2.5
    """
    # Only now: a program that imports the library does not pay for sockets, TLS and subprocesses before it connects.
    from client.embedded import EmbeddedServer
    from client.transport import Endpoint, parse_endpoint

    with _lock:
        disconnect()
        url = url or os.environ.get("TELEGRAD_URL") or None
        token = token or os.environ.get("TELEGRAD_TOKEN") or None
        server: EmbeddedServer | None = None
        if url is None:
            server = EmbeddedServer()
            endpoint = server.endpoint
        else:
            endpoint = parse_endpoint(url, token, transport)
        if transport != "auto":
            endpoint = Endpoint(endpoint.url, endpoint.token, endpoint.uds, transport)
        try:
            attach(endpoint, reconnect_timeout, server)
        except BaseException:
            if server is not None:
                server.stop()
            raise


def attach(endpoint: Endpoint, reconnect_timeout: float | None = None, server: EmbeddedServer | None = None) -> None:
    """Use a new session with the server at `endpoint` from here on. Raises as `connect` does."""
    global _session, _link, _server
    with _lock:
        disconnect()
        session, link = _open(endpoint, reconnect_timeout, server)
        _session, _link, _server = session, link, server


def _open(endpoint: Endpoint, reconnect_timeout: float | None, server: EmbeddedServer | None) -> tuple[Session, Link]:
    from client.link import Link
    from client.session import Session
    from client.transport.payloads import request_json

    try:
        found = request_json(endpoint, "POST", "/v1/sessions")
        identifier = found["session"]
    except OSError as error:
        raise UnavailableError(f"{endpoint} cannot be reached: {error}{_advice(endpoint)}") from error
    except (ValueError, LookupError, TypeError) as error:  # an answer, but not of ours
        raise UnavailableError(f"what answers at {endpoint} is no Telegrad server{_advice(endpoint)}") from error
    try:
        session = Session(endpoint, identifier, synchronous_by_default)
        link = Link(session, reconnect_timeout, server.gone if server is not None else _not_ours)
    except Exception as error:
        with contextlib.suppress(OSError, OpError):  # nobody will use it
            request_json(endpoint, "DELETE", f"/v1/sessions/{identifier}")
        if isinstance(error, OSError):
            raise UnavailableError(f"{endpoint} cannot be reached: {error}{_advice(endpoint)}") from error
        raise
    return session, link


def _advice(endpoint: Endpoint) -> str:
    return "" if endpoint.uds else f" (`telegrad doctor {endpoint}` looks for the reason)"


def _not_ours() -> None:
    """A server that somebody else runs may come back."""


_before_leaving: Final[list[Callable[[], None]]] = []


def before_leaving(function: Callable[[], None]) -> None:
    """Have a function called before each `disconnect`, while the session can still be used: it waits for what the
    program's back is doing, such as writing files.
    """
    _before_leaving.append(function)


def disconnect() -> None:
    """Leave the server, which frees what this program holds there; an embedded server ends. Tensors of the session are
    gone.
    """
    global _session, _link, _server
    if _session is not None:
        for function in _before_leaving:
            function()
    with _lock:
        session, link, server = _session, _link, _server
        _session = _link = _server = None
    if session is not None:
        _leave(session)
    if link is not None:
        link.stop()
    if server is not None:
        server.stop()


def session() -> Session:
    """The current session; the first call connects."""
    found = _session
    if found is None:
        with _lock:
            if _session is None:
                connect()
            found = _session
            assert found is not None
    return found


def current() -> Session | None:
    """The current session, None before the first connection."""
    return _session


def sync() -> None:
    """Wait until everything issued is done, and raise what failed and was not raised yet.

    Raises:
        tf.errors.OpError: the first failure that no read has raised; the others are its notes.
    """
    if _session is not None:
        _session.sync()


def stats() -> dict[str, int]:
    """Counters of the current session.

    `ops` issued, `waits` (times this program blocked for a round trip), `stalls` (times a producer was held back by
    flow control), `bytes_sent`, `bytes_received`, `frames_sent`, `reconnects`, and the server's `server_tensors` and
    `server_bytes`. Asking the server is a round trip, which is not counted; failures are not raised by it.

    >>> import client as tf
    >>> before = tf.stats()["waits"]
    >>> y = tf.constant([1.0, 2.0]) + 1.0
    >>> tf.stats()["waits"] - before
    0
    """
    found = session()
    found.flush()  # releases too, so that what has died is not counted
    read = found.start_read(kind=Item.SYNC)
    found.flush()
    read.wait()
    if read.error is not None:
        raise read.error
    report = read.value
    return {
        "ops": found.ops,
        "waits": found.waits,
        "stalls": found.stalls,
        "bytes_sent": found.bytes_sent,
        "bytes_received": found.bytes_received,
        "frames_sent": found.frames_sent,
        "reconnects": found.reconnects,
        "server_tensors": report["tensors"],
        "server_bytes": report["bytes"],
        "server_peak_bytes": report["peak_bytes"],
    }


def _leave(session: Session) -> None:
    """Send what is pending, have it done, say what failed and nobody saw, and close."""
    with contextlib.suppress(OpError, OSError, KeyboardInterrupt):
        failure = session.drain(_EXIT_TIMEOUT)
        if failure is not None:
            print("telegrad: never raised:", *traceback.format_exception_only(failure), file=sys.stderr)
    session.close()


def _at_exit() -> None:
    with contextlib.suppress(Exception):
        disconnect()


atexit.register(_at_exit)


def _forget_after_fork() -> None:
    """The parent keeps its session and server; the child starts with none."""
    global _session, _link, _server, _lock
    _session = _link = _server = None
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
