"""Keeps a session's connection up: the I/O thread, heartbeat, reconnecting with backoff.

Owns: `Link`. Does not know items. What is lost with a connection is sent again by the rules of `protocol.stream`; the
user sees a pause.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from client.session import Session
from client.transport import Connection, open_connection
from protocol.errors import OpError, ProtocolError, SequenceGapError, SessionLostError, UnavailableError, error_from
from protocol.wire import Kind, decode_frame, unpack_map

_MISSED_HEARTBEATS: Final = 3
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 5.0
_SAY_AFTER: Final = 2.0
_GATHER: Final = 0.001
"""Seconds that items may wait for company while the server has work. On an idle wire they go at once."""
_TICK: Final = 0.5
"""Seconds after which an idle connection's thread looks whether tensors have died, to release them."""


class Link:
    """The thread that owns a session's connection. `server_gone` says whether trying again is hopeless (an embedded
    server that ended).
    """

    def __init__(
        self, session: Session, reconnect_timeout: float | None, server_gone: Callable[[], str | None]
    ) -> None:
        self._session = session
        self._reconnect_timeout = reconnect_timeout
        self._server_gone = server_gone
        self._heartbeat = 10.0
        self._connection: Connection | None = None
        self._connect()
        self._thread = threading.Thread(target=self._run, name="telegrad-io", daemon=True)
        self._thread.start()

    def _connect(self) -> None:
        """One attempt. Raises OSError when another may help, OpError when none will."""
        session = self._session
        connection = open_connection(session.endpoint, session.id)
        try:
            connection.send(session.hello())
            frames = self._first_frames(connection)
            first = decode_frame(frames[0])
            said = unpack_map(first)
            if first.kind == Kind.REFUSED:
                error = error_from(said.get("code", 2), str(said.get("message")))
                raise error if isinstance(error, OpError) else ProtocolError(str(error))
            if first.kind != Kind.WELCOME:
                raise ProtocolError("the server's first frame is no WELCOME")
            self._heartbeat = float(said["heartbeat"])
            session.attach(connection, said)
            for frame in frames[1:]:
                session.receive(frame)
        except BaseException:
            connection.close()
            session.detach()
            raise
        self._connection = connection

    def _first_frames(self, connection: Connection) -> list[bytes]:
        deadline = time.monotonic() + self._session.endpoint.connect_timeout
        while (left := deadline - time.monotonic()) > 0:
            frames = connection.receive(left)
            if frames:
                return frames
        raise TimeoutError("the server does not answer")

    # --- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        session = self._session
        while not session.closed:
            try:
                assert self._connection is not None
                self._serve(self._connection)
            except (OSError, SequenceGapError) as error:
                self._lost_connection(error)
            except OpError as error:
                self._end(error)
            except Exception as error:  # a bug here must not leave the user waiting for ever
                self._end(wire_error(error))
            if session.lost is not None:
                return

    def _serve(self, connection: Connection) -> None:
        session = self._session
        heard = said = time.monotonic()
        while not session.closed:
            frames = connection.receive(min(_TICK, self._heartbeat / 2))
            if frames:
                for frame in frames:
                    session.receive(frame)
                heard = time.monotonic()
            before = session.frames_sent
            if session.has_pending:
                if not session.idle and not frames:
                    # The server has work: let the batch grow a little, and whoever fills it sends it.
                    frames = connection.receive(_GATHER)
                    for frame in frames:
                        session.receive(frame)
                session.flush(wait=False)
            now = time.monotonic()
            if session.frames_sent != before:
                said = now
            due = now - said >= self._heartbeat * 0.9 or (session.owes_acknowledgement and not frames)
            if due and session.send_control(Kind.ACK):
                said = now
            if now - heard > _MISSED_HEARTBEATS * self._heartbeat:
                raise ConnectionError(f"no sign of life for {now - heard:.0f} s")

    def _lost_connection(self, error: Exception) -> None:
        session = self._session
        assert self._connection is not None
        self._connection.close()
        session.detach()
        started = time.monotonic()
        pause = _FIRST_PAUSE
        said = False
        while not session.closed:
            gone = self._server_gone()
            if gone is not None:
                self._end(SessionLostError(gone))
                return
            try:
                self._connect()
            except (OSError, SequenceGapError) as again:
                error = again
            except OpError as final:
                self._end(final)
                return
            else:
                session.reconnects += 1
                if said:
                    print(f"telegrad: connected again to {session.endpoint}", file=sys.stderr)
                return
            away = time.monotonic() - started
            if self._reconnect_timeout is not None and away > self._reconnect_timeout:
                self._end(UnavailableError(f"{session.endpoint} could not be reached for {away:.0f} s: {error}"))
                return
            if away > _SAY_AFTER and not said:
                said = True
                print(f"telegrad: connection to {session.endpoint} lost ({error}); trying again", file=sys.stderr)
            sleep = pause * random.uniform(0.7, 1.0)
            time.sleep(sleep if said else min(sleep, max(_SAY_AFTER - away, 0.01)))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _end(self, error: OpError) -> None:
        if self._connection is not None:
            self._connection.close()
        if isinstance(error, SessionLostError):
            error = SessionLostError(
                f"{error.message}. Its tensors and variables are gone: call connect(), restore a checkpoint and go on"
            )
        self._session.lose(error)

    def stop(self) -> None:
        """Wait for the thread to end after the session was closed."""
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)


def wire_error(error: Exception) -> OpError:
    """An unexpected exception of the I/O thread as an error for whoever waits."""
    return ProtocolError(f"{type(error).__name__} while reading from the server: {error}")
