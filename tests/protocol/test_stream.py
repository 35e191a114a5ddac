"""The session rules, without sockets: numbers, acknowledgements, credit, resuming; in every order, and byte by byte."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import wire
from protocol.errors import ProtocolError, SequenceGapError
from protocol.stream import Credit, Stream
from protocol.wire import Kind, decode_frame


def items(*values: int) -> bytes:
    return wire.pack([[wire.RELEASE, [v]] for v in values])


def released(frame: wire.Frame) -> list[int]:
    return [v for item in wire.unpack_items(frame) for v in item[1]]


def test_frames_are_numbered_from_one_without_a_gap():
    stream = Stream()
    assert [decode_frame(stream.send(items(i), 1)).seq for i in range(3)] == [1, 2, 3]
    assert decode_frame(stream.control(Kind.ACK)).seq == 0


def test_a_frame_is_taken_once():
    sender, receiver = Stream(), Stream()
    frame = sender.send(items(7), 1)
    assert released(receiver.receive(frame)) == [7]
    assert receiver.receive(frame) is None


def test_a_gap_is_refused_and_costs_only_the_connection():
    sender, receiver = Stream(), Stream()
    first, second = sender.send(items(1), 1), sender.send(items(2), 1)
    with pytest.raises(SequenceGapError, match="frame 2 came where 1 was expected"):
        receiver.receive(second)
    for frame in sender.resume(receiver.expects):
        receiver.receive(frame)
    assert receiver.received == 2
    assert first in sender.resume(1)


def test_taken_frames_are_dropped_and_done_items_give_credit_back():
    sender, receiver = Stream(sent_credit=Credit(3, 10**6)), Stream()
    frame = sender.send(items(1, 2), 2)
    assert sender.room(1, 100)
    assert not sender.room(2, 100)
    receiver.receive(frame)
    sender.receive(receiver.control(Kind.ACK))
    assert sender.untaken == 0
    assert not sender.room(2, 100)
    receiver.execute(2)
    sender.receive(receiver.control(Kind.ACK))
    assert sender.room(2, 100)
    assert sender.undone_bytes == 0


def test_credit_in_bytes():
    sender = Stream(sent_credit=Credit(10**6, 200))
    assert sender.room(1, 10**9), "one batch alone may always go"
    sender.send(items(1), 1)
    assert sender.room(1, 100)
    assert not sender.room(1, 200)


@pytest.mark.parametrize("credit", [Credit(3, 10**6), Credit(10**6, 100)])
def test_more_than_the_credit_is_a_protocol_error(credit):
    sender, receiver = Stream(), Stream(received_credit=credit)
    receiver.receive(sender.send(items(1, 2), 2))
    with pytest.raises(ProtocolError, match="sent and not done"):
        receiver.receive(sender.send(items(3, 4), 2))
        receiver.receive(sender.send(items(5, 6), 2))


def test_executed_items_make_room_at_the_receiver():
    sender, receiver = Stream(), Stream(received_credit=Credit(2, 10**6))
    for i in range(0, 20, 2):
        receiver.receive(sender.send(items(i, i + 1), 2))
        receiver.execute(i + 2)
    assert receiver.unexecuted_bytes == 0


def test_stale_acknowledgements_are_ignored():
    sender, receiver = Stream(), Stream()
    receiver.receive(sender.send(items(1), 1))
    early = receiver.control(Kind.ACK)
    receiver.receive(sender.send(items(2), 1))
    receiver.execute(2)
    late = receiver.control(Kind.ACK)
    sender.receive(late)
    sender.receive(early)
    assert (sender.untaken, sender.items_done) == (0, 2)


@pytest.mark.parametrize(("taken", "done"), [(1, 0), (0, 1), (2**64 - 1, 0)])
def test_an_acknowledgement_of_what_was_never_sent_is_an_error(taken, done):
    with pytest.raises(ProtocolError, match="never sent"):
        Stream().receive(wire.encode_frame(Kind.ACK, 0, taken, done))


@pytest.mark.parametrize(
    "frame",
    [
        wire.encode_frame(Kind.ITEMS, 0, 0, 0, 1, items(1)),
        wire.encode_frame(Kind.ACK, 1, 0, 0),
        wire.encode_frame(Kind.ACK, 0, 0, 0, 1),
        b"",
        b"\x01" * 28,
        wire.encode_frame(9, 0, 0, 0),
        b"\x01" * (wire.MAX_FRAME + 1),
    ],
    ids=["items without number", "numbered ack", "ack with items", "empty", "short", "unknown kind", "too long"],
)
def test_malformed_frames_are_protocol_errors(frame):
    with pytest.raises(ProtocolError):
        Stream().receive(frame)


def test_resume_sends_again_from_what_the_peer_expects():
    sender = Stream()
    frames = [sender.send(items(i), 1) for i in range(4)]
    assert sender.resume(3) == frames[2:]
    assert sender.resume(5) == []


@pytest.mark.parametrize("expects", [0, 2, 6])
def test_resume_refuses_a_peer_with_another_history(expects):
    sender, receiver = Stream(), Stream()
    for i in range(4):
        receiver.receive(sender.send(items(i), 1))
        if i == 1:
            sender.receive(receiver.control(Kind.ACK))  # 1 and 2 are gone
    with pytest.raises(ProtocolError, match="the peer expects"):
        sender.resume(expects)


class Side:
    """One end with what it has seen, for the test of whole histories."""

    def __init__(self):
        self.stream = Stream()
        self.seen: list[int] = []
        self.wire: list[bytes] = []

    def take(self, frame: bytes) -> None:
        found = self.stream.receive(frame)
        if found is not None and found.kind == Kind.ITEMS:
            self.seen += released(found)
            self.stream.execute(self.stream.items_received)


def reconnect(a: Side, b: Side) -> None:
    """A new connection: what was under way is lost; both say what they expect."""
    a.wire, b.wire = [], []
    a.wire += a.stream.resume(b.stream.expects)
    b.wire += b.stream.resume(a.stream.expects)


ACTIONS = ("a sends", "b sends", "a delivers", "b delivers", "a acks", "cut")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(ACTIONS), max_size=40))
def test_no_item_is_lost_or_repeated_whatever_happens(actions):
    a, b = Side(), Side()
    sent = {"a": [], "b": []}
    numbers = itertools.count()
    for action in actions:
        if action == "a sends":
            sent["a"].append(next(numbers))
            a.wire.append(a.stream.send(items(sent["a"][-1]), 1))
        elif action == "b sends":
            sent["b"].append(next(numbers))
            b.wire.append(b.stream.send(items(sent["b"][-1]), 1))
        elif action == "a delivers" and a.wire:
            b.take(a.wire.pop(0))
        elif action == "b delivers" and b.wire:
            a.take(b.wire.pop(0))
        elif action == "a acks":
            a.wire.append(a.stream.control(Kind.ACK))
        elif action == "cut":
            reconnect(a, b)
    reconnect(a, b)
    for frame in a.wire:
        b.take(frame)
    for frame in b.wire:
        a.take(frame)
    assert b.seen == sent["a"]
    assert a.seen == sent["b"]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 29, 1000])
def test_a_byte_stream_is_cut_back_into_frames_however_it_arrives(size):
    frames = [wire.encode_frame(Kind.ACK, 0, i, i) for i in range(3)] + [b"", b"x" * 70]
    data = b"".join(map(wire.prefixed, frames))
    deframer = wire.Deframer()
    found = [f for start in range(0, len(data), size) for f in deframer.feed(data[start : start + size])]
    assert found == frames
    assert deframer.empty


def test_a_byte_stream_with_a_frame_too_long_is_refused_before_it_is_held():
    with pytest.raises(ProtocolError, match="over the limit"):
        wire.Deframer().feed((wire.MAX_FRAME + 1).to_bytes(4, "big"))
