"""The rules of a session's two ordered streams, without I/O: numbers, acknowledgements, credit, resuming.

Owns: `Stream`, one object a side (client and server use the same), and `Credit`. Does not know sockets, threads, clocks
or what items mean: frames in, frames out. A caller serialises access to it.

The rules, each kept by the method named:

1. Sequenced frames are numbered from 1 without a gap, in each direction on its own (`send`).
2. A frame below the number expected was received before and is ignored; one above it is an error, since the
   connection keeps order and resuming starts at the number expected (`receive`).
3. `taken` and `done` never fall; a lower one is stale and ignored, one for what was never sent is an error (`receive`).
4. A sent frame is kept until the peer has taken it, so that it can be sent again on a new connection (`resume`).
5. What is sent and not yet done stays within the credit that the peer granted; past it the receiver refuses
(`receive`), and an honest
   sender waits (`room`).
6. On a new connection each side says the number it expects next; the other sends again from there. A number that was
never sent, or whose frame is gone,
   means that the two do not share a history: an error (`resume`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from protocol.errors import ProtocolError, SequenceGapError
from protocol.wire import ITEMS, Frame, Kind, decode_frame, encode_frame


class Credit(NamedTuple):
    """How many items, and bytes of frames, may be sent and not yet done."""

    items: int
    bytes: int


UNLIMITED: Final = Credit(2**62, 2**62)
DEFAULT_CREDIT: Final = Credit(items=32768, bytes=64 * 2**20)


class _Sent(NamedTuple):
    last_item: int
    size: int


class Stream:
    """One side of a session.

    sent_credit: what the peer lets this side have in flight; received_credit: what this side lets the peer.
    """

    def __init__(self, sent_credit: Credit = UNLIMITED, received_credit: Credit = UNLIMITED) -> None:
        self.sent_credit = sent_credit
        self.received_credit = received_credit
        self.sent = 0  # the last sequence number sent
        self.received = 0  # the last sequence number received in order
        self.items_sent = 0
        self.items_received = 0
        self.items_done = 0  # of this side's items, by the peer
        self.executed = 0  # of the peer's items, by this side
        self._outbox: deque[tuple[int, bytes]] = deque()
        self.outbox_bytes = 0
        self._undone: deque[_Sent] = deque()
        self.undone_bytes = 0
        self._unexecuted: deque[_Sent] = deque()
        self.unexecuted_bytes = 0
        self.acknowledged_taken = 0  # what the peer was last told
        self.acknowledged_done = 0

    def send(self, body: bytes, count: int) -> bytes:
        """Number a frame of `count` items, keep it until it is taken, and return its bytes."""
        self.sent += 1
        self.items_sent += count
        frame = self._stamp(ITEMS, self.sent, count, body)
        self._outbox.append((self.sent, frame))
        self.outbox_bytes += len(frame)
        self._undone.append(_Sent(self.items_sent, len(frame)))
        self.undone_bytes += len(frame)
        return frame

    def control(self, kind: Kind, body: bytes = b"") -> bytes:
        """An unsequenced frame: an acknowledgement (also the heartbeat), a cancel, a goodbye."""
        return self._stamp(kind, 0, 0, body)

    def _stamp(self, kind: int, seq: int, count: int, body: bytes) -> bytes:
        self.acknowledged_taken = self.received
        self.acknowledged_done = self.executed
        return encode_frame(kind, seq, self.received, self.executed, count, body)

    def receive(self, data: bytes) -> Frame | None:
        """Take one frame from the peer: the frame, or None when it was received before.

        Raises:
            SequenceGapError: the frame is not the next one; a new connection can resume.
            ProtocolError: the peer broke rule 3 or 5, or the frame is malformed. The session cannot go on.
        """
        frame = decode_frame(data)
        self._take_acknowledgement(frame)
        if frame.kind != ITEMS:
            if frame.seq or frame.items:
                raise ProtocolError(f"a frame of kind {frame.kind} has no sequence number and no items")
            return frame
        if frame.seq <= self.received:
            if frame.seq == 0:
                raise ProtocolError("a frame of items has no sequence number")
            return None
        if not frame.items:
            raise ProtocolError("a frame of items has none")  # it would count against no credit, and be kept
        if frame.seq != self.received + 1:
            raise SequenceGapError(f"frame {frame.seq} came where {self.received + 1} was expected")
        if self.items_received + frame.items - self.executed > self.received_credit.items:
            raise ProtocolError(f"more than {self.received_credit.items} items sent and not done")
        if self.unexecuted_bytes + len(data) > self.received_credit.bytes:
            raise ProtocolError(f"more than {self.received_credit.bytes} bytes sent and not done")
        self.received = frame.seq
        self.items_received += frame.items
        self._unexecuted.append(_Sent(self.items_received, len(data)))
        self.unexecuted_bytes += len(data)
        return frame

    def _take_acknowledgement(self, frame: Frame) -> None:
        if frame.taken > self.sent or frame.done > self.items_sent:
            raise ProtocolError("an acknowledgement of what was never sent")
        while self._outbox and self._outbox[0][0] <= frame.taken:
            self.outbox_bytes -= len(self._outbox.popleft()[1])
        if frame.done > self.items_done:
            self.items_done = frame.done
            while self._undone and self._undone[0].last_item <= frame.done:
                self.undone_bytes -= self._undone.popleft().size

    def execute(self, total: int) -> None:
        """Note that `total` of the peer's items (all since the session began) have been executed; fewer than noted
        before is no news.
        """
        if total <= self.executed:
            return
        self.executed = total
        while self._unexecuted and self._unexecuted[0].last_item <= total:
            self.unexecuted_bytes -= self._unexecuted.popleft().size

    def room(self, items: int, size: int) -> bool:
        """Whether a frame of `items` and about `size` bytes is within the peer's credit; one alone always is."""
        in_flight = self.items_sent - self.items_done
        if not in_flight:
            return True
        return in_flight + items <= self.sent_credit.items and self.undone_bytes + size <= self.sent_credit.bytes

    @property
    def untaken(self) -> int:
        """Frames sent and not yet taken by the peer."""
        return len(self._outbox)

    @property
    def owes_acknowledgement(self) -> bool:
        """Whether the peer has not been told all of what was received and executed."""
        return self.acknowledged_taken != self.received or self.acknowledged_done != self.executed

    @property
    def expects(self) -> int:
        """The sequence number expected next: what a HELLO or WELCOME says."""
        return self.received + 1

    def resume(self, peer_expects: int) -> list[bytes]:
        """The frames to send again on a new connection whose peer expects `peer_expects` next.

        Raises:
            ProtocolError: the peer expects what was never sent, or what it had said to have taken.
        """
        first = self._outbox[0][0] if self._outbox else self.sent + 1
        if not first <= peer_expects <= self.sent + 1:
            raise ProtocolError(f"the peer expects frame {peer_expects}, outside [{first}, {self.sent + 1}]")
        while self._outbox and self._outbox[0][0] < peer_expects:
            self.outbox_bytes -= len(self._outbox.popleft()[1])
        return [frame for _, frame in self._outbox]

    # --- across a restart of this side -------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Its numbers and the frames that the peer has not taken, as plain values: for `restore` in another process."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        outbox = [frame for _, frame in self._outbox]
        return {**numbers, "outbox": outbox, "undone": list(self._undone), "unexecuted": list(self._unexecuted)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Give a new stream the state of another."""
        for name in _NUMBERS:
            setattr(self, name, state[name])
        first = self.sent - len(state["outbox"]) + 1
        self._outbox.extend(enumerate(state["outbox"], first))
        self.outbox_bytes = sum(map(len, state["outbox"]))
        self._undone.extend(_Sent(*each) for each in state["undone"])
        self.undone_bytes = sum(each.size for each in self._undone)
        self._unexecuted.extend(_Sent(*each) for each in state["unexecuted"])
        self.unexecuted_bytes = sum(each.size for each in self._unexecuted)


_NUMBERS: Final = ("sent", "received", "items_sent", "items_received", "items_done", "executed")
