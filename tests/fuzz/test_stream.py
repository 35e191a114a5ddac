"""Two sides of a session and a network that loses, repeats and reorders: each item is executed once, in order."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from protocol import wire
from protocol.errors import ProtocolError, SequenceGapError
from protocol.stream import Credit, Stream
from protocol.wire import Kind

CREDIT = Credit(items=12, bytes=600)
SEVERAL = st.integers(1, 4)
PLACE = st.integers(0, 2**16)
NUMBER = st.integers(0, 2**64 - 1)


class Side:
    """One end: its stream, what it was told to do and has done, and the frames on their way to the other."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.wanted: list[int] = []  # the numbers in the items that it sent, in order
        self.waiting: deque[int] = deque()  # received, not executed
        self.done: list[int] = []
        self.wire: list[bytes] = []
        self.ever: list[bytes] = []  # every frame it sent, for whoever repeats them

    def send(self, count: int, size: int) -> None:
        values = range(len(self.wanted), len(self.wanted) + count)
        frame = self.stream.send(wire.pack([[wire.BIND, v, "x" * size] for v in values]), count)
        self.wanted += values
        self.put(frame)

    def put(self, frame: bytes) -> None:
        self.wire.append(frame)
        self.ever.append(frame)

    def take(self, data: bytes) -> None:
        frame = self.stream.receive(data)
        if frame is not None and frame.kind == Kind.ITEMS:
            self.waiting += [item[1] for item in wire.unpack_items(frame)]


class Network(RuleBasedStateMachine):
    """The client is held to the server's credit; the server's replies are not, as in a session."""

    def __init__(self) -> None:
        super().__init__()
        self.client = Side(Stream(sent_credit=CREDIT))
        self.server = Side(Stream(received_credit=CREDIT))

    def sides(self, to_server: bool) -> tuple[Side, Side]:
        """Who sends and who receives."""
        return (self.client, self.server) if to_server else (self.server, self.client)

    # --- what the two do ---------------------------------------------------------------------------------------------

    @rule(count=SEVERAL, size=st.integers(0, 40))
    def ask(self, count: int, size: int) -> None:
        if self.client.stream.room(count, wire.HEADER.size + count * (size + 12)):
            self.client.send(count, size)

    @rule(count=SEVERAL, size=st.integers(0, 40), replies=st.integers(0, 2))
    def execute(self, count: int, size: int, replies: int) -> None:
        server = self.server
        for _ in range(min(count, len(server.waiting))):
            server.done.append(server.waiting.popleft())
        server.stream.execute(len(server.done))
        if replies:
            server.send(replies, size)

    @rule()
    def read_replies(self) -> None:
        self.client.done += self.client.waiting
        self.client.waiting.clear()
        self.client.stream.execute(len(self.client.done))

    @rule(to_server=st.booleans())
    def acknowledge(self, to_server: bool) -> None:
        sender, _ = self.sides(to_server)
        sender.put(sender.stream.control(Kind.ACK))

    @rule()
    def cancel(self) -> None:
        self.client.put(self.client.stream.control(Kind.CANCEL, wire.pack(self.client.stream.items_sent)))

    # --- what the network does ---------------------------------------------------------------------------------------

    @rule(to_server=st.booleans(), count=st.integers(1, 8))
    def deliver(self, to_server: bool, count: int) -> None:
        sender, receiver = self.sides(to_server)
        for _ in range(min(count, len(sender.wire))):
            try:
                receiver.take(sender.wire.pop(0))
            except SequenceGapError:
                self.reconnect()
                return

    @rule(to_server=st.booleans(), which=PLACE, at=PLACE)
    def repeat(self, to_server: bool, which: int, at: int) -> None:
        """Any frame ever sent comes again, at any place: a retried request, or an old connection's."""
        sender, _ = self.sides(to_server)
        if sender.ever:
            sender.wire.insert(at % (len(sender.wire) + 1), sender.ever[which % len(sender.ever)])

    @rule(to_server=st.booleans(), a=PLACE, b=PLACE)
    def reorder(self, to_server: bool, a: int, b: int) -> None:
        found = self.sides(to_server)[0].wire
        if found:
            a, b = a % len(found), b % len(found)
            found[a], found[b] = found[b], found[a]

    @rule(to_server=st.booleans(), kept=PLACE)
    def lose_the_tail(self, to_server: bool, kept: int) -> None:
        found = self.sides(to_server)[0].wire
        del found[kept % (len(found) + 1) :]

    @rule()
    def reconnect(self) -> None:
        """A new connection: what was under way is lost, and both resume."""
        client, server = self.client, self.server
        client.wire, server.wire = [], []
        for side, other in ((client, server), (server, client)):
            for frame in side.stream.resume(other.stream.expects):
                side.put(frame)

    @rule()
    def restart(self) -> None:
        """The server stops, and another takes up its streams."""
        other = Stream(received_credit=CREDIT)
        other.restore(self.server.stream.state())
        self.server.stream = other
        self.reconnect()

    # --- lies --------------------------------------------------------------------------------------------------------

    @rule(
        to_server=st.booleans(), taken=st.integers(0, 2**64 - 1), done=st.integers(0, 2**64 - 1), kind=st.integers(0, 9)
    )
    def acknowledge_what_was_never_sent(self, to_server: bool, taken: int, done: int, kind: int) -> None:
        sender, receiver = self.sides(to_server)
        stream = receiver.stream
        if taken <= stream.sent and done <= stream.items_sent:
            taken = stream.sent + 1
        self.refused(stream, wire.encode_frame(kind, sender.stream.sent, taken, done, 1, b"\x91\x91\x01"))

    @rule(to_server=st.booleans(), kind=st.sampled_from(list(Kind)), seq=st.sampled_from([0, 7]))
    def misnumber(self, to_server: bool, kind: Kind, seq: int) -> None:
        """Items without a number or without items; other kinds with one."""
        items = kind == Kind.ITEMS
        number = 0 if items and not seq else self.sides(to_server)[1].stream.expects if items else 7
        count = 1 if items and not seq else 0
        self.refused(self.sides(to_server)[1].stream, wire.encode_frame(kind, number, 0, 0, count))

    @rule(size=st.integers(1, 2**32 - 1))
    def ask_past_the_credit(self, size: int) -> None:
        stream = self.server.stream
        count = max(size, CREDIT.items + 1)
        self.refused(stream, wire.encode_frame(Kind.ITEMS, stream.expects, 0, 0, count, b"\x90"))
        self.refused(stream, wire.encode_frame(Kind.ITEMS, stream.expects, 0, 0, 1, b"\x00" * CREDIT.bytes))

    @precondition(lambda self: self.client.stream.sent or self.server.stream.sent)
    @rule(to_server=st.booleans(), expects=st.integers(0, 2**64 - 1))
    def resume_with_another_history(self, to_server: bool, expects: int) -> None:
        stream = self.sides(to_server)[0].stream
        first = stream.sent + 1 - stream.untaken
        if not first <= expects <= stream.sent + 1:
            before = stream.state()
            with pytest.raises(ProtocolError):
                stream.resume(expects)
            assert stream.state() == before

    def refused(self, stream: Stream, data: bytes) -> None:
        before = stream.state()
        with pytest.raises(ProtocolError):
            stream.receive(data)
        assert stream.state() == before, "a refused frame changed the stream"

    # --- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def each_item_once_and_in_order(self) -> None:
        for sender, receiver in (self.sides(True), self.sides(False)):
            got = receiver.done + list(receiver.waiting)
            assert got == sender.wanted[: len(got)]
            assert sender.stream.items_done <= len(receiver.done)

    @invariant()
    def what_is_kept_is_bounded(self) -> None:
        client, server = self.client.stream, self.server.stream
        assert len(self.server.waiting) == server.items_received - server.executed <= CREDIT.items
        assert server.unexecuted_bytes <= CREDIT.bytes
        assert len(server.state()["unexecuted"]) <= CREDIT.items
        assert client.items_sent - client.items_done <= CREDIT.items
        for stream in (client, server):
            kept = stream.state()["outbox"]
            assert stream.outbox_bytes == sum(map(len, kept))
            assert stream.untaken == len(kept) <= stream.sent

    def teardown(self) -> None:
        """With a quiet network everything arrives in the end."""
        self.reconnect()
        for _ in range(2):
            for sender, receiver in (self.sides(True), self.sides(False)):
                while sender.wire:
                    receiver.take(sender.wire.pop(0))
            self.execute(10**6, 0, 0)
            self.read_replies()
            self.acknowledge(True)
            self.acknowledge(False)
        assert self.server.done == self.client.wanted
        assert self.client.done == self.server.wanted
        assert self.client.stream.untaken == self.server.stream.untaken == 0
        assert self.client.stream.undone_bytes == self.server.stream.unexecuted_bytes == 0


def test_a_hostile_network(explore_machine: Any) -> None:
    explore_machine(Network, examples=60, steps=60)
