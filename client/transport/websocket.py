"""Frames over a WebSocket: the sans-I/O protocol of the `websockets` library over a blocking socket.

Owns: the socket, the opening handshake, and the locking that lets one thread send while another receives. Does not know
frames. The library's own threaded front would add a thread, and a hand-over between threads to every message; here the
thread that has something to say writes it, and the session's I/O thread reads.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from typing import Any, Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from client.transport import Endpoint, WebSocketRefusedError
from protocol.errors import PermissionDeniedError, UnauthenticatedError
from protocol.wire import MAX_FRAME

_RECEIVE: Final = 2**18
_PATIENCE: Final = 30.0


class Waker:
    """Ends another thread's `select`."""

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)

    def fileno(self) -> int:
        """What to select on."""
        return self._read.fileno()

    def set(self) -> None:
        """Wake; from any thread, also after `close`."""
        with contextlib.suppress(OSError):  # full of wakes, or closed
            self._write.send(b"\0")

    def clear(self) -> None:
        """Forget the wakes so far."""
        with contextlib.suppress(BlockingIOError):
            self._read.recv(4096)

    def close(self) -> None:
        """Free both ends."""
        self._read.close()
        self._write.close()


class WebSocketConnection:
    """A WebSocket to one session."""

    def __init__(self, endpoint: Endpoint, session: str) -> None:
        path = f"{endpoint.prefix}/v1/sessions/{session}/stream"
        scheme = "wss" if endpoint.secure else "ws"
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        uri = parse_uri(f"{scheme}://{host}:{endpoint.port}{path}")
        self._protocol = ClientProtocol(uri, max_size=MAX_FRAME + 1024, extensions=None)
        self._socket = connect_socket(endpoint)
        self._lock = threading.Lock()  # the protocol object and, with TLS, the socket
        self._secure = endpoint.secure
        self._waker = Waker()  # for the I/O thread
        self.reader_waker = Waker()  # for a thread that reads while it waits for an answer
        self._parts: list[bytes] = []
        self.patience = _PATIENCE  # seconds for which a peer may take nothing of what is sent
        try:
            self._socket.settimeout(endpoint.connect_timeout)
            self._shake_hands(endpoint)
            self._socket.settimeout(0.0)
        except BaseException:
            self.close()
            raise

    def _shake_hands(self, endpoint: Endpoint) -> None:
        request = self._protocol.connect()
        request.headers.update(endpoint.headers)
        self._protocol.send_request(request)
        for data in self._protocol.data_to_send():
            self._socket.sendall(data)
        while self._protocol.state is State.CONNECTING and self._protocol.handshake_exc is None:
            data = self._socket.recv(_RECEIVE)
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
        error = self._protocol.handshake_exc
        if error is None:
            return
        if isinstance(error, InvalidStatus) and "problem" in error.response.headers.get("Content-Type", ""):
            status = error.response.status_code  # the server itself says no, and not something before it
            if status == 401:
                raise UnauthenticatedError(f"{endpoint} does not accept the token") from error
            if status == 403:
                raise PermissionDeniedError(f"{endpoint} refuses the connection") from error
        if isinstance(error, InvalidHandshake) and not isinstance(error, InvalidMessage):  # an answer, but not ours
            raise WebSocketRefusedError(str(error)) from error
        raise ConnectionError(str(error) or "the server closed the connection during the handshake") from error

    def send(self, frame: bytes) -> None:
        """Send one binary message."""
        with self._lock:
            if self._protocol.state is not State.OPEN:
                raise ConnectionError("the WebSocket is closed")
            self._protocol.send_binary(frame)
            self._write()

    def _write(self) -> None:
        """With the lock: send what the protocol object has, in as many steps as the peer makes of it.

        The socket does not block: OpenSSL does not let two threads into one connection at once, so nobody waits inside
        it; and a peer that takes nothing would hold whoever sends, and the thread that looks for signs of life.
        """
        for data in self._protocol.data_to_send():
            view = memoryview(data)
            while view:
                try:
                    view = view[self._socket.send(view) :]
                except (BlockingIOError, ssl.SSLWantWriteError):
                    self._wait_to_send([], [self._socket])
                except ssl.SSLWantReadError:
                    self._wait_to_send([self._socket], [])

    def _wait_to_send(self, readable: list[Any], writable: list[Any]) -> None:
        try:
            if any(select.select(readable, writable, [], self.patience)):
                return
        except (ValueError, OSError) as error:
            raise ConnectionError("the WebSocket is closed") from error
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # half a frame went out: whoever reads is to hear of it too
        raise TimeoutError("the peer takes no data")

    def receive(self, timeout: float) -> list[bytes]:
        """Messages that have come."""
        return self._read() if self.ready(timeout) else []

    def ready(self, timeout: float, waker: Waker | None = None) -> bool:
        """Whether there is something to read, after at most `timeout` seconds or once `waker` is set."""
        if self._secure and self._socket.pending():  # type: ignore[attr-defined]
            return True
        waker = waker or self._waker
        sources: list[Any] = [self._socket, waker]
        try:
            found, _, _ = select.select(sources, [], [], timeout)
        except (ValueError, OSError) as error:
            raise ConnectionError("the WebSocket is closed") from error
        if waker in found:
            waker.clear()
        return self._socket in found

    def rest(self, timeout: float) -> None:
        """Wait for a wake only, at most `timeout` seconds: another thread reads meanwhile."""
        try:
            if select.select([self._waker], [], [], timeout)[0]:
                self._waker.clear()
        except (ValueError, OSError) as error:
            raise ConnectionError("the WebSocket is closed") from error

    def _read(self) -> list[bytes]:
        with self._lock if self._secure else contextlib.nullcontext():
            try:
                data = self._socket.recv(_RECEIVE)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return []
        with self._lock:
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
            messages = self._messages()
            self._write()  # pongs and close frames
        if not messages and (not data or self._protocol.state is State.CLOSED):
            reason = self._protocol.close_reason or "the server closed the connection"
            raise ConnectionError(reason)
        return messages

    def _messages(self) -> list[bytes]:
        messages = []
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in (Opcode.BINARY, Opcode.CONT):
                if event.fin and not self._parts:
                    messages.append(bytes(event.data))
                    continue
                self._parts.append(bytes(event.data))
                if event.fin:
                    messages.append(b"".join(self._parts))
                    self._parts = []
        return messages

    def wake(self) -> None:
        """Make `receive` return."""
        self._waker.set()

    def close(self) -> None:
        """Close the socket; threads in it get an error."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self.wake()
        self._socket.close()
        self._waker.close()
        self.reader_waker.close()


def connect_socket(endpoint: Endpoint) -> socket.socket:
    """A connected socket to the server, with TLS where the URL says https. Raises OSError."""
    if endpoint.uds is not None:
        plain = socket.socket(socket.AF_UNIX)
        try:
            plain.settimeout(endpoint.connect_timeout)
            plain.connect(endpoint.uds)
        except BaseException:
            plain.close()
            raise
        return plain
    plain = socket.create_connection((endpoint.host, endpoint.port), endpoint.connect_timeout)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    context = endpoint.ssl_context()
    if context is None:
        return plain
    try:
        return context.wrap_socket(plain, server_hostname=endpoint.host)
    except BaseException:
        plain.close()
        raise
