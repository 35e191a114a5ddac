"""A client that can break the rules: frames written by hand, over a WebSocket or HTTP, to a real server."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from protocol import wire
from protocol.wire import Deframer, Frame, Kind, prefixed
from tests.support import ServerProcess


def http(server: ServerProcess) -> httpx.Client:
    """An HTTP client with the server's token."""
    return httpx.Client(base_url=server.url, headers=server.headers, timeout=30)


def new_session(server: ServerProcess) -> str:
    answer = httpx.post(f"{server.url}/v1/sessions", headers=server.headers)
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["session"]
    return found


def open_socket(server: ServerProcess, session: str, **options: Any) -> ClientConnection:
    """A WebSocket to a session's stream, before any frame."""
    url = f"ws://127.0.0.1:{server.port}/v1/sessions/{session}/stream"
    options = {"additional_headers": server.headers, "max_size": None, **options}
    return connect(url, compression=None, ping_interval=None, proxy=None, close_timeout=2, **options)


class Raw:
    """A session over one WebSocket. `send` numbers frames as it should be done; `frame` sends whatever it is told."""

    def __init__(self, server: ServerProcess, session: str | None = None, *, seq: int = 0, expects: int = 1) -> None:
        self.server = server
        self.session = session or new_session(server)
        self.seq = seq
        self.received = expects - 1
        self.refused: dict[str, Any] | None = None
        self._stack = ExitStack()
        self.socket = self._stack.enter_context(open_socket(server, self.session))
        self.frame(Kind.HELLO, body={"version": wire.VERSION, "expects": expects})
        first = self.receive()
        self.welcome = wire.unpack_map(first) if first is not None else {}

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def frame(self, kind: int, seq: int = 0, taken: int = 0, done: int = 0, count: int = 0, body: Any = None) -> None:
        data = body if isinstance(body, bytes) else b"" if body is None else wire.pack(body)
        self.socket.send(wire.encode_frame(kind, seq, taken, done, count, data))

    def send(self, *items: list[Any]) -> None:
        """The next frame of items."""
        self.seq += 1
        self.frame(Kind.ITEMS, self.seq, self.received, 0, len(items), list(items))

    def acknowledge(self) -> None:
        self.frame(Kind.ACK, 0, self.received)

    def receive(self, timeout: float = 10.0) -> Frame | None:
        """The next frame; None when the connection is closed. A REFUSED is remembered on the way."""
        try:
            frame = wire.decode_frame(self.socket.recv(timeout=timeout))
        except ConnectionClosed:
            return None
        if frame.kind == Kind.REFUSED:
            self.refused = wire.unpack_map(frame)
            return self.receive(timeout)
        self.received = max(self.received, frame.seq)
        return frame

    def replies(self, count: int) -> list[tuple[Any, ...]]:
        """The next `count` reply items."""
        found: list[tuple[Any, ...]] = []
        while len(found) < count:
            frame = self.receive()
            assert frame is not None, f"closed: {self.refused or self.socket.close_reason}"
            if frame.kind == Kind.ITEMS:
                found += wire.unpack_items(frame)
        assert len(found) == count, found
        return found

    def ask(self, *items: list[Any]) -> Any:
        """Send items of which the last is a READ or SYNC, and give what answers it."""
        self.send(*items)
        return self.replies(1)[0][2]

    def wait_done(self, items: int) -> None:
        """Until the server says that it has executed so many."""
        while (frame := self.receive()) is not None and frame.done < items:
            pass

    def end(self, timeout: float = 10.0) -> dict[str, Any] | None:
        """Read until the server closes; what it said in REFUSED, if it did."""
        deadline = time.monotonic() + timeout
        while self.receive(deadline - time.monotonic()) is not None:
            pass
        return self.refused

    @property
    def alive(self) -> bool:
        """Whether the session takes a new connection, which is closed again."""
        return answers_welcome(self.server, self.session)


def answers_welcome(server: ServerProcess, session: str) -> bool:
    with Raw(server, session, expects=0) as other:
        # No frame has the number 0: a session that is there says so, and otherwise the server says that there is none.
        refused = other.end()
    assert refused is not None
    return refused["code"] != 64


class RawHttp:
    """A session over the HTTP fallback."""

    def __init__(self, server: ServerProcess, session: str | None = None, *, seq: int = 0, expects: int = 1) -> None:
        self.session = session or new_session(server)
        self.http = http(server)
        self.seq = seq
        self.received = expects - 1
        self.path = f"/v1/sessions/{self.session}"
        hello = wire.encode_frame(Kind.HELLO, 0, 0, 0, 0, wire.pack({"version": wire.VERSION, "expects": expects}))
        answer = self.http.post(f"{self.path}/connections", content=prefixed(hello))
        answer.raise_for_status()
        self.attachment = int(answer.headers["x-attachment"])
        self.first = Deframer().feed(answer.content)
        self.welcome = wire.unpack_map(wire.decode_frame(self.first[0]))

    def __enter__(self) -> RawHttp:
        return self

    def __exit__(self, *error: object) -> None:
        self.http.close()

    def next(self, *items: list[Any]) -> bytes:
        """The next frame of items, prefixed."""
        self.seq += 1
        body = wire.pack(list(items))
        return prefixed(wire.encode_frame(Kind.ITEMS, self.seq, self.received, 0, len(items), body))

    def post(self, content: bytes) -> httpx.Response:
        return self.http.post(f"{self.path}/frames", params={"attachment": self.attachment}, content=content)

    def get(self, wait: float = 10.0, **query: int) -> httpx.Response:
        return self.http.get(f"{self.path}/frames", params={"attachment": self.attachment, "wait": wait, **query})

    def replies(self, count: int) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        polls = 0
        while len(found) < count and (polls := polls + 1) < 50:
            answer = self.get()
            answer.raise_for_status()
            for frame in map(wire.decode_frame, Deframer().feed(answer.content)):
                self.received = max(self.received, frame.seq)
                if frame.kind == Kind.ITEMS:
                    found += wire.unpack_items(frame)
        assert len(found) == count, found
        return found
