"""A hostile client of a real server, over a WebSocket or HTTP: it does a list of things and looks at what comes back.

Owns: strategies of such lists, what a client does, and what must hold of the answers. Does not start servers.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import httpx
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus

from protocol import wire
from protocol.errors import MAX_MESSAGE, InternalError
from protocol.wire import Deframer, Item, Kind, prefixed
from tests.fuzz import codec
from tests.fuzz.items import BINDINGS, items, packed
from tests.stream.raw import Raw, RawHttp, http
from tests.support import ServerProcess

PATIENCE = 90.0
LAST = 2**40
"""The number of the SYNC that ends a conversation."""

batches = st.lists(items(), min_size=1, max_size=6).map(packed)
numbers = st.sampled_from([0, 1, 2, 2**32, 2**63, 2**64 - 1])
counts = st.sampled_from([0, 1, 2**32 - 1])
garbage = st.one_of(codec.frames(), codec.frames().flatmap(codec.mutated), st.binary(max_size=60))
actions = st.one_of(
    st.tuples(st.just("items"), batches),
    st.tuples(st.just("items"), batches),
    st.tuples(st.just("items"), batches),
    st.tuples(st.just("misnumbered"), batches, st.sampled_from([-2, -1, 1, 2**60]), counts),
    st.tuples(st.just("garbage"), garbage),
    st.tuples(st.just("acknowledge"), numbers, numbers),
    st.tuples(st.just("cancel"), st.one_of(numbers, st.sampled_from([-1, "all", None]))),
    st.tuples(st.just("again"), st.sampled_from([0, 0, 0, -1, 1, 2**60])),
)  # fmt: skip
conversations = st.lists(actions, min_size=1, max_size=6)


def items_in(body: bytes) -> int:
    """How many items stand in a body that `packed` made."""
    return len(wire.unpack(body)) if body else 0


class Client:
    """What both carriers have in common: the numbers, and the session's end."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.over = False  # the session has ended, or its connection has
        self.answered = False

    def converse(self, conversation: list[tuple[Any, ...]]) -> None:
        """Do it all, then ask for a last answer: it comes, or the session's or connection's end with a code has."""
        self.frame(1, len(BINDINGS), wire.pack(BINDINGS))
        number = 2
        for what, *arguments in conversation:
            if self.over:
                break
            if what == "items":
                self.frame(number, items_in(arguments[0]), arguments[0])
                number += 1
            elif what == "misnumbered":
                body, delta, count = arguments
                self.frame(max(0, number + delta), count, body)
            elif what == "garbage":
                self.put(arguments[0])
            elif what == "acknowledge":
                self.put(wire.encode_frame(Kind.ACK, 0, *arguments))
            elif what == "cancel":
                self.put(wire.encode_frame(Kind.CANCEL, 0, 0, 0, 0, wire.pack(arguments[0])))
            else:
                self.attach_again(arguments[0])
        if not self.over:
            self.frame(number, 1, wire.pack([[Item.SYNC, LAST]]))
        self.listen()

    def frame(self, seq: int, count: int, body: bytes) -> None:
        self.put(wire.encode_frame(Kind.ITEMS, min(seq, 2**64 - 1), 0, 0, count, body))

    def put(self, data: bytes) -> None:
        raise NotImplementedError

    def attach_again(self, off: int) -> None:
        raise NotImplementedError

    def listen(self) -> None:
        raise NotImplementedError

    def heard(self, data: bytes) -> None:
        """A frame of the server's: its items are what the protocol has, its errors have codes and are no bugs."""
        frame = wire.decode_frame(data)
        if frame.kind == Kind.REFUSED:
            self.ended(**wire.unpack_map(frame))
        elif frame.kind == Kind.ITEMS:
            for item in wire.unpack_items(frame):
                assert item[0] >= 32, item
                if item[0] in (Item.FAILED, Item.READ_FAILED):
                    assert item[2] != InternalError.error_code, item
                    assert len(item[3]) <= MAX_MESSAGE
                self.answered |= item[0] == Item.REPORT and item[1] == LAST

    def ended(self, code: int, message: str) -> None:
        assert type(code) is int
        assert code != InternalError.error_code, message
        assert len(message) <= MAX_MESSAGE
        self.over = True


class SocketClient(Client):
    """Over a WebSocket."""

    def __init__(self, server: ServerProcess) -> None:
        super().__init__(server)
        self.raw = Raw(server)
        self.session = self.raw.session
        self.others: list[Raw] = []

    def put(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionClosed):
            self.raw.socket.send(data)

    def attach_again(self, off: int) -> None:
        """A second connection: the first is fenced, or the second refused."""
        self.others.append(self.raw)
        try:
            self.raw = Raw(self.server, self.session, expects=max(0, self.raw.received + 1 + off))
        except InvalidStatus as error:
            assert error.response.status_code < 500
            self.over = True
            return
        if self.raw.refused is not None:
            self.ended(**self.raw.refused)
        elif self.raw.welcome:
            assert self.raw.welcome["version"] == wire.VERSION

    def listen(self) -> None:
        while not self.answered:
            try:
                self.heard(self.raw.socket.recv(timeout=PATIENCE))
            except ConnectionClosed as closed:
                said = closed.rcvd
                assert self.over or (said is not None and (said.code < 1011 or said.code == 1012)), closed
                break

    def close(self) -> None:
        for raw in (*self.others, self.raw):
            raw.__exit__()


class HttpClient(Client):
    """Over requests."""

    def __init__(self, server: ServerProcess) -> None:
        super().__init__(server)
        self.raw = RawHttp(server)
        self.session = self.raw.session

    def put(self, data: bytes) -> None:
        if not self.over:
            self.checked(self.raw.post(prefixed(data)))

    def attach_again(self, off: int) -> None:
        hello = {"version": wire.VERSION, "expects": max(0, self.raw.received + 1 + off)}
        frame = prefixed(wire.encode_frame(Kind.HELLO, 0, 0, 0, 0, wire.pack(hello)))
        answer = self.checked(self.raw.http.post(f"{self.raw.path}/connections", content=frame))
        if answer.is_success:
            self.raw.attachment = int(answer.headers["x-attachment"])

    def listen(self) -> None:
        while not self.answered and not self.over:
            answer = self.checked(self.raw.get(wait=20.0))
            if answer.is_success:
                for frame in Deframer().feed(answer.content):
                    self.heard(frame)

    def checked(self, answer: httpx.Response) -> httpx.Response:
        if not answer.is_success:
            assert answer.status_code < 500, answer.text
            problem = json.loads(answer.text)
            self.ended(problem.get("code", 3), problem.get("detail", "")[:MAX_MESSAGE])
        return answer

    def close(self) -> None:
        self.raw.http.close()


def converse(server: ServerProcess, carrier: Callable[[ServerProcess], Any], conversation: list[Any]) -> None:
    """One conversation in a session of its own, which is then deleted."""
    client = carrier(server)
    try:
        client.converse(conversation)
    finally:
        client.close()
    with http(server) as requests:
        assert requests.delete(f"/v1/sessions/{client.session}").status_code in (204, 404)
