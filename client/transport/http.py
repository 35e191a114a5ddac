"""Frames over plain HTTP, for networks where WebSocket is blocked: requests carry them there, long polls bring them
back.

Owns: `HttpConnection` with its two threads. Does not know frames. Whatever is sent while a request is under way goes
together into the next, so a long round trip costs latency and not rate.
"""

from __future__ import annotations

import itertools
import queue
import threading
from typing import Any, Final

import httpx

from client.transport import Endpoint, raise_for_status
from protocol.errors import OpError
from protocol.wire import MAX_FRAME, Deframer, prefixed

_POLL_WAIT: Final = 20.0
_BODY: Final = 2 * MAX_FRAME
_QUEUED: Final = 4 * 2**20
"""Bytes handed over and not yet in a request, past which `send` blocks."""


class HttpConnection:
    """Two HTTP exchanges at a time with one session."""

    def __init__(self, endpoint: Endpoint, session: str) -> None:
        self._path = f"{endpoint.prefix}/v1/sessions/{session}"
        # A client for each thread, closed by it: one closed under another's request would leave that one's socket open.
        self._sender = make_client(endpoint, endpoint.connect_timeout)
        self._poller = make_client(endpoint, _POLL_WAIT + 40.0)
        self._incoming: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._outgoing: list[bytes] = []
        self._queued = 0
        self._changed = threading.Condition()
        self._attachment: str | None = None
        self._error: Exception | None = None
        self._closed = False

    def send(self, frame: bytes) -> None:
        """Queue one frame; the first, HELLO, opens the connection."""
        if self._attachment is None:
            self._open(frame)
            return
        with self._changed:
            while self._queued > _QUEUED and self._error is None and not self._closed:
                self._changed.wait()
            if self._error is not None or self._closed:
                raise ConnectionError(str(self._error or "closed"))
            self._outgoing.append(prefixed(frame))
            self._queued += len(frame)
            self._changed.notify_all()

    def _open(self, hello: bytes) -> None:
        response = self._request(self._sender, "POST", "/connections", content=prefixed(hello))
        self._attachment = response.headers["x-attachment"]
        self._deliver(response.content)
        for work, client in ((self._send_loop, self._sender), (self._poll_loop, self._poller)):
            threading.Thread(target=self._guarded, args=(work, client), name="telegrad-http", daemon=True).start()

    def _guarded(self, work: Any, client: httpx.Client) -> None:
        try:
            work()
        except Exception as error:
            with self._changed:
                self._error = self._error or error
                self._changed.notify_all()
            self._incoming.put(error)
        finally:
            client.close()

    def _send_loop(self) -> None:
        while True:
            with self._changed:
                while not self._outgoing and not self._closed and self._error is None:
                    self._changed.wait()
                if (self._closed and not self._outgoing) or self._error is not None:
                    return
                body = self._take()
                self._changed.notify_all()
            self._request(self._sender, "POST", f"/frames?attachment={self._attachment}", content=body)

    def _take(self) -> bytes:
        size = count = 0
        for frame in self._outgoing:
            if count and size + len(frame) > _BODY:
                break
            size += len(frame)
            count += 1
        taken, self._outgoing = self._outgoing[:count], self._outgoing[count:]
        self._queued = sum(map(len, self._outgoing))
        return b"".join(taken)

    def _poll_loop(self) -> None:
        for number in itertools.count(1):
            if self._closed:
                return
            path = f"/frames?attachment={self._attachment}&poll={number}&wait={_POLL_WAIT}"
            self._deliver(self._request(self._poller, "GET", path).content)

    def _deliver(self, content: bytes) -> None:
        deframer = Deframer()
        for frame in deframer.feed(content):
            self._incoming.put(frame)
        if not deframer.empty:
            raise ConnectionError("an answer ends in the middle of a frame")

    def _request(self, client: httpx.Client, method: str, path: str, content: bytes | None = None) -> httpx.Response:
        try:
            response = client.request(method, self._path + path, content=content)
        except httpx.HTTPError as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from error
        raise_for_status(response.status_code, response.text if response.is_error else "")
        return response

    def receive(self, timeout: float) -> list[bytes]:
        """Frames that have come."""
        try:
            item = self._incoming.get(timeout=timeout)
        except queue.Empty:
            return []
        frames = []
        while True:
            if isinstance(item, OpError):
                raise item
            if isinstance(item, Exception):
                raise ConnectionError(str(item)) from item
            if item is not None:
                frames.append(item)
            try:
                item = self._incoming.get_nowait()
            except queue.Empty:
                return frames

    def wake(self) -> None:
        """Make `receive` return."""
        self._incoming.put(None)

    def close(self) -> None:
        """Stop both threads; frames that were queued and not sent stay unsent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._incoming.put(ConnectionError("closed"))
        if self._attachment is None:
            self._sender.close()
            self._poller.close()


def make_client(endpoint: Endpoint, answer_timeout: float) -> httpx.Client:
    """An httpx client for the server's HTTP routes, whose answers begin within so many seconds."""
    transport = httpx.HTTPTransport(uds=endpoint.uds) if endpoint.uds else None
    base = "http://localhost" if endpoint.uds else endpoint.url
    return httpx.Client(
        base_url=base[: len(base) - len(endpoint.prefix)] if endpoint.prefix else base,
        headers=endpoint.headers,
        transport=transport,
        timeout=httpx.Timeout(endpoint.connect_timeout, read=answer_timeout, write=60.0),
        verify=endpoint.ssl_context() or False,  # without TLS there is nothing to verify, and no context to pay for
    )
