"""A session on the server's side: its stream, its host, and whichever connection is attached to it.

Owns: `Session` (frames in, frames out, attaching, fencing, resuming, heartbeat), `Sessions` (the registry: whose each
is, leases, eviction). Lives on the event loop alone. Does not know HTTP or WebSocket: a connection is anything with
`send(frame)` and `close(reason)`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from pathlib import Path
from typing import Any, Final, Protocol

import protocol
from protocol import wire
from protocol.errors import (
    FailedPreconditionError,
    OpError,
    ProtocolError,
    ResourceExhaustedError,
    SessionLostError,
    UnauthenticatedError,
    brief,
)  # fmt: skip
from protocol.stream import DEFAULT_CREDIT, UNLIMITED, Stream
from protocol.wire import Frame, Kind
from server import persistence, switches
from server.access import Access, Account
from server.events import Events, Traffic
from server.hosting import Hosting
from server.logs import short_id
from server.settings import Settings

log = logging.getLogger("telegrad.session")

_PUBLISHED: Final = "published"
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
        hosting: Hosting,
        account: Account,
        saved: Path | None = None,
        events: Events | None = None,
    ) -> None:
        self.id = identifier
        self.label = short_id(identifier)
        self.ended = False
        self.events = events or Events()
        self._traffic = Traffic()
        self.settings = settings
        self.devices = hosting.devices
        self.account = account
        self.quota = quota = account.quota  # as it is now, for as long as the session lives
        self.share = account.share()
        credit = DEFAULT_CREDIT._replace(bytes=min(DEFAULT_CREDIT.bytes, quota.queued_bytes or DEFAULT_CREDIT.bytes))
        self.stream = Stream(sent_credit=UNLIMITED, received_credit=credit)
        self.created = time.time()
        self.detached_at: float | None = time.monotonic()
        self.attachment = 0  # counts up; only the newest may speak
        self.connection: Connection | None = None
        self.broken: OpError | None = None
        self.driver: Any = None  # set once: the client within the server that alone may attach (`server.api.tool`)
        self.driver_state: Any = None  # of the one that the last server had
        self._heard = time.monotonic()
        self._said = time.monotonic()
        self._held = False
        self.shelf = hosting.published.shelf(account)
        try:
            self.host, self.payloads = hosting.host(
                account, self.shelf, self.share, self._replies, self._progress, self._break, saved
            )
        except BaseException:
            self._give_back()
            raise

    # --- connections -------------------------------------------------------------------------------------------------

    def attach(self, connection: Connection, hello: Frame) -> int:
        """Make `connection` the session's, resume from where both sides say they are, and return the attachment's
        number.

        Raises:
            ProtocolError: no HELLO, another protocol version, or no common history.
            FailedPreconditionError: the session is driven by HTTP requests.
        """
        if (self.driver is not None or self.driver_state is not None) and connection is not self.driver:
            raise FailedPreconditionError("this session is driven by HTTP requests; a client needs one of its own")
        if hello.kind != Kind.HELLO:
            raise ProtocolError("a connection starts with HELLO")
        said = wire.unpack_map(hello)
        version, expects = said.get("version"), said.get("expects")
        if version != wire.VERSION:
            raise ProtocolError(f"the client speaks protocol version {version!r:.50}, this server {wire.VERSION}")
        if type(expects) is not int:
            raise ProtocolError("HELLO does not say what is expected next")
        again = self.stream.resume(expects)
        if self.connection is not None:
            self.connection.close("another connection took over")
        self.attachment += 1
        self.connection = connection
        if self.driver is None:
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
            if not self.ended and self.driver is None:
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
        if self.connection is None or self.driver is not None:  # what is in this process cannot fall silent
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
        if self.host.own_process:
            self._give_back()

    def _give_back(self) -> None:
        """What the token's other sessions may have from here on: a process that is gone can't say so itself."""
        if self.share is not None:
            self.share.close()

    # --- across a restart of the server ------------------------------------------------------------------------------

    async def save(self, folder: Path, timeout: float) -> bool:
        """Stop, and write everything to two files that `restored` takes up: whether that was done in time."""
        name = secrets.token_hex(8)
        executor = folder / f"{name}.executor"
        try:
            if not await asyncio.to_thread(self.host.save, executor, timeout):
                return False
            description = {
                "id": self.id,
                "created": self.created,
                "attachment": self.attachment,
                "driver": self.driver_state if self.driver is None else self.driver.state(),
                "executor": executor.name,
                "token": self.account.name,
                "stream": self.stream.state(),
                "payloads": self.payloads.here(),
            }
            await asyncio.to_thread(persistence.write, folder / f"{name}.session", description, ())
        except OSError as error:
            log.error("session %s could not be saved: %s", self.label, error)
            return False
        return True

    @classmethod
    def restored(cls, path: Path, settings: Settings, hosting: Hosting, access: Access, events: Events) -> Session:
        """The session that `save` wrote, detached; its files go.

        Raises:
            DataLossError: the file is damaged.
            UnauthenticatedError: its token is none any more.
        """
        description, _ = persistence.read(path)
        account = next((a for a in access if a.name == description["token"]), None)
        if account is None:
            raise UnauthenticatedError(f"the token {description['token']!r} is no more")
        session = cls(description["id"], settings, hosting, account, path.with_name(description["executor"]), events)
        session.created = description["created"]
        session.attachment = description["attachment"]
        session.driver_state = description["driver"]
        session.stream.restore(description["stream"])
        session.host.restored(session.stream.items_received, session.stream.executed)
        session.payloads.restore_here(description["payloads"])
        path.unlink()
        return session

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
            said = {"code": error.error_code, "message": brief(str(error))}
            self._send(self.stream.control(Kind.REFUSED, wire.pack(said)))
        self.close("protocol error")

    def _send(self, frame: bytes) -> None:
        self._said = time.monotonic()
        if self.connection is not None:
            self._traffic.sent += len(frame)
            self._traffic.frames_out += 1
            self.connection.send(frame)


class Sessions:
    """All sessions of a server."""

    def __init__(self, settings: Settings, hosting: Hosting, access: Access) -> None:
        self.settings = settings
        self.devices = hosting.devices
        self.published = hosting.published
        self._hosting = hosting
        self.access = access
        access.on_removed = self._end_all
        self.events = Events(settings.access_log)
        self.started = time.time()
        self._sessions: dict[str, Session] = {}
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin keeping leases and heartbeats; needs a running loop."""
        self._hosting.start()
        self._restore()
        self._keeper = asyncio.create_task(self._keep())

    def create(self, account: Account, evict: bool = True) -> Session:
        """A new session of `account`. Its detached ones are evicted, oldest first, before it is refused, unless it is
        not to `evict`.

        Raises:
            ResourceExhaustedError: as many sessions as allowed are in use.
            UnauthenticatedError: the token was removed while its request was under way.
        """
        if account.removed is not None:
            raise UnauthenticatedError(account.removed)
        quota, most = account.quota.max_sessions, self.settings.max_sessions
        while (own := len(self.of(account))) >= quota:
            text = f"{own} sessions are in use, and no more are allowed (token {account.name!r})"
            self._evict_for(account, text, evict)
        while len(self._sessions) >= most:
            self._evict_for(account, "the server is full: others have the sessions it allows", evict)
        session = Session(secrets.token_urlsafe(24), self.settings, self._hosting, account, events=self.events)
        self._sessions[session.id] = session
        self.events.session_started(session)
        return session

    def _evict_for(self, account: Account, otherwise: str, evict: bool) -> None:
        """End the account's own session that is detached for longest; never another's."""
        detached = [s for s in self.of(account) if s.detached_at is not None]
        if not detached or not evict:
            raise ResourceExhaustedError(otherwise)
        self.end(min(detached, key=lambda s: s.detached_at or 0.0), "evicted for a newer session")

    def of(self, account: Account) -> list[Session]:
        """The sessions of an account."""
        return [s for s in self._sessions.values() if s.account is account]

    def get(self, identifier: str, account: Account) -> Session:
        """The account's session of that id. Raises SessionLostError; for another's as for one that never was."""
        found = self._sessions.get(identifier)
        if found is not None and found.account is not account:
            found = None
        if found is None or found.broken is not None:
            reason = f": {found.broken}" if found is not None else ""
            raise SessionLostError(f"the server does not know this session (any more){reason}")
        return found

    def end(self, session: Session, reason: str) -> None:
        """Close a session and forget it."""
        self._sessions.pop(session.id, None)
        session.close(reason)

    def _end_all(self, account: Account, reason: str) -> None:
        self.published.forget(account)
        for session in self.of(account):
            self.end(session, reason)

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
                self._end_runaway(session)
                if session.detached_at is not None and now - session.detached_at > self.settings.session_ttl:
                    self.end(session, "its lease ran out")

    def _end_runaway(self, session: Session) -> None:
        """End a session whose process has worked on one frame for too long."""
        limits = [limit for limit in (self.settings.item_seconds, session.quota.run_seconds) if limit]
        if limits and session.host.busy_seconds > min(limits):
            text = f"an op ran for more than {min(limits):g} s, which is what is allowed: its session was ended"
            session.host.kill(SessionLostError(text))

    def _restore(self) -> None:
        """Take up the sessions that the last server saved."""
        folder = self._folder
        if folder is None or not folder.is_dir():
            return
        left = set(folder.iterdir())
        if (kept := folder / _PUBLISHED).exists():
            try:
                self.published.restore(*persistence.read(kept), {a.name for a in self.access})
            except (OpError, ValueError, TypeError, KeyError) as error:
                log.error("published values are lost: %s", error)
        for path in sorted(folder.glob("*.session")):
            try:
                session = Session.restored(path, self.settings, self._hosting, self.access, self.events)
            except (OpError, OSError, ValueError, TypeError, KeyError) as error:
                log.error("a saved session is lost: %s", error)
                continue
            self._sessions[session.id] = session
            left.discard(path.with_suffix(".executor"))  # its process reads it, and removes it
            log.info("session %s goes on", session.label)
        for path in left:
            path.unlink(missing_ok=True)

    @property
    def _folder(self) -> Path | None:
        return None if self.settings.data_dir is None else self.settings.data_dir / "sessions"

    async def _save(self, sessions: list[Session]) -> None:
        """Write the sessions that can be taken up by the next server, as many as there is time for."""
        folder = self._folder
        if folder is None or not self.settings.save_seconds:
            return
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        whole = [s for s in sessions if s.broken is None]
        done = await asyncio.gather(*[s.save(folder, self.settings.save_seconds) for s in whole])
        state, arrays = self.published.state()
        if arrays:
            try:
                await asyncio.to_thread(persistence.write, folder / _PUBLISHED, state, arrays)
            except OSError as error:
                log.error("published values could not be saved: %s", error)
        log.info("%d of %d sessions are saved for the next server", sum(done), len(sessions))

    async def stop(self) -> None:
        """Save the sessions where there is a place for it, and end every one; waits briefly for the ops they are at."""
        if self._keeper is not None:
            self._keeper.cancel()
        sessions = list(self)
        await self._save(sessions)
        for session in sessions:
            self.end(session, "the server stops")
        for session in sessions:
            await asyncio.to_thread(session.host.join, 2.0)
        await asyncio.to_thread(self._hosting.stop)
