"""A session on the server's side: its stream, its host, and whichever connection is attached to it.

Owns: `Session` (frames in, frames out, attaching, fencing, resuming, heartbeat), `Sessions` (the registry, leases,
eviction). Lives on the event loop alone. Does not know HTTP or WebSocket: a connection is anything with `send(frame)`
and `close(reason)`.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any, Final, Protocol

import protocol
from protocol import wire
from protocol.errors import OpError, ProtocolError, ResourceExhaustedError, SessionLostError
from protocol.stream import DEFAULT_CREDIT, UNLIMITED, Stream
from protocol.wire import Frame, Kind
from server import switches
from server.devices import Device
from server.events import Events, Traffic
from server.executor import Executor
from server.files import Files
from server.host import ThreadHost
from server.logs import short_id
from server.payloads import Payloads
from server.settings import Settings

_OUTBOX_LIMIT: Final = 64 * 2**20
"""Bytes of replies that the client has not taken, past which its session pauses."""
_MISSED_HEARTBEATS: Final = 3


class Connection(Protocol):
    """What a session is attached to."""

    carrier: str
    """One of `server.events.CARRIERS`."""

    def send(self, frame: bytes) -> None:
        """Queue one frame; never blocks."""

    def close(self, reason: str) -> None:
        """Close after what was queued; may be called twice."""


class Session:
    """One client's values and its two streams."""

    def __init__(
        self,
        identifier: str,
        settings: Settings,
        devices: list[Device],
        loop: asyncio.AbstractEventLoop,
        files: Files | None = None,
        events: Events | None = None,
    ) -> None:
        self.id = identifier
        self.label = short_id(identifier)
        self.ended = False
        self.events = events or Events()
        self._traffic = Traffic()
        self.settings = settings
        self.devices = devices
        self.stream = Stream(sent_credit=UNLIMITED, received_credit=DEFAULT_CREDIT)
        self.payloads = Payloads(settings.memory_limit, loop)
        self.created = time.time()
        self.detached_at: float | None = time.monotonic()
        self.attachment = 0  # counts up; only the newest may speak
        self.connection: Connection | None = None
        self.broken: OpError | None = None
        self._heard = time.monotonic()
        self._said = time.monotonic()
        self._held = False
        self.host = ThreadHost(
            lambda emit: Executor(devices, settings.memory_limit, self.payloads, emit, files),
            loop, self._replies, self._progress, self._break,
        )  # fmt: skip

    # --- connections -------------------------------------------------------------------------------------------------

    def attach(self, connection: Connection, hello: Frame) -> int:
        """Make `connection` the session's, resume from where both sides say they are, and return the attachment's
        number.

        Raises:
            ProtocolError: no HELLO, another protocol version, or no common history.
        """
        if hello.kind != Kind.HELLO:
            raise ProtocolError("a connection starts with HELLO")
        said = wire.unpack_map(hello)
        version, expects = said.get("version"), said.get("expects")
        if version != wire.VERSION:
            raise ProtocolError(f"the client speaks protocol version {version!r}, this server {wire.VERSION}")
        if type(expects) is not int:
            raise ProtocolError("HELLO does not say what is expected next")
        again = self.stream.resume(expects)
        if self.connection is not None:
            self.connection.close("another connection took over")
        self.attachment += 1
        self.connection = connection
        self._traffic = self.events.traffic[connection.carrier]
        self.events.attached(self, connection.carrier, self.attachment)
        self.detached_at = None
        self._heard = time.monotonic()
        welcome = {
            "version": wire.VERSION,
            "expects": self.stream.expects,
            "credit": tuple(self.stream.received_credit),
            "heartbeat": self.settings.heartbeat,
            "attachment": self.attachment,
            "server": protocol.__version__,
            "devices": tuple(d.name for d in self.devices),
            "settings": switches.NAMES,
        }
        self._send(self.stream.control(Kind.WELCOME, wire.pack(welcome)))
        for frame in again:
            self._send(frame)
        return self.attachment

    def detach(self, connection: Connection, silent: float | None = None) -> None:
        """The connection is gone, or was `silent` for so many seconds; the session stays for its lease."""
        if self.connection is connection:
            self.connection = None
            self.detached_at = time.monotonic()
            if not self.ended:
                self.events.detached(self, silent)

    def receive(self, data: bytes) -> None:
        """Take one frame from the attached connection.

        Raises:
            SequenceGapError: the connection must go.
            ProtocolError: the session must go.
        """
        self._heard = time.monotonic()
        self._traffic.received += len(data)
        self._traffic.frames_in += 1
        frame = self.stream.receive(data)
        if frame is None:
            return
        if self._held and self.stream.outbox_bytes <= _OUTBOX_LIMIT // 2:
            self._held = False
            self.host.hold(False)
        if frame.kind == wire.ITEMS:
            self.host.submit(frame)
        elif frame.kind == Kind.CANCEL:
            through = wire.unpack(frame.body)
            if type(through) is not int:
                raise ProtocolError("a cancel does not say through which item")
            self.host.cancel(min(through, self.stream.items_received))
        elif frame.kind != Kind.ACK:
            raise ProtocolError(f"a frame of kind {frame.kind} has no place here")

    def beat(self) -> None:
        """Called every heartbeat: give a sign of life, or give the connection up when the client gave none."""
        if self.connection is None:
            return
        now = time.monotonic()
        if now - self._heard > _MISSED_HEARTBEATS * self.settings.heartbeat:
            connection = self.connection
            self.detach(connection, now - self._heard)
            connection.close("no sign of life")
        elif now - self._said >= self.settings.heartbeat * 0.9 or self.stream.owes_acknowledgement:
            self._progress()

    def close(self, reason: str) -> None:
        """End the session and free what it holds."""
        if not self.ended:
            self.ended = True
            self.events.session_ended(self, reason)
        if self.connection is not None:
            self.connection.close(reason)
            self.detach(self.connection)
        self.host.close()

    # --- from the host, on the event loop ----------------------------------------------------------------------------

    def _replies(self, executed: int, body: bytes, count: int) -> None:
        self.stream.execute(executed)
        self._send(self.stream.send(body, count))
        if not self._held and self.stream.outbox_bytes > _OUTBOX_LIMIT:
            self._held = True
            self.host.hold(True)
            self.events.paused(self)

    def _progress(self, executed: int = 0) -> None:
        self.stream.execute(executed)
        if self.connection is not None:
            self._send(self.stream.control(Kind.ACK))

    def _break(self, error: OpError) -> None:
        self.broken = error
        if self.connection is not None:
            self._send(self.stream.control(Kind.REFUSED, wire.pack({"code": error.error_code, "message": str(error)})))
        self.close("protocol error")

    def _send(self, frame: bytes) -> None:
        self._said = time.monotonic()
        if self.connection is not None:
            self._traffic.sent += len(frame)
            self._traffic.frames_out += 1
            self.connection.send(frame)


class Sessions:
    """All sessions of a server."""

    def __init__(self, settings: Settings, devices: list[Device], files: Files | None = None) -> None:
        self.settings = settings
        self.devices = devices
        self._files = files
        self.events = Events(settings.access_log)
        self.started = time.time()
        self._sessions: dict[str, Session] = {}
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin keeping leases and heartbeats; needs a running loop."""
        self._keeper = asyncio.create_task(self._keep())

    def create(self) -> Session:
        """A new session. Detached ones are evicted, oldest first, before it is refused.

        Raises:
            ResourceExhaustedError: as many sessions as allowed are in use.
        """
        while len(self._sessions) >= self.settings.max_sessions:
            detached = [s for s in self._sessions.values() if s.detached_at is not None]
            if not detached:
                raise ResourceExhaustedError(f"{len(self._sessions)} sessions are in use, and no more are allowed")
            self.end(min(detached, key=lambda s: s.detached_at or 0.0), "evicted for a newer session")
        loop = asyncio.get_running_loop()
        session = Session(secrets.token_urlsafe(24), self.settings, self.devices, loop, self._files, self.events)
        self._sessions[session.id] = session
        self.events.session_started(session)
        return session

    def get(self, identifier: str) -> Session:
        """The session of that id. Raises SessionLostError."""
        found = self._sessions.get(identifier)
        if found is None or found.broken is not None:
            reason = f": {found.broken}" if found is not None else ""
            raise SessionLostError(f"the server does not know this session (any more){reason}")
        return found

    def end(self, session: Session, reason: str) -> None:
        """Close a session and forget it."""
        self._sessions.pop(session.id, None)
        session.close(reason)

    def __iter__(self) -> Any:
        return iter(list(self._sessions.values()))

    def __len__(self) -> int:
        return len(self._sessions)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(min(self.settings.heartbeat, self.settings.session_ttl, 5.0) / 2)
            now = time.monotonic()
            for session in self:
                session.beat()
                if session.detached_at is not None and now - session.detached_at > self.settings.session_ttl:
                    self.end(session, "its lease ran out")

    async def stop(self) -> None:
        """End every session; waits briefly for the ops they are at."""
        if self._keeper is not None:
            self._keeper.cancel()
        sessions = list(self)
        for session in sessions:
            self.end(session, "the server stops")
        for session in sessions:
            await asyncio.to_thread(session.host.join, 2.0)
