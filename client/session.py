"""A session on the client's side: what is issued, what is sent, what is waited for.

Owns: `Session`: the pending items and releases, the flush policy, credit, waits, failures and their source lines. Does
not know tensors or ops' meaning, nor how frames travel (`client.transport`), large values (`client.transfers`) or how a
connection is kept up (`client.link`).

Any thread may issue. A producer appends to a list, which is atomic, and one thread at a time takes what is there and
sends it: whoever fills a batch, whoever waits, or else the I/O thread, which is woken at the first item of a batch and
finds more of them the longer the producers keep the interpreter. The taker takes the pending releases before the
pending items and writes them after these, so that no item can follow its operand's release.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final

from client import session_settings, sites
from client.answers import Failures, Read
from client.interrupts import Uninterrupted
from client.sites import Site, Sites
from client.transfers import Transfers
from client.transport import Endpoint
from protocol import wire
from protocol.errors import NotFoundError, OpError, SessionLostError, error_from
from protocol.ops import Op
from protocol.stream import Credit, Stream
from protocol.wire import MAX_FRAME, Item, Kind

FLUSH_ITEMS: Final = 64
FLUSH_BYTES: Final = 64 * 1024
_RELEASES: Final = 2**16
"""Ids in one RELEASE item at most."""
_MARGIN: Final = 2**20
"""Bytes that a batch may have besides its constants, as the credit check reckons."""
_DISCONNECTED: Final = "this session was disconnected: its tensors are gone; make them anew after connect()"
_POLL: Final = 0.5
"""Seconds between looks, in a long wait, at whether the session is lost."""


class Session:
    """One session with a server. Made by `client.connect`; `link` keeps its connection."""

    symbolic = False
    """Whether its tensors only stand for values (`client.symbolic`)."""
    ids = itertools.count(1)
    """For all sessions, so that an id of an earlier one never names a value of a later one."""

    def __init__(self, endpoint: Endpoint, identifier: str, synchronous: bool = False) -> None:
        self.endpoint = endpoint
        self.id = identifier
        self.devices: tuple[str, ...] = ("CPU:0",)
        self.several_devices = False
        self.settings: frozenset[str] | None = None  # the names of those that the server has, once that is known
        self.synchronous = synchronous
        self.patience = 30.0  # seconds without a sign of life after which a connection is given up
        self.releases: list[int] = []
        # Counters for `stats`.
        self.ops = 0
        self.waits = 0
        self.stalls = 0
        self.bytes_sent = 0
        self.bytes_received = 0
        self.frames_sent = 0
        self.reconnects = 0

        self._pending: list[tuple[Any, Site | None]] = []
        self._weight = 0
        self._send_lock = threading.Lock()
        self._state_lock = threading.Lock()
        self._credit = threading.Event()
        self._stream = Stream()
        self._sites = Sites()
        self.bound: dict[str, int] = {}
        self._bind_lock = threading.Lock()
        self._op_numbers = itertools.count()
        self._reads: dict[int, Read] = {}
        self._numbers = itertools.count(1)
        self._failures = Failures(self._source_line)
        self._connection: Any = None
        self.transfers = Transfers(self)
        self.lost: OpError | None = None
        self.closed = False
        self.wake_io: Callable[[], None] = _nothing
        self.pump: Callable[[Read], bool] = _never  # read the connection in the waiting thread; the link's
        _SESSIONS.add(self)

    # --- issuing -----------------------------------------------------------------------------------------------------

    def issue(self, item: tuple[Any, ...], weight: int = 0) -> None:
        """Add an item to the stream. Blocks only when credit has run out."""
        pending = self._pending
        pending.append((item, sites.here()))
        count = len(pending)
        self._weight += weight
        if self.synchronous:
            self.sync()
        elif count >= FLUSH_ITEMS or self._weight >= FLUSH_BYTES:
            self.flush()
        elif count == 1:
            self.wake_io()

    def bind(self, op: Op) -> int:
        """The number that stands for an op on this session's wire."""
        number = self.bound.get(op.name)
        if number is None:
            with self._bind_lock:
                number = self.bound.get(op.name)
                if number is None:
                    number = next(self._op_numbers)
                    self._pending.append(((wire.BIND, number, op.name), None))
                    self.bound[op.name] = number  # only now: the binding stands before any use
        return number

    def switch(self, name: str, value: Any) -> None:
        """Give a setting of the session a value, for what is issued from here on. Raises NotFoundError."""
        if name not in (self.settings or ()):
            raise NotFoundError(f"the server has no setting {name!r}: it may be older than this client")
        self._pending.append(((Item.SET, name, value), sites.here()))
        self.wake_io()

    def check(self) -> None:
        """Raise if the session cannot be used any more, or not by this process."""
        if self.lost is not None:
            raise type(self.lost)(self.lost.message) from self.lost
        if self.closed:
            raise SessionLostError(_DISCONNECTED)

    # --- sending -----------------------------------------------------------------------------------------------------

    def flush(self, wait: bool = True) -> bool:
        """Send what is pending. Without credit: wait for it, or return False."""
        while self._pending or self.releases:
            with Uninterrupted():  # what was taken must be sent, and the lock given back
                if not self._send_lock.acquire(blocking=wait):
                    return True  # whoever holds it sends, and wakes the I/O thread for the rest
                try:
                    self._credit.clear()
                    if self._send_batch():
                        continue
                finally:
                    self._send_lock.release()
            if not wait:
                return False
            self.stall()
        return True

    def stall(self) -> None:
        """Wait until something that was sent is done."""
        self.stalls += 1
        while not self._credit.wait(_POLL):
            self.check()

    def _send_batch(self) -> bool:
        """With the send lock: take one batch and send it. False when there is no credit for it."""
        self.check()
        released = min(len(self.releases), _RELEASES)
        count = len(self._pending)
        with self._state_lock:
            if not self._stream.room(count + 1, self._weight + _MARGIN):
                return False
        releases = self.releases[:released]
        del self.releases[:released]
        batch = self._pending[:count]
        del self._pending[:count]
        self._weight = 0
        items = [entry[0] for entry in batch]
        if releases:
            items.append((wire.RELEASE, releases))
        if not items:
            return True
        self._send_items(items, [entry[1] for entry in batch])
        return True

    def _send_items(self, items: list[tuple[Any, ...]], issued: list[Site | None]) -> None:
        """With the send lock: send items as one frame, or as several where threads together issued more than fits."""
        body = wire.pack(items)
        if len(body) > MAX_FRAME - wire.HEADER.size and len(items) > 1:
            half = len(items) // 2
            self._send_items(items[:half], issued[:half])
            self._send_items(items[half:], issued[half:])
            return
        self.ops += sum([1 for item in items if not item[0]])
        with self._state_lock:
            self._sites.add(self._stream.items_sent + 1, issued)
            frame = self._stream.send(body, len(items))
        self.frames_sent += 1
        self.transmit(frame)

    def transmit(self, frame: bytes) -> None:
        """With the send lock: write a frame to the connection there is. What is lost with it is sent on the next."""
        connection = self._connection
        if connection is None:
            return
        try:
            connection.send(frame)
            self.bytes_sent += len(frame)
        except OSError:
            connection.wake()  # the I/O thread sees the same error and connects again

    def send_control(self, kind: Kind, body: bytes = b"", wait: bool = False) -> bool:
        """Send an unsequenced frame; without `wait`, only if nobody else is sending (which is a sign of life too)."""
        with Uninterrupted():
            if not self._send_lock.acquire(blocking=wait, timeout=2.0 if wait else -1):
                return False
            try:
                with self._state_lock:
                    frame = self._stream.control(kind, body)
                self.transmit(frame)
            finally:
                self._send_lock.release()
        return True

    # --- waiting -----------------------------------------------------------------------------------------------------

    def new_number(self) -> int:
        """A number for a read or an upload."""
        return next(self._numbers)

    def take_read(self, read: Read) -> None:
        """Tell the server that the client has a read's value, or wants it no more."""
        self._pending.append(((Item.READ_DONE, read.number), None))
        self.wake_io()

    def start_read(self, *fields: Any, kind: int = Item.READ) -> Read:
        """Issue an item that is answered. The caller flushes once it has issued all it wants answered together."""
        self.check()
        read = Read(self.new_number())
        self._reads[read.number] = read
        self._pending.append(((kind, read.number, *fields), sites.here()))
        return read

    def finish_reads(self, reads: list[Read]) -> None:
        """Wait until all of `reads` are answered. Raises what has failed, once."""
        for read in reads:
            if not read.finished and not self.pump(read):
                read.wait()
        self.raise_failures([r for r in reads if r.error is not None])

    def raise_failures(self, failed_reads: list[Read]) -> None:
        """Raise the first failure the user has not seen; or the error of a read whose failure was raised before."""
        failed = self._failures.take()
        if failed is not None:
            self._pending.append(((Item.CLEAR, failed[0]), None))
            self.wake_io()
            raise failed[1]
        for read in failed_reads:
            assert read.error is not None
            raise read.error

    def sync(self) -> dict[str, int]:
        """Wait until all that was issued is done; the server's report of what the session holds."""
        with self.waiting():
            read = self.start_read(kind=Item.SYNC)
            self.flush()
            self.finish_reads([read])
        report: dict[str, int] = read.value
        return report

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """One blocking round trip: counted, and cancelled on the server when the user interrupts it."""
        self.waits += 1
        try:
            yield
        except KeyboardInterrupt:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Drop what was sent and has not run yet. What is still pending here goes on."""
        with self._state_lock:
            through = self._stream.items_sent
        self.send_control(Kind.CANCEL, wire.pack(through), wait=True)

    def alive(self) -> bool:
        """Whether it makes sense to try again."""
        return self.lost is None and not self.closed

    # --- receiving, on the I/O thread --------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take one frame from the server. Raises ProtocolError."""
        self.bytes_received += len(data)
        with self._state_lock:
            frame = self._stream.receive(data)
        if frame is not None and frame.kind == wire.ITEMS:
            for item in wire.unpack_items(frame):
                self._answer(item)
        elif frame is not None and frame.kind == Kind.REFUSED:
            said = wire.unpack_map(frame)
            error = error_from(said.get("code", 2), str(said.get("message")))
            raise error if isinstance(error, OpError) else OpError(str(error))
        with self._state_lock:
            self._sites.forget(self._stream.items_done)
        self._credit.set()

    def _answer(self, item: tuple[Any, ...]) -> None:
        kind = item[0]
        if kind == wire.FAILED:
            self._failures.note(*item[1:5])
            return
        read = self._reads.pop(item[1], None)
        if read is None:
            return
        if kind == wire.VALUE:
            read.value = item[2]
            read.shape = item[3] if len(item) > 3 else None
        elif kind == Item.READ_FAILED:
            code, message, op, read.item = item[2:6]
            read.error = self._failures.error(read.item, code, message, op)
        elif kind in (Item.PAYLOAD, Item.PUBLISHED):
            read.value = item[2:]
        else:
            read.value = item[2]
        read.finish()

    def _source_line(self, item: int) -> str:
        with self._state_lock:
            site = self._sites.find(item)
        return "" if site is None else f"\n  issued at {sites.describe(site)}"

    # --- the link's side ---------------------------------------------------------------------------------------------

    def be_patient_for(self, seconds: float) -> None:
        """Have connections without a sign of life, and what is opened from here on without an answer, given up then."""
        self.patience = seconds
        timeout = min(self.endpoint.connect_timeout, seconds)
        self.endpoint = dataclasses.replace(self.endpoint, connect_timeout=timeout)

    def hello(self) -> bytes:
        """The first frame of a connection."""
        with self._state_lock:
            body = wire.pack({"version": wire.VERSION, "expects": self._stream.expects})
            return self._stream.control(Kind.HELLO, body)

    def attach(self, connection: Any, welcome: dict[str, Any]) -> None:
        """Use `connection` from here on, and send again what the server has not taken. Raises ProtocolError."""
        items, size = welcome["credit"]
        self.devices = tuple(welcome["devices"])
        self.several_devices = len(self.devices) > 1
        with self._send_lock:
            with self._state_lock:
                self._stream.sent_credit = Credit(items, size)
                frames = self._stream.resume(welcome["expects"])
            self._connection = connection
            for frame in frames:
                self.transmit(frame)
        self._credit.set()
        first, self.settings = self.settings is None, frozenset(welcome.get("settings", ()))
        if first:
            session_settings.opened(self)

    def detach(self) -> None:
        """The connection is lost."""
        self._connection = None

    @property
    def owes_acknowledgement(self) -> bool:
        """Whether the server waits to hear that its frames have come."""
        return self._stream.owes_acknowledgement

    @property
    def idle(self) -> bool:
        """Whether the server has done all that was sent."""
        return self._stream.items_done == self._stream.items_sent

    @property
    def has_reads(self) -> bool:
        """Whether anything is waited for."""
        return bool(self._reads)

    @property
    def has_pending(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._pending or self.releases)

    def lose(self, error: OpError) -> None:
        """The session is over: everyone who waits, or comes later, gets `error`."""
        self.lost = error
        self.detach()
        reads, self._reads = self._reads, {}
        for read in reads.values():
            read.error = error
            read.finish()
        self._credit.set()
        self.transfers.wake()

    def close(self) -> None:
        """Leave: the server frees what the session holds."""
        if self.closed:
            return
        session_settings.closing(self)
        if self.lost is None:
            self.send_control(Kind.BYE, wait=True)
        self.closed = True
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        self.lose(SessionLostError(_DISCONNECTED))
        self.transfers.close()

    def drain(self, timeout: float) -> Exception | None:
        """At exit: send what is pending, wait up to `timeout` seconds for it; the failure nobody has seen."""
        deadline = time.monotonic() + timeout
        if self.alive() and self._connection is not None:
            read = self.start_read(kind=Item.SYNC)
            self.flush()
            while self._connection is not None and time.monotonic() < deadline and not read.wait(0.1):
                pass
        failed = self._failures.take()
        return None if failed is None else failed[1]


def _nothing() -> None:
    pass


def _never(read: Read) -> bool:
    return False


_SESSIONS: weakref.WeakSet[Session] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    """A forked child shares the parent's sockets and must not speak on them: its copies of the sessions are dead."""
    for session in list(_SESSIONS):
        session.detach()
        session.lost = SessionLostError("a forked process cannot use its parent's tensors; call connect() in the child")
        session._send_lock = threading.Lock()
        session._state_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
